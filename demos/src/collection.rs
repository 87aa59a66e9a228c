//! One file, or a folder of files: each solved by itself, and a table of all.

use crate::cli::Files;
use crate::console::Console;
use crate::failure::{Failure, one_line, told};
use crate::output::{Outcome, default_folder, file_and_stem};
use anyhow::{Context, bail};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The last line of a folder's JSON.
#[derive(Debug, Serialize)]
struct FolderSummary<'a> {
    demo: &'a str,
    folder: String,
    files: usize,
    solved: usize,
    failed: usize,
    converged: usize,
    total_s: f64,
}

/// Solves the file at `path` and prints its JSON line; or, if that is a folder, each file in it, and prints a table.
///
/// # Errors
/// If the file cannot be solved, or any file of the folder; then the others have been solved nevertheless.
pub fn solve(
    demo: &str,
    path: &Path,
    files: &Files,
    mut solve_file: impl FnMut(&Path, &Files, Console) -> anyhow::Result<Outcome>,
) -> anyhow::Result<()> {
    let console = Console::new(files.json);
    if !path.is_dir() {
        let (name, _) = file_and_stem(path);
        let outcome = told(demo, &name, console, solve_file(path, files, console))?;
        return Ok(console.json_line(&outcome.json)?);
    }
    let began = Instant::now();
    let listed = listed(path).with_context(|| format!("listing the folder {}", path.display()))?;
    if listed.is_empty() {
        bail!("there are no files in the folder {}", path.display());
    }
    let name_of = |path: &PathBuf| file_and_stem(path).0;
    let width = listed.iter().map(|path| name_of(path).chars().count()).max().unwrap_or(0).max(4);
    let (mut failed, mut converged) = (0, 0);
    console.say(format_args!(
        "{:width$}  {:>34}  {:>12}  {:>12}  {:>5}  {:>8}  termination",
        "file", "size", "initial", "final", "iter", "seconds"
    ))?;
    for path in &listed {
        let name = name_of(path);
        // A folder of its own for each, also where two names differ by their extension only.
        let base = files.out.clone().unwrap_or_else(|| default_folder(demo));
        let own = Files { out: (!files.no_files).then(|| base.join(&name)), ..files.clone() };
        match solve_file(path, &own, console.muted()) {
            Ok(outcome) => {
                let Outcome { size, initial_cost, final_cost, iterations, seconds, termination, json } = &outcome;
                let end = termination.describe();
                console.say(format_args!(
                    "{name:width$}  {size:>34}  {initial_cost:>12.5e}  {final_cost:>12.5e}  {iterations:>5}  {seconds:>8.3}  {end}"
                ))?;
                console.json_line(json)?;
                converged += usize::from(termination.is_converged());
            }
            Err(error) if crate::failure::is_closed_pipe(&error) => return Err(error),
            Err(error) => {
                let error = one_line(&error);
                console.say(format_args!("{name:width$}  error: {error}"))?;
                console.json(&Failure { demo, problem: &name, error })?;
                failed += 1;
            }
        }
    }
    let total_s = began.elapsed().as_secs_f64();
    let (count, solved) = (listed.len(), listed.len() - failed);
    console.say(format_args!("{solved} of {count} files solved, {converged} converged, {total_s:.1} s in all"))?;
    let folder = path.display().to_string();
    console.json(&FolderSummary { demo, folder, files: count, solved, failed, converged, total_s })?;
    if failed > 0 {
        bail!("{failed} of {count} files could not be solved");
    }
    Ok(())
}

/// The files of a folder by name, but for hidden ones.
fn listed(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
