//! Minimise the energy of a mesh by one solve, and show start and result.
//!
//! `drive` states and solves the problem, `measure` gives each vertex the number that its colour shows, `show` draws the
//! pictures and writes the meshes.

mod drive;
mod measure;
mod show;

use crate::cli::{Results, Solver};
use crate::console::Console;
use crate::output::{Names, Summary, write_report};
use crate::run;
use anyhow::Context;
use isograd::mesh::Mesh;
use isograd::mesh::energy::Energy;

pub use drive::{Solved, drive};
pub use measure::{Errors, Measure};

/// A mesh and its energy.
pub struct Task {
    /// What they are called.
    pub names: Names,
    /// The mesh as it was made or read.
    pub mesh: Mesh,
    /// The energy.
    pub energy: Energy,
}

/// Solves the task and writes everything there is to see.
///
/// # Errors
/// If the problem cannot be stated or solved, or a file not written.
pub fn optimize(task: &Task, solver: &Solver, results: &Results) -> anyhow::Result<()> {
    let console = Console::new(results.files.json);
    let options = run::options(solver);
    // First what can fail at once: a solve should not end in a folder that cannot be written.
    run::check_backend(options.backend)?;
    let names = &task.names;
    let folder = run::folder(&results.files, &names.folder)?;

    let (vertices, faces) = (task.mesh.vertex_count(), task.mesh.face_count());
    console.say(format_args!("{}: {vertices} vertices, {faces} faces\n", names.problem))?;
    let solved = run::with_progress(&options, console, |callback| drive(task.energy, &task.mesh, &options, callback))
        .with_context(|| names.problem.clone())?;
    let report = &solved.report;
    // Before pictures are drawn: their memory is not the solver's.
    let summary = Summary::new(names.demo, &names.problem, report);
    let text = format!("{}\n\n{report}\n", report.iteration_table());
    console.say(&text)?;
    run::note_precision(console, options.precision, report.precision)?;
    if let Some(mut folder) = folder {
        show::write(&mut folder, task, &solved, results.azimuth)?;
        let title = format!("{}: {}", names.title, task.energy);
        write_report(&mut folder, &title, &text, &summary, report)?;
        console.say(&folder)?;
    }
    console.json(&summary)?;
    Ok(())
}
