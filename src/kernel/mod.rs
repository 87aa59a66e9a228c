//! Code for a group of residuals, from its program.
//!
//! In: a topology and the data all its instances share. Out: [`Kernel`], which holds the program, its linearization and, for the
//! CPU, lane bytecode of both. Kernels depend on nothing but topology and literals, so they are kept for the life of the
//! process: the second problem of a kind compiles nothing.

mod cache;
mod lanes;
mod schedule;
#[cfg(feature = "gpu")]
pub mod wgsl;

pub use cache::CompileStatistics;
pub(crate) use cache::compile;
pub(crate) use lanes::{Instruction, LaneCode};

use crate::program::{Linearization, Program};
use crate::topology::Topology;

/// Everything that can be known of a group before its instances.
#[derive(Debug)]
pub struct Kernel {
    /// The shape of the residuals.
    pub topology: Topology,
    /// The data columns that are the same number in all instances.
    pub literals: Vec<Option<f64>>,
    /// The residuals.
    pub program: Program,
    /// Residuals and Jacobian.
    pub linearization: Linearization,
    pub(crate) residual_code: LaneCode,
    pub(crate) linearize_code: LaneCode,
}

impl Kernel {
    fn new(topology: Topology, literals: Vec<Option<f64>>) -> Self {
        let program = Program::new(&topology.expression, &literals);
        let linearization = program.differentiate();
        let residual_code = LaneCode::new(&program);
        let linearize_code = LaneCode::new(&linearization.program);
        Kernel { topology, literals, program, linearization, residual_code, linearize_code }
    }

    /// Number of residuals of an instance.
    pub fn residuals(&self) -> usize {
        self.program.outputs.len()
    }

    /// Number of values an instance stores for its Jacobian.
    pub fn stored(&self) -> usize {
        self.linearization.stored()
    }
}

#[cfg(test)]
mod tests;
