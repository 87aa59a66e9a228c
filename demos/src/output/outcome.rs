//! A solve of one file as a row of a table and as a line of JSON.

use isograd::{SolverReport, Termination};
use serde::Serialize;

/// What became of a file.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How large the problem is, in its own terms.
    pub size: String,
    /// Cost at the start.
    pub initial_cost: f64,
    /// Cost at the end.
    pub final_cost: f64,
    /// Iterations, rejected ones counted.
    pub iterations: usize,
    /// Seconds of the solve.
    pub seconds: f64,
    /// Why it stopped.
    pub termination: Termination,
    /// The summary, one line.
    pub json: String,
}

impl Outcome {
    /// Of a report and its summary.
    ///
    /// # Errors
    /// If the summary cannot be written as JSON.
    pub fn new(size: String, report: &SolverReport, summary: &impl Serialize) -> serde_json::Result<Outcome> {
        Ok(Outcome {
            size,
            initial_cost: report.initial_cost,
            final_cost: report.final_cost,
            iterations: report.iteration_count(),
            seconds: report.times_s.total,
            termination: report.termination,
            json: serde_json::to_string(summary)?,
        })
    }
}
