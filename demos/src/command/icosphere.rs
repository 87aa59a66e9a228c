//! `icosphere`: an energy of a subdivided icosahedron.

use crate::cli::Icosphere;
use crate::optimize::{Task, optimize};
use isograd::mesh::icosphere;

pub(super) fn run(arguments: &Icosphere) -> anyhow::Result<()> {
    let Icosphere { level, energy, .. } = arguments;
    let task = Task {
        demo: "icosphere",
        problem: format!("icosphere:{level}#{energy}"),
        title: format!("icosphere, level {level}"),
        folder: format!("icosphere-{level}-{energy}"),
        mesh: icosphere(*level)?,
        energy: *energy,
    };
    optimize(&task, &arguments.solver, &arguments.results)
}
