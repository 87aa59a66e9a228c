//! What every solve writes: the convergence plot, and the report as text and as JSON.

use super::{Folder, convergence};
use isograd::SolverReport;
use serde::Serialize;
use serde_json::json;

/// Writes `convergence.png`, `report.txt` and `report.json`.
///
/// # Errors
/// If a file cannot be written.
pub fn write_report(
    folder: &mut Folder,
    title: &str,
    text: &str,
    summary: &impl Serialize,
    report: &SolverReport,
) -> anyhow::Result<()> {
    let plot = convergence(title, report)?;
    folder.write("convergence.png", |path| Ok(plot.save_png(path)?))?;
    folder.write("report.txt", |path| Ok(std::fs::write(path, text)?))?;
    let whole = serde_json::to_string_pretty(&json!({ "summary": summary, "report": report }))?;
    folder.write("report.json", |path| Ok(std::fs::write(path, &whole)?))
}
