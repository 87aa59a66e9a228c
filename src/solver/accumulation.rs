//! Adds up JᵀJ and Jᵀr.
//!
//! Every block of JᵀJ and of Jᵀr is a sum of terms over the instances that touch it. The block columns are dealt out in tasks of
//! fixed size; a task gathers the sums of its columns and writes to nothing else. So nothing is locked, and the sums do not depend
//! on the number of threads.

use super::contribution::Contribution;
use super::planner;
use super::reduction::Reduction;
use super::sums::{Bases, Begin, Instances, Summation, Sums};
use crate::backend::Group;
use crate::linear::BlockMatrix;
use crate::problem::Evaluation;
use rayon::prelude::*;
use std::ops::Range;

/// Sums of one term of a group.
#[derive(Debug)]
pub(super) struct TermSums {
    pub group: usize,
    /// Index of the term.
    pub term: usize,
    pub sums: Sums,
}

/// Sums for blocks of JᵀJ.
#[derive(Debug)]
pub(super) struct BlockSums {
    pub term: TermSums,
    /// Whether these sums are the first of their blocks.
    pub first: bool,
    /// The constant parts the blocks begin with, if the sums are their first.
    pub bases: Bases,
}

/// What one task owns and adds.
#[derive(Debug)]
pub(super) struct Task {
    pub columns: Range<usize>,
    /// The numbers of the matrix that are its own: those of its columns that vary.
    pub numbers: Range<usize>,
    /// Blocks to set to their constant part before anything is added, with that part: those whose first sums are not told
    /// apart from later ones.
    pub resets: Vec<(Range<u32>, Vec<f64>)>,
    pub blocks: Vec<BlockSums>,
    pub gradient: Vec<TermSums>,
}

/// The plan of a problem's accumulation.
#[derive(Debug)]
pub(super) struct Accumulation {
    tasks: Vec<Task>,
    contributions: Vec<Contribution>,
    /// Numbers of the matrix that vary.
    variable_numbers: usize,
    /// Room for the expanded Jacobian of each group.
    expanded: Vec<Vec<f64>>,
}

impl Accumulation {
    /// Makes the plan, and adds to `matrix` what is constant.
    pub fn new(
        groups: &[Group],
        contributions: Vec<Contribution>,
        reduction: &Reduction,
        matrix: &mut BlockMatrix,
    ) -> Self {
        let (tasks, variable_numbers) = planner::plan(groups, &contributions, reduction, matrix);
        let expanded = vec![Vec::new(); groups.len()];
        Accumulation { tasks, contributions, variable_numbers, expanded }
    }

    /// Bytes of the plan.
    pub fn bytes(&self) -> usize {
        self.tasks.iter().map(Task::bytes).sum()
    }

    /// Numbers of the matrix that vary.
    pub fn variable_numbers(&self) -> usize {
        self.variable_numbers
    }

    /// Fills the matrix and the gradient, on the threads of the present rayon pool.
    pub fn run(&mut self, groups: &[Group], evaluation: &Evaluation, matrix: &mut BlockMatrix, gradient: &mut [f64]) {
        let structure = matrix.structure().clone();
        let instances = groups.iter().zip(&self.contributions).zip(&mut self.expanded);
        let instances: Vec<Instances<'_>> = instances
            .map(|((group, contribution), room)| Instances {
                jacobian: contribution.expand(group, &evaluation.stored[group.stored.clone()], room),
                stride: contribution.stride(),
                residuals: &evaluation.residuals[group.rows.clone()],
                width: group.kernel.residuals(),
            })
            .collect();
        let mut values = matrix.values.as_mut_slice();
        let mut gradient = gradient;
        let mut work = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            let (mine, rest) = values.split_at_mut(task.numbers.len());
            let scalars = structure.offsets()[task.columns.end] - structure.offsets()[task.columns.start];
            let (mine_too, rest_too) = gradient.split_at_mut(scalars);
            work.push((task, mine, mine_too));
            (values, gradient) = (rest, rest_too);
        }
        let contributions = &self.contributions;
        let run = |(task, values, gradient): (&Task, &mut [f64], &mut [f64])| {
            task.run(contributions, &instances, values, gradient);
        };
        if work.len() == 1 {
            work.into_iter().for_each(run);
        } else {
            work.into_par_iter().for_each(run);
        }
    }
}

impl Task {
    fn bytes(&self) -> usize {
        let resets = self.resets.iter().map(|(_, base)| size_of_val(&base[..])).sum::<usize>();
        let blocks = self.blocks.iter().map(|b| b.term.sums.bytes() + b.bases.bytes()).sum::<usize>();
        let gradient = self.gradient.iter().map(|g| g.sums.bytes()).sum::<usize>();
        resets + blocks + gradient
    }

    fn run(
        &self,
        contributions: &[Contribution],
        instances: &[Instances<'_>],
        values: &mut [f64],
        gradient: &mut [f64],
    ) {
        let sum = |of: &TermSums, begin: Begin<'_>, numbers: &mut [f64]| {
            let (term, instances) = (&contributions[of.group].terms[of.term], instances[of.group]);
            Summation { term, instances, sums: &of.sums, begin, numbers }.run();
        };
        for (place, base) in &self.resets {
            values[place.start as usize..place.end as usize].copy_from_slice(base);
        }
        for BlockSums { term, first, bases } in &self.blocks {
            sum(term, if *first { Begin::At(bases) } else { Begin::Present }, values);
        }
        gradient.fill(0.0);
        self.gradient.iter().for_each(|term| sum(term, Begin::Present, gradient));
    }
}
