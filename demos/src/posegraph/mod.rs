//! Optimise a pose graph, and show it before and after.
//!
//! `graph` sees graphs in the plane and in space alike, `show` draws and writes.

mod graph;
mod show;

use crate::cli::{Files, Method, Solver};
use crate::console::Console;
use crate::output::{Names, Outcome, Summary, write_report};
use crate::run;
use anyhow::Context;
use graph::Shape;
use isograd::SolverReport;
use isograd::io::PoseGraph;
use isograd::models::PoseGraphProblem;
use serde::Serialize;
use std::fmt;

/// A pose graph, and how to look at it.
pub struct Task {
    /// What it is called.
    pub names: Names,
    /// The graph at the start.
    pub graph: PoseGraph,
    /// From where to look at one in space, in degrees from the front.
    pub azimuth: f64,
}

/// The graph at the start and at the end.
struct Solved {
    states: [PoseGraph; 2],
    report: SolverReport,
}

/// The summary with what only a pose graph has.
#[derive(Serialize)]
struct GraphSummary<'a> {
    #[serde(flatten)]
    summary: Summary<'a>,
    /// 2 for the plane, 3 for space.
    dimension: usize,
    poses: usize,
    edges: usize,
    loop_closures: usize,
    loss: String,
    /// Groups of poses that do not hang together with the first.
    detached_components: usize,
    detached_poses: usize,
}

/// Solves the task and writes everything there is to see.
///
/// # Errors
/// If the problem cannot be stated or solved, or a file not written.
pub fn optimize(
    task: Task,
    method: &Method,
    solver: &Solver,
    files: &Files,
    console: Console,
) -> anyhow::Result<Outcome> {
    let options = run::options_with(solver, method);
    run::check_backend(options.backend)?;
    let Task { names, graph, azimuth } = task;
    let mut stated = PoseGraphProblem::new(&graph).with_context(|| names.problem.clone())?;
    method.loss.apply(&mut stated.problem, stated.edges.clone())?;
    let folder = run::folder(files, &names.folder)?;

    let shape = Shape::of(&graph);
    let (poses, edges, loop_closures) = (shape.positions.len(), shape.edges.len(), shape.closures().count());
    let size = format!("{poses} poses, {edges} edges, {}D", shape.dimension);
    console.say(format_args!("{}: {size}, loss {}\n", names.problem, method.loss))?;
    let detached = Detached::of(&graph);
    if !detached.components.is_empty() {
        console.say(format_args!("note: {detached}\n"))?;
    }
    let report = run::with_progress(&options, console, |callback| stated.problem.solve_with(&options, callback))
        .with_context(|| names.problem.clone())?;
    let mut optimized = graph.clone();
    stated.copy_to(&mut optimized);
    let solved = Solved { states: [graph, optimized], report };

    let report = &solved.report;
    let summary = GraphSummary {
        summary: Summary::new(names.demo, &names.problem, report),
        dimension: shape.dimension,
        poses,
        edges,
        loop_closures,
        loss: method.loss.to_string(),
        detached_components: detached.components.len(),
        detached_poses: detached.components.iter().map(Vec::len).sum(),
    };
    let mut text = format!("{}\n\n{report}\n", report.iteration_table());
    if !detached.components.is_empty() {
        text += &format!("\nnote: {detached}\n");
    }
    console.say(&text)?;
    run::note_precision(console, options.precision, report.precision)?;
    if let Some(mut folder) = folder {
        show::write(&mut folder, &names.title, &solved, azimuth)?;
        write_report(&mut folder, &names.title, &text, &summary, report)?;
        console.say(&folder)?;
    }
    Ok(Outcome::new(size, report, &summary)?)
}

/// The poses that no edges connect with the first, by their names in the file.
struct Detached {
    components: Vec<Vec<u64>>,
}

/// So many components, and poses of each, are named.
const NAMED: usize = 4;

impl Detached {
    fn of(graph: &PoseGraph) -> Detached {
        let (components, ids) = match graph {
            PoseGraph::Se2(graph) => (graph.detached_components(), &graph.ids),
            PoseGraph::Se3(graph) => (graph.detached_components(), &graph.ids),
        };
        let named = |poses: &Vec<u32>| poses.iter().map(|&pose| ids[pose as usize]).collect();
        Detached { components: components.iter().map(named).collect() }
    }
}

impl fmt::Display for Detached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let poses: usize = self.components.iter().map(Vec::len).sum();
        let count = self.components.len();
        write!(f, "{poses} poses in {count} components are not connected to the first pose, so their place is free: ")?;
        for (k, component) in self.components.iter().take(NAMED).enumerate() {
            let names: Vec<String> = component.iter().take(NAMED).map(u64::to_string).collect();
            let more =
                if component.len() > NAMED { format!(", … ({} poses)", component.len()) } else { String::new() };
            write!(f, "{}{}{more}", if k > 0 { "; " } else { "" }, names.join(", "))?;
        }
        if count > NAMED { f.write_str("; …") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn detached_poses_are_named() {
        let text = "VERTEX_SE2 0 0 0 0\nVERTEX_SE2 1 1 0 0.1\nVERTEX_SE2 5 0 3 0\nVERTEX_SE2 6 1 3 0.2\n\
                    EDGE_SE2 0 1 1 0 0 1 0 0 1 0 1\nEDGE_SE2 5 6 1 0 0 1 0 0 1 0 1\n";
        let graph = isograd::io::parse_g2o(text.as_bytes(), "two parts").unwrap();
        let told = Detached::of(&graph).to_string();
        assert_eq!(told, "2 poses in 1 components are not connected to the first pose, so their place is free: 5, 6");
    }
}
