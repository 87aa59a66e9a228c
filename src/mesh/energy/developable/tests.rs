use super::residuals::corner;
use super::*;
use crate::mesh::samples::quad_cube;
use crate::{BlockId, Problem, Value};
use nalgebra::{Matrix3, Vector3};
use std::f64::consts::TAU;

fn go(level: u32, options: DevelopableOptions) -> DevelopableResult {
    Developable::icosphere(level, options).unwrap().run(|_| ControlFlow::Continue(())).unwrap()
}

/// A point with a fan of `valence` uneven triangles about it.
fn star(valence: usize) -> Mesh {
    let rim = |k: usize| {
        let turn = TAU * k as f64 / valence as f64;
        [turn.cos() * (1.0 + 0.1 * k as f64), turn.sin(), 0.3 * (2.3 * k as f64).sin()]
    };
    let points = std::iter::once([0.05, -0.1, 0.4]).chain((0..valence).map(rim)).collect();
    let faces: Vec<[u32; 3]> = (0..valence).map(|k| [0, 1 + k as u32, 1 + ((k + 1) % valence) as u32]).collect();
    Mesh::from_triangles(points, &faces).unwrap()
}

/// A drum: a round wall of `slices` × `layers` squares cut in two, closed by two fans.
fn drum(slices: usize, layers: usize) -> Mesh {
    let ring = |layer: usize, k: usize| (layer * slices + k % slices) as u32;
    let mut points = Vec::new();
    for layer in 0..=layers {
        points.extend((0..slices).map(|k| {
            let turn = TAU * k as f64 / slices as f64;
            [turn.cos(), turn.sin(), 2.0 * layer as f64 / layers as f64 - 1.0]
        }));
    }
    let [bottom, top] = [points.len() as u32, points.len() as u32 + 1];
    points.extend([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0]]);
    let mut faces = Vec::new();
    for k in 0..slices {
        for layer in 0..layers {
            let [a, b] = [ring(layer, k), ring(layer, k + 1)];
            let [c, d] = [ring(layer + 1, k + 1), ring(layer + 1, k)];
            faces.extend([[a, b, c], [a, c, d]]);
        }
        faces.extend([[bottom, ring(0, k + 1), ring(0, k)], [top, ring(layers, k), ring(layers, k + 1)]]);
    }
    Mesh::from_triangles(points, &faces).unwrap()
}

/// A = Σ θ N Nᵀ at vertex 0 of a star, written out once more, with the angles by the law of cosines.
fn covariance(mesh: &Mesh) -> Matrix3<f64> {
    let p: Vec<Vector3<f64>> = mesh.vertices().iter().map(|&p| p.into()).collect();
    mesh.faces().fold(Matrix3::zeros(), |sum, face| {
        let [a, b] = [p[face[1] as usize] - p[0], p[face[2] as usize] - p[0]];
        let normal = a.cross(&b).normalize();
        let opposite = (a - b).norm_squared();
        let cosine = (a.norm_squared() + b.norm_squared() - opposite) / (2.0 * a.norm() * b.norm());
        sum + normal * normal.transpose() * cosine.acos()
    })
}

/// ½ Σ r² over the corners at vertex 0 of a star.
fn corner_cost(x: &[f64], mesh: &Mesh) -> (f64, Vec<f64>) {
    let mut problem = Problem::new();
    let vertices = problem.add_parameter_blocks(3, &x[..3 * mesh.vertex_count()]).unwrap();
    let u = problem.add_parameter_block(&x[3 * mesh.vertex_count()..]).unwrap();
    for face in mesh.faces() {
        let blocks: Vec<BlockId> = face.iter().map(|&v| vertices[v as usize]).chain([u]).collect();
        problem.add_residual(&blocks, |x| corner(x, &[Value::constant(1.0)])).unwrap();
    }
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(x, &mut evaluation).unwrap();
    let mut gradient = vec![0.0; x.len()];
    compiled.for_each_entry(&evaluation, |row, k, derivative| gradient[k] += evaluation.residuals[row] * derivative);
    (evaluation.cost(), gradient)
}

fn unknowns(mesh: &Mesh, u: [f64; 3]) -> Vec<f64> {
    mesh.vertices().as_flattened().iter().copied().chain(u).collect()
}

#[test]
fn the_residuals_sum_to_the_quadratic_form_and_never_fall_below_lambda() {
    for valence in [4, 5, 6, 9] {
        let mesh = star(valence);
        let measured = Developability::of(&mesh);
        assert_eq!(measured.in_energy.iter().filter(|&&counts| counts).count(), 1);
        let lambda = measured.lambda[0];
        for u in [[1.0, 0.0, 0.0], [0.3, -0.5, 2.0], [-1.0, 1.0, 0.2]] {
            let unit = Vector3::from(u).normalize();
            let form = (unit.transpose() * covariance(&mesh) * unit)[0];
            let (cost, _) = corner_cost(&unknowns(&mesh, u), &mesh);
            assert!((2.0 * cost - form).abs() < 1e-14 * (1.0 + form), "{cost} {form}");
            assert!(lambda <= form);
        }
        let (least, _) = corner_cost(&unknowns(&mesh, measured.direction[0]), &mesh);
        assert!((2.0 * least - lambda).abs() < 1e-14, "{least} {lambda}");
    }
}

#[test]
fn the_gradient_of_a_star_is_that_of_central_differences() {
    let mesh = star(5);
    let x = unknowns(&mesh, [0.4, 0.7, -0.2]);
    let (_, gradient) = corner_cost(&x, &mesh);
    let step = 1e-6;
    for k in 0..x.len() {
        let at = |shift: f64| {
            let mut moved = x.clone();
            moved[k] += shift;
            corner_cost(&moved, &mesh).0
        };
        let difference = (at(step) - at(-step)) / (2.0 * step);
        assert!((gradient[k] - difference).abs() < 1e-8, "{k}: {} {difference}", gradient[k]);
    }
}

#[test]
fn a_drum_is_developable_but_for_its_rims() {
    let (slices, layers) = (24, 6);
    let mesh = drum(slices, layers);
    let measured = Developability::of(&mesh);
    assert!(measured.in_energy.iter().all(|&counts| counts));
    let on_rim = |v: usize| v < slices || (layers * slices..(layers + 1) * slices).contains(&v);
    for v in 0..mesh.vertex_count() {
        assert_eq!(measured.lambda[v] < 1e-15, !on_rim(v), "{v}: {}", measured.lambda[v]);
        assert_eq!(measured.developable[v], !on_rim(v));
    }
    // The wall turns by 15° a slice, the rims by 90°.
    assert_eq!(hinges(&mesh, 45.0).len(), 2 * slices);
    assert_eq!(hinges(&mesh, 14.0).len(), 2 * slices + slices * layers);
}

#[test]
fn a_cube_has_energy_at_its_corners_only() {
    let once = subdivide(&measure::triangulated(&quad_cube())).unwrap().mesh;
    let measured = Developability::of(&subdivide(&once).unwrap().mesh);
    let curved: Vec<f64> = measured.lambda.iter().copied().filter(|&lambda| lambda > 1e-15).collect();
    // Three right angles: A = π/2 I. Corners of valence 3 are left out of the energy.
    let in_energy = measured.in_energy[..8].iter().filter(|&&counts| counts).count();
    assert_eq!(curved.len(), in_energy);
    assert!(curved.iter().all(|lambda| (lambda - TAU / 4.0).abs() < 1e-14));
    assert_eq!(measured.developable.iter().filter(|&&flat| !flat).count(), 8);
}

#[test]
fn subdivision_keeps_the_energy() {
    let coarse = icosphere(1).unwrap();
    let fine = Developability::of(&subdivide(&coarse).unwrap().mesh);
    let coarse = Developability::of(&coarse);
    assert!((coarse.energy - fine.energy).abs() < 1e-12);
    assert!(fine.lambda[42..].iter().all(|&lambda| lambda < 1e-15));
}

#[test]
fn a_sphere_of_level_2_breaks_into_patches() {
    let result = go(2, DevelopableOptions::default());
    assert!(!result.stopped && result.reports.len() == 18);
    assert_eq!(result.mesh.corners(), result.start_mesh.corners());
    assert_eq!(result.mesh.vertex_count(), 162);
    assert_eq!(result.before.share, 0.0);
    assert!(result.after.share > 0.68, "{}", result.after.share);
    assert!(result.energy_drop() > 0.83, "{}", result.energy_drop());
    assert!(result.after.smallest_angle > 12.0, "{}", result.after.smallest_angle);
    assert!(hinges(&result.mesh, 150.0).is_empty());
}

#[test]
fn one_seed_gives_one_mesh() {
    let options = || DevelopableOptions { rounds: 2, ..DevelopableOptions::default() };
    let first = go(2, options());
    assert_eq!(first.mesh, go(2, options()).mesh);
    let mut one_thread = options();
    one_thread.solver.threads = 1;
    assert_eq!(first.mesh, go(2, one_thread).mesh);
    assert_ne!(first.mesh, go(2, DevelopableOptions { seed: 2, ..options() }).mesh);
}

#[test]
fn the_size_of_the_mesh_does_not_matter() {
    let options = || DevelopableOptions { rounds: 1, ..DevelopableOptions::default() };
    let ball = icosphere(2).unwrap();
    let scaled = ball.with_vertices(ball.vertices().iter().map(|p| p.map(|c| 100.0 * c)).collect()).unwrap();
    let [small, large] = [&ball, &scaled]
        .map(|mesh| Developable::new(mesh, options()).unwrap().run(|_| ControlFlow::Continue(())).unwrap());
    assert!((small.before.energy - large.before.energy).abs() < 1e-10);
    assert!(large.energy_drop() > 0.3 && small.energy_drop() > 0.3);
}

#[test]
fn a_mesh_with_boundary_of_polygons() {
    // A dome of quads over a square: valence 6 and less in triangles, and its rim is no part of the energy.
    let side = 7_u32;
    let height = |c: u32| (f64::from(c) / 6.0 * std::f64::consts::PI).sin();
    let points = (0..side * side).map(|v| {
        let (x, y) = (v % side, v / side);
        [f64::from(x), f64::from(y), 2.0 * height(x) * height(y)]
    });
    let corner = |x: u32, y: u32| y * side + x;
    let quads: Vec<[u32; 4]> = (0..side - 1)
        .flat_map(|y| {
            (0..side - 1).map(move |x| [corner(x, y), corner(x + 1, y), corner(x + 1, y + 1), corner(x, y + 1)])
        })
        .collect();
    let mesh = Mesh::from_faces(points.collect(), &quads).unwrap();
    let options = DevelopableOptions { subdivisions: 1, ..DevelopableOptions::default() };
    let result = Developable::new(&mesh, options).unwrap().run(|_| ControlFlow::Continue(())).unwrap();
    assert_eq!(result.before.in_energy.iter().filter(|&&counts| counts).count(), 11 * 11);
    assert!(result.energy_drop() > 0.5, "{}", result.energy_drop());
}

#[test]
fn the_callback_stops_the_run() {
    let run = Developable::icosphere(2, DevelopableOptions::default()).unwrap();
    let mut seen = Vec::new();
    let result = run
        .run(|iteration| {
            seen.push((iteration.level, iteration.round, iteration.record.iteration));
            if iteration.round == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen.last(), Some(&(0, 1, 0)));
    assert!(result.stopped && result.reports.len() == 2);
    assert_eq!(result.mesh.vertex_count(), 162);
}

#[test]
fn nothing_inside_is_an_error() {
    let flat = Mesh::from_triangles(vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], &[[0, 1, 2]]).unwrap();
    let error = Developable::new(&flat, DevelopableOptions::default()).err();
    assert!(matches!(error, Some(DevelopableError::NothingInside)));
}

/// Where there is a device, its derivatives of every residual of a round are the CPU's.
#[cfg(feature = "gpu")]
#[test]
fn a_device_finds_the_same_gradient() {
    use crate::backend::gpu::GpuContext;
    use crate::device::{Accumulation, GpuDerivatives};
    use crate::kernel::wgsl::{Format, Formats};
    let context = match GpuContext::shared() {
        Ok(context) if context.has_f64() => context,
        other => {
            assert!(std::env::var("ISOGRAD_REQUIRE_GPU").as_deref() != Ok("1"), "{other:?}");
            return;
        }
    };
    let rest = drum(7, 3);
    // Off the symmetric shape, where many residuals are 0.
    let points = rest.vertices().iter().zip(0..).map(|(&[x, y, z], k)| {
        let bump = 0.07 * f64::from(k % 5) - 0.1;
        [x + bump, y - 0.5 * bump * x, z + bump * y]
    });
    let mesh = rest.with_vertices(points.collect()).unwrap();
    let weights = Weights { exponent: 1.0, seam_lambda: 0.5, anchor: 0.3, quality: 0.2, fold: 0.1 };
    let round = Round::new(&mesh, &rest, &Developability::of(&mesh), &weights).unwrap();
    let (compiled, parameters) = (round.problem.compile().unwrap(), round.problem.parameters());
    let x = parameters.values();
    let formats = Formats { real: Format::F64, sum: Format::F64 };
    let device = GpuDerivatives::new(&context, &compiled, parameters, formats, Accumulation::Auto).unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(x, &mut evaluation).unwrap();
    let (mut gradient, mut sizes) = (vec![0.0; x.len()], vec![0.0; x.len()]);
    compiled.for_each_entry(&evaluation, |row, parameter, derivative| {
        let term = derivative * evaluation.residuals[row];
        gradient[parameter] += term;
        sizes[parameter] += f64::abs(term);
    });
    for (k, found) in device.gradient(x).unwrap().into_iter().enumerate() {
        assert!((found - gradient[k]).abs() <= 1e-10 * sizes[k], "{k}: {found} for {}", gradient[k]);
    }
}
