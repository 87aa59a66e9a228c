//! The convergence plot of a report.

use crate::picture::{Picture, PictureError, Run, Step, plot_convergence};
use isograd::SolverReport;

const SIZE: (usize, usize) = (1200, 900);

/// Cost and gradient norm against the iteration.
///
/// # Errors
/// If the plot cannot be drawn.
pub fn convergence(title: &str, report: &SolverReport) -> Result<Picture, PictureError> {
    let steps: Vec<Step> = report
        .iterations
        .iter()
        .map(|record| Step {
            iteration: record.iteration,
            cost: if record.accepted { record.cost } else { record.cost - record.cost_change },
            gradient_norm: Some(record.gradient_max_norm),
            accepted: record.accepted,
        })
        .collect();
    // The solver's name without its figures, which would fill the legend.
    let name = report.linear_solver.split(" (").next().unwrap_or_default();
    plot_convergence(title, &[Run { name, steps: &steps }], SIZE.0, SIZE.1)
}
