//! The free parameter blocks, numbered without the fixed ones.

use super::contribution::Contribution;
use crate::backend::Group;
use crate::linear::BlockStructure;
use crate::problem::{CompiledProblem, Parameters};
use std::ops::Range;

const FIXED: u32 = u32::MAX;

/// Maps between all parameters and the free blocks, in which the linear systems are stated.
pub(super) struct Reduction {
    /// Number of the free block that starts at each place of the parameter vector.
    numbers: Vec<u32>,
    /// Components of a step of each free block.
    pub sizes: Vec<usize>,
    /// Of each free block the numbers in the parameter vector.
    pub places: Vec<Range<usize>>,
    /// Start of each free block in a step over all blocks.
    pub components: Vec<usize>,
}

impl Reduction {
    /// Numbers the free blocks in the order the problem was compiled in, where blocks which share residuals lie together.
    pub fn new(problem: &CompiledProblem, parameters: &Parameters) -> Self {
        let mut reduction = Reduction {
            numbers: vec![FIXED; parameters.values().len()],
            sizes: Vec::new(),
            places: Vec::new(),
            components: Vec::new(),
        };
        let order = problem.block_order().iter().map(|&block| block as usize);
        for block in order.filter(|&block| !parameters.is_fixed(block)) {
            let start = parameters.offsets()[block] as usize;
            reduction.numbers[start] = reduction.sizes.len() as u32;
            reduction.sizes.push(parameters.tangent_size(block));
            reduction.places.push(start..start + parameters.size(block));
            reduction.components.push(problem.steps().start(start as u32));
        }
        reduction
    }

    /// The free block in place `slot` of an instance.
    pub fn block(&self, group: &Group, slot: usize, instance: usize) -> Option<u32> {
        let number = self.numbers[group.table.blocks[slot][instance] as usize];
        (number != FIXED).then_some(number)
    }

    /// The pairs of free blocks that the instances of a group couple.
    pub fn pairs<'a>(
        &'a self,
        group: &'a Group,
        contribution: &'a Contribution,
    ) -> impl Iterator<Item = (u32, u32)> + Clone + 'a {
        let slots = contribution.slots.len();
        let coupled = (0..slots).flat_map(move |p| (p + 1..slots).map(move |q| (p, q)));
        let coupled = coupled.filter(move |&(p, q)| !contribution.pair(p, q).is_zero());
        coupled.flat_map(move |(p, q)| {
            (0..group.table.count).filter_map(move |i| Some((self.block(group, p, i)?, self.block(group, q, i)?)))
        })
    }

    /// Scalars of the reduced system that belong to fixed components of blocks which are otherwise free.
    pub fn held(&self, parameters: &Parameters, structure: &BlockStructure) -> Vec<usize> {
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
