//! Nonlinear least squares by Levenberg-Marquardt.
//!
//! In: a [`CompiledProblem`](crate::problem::CompiledProblem). Out: parameters at the best accepted point, and a
//! [`SolverReport`]. The names and conventions are those of [Ceres](http://ceres-solver.org/nnls_solving.html):
//!
//! * `normal_equations` fills JᵀJ and Jᵀr in place from an evaluation: `contribution` works out what an instance adds, `planner`
//!   deals the sums out to tasks, `accumulation` and `sums` carry them out;
//! * `trust_region` turns the gain ratio into the damping of the next step;
//! * `step` solves for the step by the [linear solver](crate::linear) that fits;
//! * `bounds` keeps the parameters in their box;
//! * `minimizer` is the loop on the CPU, and decides when to stop; its `evaluator` may have a device help;
//! * `device` is the loop on a GPU, `placement` chooses between the two, and `run` goes from one to the other if a device fails;
//! * [`independent`] minimises each connected component of a problem by itself.

mod accumulation;
mod bounds;
mod contribution;
mod covariance;
#[cfg(feature = "gpu")]
mod device;
mod error;
mod evaluator;
mod finite;
pub mod independent;
mod minimizer;
mod normal_equations;
#[cfg(feature = "gpu")]
mod on_device;
mod options;
#[cfg(feature = "gpu")]
mod placement;
mod planner;
mod reduction;
mod report;
mod report_text;
mod run;
mod step;
mod sums;
mod trust_region;

pub use covariance::{Covariance, CovarianceError, CovarianceOptions};
pub use error::SolveError;
pub use independent::{ComponentRecord, IndependentReport, Outcome};
pub use options::{FALLBACK_THRESHOLD, LinearSolverKind, Precision, SolverOptions};
pub use report::{DeviceSummary, GroupSummary, IterationRecord, SolverReport, StageTimes, Termination};

pub use normal_equations::NormalEquations;

use crate::problem::Problem;
use std::ops::ControlFlow;

impl Problem {
    /// Minimises ½ Σ ρᵢ(‖rᵢ‖²) from the present parameters, and leaves the parameters at the best accepted point.
    ///
    /// # Errors
    /// If there is nothing to solve, the backend cannot be had, the start point gives a residual that is not finite, or memory
    /// does not suffice. The parameters are then at the best point accepted until there.
    pub fn solve(&mut self, options: &SolverOptions) -> Result<SolverReport, SolveError> {
        self.solve_with(options, |_| ControlFlow::Continue(()))
    }

    /// As [`Problem::solve`]; `callback` sees every iteration, rejected ones too, and may stop the solve.
    ///
    /// # Errors
    /// As [`Problem::solve`].
    pub fn solve_with(
        &mut self,
        options: &SolverOptions,
        callback: impl FnMut(&IterationRecord) -> ControlFlow<()> + Send,
    ) -> Result<SolverReport, SolveError> {
        run::run(self, options, callback)
    }
}

#[cfg(test)]
mod tests;
