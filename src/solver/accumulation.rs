//! Who adds what to JᵀJ and Jᵀr.
//!
//! The block columns are dealt out in tasks of fixed size. A task owns the numbers of its columns and walks, in order, the
//! instances that touch them; an instance on the border of two tasks is walked by both, each adding its own part. Nothing is
//! locked, and the sums do not depend on the number of threads.

use super::pattern::{GradientTerm, GroupPattern, PairPattern};
use super::reduction::Reduction;
use crate::backend::Group;
use crate::linear::{BlockMatrix, BlockStructure};
use crate::problem::Evaluation;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Block columns a task owns: some hundred kilobytes of numbers, which fit the second-level cache.
const TASK: usize = 1024;

/// A target that another task owns, or a fixed block.
const ELSEWHERE: u32 = u32::MAX;

/// The instances of a group that a task walks.
#[derive(Debug, Default)]
struct Share {
    instances: Vec<u32>,
    /// For each pair that varies and each instance, where the block begins in the task's numbers.
    blocks: Vec<u32>,
    /// For each slot and each instance, where its part of the gradient begins in the task's.
    slots: Vec<u32>,
}

impl Share {
    /// From one row an instance, as planned, to one row a pair and a slot, as walked.
    fn transpose(&mut self) {
        let count = self.instances.len();
        for table in [&mut self.blocks, &mut self.slots] {
            let width = table.len().checked_div(count).unwrap_or(0);
            *table = (0..width).flat_map(|k| table.iter().skip(k).step_by(width)).copied().collect();
        }
        self.instances.shrink_to_fit();
    }
}

/// What one task owns and adds.
#[derive(Debug)]
struct Task {
    columns: Range<usize>,
    shares: Vec<Share>,
    /// Runs of numbers that vary, to be set to their constant part before anything is added.
    variable: Vec<Range<u32>>,
    /// The constant part of the runs; empty if it is zero.
    base: Vec<f64>,
}

/// The plan of a problem's accumulation.
#[derive(Debug)]
pub(super) struct Accumulation {
    tasks: Vec<Task>,
    patterns: Vec<GroupPattern>,
    /// For each group the pairs (p, q), p ≤ q, that vary.
    varying: Vec<Vec<(usize, usize)>>,
}

impl Accumulation {
    /// Makes the plan, and adds to `matrix` what is constant.
    pub fn new(groups: &[Group], patterns: Vec<GroupPattern>, reduction: &Reduction, matrix: &mut BlockMatrix) -> Self {
        let structure = matrix.structure().clone();
        let mut tasks: Vec<Task> = (0..structure.blocks())
            .step_by(TASK)
            .map(|first| Task {
                columns: first..(first + TASK).min(structure.blocks()),
                shares: groups.iter().map(|_| Share::default()).collect(),
                variable: Vec::new(),
                base: Vec::new(),
            })
            .collect();
        let mut varies = vec![false; structure.row_idx().len()];
        let varying: Vec<Vec<(usize, usize)>> = patterns.iter().map(varying_pairs).collect();
        for (index, (group, pattern)) in groups.iter().zip(&patterns).enumerate() {
            let mut planner = Planner { structure: &structure, matrix, varies: &mut varies, tasks: &mut tasks };
            planner.plan_group(index, group, pattern, &varying[index], reduction);
        }
        for task in &mut tasks {
            for share in &mut task.shares {
                share.transpose();
            }
            task.find_variable_runs(&structure, &varies, matrix);
        }
        Accumulation { tasks, patterns, varying }
    }

    /// Bytes of the plan.
    pub fn bytes(&self) -> usize {
        let share = |s: &Share| (s.instances.len() + s.blocks.len() + s.slots.len()) * size_of::<u32>();
        let task = |t: &Task| {
            t.shares.iter().map(share).sum::<usize>() + size_of_val(&t.variable[..]) + size_of_val(&t.base[..])
        };
        self.tasks.iter().map(task).sum()
    }

    /// Numbers of the matrix that vary.
    pub fn variable_numbers(&self) -> usize {
        self.tasks.iter().flat_map(|task| &task.variable).map(|run| run.len()).sum()
    }

    /// Fills the matrix and the gradient, on the threads of the present rayon pool.
    pub fn run(&self, groups: &[Group], evaluation: &Evaluation, matrix: &mut BlockMatrix, gradient: &mut [f64]) {
        let structure = matrix.structure().clone();
        let mut values = matrix.values.as_mut_slice();
        let mut gradient = gradient;
        let mut work = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            let (mine, rest) = values.split_at_mut(task.numbers(&structure).len());
            let scalars = structure.offsets()[task.columns.end] - structure.offsets()[task.columns.start];
            let (mine_too, rest_too) = gradient.split_at_mut(scalars);
            work.push((task, mine, mine_too));
            (values, gradient) = (rest, rest_too);
        }
        let run = |(task, values, gradient): (&Task, &mut [f64], &mut [f64])| {
            Arch::new().dispatch(TaskRun { plan: self, task, groups, evaluation, values, gradient });
        };
        if work.len() == 1 {
            work.into_iter().for_each(run);
        } else {
            work.into_par_iter().for_each(run);
        }
    }
}

/// One task at work; a struct for the reason that [`crate::backend::cpu`] gives.
struct TaskRun<'a> {
    plan: &'a Accumulation,
    task: &'a Task,
    groups: &'a [Group],
    evaluation: &'a Evaluation,
    values: &'a mut [f64],
    gradient: &'a mut [f64],
}

impl WithSimd for TaskRun<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let TaskRun { plan, task, groups, evaluation, values, gradient } = self;
        task.reset(values);
        gradient.fill(0.0);
        let mut rows = Vec::new();
        for (index, share) in task.shares.iter().enumerate() {
            let (group, pattern) = (&groups[index], &plan.patterns[index]);
            let count = share.instances.len();
            pattern.prepare(CHUNK.min(count), &mut rows);
            for first in (0..count).step_by(CHUNK) {
                let chunk = first..(first + CHUNK).min(count);
                let instances = &share.instances[chunk.clone()];
                pattern.expand(group, instances, evaluation, &mut rows);
                let rows = Rows { numbers: &rows, stride: pattern.stride() };
                for (k, &(p, q)) in plan.varying[index].iter().enumerate() {
                    let targets = &share.blocks[k * count..][chunk.clone()];
                    add_pair(pattern.pair(p, q), targets, 0, rows, values);
                    if p != q {
                        add_pair(pattern.pair(q, p), targets, TURNED, rows, values);
                    }
                }
                let residuals = Residuals {
                    numbers: &evaluation.residuals[group.rows.clone()],
                    width: group.kernel.residuals(),
                    instances,
                };
                for (slot, terms) in pattern.slots.iter().enumerate() {
                    let starts = &share.slots[slot * count..][chunk.clone()];
                    add_gradient(terms, starts, rows, residuals, gradient);
                }
            }
        }
    }
}

/// The expanded Jacobians of a chunk of instances.
#[derive(Clone, Copy)]
struct Rows<'a> {
    numbers: &'a [f64],
    /// From one instance to the next; 0 where the Jacobian is constant and one row serves all.
    stride: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn of(self, k: usize) -> &'a [f64] {
        &self.numbers[k * self.stride..]
    }
}

/// The residuals of a chunk of instances.
#[derive(Clone, Copy)]
struct Residuals<'a> {
    numbers: &'a [f64],
    width: usize,
    instances: &'a [u32],
}

/// Instances expanded at a time, so that their Jacobians stay in the first-level cache.
const CHUNK: usize = 64;

/// Set in a target whose block has the second parameter block of the pair as its row.
const TURNED: u32 = 1 << 31;

/// Adds a pair's outer products for those instances whose target is turned as `turn` says.
#[inline(always)]
fn add_pair(pair: &PairPattern, targets: &[u32], turn: u32, rows: Rows<'_>, values: &mut [f64]) {
    // The sizes of points, poses and cameras, unrolled.
    match (pair.height, pair.width) {
        (1, 1) => add_fixed::<1, 1, 1>(pair, targets, turn, rows, values),
        (3, 3) => add_fixed::<3, 3, 9>(pair, targets, turn, rows, values),
        (6, 6) => add_fixed::<6, 6, 36>(pair, targets, turn, rows, values),
        (9, 9) => add_fixed::<9, 9, 81>(pair, targets, turn, rows, values),
        (9, 3) => add_fixed::<9, 3, 27>(pair, targets, turn, rows, values),
        (3, 9) => add_fixed::<3, 9, 27>(pair, targets, turn, rows, values),
        (height, width) => {
            for (k, &target) in targets.iter().enumerate() {
                if target == ELSEWHERE || target & TURNED != turn {
                    continue;
                }
                let row = rows.of(k);
                let block = &mut values[(target & !TURNED) as usize..][..height * width];
                for &(left, right) in &pair.outer {
                    let left = &row[left as usize..][..height];
                    for (column, b) in block.chunks_exact_mut(height).zip(&row[right as usize..]) {
                        for (number, a) in column.iter_mut().zip(left) {
                            *number += a * b;
                        }
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn add_fixed<const H: usize, const W: usize, const N: usize>(
    pair: &PairPattern,
    targets: &[u32],
    turn: u32,
    rows: Rows<'_>,
    values: &mut [f64],
) {
    for &(left, right) in &pair.outer {
        for (k, &target) in targets.iter().enumerate() {
            if target == ELSEWHERE || target & TURNED != turn {
                continue;
            }
            let row = rows.of(k);
            let block = values[(target & !TURNED) as usize..].first_chunk_mut::<N>();
            let (a, b) = (row[left as usize..].first_chunk::<H>(), row[right as usize..].first_chunk::<W>());
            let (Some(block), Some(a), Some(b)) = (block, a, b) else { continue };
            for j in 0..W {
                for i in 0..H {
                    block[j * H + i] += a[i] * b[j];
                }
            }
        }
    }
}

/// Adds a slot's terms of Jᵀr.
#[inline(always)]
fn add_gradient(
    terms: &[GradientTerm],
    starts: &[u32],
    rows: Rows<'_>,
    residuals: Residuals<'_>,
    gradient: &mut [f64],
) {
    // A vector of one residual, and a vector of as many: unrolled.
    match *terms {
        [a, b, c] => add_terms([a, b, c], starts, rows, residuals, gradient),
        _ => terms.iter().for_each(|&term| add_terms([term], starts, rows, residuals, gradient)),
    }
}

#[inline(always)]
fn add_terms<const T: usize>(
    terms: [GradientTerm; T],
    starts: &[u32],
    rows: Rows<'_>,
    residuals: Residuals<'_>,
    gradient: &mut [f64],
) {
    for (k, (&start, &instance)) in starts.iter().zip(residuals.instances).enumerate() {
        if start == ELSEWHERE {
            continue;
        }
        let (row, residual) = (rows.of(k), &residuals.numbers[instance as usize * residuals.width..]);
        let gradient = &mut gradient[start as usize..];
        for term in terms {
            gradient[term.component as usize] += row[term.place as usize] * residual[term.residual as usize];
        }
    }
}

fn varying_pairs(pattern: &GroupPattern) -> Vec<(usize, usize)> {
    let slots = pattern.slots.len();
    let pairs = (0..slots).flat_map(|p| (p..slots).map(move |q| (p, q)));
    pairs.filter(|&(p, q)| !pattern.pair(p, q).is_constant()).collect()
}

impl Task {
    /// The numbers of the matrix that the task owns.
    fn numbers(&self, structure: &BlockStructure) -> Range<usize> {
        let (col_ptr, value_ptr) = (structure.col_ptr(), structure.value_ptr());
        value_ptr[col_ptr[self.columns.start]]..value_ptr[col_ptr[self.columns.end]]
    }

    /// Sets what varies to its constant part.
    fn reset(&self, values: &mut [f64]) {
        let mut base = self.base.as_slice();
        for run in &self.variable {
            let run = &mut values[run.start as usize..run.end as usize];
            if self.base.is_empty() {
                run.fill(0.0);
            } else {
                let (head, tail) = base.split_at(run.len());
                run.copy_from_slice(head);
                base = tail;
            }
        }
    }

    fn find_variable_runs(&mut self, structure: &BlockStructure, varies: &[bool], matrix: &BlockMatrix) {
        let first = self.numbers(structure).start;
        let positions = structure.col_ptr()[self.columns.start]..structure.col_ptr()[self.columns.end];
        for position in positions.filter(|&position| varies[position]) {
            let start = (structure.value_ptr()[position] - first) as u32;
            let end = (structure.value_ptr()[position + 1] - first) as u32;
            match self.variable.last_mut() {
                Some(run) if run.end == start => run.end = end,
                _ => self.variable.push(start..end),
            }
            self.base.extend_from_slice(matrix.block(position));
        }
        if self.base.iter().all(|&number| number == 0.0) {
            self.base = Vec::new();
        }
    }
}

/// Deals the instances of a group out to the tasks.
struct Planner<'a> {
    structure: &'a BlockStructure,
    matrix: &'a mut BlockMatrix,
    varies: &'a mut [bool],
    tasks: &'a mut [Task],
}

impl Planner<'_> {
    fn plan_group(
        &mut self,
        index: usize,
        group: &Group,
        pattern: &GroupPattern,
        varying: &[(usize, usize)],
        reduction: &Reduction,
    ) {
        let slots = pattern.slots.len();
        let mut blocks: Vec<Option<u32>> = vec![None; slots];
        let mut targets: Vec<Option<(usize, u32)>> = vec![None; varying.len()];
        let mut owners: Vec<usize> = Vec::with_capacity(slots);
        for instance in 0..group.table.count {
            owners.clear();
            for (slot, block) in blocks.iter_mut().enumerate() {
                *block = reduction.block(group, slot, instance);
                if let Some(block) = *block {
                    let owner = block as usize / TASK;
                    if !owners.contains(&owner) {
                        owners.push(owner);
                    }
                }
            }
            self.add_constants(pattern, &blocks);
            for (target, &(p, q)) in targets.iter_mut().zip(varying) {
                *target = self.target(blocks[p], blocks[q]);
            }
            for &owner in &owners {
                let task = &mut self.tasks[owner];
                let share = &mut task.shares[index];
                share.instances.push(instance as u32);
                let mine = |target: &Option<(usize, u32)>| match target {
                    Some((task, start)) if *task == owner => *start,
                    _ => ELSEWHERE,
                };
                share.blocks.extend(targets.iter().map(mine));
                let first = self.structure.offsets()[task.columns.start];
                share.slots.extend(blocks.iter().zip(&pattern.slots).map(|(block, terms)| match block {
                    Some(block) if *block as usize / TASK == owner && !terms.is_empty() => {
                        (self.structure.offsets()[*block as usize] - first) as u32
                    }
                    _ => ELSEWHERE,
                }));
            }
        }
    }

    /// The task and the place in it of the block of JᵀJ for two parameter blocks.
    fn target(&mut self, p: Option<u32>, q: Option<u32>) -> Option<(usize, u32)> {
        let (p, q) = (p?, q?);
        let (row, column) = (p.max(q) as usize, p.min(q) as usize);
        let position = self.structure.find(row, column)?;
        self.varies[position] = true;
        let owner = column / TASK;
        let start = (self.structure.value_ptr()[position] - self.tasks[owner].numbers(self.structure).start) as u32;
        Some((owner, if p >= q { start } else { start | TURNED }))
    }

    fn add_constants(&mut self, pattern: &GroupPattern, blocks: &[Option<u32>]) {
        for p in 0..blocks.len() {
            for q in p..blocks.len() {
                let (Some(block_p), Some(block_q)) = (blocks[p], blocks[q]) else { continue };
                let (row, column, pair) = if block_p >= block_q {
                    (block_p, block_q, pattern.pair(p, q))
                } else {
                    (block_q, block_p, pattern.pair(q, p))
                };
                if pair.constant.is_empty() {
                    continue;
                }
                if let Some(position) = self.structure.find(row as usize, column as usize) {
                    let block = self.matrix.block_mut(position);
                    pair.constant.iter().for_each(|&(target, number)| block[target as usize] += number);
                }
            }
        }
    }
}
