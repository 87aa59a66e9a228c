//! Passes over block columns: all that the instances of a group add to a column of JᵀJ and to Jᵀr, in loops unrolled for the sizes of
//! points, poses and cameras.
//!
//! A pass goes through the columns that some instances touch, and in each through those instances: it adds up the diagonal block and
//! Jᵀr, and writes the blocks below the diagonal. So the rows of an instance are read while they are in the first-level cache, and
//! where there is only one, they are read once ([`alike`]).

mod alike;
mod any;
mod begin;
mod counts;
mod lines;
mod places;
#[cfg(test)]
mod tests;
mod weights;

pub(super) use begin::Begin;
pub(super) use counts::Counts;
use weights::WeightedSums;
pub(super) use weights::{Weighted, Weights};

use super::contribution::Share;
use alike::Alike;
use lines::Lines;
use places::{Listed, Places, Streamed};
use pulp::Arch;

/// In a source, that its gradient is taken negative.
pub(super) const NEGATIVE: u32 = 1;
/// In a source, that it adds to the block below the diagonal that the one before it wrote.
pub(super) const AGAIN: u32 = 2;
/// From where in a source its instance stands.
pub(super) const INSTANCE: u32 = 2;

/// Whether loops have copies for special cases that make them faster. What is compiled, a browser has to load.
pub(super) const COPIES: bool = !cfg!(target_arch = "wasm32");

/// A column that a pass goes through.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// How many of the sources add to a block below the diagonal; they come first, in the order of those blocks.
    pub below: u32,
    /// How many do not.
    pub alone: u32,
}

/// Where the blocks are that a pass adds to.
#[derive(Debug)]
pub(super) enum Targets {
    /// They are all numbers of the task, one behind the other, and those of Jᵀr likewise.
    Streamed,
    Listed {
        /// First numbers of the diagonal block of each step and of the blocks below it.
        blocks: Vec<u32>,
        /// First numbers of Jᵀr.
        gradient: Vec<u32>,
    },
}

/// What goes through the columns for one share of a group.
#[derive(Debug)]
pub(super) struct Pass {
    /// Of each [`Step`] the two counts.
    pub steps: Counts,
    /// The instances that touch the columns, with flags.
    pub sources: Vec<u32>,
    pub targets: Targets,
    /// What the diagonal blocks begin with, by steps.
    pub diagonal: Begin,
    /// What the blocks below begin with, by targets.
    pub below: Begin,
}

impl Pass {
    /// The columns.
    #[inline(always)]
    pub fn steps(&self) -> impl Iterator<Item = Step> {
        let mut counts = self.steps.iter();
        std::iter::from_fn(move || Some(Step { below: counts.next()?, alone: counts.next()? }))
    }

    /// Of each block that the pass comes to, whether it is a diagonal block.
    pub fn diagonals(&self, own: bool) -> Vec<bool> {
        let mut sources = self.sources.iter();
        let mut diagonals = Vec::new();
        for step in self.steps() {
            diagonals.extend(own.then_some(true));
            let below = sources.by_ref().take(step.below as usize).filter(|&&source| source & AGAIN == 0);
            diagonals.extend(below.map(|_| false));
            sources.by_ref().take(step.alone as usize).for_each(drop);
        }
        diagonals
    }

    pub fn bytes(&self) -> usize {
        let targets = match &self.targets {
            Targets::Streamed => 0,
            Targets::Listed { blocks, gradient } => size_of_val(&blocks[..]) + size_of_val(&gradient[..]),
        };
        let begins = self.diagonal.bytes() + self.below.bytes();
        self.steps.bytes() + size_of_val(&self.sources[..]) + targets + begins
    }
}

/// Expanded Jacobians and residuals of a group's instances.
#[derive(Clone, Copy)]
pub(super) struct Instances<'a> {
    pub jacobian: &'a [f64],
    /// From one instance to the next; 0 where the Jacobian is constant and one serves all.
    pub stride: usize,
    pub residuals: &'a [f64],
    /// Residuals of an instance.
    pub width: usize,
}

/// What the instances of a group add to a column of `W` components.
trait Terms<const W: usize> {
    /// Adds to the diagonal block, if it is the share's `own`, and to the blocks below of the first `below` sources, and gives the sum
    /// for Jᵀr.
    fn column(&self, sources: &[u32], below: usize, own: bool, places: &mut impl Places) -> Option<[f64; W]>;
}

/// A pass to carry out; a struct for the reason that [`crate::backend::cpu`] gives.
pub(super) struct Walk<'a> {
    pub share: &'a Share,
    pub instances: Instances<'a>,
    pub pass: &'a Pass,
    /// What Jᵀr begins with, by steps, if it is not what stands there.
    pub weighted: Option<WeightedSums<'a>>,
    pub numbers: &'a mut [f64],
    pub gradient: &'a mut [f64],
}

/// Calls `$with!` with the sizes that have a loop of their own: height of the block below, width of the column.
macro_rules! sizes {
    ($with:ident) => {
        // What is compiled here, a browser has to load: no more than meshes need.
        #[cfg(target_arch = "wasm32")]
        $with!((3, 3));
        #[cfg(not(target_arch = "wasm32"))]
        $with!((1, 1)(2, 2)(3, 3)(4, 4)(6, 6)(9, 9)(3, 9)(9, 3)(3, 6)(6, 3));
    };
}

/// Whether blocks of this height below the diagonal can be added to together with columns of this width in an unrolled loop.
pub(super) fn has_own_loop(height: usize, width: usize) -> bool {
    macro_rules! listed {
        ($(($h:literal, $w:literal))*) => { return matches!((height, width), $(($h, $w))|*) };
    }
    sizes!(listed);
}

impl Walk<'_> {
    /// Runs with the best instruction set there is.
    pub fn run(self) {
        let Share { width, height, .. } = *self.share;
        // A dispatch a size, so that each of these loops is a function of its own with the registers to itself.
        if Alike::<3, 12, 9>::fits(self.share) {
            return Arch::new().dispatch(Alike::<3, 12, 9>(self));
        }
        #[cfg(not(target_arch = "wasm32"))]
        if Alike::<2, 6, 4>::fits(self.share) {
            return Arch::new().dispatch(Alike::<2, 6, 4>(self));
        }
        macro_rules! dispatch {
            ($(($h:literal, $w:literal))*) => {
                match (if height == 0 { width } else { height }, width) {
                    $(($h, $w) => Arch::new().dispatch(Lines::<$h, $w, { $w * $w }, { $h * $w }>(self)),)*
                    _ => self.any(),
                }
            };
        }
        sizes!(dispatch);
    }

    /// Goes through the columns.
    #[inline(always)]
    fn columns<const W: usize>(self, terms: impl Terms<W>) {
        let Walk { share, pass, weighted, numbers, gradient, .. } = self;
        let own = share.is_own();
        match &pass.targets {
            Targets::Streamed if !COPIES => {
                unreachable!("a pass is streamed only where there is a copy of the loops for it")
            }
            Targets::Streamed => {
                let (diagonal, below) = (pass.diagonal.multiples(), pass.below.multiples());
                go_through(own, pass, weighted, terms, Streamed { numbers, gradient, diagonal, below });
            }
            Targets::Listed { blocks, gradient: starts } => {
                let (blocks, starts) = (blocks.iter(), starts.iter());
                let (diagonal, below) = ((&pass.diagonal, 0), (&pass.below, 0, 0));
                let places = Listed { blocks, starts, numbers, gradient, diagonal, below };
                go_through(own, pass, weighted, terms, places);
            }
        }
    }
}

/// See [`Walk::columns`].
#[inline(always)]
fn go_through<const W: usize>(
    own: bool,
    pass: &Pass,
    mut weighted: Option<WeightedSums<'_>>,
    terms: impl Terms<W>,
    mut places: impl Places,
) {
    let mut sources = &pass.sources[..];
    for step in pass.steps() {
        let count = step.below as usize + step.alone as usize;
        let Some((mine, rest)) = sources.split_at_checked(count) else { return };
        sources = rest;
        let Some(sum) = terms.column(mine, step.below as usize, own, &mut places) else { return };
        if !own {
            continue;
        }
        let Some(gradient) = places.gradient::<W>() else { return };
        if let Some(sums) = &mut weighted {
            *gradient = sums.next();
        }
        gradient.iter_mut().zip(sum).for_each(|(number, add)| *number += add);
    }
}

/// A number, or its negative if the source says so.
#[inline(always)]
fn signed(number: f64, source: u32) -> f64 {
    f64::from_bits(number.to_bits() ^ u64::from(source & NEGATIVE) << 63)
}

/// N numbers from `start`.
#[inline(always)]
fn chunk<const N: usize>(numbers: &[f64], start: usize) -> [f64; N] {
    *numbers[start..start + N].first_chunk().expect("as many numbers")
}
