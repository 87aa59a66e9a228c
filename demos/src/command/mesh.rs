//! `mesh`: an energy of a mesh file.

use crate::cli::Mesh;
use crate::console::Console;
use crate::develop::{self, develop};
use crate::goal::Goal;
use crate::optimize::{Task, optimize};
use crate::output::Names;
use anyhow::Context;
use isograd::io::read_mesh;
use isograd::mesh::energy::Developable;
use std::path::Path;

pub(super) fn run(arguments: &Mesh) -> anyhow::Result<()> {
    let mesh = read_mesh(&arguments.file)?;
    let (file, stem) = names(&arguments.file);
    let diagnosis = mesh.diagnosis();
    if !diagnosis.is_clean() {
        Console::new(arguments.results.json).say(format_args!("{file}: {diagnosis}\n"))?;
    }
    let Mesh { energy, solver, results, .. } = arguments;
    let names = Names {
        demo: "mesh",
        problem: format!("mesh/{file}#{energy}"),
        folder: format!("mesh-{stem}-{energy}"),
        title: stem,
    };
    match *energy {
        Goal::Energy(energy) => optimize(&Task { names, mesh, energy }, solver, results),
        Goal::Developable => {
            let driver = Developable::new(&mesh, develop::options(solver)).context(names.problem.clone())?;
            develop(&develop::Task { names, driver, first_level: 0 }, solver, results)
        }
    }
}

/// The file's name, and the same without `.obj`, `.ply.gz` and the like.
fn names(path: &Path) -> (String, String) {
    let file = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let plain = file.strip_suffix(".gz").unwrap_or(&file);
    let stem = plain.rsplit_once('.').map_or(plain, |(stem, _)| stem).to_owned();
    (file, stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_extensions() {
        let pair = |file: &str, stem: &str| (file.to_owned(), stem.to_owned());
        assert_eq!(names(Path::new("a/cow.obj")), pair("cow.obj", "cow"));
        assert_eq!(names(Path::new("fan.disk.ply.gz")), pair("fan.disk.ply.gz", "fan.disk"));
    }
}
