//! Code for a group of residuals, from its program.
//!
//! In: a topology, and what else all its instances share ([`Specialization`]). Out: [`Kernel`], which holds the program, its linearization and, for the
//! CPU, lane bytecode of both. Kernels depend on nothing else, so they are kept for the life of the
//! process: the second problem of a kind compiles nothing.

mod cache;
mod fusion;
mod kept;
mod lanes;
mod schedule;
#[cfg(feature = "gpu")]
pub mod wgsl;

pub use cache::CompileStatistics;
pub(crate) use cache::compile;
pub(crate) use fusion::Pair;
pub(crate) use lanes::{Instruction, LaneCode};

use crate::program::{Linearization, LossProgram, Program, Retraction};
use crate::topology::Topology;
use std::sync::{Arc, OnceLock};

/// What, besides the topology, all instances of a group have in common.
#[derive(Debug, Clone, Default)]
pub struct Specialization {
    /// The data columns that are the same number in all instances.
    pub literals: Vec<Option<f64>>,
    /// The steps on the manifolds of the parameter blocks; `None`, also past the end, for Euclidean ones.
    pub retractions: Vec<Option<Arc<Retraction>>>,
    /// The robust loss of the residual block.
    pub loss: Option<Arc<LossProgram>>,
}

/// By the bits of the literals: 0 and −0 are different kernels, and a NaN equals itself.
impl PartialEq for Specialization {
    fn eq(&self, other: &Self) -> bool {
        let bits = |literals: &[Option<f64>]| literals.iter().map(|l| l.map(f64::to_bits)).collect::<Vec<_>>();
        bits(&self.literals) == bits(&other.literals)
            && self.retractions == other.retractions
            && self.loss == other.loss
    }
}

/// Everything that can be known of a group before its instances.
#[derive(Debug)]
pub struct Kernel {
    /// The shape of the residuals.
    pub topology: Topology,
    /// What else all instances have in common.
    pub specialization: Specialization,
    /// The residuals.
    pub program: Program,
    /// With a robust loss ρ, as many outputs as residuals, whose squares add up to ρ(‖r‖²): what the cost is made of.
    pub objective: Option<Program>,
    /// Residuals and Jacobian, corrected if there is a loss, over the tangent spaces of the parameter blocks.
    pub linearization: Linearization,
    /// Made when it is first run: a small problem hardly ever does anything but linearize, and that in one of two ways.
    residual_code: OnceLock<LaneCode>,
    objective_code: OnceLock<LaneCode>,
    linearize_code: OnceLock<LaneCode>,
    linearize_with_objective_code: OnceLock<LaneCode>,
}

impl Kernel {
    fn new(topology: Topology, specialization: Specialization) -> Self {
        let program = Program::new(&topology.expression, &specialization.literals);
        let loss = specialization.loss.as_deref();
        let linearization = program.linearize(&specialization.retractions, loss);
        let objective = loss.map(|loss| loss.objective(&program));
        Kernel {
            residual_code: OnceLock::new(),
            objective_code: OnceLock::new(),
            linearize_code: OnceLock::new(),
            linearize_with_objective_code: OnceLock::new(),
            topology,
            specialization,
            program,
            objective,
            linearization,
        }
    }

    /// The program whose squared outputs add up to twice the cost of an instance.
    pub fn objective(&self) -> &Program {
        self.objective.as_ref().unwrap_or(&self.program)
    }

    pub(crate) fn residual_code(&self) -> &LaneCode {
        self.residual_code.get_or_init(|| LaneCode::new(&self.program))
    }

    pub(crate) fn objective_code(&self) -> &LaneCode {
        match &self.objective {
            Some(objective) => self.objective_code.get_or_init(|| LaneCode::new(objective)),
            None => self.residual_code(),
        }
    }

    /// Residuals and stored numbers.
    pub(crate) fn linearize_code(&self) -> &LaneCode {
        let Linearization { program, residuals, .. } = &self.linearization;
        self.linearize_code.get_or_init(|| LaneCode::with_boundaries(program, &[*residuals]))
    }

    /// Residuals, the objective and stored numbers, if there is a loss.
    pub(crate) fn linearize_with_objective_code(&self) -> Option<&LaneCode> {
        let objective = self.objective.as_ref()?;
        Some(self.linearize_with_objective_code.get_or_init(|| {
            let (program, boundaries) = self.linearization.with_objective(objective);
            LaneCode::with_boundaries(&program, &boundaries)
        }))
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
