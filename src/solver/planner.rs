//! Deals the sums that make up JᵀJ and Jᵀr out to the tasks that carry them out.

use super::accumulation::{GroupPass, Task};
use super::columns::{AGAIN, Begin, COPIES, INSTANCE, NEGATIVE, Pass, Step, Targets, Weighted};
use super::contribution::{Contribution, Own};
use super::reduction::Reduction;
use crate::backend::Group;
use crate::linear::{BlockMatrix, BlockStructure};
use std::ops::Range;

/// Most block columns a task owns: their numbers fit the second-level cache.
const TASK: usize = 1024;
/// A task that has so many slots of instances to sum over gets no more columns: a camera may be in thousands of residuals.
pub(super) const TASK_SLOTS: usize = 1 << 15;

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
            tasks.push(Task::new(column));
        }
        tasks[task as usize].columns.end = column + 1;
    }
    let mut weighted = vec![Pairs::new(); tasks.len()];
    for (index, (group, contribution)) in groups.iter().zip(contributions).enumerate() {
        let mut dealer = Dealer::new(&structure, contribution, &task_of, tasks.len());
        dealer.deal(group, reduction, matrix, &mut weighted);
        dealer.hand_out(index, &mut tasks);
    }
    for (task, sources) in tasks.iter_mut().zip(weighted) {
        task.weigh(&sources);
    }
    let mut begun = vec![false; structure.row_idx().len()];
    let mut start = 0;
    for task in &mut tasks {
        task.begin(contributions, &structure, start, &mut begun, matrix);
        start = task.numbers.end;
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

/// Pairs of slots p ≤ q of an instance whose block of JᵀJ is not constant.
fn varying_pairs(contribution: &Contribution) -> impl Iterator<Item = (usize, usize)> {
    let slots = contribution.slots.len();
    let pairs = (0..slots).flat_map(move |p| (p..slots).map(move |q| (p, q)));
    pairs.filter(|&(p, q)| {
        let own = matches!(contribution.slots[p].own, Own::Share { .. });
        if p == q { own } else { contribution.pair(p, q).varies }
    })
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

/// (target, source) pairs, packed so that sorting them brings the sources of a target together and in order.
type Pairs = Vec<u64>;

/// What a task adds for one share of a group.
#[derive(Debug, Clone, Default)]
struct Dealt {
    /// By positions in the structure: what adds to a block below the diagonal.
    below: Pairs,
    /// By columns: what does not.
    alone: Pairs,
}

/// Deals out the instances of one group.
struct Dealer<'a> {
    structure: &'a BlockStructure,
    contribution: &'a Contribution,
    task_of: &'a [u32],
    /// By share and task.
    dealt: Vec<Vec<Dealt>>,
}

impl<'a> Dealer<'a> {
    fn new(structure: &'a BlockStructure, contribution: &'a Contribution, task_of: &'a [u32], tasks: usize) -> Self {
        let dealt = vec![vec![Dealt::default(); tasks]; contribution.shares.len()];
        Dealer { structure, contribution, task_of, dealt }
    }

    fn deal(&mut self, group: &Group, reduction: &Reduction, matrix: &mut BlockMatrix, weighted: &mut [Pairs]) {
        let contribution = self.contribution;
        let mut blocks: Vec<Option<u32>> = vec![None; contribution.slots.len()];
        for instance in 0..group.table.count {
            for (slot, block) in blocks.iter_mut().enumerate() {
                *block = reduction.block(group, slot, instance);
            }
            add_constants(contribution, &blocks, matrix);
            for (block, slot) in blocks.iter().zip(&contribution.slots) {
                let Some(column) = *block else { continue };
                let task = self.task_of[column as usize] as usize;
                let below = |other: usize| {
                    let row = blocks[other].filter(|&row| row > column)?;
                    self.structure.find(row as usize, column as usize)
                };
                match slot.own {
                    Own::Nothing => {}
                    Own::Residuals { first, weight } => {
                        let residual = group.rows.start + instance * group.kernel.residuals() + first as usize;
                        weighted[task].push(u64::from(column) << 32 | u64::from(Weighted::source(residual, weight)));
                    }
                    Own::Share { share, negative, partner } => {
                        let dealt = &mut self.dealt[share][task];
                        match partner.and_then(below) {
                            Some(position) => dealt.below.push(pack(position, instance, negative)),
                            None => dealt.alone.push(pack(column as usize, instance, negative)),
                        }
                    }
                }
                for &(other, share) in &slot.below {
                    if let Some(position) = below(other) {
                        self.dealt[share][task].below.push(pack(position, instance, false));
                    }
                }
            }
        }
    }

    /// Gives each task its passes. Columns and positions in the structure stand for places until the task begins.
    fn hand_out(self, group: usize, tasks: &mut [Task]) {
        for (share, dealt) in self.dealt.into_iter().enumerate() {
            for (task, dealt) in tasks.iter_mut().zip(dealt) {
                if !dealt.below.is_empty() || !dealt.alone.is_empty() {
                    let pass =
                        dealt.pass(self.contribution.shares[share].is_own(), task.columns.clone(), self.structure);
                    task.passes.push(GroupPass { group, share, pass });
                }
            }
        }
    }
}

impl Dealt {
    /// `own`: whether the diagonal blocks are added to.
    fn pass(mut self, own: bool, columns: Range<usize>, structure: &BlockStructure) -> Pass {
        self.below.sort_unstable();
        self.alone.sort_unstable();
        let (mut below, mut alone) = (&self.below[..], &self.alone[..]);
        let (mut steps, mut blocks, mut gradient) = (Vec::new(), Vec::new(), Vec::new());
        let mut sources = Vec::with_capacity(below.len() + alone.len());
        for column in columns {
            let below = split_off(&mut below, structure.col_ptr()[column + 1]);
            let alone = split_off(&mut alone, column + 1);
            if below.is_empty() && alone.is_empty() {
                continue;
            }
            steps.push(Step { below: below.len() as u32, alone: alone.len() as u32 });
            if own {
                blocks.push(structure.col_ptr()[column] as u32);
                gradient.push(column as u32);
            }
            for same in below.chunk_by(|a, b| target(*a) == target(*b)) {
                blocks.push(target(same[0]) as u32);
                let again = |k: usize| if k == 0 { 0 } else { AGAIN };
                sources.extend(same.iter().enumerate().map(|(k, &pair)| pair as u32 | again(k)));
            }
            sources.extend(alone.iter().map(|&pair| pair as u32));
        }
        if !own {
            // Columns make no difference.
            steps = vec![Step { below: sources.len() as u32, alone: 0 }];
        }
        steps.shrink_to_fit();
        let targets = Targets::Listed { blocks, gradient };
        Pass { steps, sources, targets, diagonal: Begin::Present, below: Begin::Present }
    }
}

fn pack(target: usize, instance: usize, negative: bool) -> u64 {
    (target as u64) << 32 | (instance as u64) << INSTANCE | if negative { u64::from(NEGATIVE) } else { 0 }
}

fn target(pair: u64) -> usize {
    (pair >> 32) as usize
}

/// Takes off the front what comes before a target.
fn split_off<'a>(pairs: &mut &'a [u64], end: usize) -> &'a [u64] {
    let count = pairs.iter().take_while(|&&pair| target(pair) < end).count();
    let (front, rest) = pairs.split_at(count);
    *pairs = rest;
    front
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
    fn new(column: usize) -> Self {
        Task {
            columns: column..column,
            numbers: 0..0,
            resets: Vec::new(),
            weighted: Weighted::default(),
            passes: Vec::new(),
            leading: false,
        }
    }

    /// Takes what Jᵀr begins with, as (column, source) pairs, whose order it keeps within a column.
    fn weigh(&mut self, pairs: &[u64]) {
        if pairs.is_empty() {
            return;
        }
        let column = |pair: u64| target(pair) - self.columns.start;
        let mut counts = vec![0; self.columns.len()];
        pairs.iter().for_each(|&pair| counts[column(pair)] += 1);
        let mut next: Vec<u32> =
            counts.iter().scan(0, |sum, count| Some(std::mem::replace(sum, *sum + count))).collect();
        let mut sources = vec![0; pairs.len()];
        for &pair in pairs {
            let place = &mut next[column(pair)];
            sources[*place as usize] = pair as u32;
            *place += 1;
        }
        self.weighted = Weighted { counts, sources };
    }

    /// Settles what each pass begins with, and turns columns and positions into places among the task's numbers, which begin at
    /// `start`.
    fn begin(
        &mut self,
        contributions: &[Contribution],
        structure: &BlockStructure,
        start: usize,
        begun: &mut [bool],
        matrix: &BlockMatrix,
    ) {
        let share = |pass: &GroupPass| &contributions[pass.group].shares[pass.share];
        let columns = self.columns.len();
        let goes_through_all = |pass: &GroupPass| share(pass).is_own() && pass.pass.steps.len() == columns;
        if let Some(leading) = self.passes.iter().position(goes_through_all) {
            self.passes[..=leading].rotate_right(1);
            self.leading = true;
        }
        let place = |position: usize| (structure.values(position).start - start) as u32;
        let mut begin = |positions: &[u32]| {
            let positions = positions.iter().map(|&position| position as usize);
            let first = positions.clone().all(|position| !begun[position]);
            for position in positions.clone().filter(|_| !first) {
                if !begun[position] {
                    let base = matrix.block(position);
                    self.resets.push((place(position)..place(position) + base.len() as u32, base.to_vec()));
                }
            }
            positions.clone().for_each(|position| begun[position] = true);
            if first { Begin::with(positions.map(|position| matrix.block(position))) } else { Begin::Present }
        };
        for pass in &mut self.passes {
            let share = share(pass);
            let pass = &mut pass.pass;
            let diagonals = pass.diagonals(share.is_own());
            let Targets::Listed { blocks, gradient } = &mut pass.targets else { continue };
            let of = |diagonal: bool| {
                let blocks = blocks.iter().zip(&diagonals).filter(|&(_, &other)| other == diagonal);
                blocks.map(|(&position, _)| position).collect::<Vec<u32>>()
            };
            (pass.diagonal, pass.below) = (begin(&of(true)), begin(&of(false)));
            blocks.iter_mut().for_each(|block| *block = place(*block as usize));
            let offsets = structure.offsets();
            let scalar = |column: u32| (offsets[column as usize] - offsets[self.columns.start]) as u32;
            gradient.iter_mut().for_each(|block| *block = scalar(*block));
            let follow = |end: usize, (&place, &diagonal): (&u32, &bool)| {
                let height = if diagonal { share.width } else { share.height };
                (place as usize == end).then_some(end + height * share.width)
            };
            let once = pass.sources.iter().all(|&source| source & AGAIN == 0);
            let multiples = |begin: &Begin| matches!(begin, Begin::Zero | Begin::Multiples(_));
            let stream = once && multiples(&pass.diagonal) && multiples(&pass.below);
            let stream = stream && blocks.iter().zip(&diagonals).try_fold(0, follow).is_some();
            if COPIES && share.is_own() && gradient.len() == self.columns.len() && stream {
                pass.targets = Targets::Streamed;
            }
        }
        let positions = structure.col_ptr()[self.columns.start]..structure.col_ptr()[self.columns.end];
        let numbers = |position: usize| if begun[position] { structure.values(position).len() } else { 0 };
        self.numbers = start..start + positions.map(numbers).sum::<usize>();
    }
}
