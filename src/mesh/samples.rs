//! Small meshes that the tests share.

use super::Mesh;

/// Regular tetrahedron, outward faces.
pub(crate) fn tetrahedron() -> Mesh {
    let points = vec![[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]];
    Mesh::from_triangles(points, &[[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]]).unwrap()
}

/// Unit cube of six quads, outward faces.
pub(crate) fn quad_cube() -> Mesh {
    let points = (0..8).map(|i| [i & 1, i >> 1 & 1, i >> 2 & 1].map(f64::from)).collect();
    let faces = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
    Mesh::from_faces(points, &faces).unwrap()
}

/// Two triangles that touch in vertex 2 only.
pub(crate) fn bow_tie() -> Mesh {
    let points = vec![[-1.0, -1.0, 0.0], [-1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, -1.0, 0.0], [1.0, 1.0, 0.0]];
    Mesh::from_triangles(points, &[[0, 2, 1], [2, 3, 4]]).unwrap()
}
