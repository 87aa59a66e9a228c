//! JᵀJ and Jᵀr over the free parameters: structure built once, numbers refilled in place.
//!
//! Each block of JᵀJ and of Jᵀr is gathered from the instances that touch it, in a fixed order, by one thread: results do not
//! depend on the number of threads, and nothing is locked. Blocks that only constant derivatives contribute to are filled once
//! and never touched again.

use super::pattern::GroupPattern;
use crate::backend::Group;
use crate::linear::{BlockMatrix, BlockStructure, LinearError};
use crate::problem::{CompiledProblem, Evaluation, Parameters};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

const FIXED: u32 = u32::MAX;

/// The instance behind a term of a sum, and the pattern it adds.
#[derive(Debug, Clone, Copy)]
struct Contribution {
    /// Index among the patterns of the groups, one after the other.
    pattern: u32,
    instance: u32,
}

/// Normal equations of a compiled problem.
pub struct NormalEquations {
    /// JᵀJ over the free blocks, without damping.
    pub matrix: BlockMatrix,
    /// Jᵀr.
    pub gradient: Vec<f64>,
    /// Index of the first component of each free block in the parameter vector.
    starts: Vec<usize>,
    patterns: Vec<GroupPattern>,
    /// Blocks of the matrix with variable terms, ascending, and where their contributions begin.
    variable: Vec<u32>,
    variable_ends: Vec<u32>,
    contributions: Vec<Contribution>,
    /// Constant part of the variable blocks, one after the other; empty if there is none.
    base: Vec<f64>,
    /// Contributions to each block of the gradient.
    slot_ends: Vec<u32>,
    slot_contributions: Vec<Contribution>,
    /// Fixed components of blocks that are otherwise free, as scalar indices of the reduced system.
    held: Vec<usize>,
}

/// Blocks a parallel task fills.
const TASK: usize = 2048;

impl NormalEquations {
    /// Works out the structure for the blocks of `parameters` that are not fixed.
    ///
    /// # Errors
    /// [`LinearError::TooLarge`] past 2³² blocks.
    pub fn new(problem: &CompiledProblem, parameters: &Parameters) -> Result<Self, LinearError> {
        let reduction = Reduction::new(parameters);
        let patterns: Vec<GroupPattern> = problem.groups.iter().map(|group| GroupPattern::new(&group.kernel)).collect();
        let pairs = problem.groups.iter().zip(&patterns).flat_map(|(group, pattern)| reduction.pairs(group, pattern));
        let structure = Arc::new(BlockStructure::from_pairs(&reduction.sizes, pairs)?);
        let held = reduction.held(parameters, &structure);
        let mut equations = NormalEquations {
            gradient: vec![0.0; structure.scalars()],
            matrix: BlockMatrix::zeros(structure),
            starts: reduction.starts.clone(),
            patterns,
            variable: Vec::new(),
            variable_ends: Vec::new(),
            contributions: Vec::new(),
            base: Vec::new(),
            slot_ends: Vec::new(),
            slot_contributions: Vec::new(),
            held,
        };
        equations.plan_matrix(&problem.groups, &reduction);
        equations.plan_gradient(&problem.groups, &reduction);
        equations.hold();
        Ok(equations)
    }

    /// Number of free scalar parameters, held components included.
    pub fn scalars(&self) -> usize {
        self.gradient.len()
    }

    /// Bytes of structure, numbers and plan.
    pub fn bytes(&self) -> usize {
        let contributions = self.contributions.len() + self.slot_contributions.len();
        self.matrix.memory_bytes()
            + contributions * size_of::<Contribution>()
            + (self.variable.len() + self.variable_ends.len() + self.slot_ends.len()) * size_of::<u32>()
            + (self.base.len() + self.gradient.len()) * size_of::<f64>()
    }

    /// Bytes that [`NormalEquations::refill`] cannot but touch: the variable blocks and the constants they start from, the
    /// gradient, residuals and stored Jacobian, and the plan.
    pub fn refill_bytes(&self, problem: &CompiledProblem) -> usize {
        let value_ptr = self.matrix.structure().value_ptr();
        let variable = self.variable.iter().map(|&k| value_ptr[k as usize + 1] - value_ptr[k as usize]).sum::<usize>();
        let numbers = variable + self.base.len() + self.gradient.len() + problem.residuals() + problem.stored();
        let contributions = self.contributions.len() + self.slot_contributions.len();
        numbers * size_of::<f64>()
            + contributions * size_of::<Contribution>()
            + (self.variable.len() + self.variable_ends.len() + self.slot_ends.len()) * size_of::<u32>()
    }

    /// Finds the contributions to each block; what is constant goes into the matrix or the base right away.
    fn plan_matrix(&mut self, groups: &[Group], reduction: &Reduction) {
        let structure = self.matrix.structure().clone();
        let mut counts = vec![0u32; structure.row_idx().len()];
        let mut found: Vec<(u32, Contribution)> = Vec::new();
        let mut first_pattern = 0;
        for (group, pattern) in groups.iter().zip(&self.patterns) {
            let slots = pattern.slots.len();
            for instance in 0..group.table.count {
                for p in 0..slots {
                    let Some(block_p) = reduction.block(group, p, instance) else { continue };
                    for q in p..slots {
                        let Some(block_q) = reduction.block(group, q, instance) else { continue };
                        let (row, column, index) = if block_p >= block_q {
                            (block_p, block_q, p * slots + q)
                        } else {
                            (block_q, block_p, q * slots + p)
                        };
                        let pair = &pattern.pairs[index];
                        if pair.is_zero() {
                            continue;
                        }
                        let Some(position) = structure.find(row as usize, column as usize) else { continue };
                        let block = self.matrix.block_mut(position);
                        pair.constant.iter().for_each(|&(target, number)| block[target as usize] += number);
                        if !pair.is_constant() {
                            counts[position] += 1;
                            let pattern = (first_pattern + index) as u32;
                            found.push((position as u32, Contribution { pattern, instance: instance as u32 }));
                        }
                    }
                }
            }
            first_pattern += pattern.pairs.len();
        }

        // Counting sort by block; within a block the order of the walk above stays.
        let mut next = vec![0u32; counts.len()];
        let mut end = 0;
        for (position, &count) in counts.iter().enumerate().filter(|&(_, &count)| count > 0) {
            self.variable.push(position as u32);
            next[position] = end;
            end += count;
            self.variable_ends.push(end);
        }
        self.contributions = vec![Contribution { pattern: 0, instance: 0 }; found.len()];
        for (position, contribution) in found {
            let slot = &mut next[position as usize];
            self.contributions[*slot as usize] = contribution;
            *slot += 1;
        }
        let constants = self.variable.iter().flat_map(|&position| self.matrix.block(position as usize));
        let base: Vec<f64> = constants.copied().collect();
        if base.iter().any(|&number| number != 0.0) {
            self.base = base;
        }
    }

    fn plan_gradient(&mut self, groups: &[Group], reduction: &Reduction) {
        let mut counts = vec![0u32; self.starts.len() + 1];
        let each = |visit: &mut dyn FnMut(usize, Contribution)| {
            let mut first_pattern = 0;
            for (group, pattern) in groups.iter().zip(&self.patterns) {
                for (slot, _) in pattern.slots.iter().enumerate().filter(|(_, slot)| !slot.entries.is_empty()) {
                    for instance in 0..group.table.count {
                        if let Some(block) = reduction.block(group, slot, instance) {
                            let pattern = (first_pattern + slot) as u32;
                            visit(block as usize, Contribution { pattern, instance: instance as u32 });
                        }
                    }
                }
                first_pattern += pattern.slots.len();
            }
        };
        each(&mut |block, _| counts[block + 1] += 1);
        for block in 0..self.starts.len() {
            counts[block + 1] += counts[block];
        }
        let mut next = counts[..self.starts.len()].to_vec();
        let mut contributions = vec![Contribution { pattern: 0, instance: 0 }; counts[self.starts.len()] as usize];
        each(&mut |block, contribution| {
            contributions[next[block] as usize] = contribution;
            next[block] += 1;
        });
        self.slot_ends = counts.split_off(1);
        self.slot_contributions = contributions;
    }

    /// Fills JᵀJ and Jᵀr from residuals and Jacobian, on the threads of the present rayon pool.
    pub fn refill(&mut self, problem: &CompiledProblem, evaluation: &Evaluation) {
        self.refill_matrix(&problem.groups, evaluation);
        self.refill_gradient(&problem.groups, evaluation);
        self.hold();
    }

    fn refill_matrix(&mut self, groups: &[Group], evaluation: &Evaluation) {
        let patterns = flat(groups, &self.patterns, |pattern| pattern.pairs.as_slice());
        let value_ptr = self.matrix.structure().clone();
        let value_ptr = value_ptr.value_ptr();
        // Task k fills the variable blocks k·TASK.. : its values begin at the first of them.
        let mut tasks = Vec::with_capacity(self.variable.len() / TASK + 1);
        let mut rest = self.matrix.values.as_mut_slice();
        let mut base = self.base.as_slice();
        let mut taken = 0;
        for first in (0..self.variable.len()).step_by(TASK) {
            let blocks = &self.variable[first..(first + TASK).min(self.variable.len())];
            let end = value_ptr[blocks[blocks.len() - 1] as usize + 1];
            let (values, tail) = rest.split_at_mut(end - taken);
            let numbers: usize = blocks.iter().map(|&b| value_ptr[b as usize + 1] - value_ptr[b as usize]).sum();
            let (task_base, base_tail) = base.split_at(numbers.min(base.len()));
            tasks.push((first, blocks, taken, values, task_base));
            (rest, base, taken) = (tail, base_tail, end);
        }
        let (ends, contributions) = (&self.variable_ends, &self.contributions);
        tasks.into_par_iter().for_each(|(first, blocks, offset, values, base)| {
            let mut based = 0;
            for (k, &position) in blocks.iter().enumerate() {
                let position = position as usize;
                let block = &mut values[value_ptr[position] - offset..value_ptr[position + 1] - offset];
                if base.is_empty() {
                    block.fill(0.0);
                } else {
                    block.copy_from_slice(&base[based..based + block.len()]);
                    based += block.len();
                }
                for contribution in &contributions[range(ends, first + k)] {
                    let (group, pattern) = patterns[contribution.pattern as usize];
                    pattern.add_to(block, stored(group, contribution.instance, evaluation));
                }
            }
        });
    }

    fn refill_gradient(&mut self, groups: &[Group], evaluation: &Evaluation) {
        let patterns = flat(groups, &self.patterns, |pattern| pattern.slots.as_slice());
        let structure = self.matrix.structure().clone();
        let offsets = structure.offsets();
        let mut tasks = Vec::with_capacity(self.starts.len() / TASK + 1);
        let mut rest = self.gradient.as_mut_slice();
        for first in (0..self.starts.len()).step_by(TASK) {
            let last = (first + TASK).min(self.starts.len());
            let (head, tail) = rest.split_at_mut(offsets[last] - offsets[first]);
            tasks.push((first..last, head));
            rest = tail;
        }
        let (ends, contributions) = (&self.slot_ends, &self.slot_contributions);
        tasks.into_par_iter().for_each(|(blocks, gradient)| {
            gradient.fill(0.0);
            let begin = offsets[blocks.start];
            for block in blocks {
                let gradient = &mut gradient[offsets[block] - begin..offsets[block + 1] - begin];
                for contribution in &contributions[range(ends, block)] {
                    let (group, pattern) = patterns[contribution.pattern as usize];
                    let width = group.kernel.residuals();
                    let residuals = &evaluation.residuals[group.rows.start + contribution.instance as usize * width..];
                    pattern.add_to(gradient, residuals, stored(group, contribution.instance, evaluation));
                }
            }
        });
    }

    /// Turns the rows and columns of held components into those of the identity, and their gradient into 0.
    fn hold(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let structure = self.matrix.structure().clone();
        let offsets = structure.offsets();
        let mut held = vec![false; self.gradient.len()];
        for &scalar in &self.held {
            held[scalar] = true;
            self.gradient[scalar] = 0.0;
        }
        for column in 0..structure.blocks() {
            for position in structure.col_ptr()[column]..structure.col_ptr()[column + 1] {
                let row = structure.row_idx()[position] as usize;
                let (height, width) = (structure.size(row), structure.size(column));
                let block = self.matrix.block_mut(position);
                for (k, number) in block.iter_mut().enumerate().take(height * width) {
                    let (i, j) = (offsets[row] + k % height, offsets[column] + k / height);
                    if held[i] || held[j] {
                        *number = if i == j { 1.0 } else { 0.0 };
                    }
                }
            }
        }
    }

    /// Copies the free parameters out of `x`.
    pub fn gather(&self, x: &[f64]) -> Vec<f64> {
        self.blocks().flat_map(|(reduced, start)| &x[start..start + reduced.len()]).copied().collect()
    }

    /// `target = x + step` on the free parameters.
    pub fn step_to(&self, x: &[f64], step: &[f64], target: &mut [f64]) {
        target.copy_from_slice(x);
        for (reduced, start) in self.blocks() {
            for (number, delta) in target[start..start + reduced.len()].iter_mut().zip(&step[reduced]) {
                *number += delta;
            }
        }
    }

    /// A step over all parameters, 0 where they are fixed.
    pub fn scatter(&self, step: &[f64], target: &mut [f64]) {
        target.fill(0.0);
        for (reduced, start) in self.blocks() {
            target[start..start + reduced.len()].copy_from_slice(&step[reduced]);
        }
    }

    /// Whether a scalar of the reduced system is a fixed component.
    pub(super) fn is_held(&self, scalar: usize) -> bool {
        self.held.contains(&scalar)
    }

    /// Number of scalar parameters that may move.
    pub(super) fn free_scalars(&self) -> usize {
        self.gradient.len() - self.held.len()
    }

    /// For each free block its scalars in the reduced system and its start in the parameter vector.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let offsets = self.matrix.structure().offsets();
        self.starts.iter().enumerate().map(|(block, &start)| (offsets[block]..offsets[block + 1], start))
    }
}

/// One kind of patterns of all groups in one list, each with its group.
fn flat<'a, P>(
    groups: &'a [Group],
    patterns: &'a [GroupPattern],
    list: impl Fn(&'a GroupPattern) -> &'a [P],
) -> Vec<(&'a Group, &'a P)> {
    groups.iter().zip(patterns).flat_map(|(group, pattern)| list(pattern).iter().map(move |p| (group, p))).collect()
}

fn range(ends: &[u32], k: usize) -> Range<usize> {
    let start = if k == 0 { 0 } else { ends[k - 1] as usize };
    start..ends[k] as usize
}

fn stored<'e>(group: &Group, instance: u32, evaluation: &'e Evaluation) -> &'e [f64] {
    let width = group.kernel.stored();
    &evaluation.stored[group.stored.start + instance as usize * width..][..width]
}

/// The free blocks, numbered without the fixed ones.
struct Reduction {
    /// Number of the free block at each scalar of the parameter vector.
    numbers: Vec<u32>,
    sizes: Vec<usize>,
    starts: Vec<usize>,
}

impl Reduction {
    fn new(parameters: &Parameters) -> Self {
        let mut reduction = Reduction { numbers: Vec::new(), sizes: Vec::new(), starts: Vec::new() };
        reduction.numbers.resize(parameters.values().len(), FIXED);
        for block in (0..parameters.blocks()).filter(|&block| !parameters.is_fixed(block)) {
            let start = parameters.offsets()[block] as usize;
            reduction.numbers[start] = reduction.sizes.len() as u32;
            reduction.sizes.push(parameters.size(block));
            reduction.starts.push(start);
        }
        reduction
    }

    /// The free block in place `slot` of an instance.
    fn block(&self, group: &Group, slot: usize, instance: usize) -> Option<u32> {
        let number = self.numbers[group.table.blocks[slot][instance] as usize];
        (number != FIXED).then_some(number)
    }

    /// The pairs of free blocks that the instances of a group couple.
    fn pairs<'a>(
        &'a self,
        group: &'a Group,
        pattern: &'a GroupPattern,
    ) -> impl Iterator<Item = (u32, u32)> + Clone + 'a {
        let slots = pattern.slots.len();
        let coupled = (0..slots).flat_map(move |p| (p + 1..slots).map(move |q| (p, q)));
        let coupled = coupled.filter(move |&(p, q)| !pattern.pair(p, q).is_zero());
        coupled.flat_map(move |(p, q)| {
            (0..group.table.count).filter_map(move |i| Some((self.block(group, p, i)?, self.block(group, q, i)?)))
        })
    }

    fn held(&self, parameters: &Parameters, structure: &BlockStructure) -> Vec<usize> {
        let mut held = Vec::new();
        for block in 0..parameters.blocks() {
            let number = self.numbers[parameters.offsets()[block] as usize];
            if let Some(flags) = parameters.fixed(block).filter(|_| number != FIXED) {
                let first = structure.offsets()[number as usize];
                held.extend((0..flags.len()).filter(|&k| flags[k]).map(|k| first + k));
            }
        }
        held
    }
}
