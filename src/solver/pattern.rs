//! What an instance of a group adds to JᵀJ and Jᵀr, worked out once from the group's linearization.

use crate::backend::Group;
use crate::kernel::Kernel;
use crate::problem::Evaluation;

/// A stored derivative on its way into the expanded Jacobian of an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expansion {
    /// Place in the expanded Jacobian.
    pub place: u32,
    /// Index among the stored numbers of the instance.
    pub stored: u32,
    pub factor: f64,
}

/// One term of Jᵀr: `gradient[component] += jacobian[place] · residuals[residual]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct GradientTerm {
    pub component: u32,
    pub place: u32,
    pub residual: u32,
}

/// A block of JᵀJ, for the parameter blocks `row` and `column` of an instance.
#[derive(Debug)]
pub(super) struct PairPattern {
    pub height: usize,
    pub width: usize,
    /// Places in the expanded Jacobian where a row of J begins for `row` and for `column`: the block is the sum of the outer
    /// products. Only rows with a stored number in one of the two are here.
    pub outer: Vec<(u32, u32)>,
    /// (entry, column-major; number) of the rows that never change.
    pub constant: Vec<(u32, f64)>,
}

impl PairPattern {
    pub fn is_zero(&self) -> bool {
        self.outer.is_empty() && self.constant.is_empty()
    }

    pub fn is_constant(&self) -> bool {
        self.outer.is_empty()
    }
}

/// The patterns of a group.
///
/// The Jacobian of an instance is expanded to a dense array, residual by residual and in it slot by slot, of which the constant
/// entries are written once and for all.
#[derive(Debug)]
pub(super) struct GroupPattern {
    /// The expanded Jacobian with its constant entries, and 0 elsewhere.
    pub template: Vec<f64>,
    pub expansions: Vec<Expansion>,
    /// Terms of Jᵀr for each parameter block of an instance.
    pub slots: Vec<Vec<GradientTerm>>,
    /// Pair (row, column) at `row * slots + column`.
    pub pairs: Vec<PairPattern>,
}

impl GroupPattern {
    pub fn new(kernel: &Kernel) -> Self {
        let sizes: Vec<usize> = kernel.program.block_sizes.iter().map(|&size| size as usize).collect();
        let starts: Vec<usize> = sizes.iter().scan(0, |end, &size| Some(std::mem::replace(end, *end + size))).collect();
        let width: usize = sizes.iter().sum();
        let residuals = kernel.residuals();
        let mut pattern = GroupPattern {
            template: vec![0.0; residuals * width],
            expansions: Vec::new(),
            slots: vec![Vec::new(); sizes.len()],
            pairs: Vec::new(),
        };
        // Whether a residual has entries in a slot, and stored ones among them.
        let (mut present, mut variable) = (vec![false; residuals * sizes.len()], vec![false; residuals * sizes.len()]);
        for entry in &kernel.linearization.entries {
            let (slot, residual) = (entry.block as usize, entry.residual as usize);
            let place = residual * width + starts[slot] + entry.component as usize;
            present[residual * sizes.len() + slot] = true;
            match entry.stored {
                None => pattern.template[place] = entry.factor,
                Some(stored) => {
                    variable[residual * sizes.len() + slot] = true;
                    pattern.expansions.push(Expansion { place: place as u32, stored, factor: entry.factor });
                }
            }
            let term = GradientTerm { component: entry.component, place: place as u32, residual: entry.residual };
            pattern.slots[slot].push(term);
        }
        for row in 0..sizes.len() {
            for column in 0..sizes.len() {
                let mut pair =
                    PairPattern { height: sizes[row], width: sizes[column], outer: Vec::new(), constant: Vec::new() };
                for residual in 0..residuals {
                    let at = |slot: usize| residual * sizes.len() + slot;
                    let (left, right) = (residual * width + starts[row], residual * width + starts[column]);
                    if !present[at(row)] || !present[at(column)] {
                        continue;
                    } else if variable[at(row)] || variable[at(column)] {
                        pair.outer.push((left as u32, right as u32));
                    } else {
                        pair.add_constant(&pattern.template[left..][..sizes[row]], &pattern.template[right..]);
                    }
                }
                pattern.pairs.push(pair);
            }
        }
        pattern
    }

    /// From one expanded instance to the next: all share one row where the Jacobian is constant.
    pub fn stride(&self) -> usize {
        if self.expansions.is_empty() { 0 } else { self.template.len() }
    }

    /// Rows for `count` expanded instances, with the constant entries written.
    pub fn prepare(&self, count: usize, rows: &mut Vec<f64>) {
        rows.clear();
        let copies = if self.expansions.is_empty() { 1 } else { count };
        (0..copies).for_each(|_| rows.extend_from_slice(&self.template));
    }

    /// Writes the variable entries of some instances.
    #[inline(always)]
    pub fn expand(&self, group: &Group, instances: &[u32], evaluation: &Evaluation, rows: &mut [f64]) {
        let width = group.kernel.stored();
        let stored = &evaluation.stored[group.stored.clone()];
        for expansion in &self.expansions {
            let (place, index, factor) = (expansion.place as usize, expansion.stored as usize, expansion.factor);
            for (row, &instance) in rows.chunks_exact_mut(self.template.len()).zip(instances) {
                row[place] = factor * stored[instance as usize * width + index];
            }
        }
    }

    pub fn pair(&self, row: usize, column: usize) -> &PairPattern {
        &self.pairs[row * self.slots.len() + column]
    }
}

impl PairPattern {
    fn add_constant(&mut self, left: &[f64], right: &[f64]) {
        for (j, b) in right[..self.width].iter().enumerate() {
            for (i, a) in left.iter().enumerate().filter(|(_, a)| **a != 0.0 && *b != 0.0) {
                let target = (j * self.height + i) as u32;
                match self.constant.iter_mut().find(|(t, _)| *t == target) {
                    Some((_, number)) => *number += a * b,
                    None => self.constant.push((target, a * b)),
                }
            }
        }
    }
}
