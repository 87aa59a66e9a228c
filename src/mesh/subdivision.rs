//! One triangle into four: the finer mesh of coarse-to-fine methods, and of the icosphere.
//!
//! The vertices of the coarse mesh keep their indices; midpoint `k` of the edge table comes after them. A coarse
//! solution is so carried over by copying it and averaging each pair of parents.

use super::vector::midpoint;
use super::{Mesh, MeshError};

/// Why a mesh cannot be subdivided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubdivideError {
    /// Only triangles split in four.
    #[error("face {face} has {corners} corners; make triangles of the mesh first")]
    NotATriangle {
        /// Index of the face.
        face: usize,
        /// How many corners it has.
        corners: usize,
    },
    /// A side between a vertex and itself has no midpoint.
    #[error("face {face} names a vertex twice; remove degenerate faces first")]
    RepeatedCorner {
        /// Index of the face.
        face: usize,
    },
    /// The result would not fit.
    #[error(transparent)]
    TooLarge(#[from] MeshError),
}

/// A mesh of a quarter of the triangle size.
#[derive(Debug, Clone, PartialEq)]
pub struct Subdivision {
    /// The finer mesh; its first vertices are those of the coarse one.
    pub mesh: Mesh,
    /// The ends of the edge that each new vertex halves: vertex `coarse.vertex_count() + k` has `parents[k]`.
    pub parents: Vec<[u32; 2]>,
}

/// Splits every triangle in four at its edge midpoints, without moving anything.
pub fn subdivide(mesh: &Mesh) -> Result<Subdivision, SubdivideError> {
    for (face, corners) in mesh.faces().enumerate() {
        let &[a, b, c] = corners else {
            return Err(SubdivideError::NotATriangle { face, corners: corners.len() });
        };
        if a == b || b == c || c == a {
            return Err(SubdivideError::RepeatedCorner { face });
        }
    }
    // Twelve corners a face, and no more midpoints than corners: nothing past this check can overflow 32 bits.
    super::check_count("corners", 12 * mesh.face_count())?;
    super::check_count("vertices", mesh.vertex_count() + mesh.corners.len())?;
    Ok(split_in_four(mesh, midpoint))
}

/// The split itself, for distinct triangles, with `between` making the new vertex of an edge.
pub(super) fn split_in_four(mesh: &Mesh, between: impl Fn([f64; 3], [f64; 3]) -> [f64; 3]) -> Subdivision {
    let table = mesh.edge_table();
    let coarse = mesh.vertex_count();
    let mut vertices = Vec::with_capacity(coarse + table.edges().len());
    vertices.extend_from_slice(&mesh.vertices);
    vertices.extend(table.edges().iter().map(|&[a, b]| between(mesh.vertices[a as usize], mesh.vertices[b as usize])));

    let middle = |a, b| table.find(a, b).map(|edge| (coarse + edge) as u32);
    let mut corners = Vec::with_capacity(4 * mesh.corners.len());
    for face in mesh.faces() {
        let &[a, b, c] = face else { continue };
        // Every side of a face is in the table of its mesh, so no face is dropped here.
        let (Some(ab), Some(bc), Some(ca)) = (middle(a, b), middle(b, c), middle(c, a)) else {
            continue;
        };
        corners.extend([a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca]);
    }
    Subdivision { mesh: Mesh::from_valid_triangles(vertices, corners), parents: table.edges().to_vec() }
}

#[cfg(test)]
mod tests {
    use super::super::samples::{bow_tie, quad_cube, tetrahedron};
    use super::*;

    #[test]
    fn counts_and_parents() {
        let coarse = tetrahedron();
        let fine = subdivide(&coarse).unwrap();
        assert_eq!(fine.mesh.vertex_count(), 4 + 6);
        assert_eq!(fine.mesh.face_count(), 16);
        assert_eq!(fine.mesh.edges().len(), 24);
        assert_eq!(&fine.mesh.vertices()[..4], coarse.vertices());
        assert_eq!(fine.parents, coarse.edges());
        for (k, parents) in fine.parents.iter().enumerate() {
            let [a, b] = parents.map(|v| coarse.vertices()[v as usize]);
            assert_eq!(fine.mesh.vertices()[4 + k], midpoint(a, b));
        }
    }

    #[test]
    fn area_and_orientation_stay() {
        for coarse in [tetrahedron(), bow_tie()] {
            let fine = subdivide(&coarse).unwrap().mesh;
            let quarters = fine.area_vectors();
            for (f, whole) in coarse.area_vectors().into_iter().enumerate() {
                for quarter in &quarters[4 * f..4 * f + 4] {
                    for axis in 0..3 {
                        assert!((4.0 * quarter[axis] - whole[axis]).abs() < 1e-14);
                    }
                }
            }
        }
    }

    #[test]
    fn only_triangles() {
        assert_eq!(subdivide(&quad_cube()), Err(SubdivideError::NotATriangle { face: 0, corners: 4 }));
        let folded = Mesh::from_triangles(vec![[0.0; 3]; 2], &[[0, 1, 0]]).unwrap();
        assert_eq!(subdivide(&folded), Err(SubdivideError::RepeatedCorner { face: 0 }));
    }
}
