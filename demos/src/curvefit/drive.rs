//! Solving a regression from a start.

use crate::console::Console;
use crate::run::with_progress;
use anyhow::Context;
use isograd::io::NistProblem;
use isograd::models::CurveProblem;
use isograd::solver::CovarianceOptions;
use isograd::{SolverOptions, SolverReport};

/// First trust region radii to try: hard problems leave for good where the first step is too bold, or too shy.
pub(super) const RADII: [f64; 3] = [1e4, 1.0, 1e-4];

/// A regression solved.
pub(super) struct Fit {
    /// Which starting point, from 0.
    pub start: usize,
    /// First trust region radius.
    pub radius: f64,
    pub report: SolverReport,
    pub parameters: Vec<f64>,
    /// Square roots of the diagonal of (JᵀJ)⁻¹, or why there are none.
    pub deviations: Result<Vec<f64>, String>,
}

/// The best of the solves from a start, one a radius.
pub(super) fn best(data: &NistProblem, start: usize, options: &SolverOptions, console: Console) -> anyhow::Result<Fit> {
    let mut best: Option<Fit> = None;
    let mut fault = None;
    for radius in RADII {
        match solve(data, start, radius, options, console) {
            Ok(fit) if best.as_ref().is_none_or(|best| fit.report.final_cost < best.report.final_cost) => {
                best = Some(fit)
            }
            Ok(_) => {}
            Err(error) => fault = Some(error),
        }
    }
    // A radius may lead where nothing can be evaluated, as long as another one does not.
    match (best, fault) {
        (Some(fit), _) => Ok(fit),
        (None, Some(fault)) => Err(fault),
        (None, None) => None.context("no trust region radius was tried"),
    }
}

fn solve(
    data: &NistProblem,
    start: usize,
    radius: f64,
    options: &SolverOptions,
    console: Console,
) -> anyhow::Result<Fit> {
    let mut curve = CurveProblem::new(data, &data.start(start))?;
    let options = SolverOptions { initial_trust_region_radius: radius, ..options.clone() };
    let report = with_progress(&options, console, |callback| curve.problem.solve_with(&options, callback))?;
    let block = curve.parameters;
    let covariance = curve.problem.covariance(&[(block, block)], &CovarianceOptions::default());
    let deviations = match covariance {
        Ok(covariance) => {
            covariance.standard_deviations(block).ok_or_else(|| "the covariance has no such block".to_owned())
        }
        Err(error) => Err(error.to_string()),
    };
    Ok(Fit { start, radius, report, parameters: curve.problem.parameter_block(block).to_vec(), deviations })
}
