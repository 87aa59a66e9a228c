//! A drawing of points, lines and circles whose constraints are solved for, as in a CAD program.
//!
//! `drawing` has the constraints, `cases` what is drawn, `freedom` what the constraints leave open and which contradict each other, and
//! `show` draws it.

mod cases;
mod drawing;
mod freedom;
mod show;

use crate::cli::{Case, Files, Solver};
use crate::console::Console;
use crate::output::{Summary, write_report};
use crate::run;
use freedom::Freedom;
use isograd::{Problem, ProblemError};
use serde::Serialize;

/// The summary with what only a drawing has.
#[derive(Serialize)]
struct SketchSummary<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    unknowns: usize,
    constraints: usize,
    rank: usize,
    degrees_of_freedom: usize,
    /// Constraints beyond the rank: they repeat others, or contradict them.
    redundant: usize,
    conflicting: Vec<&'a str>,
}

/// The constraints of a drawing, at its start.
///
/// # Errors
/// If a number in it is not finite.
pub fn problem(case: Case) -> Result<Problem, ProblemError> {
    Ok(cases::drawing(case)?.problem)
}

/// Solves the constraints of a drawing and writes everything there is to see.
///
/// # Errors
/// If the drawing cannot be solved, or a file not written.
pub fn solve(case: Case, solver: &Solver, files: &Files, console: Console) -> anyhow::Result<()> {
    let options = run::options(solver);
    run::check_backend(options.backend)?;
    let name = case.name();
    let folder = run::folder(files, &format!("sketch-{name}"))?;
    let mut drawing = cases::drawing(case)?;
    let start = drawing.shape();
    let problem = format!("sketch:{name}");
    console.say(format_args!("{problem}: {} constraints\n", drawing.names.len()))?;
    let report = run::with_progress(&options, console, |callback| drawing.problem.solve_with(&options, callback))?;
    let end = drawing.shape();
    let freedom = Freedom::of(&drawing)?;

    let conflicting: Vec<&str> = freedom.conflicting.iter().map(|&k| drawing.names[k].as_str()).collect();
    let summary = SketchSummary {
        summary: Summary::new("sketch", &problem, &report),
        unknowns: freedom.unknowns,
        constraints: drawing.names.len(),
        rank: freedom.rank,
        degrees_of_freedom: freedom.unknowns - freedom.rank,
        redundant: drawing.names.len() - freedom.rank,
        conflicting,
    };
    let text = format!("{}\n\n{report}\n\n{}", report.iteration_table(), freedom.describe(&drawing.names));
    console.say(&text)?;
    run::note_precision(console, options.precision, report.precision)?;
    if let Some(mut folder) = folder {
        show::write(&mut folder, name, [&start, &end], &freedom)?;
        write_report(&mut folder, &format!("sketch: {name}"), &text, &summary, &report)?;
        console.say(&folder)?;
    }
    console.json(&summary)?;
    Ok(())
}
