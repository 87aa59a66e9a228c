//! Lengths, areas and angles of a mesh as it lies.

use std::f64::consts::TAU;

use super::Mesh;
use super::vector::{add, cross, divide, dot, length, scale, subtract};

/// What each vertex lacks of a full turn.
#[derive(Debug, Clone, PartialEq)]
pub struct AngleDefects {
    /// 2 pi minus the sum of the corner angles at each vertex: the integrated Gaussian curvature. Over a closed
    /// surface of flat faces they sum to 2 pi times the Euler characteristic. Zero where no face uses the vertex.
    pub defect: Vec<f64>,
    /// Whether the vertex lies on a boundary edge. There the defect is no curvature: subtract pi to get the
    /// turning of the boundary.
    pub boundary: Vec<bool>,
}

impl Mesh {
    /// Area vector of each face: half the sum of p(i) x p(i+1) round the polygon (Newell). Its length is the area
    /// and its direction the normal; for a polygon that is not flat, those of its projection of greatest area.
    pub fn area_vectors(&self) -> Vec<[f64; 3]> {
        self.faces().map(|face| self.area_vector(face)).collect()
    }

    /// Area of each face.
    pub fn face_areas(&self) -> Vec<f64> {
        self.faces().map(|face| length(self.area_vector(face))).collect()
    }

    /// Unit normal of each face by the right-hand rule; zero where the face has no area.
    pub fn face_normals(&self) -> Vec<[f64; 3]> {
        let unit = |vector| match length(vector) {
            0.0 => [0.0; 3],
            area => divide(vector, area),
        };
        self.faces().map(|face| unit(self.area_vector(face))).collect()
    }

    pub(super) fn area_vector(&self, face: &[u32]) -> [f64; 3] {
        // Relative to the first corner, so that a small face far from the origin keeps its digits.
        let origin = self.vertices[face[0] as usize];
        let spoke = |v: u32| subtract(self.vertices[v as usize], origin);
        let doubled = face[1..].windows(2).fold([0.0; 3], |sum, side| add(sum, cross(spoke(side[0]), spoke(side[1]))));
        scale(doubled, 0.5)
    }

    /// Angle between the two sides at each corner, in the order of [`Mesh::corners`], from 0 to pi (a reflex corner
    /// of a polygon that is not convex shows as 2 pi minus its angle). Zero beside a side of length zero.
    pub fn corner_angles(&self) -> Vec<f64> {
        let mut angles = Vec::with_capacity(self.corners.len());
        for face in self.faces() {
            let position = |i: usize| self.vertices[face[i % face.len()] as usize];
            for i in 0..face.len() {
                let here = position(i);
                let forward = subtract(position(i + 1), here);
                let backward = subtract(position(i + face.len() - 1), here);
                // atan2 keeps full precision near 0 and pi, where acos loses half the digits.
                angles.push(length(cross(forward, backward)).atan2(dot(forward, backward)));
            }
        }
        angles
    }

    /// What each vertex lacks of a full turn, and which vertices lie on a boundary.
    pub fn angle_defects(&self) -> AngleDefects {
        let mut defect: Vec<f64> = self.used_vertices().iter().map(|&used| if used { TAU } else { 0.0 }).collect();
        for (&vertex, angle) in self.corners.iter().zip(self.corner_angles()) {
            defect[vertex as usize] -= angle;
        }
        let table = self.edge_table();
        let mut boundary = vec![false; self.vertex_count()];
        for (&[a, b], faces) in table.edges().iter().zip(table.face_counts(self)) {
            if faces == 1 {
                boundary[a as usize] = true;
                boundary[b as usize] = true;
            }
        }
        AngleDefects { defect, boundary }
    }

    /// Least and greatest corner of the box about all vertices, used or not; `None` where there are none.
    pub fn bounding_box(&self) -> Option<[[f64; 3]; 2]> {
        let (&first, rest) = self.vertices.split_first()?;
        let mut bounds = [first; 2];
        for point in rest {
            for axis in 0..3 {
                bounds[0][axis] = bounds[0][axis].min(point[axis]);
                bounds[1][axis] = bounds[1][axis].max(point[axis]);
            }
        }
        Some(bounds)
    }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::{FRAC_PI_2, FRAC_PI_3, PI};

    use super::super::samples::{bow_tie, quad_cube, tetrahedron};
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-14 * (1.0 + b.abs())
    }

    #[test]
    fn a_cube_has_unit_faces_that_look_outward() {
        let cube = quad_cube();
        assert_eq!(cube.face_areas(), [1.0; 6]);
        assert_eq!(cube.face_normals()[0], [0.0, 0.0, -1.0]);
        assert_eq!(cube.face_normals()[5], [1.0, 0.0, 0.0]);
        let total = cube.area_vectors().into_iter().fold([0.0; 3], add);
        assert_eq!(total, [0.0; 3]); // closed
        assert!(cube.corner_angles().iter().all(|&a| close(a, FRAC_PI_2)));
    }

    #[test]
    fn defects_of_closed_surfaces_sum_to_four_pi() {
        for mesh in [tetrahedron(), quad_cube()] {
            let defects = mesh.angle_defects();
            assert!(close(defects.defect.iter().sum(), 4.0 * PI));
            assert!(defects.boundary.iter().all(|&b| !b));
        }
        assert!(tetrahedron().corner_angles().iter().all(|&a| close(a, FRAC_PI_3)));
    }

    #[test]
    fn boundaries_are_flagged_and_unused_vertices_lack_nothing() {
        assert_eq!(bow_tie().angle_defects().boundary, [true; 5]);
        let mut points = bow_tie().vertices().to_vec();
        points.push([9.0; 3]);
        let defects = Mesh::from_triangles(points, &[[0, 1, 2]]).unwrap().angle_defects();
        assert_eq!(defects.defect[5], 0.0);
        assert!(!defects.boundary[5]);
    }

    #[test]
    fn a_face_without_area_has_no_normal() {
        let mesh = Mesh::from_triangles(vec![[1.0; 3]; 3], &[[0, 1, 2]]).unwrap();
        assert_eq!(mesh.face_normals(), [[0.0; 3]]);
        assert_eq!(mesh.corner_angles(), [0.0; 3]);
    }

    #[test]
    fn bounding_box() {
        assert_eq!(quad_cube().bounding_box(), Some([[0.0; 3], [1.0; 3]]));
        let empty = Mesh::from_triangles(vec![], &[]).unwrap();
        assert_eq!(empty.bounding_box(), None);
    }
}
