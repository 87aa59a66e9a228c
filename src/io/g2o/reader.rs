//! Text to vertices and edges by id.

use super::PoseGraph;
use super::assembly::{EdgeLine, GraphLines, VertexLine};
use super::error::PoseGraphError;
use super::information::cholesky;
use super::space::{SE2, SE3, Space};
use crate::io::read_error::{Fault, FilePosition};
use crate::io::text::{Lines, Words, quoted};

pub(super) fn parse(bytes: &[u8]) -> Result<PoseGraph, Fault> {
    let lines = Lines::new(bytes);
    if is_spatial(lines.clone()) {
        Ok(PoseGraph::Se3(parse_lines::<7, 6>(lines, &SE3, [SE2.vertex, SE2.edge])?))
    } else {
        Ok(PoseGraph::Se2(parse_lines::<3, 3>(lines, &SE2, [SE3.vertex, SE3.edge])?))
    }
}

/// What the first vertex or edge is.
fn is_spatial(mut lines: Lines<'_>) -> bool {
    while let Some(line) = lines.next_content() {
        let tag = line.words().next().unwrap_or_default();
        if [SE2.vertex, SE2.edge].iter().any(|t| t.as_bytes() == tag) {
            return false;
        }
        if [SE3.vertex, SE3.edge].iter().any(|t| t.as_bytes() == tag) {
            return true;
        }
    }
    false
}

fn parse_lines<const N: usize, const D: usize>(
    mut lines: Lines<'_>,
    space: &Space<N>,
    others: [&'static str; 2],
) -> Result<super::Poses<N, D>, Fault> {
    let mut graph = GraphLines::default();
    while let Some(line) = lines.next_content() {
        let mut words = line.words();
        let tag = words.next().unwrap_or_default();
        if tag == space.vertex.as_bytes() {
            graph.vertices.push(vertex(words, space, line.number)?);
        } else if tag == space.edge.as_bytes() {
            graph.edges.push(edge(words, space, line.number)?);
        } else if tag == b"FIX" {
            graph.fixed.push((words.number("the id of a vertex")?, line.number));
            while words.clone().next().is_some() {
                graph.fixed.push((words.number("the id of a vertex")?, line.number));
            }
        } else if let Some(found) = others.into_iter().find(|other| other.as_bytes() == tag) {
            let source = PoseGraphError::Mixed { found, expected: space.vertex };
            return Err(Fault::PoseGraph { at: line.at(), source });
        } else {
            let expected = "VERTEX_SE2, EDGE_SE2, VERTEX_SE3:QUAT, EDGE_SE3:QUAT or FIX";
            return Err(Fault::syntax(line.at(), expected, quoted(tag)));
        }
    }
    graph.assemble(space, lines.at())
}

fn vertex<const N: usize>(mut words: Words<'_>, space: &Space<N>, line: usize) -> Result<VertexLine<N>, Fault> {
    let id = words.number("the id of a vertex")?;
    let pose = pose(&mut words, space)?;
    words.end()?;
    Ok(VertexLine { id, pose, line })
}

fn edge<const N: usize, const D: usize>(
    mut words: Words<'_>,
    space: &Space<N>,
    line: usize,
) -> Result<EdgeLine<N, D>, Fault> {
    let refused = |source| Fault::PoseGraph { at: FilePosition::Line(line), source };
    let (from, to) = (words.number("the id of a vertex")?, words.number("the id of a second vertex")?);
    if from == to {
        return Err(refused(PoseGraphError::SelfEdge { id: from }));
    }
    let measurement = pose(&mut words, space)?;
    let mut information = [[0.0; D]; D];
    for (row, column) in (0..D).flat_map(|row| (row..D).map(move |column| (row, column))) {
        let entry = words.finite("an entry of the information matrix")?;
        (information[row][column], information[column][row]) = (entry, entry);
    }
    words.end()?;
    cholesky(&information).map_err(refused)?;
    Ok(EdgeLine { from, to, measurement, information, line })
}

fn pose<const N: usize>(words: &mut Words<'_>, space: &Space<N>) -> Result<[f64; N], Fault> {
    let mut pose = words.finite_numbers("a number of a pose")?;
    (space.normalise)(&mut pose).map_err(|source| Fault::PoseGraph { at: words.at(), source })?;
    Ok(pose)
}
