//! `sketch`: a small drawing and its constraints.

use crate::cli::Sketch;
use crate::console::Console;
use crate::sketch::solve;

pub(super) fn run(arguments: &Sketch) -> anyhow::Result<()> {
    solve(arguments.case, &arguments.solver, &arguments.files, Console::new(arguments.files.json))
}
