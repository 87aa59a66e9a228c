//! The shape and the start of our mesh test problems.
//!
//! Normalised lengths make one problem comparable with another: with unit mean edge length the weights of edge and
//! vertex residuals mean the same on a rabbit in millimetres as on a cow in metres.

use super::Mesh;
use super::vector::{add, divide, subtract};

/// Why a mesh cannot be normalised.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoReferenceShape {
    /// There are no faces, and so no edges.
    #[error(
        "the mesh has no faces ({vertices} vertices), so there are no edges to measure by; is the file cut short, empty, or a cloud of \
         points?"
    )]
    NoFaces {
        /// How many vertices it has.
        vertices: usize,
    },
    /// Its edges all have length zero, or squares of lengths overflow or underflow.
    #[error(
        "the mean length of the {edges} edges of the mesh is {mean}, where a positive finite number is needed; scale the mesh so that \
         squares of lengths are numbers"
    )]
    NoScale {
        /// How many edges it has.
        edges: usize,
        /// Their mean length.
        mean: f64,
    },
}

/// The mesh without unused vertices, its mean vertex at the origin and its mean edge length one.
pub fn reference_shape(mesh: &Mesh) -> Result<Mesh, NoReferenceShape> {
    let mut shape = mesh.without_unused_vertices().mesh;
    let scale = match shape.mean_edge_length() {
        Some(length) if length > 0.0 && length.is_finite() => length,
        Some(mean) => return Err(NoReferenceShape::NoScale { edges: shape.edges().len(), mean }),
        None => return Err(NoReferenceShape::NoFaces { vertices: mesh.vertex_count() }),
    };
    let sum = shape.vertices.iter().copied().fold([0.0; 3], add);
    let mean = divide(sum, shape.vertex_count() as f64);
    for point in &mut shape.vertices {
        *point = divide(subtract(*point, mean), scale);
    }
    Ok(shape)
}

/// A smooth, far from trivial deformation to start from:
/// x = p + 0.3 (sin(3 p.y + 2 p.z), sin(3 p.z + 2 p.x + 1), sin(3 p.x + 2 p.y + 2)).
pub fn deformed_start(positions: &[[f64; 3]]) -> Vec<[f64; 3]> {
    let deform = |&[x, y, z]: &[f64; 3]| {
        [
            x + 0.3 * (3.0 * y + 2.0 * z).sin(),
            y + 0.3 * (3.0 * z + 2.0 * x + 1.0).sin(),
            z + 0.3 * (3.0 * x + 2.0 * y + 2.0).sin(),
        ]
    };
    positions.iter().map(deform).collect()
}

#[cfg(test)]
mod tests {
    use super::super::icosphere;
    use super::super::vector::{distance, dot, length, scale};
    use super::*;

    #[test]
    fn normalised_means_centred_and_unit_edges() {
        let mesh = icosphere(2).unwrap();
        let moved: Vec<_> = mesh.vertices().iter().map(|&v| add(scale(v, 7.0), [1.0, 2.0, 3.0])).collect();
        let shape = reference_shape(&mesh.with_vertices(moved).unwrap()).unwrap();
        // A plain sum of 480 lengths may be off by 480 half units in the last place: 5e-14.
        let error = shape.mean_edge_length().unwrap() - 1.0;
        assert!(error.abs() < 1e-13, "{error:e}");
        let sum = shape.vertices().iter().copied().fold([0.0; 3], add);
        assert!(length(sum) < 1e-12);
    }

    #[test]
    fn a_mesh_without_extent_has_no_reference_shape() {
        let point = Mesh::from_triangles(vec![[1.0; 3]; 3], &[[0, 1, 2]]).unwrap();
        assert_eq!(reference_shape(&point), Err(NoReferenceShape::NoScale { edges: 3, mean: 0.0 }));
        let empty = Mesh::from_triangles(vec![], &[]).unwrap();
        assert_eq!(reference_shape(&empty), Err(NoReferenceShape::NoFaces { vertices: 0 }));
    }

    /// The costs of `shared/data/reference.json` at the start, which a numpy implementation agreed on.
    #[test]
    fn icosphere_costs_are_those_of_the_reference() {
        let p = reference_shape(&icosphere(1).unwrap()).unwrap();
        let x = deformed_start(p.vertices());
        let mean_radius = p.vertices().iter().map(|&v| length(v)).sum::<f64>() / 42.0;
        let radius = 1.1 * mean_radius;
        let sphere: f64 =
            edge_residuals(&p, &x, 0.0, 1.0).chain(x.iter().map(|&v| length(v) - radius)).map(|r| 0.5 * r * r).sum();
        assert!((radius / 1.8891140758874874 - 1.0).abs() < 1e-13);
        assert!((sphere / 6.255803395123327 - 1.0).abs() < 1e-12);

        let curved: f64 = x
            .iter()
            .zip(p.neighbours().rows())
            .map(|(&v, row)| {
                let sum = row.iter().map(|&n| x[n as usize]).fold([0.0; 3], add);
                let r = subtract(v, divide(sum, row.len() as f64));
                0.125 * dot(r, r)
            })
            .sum();
        let stretched: f64 = edge_residuals(&p, &x, 1.0, 0.0).map(|r| 0.5 * r * r).sum();
        assert!(((curved + stretched) / 6.158047791259413 - 1.0).abs() < 1e-12);
    }

    fn edge_residuals(p: &Mesh, x: &[[f64; 3]], relative: f64, absolute: f64) -> impl Iterator<Item = f64> {
        let edges = p.edges();
        edges.into_iter().map(move |[a, b]| {
            let (a, b) = (a as usize, b as usize);
            let rest = distance(p.vertices()[a], p.vertices()[b]);
            distance(x[a], x[b]) - relative * rest - absolute
        })
    }
}
