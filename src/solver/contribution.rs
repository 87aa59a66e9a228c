//! What an instance of a group adds to JᵀJ and Jᵀr, worked out once from the group's linearization.
//!
//! JᵀJ and Jᵀr are summed block column by block column. In the column of each of its blocks, an instance adds a square to the
//! diagonal block, rows times residuals to Jᵀr, and a product to the block below that it shares with another of its blocks. All three
//! read the same rows, so they are stated together, as a [`Share`]. Blocks that an instance treats alike have one share: both ends of
//! an edge add d dᵀ and ± d r.

use super::columns::{Weights, has_own_loop};
use crate::backend::Group;
use crate::kernel::Kernel;
use crate::linear::Storage;
use crate::program::JacobianEntry;
use rayon::prelude::*;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1024;

/// A stored number on its way into the expanded Jacobian of an instance.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Expansion {
    place: u32,
    stored: u32,
    factor: f64,
}

/// A scaled outer product of two rows of the expanded Jacobian, given by the places where they begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outer {
    pub left: u32,
    pub right: u32,
    pub scale: f64,
}

impl Outer {
    /// Whether it is the square of one row.
    pub fn is_square(&self) -> bool {
        self.left == self.right
    }
}

/// A row of the expanded Jacobian times a residual, scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Product {
    pub row: u32,
    pub residual: u32,
    pub scale: f64,
}

/// What an instance adds to the column of one of its blocks: sums of scaled products.
#[derive(Debug, PartialEq)]
pub(super) struct Share {
    /// Components of the block of the column.
    pub width: usize,
    /// Components of the other block; 0 if nothing is added below the diagonal.
    pub height: usize,
    /// To the diagonal block: squares.
    pub squares: Vec<Outer>,
    /// To Jᵀr.
    pub gradient: Vec<Product>,
    /// To a block below the diagonal.
    pub below: Vec<Outer>,
}

impl Share {
    /// Whether it has a part in the diagonal block and in Jᵀr.
    pub fn is_own(&self) -> bool {
        !self.gradient.is_empty()
    }
}

/// What an instance adds to Jᵀr, and to the diagonal, for one of its blocks.
#[derive(Debug, Default)]
pub(super) enum Own {
    #[default]
    Nothing,
    /// Residuals from `first` on, as many as the block has components, times a weight: each has its own component for its only
    /// parameter.
    Residuals { first: u32, weight: u32 },
    /// A share, its gradients taken negative or not, with the slot of the block that shares its block below the diagonal.
    Share { share: usize, negative: bool, partner: Option<usize> },
}

/// What an instance adds to the column of the block in one of its slots.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub own: Own,
    /// (slot of another block, share) of the blocks below the diagonal that are not part of `own`.
    pub below: Vec<(usize, usize)>,
}

/// What the parameter blocks `row` and `column` of an instance have in common in JᵀJ.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub varies: bool,
    /// (entry, column-major; number) of the rows that never change.
    pub constant: Vec<(u32, f64)>,
    /// Whether these are a multiple of the identity, of more than one number.
    multiple: bool,
}

/// Everything that an instance of a group adds.
#[derive(Debug, Default)]
pub(super) struct Contribution {
    /// The expanded Jacobian, which holds the different rows of J block by block: constant entries, and 0 elsewhere.
    jacobian: Vec<f64>,
    expansions: Vec<Expansion>,
    /// Whether the expanded Jacobian is what is stored anyway.
    stored_as_is: bool,
    pub shares: Vec<Share>,
    /// Of each parameter block of an instance.
    pub slots: Vec<Slot>,
    /// Pair (row, column) at `row * slots + column`.
    pairs: Vec<Pair>,
}

/// A row of J in the columns of one parameter block: `scale` times the row at a place in the expanded Jacobian.
#[derive(Debug, Clone, Copy)]
struct Row {
    place: u32,
    scale: f64,
    constant: bool,
}

/// The rows of J in the columns of one parameter block, by residual.
type Rows = Vec<Option<Row>>;

impl Contribution {
    /// `weights` takes those of constant rows.
    pub fn new(group: &Group, weights: &mut Weights) -> Self {
        let kernel = &group.kernel;
        let sizes: Vec<usize> = kernel.linearization.tangent_sizes.iter().map(|&size| size as usize).collect();
        let mut contribution = Contribution::default();
        let rows = contribution.rows(kernel, &sizes);
        let identity = (0..kernel.stored() as u32).map(|k| Expansion { place: k, stored: k, factor: 1.0 });
        contribution.stored_as_is =
            contribution.jacobian.len() == kernel.stored() && identity.eq(contribution.expansions.iter().copied());
        contribution.slots.resize_with(sizes.len(), Slot::default);
        for (left, &height) in rows.iter().zip(&sizes) {
            for (right, &width) in rows.iter().zip(&sizes) {
                let pair = contribution.new_pair((left, height), (right, width));
                contribution.pairs.push(pair);
            }
        }
        for slot in 0..sizes.len() {
            contribution.slots[slot] = contribution.new_slot(slot, &rows, &sizes, |factor| weights.find(group, factor));
        }
        contribution
    }

    /// Lays out the different rows of J, and says for each slot and residual which it is. Rows that differ by a
    /// factor are one, as far as the quotient is exact.
    fn rows(&mut self, kernel: &Kernel, sizes: &[usize]) -> Vec<Rows> {
        let mut known = Vec::new();
        let mut rows = vec![vec![None; kernel.residuals()]; sizes.len()];
        let same_row = |a: &JacobianEntry, b: &JacobianEntry| (a.residual, a.block) == (b.residual, b.block);
        for entries in kernel.linearization.entries.chunk_by(same_row) {
            let (slot, residual) = (entries[0].block as usize, entries[0].residual as usize);
            let first = entries[0].factor;
            let alike = entries.iter().all(|entry| entry.factor.abs() == first.abs());
            let scale = if alike { first } else { first.signum() };
            let content: Vec<_> = entries.iter().map(|e| (e.component, e.stored, e.factor / scale)).collect();
            let row = (sizes[slot], content);
            let place = match known.iter().find(|(other, _)| *other == row) {
                Some(&(_, place)) => place,
                None => {
                    let place = self.jacobian.len() as u32;
                    self.jacobian.resize(self.jacobian.len() + sizes[slot], 0.0);
                    for &(component, stored, factor) in &row.1 {
                        let place = place + component;
                        match stored {
                            None => self.jacobian[place as usize] = factor,
                            Some(stored) => self.expansions.push(Expansion { place, stored, factor }),
                        }
                    }
                    known.push((row, place));
                    place
                }
            };
            let constant = entries.iter().all(|e| e.stored.is_none());
            rows[slot][residual] = Some(Row { place, scale, constant });
        }
        rows
    }

    fn numbers(&self, row: Row, size: usize) -> &[f64] {
        &self.jacobian[row.place as usize..][..size]
    }

    fn new_slot(
        &mut self,
        slot: usize,
        rows: &[Rows],
        sizes: &[usize],
        weight: impl FnOnce(f64) -> Option<u32>,
    ) -> Slot {
        let coupled = |other: &usize| *other != slot && self.pair(*other, slot).varies;
        let mut others: Vec<usize> = (0..rows.len()).filter(coupled).collect();
        let residuals = self.scaled_residuals(&rows[slot], sizes[slot]);
        let own = if rows[slot].iter().all(Option::is_none) {
            Own::Nothing
        } else if let Some((first, weight)) = residuals.and_then(|(first, factor)| Some((first, weight(factor)?))) {
            Own::Residuals { first, weight }
        } else {
            let partner = others.iter().position(|&other| has_own_loop(sizes[other], sizes[slot]));
            let partner = partner.map(|index| others.remove(index));
            let (share, negative) = self.share(true, (&rows[slot], sizes[slot]), partner.map(|p| (&rows[p], sizes[p])));
            Own::Share { share, negative, partner }
        };
        let mut below =
            |other: usize| self.share(false, (&rows[slot], sizes[slot]), Some((&rows[other], sizes[other]))).0;
        let below = others.into_iter().map(|other| (other, below(other))).collect();
        Slot { own, below }
    }

    /// (first residual, factor) if the rows are those of a multiple of the identity.
    fn scaled_residuals(&self, rows: &Rows, size: usize) -> Option<(u32, f64)> {
        let present = || rows.iter().enumerate().filter_map(|(residual, row)| Some((residual as u32, (*row)?)));
        let (first, row) = present().next()?;
        let factor = row.scale * self.numbers(row, size)[0];
        let diagonal = present().enumerate().all(|(k, (residual, row))| {
            let numbers = self.numbers(row, size).iter().enumerate();
            let expected = |i: usize| if i == k { factor } else { 0.0 };
            residual == first + k as u32 && row.constant && numbers.clone().all(|(i, x)| row.scale * x == expected(i))
        });
        (diagonal && present().count() == size).then_some((first, factor))
    }

    /// The share, and whether gradients are to be taken negative.
    fn share(&mut self, own: bool, (rows, width): (&Rows, usize), partner: Option<(&Rows, usize)>) -> (usize, bool) {
        let height = partner.map_or(0, |(_, height)| height);
        let mut share = Share { width, height, squares: Vec::new(), gradient: Vec::new(), below: Vec::new() };
        for (residual, row) in rows.iter().enumerate().filter_map(|(residual, row)| Some((residual, (*row)?))) {
            if own {
                share.gradient.push(Product { row: row.place, residual: residual as u32, scale: row.scale });
            }
            if own && !row.constant {
                share.squares.push(Outer { left: row.place, right: row.place, scale: row.scale * row.scale });
            }
            let other = partner.and_then(|(rows, _)| rows[residual]).filter(|other| !(row.constant && other.constant));
            if let Some(other) = other {
                share.below.push(Outer { left: other.place, right: row.place, scale: other.scale * row.scale });
            }
        }
        let negative = share.gradient.first().is_some_and(|product| product.scale < 0.0);
        if negative {
            share.gradient.iter_mut().for_each(|product| product.scale = -product.scale);
        }
        let known = self.shares.iter().position(|other| *other == share);
        let index = known.unwrap_or_else(|| {
            self.shares.push(share);
            self.shares.len() - 1
        });
        (index, negative)
    }

    fn new_pair(&mut self, left: (&Rows, usize), right: (&Rows, usize)) -> Pair {
        let ((left, height), (right, width)) = (left, right);
        let mut pair = Pair::default();
        for (left, right) in left.iter().zip(right).filter_map(|(left, right)| Some(((*left)?, (*right)?))) {
            if left.constant && right.constant {
                let scale = left.scale * right.scale;
                pair.add_constant(self.numbers(left, height), self.numbers(right, width), scale);
            } else {
                pair.varies = true;
            }
        }
        let alike =
            |&(entry, number): &(u32, f64)| (entry as usize).is_multiple_of(width + 1) && number == pair.constant[0].1;
        let square = height == width && width > 1 && pair.constant.len() == width;
        pair.multiple = square && pair.constant.iter().all(alike);
        pair
    }

    pub fn pair(&self, row: usize, column: usize) -> &Pair {
        &self.pairs[row * self.slots.len() + column]
    }

    /// Numbers in the expanded Jacobian of an instance; 0 if all instances share one because it is constant.
    pub fn stride(&self) -> usize {
        if self.expansions.is_empty() { 0 } else { self.jacobian.len() }
    }

    /// The expanded Jacobians of all instances; `room` takes them if they are not what is stored.
    pub fn expand<'a>(&'a self, group: &Group, stored: &'a [f64], room: &'a mut Vec<f64>) -> &'a [f64] {
        if self.expansions.is_empty() {
            return &self.jacobian;
        }
        if self.stored_as_is {
            return stored;
        }
        let width = self.jacobian.len();
        if room.is_empty() {
            *room = self.jacobian.repeat(group.table.count);
        }
        let expand = |(row, stored): (&mut [f64], &[f64])| {
            for &Expansion { place, stored: index, factor } in &self.expansions {
                row[place as usize] = factor * stored[index as usize];
            }
        };
        let stored_width = group.kernel.stored();
        if group.table.count <= STRETCH {
            room.chunks_exact_mut(width).zip(stored.chunks_exact(stored_width)).for_each(expand);
        } else {
            let rows = room.par_chunks_exact_mut(width).zip(stored.par_chunks_exact(stored_width));
            rows.with_min_len(STRETCH).for_each(expand);
        }
        room
    }
}

impl Pair {
    /// How a block that only this adds to is stored.
    pub fn storage(&self) -> Storage {
        match (self.varies, self.multiple) {
            (true, _) => Storage::Ahead,
            (false, true) => Storage::Multiple,
            (false, false) => Storage::Full,
        }
    }

    pub fn is_zero(&self) -> bool {
        !self.varies && self.constant.is_empty()
    }

    fn add_constant(&mut self, left: &[f64], right: &[f64], scale: f64) {
        for (j, b) in right.iter().enumerate() {
            for (i, a) in left.iter().enumerate().filter(|(_, a)| **a != 0.0 && *b != 0.0) {
                let entry = (j * left.len() + i) as u32;
                let product = scale * a * b;
                match self.constant.iter_mut().find(|(e, _)| *e == entry) {
                    Some((_, number)) => *number += product,
                    None => self.constant.push((entry, product)),
                }
            }
        }
    }
}
