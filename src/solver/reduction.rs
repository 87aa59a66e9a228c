//! The free parameter blocks, numbered without the fixed ones.

use crate::linear::BlockStructure;
use crate::problem::{CompiledProblem, Parameters};

/// Stands for the number of a block that is not free.
pub(super) const FIXED: u32 = u32::MAX;

/// Maps between all parameters and the free blocks, in which the linear systems are stated.
pub(super) struct Reduction {
    /// Number of the free block that starts at each place of the parameter vector.
    numbers: Vec<u32>,
    /// Components of a step of each free block.
    pub sizes: Vec<usize>,
    /// Of each free block whether some of its components are fixed.
    pub held: Vec<bool>,
    /// Start of each free block in the parameter vector.
    pub starts: Vec<u32>,
    /// How many parameters each free block has, and its start in a step over all blocks; empty where no block is on a manifold, so that
    /// these are its components and its start.
    pub curved: Vec<(u32, u32)>,
}

impl Reduction {
    /// Numbers the free blocks in the order the problem was compiled in, where blocks which share residuals lie together.
    pub fn new(problem: &CompiledProblem, parameters: &Parameters) -> Self {
        let blocks = parameters.blocks();
        let mut reduction = Reduction {
            numbers: vec![FIXED; parameters.values().len()],
            sizes: Vec::with_capacity(blocks),
            held: Vec::with_capacity(blocks),
            starts: Vec::with_capacity(blocks),
            curved: Vec::new(),
        };
        let order = problem.block_order().iter().map(|&block| block as usize);
        for block in order.filter(|&block| !parameters.is_fixed(block)) {
            let start = parameters.offsets()[block];
            reduction.numbers[start as usize] = reduction.sizes.len() as u32;
            reduction.sizes.push(parameters.tangent_size(block));
            reduction.held.push(parameters.fixed(block).is_some());
            reduction.starts.push(start);
            if parameters.has_manifolds() {
                reduction.curved.push((parameters.size(block) as u32, problem.steps().start(start) as u32));
            }
        }
        reduction
    }

    /// What of it a step of the free blocks needs: their starts, and [`Reduction::curved`].
    pub fn into_blocks(self) -> (Vec<u32>, Vec<(u32, u32)>) {
        (self.starts, self.curved)
    }

    /// The number of the free block that starts at a place of the parameter vector, or [`FIXED`].
    pub fn number(&self, start: u32) -> u32 {
        self.numbers[start as usize]
    }

    /// Scalars of the reduced system that belong to fixed components of blocks which are otherwise free.
    pub fn held_scalars(&self, parameters: &Parameters, structure: &BlockStructure) -> Vec<usize> {
        let mut held = Vec::new();
        for block in 0..parameters.blocks() {
            let number = self.numbers[parameters.offsets()[block] as usize];
            if let Some(flags) = parameters.fixed(block).filter(|_| number != FIXED) {
                let first = structure.range(number as usize).start;
                held.extend((0..flags.len()).filter(|&k| flags[k]).map(|k| first + k));
            }
        }
        held
    }
}
