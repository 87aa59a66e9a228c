//! `bundle`: cameras and points of a file, of a folder of files, or made up.

use crate::bundle::{Task, adjust};
use crate::cli::Bundle;
use crate::collection;
use crate::console::Console;
use crate::failure::told;
use crate::output::{Names, file_and_stem};
use isograd::io::{BalProblem, read_bal};

pub(super) fn run(arguments: &Bundle) -> anyhow::Result<()> {
    let Bundle { file, synthetic, seed, method, solver, results } = arguments;
    let suffix = method.loss.suffix();
    let names = |problem: String, title: String| Names {
        demo: "bundle",
        problem: format!("{problem}{suffix}"),
        folder: format!("bundle-{title}{}", suffix.replace(['#', ':'], "-")),
        title,
    };
    let azimuth = results.azimuth;
    if let Some([cameras, points, per_point]) = synthetic.as_deref().and_then(|sizes| sizes.first_chunk()) {
        let name = format!("{cameras}-{points}-{per_point}-seed{seed}");
        let names = names(format!("synthetic:{cameras}:{points}:{per_point}:{seed}"), format!("synthetic-{name}"));
        let console = Console::new(results.files.json);
        let problem = names.problem.clone();
        let solve = || {
            let data = BalProblem::synthetic(*cameras, *points, *per_point, *seed)?;
            adjust(Task { names, data, azimuth }, method, solver, &results.files, console)
        };
        let outcome = told("bundle", &problem, console, solve())?;
        return Ok(console.json_line(&outcome.json)?);
    }
    // The command line has one of the two.
    let Some(file) = file else { return Ok(()) };
    collection::solve("bundle", file, &results.files, |path, files, console| {
        let data = read_bal(path)?;
        let (file, stem) = file_and_stem(path);
        let names = names(format!("bal/{file}"), stem);
        adjust(Task { names, data, azimuth }, method, solver, files, console)
    })
}
