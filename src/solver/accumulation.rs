//! Adds up JᵀJ and Jᵀr.
//!
//! Every block of JᵀJ and of Jᵀr is a sum over the instances that touch it. The block columns are dealt out in tasks of fixed size; a
//! task gathers the sums of its columns and writes to nothing else. So nothing is locked, and the sums do not depend on the number of
//! threads.

use super::columns::{Instances, Pass, Walk, Weighted, Weights};
use super::contribution::Contribution;
use crate::backend::Group;
use crate::linear::{BlockMatrix, BlockStructure};
use crate::problem::Evaluation;
use rayon::prelude::*;
use std::ops::Range;

/// A pass for one share of a group.
#[derive(Debug)]
pub(super) struct GroupPass {
    pub group: usize,
    /// Index of the share.
    pub share: usize,
    pub pass: Pass,
}

/// What one task owns and adds.
#[derive(Debug)]
pub(super) struct Task {
    pub columns: Range<usize>,
    /// The numbers of the matrix that are its own: those of its columns that vary.
    pub numbers: Range<usize>,
    /// Blocks to set to their constant part before anything is added, with that part: those whose first pass is not told
    /// apart from later ones.
    pub resets: Vec<(Range<u32>, Vec<f64>)>,
    /// What Jᵀr begins with.
    pub weighted: Weighted,
    pub passes: Vec<GroupPass>,
    /// Whether the first pass goes through every column. Then it also adds up what Jᵀr begins with.
    pub leading: bool,
}

/// The plan of a problem's accumulation.
#[derive(Debug)]
pub(super) struct Accumulation {
    tasks: Vec<Task>,
    contributions: Vec<Contribution>,
    weights: Weights,
    /// Room for the expanded Jacobian of each group.
    expanded: Vec<Vec<f64>>,
}

/// What all tasks read.
struct Linearized<'a> {
    contributions: &'a [Contribution],
    instances: &'a [Instances<'a>],
    weights: &'a Weights,
    residuals: &'a [f64],
    structure: &'a BlockStructure,
}

impl Accumulation {
    /// Of tasks that go through the block columns one after the other.
    pub fn new(tasks: Vec<Task>, contributions: Vec<Contribution>, weights: Weights) -> Self {
        let expanded = vec![Vec::new(); contributions.len()];
        Accumulation { tasks, contributions, weights, expanded }
    }

    /// Bytes of the plan.
    pub fn bytes(&self) -> usize {
        self.tasks.iter().map(Task::bytes).sum()
    }

    /// Numbers of the matrix that vary.
    pub fn variable_numbers(&self) -> usize {
        self.tasks.last().map_or(0, |task| task.numbers.end)
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
        let linearized = Linearized {
            contributions: &self.contributions,
            instances: &instances,
            weights: &self.weights,
            residuals: &evaluation.residuals,
            structure: &structure,
        };
        let mut values = matrix.values.as_mut_slice();
        let mut gradient = gradient;
        if let [task] = &self.tasks[..] {
            return task.run(&linearized, &mut values[..task.numbers.len()], gradient);
        }
        let mut work = Vec::with_capacity(self.tasks.len());
        for task in &self.tasks {
            let (mine, rest) = values.split_at_mut(task.numbers.len());
            let scalars = structure.ranges(task.columns.clone()).len();
            let (mine_too, rest_too) = gradient.split_at_mut(scalars);
            work.push((task, mine, mine_too));
            (values, gradient) = (rest, rest_too);
        }
        work.into_par_iter().for_each(|(task, values, gradient)| task.run(&linearized, values, gradient));
    }
}

impl Task {
    fn bytes(&self) -> usize {
        let resets = self.resets.iter().map(|(_, base)| size_of_val(&base[..])).sum::<usize>();
        resets + self.weighted.bytes() + self.passes.iter().map(|pass| pass.pass.bytes()).sum::<usize>()
    }

    fn run(&self, linearized: &Linearized<'_>, values: &mut [f64], gradient: &mut [f64]) {
        for (place, base) in &self.resets {
            values[place.start as usize..place.end as usize].copy_from_slice(base);
        }
        let mut sums = self.weighted.sums(linearized.weights, linearized.residuals);
        let mut weighted = None;
        if self.leading {
            weighted = Some(sums);
        } else if self.weighted.counts.is_empty() {
            gradient.fill(0.0);
        } else {
            let mut rest = &mut *gradient;
            for column in self.columns.clone() {
                let (mine, others) = rest.split_at_mut(linearized.structure.size(column));
                sums.write(mine);
                rest = others;
            }
        }
        for &GroupPass { group, share, ref pass } in &self.passes {
            let (share, instances) = (&linearized.contributions[group].shares[share], linearized.instances[group]);
            Walk { share, instances, pass, weighted: weighted.take(), numbers: values, gradient }.run();
        }
    }
}
