//! What an instance of a group adds to JᵀJ and Jᵀr, worked out once from the group's linearization.
//!
//! An instance adds the same few terms in several places: an edge adds ± d dᵀ to three blocks of JᵀJ and ± d r to two blocks of
//! Jᵀr. So each different [`Term`] stands here once, and the places say which it is and with what sign.

use crate::backend::Group;
use crate::kernel::Kernel;
use crate::program::JacobianEntry;
use rayon::prelude::*;

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

/// What an instance adds to one block of JᵀJ, column-major, or of Jᵀr.
#[derive(Debug, PartialEq)]
pub(super) enum Term {
    /// A sum of outer products.
    Block { height: usize, width: usize, sum: Vec<Outer> },
    /// A sum of rows times residuals.
    Gradient { size: usize, sum: Vec<Product> },
    /// As many residuals as the block has components, times a constant: each has its own component for its only parameter.
    Residuals { size: usize, first: u32, factor: f64 },
}

/// A term or its negative.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Signed {
    /// Index of the term.
    pub term: usize,
    pub negative: bool,
}

/// What the parameter blocks `row` and `column` of an instance have in common in JᵀJ.
#[derive(Debug, Default)]
pub(super) struct Pair {
    pub varying: Option<Signed>,
    /// (entry, column-major; number) of the rows that never change.
    pub constant: Vec<(u32, f64)>,
}

/// Everything that an instance of a group adds.
#[derive(Debug, Default)]
pub(super) struct Contribution {
    /// The expanded Jacobian, which holds the different rows of J block by block: constant entries, and 0 elsewhere.
    jacobian: Vec<f64>,
    expansions: Vec<Expansion>,
    /// Whether the expanded Jacobian is what is stored anyway.
    stored_as_is: bool,
    pub terms: Vec<Term>,
    /// The term in Jᵀr of each parameter block of an instance.
    pub gradient: Vec<Option<Signed>>,
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

impl Contribution {
    pub fn new(kernel: &Kernel) -> Self {
        let sizes: Vec<usize> = kernel.linearization.tangent_sizes.iter().map(|&size| size as usize).collect();
        let mut contribution = Contribution::default();
        let rows = contribution.rows(kernel, &sizes);
        let identity = (0..kernel.stored() as u32).map(|k| Expansion { place: k, stored: k, factor: 1.0 });
        contribution.stored_as_is =
            contribution.jacobian.len() == kernel.stored() && identity.eq(contribution.expansions.iter().copied());
        for (rows, &size) in rows.iter().zip(&sizes) {
            let term = contribution.gradient_term(rows, size);
            contribution.gradient.push(term);
        }
        for (left, &height) in rows.iter().zip(&sizes) {
            for (right, &width) in rows.iter().zip(&sizes) {
                let pair = contribution.new_pair((left, height), (right, width));
                contribution.pairs.push(pair);
            }
        }
        contribution
    }

    /// Lays out the different rows of J, and says for each slot and residual which it is. Rows that differ by a
    /// factor are one, as far as the quotient is exact.
    fn rows(&mut self, kernel: &Kernel, sizes: &[usize]) -> Vec<Vec<Option<Row>>> {
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

    fn gradient_term(&mut self, rows: &[Option<Row>], size: usize) -> Option<Signed> {
        let present = || rows.iter().enumerate().filter_map(|(residual, row)| Some((residual as u32, (*row)?)));
        let (first, row) = present().next()?;
        let factor = row.scale * self.numbers(row, size)[0];
        let diagonal = present().enumerate().all(|(k, (residual, row))| {
            let numbers = self.numbers(row, size).iter().enumerate();
            let expected = |i: usize| if i == k { factor } else { 0.0 };
            residual == first + k as u32 && row.constant && numbers.clone().all(|(i, x)| row.scale * x == expected(i))
        });
        if diagonal && present().count() == size {
            let term = Term::Residuals { size, first, factor: factor.abs() };
            return Some(self.term(term, factor < 0.0));
        }
        let negative = row.scale < 0.0;
        let relative = |scale: f64| if negative { -scale } else { scale };
        let product = |(residual, row): (u32, Row)| Product { row: row.place, residual, scale: relative(row.scale) };
        let sum = present().map(product).collect();
        Some(self.term(Term::Gradient { size, sum }, negative))
    }

    fn new_pair(&mut self, left: (&[Option<Row>], usize), right: (&[Option<Row>], usize)) -> Pair {
        let ((left, height), (right, width)) = (left, right);
        let mut pair = Pair::default();
        let mut sum: Vec<Outer> = Vec::new();
        for (left, right) in left.iter().zip(right).filter_map(|(left, right)| Some(((*left)?, (*right)?))) {
            let scale = left.scale * right.scale;
            if left.constant && right.constant {
                pair.add_constant(self.numbers(left, height), self.numbers(right, width), scale);
            } else {
                sum.push(Outer { left: left.place, right: right.place, scale });
            }
        }
        if let Some(first) = sum.first() {
            let negative = first.scale < 0.0;
            if negative {
                sum.iter_mut().for_each(|outer| outer.scale = -outer.scale);
            }
            pair.varying = Some(self.term(Term::Block { height, width, sum }, negative));
        }
        pair
    }

    fn term(&mut self, term: Term, negative: bool) -> Signed {
        let known = self.terms.iter().position(|other| *other == term);
        let index = known.unwrap_or_else(|| {
            self.terms.push(term);
            self.terms.len() - 1
        });
        Signed { term: index, negative }
    }

    pub fn pair(&self, row: usize, column: usize) -> &Pair {
        &self.pairs[row * self.gradient.len() + column]
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
        room.par_chunks_exact_mut(width)
            .zip(stored.par_chunks_exact(group.kernel.stored()))
            .with_min_len(1024)
            .for_each(|(row, stored)| {
                for &Expansion { place, stored: index, factor } in &self.expansions {
                    row[place as usize] = factor * stored[index as usize];
                }
            });
        room
    }
}

impl Pair {
    pub fn is_zero(&self) -> bool {
        self.varying.is_none() && self.constant.is_empty()
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
