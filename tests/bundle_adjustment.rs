//! A bundle adjustment in which everything is free: JᵀJ has rank 7 too little (position, rotation and scale of the whole), and only
//! the damping of Levenberg-Marquardt makes the systems solvable.

use isograd::LinearSolverKind::{Auto, DenseCholesky, DenseSchur, IterativeSchur, Pcg, SparseCholesky, SparseSchur};
use isograd::linear::SchurPreconditioner;
use isograd::{BlockId, LinearSolverKind, Problem, SolverOptions, SolverReport, Value};

const CAMERAS: usize = 6;
const POINTS: usize = 80;

/// Image of a point: P = R(w) X + t, p = -P.xy / P.z, f (1 + k₁ n + k₂ n²) p with n = p·p.
fn project(camera: [Value; 9], point: [Value; 3]) -> [Value; 2] {
    let [wx, wy, wz, tx, ty, tz, f, k1, k2] = camera;
    let angle = (wx * wx + wy * wy + wz * wz).sqrt();
    let axis = [wx / angle, wy / angle, wz / angle];
    let (sin, cos) = (angle.sin(), angle.cos());
    let dot = (axis[0] * point[0] + axis[1] * point[1] + axis[2] * point[2]) * (1.0 - cos);
    let cross = |i: usize| axis[(i + 1) % 3] * point[(i + 2) % 3] - axis[(i + 2) % 3] * point[(i + 1) % 3];
    let turned = |i: usize| point[i] * cos + cross(i) * sin + axis[i] * dot;
    let (x, y, z) = (turned(0) + tx, turned(1) + ty, turned(2) + tz);
    let p = [-x / z, -y / z];
    let n = p[0] * p[0] + p[1] * p[1];
    let scale = f * (1.0 + k1 * n + k2 * n * n);
    [scale * p[0], scale * p[1]]
}

/// Numbers between -1 and 1 that look random.
fn noise(k: usize) -> f64 {
    let mixed = (k as u32 + 1).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519);
    f64::from(mixed >> 8) / f64::from(1 << 23) - 1.0
}

fn camera(c: usize) -> [f64; 9] {
    let along = c as f64 / CAMERAS as f64 - 0.5;
    [0.1 * along, 0.5 * along + 0.01, 0.02, -2.0 * along, 0.1, -6.0, 500.0, -0.05, 0.01]
}

fn point(p: usize) -> [f64; 3] {
    std::array::from_fn(|k| noise(3 * p + k))
}

/// Points seen by four cameras each, measured with noise, and started away from the truth.
fn bundle() -> Problem {
    let mut problem = Problem::new();
    let mut block = |truth: &[f64], scale: f64, seed: usize| -> BlockId {
        let start: Vec<f64> = truth.iter().enumerate().map(|(k, v)| v + scale * noise(seed + k) * v.abs()).collect();
        problem.add_parameter_block(&start).unwrap()
    };
    let cameras: Vec<BlockId> = (0..CAMERAS).map(|c| block(&camera(c), 0.01, 10_000 + 9 * c)).collect();
    let points: Vec<BlockId> = (0..POINTS).map(|p| block(&point(p), 0.05, 20_000 + 3 * p)).collect();
    let (mut blocks, mut measured) = (Vec::new(), Vec::new());
    for (p, &seen) in points.iter().enumerate() {
        for view in 0..4 {
            let c = (p + view) % CAMERAS;
            blocks.push([cameras[c], seen]);
            let image = project(camera(c).map(Value::from), point(p).map(Value::from)).map(|v| v.primal());
            let k = 2 * (p * CAMERAS + c);
            measured.push([image[0] + 0.3 * noise(30_000 + k), image[1] + 0.3 * noise(30_001 + k)]);
        }
    }
    let added = problem.add_residual_batch(&blocks[..], &measured[..], |blocks, measured| {
        let (camera, point) = (std::array::from_fn(|k| blocks[0][k]), std::array::from_fn(|k| blocks[1][k]));
        let image = project(camera, point);
        [image[0] - measured[0], image[1] - measured[1]]
    });
    added.unwrap();
    problem
}

fn solve(kind: LinearSolverKind, preconditioner: SchurPreconditioner) -> SolverReport {
    let options = SolverOptions {
        linear_solver: kind,
        schur_preconditioner: preconditioner,
        function_tolerance: 1e-12,
        forcing: 1e-10,
        ..SolverOptions::default()
    };
    bundle().solve(&options).unwrap()
}

#[test]
fn every_solver_finds_the_same_minimum_though_the_gauge_is_free() {
    let expected = solve(DenseCholesky, SchurPreconditioner::default());
    assert!(expected.termination.is_converged(), "{expected}");
    assert!(expected.final_cost < 1e-2 * expected.initial_cost, "{expected}");
    let kinds = [Auto, SparseCholesky, DenseSchur, SparseSchur, IterativeSchur, Pcg];
    let runs = kinds.map(|kind| (kind, SchurPreconditioner::SchurJacobi));
    for (kind, preconditioner) in runs.into_iter().chain([(IterativeSchur, SchurPreconditioner::BlockJacobi)]) {
        let report = solve(kind, preconditioner);
        assert!(report.termination.is_converged(), "{kind:?}\n{report}");
        let difference = (report.final_cost - expected.final_cost).abs();
        assert!(difference < 1e-6 * expected.final_cost, "{kind:?}: {difference}\n{report}");
    }
}

#[test]
fn the_report_says_what_was_eliminated() {
    let report = solve(Auto, SchurPreconditioner::default());
    assert_eq!(report.linear_solver, "dense Schur complement: 80 blocks of 3 eliminated, 54 unknowns left");
    let report = solve(SparseSchur, SchurPreconditioner::default());
    let beginning = "sparse Schur complement: 80 blocks of 3 eliminated, 54 unknowns left (";
    assert!(report.linear_solver.starts_with(beginning), "{}", report.linear_solver);
}

#[test]
fn the_number_of_threads_does_not_matter() {
    for kind in [DenseSchur, SparseSchur, IterativeSchur] {
        let with = |threads| {
            let mut problem = bundle();
            let options = SolverOptions { linear_solver: kind, threads, ..SolverOptions::default() };
            let report = problem.solve(&options).unwrap();
            let bits: Vec<u64> = problem.parameters().values().iter().map(|x| x.to_bits()).collect();
            (report.final_cost.to_bits(), bits)
        };
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(5));
    }
}
