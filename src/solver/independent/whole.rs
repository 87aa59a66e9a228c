//! What all batches of a solve have in common, and which components each of them has.

use super::derivatives::Derivatives;
use super::motion::Retractions;
use super::partition::Partition;
use crate::problem::{CompiledProblem, Parameters};
use crate::solver::SolverOptions;
use std::ops::Range;
use web_time::Instant;

/// Residual blocks of a batch, at least: enough to fill the lanes of the kernels, few enough to spread over threads.
const INSTANCES: usize = 1024;
/// No free block.
pub(super) const NONE: u32 = u32::MAX;

/// What all batches have in common.
pub(super) struct Whole<'a> {
    pub compiled: &'a CompiledProblem,
    pub parameters: &'a Parameters,
    pub partition: &'a Partition,
    pub options: &'a SolverOptions,
    pub start: Instant,
    /// By group.
    pub derivatives: Vec<Derivatives>,
    pub retractions: Retractions,
    /// The free block that starts at each place of the parameter vector.
    pub block_at: Vec<u32>,
    /// Of each free block its start in the parameters, and in a step, of its batch.
    pub places: Vec<(u32, u32)>,
    batches: Vec<Range<usize>>,
}

impl<'a> Whole<'a> {
    /// All components, in batches of some size.
    pub fn new(
        compiled: &'a CompiledProblem,
        parameters: &'a Parameters,
        partition: &'a Partition,
        options: &'a SolverOptions,
        start: Instant,
    ) -> Self {
        let (mut batches, mut first, mut instances) = (Vec::new(), 0, 0);
        for number in 0..partition.components() {
            instances += partition.instances(number).len();
            if instances >= INSTANCES || number + 1 == partition.components() {
                batches.push(first..number + 1);
                (first, instances) = (number + 1, 0);
            }
        }
        Self::of_batches(compiled, parameters, partition, options, start, batches)
    }

    /// The components of `batches` alone.
    pub fn of_batches(
        compiled: &'a CompiledProblem,
        parameters: &'a Parameters,
        partition: &'a Partition,
        options: &'a SolverOptions,
        start: Instant,
        batches: Vec<Range<usize>>,
    ) -> Self {
        let mut whole = Whole {
            compiled,
            parameters,
            partition,
            options,
            start,
            derivatives: compiled.groups.iter().map(|group| Derivatives::new(&group.kernel)).collect(),
            retractions: Retractions::new(parameters),
            block_at: vec![NONE; parameters.values().len()],
            places: vec![(NONE, NONE); parameters.blocks()],
            batches,
        };
        for batch in &whole.batches {
            let (mut place, mut component) = (0, 0);
            for &block in batch.clone().flat_map(|number| partition.blocks(number)) {
                whole.block_at[parameters.offsets()[block as usize] as usize] = block;
                whole.places[block as usize] = (place, component);
                place += parameters.size(block as usize) as u32;
                component += parameters.tangent_size(block as usize) as u32;
            }
        }
        whole
    }

    /// The components of each batch; they do not depend on the number of threads.
    pub fn batches(&self) -> &[Range<usize>] {
        &self.batches
    }
}
