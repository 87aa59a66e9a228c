//! Sums of terms over instances, in loops unrolled for the sizes of points, poses and cameras.

mod bases;
mod blocks;
mod gradients;
mod squares;

pub(super) use bases::Bases;

use super::contribution::{Outer, Term};
use blocks::{Blocks, any_blocks};
use gradients::{Gradients, ScaledResiduals, any_gradients, any_scaled_residuals};
use pulp::Arch;
use squares::Squares;

/// Sums of one term, each over some instances.
#[derive(Debug)]
pub(super) struct Sums {
    /// Where the sum goes, by its first number.
    pub targets: Vec<u32>,
    /// Where the sources of each sum end.
    pub ends: Vec<u32>,
    /// The instances summed over, each as twice its index, plus one where the term is taken negative.
    pub sources: Vec<u32>,
    /// What `sources` say of signs.
    pub sign: Sign,
}

/// The sign of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// All are taken as they are.
    Positive,
    /// All are taken negative.
    Negative,
    /// Each says for itself.
    Mixed,
}

impl Sign {
    /// Of these sources.
    pub fn of(sources: &[u32]) -> Self {
        let negative = sources.iter().filter(|&&source| source & 1 == 1).count();
        match negative {
            0 => Sign::Positive,
            count if count == sources.len() => Sign::Negative,
            _ => Sign::Mixed,
        }
    }
}

impl Sums {
    pub fn bytes(&self) -> usize {
        size_of_val(&self.targets[..]) + size_of_val(&self.ends[..]) + size_of_val(&self.sources[..])
    }

    /// (target, sources) of each sum.
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = (usize, &[u32])> {
        let mut start = 0;
        self.targets.iter().zip(&self.ends).map(move |(&target, &end)| {
            let sources = &self.sources[start..end as usize];
            start = end as usize;
            (target as usize, sources)
        })
    }
}

/// What a sum begins with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin<'a> {
    /// What stands at the target.
    Present,
    /// A base for each sum.
    At(&'a Bases),
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

impl<'a> Instances<'a> {
    /// The row of `H` numbers from `first` on of each instance, if it is all there is: then it needs no multiplication to find it.
    #[inline(always)]
    fn rows<const H: usize>(&self, first: usize) -> Option<&'a [[f64; H]]> {
        let (rows, rest) = self.jacobian.as_chunks::<H>();
        (first == 0 && self.stride == H && rest.is_empty()).then_some(rows)
    }
}

/// Sums to carry out; a struct for the reason that [`crate::backend::cpu`] gives.
pub(super) struct Summation<'a> {
    pub term: &'a Term,
    pub instances: Instances<'a>,
    pub sums: &'a Sums,
    pub begin: Begin<'a>,
    pub numbers: &'a mut [f64],
}

impl Summation<'_> {
    /// Runs with the best instruction set there is.
    pub fn run(self) {
        // A dispatch a size, so that each of these loops is a function of its own with the registers to itself.
        macro_rules! blocks {
            ($sum:expr, $height:expr, $width:expr, $(($h:literal, $w:literal))*) => {
                match ($height, $width) {
                    $(($h, $w) => Arch::new().dispatch(Blocks::<$h, $w, { $h * $w }>($sum, self)),)*
                    size => any_blocks(size, $sum, self),
                }
            };
        }
        macro_rules! by_size {
            ($size:expr, $run:ident($argument:expr), $any:ident, $($n:literal)*) => {
                match $size {
                    $($n => Arch::new().dispatch($run::<$n>($argument, self)),)*
                    size => $any(size, $argument, self),
                }
            };
        }
        let squares = |outer: &Outer| outer.is_square() && self.sums.sign != Sign::Mixed;
        // What is compiled here, a browser has to load: no more than meshes need.
        #[cfg(target_arch = "wasm32")]
        match *self.term {
            Term::Block { height, width, ref sum } => match (height, width, &sum[..]) {
                (3, 3, [outer]) if squares(outer) => Arch::new().dispatch(Squares::<3, 6>(outer, self)),
                _ => blocks!(sum, height, width, (3, 3)),
            },
            Term::Gradient { size, ref sum } => by_size!(size, Gradients(sum), any_gradients, 3),
            Term::Residuals { size, first, factor } => {
                by_size!(size, ScaledResiduals((first as usize, factor)), any_scaled_residuals, 3);
            }
        }
        #[cfg(not(target_arch = "wasm32"))]
        match *self.term {
            Term::Block { height, width, ref sum } => match (height, width, &sum[..]) {
                (2, 2, [outer]) if squares(outer) => Arch::new().dispatch(Squares::<2, 3>(outer, self)),
                (3, 3, [outer]) if squares(outer) => Arch::new().dispatch(Squares::<3, 6>(outer, self)),
                _ => blocks!(sum, height, width, (1, 1)(2, 2)(3, 3)(4, 4)(6, 6)(9, 9)(9, 3)(3, 9)(6, 3)(3, 6)),
            },
            Term::Gradient { size, ref sum } => by_size!(size, Gradients(sum), any_gradients, 1 2 3 4 6 9),
            Term::Residuals { size, first, factor } => {
                by_size!(size, ScaledResiduals((first as usize, factor)), any_scaled_residuals, 1 2 3 4 6 9);
            }
        }
    }

    /// Carries out sums of vectors of fixed size; `add` adds the term of an instance to a sum.
    #[inline(always)]
    fn sum<const N: usize>(self, add: impl Fn(Instances<'_>, usize, f64, &mut [f64; N])) {
        let Summation { instances, sums, begin, numbers, .. } = self;
        for (k, (target, sources)) in sums.iter().enumerate() {
            let Some(target) = numbers.get_mut(target..target + N).and_then(|target| target.first_chunk_mut()) else {
                continue;
            };
            let mut sum = match begin {
                Begin::Present => *target,
                Begin::At(bases) => bases.get(k),
            };
            for &source in sources {
                add(instances, source as usize >> 1, sign(source), &mut sum);
            }
            *target = sum;
        }
    }

    /// Adds what `sum` makes of the sources.
    #[inline(always)]
    fn add<const N: usize>(self, sum: impl Fn(&[u32]) -> [f64; N]) {
        for (target, sources) in self.sums.iter() {
            let Some(target) = self.numbers.get_mut(target..target + N) else { continue };
            let sum = sum(sources);
            target.iter_mut().zip(sum).for_each(|(number, sum)| *number += sum);
        }
    }

    /// As [`Summation::sum`], for any size.
    fn sum_any(self, size: usize, add: impl Fn(Instances<'_>, usize, f64, &mut [f64])) {
        let Summation { instances, sums, begin, numbers, .. } = self;
        for (k, (target, sources)) in sums.iter().enumerate() {
            let sum = &mut numbers[target..target + size];
            match begin {
                Begin::Present => {}
                Begin::At(bases) => bases.write(k, sum),
            }
            for &source in sources {
                add(instances, source as usize >> 1, sign(source), sum);
            }
        }
    }
}

/// 1 or -1, without a branch.
#[inline(always)]
fn sign(source: u32) -> f64 {
    f64::from_bits(1f64.to_bits() | u64::from(source & 1) << 63)
}

/// N numbers from `start`.
#[inline(always)]
fn chunk<const N: usize>(numbers: &[f64], start: usize) -> [f64; N] {
    *numbers[start..].first_chunk().expect("the numbers of an instance")
}
