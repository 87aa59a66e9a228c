//! Takes the instances of a topology apart by what their kernels differ in: the manifolds of their blocks, and their loss.

use super::{GroupInstances, Problem};
use crate::kernel::Specialization;
use rustc_hash::FxHashMap;
use std::borrow::Cow;

/// Instances of one topology that share a kernel, but for literals.
pub(super) struct Part<'p> {
    pub instances: Cow<'p, GroupInstances>,
    pub specialization: Specialization,
}

/// Looks up what an instance's kernel depends on.
pub(super) struct Specializer<'p> {
    problem: &'p Problem,
    /// Loss of each residual block; empty if there is none at all.
    losses: Vec<Option<u32>>,
    /// The block that starts at each place of the parameter vector; empty if all are plain ones.
    block_at: Vec<u32>,
}

impl<'p> Specializer<'p> {
    pub fn new(problem: &'p Problem) -> Self {
        let mut specializer = Self::without_losses(problem);
        if !problem.losses.is_empty() {
            specializer.losses = problem.losses.by_block(problem.residual_blocks);
        }
        specializer
    }

    /// Takes the problem as one without losses.
    pub fn without_losses(problem: &'p Problem) -> Self {
        let parameters = &problem.parameters;
        let mut block_at = Vec::new();
        if parameters.has_manifolds() {
            block_at = vec![0; parameters.values().len()];
            for block in 0..parameters.blocks() {
                block_at[parameters.offsets()[block] as usize] = block as u32;
            }
        }
        Specializer { problem, losses: Vec::new(), block_at }
    }

    /// The parts of a topology's instances, in the order of their first ones.
    pub fn parts<'i>(&self, instances: &'i GroupInstances) -> Vec<Part<'i>> {
        if self.losses.is_empty() && self.block_at.is_empty() {
            return vec![Part { instances: Cow::Borrowed(instances), specialization: Specialization::default() }];
        }
        let mut numbers: FxHashMap<Vec<u32>, usize> = FxHashMap::default();
        let mut members: Vec<Vec<u32>> = Vec::new();
        // Most instances are like the one before them.
        let (mut key, mut before, mut part) = (Vec::new(), Vec::new(), 0);
        for instance in 0..instances.table.count {
            self.write_key(instances, instance, &mut key);
            if key != before {
                part = *numbers.entry(key.clone()).or_insert(members.len());
                std::mem::swap(&mut key, &mut before);
            }
            if part == members.len() {
                members.push(Vec::new());
            }
            members[part].push(instance as u32);
        }
        let whole = members.len() == 1;
        let part = |members: Vec<u32>| Part {
            specialization: self.specialization(instances, members[0] as usize),
            instances: if whole { Cow::Borrowed(instances) } else { Cow::Owned(instances.picked(members)) },
        };
        members.into_iter().map(part).collect()
    }

    /// The loss of an instance, and the manifolds of its blocks, as numbers.
    fn write_key(&self, instances: &GroupInstances, instance: usize, key: &mut Vec<u32>) {
        key.clear();
        key.push(self.loss(instances, instance).map_or(0, |loss| loss + 1));
        key.extend(instances.table.blocks.iter().map(|column| self.manifold(column[instance])));
    }

    fn loss(&self, instances: &GroupInstances, instance: usize) -> Option<u32> {
        self.losses.get(instances.residual_blocks[instance] as usize).copied().flatten()
    }

    /// A number for the manifold of the block that starts here.
    fn manifold(&self, start: u32) -> u32 {
        self.block_at.get(start as usize).map_or(0, |&block| self.problem.parameters.manifold_number(block as usize))
    }

    fn specialization(&self, instances: &GroupInstances, instance: usize) -> Specialization {
        let retraction = |column: &Vec<u32>| {
            let block = *self.block_at.get(column[instance] as usize)?;
            self.problem.parameters.retraction(block as usize).cloned()
        };
        let loss = self.loss(instances, instance).map(|loss| self.problem.losses.program(loss).clone());
        let retractions = instances.table.blocks.iter().map(retraction).collect();
        Specialization { literals: Vec::new(), retractions, loss }
    }
}
