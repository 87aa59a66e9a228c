//! Make a mesh developable, and show what became of it.
//!
//! The library's driver goes from coarse to fine in rounds, each a solve. `rounds` remembers which solve was which, `figures`
//! sums them up as text and as JSON, `show` draws the pictures and writes the meshes.

mod figures;
mod rounds;
mod show;

use crate::cli::{Results, Solver};
use crate::console::Console;
use crate::output::Names;
use crate::picture::SolveProgress;
use crate::run;
use anyhow::Context;
use figures::Figures;
use isograd::SolverOptions;
use isograd::mesh::energy::{Developable, DevelopableOptions};
use rounds::Rounds;
use serde_json::json;
use std::ops::ControlFlow;
use std::time::Instant;

/// A way to developability, and what it is called.
pub struct Task {
    /// What it is called.
    pub names: Names,
    /// Mesh and options.
    pub driver: Developable,
    /// Subdivisions that the coarsest mesh has already.
    pub first_level: usize,
}

/// The driver's defaults, with what the command line says.
pub fn options(solver: &Solver) -> DevelopableOptions {
    let defaults = DevelopableOptions::default();
    let solver = SolverOptions {
        backend: solver.backend.into(),
        precision: solver.precision.into(),
        threads: solver.threads,
        max_iterations: solver.max_iterations.unwrap_or(defaults.solver.max_iterations),
        ..defaults.solver
    };
    DevelopableOptions { solver, ..defaults }
}

/// Goes all the way and writes everything there is to see.
///
/// # Errors
/// If a round cannot be solved, or a file not written.
pub fn develop(task: &Task, solver: &Solver, results: &Results) -> anyhow::Result<()> {
    let console = Console::new(results.files.json);
    let (names, driver) = (&task.names, &task.driver);
    // First what can fail at once: a run should not end in a folder that cannot be written.
    run::check_backend(driver.options.solver.backend)?;
    let folder = run::folder(&results.files, &names.folder)?;
    if let Some(finest) = driver.levels.last() {
        let (vertices, faces) = (finest.vertex_count(), finest.face_count());
        console.say(format_args!("{}: {vertices} vertices, {faces} faces\n", names.problem))?;
    }

    let began = Instant::now();
    let mut rounds = Rounds::new(task);
    let progress = SolveProgress::new(rounds.most_iterations(), console.is_json());
    let run = driver.run(|iteration| {
        rounds.see(iteration);
        let record = iteration.record;
        let step = (record.iteration > 0).then_some(record.step_norm);
        progress.update(rounds.position(iteration), record.cost, Some(record.gradient_max_norm), step);
        ControlFlow::Continue(())
    });
    drop(progress);
    let result = run.with_context(|| names.problem.clone())?;
    let last = result.reports.last().with_context(|| format!("{}: there was no round to solve", names.problem))?;
    let rows = rounds.rows(&result.reports);

    // Before pictures are drawn: their memory is not the solver's.
    let figures = Figures::new(task, &result, last, began.elapsed());
    let table = rounds::table(&rows);
    let text = format!("{table}\n\n{figures}\n\nThe last round:\n\n{}\n\n{last}\n", last.iteration_table());
    console.say(&text)?;
    run::note_precision(console, solver.precision.into(), last.precision)?;
    if let Some(mut folder) = folder {
        show::write(&mut folder, task, &result, results.azimuth)?;
        let plot = rounds::convergence(&names.title, &rows, &result.reports)?;
        folder.write("convergence.png", |path| Ok(plot.save_png(path)?))?;
        folder.write("report.txt", |path| Ok(std::fs::write(path, &text)?))?;
        let whole = json!({ "summary": figures.summary, "rounds": rows, "report": last });
        let whole = serde_json::to_string_pretty(&whole)?;
        folder.write("report.json", |path| Ok(std::fs::write(path, &whole)?))?;
        console.say(&folder)?;
    }
    console.json(&figures.summary)?;
    Ok(())
}
