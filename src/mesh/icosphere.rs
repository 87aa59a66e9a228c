//! The unit sphere by subdivision of the icosahedron: 10 * 4^k + 2 vertices, 30 * 4^k edges, 20 * 4^k faces.

use super::Mesh;
use super::subdivision::split_in_four;
use super::vector::{cross, distance, divide, dot, length, midpoint, subtract};

/// Level 11 has 42 million vertices and 84 million faces (about 4 GB while it is made); the next one would need
/// four times that.
const HIGHEST_LEVEL: u32 = 11;

/// An icosphere was asked for that no machine of ours can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "icosphere level {level} is too high: each level has four times the faces of the one before; \
     the highest is {HIGHEST_LEVEL}"
)]
pub struct IcosphereLevelTooHigh {
    /// The level asked for.
    pub level: u32,
}

/// The icosahedron, `level` times subdivided, all vertices on the unit sphere, faces looking outward.
///
/// Each midpoint is divided by its length as it is made, so the vertices of a coarse level are the first ones of
/// the next.
pub fn icosphere(level: u32) -> Result<Mesh, IcosphereLevelTooHigh> {
    if level > HIGHEST_LEVEL {
        return Err(IcosphereLevelTooHigh { level });
    }
    let on_sphere = |a, b| {
        let middle = midpoint(a, b);
        divide(middle, length(middle))
    };
    Ok((0..level).fold(icosahedron(), |mesh, _| split_in_four(&mesh, on_sphere).mesh))
}

/// Twelve vertices (0, s, t g) and its rotations, with s, t = +-1 and g the golden ratio, each divided by its
/// length; the faces are the triangles of mutually nearest vertices.
fn icosahedron() -> Mesh {
    let golden = (1.0 + 5.0_f64.sqrt()) / 2.0;
    let mut vertices = Vec::with_capacity(12);
    for s in [-1.0, 1.0] {
        for t in [-golden, golden] {
            for point in [[0.0, s, t], [s, t, 0.0], [t, 0.0, s]] {
                vertices.push(divide(point, length(point)));
            }
        }
    }

    let near = |a: usize, b: usize| distance(vertices[a], vertices[b]) < 1.1; // edges 1.05, next 1.70
    let mut corners = Vec::with_capacity(60);
    for a in 0..12 {
        for b in a + 1..12 {
            for c in b + 1..12 {
                if near(a, b) && near(b, c) && near(a, c) {
                    let u = subtract(vertices[b], vertices[a]);
                    let v = subtract(vertices[c], vertices[a]);
                    let outward = dot(cross(u, v), vertices[a]) > 0.0;
                    let face = if outward { [a, b, c] } else { [a, c, b] };
                    corners.extend(face.map(|v| v as u32));
                }
            }
        }
    }
    Mesh::from_valid_triangles(vertices, corners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        for level in 0..=5 {
            let mesh = icosphere(level).unwrap();
            let quads = 4_usize.pow(level);
            assert_eq!(mesh.vertex_count(), 10 * quads + 2);
            assert_eq!(mesh.edges().len(), 30 * quads);
            assert_eq!(mesh.face_count(), 20 * quads);
        }
    }

    #[test]
    fn closed_round_and_outward() {
        let mesh = icosphere(3).unwrap();
        assert!(mesh.diagnosis().is_clean());
        for &v in mesh.vertices() {
            assert!((length(v) - 1.0).abs() < 1e-15);
        }
        for (face, normal) in mesh.faces().zip(mesh.face_normals()) {
            assert!(dot(normal, mesh.vertices()[face[0] as usize]) > 0.9);
        }
    }

    #[test]
    fn a_coarse_level_begins_the_next() {
        let (coarse, fine) = (icosphere(2).unwrap(), icosphere(3).unwrap());
        assert_eq!(coarse.vertices(), &fine.vertices()[..coarse.vertex_count()]);
    }

    #[test]
    fn absurd_levels_are_refused() {
        assert!(icosphere(12).unwrap_err().to_string().contains("level 12"));
        assert!(icosphere(u32::MAX).is_err());
    }
}
