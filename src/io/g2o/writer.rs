//! Graph to text.

use std::io::Write;
use std::path::Path;

use super::space::{SE2, SE3, Space};
use super::{PoseGraph, Poses};
use crate::io::gzip::to_file;
use crate::io::write_error::WriteError;

/// Writes a pose graph to a file, gzipped where its name ends in `.gz`.
///
/// # Errors
/// [`WriteError`]: the file cannot be written, a number is not finite, an edge names a pose that is not there, or an information
/// matrix is not symmetric.
pub fn write_g2o(path: impl AsRef<Path>, graph: &PoseGraph) -> Result<(), WriteError> {
    to_file(path.as_ref(), |out| write_g2o_to(out, graph))
}

/// Writes a pose graph. Every number of a graph that was read reads back as the same number.
///
/// # Errors
/// As [`write_g2o`].
pub fn write_g2o_to(mut out: impl Write, graph: &PoseGraph) -> Result<(), WriteError> {
    match graph {
        PoseGraph::Se2(graph) => write_poses(&mut out, graph, &SE2),
        PoseGraph::Se3(graph) => write_poses(&mut out, graph, &SE3),
    }
}

fn write_poses<const N: usize, const D: usize>(
    out: &mut impl Write,
    graph: &Poses<N, D>,
    space: &Space<N>,
) -> Result<(), WriteError> {
    check(graph)?;
    for (id, pose) in graph.ids.iter().zip(&graph.poses) {
        write!(out, "{} {id}", space.vertex)?;
        write_numbers(out, pose)?;
    }
    for &index in &graph.fixed {
        writeln!(out, "FIX {}", graph.ids[index as usize])?;
    }
    for edge in &graph.edges {
        write!(out, "{} {} {}", space.edge, graph.ids[edge.from as usize], graph.ids[edge.to as usize])?;
        let upper = (0..D).flat_map(|row| edge.information[row][row..].iter());
        write_numbers(out, edge.measurement.iter().chain(upper))?;
    }
    Ok(())
}

/// The fields of a graph are public, so it may have been changed since it was read.
fn check<const N: usize, const D: usize>(graph: &Poses<N, D>) -> Result<(), WriteError> {
    let is_infinite = |numbers: &[f64]| numbers.iter().any(|number| !number.is_finite());
    let count = graph.poses.len();
    if graph.ids.len() != count {
        return Err(WriteError::IdCount { ids: graph.ids.len(), poses: count });
    }
    if let Some(index) = graph.poses.iter().position(|pose| is_infinite(pose)) {
        return Err(WriteError::NonFinite { what: "pose", index });
    }
    let fixed = graph.fixed.iter().enumerate().map(|(number, &index)| ("FIX line", number, index));
    let ends = graph.edges.iter().enumerate().flat_map(|(k, edge)| [("edge", k, edge.from), ("edge", k, edge.to)]);
    if let Some((user, number, index)) = fixed.chain(ends).find(|&(_, _, index)| index as usize >= count) {
        return Err(WriteError::BadIndex { user, number, what: "pose", index, count });
    }
    for (index, edge) in graph.edges.iter().enumerate() {
        if is_infinite(&edge.measurement) || is_infinite(edge.information.as_flattened()) {
            return Err(WriteError::NonFinite { what: "edge", index });
        }
        let mut pairs = (0..D).flat_map(|row| (0..row).map(move |column| (row, column)));
        if pairs.any(|(row, column)| edge.information[row][column] != edge.information[column][row]) {
            return Err(WriteError::Asymmetric { edge: index });
        }
    }
    Ok(())
}

/// The rest of a line.
fn write_numbers<'a>(out: &mut impl Write, numbers: impl IntoIterator<Item = &'a f64>) -> Result<(), WriteError> {
    for number in numbers {
        // The debug format is the shortest that reads back alike.
        write!(out, " {number:?}")?;
    }
    writeln!(out)?;
    Ok(())
}
