//! `sketch`: a small drawing and its constraints.

use crate::cli::Sketch;
use crate::console::Console;
use crate::failure::told;
use crate::sketch::solve;

pub(super) fn run(arguments: &Sketch) -> anyhow::Result<()> {
    let console = Console::new(arguments.files.json);
    let solved = solve(arguments.case, &arguments.solver, &arguments.files, console);
    told("sketch", &format!("sketch:{}", arguments.case.name()), console, solved)
}
