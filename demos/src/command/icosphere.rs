//! `icosphere`: an energy of a subdivided icosahedron.

use crate::cli::Icosphere;
use crate::console::Console;
use crate::develop::{self, develop};
use crate::failure::told;
use crate::goal::Goal;
use crate::optimize::{Task, optimize};
use crate::output::Names;
use isograd::mesh::energy::Developable;
use isograd::mesh::icosphere;

pub(super) fn run(arguments: &Icosphere) -> anyhow::Result<()> {
    let problem = format!("icosphere:{}#{}", arguments.level, arguments.energy);
    told("icosphere", &problem, Console::new(arguments.results.files.json), solve(arguments, &problem))
}

fn solve(arguments: &Icosphere, problem: &str) -> anyhow::Result<()> {
    let Icosphere { level, energy, solver, results } = arguments;
    let names = Names {
        demo: "icosphere",
        problem: problem.to_owned(),
        title: format!("icosphere, level {level}"),
        folder: format!("icosphere-{level}-{energy}"),
    };
    // The driver too would refuse a level that is too high, but after making all those below.
    let mesh = icosphere(*level)?;
    match *energy {
        Goal::Energy(energy) => optimize(&Task { names, mesh, energy }, solver, results),
        Goal::Developable => {
            let driver = Developable::icosphere(*level, develop::options(solver))?;
            let first_level = *level as usize + 1 - driver.levels.len();
            develop(&develop::Task { names, driver, first_level }, solver, results)
        }
    }
}
