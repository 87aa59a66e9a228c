//! Nonlinear least squares by Levenberg-Marquardt.
//!
//! In: a [`CompiledProblem`](crate::problem::CompiledProblem). Out: parameters at the best accepted point, and a
//! [`SolverReport`]. The names and conventions are those of [Ceres](http://ceres-solver.org/nnls_solving.html):
//!
//! * `normal_equations` fills JᵀJ and Jᵀr in place from an evaluation: `contribution` works out what an instance adds, `touches`
//!   lists the instances by block, `planner` deals the columns out to tasks, `draft` writes down what is in those of a task and how
//!   their sums are made, `accumulation` and `columns` carry them out;
//! * `trust_region` turns the gain ratio into the damping of the next step;
//! * `step` solves for the step by the [linear solver](crate::linear) that fits;
//! * `bounds` keeps the parameters in their box;
//! * `minimizer` is the loop on the CPU, and decides when to stop; its `evaluator` may have a device help;
//! * `device` is the loop on a GPU, `placement` chooses between the two, and `run` goes from one to the other if a device fails;
//! * [`independent`] minimises each connected component of a problem by itself.

mod accumulation;
mod beginning;
mod bounds;
mod columns;
mod contribution;
mod covariance;
#[cfg(feature = "gpu")]
mod device;
mod distinct;
mod draft;
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

#[cfg(not(target_arch = "wasm32"))]
mod threads;
mod touches;
mod trust_region;

pub use covariance::{Covariance, CovarianceError, CovarianceOptions};
pub use error::SolveError;
pub use independent::{ComponentRecord, IndependentReport, Outcome};
pub use options::{FALLBACK_THRESHOLD, LinearSolverKind, Precision, SolverOptions};
pub use report::{DeviceSummary, GroupSummary, IterationRecord, Progress, SolverReport, StageTimes, Termination};

#[cfg(not(target_arch = "wasm32"))]
pub(crate) use threads::on_threads;

pub use normal_equations::NormalEquations;

use crate::problem::Problem;
use std::ops::ControlFlow;

impl Problem {
    /// Minimises ½ Σ ρᵢ(‖rᵢ‖²) from the present parameters, and leaves the parameters at the best accepted point. In a browser, where
    /// nothing may block, there is [`Problem::solve_async`] in its place.
    ///
    /// # Errors
    /// If there is nothing to solve, the backend cannot be had, the start point gives a residual that is not finite, or memory
    /// does not suffice. The parameters are then at the best point accepted until there.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn solve(&mut self, options: &SolverOptions) -> Result<SolverReport, SolveError> {
        self.solve_with(options, |_| ControlFlow::Continue(()))
    }

    /// As [`Problem::solve`]; `callback` sees every iteration, rejected ones too, and may stop the solve.
    ///
    /// # Errors
    /// As [`Problem::solve`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn solve_with(
        &mut self,
        options: &SolverOptions,
        mut callback: impl FnMut(&IterationRecord) -> ControlFlow<()> + Send,
    ) -> Result<SolverReport, SolveError> {
        let callback = async |progress: Progress<'_>| callback(progress.record);
        if run::is_one_piece(self, options) {
            return pollster::block_on(run::run(self, options, callback));
        }
        on_threads(options, || pollster::block_on(run::run(self, options, callback)))?
    }

    /// [`Problem::solve_with`] for the browser, and for programs that show the solution as it forms: `callback` also sees the accepted
    /// point, and is awaited before the solve goes on.
    ///
    /// Outside browsers each turn computes on the thread that polls it and on the rayon pool it belongs to, whatever
    /// [`SolverOptions::threads`] says, and waits for a GPU there.
    ///
    /// ```
    /// # use isograd::{Problem, SolverOptions};
    /// # use std::ops::ControlFlow;
    /// # pollster::block_on(async {
    /// let mut problem = Problem::new();
    /// let x = problem.add_parameter_block(&[2.0])?;
    /// problem.add_residual(&[x], |x| x[0][0] * x[0][0] - 2.0)?;
    /// let (options, mut path) = (SolverOptions::default(), Vec::new());
    /// let solve = problem.solve_async(&options, async |progress| {
    ///     path.push(progress.parameters[0]);
    ///     ControlFlow::Continue(())
    /// });
    /// solve.await?;
    /// assert_eq!(path[0], 2.0);
    /// assert!((path[path.len() - 1] - 2f64.sqrt()).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`Problem::solve`].
    pub async fn solve_async(
        &mut self,
        options: &SolverOptions,
        callback: impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<SolverReport, SolveError> {
        run::run(self, options, callback).await
    }
}

#[cfg(test)]
mod tests;
