//! Adjust cameras and points, and show them before and after.
//!
//! `project` says where cameras stand and how far off their pixels are, `view` from where to look at them, `show` draws and writes.

mod project;
mod show;
mod view;

use crate::cli::{Files, Method, Solver};
use crate::console::Console;
use crate::output::{Names, Outcome, Summary, write_report};
use crate::run;
use anyhow::Context;
use isograd::SolverReport;
use isograd::io::BalProblem;
use isograd::models::BundleProblem;
use project::Reprojection;
use serde::Serialize;

/// A bundle adjustment, and how to look at it.
pub struct Task {
    /// What it is called.
    pub names: Names,
    /// Cameras and points at the start.
    pub data: BalProblem,
    /// From where to look, in degrees from the front.
    pub azimuth: f64,
}

/// Cameras and points at the start and at the end, and their pixel errors.
struct Solved {
    states: [BalProblem; 2],
    errors: [Reprojection; 2],
    report: SolverReport,
}

/// The summary with what only a bundle adjustment has.
#[derive(Serialize)]
struct BundleSummary<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    cameras: usize,
    points: usize,
    observations: usize,
    loss: String,
    /// Root mean square distance of pixels from where they were seen, without the loss.
    initial_rms_pixels: f64,
    final_rms_pixels: f64,
}

/// Solves the task and writes everything there is to see.
///
/// # Errors
/// If the problem cannot be stated or solved, or a file not written.
pub fn adjust(
    task: Task,
    method: &Method,
    solver: &Solver,
    files: &Files,
    console: Console,
) -> anyhow::Result<Outcome> {
    let options = run::options_with(solver, method);
    run::check_backend(options.backend)?;
    let Task { names, data, azimuth } = task;
    let mut bundle = BundleProblem::new(&data).with_context(|| names.problem.clone())?;
    method.loss.apply(&mut bundle.problem, bundle.observations.clone())?;
    let folder = run::folder(files, &names.folder)?;

    let (cameras, points, observations) = (data.cameras.len(), data.points.len(), data.observations.len());
    let size = format!("{cameras} cameras, {points} points");
    console.say(format_args!("{}: {size}, {observations} observations, loss {}\n", names.problem, method.loss))?;
    let report = run::with_progress(&options, console, |callback| bundle.problem.solve_with(&options, callback))
        .with_context(|| names.problem.clone())?;
    let mut adjusted = data.clone();
    bundle.copy_to(&mut adjusted);
    let errors = [&data, &adjusted].map(Reprojection::of);
    let solved = Solved { states: [data, adjusted], errors, report };

    let [initial_rms_pixels, final_rms_pixels] = [&solved.errors[0], &solved.errors[1]].map(Reprojection::rms);
    let report = &solved.report;
    let summary = BundleSummary {
        summary: Summary::new(names.demo, &names.problem, report),
        cameras,
        points,
        observations,
        loss: method.loss.to_string(),
        initial_rms_pixels,
        final_rms_pixels,
    };
    let figures = format!(
        "Reprojection error, root mean square: {initial_rms_pixels:.5e} before, {final_rms_pixels:.5e} after, in pixels"
    );
    let text = format!("{}\n\n{report}\n\n{figures}\n", report.iteration_table());
    console.say(&text)?;
    run::note_precision(console, options.precision, report.precision)?;
    if let Some(mut folder) = folder {
        show::write(&mut folder, &names.title, &solved, azimuth)?;
        write_report(&mut folder, &names.title, &text, &summary, report)?;
        console.say(&folder)?;
    }
    Ok(Outcome::new(size, report, &summary)?)
}
