//! Undirected edges, each once, in an order that depends on the faces only.
//!
//! A counting sort by the lower end, then a sort of each short row: near linear in the number of edges, and the
//! row starts it leaves behind find an edge by its two ends without a hash map.

use super::vector::distance;
use super::{Mesh, sides};

/// The undirected edges of a mesh, sorted by lower end, then by higher end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeTable {
    edges: Vec<[u32; 2]>,
    /// Row `v` holds the edges whose lower end is `v`: `edges[starts[v]..starts[v + 1]]`.
    starts: Vec<u32>,
}

impl EdgeTable {
    fn new(mesh: &Mesh) -> EdgeTable {
        let mut half_starts = vec![0u32; mesh.vertex_count() + 1];
        for (low, _) in edge_uses(mesh) {
            half_starts[low as usize + 1] += 1;
        }
        for v in 0..mesh.vertex_count() {
            half_starts[v + 1] += half_starts[v];
        }

        let mut next = half_starts.clone();
        let mut highs = vec![0u32; half_starts[mesh.vertex_count()] as usize];
        for (low, high) in edge_uses(mesh) {
            let place = &mut next[low as usize];
            highs[*place as usize] = high;
            *place += 1;
        }

        let mut edges = Vec::with_capacity(highs.len() / 2 + 1);
        let mut starts = Vec::with_capacity(half_starts.len());
        starts.push(0);
        for (low, ends) in half_starts.windows(2).enumerate() {
            let row = &mut highs[ends[0] as usize..ends[1] as usize];
            row.sort_unstable();
            let mut previous = None;
            for &mut high in row {
                if previous != Some(high) {
                    edges.push([low as u32, high]);
                    previous = Some(high);
                }
            }
            starts.push(edges.len() as u32);
        }
        EdgeTable { edges, starts }
    }

    /// The edges `[low, high]` with `low < high`, in order.
    pub fn edges(&self) -> &[[u32; 2]] {
        &self.edges
    }

    /// Index of the edge between two vertices, given in either order.
    pub fn find(&self, a: u32, b: u32) -> Option<usize> {
        let (low, high) = (a.min(b), a.max(b));
        let start = *self.starts.get(low as usize)? as usize;
        let end = *self.starts.get(low as usize + 1)? as usize;
        let row = &self.edges[start..end];
        row.binary_search_by_key(&high, |edge| edge[1]).ok().map(|k| start + k)
    }

    /// How many faces lie at each edge: 1 at a boundary, 2 inside a surface, more where sheets meet.
    pub fn face_counts(&self, mesh: &Mesh) -> Vec<u32> {
        let mut counts = vec![0; self.edges.len()];
        for (low, high) in edge_uses(mesh) {
            if let Some(edge) = self.find(low, high) {
                counts[edge] += 1;
            }
        }
        counts
    }
}

/// Each side of each face as `(low, high)`. A repeated corner makes no edge.
fn edge_uses(mesh: &Mesh) -> impl Iterator<Item = (u32, u32)> + '_ {
    mesh.faces().flat_map(sides).filter(|(a, b)| a != b).map(|(a, b)| (a.min(b), a.max(b)))
}

impl Mesh {
    /// Each undirected edge once, as `[low, high]`, sorted: the consecutive corners of every face, the last
    /// with the first included.
    pub fn edges(&self) -> Vec<[u32; 2]> {
        EdgeTable::new(self).edges
    }

    /// The edges with a look-up by their ends.
    pub fn edge_table(&self) -> EdgeTable {
        EdgeTable::new(self)
    }

    /// Length of each edge in the order of [`Mesh::edges`].
    pub fn edge_lengths(&self) -> Vec<f64> {
        let length = |&[a, b]: &[u32; 2]| distance(self.vertices[a as usize], self.vertices[b as usize]);
        self.edges().iter().map(length).collect()
    }

    /// Mean length over all edges; `None` where there are none.
    pub fn mean_edge_length(&self) -> Option<f64> {
        let lengths = self.edge_lengths();
        (!lengths.is_empty()).then(|| lengths.iter().sum::<f64>() / lengths.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bow_tie, quad_cube, tetrahedron};
    use super::*;

    #[test]
    fn edges_are_sorted_and_unique() {
        let edges = tetrahedron().edges();
        assert_eq!(edges, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
        assert_eq!(quad_cube().edges().len(), 12); // no diagonals
        assert_eq!(bow_tie().edges().len(), 6);
    }

    #[test]
    fn a_repeated_corner_makes_no_edge() {
        let mesh = Mesh::from_triangles(vec![[0.0; 3]; 2], &[[0, 0, 1]]).unwrap();
        assert_eq!(mesh.edges(), [[0, 1]]);
    }

    #[test]
    fn every_edge_is_found_by_its_ends() {
        let cube = quad_cube();
        let table = cube.edge_table();
        for (k, &[a, b]) in table.edges().iter().enumerate() {
            assert_eq!(table.find(a, b), Some(k));
            assert_eq!(table.find(b, a), Some(k));
        }
        assert_eq!(table.find(0, 7), None);
        assert_eq!(table.find(0, 99), None);
        assert_eq!(table.find(99, 100), None);
        assert!(table.face_counts(&cube).iter().all(|&n| n == 2));
    }

    #[test]
    fn mean_edge_length() {
        assert_eq!(quad_cube().mean_edge_length(), Some(1.0));
        let empty = Mesh::from_triangles(vec![[0.0; 3]], &[]).unwrap();
        assert_eq!(empty.mean_edge_length(), None);
    }
}
