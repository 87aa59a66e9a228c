//! Deals the sums that make up JᵀJ and Jᵀr out to the tasks that carry them out.

use super::accumulation::{BlockSums, Task, TermSums};
use super::contribution::{Contribution, Signed};
use super::reduction::Reduction;
use super::sums::{Bases, Sign, Sums};
use crate::backend::Group;
use crate::linear::{BlockMatrix, BlockStructure};

/// Most block columns a task owns: their numbers fit the second-level cache.
const TASK: usize = 1024;
/// A task that has so many slots of instances to sum over gets no more columns: a camera may be in thousands of residuals.
const TASK_SLOTS: usize = 1 << 15;

/// The tasks, and how many numbers of the matrix vary; adds to `matrix` what is constant.
pub(super) fn plan(
    groups: &[Group],
    contributions: &[Contribution],
    reduction: &Reduction,
    matrix: &mut BlockMatrix,
) -> (Vec<Task>, usize) {
    let structure = matrix.structure().clone();
    let task_of = task_of(groups, reduction, structure.blocks());
    let mut tasks: Vec<Task> = Vec::new();
    for (column, &task) in task_of.iter().enumerate() {
        if task as usize == tasks.len() {
            let columns = column..column;
            tasks.push(Task { columns, numbers: 0..0, resets: Vec::new(), blocks: Vec::new(), gradient: Vec::new() });
        }
        tasks[task as usize].columns.end = column + 1;
    }
    let mut seen = vec![false; structure.row_idx().len()];
    for (index, (group, contribution)) in groups.iter().zip(contributions).enumerate() {
        let mut dealer = Dealer::new(&structure, contribution, &task_of, tasks.len());
        dealer.deal(group, contribution, reduction, matrix);
        dealer.hand_out(index, &mut tasks, &mut seen);
    }
    let mut begun = vec![false; seen.len()];
    let mut start = 0;
    for task in &mut tasks {
        let positions = structure.col_ptr()[task.columns.start]..structure.col_ptr()[task.columns.end];
        let varying = positions.filter(|&position| seen[position]);
        task.numbers = start..start + varying.map(|position| structure.values(position).len()).sum::<usize>();
        start = task.numbers.end;
        task.find_bases(&structure, &seen, &mut begun, matrix);
    }
    (tasks, start)
}

/// Whether anything varies at each position of a structure, by the same rule as the plan.
pub(super) fn varying(
    groups: &[Group],
    contributions: &[Contribution],
    reduction: &Reduction,
    structure: &BlockStructure,
) -> Vec<bool> {
    let mut varying = vec![false; structure.row_idx().len()];
    for (group, contribution) in groups.iter().zip(contributions) {
        for (p, q) in varying_pairs(contribution) {
            for instance in 0..group.table.count {
                let blocks = (reduction.block(group, p, instance), reduction.block(group, q, instance));
                let (Some(a), Some(b)) = blocks else { continue };
                let (row, column) = (a.max(b) as usize, a.min(b) as usize);
                let position = structure.find(row, column).expect("coupled blocks are in the structure");
                varying[position] = true;
            }
        }
    }
    varying
}

/// Pairs of slots p ≤ q of an instance with a varying term in JᵀJ.
fn varying_pairs(contribution: &Contribution) -> impl Iterator<Item = (usize, usize)> {
    let slots = contribution.gradient.len();
    let pairs = (0..slots).flat_map(move |p| (p..slots).map(move |q| (p, q)));
    pairs.filter(|&(p, q)| contribution.pair(p, q).varying.is_some())
}

/// The task of each block column.
fn task_of(groups: &[Group], reduction: &Reduction, columns: usize) -> Vec<u32> {
    let mut slots = vec![0usize; columns];
    for group in groups {
        for slot in 0..group.table.blocks.len() {
            let blocks = (0..group.table.count).filter_map(|instance| reduction.block(group, slot, instance));
            blocks.for_each(|block| slots[block as usize] += 1);
        }
    }
    let (mut task, mut width, mut work) = (0, 0, 0);
    let place = |slots: usize| {
        if width == TASK || work >= TASK_SLOTS {
            (task, width, work) = (task + 1, 0, 0);
        }
        (width, work) = (width + 1, work + slots);
        task
    };
    slots.into_iter().map(place).collect()
}

/// (target, source) pairs of a sum, packed so that sorting them brings the sources of a target together and in order.
type Pairs = Vec<u64>;

/// Deals out the instances of one group.
struct Dealer<'a> {
    structure: &'a BlockStructure,
    task_of: &'a [u32],
    /// Pairs of free slots of an instance with a term in JᵀJ.
    varying: Vec<(usize, usize)>,
    /// Whether a term of JᵀJ is for a diagonal block or another, by twice its index; sums of both kinds are kept apart,
    /// since they differ in length.
    blocks: Vec<Vec<Pairs>>,
    gradient: Vec<Vec<Pairs>>,
}

impl<'a> Dealer<'a> {
    fn new(structure: &'a BlockStructure, contribution: &Contribution, task_of: &'a [u32], tasks: usize) -> Self {
        let varying = varying_pairs(contribution).collect();
        let terms = contribution.terms.len();
        let blocks = vec![vec![Pairs::new(); tasks]; 2 * terms];
        Dealer { structure, task_of, varying, blocks, gradient: vec![vec![Pairs::new(); tasks]; terms] }
    }

    fn deal(&mut self, group: &Group, contribution: &Contribution, reduction: &Reduction, matrix: &mut BlockMatrix) {
        let mut blocks: Vec<Option<u32>> = vec![None; contribution.gradient.len()];
        for instance in 0..group.table.count {
            for (slot, block) in blocks.iter_mut().enumerate() {
                *block = reduction.block(group, slot, instance);
            }
            add_constants(contribution, &blocks, matrix);
            for &(p, q) in &self.varying {
                let (Some(block_p), Some(block_q)) = (blocks[p], blocks[q]) else { continue };
                let (row, column, pair) = if block_p >= block_q {
                    (block_p as usize, block_q as usize, contribution.pair(p, q))
                } else {
                    (block_q as usize, block_p as usize, contribution.pair(q, p))
                };
                let (Some(term), Some(position)) = (pair.varying, self.structure.find(row, column)) else { continue };
                let kind = 2 * term.term + usize::from(row == column);
                self.blocks[kind][self.task_of[column] as usize].push(pack(position, instance, term));
            }
            for (block, term) in blocks.iter().zip(&contribution.gradient) {
                let (Some(block), Some(term)) = (*block, *term) else { continue };
                self.gradient[term.term][self.task_of[block as usize] as usize].push(pack(
                    block as usize,
                    instance,
                    term,
                ));
            }
        }
    }

    /// Gives each task its sums. Block targets are positions in the structure until the bases are found.
    fn hand_out(self, group: usize, tasks: &mut [Task], seen: &mut [bool]) {
        for (kind, shares) in self.blocks.into_iter().enumerate() {
            for (task, pairs) in tasks.iter_mut().zip(shares).filter(|(_, pairs)| !pairs.is_empty()) {
                let sums = sums(pairs);
                let first = sums.targets.iter().all(|&position| !seen[position as usize]);
                sums.targets.iter().for_each(|&position| seen[position as usize] = true);
                task.blocks.push(BlockSums {
                    term: TermSums { group, term: kind / 2, sums },
                    first,
                    bases: Bases::Zero,
                });
            }
        }
        for (term, shares) in self.gradient.into_iter().enumerate() {
            for (task, pairs) in tasks.iter_mut().zip(shares).filter(|(_, pairs)| !pairs.is_empty()) {
                let mut sums = sums(pairs);
                let offsets = self.structure.offsets();
                let first = offsets[task.columns.start];
                sums.targets.iter_mut().for_each(|target| *target = (offsets[*target as usize] - first) as u32);
                task.gradient.push(TermSums { group, term, sums });
            }
        }
    }
}

fn pack(target: usize, instance: usize, term: Signed) -> u64 {
    (target as u64) << 32 | (instance as u64) << 1 | u64::from(term.negative)
}

fn sums(mut pairs: Pairs) -> Sums {
    pairs.sort_unstable();
    let (targets, ends, sources) = (Vec::new(), Vec::new(), Vec::with_capacity(pairs.len()));
    let mut sums = Sums { targets, ends, sources, sign: Sign::Mixed };
    for pairs in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
        sums.sources.extend(pairs.iter().map(|&pair| pair as u32));
        sums.targets.push((pairs[0] >> 32) as u32);
        sums.ends.push(sums.sources.len() as u32);
    }
    sums.sign = Sign::of(&sums.sources);
    sums.targets.shrink_to_fit();
    sums.ends.shrink_to_fit();
    sums
}

fn add_constants(contribution: &Contribution, blocks: &[Option<u32>], matrix: &mut BlockMatrix) {
    for p in 0..blocks.len() {
        for q in p..blocks.len() {
            let (Some(block_p), Some(block_q)) = (blocks[p], blocks[q]) else { continue };
            let (row, column, pair) = if block_p >= block_q {
                (block_p, block_q, contribution.pair(p, q))
            } else {
                (block_q, block_p, contribution.pair(q, p))
            };
            if pair.constant.is_empty() {
                continue;
            }
            if let Some(position) = matrix.structure().find(row as usize, column as usize) {
                let block = matrix.block_mut(position);
                pair.constant.iter().for_each(|&(entry, number)| block[entry as usize] += number);
            }
        }
    }
}

impl Task {
    /// Notes the constant part of every block that varies, and turns positions into places among the task's numbers.
    fn find_bases(&mut self, structure: &BlockStructure, seen: &[bool], begun: &mut [bool], matrix: &BlockMatrix) {
        let start = self.numbers.start;
        let place = |position: u32| (structure.values(position as usize).start - start) as u32;
        for BlockSums { term, first, bases } in &mut self.blocks {
            if *first {
                let positions = term.sums.targets.iter().map(|&position| position as usize);
                positions.clone().for_each(|position| begun[position] = true);
                *bases = Bases::new(positions.map(|position| matrix.block(position)));
            }
        }
        for position in structure.col_ptr()[self.columns.start]..structure.col_ptr()[self.columns.end] {
            if seen[position] && !begun[position] {
                let base = matrix.block(position);
                let first = place(position as u32);
                self.resets.push((first..first + base.len() as u32, base.to_vec()));
            }
        }
        for BlockSums { term, .. } in &mut self.blocks {
            term.sums.targets.iter_mut().for_each(|target| *target = place(*target));
        }
    }
}
