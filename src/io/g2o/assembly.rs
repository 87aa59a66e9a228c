//! Ids to indices, and a start for files that have none.

use rustc_hash::FxHashMap;

use super::error::PoseGraphError;
use super::space::Space;
use super::{Edge, Poses};
use crate::io::read_error::{Fault, FilePosition};

/// A `VERTEX` line.
pub(super) struct VertexLine<const N: usize> {
    pub(super) id: u64,
    pub(super) pose: [f64; N],
    pub(super) line: usize,
}

/// An `EDGE` line.
pub(super) struct EdgeLine<const N: usize, const D: usize> {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) measurement: [f64; N],
    pub(super) information: [[f64; D]; D],
    pub(super) line: usize,
}

/// What a file says, in its order; `fixed` are ids with their lines.
pub(super) struct GraphLines<const N: usize, const D: usize> {
    pub(super) vertices: Vec<VertexLine<N>>,
    pub(super) edges: Vec<EdgeLine<N, D>>,
    pub(super) fixed: Vec<(u64, usize)>,
}

impl<const N: usize, const D: usize> Default for GraphLines<N, D> {
    fn default() -> Self {
        GraphLines { vertices: Vec::new(), edges: Vec::new(), fixed: Vec::new() }
    }
}

impl<const N: usize, const D: usize> GraphLines<N, D> {
    pub(super) fn assemble(mut self, space: &Space<N>, end: FilePosition) -> Result<Poses<N, D>, Fault> {
        if self.vertices.is_empty() {
            self.vertices = self.dead_reckoning(space)?;
        }
        if self.vertices.is_empty() {
            return Err(Fault::truncated(end, "a vertex or an edge"));
        }
        if u32::try_from(self.vertices.len()).is_err() {
            let source = PoseGraphError::TooMany { count: self.vertices.len() };
            return Err(Fault::PoseGraph { at: end, source });
        }
        self.vertices.sort_by_key(|vertex| (vertex.id, vertex.line));
        for pair in self.vertices.windows(2) {
            if pair[0].id == pair[1].id {
                let source = PoseGraphError::DuplicateVertex { id: pair[0].id, first: pair[0].line };
                return Err(refused(pair[1].line, source));
            }
        }

        let ids: Vec<u64> = self.vertices.iter().map(|vertex| vertex.id).collect();
        let index = |id: u64, line: usize| match ids.binary_search(&id) {
            Ok(index) => Ok(index as u32),
            Err(_) => Err(refused(line, PoseGraphError::UnknownVertex { id })),
        };
        let indexed = |edge: &EdgeLine<N, D>| {
            let (from, to) = (index(edge.from, edge.line)?, index(edge.to, edge.line)?);
            Ok(Edge { from, to, measurement: edge.measurement, information: edge.information })
        };
        let edges = self.edges.iter().map(indexed).collect::<Result<_, Fault>>()?;
        let mut fixed = self.fixed.iter().map(|&(id, line)| index(id, line)).collect::<Result<Vec<u32>, Fault>>()?;
        fixed.sort_unstable();
        fixed.dedup();
        Ok(Poses { poses: self.vertices.iter().map(|vertex| vertex.pose).collect(), ids, fixed, edges })
    }

    /// Poses for all ids that edges have: the lowest at the origin, each next one by the first edge that leads to it from the one
    /// before.
    fn dead_reckoning(&self, space: &Space<N>) -> Result<Vec<VertexLine<N>>, Fault> {
        let mut lines: FxHashMap<u64, usize> = FxHashMap::default();
        let mut steps: FxHashMap<u64, &EdgeLine<N, D>> = FxHashMap::default();
        for edge in &self.edges {
            lines.entry(edge.from).or_insert(edge.line);
            lines.entry(edge.to).or_insert(edge.line);
            if edge.from.checked_add(1) == Some(edge.to) {
                steps.entry(edge.to).or_insert(edge);
            }
        }
        let mut ids: Vec<u64> = lines.keys().copied().collect();
        ids.sort_unstable();

        let mut vertices: Vec<VertexLine<N>> = Vec::with_capacity(ids.len());
        for id in ids {
            let pose = match (vertices.last(), steps.get(&id)) {
                (None, _) => space.identity,
                (Some(before), Some(step)) => {
                    let pose = (space.compose)(&before.pose, &step.measurement);
                    if let Some(number) = pose.iter().find(|number| !number.is_finite()) {
                        let found =
                            format!("{number} in the start of vertex {id}, the sum of the measurements so far,");
                        return Err(Fault::NonFinite { at: FilePosition::Line(step.line), found });
                    }
                    pose
                }
                (Some(_), None) => return Err(refused(lines[&id], PoseGraphError::NoStart { id })),
            };
            vertices.push(VertexLine { id, pose, line: lines[&id] });
        }
        Ok(vertices)
    }
}

fn refused(line: usize, source: PoseGraphError) -> Fault {
    Fault::PoseGraph { at: FilePosition::Line(line), source }
}
