//! `mesh`: an energy of a mesh file.

use crate::cli::Mesh;
use crate::console::Console;
use crate::develop::{self, develop};
use crate::failure::told;
use crate::goal::Goal;
use crate::optimize::{Task, optimize};
use crate::output::{Names, file_and_stem};
use anyhow::Context;
use isograd::io::read_mesh;
use isograd::mesh::energy::Developable;

pub(super) fn run(arguments: &Mesh) -> anyhow::Result<()> {
    let (file, stem) = file_and_stem(&arguments.file);
    let problem = format!("mesh/{file}#{}", arguments.energy);
    told("mesh", &problem, Console::new(arguments.results.files.json), solve(arguments, &problem, &file, stem))
}

fn solve(arguments: &Mesh, problem: &str, file: &str, stem: String) -> anyhow::Result<()> {
    let mesh = read_mesh(&arguments.file)?;
    let diagnosis = mesh.diagnosis();
    if !diagnosis.is_clean() {
        Console::new(arguments.results.files.json).say(format_args!("{file}: {diagnosis}\n"))?;
    }
    let Mesh { energy, solver, results, .. } = arguments;
    let names =
        Names { demo: "mesh", problem: problem.to_owned(), folder: format!("mesh-{stem}-{energy}"), title: stem };
    match *energy {
        Goal::Energy(energy) => optimize(&Task { names, mesh, energy }, solver, results),
        Goal::Developable => {
            let driver = Developable::new(&mesh, develop::options(solver)).context(names.problem.clone())?;
            develop(&develop::Task { names, driver, first_level: 0 }, solver, results)
        }
    }
}
