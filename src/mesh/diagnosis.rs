//! What is unusual about a mesh: the first thing to print when an optimisation of it misbehaves.

use std::fmt;

use super::vector::{distance, length};
use super::{EdgeTable, Mesh};

/// What is unusual about a mesh, by index, and its topology in numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeshDiagnosis {
    /// Vertices that a face uses.
    pub used_vertices: usize,
    /// Undirected edges.
    pub edges: usize,
    /// Faces.
    pub faces: usize,
    /// Faces that name a vertex twice, or whose area is zero to rounding.
    pub degenerate_faces: Vec<u32>,
    /// Faces with more than three corners.
    pub non_triangles: Vec<u32>,
    /// Edges with more than two faces.
    pub non_manifold_edges: Vec<[u32; 2]>,
    /// Vertices whose faces do not form one fan, open or closed: the surface touches itself there, or one of their
    /// edges is not manifold.
    pub non_manifold_vertices: Vec<u32>,
    /// Edges with one face.
    pub boundary_edges: Vec<[u32; 2]>,
    /// Vertices that no face uses.
    pub unused_vertices: Vec<u32>,
    /// Pieces that share no vertex with one another (unused vertices do not count).
    pub connected_components: usize,
    /// Used vertices - edges + faces: 2 for each closed piece without handles.
    pub euler_characteristic: i64,
}

impl MeshDiagnosis {
    /// Whether this is a closed manifold surface of proper triangles, every vertex used.
    pub fn is_clean(&self) -> bool {
        self.degenerate_faces.is_empty()
            && self.non_triangles.is_empty()
            && self.non_manifold_edges.is_empty()
            && self.non_manifold_vertices.is_empty()
            && self.boundary_edges.is_empty()
            && self.unused_vertices.is_empty()
    }
}

impl fmt::Display for MeshDiagnosis {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} vertices in use, {} edges, {} faces, {} connected component(s), Euler characteristic {}",
            self.used_vertices, self.edges, self.faces, self.connected_components, self.euler_characteristic
        )?;
        if self.is_clean() {
            return write!(out, "\n  a closed manifold of triangles");
        }
        finding(out, "faces without area", &self.degenerate_faces)?;
        finding(out, "faces that are not triangles", &self.non_triangles)?;
        finding(out, "edges with more than two faces", &self.non_manifold_edges)?;
        finding(out, "vertices whose faces are not one fan", &self.non_manifold_vertices)?;
        finding(out, "boundary edges", &self.boundary_edges)?;
        finding(out, "vertices that no face uses", &self.unused_vertices)
    }
}

/// One line: how many, and the first few of them, by index. Files count from 0 (OFF, PLY) or from 1 (OBJ).
fn finding<T: fmt::Debug>(out: &mut fmt::Formatter<'_>, what: &str, found: &[T]) -> fmt::Result {
    const SHOWN: usize = 4;
    if found.is_empty() {
        return Ok(());
    }
    write!(out, "\n  {} {what} (counted from 0):", found.len())?;
    for item in found.iter().take(SHOWN) {
        write!(out, " {item:?}")?;
    }
    if found.len() > SHOWN {
        write!(out, " ...")?;
    }
    Ok(())
}

impl Mesh {
    /// What is unusual about this mesh.
    pub fn diagnosis(&self) -> MeshDiagnosis {
        let table = self.edge_table();
        let face_counts = table.face_counts(self);
        let edges_where = |is_wanted: fn(u32) -> bool| -> Vec<[u32; 2]> {
            table
                .edges()
                .iter()
                .zip(&face_counts)
                .filter(|&(_, &faces)| is_wanted(faces))
                .map(|(&edge, _)| edge)
                .collect()
        };
        let unused_vertices = indices(self.used_vertices().into_iter().map(|used| !used));
        let used_vertices = self.vertex_count() - unused_vertices.len();
        MeshDiagnosis {
            used_vertices,
            edges: table.edges().len(),
            faces: self.face_count(),
            degenerate_faces: indices(self.faces().map(|face| self.is_degenerate(face))),
            non_triangles: indices(self.faces().map(|face| face.len() > 3)),
            non_manifold_edges: edges_where(|faces| faces > 2),
            non_manifold_vertices: self.non_manifold_vertices(),
            boundary_edges: edges_where(|faces| faces == 1),
            connected_components: self.connected_components(&table) - unused_vertices.len(),
            euler_characteristic: used_vertices as i64 - table.edges().len() as i64 + self.face_count() as i64,
            unused_vertices,
        }
    }

    fn is_degenerate(&self, face: &[u32]) -> bool {
        let mut sorted = face.to_vec();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return true;
        }
        // Coordinates are rounded to eps times their size, which moves a side, and so the area, by that much.
        let origin = self.vertices[face[0] as usize];
        let spokes = face.iter().map(|&v| distance(self.vertices[v as usize], origin));
        let extent = spokes.fold(0.0, f64::max);
        let size = origin.iter().fold(extent, |size, c| size.max(c.abs()));
        // Written so that an area that is not a number counts as degenerate.
        let has_area = length(self.area_vector(face)) > 4.0 * f64::EPSILON * extent * size;
        !has_area
    }

    /// Each corner joins two neighbours of its vertex. The faces of the vertex are one fan where these joints form
    /// one open or closed chain.
    fn non_manifold_vertices(&self) -> Vec<u32> {
        let mut starts = vec![0usize; self.vertex_count() + 1];
        for &vertex in &self.corners {
            starts[vertex as usize + 1] += 1;
        }
        for v in 0..self.vertex_count() {
            starts[v + 1] += starts[v];
        }
        let mut joints = vec![[0u32; 2]; self.corners.len()];
        let mut next = starts.clone();
        for face in self.faces() {
            for (i, &vertex) in face.iter().enumerate() {
                let before = face[(i + face.len() - 1) % face.len()];
                let after = face[(i + 1) % face.len()];
                joints[next[vertex as usize]] = [before, after];
                next[vertex as usize] += 1;
            }
        }
        let fans = starts.windows(2).map(|ends| &joints[ends[0]..ends[1]]);
        indices(fans.map(|joints| !joints.is_empty() && !is_one_chain(joints)))
    }

    fn connected_components(&self, table: &EdgeTable) -> usize {
        let mut forest = Forest::new(self.vertex_count());
        for &[a, b] in table.edges() {
            forest.join(a as usize, b as usize);
        }
        forest.trees
    }
}

/// Whether the joints form one path or one cycle: connected, and no neighbour in more than two of them.
fn is_one_chain(joints: &[[u32; 2]]) -> bool {
    let mut ends: Vec<u32> = joints.as_flattened().to_vec();
    ends.sort_unstable();
    if ends.windows(3).any(|run| run[0] == run[2]) {
        return false;
    }
    ends.dedup();
    let mut forest = Forest::new(ends.len());
    for [a, b] in joints {
        if let (Ok(a), Ok(b)) = (ends.binary_search(a), ends.binary_search(b)) {
            forest.join(a, b);
        }
    }
    forest.trees == 1
}

/// Disjoint sets with path halving.
struct Forest {
    parent: Vec<usize>,
    trees: usize,
}

impl Forest {
    fn new(count: usize) -> Forest {
        Forest { parent: (0..count).collect(), trees: count }
    }

    fn root(&mut self, mut node: usize) -> usize {
        while self.parent[node] != node {
            self.parent[node] = self.parent[self.parent[node]];
            node = self.parent[node];
        }
        node
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            self.parent[a.max(b)] = a.min(b);
            self.trees -= 1;
        }
    }
}

/// Indices at which the answer is yes.
fn indices(answers: impl Iterator<Item = bool>) -> Vec<u32> {
    let numbered = answers.enumerate();
    numbered.filter_map(|(i, yes)| yes.then_some(i as u32)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bow_tie, quad_cube, tetrahedron};
    use super::*;

    #[test]
    fn a_tetrahedron_is_clean() {
        let diagnosis = tetrahedron().diagnosis();
        assert!(diagnosis.is_clean());
        assert_eq!(diagnosis.euler_characteristic, 2);
        assert_eq!(diagnosis.connected_components, 1);
        assert!(diagnosis.to_string().ends_with("a closed manifold of triangles"));
    }

    #[test]
    fn a_quad_cube_is_closed_but_not_of_triangles() {
        let diagnosis = quad_cube().diagnosis();
        assert_eq!(diagnosis.non_triangles, [0, 1, 2, 3, 4, 5]);
        assert_eq!(diagnosis.euler_characteristic, 2);
        assert!(diagnosis.boundary_edges.is_empty());
        assert!(diagnosis.non_manifold_vertices.is_empty());
        assert!(diagnosis.to_string().contains("6 faces that are not triangles (counted from 0): 0 1 2 3 ..."));
    }

    #[test]
    fn a_bow_tie_has_a_non_manifold_vertex() {
        let diagnosis = bow_tie().diagnosis();
        assert_eq!(diagnosis.non_manifold_vertices, [2]);
        assert_eq!(diagnosis.boundary_edges.len(), 6);
        assert_eq!(diagnosis.connected_components, 1);
        assert_eq!(diagnosis.euler_characteristic, 1);
    }

    #[test]
    fn three_sheets_at_an_edge() {
        let points = vec![[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]];
        let mesh = Mesh::from_triangles(points, &[[0, 1, 2], [0, 1, 3], [0, 1, 4]]).unwrap();
        let diagnosis = mesh.diagnosis();
        assert_eq!(diagnosis.non_manifold_edges, [[0, 1]]);
        assert_eq!(diagnosis.non_manifold_vertices, [0, 1]);
    }

    #[test]
    fn degenerate_faces_and_unused_vertices() {
        let points = vec![
            [0.1, 0.1, 0.1],
            [0.2, 0.2, 0.2],
            [0.3, 0.3, 0.3], // collinear up to rounding
            [1.0, 0.0, 0.0],
            [5.0, 5.0, 5.0],
        ];
        let faces = [[0, 1, 2], [0, 3, 0], [0, 2, 3]];
        let diagnosis = Mesh::from_triangles(points, &faces).unwrap().diagnosis();
        assert_eq!(diagnosis.degenerate_faces, [0, 1]);
        assert_eq!(diagnosis.unused_vertices, [4]);
        assert_eq!(diagnosis.used_vertices, 4);
    }

    #[test]
    fn pieces_are_counted() {
        let one = tetrahedron();
        let points = [one.vertices(), one.vertices()].concat();
        let faces: Vec<[u32; 3]> = one.triangles().chain(one.triangles().map(|face| face.map(|v| v + 4))).collect();
        let diagnosis = Mesh::from_triangles(points, &faces).unwrap().diagnosis();
        assert_eq!(diagnosis.connected_components, 2);
        assert_eq!(diagnosis.euler_characteristic, 4);
        assert!(diagnosis.is_clean());
    }
}
