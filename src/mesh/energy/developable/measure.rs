//! How developable a mesh is: measured on plain numbers, apart from the residuals.

use super::super::super::Mesh;
use nalgebra::{Matrix3, SymmetricEigen, Vector3};
use std::f64::consts::PI;

/// A vertex counts as developable if its angle defect is below this share of the mean defect of a sphere, 4π/V.
const DEFECT_SHARE: f64 = 0.1;
/// Triangles more distorted than this (see [`distortion`](super::residuals::distortion)) count as having no area.
const MOST_DISTORTED: f64 = 1e8;

/// How developable a mesh is, vertex by vertex and in sum.
#[derive(Debug, Clone, PartialEq)]
pub struct Developability {
    /// Σ λ over the vertices in the energy.
    pub energy: f64,
    /// The smallest eigenvalue of A = Σ θ N Nᵀ at each vertex; 0 where the vertex is not in the energy.
    pub lambda: Vec<f64>,
    /// Its unit eigenvector: the direction that the vertex could be rolled along.
    pub direction: Vec<[f64; 3]>,
    /// Whether the vertex is in the energy: inside the surface, of valence 4 or more, between triangles that have an area.
    pub in_energy: Vec<bool>,
    /// Whether the angle defect is less than a tenth of 4π/V in size; false at the boundary.
    pub developable: Vec<bool>,
    /// Share of such vertices among those inside the surface.
    pub share: f64,
    /// Smallest angle of a triangle, in degrees.
    pub smallest_angle: f64,
}

impl Developability {
    /// Measures a mesh. Larger polygons count as fans of triangles.
    pub fn of(mesh: &Mesh) -> Self {
        let mesh = &triangulated(mesh);
        let points = positions(mesh);
        let mut covariance = vec![Matrix3::zeros(); points.len()];
        for corners in mesh.triangles().filter(|&t| is_sound(&points, t)) {
            for k in 0..3 {
                let [v, a, b] = rotated(corners, k);
                let (to_a, to_b) = (points[a] - points[v], points[b] - points[v]);
                let normal = to_a.cross(&to_b);
                let angle = normal.norm().atan2(to_a.dot(&to_b));
                let unit = normal.normalize();
                covariance[v] += unit * unit.transpose() * angle;
            }
        }
        let in_energy = in_energy(mesh, &points);
        let (mut lambda, mut direction) = (Vec::new(), Vec::new());
        for (matrix, &counts) in covariance.into_iter().zip(&in_energy) {
            let eigen = SymmetricEigen::new(matrix);
            let smallest = eigen.eigenvalues.imin();
            // Rounding may bring an eigenvalue of 0 below it.
            lambda.push(if counts { eigen.eigenvalues[smallest].max(0.0) } else { 0.0 });
            direction.push(eigen.eigenvectors.column(smallest).into_owned().into());
        }

        let defects = mesh.angle_defects();
        let threshold = DEFECT_SHARE * 4.0 * PI / points.len() as f64;
        let inside: Vec<bool> = mesh.used_vertices().iter().zip(&defects.boundary).map(|(&u, &b)| u && !b).collect();
        let flat = |(&inside, defect): (&bool, &f64)| inside && defect.abs() < threshold;
        let developable: Vec<bool> = inside.iter().zip(&defects.defect).map(flat).collect();
        let count = |flags: &[bool]| flags.iter().filter(|&&flag| flag).count() as f64;
        Developability {
            energy: lambda.iter().sum(),
            share: count(&developable) / count(&inside).max(1.0),
            lambda,
            direction,
            in_energy,
            developable,
            smallest_angle: mesh.corner_angles().into_iter().fold(PI, f64::min).to_degrees(),
        }
    }
}

/// The edges along which the triangles of a mesh meet at more than `angle` degrees, boundaries not among them.
pub fn hinges(mesh: &Mesh, angle: f64) -> Vec<[u32; 2]> {
    let points = positions(mesh);
    let turns = |&[a, b, left, right]: &[usize; 4]| {
        let edge = points[b] - points[a];
        let (left, right) = (edge.cross(&(points[left] - points[a])), (points[right] - points[a]).cross(&edge));
        left.cross(&right).norm().atan2(left.dot(&right)).to_degrees() > angle
    };
    let edge = |[a, b, ..]: [usize; 4]| [a.min(b) as u32, a.max(b) as u32];
    inner_edges(mesh).into_iter().filter(turns).map(edge).collect()
}

/// The ends of each edge between two triangles, with the third corners of the triangle to its left and to its right.
///
/// Edges of three triangles or more are left out, and edges whose triangles look to opposite sides.
pub(super) fn inner_edges(mesh: &Mesh) -> Vec<[usize; 4]> {
    let table = mesh.edge_table();
    let counts = table.face_counts(mesh);
    let mut sides: Vec<[Option<u32>; 2]> = vec![[None; 2]; counts.len()];
    for corners in mesh.triangles() {
        for k in 0..3 {
            let [a, b, third] = [0, 1, 2].map(|i| corners[(i + k) % 3]);
            // The diagonals of a fan are no edges of the mesh.
            if let Some(edge) = table.find(a, b) {
                sides[edge][usize::from(a > b)] = Some(third);
            }
        }
    }
    let inner = |((&[a, b], &count), sides): ((&[u32; 2], &u32), &[Option<u32>; 2])| match *sides {
        [Some(left), Some(right)] if count == 2 && left != right => Some([a, b, left, right].map(|v| v as usize)),
        _ => None,
    };
    table.edges().iter().zip(&counts).zip(&sides).filter_map(inner).collect()
}

/// The same surface in triangles.
pub(super) fn triangulated(mesh: &Mesh) -> Mesh {
    let corners: Vec<u32> = mesh.triangles().flatten().collect();
    Mesh::from_valid_triangles(mesh.vertices().to_vec(), corners)
}

pub(super) fn positions(mesh: &Mesh) -> Vec<Vector3<f64>> {
    mesh.vertices().iter().map(|&p| Vector3::from(p)).collect()
}

/// The corners of a triangle, the `first` one first.
pub(super) fn rotated(corners: [u32; 3], first: usize) -> [usize; 3] {
    [0, 1, 2].map(|k| corners[(first + k) % 3] as usize)
}

/// Whether a triangle has a normal.
pub(super) fn is_sound(points: &[Vector3<f64>], [a, b, c]: [u32; 3]) -> bool {
    let corners = [a, b, c].map(|v| points[v as usize]);
    a != b && b != c && c != a && super::residuals::distortion(corners) < MOST_DISTORTED
}

/// Whether each vertex belongs in the energy, in a mesh of triangles. A star of three has nowhere to bend to (the paper leaves
/// it out too).
fn in_energy(mesh: &Mesh, points: &[Vector3<f64>]) -> Vec<bool> {
    let neighbours = mesh.neighbours();
    let mut inside: Vec<bool> = (0..points.len()).map(|v| neighbours.degree(v) >= 4).collect();
    let table = mesh.edge_table();
    for (edge, count) in table.edges().iter().zip(table.face_counts(mesh)) {
        if count != 2 {
            edge.iter().for_each(|&v| inside[v as usize] = false);
        }
    }
    for corners in mesh.triangles().filter(|&t| !is_sound(points, t)) {
        corners.iter().for_each(|&v| inside[v as usize] = false);
    }
    inside
}
