//! The device finds the optimum that the CPU finds.

use super::{chain, noise, of_block, precisions, rosenbrock, same_optimum, same_optimum_in, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::GpuContext;
use isograd::io::read_mesh;
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{Blocks, Precision, Problem, SolverOptions, Value};

pub const TESTS: &[Test] = &[
    ("optima::icospheres_of_level_1", icospheres_of_level_1),
    ("optima::icospheres_of_level_2", icospheres_of_level_2),
    ("optima::icospheres_of_level_3", icospheres_of_level_3),
    ("optima::a_mesh_from_a_file", a_mesh_from_a_file),
    ("optima::a_curve_through_many_points", a_curve_through_many_points),
    ("optima::a_block_of_forty", a_block_of_forty),
    ("optima::cameras_and_points", cameras_and_points),
    ("optima::many_topologies", many_topologies),
    ("optima::rosenbrocks_valley", rosenbrocks_valley),
    ("optima::a_single_residual", a_single_residual),
    ("optima::residuals_with_several_outputs", residuals_with_several_outputs),
    ("optima::a_sketch", a_sketch),
    ("optima::fixing_is_substituting", fixing_is_substituting),
];

/// Tolerances far below what is compared, and short steps: software adapters are slow.
fn options() -> SolverOptions {
    SolverOptions { function_tolerance: 1e-10, parameter_tolerance: 1e-12, max_linear_iterations: 40, ..tight() }
}

fn icospheres(context: &GpuContext, level: u32, energies: &[Energy], singles_only: bool) {
    let mesh = icosphere(level).unwrap();
    for &energy in energies {
        let state = || MeshProblem::new(energy, &mesh).unwrap().problem;
        let few = singles_only || energy == Energy::Arap;
        let precisions: Vec<_> =
            precisions(context).into_iter().filter(|&p| !few || p != Precision::DoubleF32).collect();
        same_optimum_in(context, &precisions, &format!("icosphere:{level}#{energy}"), &options(), 1e-4, state);
    }
}

fn icospheres_of_level_1(context: &GpuContext) {
    icospheres(context, 1, &Energy::ALL, false);
}

fn icospheres_of_level_2(context: &GpuContext) {
    icospheres(context, 2, &[Energy::Smooth, Energy::Sphere], false);
    icospheres(context, 2, &[Energy::Arap], true);
}

fn icospheres_of_level_3(context: &GpuContext) {
    icospheres(context, 3, &[Energy::Stretch, Energy::Sphere], true);
}

fn a_mesh_from_a_file(context: &GpuContext) {
    let mesh = read_mesh(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/ripple.off")).unwrap();
    for energy in [Energy::Smooth, Energy::Stretch] {
        let state = || MeshProblem::new(energy, &mesh).unwrap().problem;
        same_optimum(context, &format!("ripple#{energy}"), &options(), 1e-4, state);
    }
}

/// One block with hundreds of instances: a long incidence list.
fn a_curve_through_many_points(context: &GpuContext) {
    for (parameters, count) in [(3, 400), (4, 97), (5, 900)] {
        let noise = noise(count);
        let state = || {
            let mut problem = Problem::new();
            let block = problem.add_parameter_block(&[1.5, 0.7, 0.2, 0.3, 0.1][..parameters]).unwrap();
            let points: Vec<[f64; 2]> = (0..count)
                .map(|k| {
                    let t = 4.0 * k as f64 / count as f64;
                    [t, 2.0 * (-0.5 * t).exp() + 0.3 + 0.02 * noise[k]]
                })
                .collect();
            problem
                .add_residual_batch(&vec![[block]; count], &points, |x, d| {
                    let curve = x[0][0] * (-x[0][1] * d[0]).exp() + x[0][2];
                    let ripples = (3..parameters).map(|k| x[0][k] * (d[0] * k as f64).sin());
                    ripples.fold(curve, |sum, term| sum + term) - d[1]
                })
                .unwrap();
            problem
        };
        same_optimum(context, &format!("{parameters} parameters"), &tight(), 1e-4, state);
    }
}

/// A block too large to be one piece.
fn a_block_of_forty(context: &GpuContext) {
    let start: Vec<f64> = noise(40).iter().map(|n| 1.0 + 0.3 * n).collect();
    let state = || {
        of_block(&start, |x| {
            let mut all: Vec<Value> = x.windows(2).map(|pair| pair[0] * pair[1] - 1.3).collect();
            all.extend(x.iter().enumerate().map(|(k, &x)| 0.5 * (x - 1.0 - 0.01 * k as f64)));
            all.push(0.1 * (Value::sum_of(x) - 30.0));
            all
        })
    };
    same_optimum(context, "40", &options(), 1e-4, state);
    // Pieces with held components, and residuals that read some of the pieces only.
    let state = || {
        let mut problem = Problem::new();
        let block = problem.add_parameter_block(&start).unwrap();
        for k in 0..13 {
            problem.add_residual(&[block], |x| (x[0][3 * k] * x[0][3 * k + 1] - 1.0) + 0.1 * x[0][39 - k]).unwrap();
            problem.add_residual(&[block], |x| 0.3 * (x[0][3 * k] - x[0][3 * k + 2])).unwrap();
        }
        for component in [0, 4, 17, 18, 39] {
            problem.fix_component(block, component).unwrap();
        }
        problem
    };
    same_optimum(context, "40, some held", &options(), 1e-4, state);
}

/// Rotates by an angle vector to first order, shifts, and projects with a focal length and two distortions: 9 parameters.
fn project(x: &Blocks<'_>) -> [Value; 2] {
    let (c, p) = (&x[0], &x[1]);
    let rotated =
        [p[0] + c[1] * p[2] - c[2] * p[1], p[1] + c[2] * p[0] - c[0] * p[2], p[2] + c[0] * p[1] - c[1] * p[0]];
    let moved = [rotated[0] + c[3], rotated[1] + c[4], rotated[2] + c[5]];
    let (u, v) = (moved[0] / moved[2], moved[1] / moved[2]);
    let r = u * u + v * v;
    let scale = c[6] * (1.0 + c[7] * r + c[8] * r * r);
    [scale * u, scale * v]
}

/// Blocks of two sizes, some of them fixed, with a prior on each.
fn cameras_and_points(context: &GpuContext) {
    let state = || {
        let mut problem = Problem::new();
        let noise = noise(400);
        let cameras: Vec<_> = (0..6)
            .map(|k| {
                let n = &noise[20 * k..];
                let angle = 0.05 * n[0];
                let camera = [angle, 0.05 * n[1], 0.05 * n[2], 0.3 * n[3], 0.3 * n[4], 5.0, 1.2, 0.01, 0.0];
                problem.add_parameter_block(&camera).unwrap()
            })
            .collect();
        let points: Vec<_> = (0..30)
            .map(|k| {
                problem.add_parameter_block(&[noise[150 + 3 * k], noise[151 + 3 * k], noise[152 + 3 * k]]).unwrap()
            })
            .collect();
        for (k, &camera) in cameras.iter().enumerate() {
            for (l, &point) in points.iter().enumerate().filter(|(l, _)| (k + l) % 4 != 0) {
                let seen = |axis: usize| 0.24 * noise[150 + 3 * l + axis] + 0.01 * noise[(7 * k + 3 * l + axis) % 400];
                let seen = [seen(0), seen(1)];
                problem
                    .add_residual(&[camera, point], |x| {
                        let [u, v] = project(&x);
                        [u - seen[0], v - seen[1]]
                    })
                    .unwrap();
            }
            problem
                .add_residual(&[camera], |x| {
                    (0..9).map(|c| 0.5 * (x[0][c] - if c == 5 { 5.0 } else { 0.1 })).collect::<Vec<_>>()
                })
                .unwrap();
        }
        for &point in &points {
            problem.add_residual(&[point], |x| x.vector::<3>(0) * Value::constant(0.2)).unwrap();
        }
        problem.fix(cameras[0]).unwrap();
        problem.fix_component(cameras[1], 5).unwrap();
        problem.fix(points[4]).unwrap();
        problem
    };
    // Steps of full accuracy: inexact ones take hundreds of iterations here.
    let options = SolverOptions { forcing: 1e-3, ..options() };
    same_optimum(context, "cameras", &options, 1e-4, state);
}

/// More topologies than one kernel takes.
fn many_topologies(context: &GpuContext) {
    let state = || {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(2, &noise(40)).unwrap();
        for k in 0..60_usize {
            let pair = [blocks[k % 20], blocks[(7 * k + 3) % 20]];
            let pair = if pair[0] == pair[1] { [pair[0], blocks[(k + 1) % 20]] } else { pair };
            // The chain of operations tells the number's bits.
            problem
                .add_residual(&pair, |x| {
                    let mut value = x[0][0] - x[1][1];
                    for bit in 0..6 {
                        value = if k >> bit & 1 == 1 { value / (1.0 + value * value) } else { 0.7 * value + x[0][1] };
                    }
                    value - 0.1
                })
                .unwrap();
        }
        for &block in &blocks {
            problem.add_residual(&[block], |x| [0.4 * x[0][0] - 0.1, 0.4 * x[0][1]]).unwrap();
        }
        assert!(problem.topologies() >= 60, "{}", problem.topologies());
        problem
    };
    let singles: Vec<_> = precisions(context).into_iter().filter(|&p| p != Precision::DoubleF32).collect();
    same_optimum_in(context, &singles, "60 topologies", &options(), 1e-4, state);
}

fn rosenbrocks_valley(context: &GpuContext) {
    same_optimum(context, "Rosenbrock", &tight(), 1e-4, rosenbrock);
}

fn a_single_residual(context: &GpuContext) {
    same_optimum(context, "linear", &tight(), 1e-4, || of_block(&[3.0], |x| vec![2.0 * x[0] - 1.0]));
    same_optimum(context, "least value", &tight(), 1e-5, || of_block(&[3.0], |x| vec![x[0].square() + 2.0]));
    same_optimum(context, "two blocks", &tight(), 1e-5, || {
        let mut problem = Problem::new();
        let blocks = [problem.add_parameter_block(&[1.0]).unwrap(), problem.add_parameter_block(&[2.0, 3.0]).unwrap()];
        problem.add_residual(&blocks, |x| x[0][0] * x[1][1] + x[1][0].exp() + 1.0).unwrap();
        problem
    });
}

fn residuals_with_several_outputs(context: &GpuContext) {
    same_optimum(context, "chain", &options(), 1e-4, || chain(200));
}

/// Lines and a circle: lengths, directions, a point on the circle, a tangent.
fn a_sketch(context: &GpuContext) {
    let state = || {
        let mut problem = Problem::new();
        let mut point = |x: f64, y: f64| problem.add_parameter_block(&[x, y]).unwrap();
        let corners = [point(0.0, 0.0), point(95.0, 7.0), point(104.0, 61.0), point(-6.0, 57.0)];
        let (centre, radius) = (point(48.0, 33.0), problem.add_parameter_block(&[20.0]).unwrap());
        problem.fix(corners[0]).unwrap();
        let length = |x: &Blocks<'_>| (x[1][0] - x[0][0]).hypot(x[1][1] - x[0][1]);
        for (k, target) in [100.0, 60.0, 100.0, 60.0].into_iter().enumerate() {
            problem.add_residual(&[corners[k], corners[(k + 1) % 4]], |x| length(&x) - target).unwrap();
        }
        problem.add_residual(&corners[..2], |x| x[1][1] - x[0][1]).unwrap();
        problem
            .add_residual(&corners[..3], |x| {
                let (ax, ay) = (x[1][0] - x[0][0], x[1][1] - x[0][1]);
                let (bx, by) = (x[2][0] - x[1][0], x[2][1] - x[1][1]);
                (ax * bx + ay * by) / (ax.hypot(ay) * bx.hypot(by))
            })
            .unwrap();
        for &corner in &corners[..3] {
            problem.add_residual(&[centre, corner, radius], |x| length(&x) - x[2][0]).unwrap();
        }
        problem
    };
    // In single precision, residuals of numbers near 100 are good to 1e-5.
    let options = options();
    same_optimum(context, "sketch", &options, 1e-4, state);
}

/// The same optimum as with the fixed numbers written into the residuals.
fn fixing_is_substituting(context: &GpuContext) {
    let function = |a: [Value; 2], b: [Value; 2]| {
        [(a[0] - b[0]).hypot(a[1] - b[1]) - 2.0, a[0] * b[1] - 1.0, 0.3 * (a[1] - b[0].sin())]
    };
    let state = || {
        let mut problem = Problem::new();
        let blocks =
            [problem.add_parameter_block(&[0.4, 1.1]).unwrap(), problem.add_parameter_block(&[1.7, -0.6]).unwrap()];
        problem.add_residual(&blocks, |x| function([x[0][0], x[0][1]], [x[1][0], x[1][1]])).unwrap();
        problem.fix_component(blocks[1], 0).unwrap();
        problem
    };
    same_optimum(context, "fixed", &tight(), 1e-4, state);
    let state = || {
        let mut problem = Problem::new();
        let blocks = [problem.add_parameter_block(&[0.4, 1.1]).unwrap(), problem.add_parameter_block(&[-0.6]).unwrap()];
        problem.add_residual(&blocks, |x| function([x[0][0], x[0][1]], [Value::constant(1.7), x[1][0]])).unwrap();
        problem
    };
    same_optimum(context, "substituted", &tight(), 1e-4, state);
}
