//! Every group of the ready-made energies.

use super::reference::{F64, compare};
use isograd::backend::gpu::GpuContext;
use isograd::device::Accumulation;
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::{Mesh, icosphere};

fn check(context: &GpuContext, mesh: &Mesh) {
    for energy in Energy::ALL {
        let problem = MeshProblem::new(energy, mesh).unwrap().problem;
        let x = problem.parameters().values().to_vec();
        // Much is 0 at the start, and is what a fused multiply-add leaves of it where the device has one.
        compare(context, &problem, &x, F64, Accumulation::Auto, (1e-10, 1e-3));
        let elsewhere: Vec<f64> = x.iter().zip(0..).map(|(x, k)| x + 0.1 * f64::from(k % 7) - 0.25).collect();
        compare(context, &problem, &elsewhere, F64, Accumulation::Auto, (1e-10, 1e-3));
    }
}

pub fn of_an_icosphere(context: &GpuContext) {
    check(context, &icosphere(1).unwrap());
}

/// A bent strip: vertices of many valences, and edges with one face.
pub fn of_a_mesh_with_boundary(context: &GpuContext) {
    let (columns, rows) = (6_u32, 4_u32);
    let vertices: Vec<[f64; 3]> = (0..columns * rows)
        .map(|k| (f64::from(k % columns), f64::from(k / columns)))
        .map(|(x, y)| [x + 0.1 * (3.0 * y).sin(), y, 0.2 * (x * x - x * y)])
        .collect();
    let mut faces = Vec::new();
    for row in 0..rows - 1 {
        for column in 0..columns - 1 {
            let a = row * columns + column;
            let (b, c, d) = (a + 1, a + columns, a + columns + 1);
            faces.extend([[a, b, c], [b, d, c]]);
        }
    }
    check(context, &Mesh::from_triangles(vertices, &faces).unwrap());
}
