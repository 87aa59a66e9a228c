//! Box constraints on a device: the cases of `tests/bounds.rs`, and what the CPU finds where many blocks have bounds.

use super::{chain_of_blocks, noise, on, precisions, solve, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::GpuContext;
use isograd::io::BalProblem;
use isograd::linear::SchurPreconditioner;
use isograd::models::BundleProblem;
use isograd::{LinearSolverKind, Precision, Problem, SolverOptions, Termination, Value};

pub const TESTS: &[Test] = &[
    ("bounds::rosenbrock_in_boxes", rosenbrock_in_boxes),
    ("bounds::optima_in_boxes_meet_their_conditions", optima_in_boxes_meet_their_conditions),
    ("bounds::a_corner_can_be_the_optimum", a_corner_can_be_the_optimum),
    ("bounds::held_components_and_bounds", held_components_and_bounds),
    ("bounds::a_chain_between_walls", a_chain_between_walls),
    ("bounds::points_in_a_slab_are_eliminated", points_in_a_slab_are_eliminated),
    ("bounds::bits_are_the_same_every_time", bits_are_the_same_every_time),
];

fn rosenbrock_in_boxes(context: &GpuContext) {
    const NONE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
    // On y = 2 the best x solves 400 x (x² − 2) = 2 (1 − x).
    const ROOT: f64 = 1.413696158263728;
    assert!((200.0 * ROOT * (ROOT * ROOT - 2.0) - (1.0 - ROOT)).abs() < 1e-9);
    let cases = [
        (NONE, (f64::NEG_INFINITY, 7.0), [-1.2, 1.0], [1.0, 1.0]),
        ((-1.5, 0.5), (-2.0, 2.0), [-1.2, 1.0], [0.5, 0.25]),
        ((1.5, f64::INFINITY), NONE, [2.0, 2.0], [1.5, 2.25]),
        ((-2.0, 0.5), (0.5, 3.0), [0.0, 1.0], [0.5, 0.5]),
        ((0.0, 3.0), (2.0, 3.0), [1.0, 3.0], [ROOT, 2.0]),
        // A bound that single precision does not hold.
        ((-1.5, 0.7), (-2.0, 2.0), [-1.2, 1.0], [0.7, 0.49]),
    ];
    for precision in precisions(context) {
        for (x, y, start, expected) in cases {
            let mut problem = Problem::new();
            let block = problem.add_parameter_block(&start).unwrap();
            problem.set_bounds(block, 0, x.0, x.1).unwrap();
            problem.set_bounds(block, 1, y.0, y.1).unwrap();
            problem.add_residual(&[block], |x| [10.0 * (x[0][1] - x[0][0].square()), 1.0 - x[0][0]]).unwrap();
            let report = solve(context, &mut problem, &on(context, precision, &tight()));
            let name = format!("{precision:?} {x:?} {y:?}");
            assert!(report.termination.is_converged() || precision == Precision::F32, "{name}: {report}");
            let tolerance = if precision == Precision::F32 { 1e-3 } else { 1e-7 };
            for ((&found, expected), (lower, upper)) in problem.parameter_block(block).iter().zip(expected).zip([x, y])
            {
                assert!((found - expected).abs() <= tolerance, "{name}: {found} for {expected}\n{report}");
                assert!((lower..=upper).contains(&found), "{name}: {found} is outside");
                assert!(expected != lower && expected != upper || found == expected, "{name}: {found} next to a bound");
            }
        }
    }
}

fn limits(k: usize) -> (f64, f64) {
    (-0.3 - 0.1 * k as f64, 0.2 + 0.1 * k as f64)
}

/// Linear least squares in a box.
fn box_problem(numbers: &[f64], size: usize) -> Problem {
    let rows = size + 2;
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&vec![0.0; size]).unwrap();
    for k in 0..size {
        problem.set_bounds(x, k, limits(k).0, limits(k).1).unwrap();
    }
    problem
        .add_residual(&[x], |x| {
            let row = |i: usize| {
                let sum: Value = (0..size).map(|k| x[0][k] * numbers[i * size + k]).sum();
                sum - 3.0 * numbers[rows * size + i]
            };
            (0..rows).map(row).collect::<Vec<_>>()
        })
        .unwrap();
    problem
}

/// The Karush-Kuhn-Tucker conditions; returns how many components are at a bound.
fn check_kkt(problem: &Problem, tolerance: f64, name: &str) -> usize {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    let x = problem.parameters().values();
    compiled.linearize(x, &mut evaluation).unwrap();
    let mut gradient = vec![0.0; x.len()];
    let residuals = evaluation.residuals.clone();
    compiled.for_each_entry(&evaluation, |row, k, d| gradient[k] += d * residuals[row]);
    let mut at_bound = 0;
    for (k, (&x, &g)) in x.iter().zip(&gradient).enumerate() {
        let (lower, upper) = limits(k);
        assert!((lower..=upper).contains(&x), "{name}: {x} outside");
        at_bound += usize::from(x == lower || x == upper);
        let fine = if x == lower {
            g >= -tolerance
        } else if x == upper {
            g <= tolerance
        } else {
            g.abs() <= tolerance
        };
        assert!(fine, "{name}: component {k} = {x}, gradient {g}");
    }
    at_bound
}

fn optima_in_boxes_meet_their_conditions(context: &GpuContext) {
    for precision in precisions(context) {
        let mut at_bound = 0;
        for size in 1..6 {
            for shift in [0, 7, 19] {
                let numbers = noise(100);
                let mut problem = box_problem(&numbers[shift..], size);
                let report = solve(context, &mut problem, &on(context, precision, &tight()));
                let name = format!("{precision:?}, {size} from {shift}\n{report}");
                assert!(report.termination.is_converged() || precision == Precision::F32, "{name}");
                let tolerance = if precision == Precision::F32 { 1e-3 } else { 1e-6 };
                at_bound += check_kkt(&problem, tolerance, &name);
            }
        }
        assert!(at_bound > 5, "{at_bound}");
    }
}

fn a_corner_can_be_the_optimum(context: &GpuContext) {
    for precision in precisions(context) {
        let mut problem = Problem::new();
        let x = problem.add_parameter_block(&[1.0, 2.0]).unwrap();
        problem.set_bounds(x, 0, 0.0, 1.0).unwrap();
        problem.set_bounds(x, 1, 2.0, 5.0).unwrap();
        problem.add_residual(&[x], |x| [x[0][0] - 7.0, x[0][1] + 3.0]).unwrap();
        let report = solve(context, &mut problem, &on(context, precision, &SolverOptions::default()));
        assert_eq!((report.termination, report.iterations.len()), (Termination::GradientTolerance, 1), "{report}");
        assert_eq!(problem.parameter_block(x), [1.0, 2.0]);
    }
}

/// A component that is fixed, one between equal bounds, and a fixed block with bounds.
fn held_components_and_bounds(context: &GpuContext) {
    for precision in precisions(context) {
        let mut problem = Problem::new();
        let x = problem.add_parameter_block(&[0.1, 0.2, 0.3]).unwrap();
        let fixed = problem.add_parameter_block(&[0.7]).unwrap();
        problem.fix_component(x, 0).unwrap();
        problem.set_bounds(x, 0, 0.0, 1.0).unwrap();
        problem.set_bounds(x, 1, 0.2, 0.2).unwrap();
        problem.set_bounds(fixed, 0, 0.7, 2.0).unwrap();
        problem.fix(fixed).unwrap();
        problem
            .add_residual(&[x, fixed], |x| [x[0][0] + x[0][1] + x[0][2] - 5.0, x[0][1] - 4.0, x[0][2] * x[1][0] - 1.4])
            .unwrap();
        let report = solve(context, &mut problem, &on(context, precision, &tight()));
        let [a, b, c] = problem.parameter_block(x) else { panic!() };
        assert_eq!((*a, *b, problem.parameter_block(fixed)[0]), (0.1, 0.2, 0.7), "{report}");
        let best = (4.7 + 0.7 * 1.4) / (1.0 + 0.49);
        assert!((c - best).abs() < 1e-5, "{precision:?}: {c} for {best}\n{report}");
    }
}

/// The device finds what the CPU finds.
fn same_in_a_box(context: &GpuContext, name: &str, options: &SolverOptions, state: impl Fn() -> Problem) {
    let on_cpu = state().solve(options).unwrap();
    for precision in precisions(context) {
        let mut problem = state();
        let report = solve(context, &mut problem, &on(context, precision, options));
        let allowed = if precision == Precision::F32 { 1e-4 } else { 1e-6 } * on_cpu.final_cost;
        let gap = (report.final_cost - on_cpu.final_cost).abs();
        let name = format!("{name}, {precision:?}: {} for {}", report.final_cost, on_cpu.final_cost);
        assert!(gap <= allowed, "{name}\n{report}\n{}", report.iteration_table());
    }
}

fn a_chain_between_walls(context: &GpuContext) {
    let state = || {
        let (mut problem, points) = chain_of_blocks(60);
        // Walls that close in on every other point; they contain the start.
        for point in points.into_iter().step_by(2) {
            let [_, y, z] = *problem.parameter_block(point) else { panic!("points have three numbers") };
            problem.set_bounds(point, 1, y.min(0.05), f64::INFINITY).unwrap();
            problem.set_bounds(point, 2, -0.5, z.max(-0.05)).unwrap();
        }
        problem
    };
    same_in_a_box(context, "chain", &SolverOptions { max_linear_iterations: 60, ..tight() }, state);
}

/// Bounds on eliminated blocks and on those that are kept.
fn points_in_a_slab_are_eliminated(context: &GpuContext) {
    let synthetic = BalProblem::synthetic(5, 60, 3, 7).unwrap();
    for linear_solver in [LinearSolverKind::IterativeSchur, LinearSolverKind::Pcg] {
        let state = || {
            let BundleProblem { mut problem, cameras, points, .. } = BundleProblem::new(&synthetic).unwrap();
            for (k, &point) in points.iter().enumerate().filter(|(k, _)| k % 3 == 0) {
                let at = problem.parameter_block(point)[k % 2];
                problem.set_bounds(point, k % 2, at - 1e-3, at + 1e-3).unwrap();
            }
            let focal = problem.parameter_block(cameras[0])[6];
            problem.set_bounds(cameras[0], 6, focal - 0.5, focal + 0.5).unwrap();
            problem
        };
        let options = SolverOptions {
            linear_solver,
            function_tolerance: 1e-12,
            max_linear_iterations: 60,
            // The kernels of the other one take a software adapter long.
            schur_preconditioner: SchurPreconditioner::BlockJacobi,
            ..tight()
        };
        same_in_a_box(context, &format!("slab, {linear_solver:?}"), &options, state);
    }
}

fn bits_are_the_same_every_time(context: &GpuContext) {
    for precision in precisions(context) {
        let solved = || {
            let mut problem = box_problem(&noise(100)[3..], 5);
            solve(context, &mut problem, &on(context, precision, &tight()));
            problem.parameters().values().iter().map(|x| x.to_bits()).collect::<Vec<_>>()
        };
        assert_eq!(solved(), solved());
    }
}
