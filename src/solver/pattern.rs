//! What a group's Jacobian entries contribute to JᵀJ and Jᵀr, worked out once from its linearization.

use crate::kernel::Kernel;
use crate::program::JacobianEntry;

/// One term of a block of JᵀJ: `factor · left · right` is added at `target`, where a missing number counts as 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Term {
    pub target: u32,
    pub factor: f64,
    pub left: Option<u32>,
    pub right: Option<u32>,
}

/// The block of JᵀJ that one instance adds to for the parameter blocks `row` and `column` of its list.
#[derive(Debug, Default)]
pub(super) struct PairPattern {
    /// (target, number): the part that never changes.
    pub constant: Vec<(u32, f64)>,
    /// Terms with one stored number: (target, number, factor).
    pub linear: Vec<(u32, u32, f64)>,
    /// Terms with two: (target, number, number, factor).
    pub quadratic: Vec<(u32, u32, u32, f64)>,
}

impl PairPattern {
    pub fn is_zero(&self) -> bool {
        self.constant.is_empty() && self.is_constant()
    }

    pub fn is_constant(&self) -> bool {
        self.linear.is_empty() && self.quadratic.is_empty()
    }

    fn new(terms: Vec<Term>) -> Self {
        let mut pattern = PairPattern::default();
        for term in terms {
            match (term.left, term.right) {
                (None, None) => match pattern.constant.iter_mut().find(|(target, _)| *target == term.target) {
                    Some((_, number)) => *number += term.factor,
                    None => pattern.constant.push((term.target, term.factor)),
                },
                (Some(k), None) | (None, Some(k)) => pattern.linear.push((term.target, k, term.factor)),
                (Some(k), Some(l)) => pattern.quadratic.push((term.target, k.min(l), k.max(l), term.factor)),
            }
        }
        pattern
    }

    /// Adds the variable terms of an instance with these stored numbers.
    #[inline]
    pub fn add_to(&self, block: &mut [f64], stored: &[f64]) {
        for &(target, k, l, factor) in &self.quadratic {
            block[target as usize] += factor * stored[k as usize] * stored[l as usize];
        }
        for &(target, k, factor) in &self.linear {
            block[target as usize] += factor * stored[k as usize];
        }
    }
}

/// What an instance adds to Jᵀr for one parameter block of its list.
#[derive(Debug, Default)]
pub(super) struct SlotPattern {
    pub entries: Vec<JacobianEntry>,
}

impl SlotPattern {
    #[inline]
    pub fn add_to(&self, gradient: &mut [f64], residuals: &[f64], stored: &[f64]) {
        for entry in &self.entries {
            let derivative = entry.factor * entry.stored.map_or(1.0, |k| stored[k as usize]);
            gradient[entry.component as usize] += derivative * residuals[entry.residual as usize];
        }
    }
}

/// The patterns of a group.
#[derive(Debug)]
pub(super) struct GroupPattern {
    pub slots: Vec<SlotPattern>,
    /// Pair (row, column) at `row * slots + column`.
    pub pairs: Vec<PairPattern>,
}

impl GroupPattern {
    pub fn new(kernel: &Kernel) -> Self {
        let sizes = &kernel.program.block_sizes;
        let mut slots: Vec<SlotPattern> = sizes.iter().map(|_| SlotPattern::default()).collect();
        for entry in &kernel.linearization.entries {
            slots[entry.block as usize].entries.push(*entry);
        }
        let mut pairs = Vec::with_capacity(sizes.len() * sizes.len());
        for (row, &height) in slots.iter().zip(sizes) {
            for column in &slots {
                let mut terms = Vec::new();
                for left in &row.entries {
                    for right in column.entries.iter().filter(|right| right.residual == left.residual) {
                        terms.push(Term {
                            target: right.component * height + left.component,
                            factor: left.factor * right.factor,
                            left: left.stored,
                            right: right.stored,
                        });
                    }
                }
                pairs.push(PairPattern::new(terms));
            }
        }
        GroupPattern { slots, pairs }
    }

    pub fn pair(&self, row: usize, column: usize) -> &PairPattern {
        &self.pairs[row * self.slots.len() + column]
    }
}
