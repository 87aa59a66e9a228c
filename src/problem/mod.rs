//! Parameter blocks, residual blocks, their manifolds and losses, and the problem they make.
//!
//! In: numbers, and residual functions over [`Value`](crate::Value). Out: a [`CompiledProblem`], which groups the residuals by
//! topology and evaluates them, for [`solver`](crate::solver).
//!
//! There are three ways in, and one core behind them:
//!
//! * [`CompiledResiduals::compile`]: a whole function of a parameter vector;
//! * [`Problem::add_residual`]: one closure call a residual block, in an ordinary loop;
//! * [`Problem::add_residual_batch`]: a template, traced once for any number of instances.

mod compiled;
mod draft;
mod error;
mod function;
mod gradient_check;
mod instances;
mod kept;
mod locality;
pub mod loss;
pub mod manifold;
mod memo;
mod parameters;
mod residuals;
mod rows;
mod specialize;
mod steps;
mod template;
mod weights;

pub use compiled::{CompiledProblem, Evaluation, NonFiniteResidual};
pub(crate) use compiled::{SUMMED_TOGETHER, half_square_sum};
#[cfg(feature = "gpu")]
pub(crate) use draft::{Draft, NamedGroups};
pub use error::ProblemError;
pub use function::CompiledResiduals;
pub use gradient_check::{GradientCheckOptions, GradientMismatch, GradientReport};
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(crate) use locality::{PairWalk, pair_walk};
pub use parameters::{BlockId, Parameters};
pub use rows::{Rows, Table};
pub use steps::Steps;
pub use weights::square_root_information;

use crate::topology::{Registry, Tracer};
use instances::GroupInstances;
use std::ops::Range;
use std::time::Duration;

/// A nonlinear least-squares problem: minimise ½ Σ ρᵢ(‖rᵢ‖²) over the parameter blocks, with ρᵢ(s) = s for residual blocks without a
/// [`loss`].
///
/// ```
/// use isograd::{Problem, SolverOptions};
///
/// let mut problem = Problem::new();
/// let p = problem.add_parameter_block(&[-1.2, 1.0])?;
/// problem.add_residual(&[p], |x| [1.0 - x[0][0], 10.0 * (x[0][1] - x[0][0] * x[0][0])])?;
/// let report = problem.solve(&SolverOptions::default())?;
/// assert!(report.termination.is_converged());
/// assert!((problem.parameter_block(p)[0] - 1.0).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Default)]
pub struct Problem {
    pub(crate) parameters: Parameters,
    registry: Registry,
    /// By topology, as numbered in the registry.
    groups: Vec<GroupInstances>,
    residual_blocks: usize,
    residuals: usize,
    /// Where each named run of residual blocks begins.
    names: Vec<(Range<usize>, String)>,
    losses: loss::Losses,
    tracer: Tracer,
    trace_time: Duration,
    kept: kept::Kept,
}

impl Problem {
    /// A problem without parameters and residuals.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of residual blocks.
    pub fn residual_blocks(&self) -> usize {
        self.residual_blocks
    }

    /// Number of scalar residuals.
    pub fn residuals(&self) -> usize {
        self.residuals
    }

    /// Parameter blocks over all residual blocks, each as often as it occurs.
    pub(crate) fn slots(&self) -> usize {
        self.groups.iter().map(|group| group.table.count * group.table.blocks.len()).sum()
    }

    /// Number of topologies.
    pub fn topologies(&self) -> usize {
        self.groups.iter().filter(|group| group.table.count > 0).count()
    }

    /// Time spent so far in recording and grouping residuals.
    pub fn trace_time(&self) -> Duration {
        self.trace_time
    }

    /// Names residual blocks for reports and error messages: `residual group 3 ("edge length")`.
    pub fn set_name(&mut self, residual_blocks: Range<usize>, name: impl Into<String>) {
        self.kept.clear();
        self.names.push((residual_blocks, name.into()));
    }

    /// The name that covers a residual block.
    pub fn name(&self, residual_block: usize) -> Option<&str> {
        let named = self.names.iter().rev().find(|(blocks, _)| blocks.contains(&residual_block));
        named.map(|(_, name)| name.as_str())
    }

    /// Bytes held by parameters, instance tables and row numbers.
    pub fn bytes(&self) -> usize {
        self.parameters.bytes() + self.groups.iter().map(GroupInstances::bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
