//! The drawable part of a scene's mesh: sound triangles with a normal at each corner and linear-light colours.

use std::collections::HashSet;

use rayon::prelude::*;

use super::vector::{Vector, add, cross, direction, dot, is_finite, norm, subtract};
use super::{Paint, PictureError, Scene, Shading};

/// A triangle that can be drawn.
pub(super) struct Facet {
    pub vertices: [u32; 3],
    /// Index in the caller's list.
    pub face: u32,
    /// Geometric unit normal.
    pub normal: Vector,
    /// Twice the area, the weight of this normal in its vertices' normals.
    area: f64,
}

/// Facets, their corner normals and colours.
pub(super) struct Surface {
    pub facets: Vec<Facet>,
    pub corner_normals: Vec<[Vector; 3]>,
    colors: Colors,
}

enum Colors {
    Uniform(Vector),
    PerVertex(Vec<Vector>),
    PerFace(Vec<Vector>),
}

impl Surface {
    /// Checks the scene's indices and counts, drops what cannot be drawn, and computes normals.
    pub fn of(scene: &Scene) -> Result<Self, PictureError> {
        let (positions, triangles) = (scene.positions, scene.triangles);
        for (triangle, corners) in triangles.iter().enumerate() {
            if let Some(&vertex) = corners.iter().find(|&&v| v as usize >= positions.len()) {
                let vertices = positions.len();
                return Err(PictureError::VertexOutOfRange { triangle, vertex, vertices });
            }
        }
        let colors = Colors::of(scene)?;
        let facets: Vec<Facet> = triangles
            .iter()
            .enumerate()
            .filter_map(|(face, &vertices)| Facet::of(positions, vertices, face as u32))
            .collect();
        let corner_normals = corner_normals(&facets, positions.len(), scene.shading);
        Ok(Self { facets, corner_normals, colors })
    }

    /// Linear-light colour inside a facet at the given barycentric weights.
    pub fn color(&self, facet: &Facet, weights: [f64; 3]) -> Vector {
        match &self.colors {
            Colors::Uniform(color) => *color,
            Colors::PerVertex(colors) => super::vector::combine(weights, facet.vertices.map(|v| colors[v as usize])),
            Colors::PerFace(colors) => colors[facet.face as usize],
        }
    }

    /// Every edge once, as vertex pairs, in order of first appearance.
    pub fn edges(&self) -> Vec<[u32; 2]> {
        let mut seen = HashSet::new();
        let mut edges = Vec::new();
        for [a, b, c] in self.facets.iter().map(|facet| facet.vertices) {
            for [p, q] in [[a, b], [b, c], [c, a]] {
                let edge = [p.min(q), p.max(q)];
                if seen.insert(edge) {
                    edges.push(edge);
                }
            }
        }
        edges
    }
}

impl Facet {
    fn of(positions: &[[f64; 3]], vertices: [u32; 3], face: u32) -> Option<Self> {
        let [a, b, c] = vertices.map(|v| positions[v as usize]);
        if ![a, b, c].iter().all(|p| is_finite(*p)) {
            return None;
        }
        let normal = cross(subtract(b, a), subtract(c, a));
        Some(Self { vertices, face, normal: direction(normal)?, area: norm(normal) })
    }
}

impl Colors {
    fn of(scene: &Scene) -> Result<Self, PictureError> {
        let check = |what, expected: usize, found: usize| {
            if expected == found { Ok(()) } else { Err(PictureError::ColorCount { what, expected, found }) }
        };
        Ok(match scene.paint {
            Paint::Uniform(color) => Self::Uniform(color.to_linear()),
            Paint::PerVertex(colors) => {
                check("vertices", scene.positions.len(), colors.len())?;
                Self::PerVertex(colors.iter().map(|c| c.to_linear()).collect())
            }
            Paint::PerFace(colors) => {
                check("triangles", scene.triangles.len(), colors.len())?;
                Self::PerFace(colors.iter().map(|c| c.to_linear()).collect())
            }
        })
    }
}

/// Area-weighted mean normal at each corner, over those facets round the vertex that turn less than the crease angle.
fn corner_normals(facets: &[Facet], vertices: usize, shading: Shading) -> Vec<[Vector; 3]> {
    let smallest_cosine = match shading {
        Shading::Flat => return facets.iter().map(|f| [f.normal; 3]).collect(),
        Shading::Smooth => -1.0,
        Shading::Creased(degrees) => degrees.clamp(0.0, 180.0).to_radians().cos(),
    };
    let (starts, around) = facets_around_vertices(facets, vertices);
    let corner = |facet: &Facet, vertex: usize| {
        let sum = around[starts[vertex]..starts[vertex + 1]]
            .iter()
            .map(|&f| &facets[f as usize])
            // The tolerance keeps a facet its own neighbour, and keeps all of them where the surface is smooth.
            .filter(|other| dot(other.normal, facet.normal) >= smallest_cosine - 1e-9)
            .fold([0.0; 3], |sum, f| add(sum, f.normal.map(|x| x * f.area)));
        direction(sum).unwrap_or(facet.normal)
    };
    facets.par_iter().map(|facet| facet.vertices.map(|v| corner(facet, v as usize))).collect()
}

/// Facets at each vertex, as compressed rows: `starts[v]..starts[v + 1]` of the second list.
fn facets_around_vertices(facets: &[Facet], vertices: usize) -> (Vec<usize>, Vec<u32>) {
    let mut starts = vec![0; vertices + 1];
    for v in facets.iter().flat_map(|facet| facet.vertices) {
        starts[v as usize + 1] += 1;
    }
    for v in 0..vertices {
        starts[v + 1] += starts[v];
    }
    let mut next = starts.clone();
    let mut around = vec![0; starts[vertices]];
    for (f, facet) in facets.iter().enumerate() {
        for v in facet.vertices {
            around[next[v as usize]] = f as u32;
            next[v as usize] += 1;
        }
    }
    (starts, around)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Rgb;

    const CORNER: [[f64; 3]; 4] = [[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

    #[test]
    fn creases_keep_their_facets_normals() {
        // Two perpendicular triangles along the x axis.
        let triangles = [[0, 1, 2], [0, 3, 1]];
        let normals = |shading| {
            let scene = Scene::new(&CORNER, &triangles).shading(shading);
            Surface::of(&scene).unwrap().corner_normals
        };
        assert_eq!(normals(Shading::Creased(40.0)), normals(Shading::Flat));
        assert_eq!(normals(Shading::Creased(100.0)), normals(Shading::Smooth));
        assert_ne!(normals(Shading::Smooth), normals(Shading::Flat));
    }

    #[test]
    fn undrawable_triangles_are_left_out() {
        let mut positions = CORNER.to_vec();
        positions.push([f64::NAN, 0.0, 0.0]);
        let triangles = [[0, 1, 2], [0, 1, 4], [1, 1, 2], [0, 0, 0]];
        let surface = Surface::of(&Scene::new(&positions, &triangles)).unwrap();
        assert_eq!(surface.facets.len(), 1);
        assert_eq!(surface.edges().len(), 3);
    }

    #[test]
    fn wrong_counts_are_errors() {
        let outside = Surface::of(&Scene::new(&CORNER, &[[0, 1, 9]]));
        assert!(matches!(outside, Err(PictureError::VertexOutOfRange { vertex: 9, .. })));
        let scene = Scene::new(&CORNER, &[[0, 1, 2]]).paint(Paint::PerVertex(&[Rgb::INK]));
        assert!(matches!(Surface::of(&scene), Err(PictureError::ColorCount { expected: 4, .. })));
    }
}
