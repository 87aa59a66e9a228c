//! A solve in one JSON object. Its fields are relied upon by name; new ones go to the end.

use super::peak_rss_bytes;
use isograd::solver::StageTimes;
use isograd::{Backend, Precision, SolverReport, Termination};
use serde::Serialize;

/// A solve in figures.
#[derive(Debug, Clone, Serialize)]
pub struct Summary<'a> {
    /// The subcommand.
    pub demo: &'a str,
    /// Name of the problem.
    pub problem: &'a str,
    /// Where it ran.
    pub backend: Backend,
    /// The device in words.
    pub device: &'a str,
    /// Number format of the kernels.
    pub precision: Precision,
    /// Scalar parameters.
    pub parameters: usize,
    /// Scalar residuals.
    pub residuals: usize,
    /// Groups of residuals, each with a kernel.
    pub groups: usize,
    /// Iterations, rejected ones counted and the start not.
    pub iterations: usize,
    /// Cost at the start.
    pub initial_cost: f64,
    /// Cost at the end.
    pub final_cost: f64,
    /// Why it stopped.
    pub termination: Termination,
    /// Where the time went, in seconds.
    pub times_s: SummaryTimes,
    /// Largest resident set of the process so far; null where unknown.
    pub peak_rss_bytes: Option<u64>,
    /// Whether the minimiser found what it was looking for.
    pub converged: bool,
    /// Accepted steps.
    pub accepted_steps: usize,
    /// The linear solver.
    pub linear_solver: &'a str,
    /// Why this one.
    pub linear_solver_reason: &'a str,
    /// Threads.
    pub threads: usize,
    /// Why this backend.
    pub backend_reason: &'a str,
    /// The end in words.
    pub message: &'a str,
}

/// Stages of a solve in seconds.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SummaryTimes {
    /// Recording and grouping the residuals.
    pub trace: f64,
    /// Programs, derivatives and code.
    pub compile: f64,
    /// Residuals, and residuals with Jacobian.
    pub evaluate: f64,
    /// Solving for the steps.
    pub linear_solve: f64,
    /// All of it.
    pub total: f64,
    /// Structure of JᵀJ and symbolic factorisation; null where a device did without.
    pub analyse: Option<f64>,
    /// Filling JᵀJ and Jᵀr; null where it is part of what a device evaluates.
    pub normal_equations: Option<f64>,
    /// All iterations on a device as the host saw them; null where the solve was not on one.
    pub device_loop: Option<f64>,
}

impl<'a> Summary<'a> {
    /// Sums up a report.
    pub fn new(demo: &'a str, problem: &'a str, report: &'a SolverReport) -> Self {
        Summary {
            demo,
            problem,
            backend: report.backend.backend,
            device: &report.backend.device,
            precision: report.precision,
            parameters: report.parameters.0,
            residuals: report.residuals,
            groups: report.groups.len(),
            iterations: report.iteration_count(),
            initial_cost: report.initial_cost,
            final_cost: report.final_cost,
            termination: report.termination,
            times_s: SummaryTimes::from(&report.times_s),
            peak_rss_bytes: peak_rss_bytes(),
            converged: report.termination.is_converged(),
            accepted_steps: report.accepted_steps(),
            linear_solver: &report.linear_solver,
            linear_solver_reason: &report.linear_solver_reason,
            threads: report.threads,
            backend_reason: &report.backend.reason,
            message: &report.message,
        }
    }
}

impl From<&StageTimes> for SummaryTimes {
    fn from(times: &StageTimes) -> Self {
        let on_device = times.device_loop > 0.0;
        SummaryTimes {
            trace: times.trace,
            compile: times.compile,
            evaluate: times.evaluate,
            linear_solve: times.linear_solve,
            total: times.total,
            analyse: (!on_device).then_some(times.analyse),
            normal_equations: (!on_device).then_some(times.normal_equations),
            device_loop: on_device.then_some(times.device_loop),
        }
    }
}
