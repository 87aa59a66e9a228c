//! The neighbours of each vertex in compressed rows.

use super::Mesh;

/// For each vertex, the vertices it shares an edge with, in rising order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjacency {
    offsets: Vec<u32>,
    neighbours: Vec<u32>,
}

impl Adjacency {
    /// Rows for `vertex_count` vertices from edges in the order of [`Mesh::edges`].
    fn new(vertex_count: usize, edges: &[[u32; 2]]) -> Adjacency {
        let mut offsets = vec![0u32; vertex_count + 1];
        for &vertex in edges.as_flattened() {
            offsets[vertex as usize + 1] += 1;
        }
        for v in 0..vertex_count {
            offsets[v + 1] += offsets[v];
        }
        // The edges (a, v) with a < v come before the edges (v, b), so each row fills in rising order.
        let mut next = offsets.clone();
        let mut neighbours = vec![0; 2 * edges.len()];
        for &[a, b] in edges {
            for (from, to) in [(a, b), (b, a)] {
                neighbours[next[from as usize] as usize] = to;
                next[from as usize] += 1;
            }
        }
        Adjacency { offsets, neighbours }
    }

    /// Neighbours of `vertex`. Panics where there is no such vertex, as indexing a slice does.
    pub fn of(&self, vertex: usize) -> &[u32] {
        &self.neighbours[self.offsets[vertex] as usize..self.offsets[vertex + 1] as usize]
    }

    /// How many neighbours `vertex` has.
    pub fn degree(&self, vertex: usize) -> usize {
        self.of(vertex).len()
    }

    /// How many vertices there are.
    pub fn vertex_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The neighbours of each vertex in turn.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u32]> + Clone {
        self.offsets.windows(2).map(|ends| &self.neighbours[ends[0] as usize..ends[1] as usize])
    }

    /// Where each row begins in [`Adjacency::neighbours`], and the end.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// All rows, one after the other.
    pub fn neighbours(&self) -> &[u32] {
        &self.neighbours
    }
}

impl Mesh {
    /// The neighbours of each vertex along edges.
    pub fn neighbours(&self) -> Adjacency {
        Adjacency::new(self.vertex_count(), &self.edges())
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bow_tie, quad_cube, tetrahedron};

    #[test]
    fn rows_are_sorted_and_symmetric() {
        let adjacency = quad_cube().neighbours();
        assert_eq!(adjacency.of(0), [1, 2, 4]);
        for (v, row) in adjacency.rows().enumerate() {
            assert!(row.is_sorted());
            assert_eq!(adjacency.degree(v), 3);
            for &w in row {
                assert!(adjacency.of(w as usize).contains(&(v as u32)));
            }
        }
    }

    #[test]
    fn degrees() {
        let adjacency = tetrahedron().neighbours();
        assert_eq!(adjacency.vertex_count(), 4);
        assert_eq!(adjacency.offsets(), [0, 3, 6, 9, 12]);
        assert_eq!(adjacency.neighbours().len(), 12);
        assert_eq!(bow_tie().neighbours().degree(2), 4);
    }
}
