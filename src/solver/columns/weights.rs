//! Blocks of Jᵀr that are weighted sums of residuals: what rows of constants add where components do not mix.

use super::counts::{Counts, NextCount};
use crate::backend::Group;

/// Bits of a source of [`Weighted`] that say its weight; the others say its first residual.
const BITS: u32 = 6;

/// The different weights there are.
#[derive(Debug)]
pub(in crate::solver) struct Weights {
    /// Room for all that a source can name, so that there is nothing to check when it does.
    numbers: [f64; 1 << BITS],
    count: usize,
}

impl Default for Weights {
    fn default() -> Self {
        Weights { numbers: [0.0; 1 << BITS], count: 0 }
    }
}

impl Weights {
    /// The index of a weight that residuals of a group shall have; `None` if there are too many.
    pub fn find(&mut self, group: &Group, weight: f64) -> Option<u32> {
        if group.rows.end >> (u32::BITS - BITS) != 0 {
            return None;
        }
        let known = self.numbers[..self.count].iter().position(|&other| other == weight);
        let index = known.unwrap_or(self.count);
        *self.numbers.get_mut(index)? = weight;
        self.count = self.count.max(index + 1);
        Some(index as u32)
    }
}

/// Weighted sums of residuals for the columns of a task.
#[derive(Debug, Default)]
pub(in crate::solver) struct Weighted {
    /// How many sources each column has; empty if there are none at all.
    pub counts: Counts,
    pub sources: Vec<u32>,
}

impl Weighted {
    /// The source of a residual and the following, with a weight.
    pub fn source(residual: usize, weight: u32) -> u32 {
        (residual as u32) << BITS | weight
    }

    /// The sums, with the residuals of the whole problem.
    pub fn sums<'a>(&'a self, weights: &'a Weights, residuals: &'a [f64]) -> WeightedSums<'a> {
        WeightedSums { counts: self.counts.iter(), sources: &self.sources, weights: &weights.numbers, residuals }
    }

    pub fn bytes(&self) -> usize {
        self.counts.bytes() + size_of_val(&self.sources[..])
    }
}

/// The sums to carry out.
pub(in crate::solver) struct WeightedSums<'a> {
    counts: NextCount<'a>,
    sources: &'a [u32],
    weights: &'a [f64; 1 << BITS],
    residuals: &'a [f64],
}

impl WeightedSums<'_> {
    /// (weight, first residual) of the sources of the next column.
    #[inline(always)]
    fn sources(&mut self) -> impl Iterator<Item = (f64, usize)> {
        let count = self.counts.next().map_or(0, |count| count as usize);
        let sources = self.sources.split_off(..count).unwrap_or_default().iter();
        sources.map(|source| (self.weights[(source % (1 << BITS)) as usize], (source >> BITS) as usize))
    }

    /// The sum of the next column.
    #[inline(always)]
    pub fn next<const N: usize>(&mut self) -> [f64; N] {
        let residuals = self.residuals;
        let mut sum = [0.0; N];
        for (weight, first) in self.sources() {
            let residuals: [f64; N] = super::chunk(residuals, first);
            sum = std::array::from_fn(|k| sum[k] + weight * residuals[k]);
        }
        sum
    }

    /// The sum of the next column, of any size.
    pub fn write(&mut self, sum: &mut [f64]) {
        let residuals = self.residuals;
        sum.fill(0.0);
        for (weight, first) in self.sources() {
            sum.iter_mut().zip(&residuals[first..]).for_each(|(sum, residual)| *sum += weight * residual);
        }
    }
}
