//! Polygon meshes: the shapes that the demos and benchmarks optimise.
//!
//! In: vertex positions and faces, from [`icosphere`], from a file (`io::read_mesh`) or built by hand. Out: what
//! a least squares problem is made of: [`Mesh::edges`], [`Mesh::neighbours`], reference lengths and angles, and
//! the normalised shape with its deformed start ([`reference_shape`], [`deformed_start`]). Next: the caller writes
//! one residual an edge or a vertex and hands them to the solver.
//!
//! | file | what |
//! | --- | --- |
//! | `edges.rs` | each undirected edge once, found by its two ends |
//! | `adjacency.rs` | the neighbours of each vertex, in compressed rows |
//! | `geometry.rs` | normals, areas, angles, angle defects, bounding box |
//! | `used_vertices.rs` | leaving out vertices that no face uses |
//! | `subdivision.rs` | one triangle into four at the edge midpoints |
//! | `icosphere.rs` | the unit sphere by repeated subdivision |
//! | `reference_shape.rs` | normalised shape and deformed start of our test problems |
//! | `diagnosis.rs` | what is unusual about a mesh |

mod adjacency;
mod diagnosis;
mod edges;
pub mod energy;
mod geometry;
mod icosphere;
mod reference_shape;
mod subdivision;
mod used_vertices;
mod vector;

#[cfg(test)]
pub(crate) mod samples;

pub use adjacency::Adjacency;
pub use diagnosis::MeshDiagnosis;
pub use edges::EdgeTable;
pub use geometry::AngleDefects;
pub use icosphere::{IcosphereLevelTooHigh, icosphere};
pub use reference_shape::{NoReferenceShape, deformed_start, reference_shape};
pub use subdivision::{SubdivideError, Subdivision, subdivide};
pub use used_vertices::UsedVertices;

/// Why faces and vertices do not make a mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// A face refers to a vertex that is not there.
    #[error(
        "face {face}, corner {corner}: vertex {index} does not exist, the mesh has {vertices} vertices \
         (indices count from 0)"
    )]
    CornerOutOfRange {
        /// Index of the face.
        face: usize,
        /// Which of its corners.
        corner: usize,
        /// The vertex it names.
        index: u32,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A face has no inside.
    #[error("face {face} has {corners} corners; a face needs at least 3")]
    TooFewCorners {
        /// Index of the face.
        face: usize,
        /// How many corners it has.
        corners: usize,
    },
    /// The offsets do not cut the corners into faces.
    #[error("offset {offset} must start at 0, never fall and end at {corners}, the number of corners")]
    BadOffsets {
        /// Index of the first bad offset (or their number, where the last one is missing).
        offset: usize,
        /// How many corners there are.
        corners: usize,
    },
    /// Indices are 32 bits wide.
    #[error("{what}: {count}, but indices of 32 bits reach only to {}", u32::MAX)]
    TooMany {
        /// "vertices" or "corners".
        what: &'static str,
        /// How many there are.
        count: usize,
    },
    /// New positions do not fit the mesh.
    #[error("{found} positions given for a mesh of {expected} vertices")]
    VertexCount {
        /// Vertices of the mesh.
        expected: usize,
        /// Positions given.
        found: usize,
    },
}

/// A polygon mesh in flat storage.
///
/// Face `f` has the corners `corners[offsets[f]..offsets[f + 1]]`, so quads and larger polygons cost no
/// allocation each. A mesh always has valid indices and at least three corners a face; anything else that can
/// be wrong with it (repeated corners, several sheets at an edge) is what [`Mesh::diagnosis`] reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Mesh {
    vertices: Vec<[f64; 3]>,
    offsets: Vec<u32>,
    corners: Vec<u32>,
}

impl Mesh {
    /// A mesh from flat faces: `offsets` starts at 0, ends at `corners.len()` and has one entry more than faces.
    pub fn new(vertices: Vec<[f64; 3]>, offsets: Vec<u32>, corners: Vec<u32>) -> Result<Mesh, MeshError> {
        check_count("vertices", vertices.len())?;
        check_count("corners", corners.len())?;
        check_offsets(&offsets, corners.len())?;
        let mesh = Mesh { vertices, offsets, corners };
        mesh.check_faces()?;
        Ok(mesh)
    }

    /// A mesh of triangles.
    pub fn from_triangles(vertices: Vec<[f64; 3]>, triangles: &[[u32; 3]]) -> Result<Mesh, MeshError> {
        Mesh::from_faces(vertices, triangles)
    }

    /// A mesh of polygons, given one by one.
    pub fn from_faces<F: AsRef<[u32]>>(vertices: Vec<[f64; 3]>, faces: &[F]) -> Result<Mesh, MeshError> {
        let count = faces.iter().map(|face| face.as_ref().len()).sum();
        check_count("corners", count)?;
        let mut offsets = Vec::with_capacity(faces.len() + 1);
        let mut corners = Vec::with_capacity(count);
        offsets.push(0);
        for face in faces {
            corners.extend_from_slice(face.as_ref());
            offsets.push(corners.len() as u32);
        }
        Mesh::new(vertices, offsets, corners)
    }

    /// Triangles that are valid by construction, unchecked in release builds.
    fn from_valid_triangles(vertices: Vec<[f64; 3]>, corners: Vec<u32>) -> Mesh {
        let offsets = (0..=corners.len() as u32).step_by(3).collect();
        let mesh = Mesh { vertices, offsets, corners };
        debug_assert_eq!(mesh.check_faces(), Ok(()));
        mesh
    }

    /// The same faces with other positions, for instance those an optimisation found.
    pub fn with_vertices(&self, vertices: Vec<[f64; 3]>) -> Result<Mesh, MeshError> {
        if vertices.len() != self.vertices.len() {
            return Err(MeshError::VertexCount { expected: self.vertices.len(), found: vertices.len() });
        }
        Ok(Mesh { vertices, offsets: self.offsets.clone(), corners: self.corners.clone() })
    }

    /// Vertex positions.
    pub fn vertices(&self) -> &[[f64; 3]] {
        &self.vertices
    }

    /// Corner indices of all faces, one face after the other.
    pub fn corners(&self) -> &[u32] {
        &self.corners
    }

    /// Where each face begins in [`Mesh::corners`], and the end.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// How many vertices there are, used or not.
    pub fn vertex_count(&self) -> usize {
        self.vertices.len()
    }

    /// How many faces there are.
    pub fn face_count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// The corners of face `index`. Panics where there is no such face, as indexing a slice does.
    pub fn face(&self, index: usize) -> &[u32] {
        &self.corners[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// The corners of each face in turn.
    pub fn faces(&self) -> impl ExactSizeIterator<Item = &[u32]> + Clone {
        self.offsets.windows(2).map(|ends| &self.corners[ends[0] as usize..ends[1] as usize])
    }

    /// Triangles; a larger polygon becomes a fan about its first corner (right for convex ones).
    pub fn triangles(&self) -> impl Iterator<Item = [u32; 3]> + Clone {
        self.faces().flat_map(|face| face[1..].windows(2).map(|side| [face[0], side[0], side[1]]))
    }

    fn check_faces(&self) -> Result<(), MeshError> {
        let vertices = self.vertices.len();
        for (face, corners) in self.faces().enumerate() {
            if corners.len() < 3 {
                return Err(MeshError::TooFewCorners { face, corners: corners.len() });
            }
            if let Some(corner) = corners.iter().position(|&v| v as usize >= vertices) {
                return Err(MeshError::CornerOutOfRange { face, corner, index: corners[corner], vertices });
            }
        }
        Ok(())
    }
}

/// The directed sides of a polygon, the closing one last.
fn sides(face: &[u32]) -> impl Iterator<Item = (u32, u32)> + '_ {
    let next = face.iter().cycle().skip(1);
    face.iter().zip(next).map(|(&a, &b)| (a, b))
}

fn check_count(what: &'static str, count: usize) -> Result<(), MeshError> {
    match u32::try_from(count) {
        Ok(_) => Ok(()),
        Err(_) => Err(MeshError::TooMany { what, count }),
    }
}

fn check_offsets(offsets: &[u32], corners: usize) -> Result<(), MeshError> {
    let bad = |offset| Err(MeshError::BadOffsets { offset, corners });
    if offsets.first() != Some(&0) {
        return bad(0);
    }
    if let Some(fall) = offsets.windows(2).position(|ends| ends[0] > ends[1]) {
        return bad(fall + 1);
    }
    if offsets.last().map(|&end| end as usize) != Some(corners) {
        return bad(offsets.len() - 1);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use samples::{quad_cube, tetrahedron};

    #[test]
    fn errors_name_the_face() {
        let points = vec![[0.0; 3]; 3];
        let error = Mesh::from_triangles(points.clone(), &[[0, 1, 2], [0, 1, 3]]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "face 1, corner 2: vertex 3 does not exist, the mesh has 3 vertices (indices count from 0)"
        );
        let error = Mesh::from_faces(points.clone(), &[vec![0, 1]]).unwrap_err();
        assert_eq!(error, MeshError::TooFewCorners { face: 0, corners: 2 });
        for (offsets, offset) in [(vec![], 0), (vec![1, 3], 0), (vec![0, 3, 2], 2), (vec![0, 2], 1)] {
            let error = Mesh::new(points.clone(), offsets, vec![0, 1, 2]).unwrap_err();
            assert_eq!(error, MeshError::BadOffsets { offset, corners: 3 });
        }
    }

    #[test]
    fn an_empty_mesh_is_a_mesh() {
        let mesh = Mesh::from_triangles(vec![], &[]).unwrap();
        assert_eq!((mesh.vertex_count(), mesh.face_count()), (0, 0));
        assert_eq!(mesh.triangles().count(), 0);
        assert!(mesh.edges().is_empty());
    }

    #[test]
    fn quads_become_fans() {
        let cube = quad_cube();
        assert_eq!(cube.faces().len(), 6);
        assert_eq!(cube.triangles().count(), 12);
        let [a, b, c, d] = cube.face(0).try_into().unwrap();
        let fan: Vec<_> = cube.triangles().take(2).collect();
        assert_eq!(fan, [[a, b, c], [a, c, d]]);
    }

    #[test]
    fn positions_can_be_replaced() {
        let mesh = tetrahedron();
        let moved = mesh.with_vertices(vec![[1.0; 3]; 4]).unwrap();
        assert_eq!(moved.corners(), mesh.corners());
        assert!(mesh.with_vertices(vec![]).is_err());
    }
}
