//! Fit a curve from the starting points of its file, and hold the result against the certified one.
//!
//! `drive` solves from each start with several first trust region radii, `estimate` compares parameters, `show` draws.

mod drive;
mod estimate;
mod show;

use crate::cli::{Files, Solver};
use crate::console::Console;
use crate::output::{Names, Outcome, Summary, write_report};
use crate::run;
use anyhow::Context;
use drive::{Fit, RADII};
use estimate::{Estimates, digits};
use isograd::io::NistProblem;
use isograd::{SolverOptions, Termination};
use serde::Serialize;

/// A regression, and where to begin.
pub struct Task {
    /// What it is called.
    pub names: Names,
    /// Model, data and certified values.
    pub data: NistProblem,
    /// Which of the file's starting points: 0, 1, or both.
    pub starts: Vec<usize>,
}

/// Most iterations, if the command line does not say: some of the problems lead through long, bent valleys.
const MAX_ITERATIONS: usize = 2000;
/// Beginning elsewhere is taken for better only if it lowers the cost by more than this, relative.
const BETTER: f64 = 1e-6;

/// The summary with what only a regression has.
#[derive(Serialize)]
struct FitSummary<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    observations: usize,
    /// The starting point of this fit, 1 or 2, and the first trust region radius that did best.
    start: usize,
    initial_trust_region_radius: f64,
    residual_sum_of_squares: f64,
    certified_residual_sum_of_squares: f64,
    /// Whether the certified parameters give the certified sum; if not, one of them is misprinted in the file.
    certified_consistent: bool,
    #[serde(flatten)]
    estimates: &'a Estimates,
    /// Each starting point that was tried.
    starts: Vec<StartSummary>,
}

/// What came of a starting point.
#[derive(Serialize)]
struct StartSummary {
    start: usize,
    initial_trust_region_radius: f64,
    initial_cost: f64,
    final_cost: f64,
    iterations: usize,
    termination: Termination,
}

impl StartSummary {
    fn of(fit: &Fit) -> Self {
        StartSummary {
            start: fit.start + 1,
            initial_trust_region_radius: fit.radius,
            initial_cost: fit.report.initial_cost,
            final_cost: fit.report.final_cost,
            iterations: fit.report.iteration_count(),
            termination: fit.report.termination,
        }
    }
}

/// Solves the task and writes everything there is to see.
///
/// # Errors
/// If the problem cannot be stated or solved, or a file not written.
pub fn fit(task: Task, solver: &Solver, files: &Files, console: Console) -> anyhow::Result<Outcome> {
    let options = SolverOptions {
        function_tolerance: 0.0,
        gradient_tolerance: 0.0,
        parameter_tolerance: 1e-15,
        max_iterations: solver.max_iterations.unwrap_or(MAX_ITERATIONS),
        ..run::options(solver)
    };
    run::check_backend(options.backend)?;
    let Task { names, data, starts } = task;
    let folder = run::folder(files, &names.folder)?;

    let (parameters, observations) = (data.parameters.len(), data.observations().len());
    let size = format!("{parameters} parameters, {observations} observations");
    let level = format!("{:?}", data.level).to_lowercase();
    console.say(format_args!(
        "{}: {size}, {level} level of difficulty\n{} = {}\n",
        names.problem, data.response, data.model
    ))?;
    let fits: Vec<Fit> = starts
        .iter()
        .map(|&start| drive::best(&data, start, &options, console))
        .collect::<anyhow::Result<_>>()
        .with_context(|| names.problem.clone())?;
    // The first start speaks for all, unless another one found more.
    let better = |a: usize, b: usize| fits[b].report.final_cost < fits[a].report.final_cost * (1.0 - BETTER);
    let chosen = (1..fits.len()).fold(0, |best, k| if better(best, k) { k } else { best });
    let chosen = fits.get(chosen).context("there is no starting point")?;

    let report = &chosen.report;
    let estimates = Estimates::of(&data, chosen);
    let sum = 2.0 * report.final_cost;
    let summary = FitSummary {
        summary: Summary::new(names.demo, &names.problem, report),
        observations,
        start: chosen.start + 1,
        initial_trust_region_radius: chosen.radius,
        residual_sum_of_squares: sum,
        certified_residual_sum_of_squares: data.residual_sum_of_squares,
        certified_consistent: estimate::is_consistent(&data),
        estimates: &estimates,
        starts: fits.iter().map(StartSummary::of).collect(),
    };
    let mut text = format!("{}\n\n{report}\n\n", report.iteration_table());
    let radii = RADII.map(|radius| format!("{radius:.0e}")).join(", ");
    text += &format!("Each start was solved with the initial trust region radii {radii}; the best of them counts.\n");
    for start in &summary.starts {
        let StartSummary { start, initial_trust_region_radius: radius, final_cost, iterations, termination, .. } =
            start;
        let end = termination.describe();
        text += &format!(
            "Start {start}: radius {radius:.0e}, cost {final_cost:.10e} after {iterations} iterations. {end}.\n"
        );
    }
    text += &format!("The report above and the estimates are those of start {}.\n\n{estimates}", chosen.start + 1);
    let certified = data.residual_sum_of_squares;
    let agreed = digits(sum, certified);
    text += &format!("{:<10}  {sum:>17.10e}  {:>14}  {certified:>17.10e}  {agreed:>6.1}\n", "Σ r²", "");
    if !summary.certified_consistent {
        text +=
            "note: the certified values of the file do not give its certified Σ r²; one of them is misprinted there\n";
    }
    console.say(&text)?;
    run::note_precision(console, options.precision, report.precision)?;
    if let Some(mut folder) = folder {
        show::write(&mut folder, &names.title, &data, &fits, chosen)?;
        write_report(&mut folder, &names.title, &text, &summary, report)?;
        console.say(&folder)?;
    }
    Ok(Outcome::new(size, report, &summary)?)
}
