//! Manifolds, losses and the ready-made models on the device.

use super::{noise, on, precisions, same_optimum, same_optimum_in, solve, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::GpuContext;
use isograd::io::{BalProblem, parse_g2o, read_g2o};
use isograd::linear::SchurPreconditioner;
use isograd::loss::{Cauchy, Huber, Tolerant};
use isograd::manifold::{Angle, Se3, So3, Subset, UnitSphere};
use isograd::models::{BundleProblem, PoseGraphProblem};
use isograd::{LinearSolverKind, Precision, Problem, SolverOptions, Value};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use std::path::Path;

pub const TESTS: &[Test] = &[
    ("models::blocks_on_manifolds", blocks_on_manifolds),
    ("models::robust_losses", robust_losses),
    ("models::pose_graphs", pose_graphs),
    ("models::a_bundle", a_bundle),
    ("models::schur_jacobi_takes_fewer_iterations", schur_jacobi_takes_fewer_iterations),
    ("models::points_tied_to_points_are_eliminated_in_part", points_tied_to_points_are_eliminated_in_part),
];

fn unit(x: &[f64]) -> Vec<f64> {
    let norm = x.iter().map(|a| a * a).sum::<f64>().sqrt();
    x.iter().map(|a| a / norm).collect()
}

/// Rotations, directions, angles, poses and plain blocks that pull at each other; one of each kind is fixed.
fn mixed() -> Problem {
    let mut problem = Problem::new();
    let numbers = noise(200);
    let add = |problem: &mut Problem, point: &dyn Fn(&[f64]) -> Vec<f64>, first: usize| -> Vec<_> {
        (0..4).map(|k| problem.add_parameter_block(&point(&numbers[first + 8 * k..])).unwrap()).collect()
    };
    let rotations = add(&mut problem, &|x| unit(&x[..4]), 0);
    let directions = add(&mut problem, &|x| unit(&x[..3]), 40);
    let angles = add(&mut problem, &|x| vec![x[0]], 80);
    let poses = add(&mut problem, &|x| [&x[..3], &unit(&x[3..7])].concat(), 120);
    let plain = add(&mut problem, &|x| x[..3].to_vec(), 160);
    problem.set_manifold(&rotations, So3).unwrap();
    problem.set_manifold(&directions, UnitSphere(3)).unwrap();
    problem.set_manifold(&angles, Angle).unwrap();
    problem.set_manifold(&poses[..3], Se3).unwrap();
    problem.set_manifold(&poses[3..], Subset::new(Se3, &[2, 5])).unwrap();
    for blocks in [&rotations, &directions, &angles, &poses] {
        problem.fix(blocks[0]).unwrap();
    }
    for k in 0..4 {
        let next = (k + 1) % 4;
        problem
            .add_residual(&[rotations[k], directions[k], plain[k]], |x| {
                let q = UnitQuaternion::new_unchecked(Quaternion::from_vector(x.vector::<4>(0)));
                q * x.vector::<3>(1) - x.vector::<3>(2)
            })
            .unwrap();
        problem
            .add_residual(&[poses[k], poses[next], angles[k]], |x| {
                let p = |k: usize| Vector3::new(x[k][0], x[k][1], x[k][2]);
                let q = UnitQuaternion::new_unchecked(Quaternion::new(x[0][6], x[0][3], x[0][4], x[0][5]));
                let (sin, cos) = x[2][0].sin_cos();
                let ahead = q * Vector3::new(cos, sin, Value::constant(0.2));
                (p(1) - p(0) - ahead, x[0][3] - 0.5 * x[1][4])
            })
            .unwrap();
        problem.add_prior(plain[k], &[0.3, -0.2, 0.5], &nalgebra::DMatrix::identity(3, 3)).unwrap();
    }
    problem
}

fn blocks_on_manifolds(context: &GpuContext) {
    let few = [precisions(context)[0], Precision::F32];
    let options = SolverOptions { max_linear_iterations: 100, ..tight() };
    same_optimum_in(context, &few, "manifolds", &options, 1e-4, mixed);
    // Points stay on their manifolds, fixed ones to the bit.
    let mut problem = mixed();
    let before = problem.parameters().values().to_vec();
    let report = solve(context, &mut problem, &on(context, precisions(context)[0], &tight()));
    assert!(report.iterations.len() > 2, "{report}");
    let x = problem.parameters().values();
    let norm = |range: std::ops::Range<usize>| x[range].iter().map(|a| a * a).sum::<f64>().sqrt();
    (0..4).for_each(|k| assert!((norm(4 * k..4 * k + 4) - 1.0).abs() < 1e-9));
    (0..4).for_each(|k| assert!((norm(16 + 3 * k..19 + 3 * k) - 1.0).abs() < 1e-9));
    assert_eq!(x[..4], before[..4]);
    assert_eq!(x[16..19], before[16..19]);
}

fn robust_losses(context: &GpuContext) {
    let state = || {
        let mut problem = Problem::new();
        let line = problem.add_parameter_block(&[1.0, 0.0]).unwrap();
        let points: Vec<[f64; 2]> = noise(60)
            .iter()
            .enumerate()
            .map(|(k, n)| {
                let x = 0.1 * k as f64;
                [x, 2.0 * x - 1.0 + 0.05 * n + if k % 10 == 3 { 5.0 } else { 0.0 }]
            })
            .collect();
        let rows = problem
            .add_residual_batch(&vec![[line]; 60], &points, |x, d| {
                [x[0][0] * d[0] + x[0][1] - d[1], 0.1 * (x[0][0] * d[1]).sin()]
            })
            .unwrap();
        problem.set_loss(rows.start..20, Huber(0.1)).unwrap();
        problem.set_loss(20..40, Cauchy(0.2)).unwrap();
        problem.set_loss(40..55, Tolerant { a: 0.2, b: 0.1 }).unwrap();
        problem
    };
    same_optimum(context, "losses", &tight(), 1e-4, state);
}

fn pose_graphs(context: &GpuContext) {
    let few = [precisions(context)[0], Precision::F32];
    let graph = read_g2o(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cube.g2o")).unwrap();
    let options = SolverOptions { max_linear_iterations: 200, ..tight() };
    same_optimum_in(context, &few, "cube.g2o", &options, 1e-3, || PoseGraphProblem::new(&graph).unwrap().problem);
    let mut text = String::new();
    for k in 0..12 {
        let next = (k + 1) % 12;
        text += &format!("VERTEX_SE2 {k} {} {} 0.{k}\n", k % 5, k / 3);
        text += &format!("EDGE_SE2 {k} {next} 1 0.1 0.52 4 0.5 0 3 0 9\n");
    }
    let graph = parse_g2o(text.as_bytes(), "ring").unwrap();
    same_optimum_in(context, &few, "ring", &options, 1e-3, || PoseGraphProblem::new(&graph).unwrap().problem);
}

/// By conjugate gradients over all unknowns and over the Schur complement, with a loss and without.
fn a_bundle(context: &GpuContext) {
    let data = BalProblem::synthetic(6, 60, 4, 7).unwrap();
    for linear_solver in [LinearSolverKind::Pcg, LinearSolverKind::IterativeSchur] {
        for huber in [false, true] {
            let options = SolverOptions {
                max_linear_iterations: 300,
                forcing: 1e-2,
                linear_solver,
                // The other one has a test of its own, and its kernels take a software adapter long.
                schur_preconditioner: SchurPreconditioner::BlockJacobi,
                ..tight()
            };
            let name = format!("bundle, {linear_solver:?}, huber {huber}");
            let few = [precisions(context)[0], Precision::F32];
            same_optimum_in(context, &few, &name, &options, 1e-4, || {
                let mut bundle = BundleProblem::new(&data).unwrap();
                if huber {
                    bundle.problem.set_loss(bundle.observations.clone(), Huber(1.0)).unwrap();
                }
                bundle.problem
            });
        }
    }
}

/// The diagonal blocks of the Schur complement are the better preconditioner, as much so as on the CPU.
fn schur_jacobi_takes_fewer_iterations(context: &GpuContext) {
    // Two views a point leave more to its elimination than many.
    let data = BalProblem::synthetic(8, 120, 2, 3).unwrap();
    let state = || {
        let mut bundle = BundleProblem::new(&data).unwrap();
        // What its kernels must leave alone: fixed blocks, and held components of kept and of eliminated ones.
        bundle.problem.fix(bundle.cameras[0]).unwrap();
        bundle.problem.fix(bundle.points[0]).unwrap();
        bundle.problem.fix_component(bundle.cameras[1], 2).unwrap();
        bundle.problem.fix_component(bundle.points[1], 1).unwrap();
        bundle.problem
    };
    let preconditioners =
        [(SchurPreconditioner::BlockJacobi, "block-Jacobi"), (SchurPreconditioner::SchurJacobi, "Schur-Jacobi")];
    for precision in [precisions(context)[0], Precision::F32] {
        let counts = preconditioners.map(|(schur_preconditioner, name)| {
            let options = SolverOptions {
                linear_solver: LinearSolverKind::IterativeSchur,
                max_linear_iterations: 64,
                max_iterations: 3,
                forcing: 1e-3,
                schur_preconditioner,
                ..tight()
            };
            let report = solve(context, &mut state(), &on(context, precision, &options));
            let on_cpu = state().solve(&options).unwrap();
            let tables = format!("{precision:?}\n{}\n{}", report.iteration_table(), on_cpu.iteration_table());
            assert!(report.linear_solver.contains(name), "{report}");
            if precision == Precision::F32 {
                // It rounds too much for counts that are the same.
                return report.iterations.iter().map(|record| record.linear_iterations).sum::<usize>();
            }
            let [first, expected] = [&report, &on_cpu].map(|report| report.iterations[1].linear_iterations);
            assert!(first.abs_diff(expected) <= 1 + expected / 10, "{tables}");
            assert!((report.final_cost / on_cpu.final_cost - 1.0).abs() < 0.02, "{tables}");
            report.iterations.iter().map(|record| record.linear_iterations).sum::<usize>()
        });
        assert!(4 * counts[1] < 3 * counts[0], "{precision:?}: {counts:?}");
    }
}

/// Distances between some of the points: these are still eliminated but for one of each pair.
fn points_tied_to_points_are_eliminated_in_part(context: &GpuContext) {
    let data = BalProblem::synthetic(4, 90, 3, 5).unwrap();
    let state = || {
        let BundleProblem { mut problem, points, .. } = BundleProblem::new(&data).unwrap();
        for pair in points.chunks(2).take(10) {
            let distance = {
                let [a, b] = [0, 1].map(|k| Vector3::from_column_slice(problem.parameter_block(pair[k])));
                (a - b).norm()
            };
            problem.add_residual(pair, |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - distance).unwrap();
        }
        problem
    };
    let options = SolverOptions {
        linear_solver: LinearSolverKind::IterativeSchur,
        // The kernels of the other one take a software adapter long.
        schur_preconditioner: SchurPreconditioner::BlockJacobi,
        max_linear_iterations: 64,
        ..tight()
    };
    let few = [precisions(context)[0], Precision::F32];
    same_optimum_in(context, &few, "tied points", &options, 1e-4, state);
    let report = solve(context, &mut state(), &on(context, few[0], &options));
    assert!(report.linear_solver.contains("on the Schur complement of 80 blocks"), "{report}");
}
