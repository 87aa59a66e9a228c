//! Box constraints: optima at, on and off the bounds, with every linear solver.

mod minimizing;

use isograd::{Problem, ProblemError, SolverOptions, Value};
use minimizing::{KINDS, near, noise, tight};
use proptest::prelude::*;

fn rosenbrock_in(x: (f64, f64), y: (f64, f64), start: [f64; 2]) -> Problem {
    let mut problem = Problem::new();
    let block = problem.add_parameter_block(&start).unwrap();
    problem.set_bounds(block, 0, x.0, x.1).unwrap();
    problem.set_bounds(block, 1, y.0, y.1).unwrap();
    problem.add_residual(&[block], |x| [10.0 * (x[0][1] - x[0][0].square()), 1.0 - x[0][0]]).unwrap();
    problem
}

#[test]
fn rosenbrock_in_boxes() {
    const NONE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
    // The optimum of the box, by hand: on a bound x = c the best y is c², on y = c the best x solves a cubic.
    let cases = [
        (NONE, NONE, [-1.2, 1.0], [1.0, 1.0]),
        ((-1.5, 0.5), (-2.0, 2.0), [-1.2, 1.0], [0.5, 0.25]),
        ((1.5, f64::INFINITY), NONE, [2.0, 2.0], [1.5, 2.25]),
        ((-2.0, 0.5), (0.5, 3.0), [0.0, 1.0], [0.5, 0.5]),
        ((0.0, 3.0), (2.0, 3.0), [1.0, 3.0], [1.412_895_107_117, 2.0]),
    ];
    for kind in KINDS {
        for (x, y, start, expected) in cases {
            let mut problem = rosenbrock_in(x, y, start);
            let options = SolverOptions { linear_solver: kind, ..tight() };
            let report = problem.solve(&options).unwrap();
            assert!(report.termination.is_converged(), "{kind:?} {x:?} {y:?}: {report}");
            if (expected[0] - 1.412f64).abs() > 1e-2 {
                near(problem.parameters().values(), &expected, 1e-7);
            } else {
                // 400 x (x² − 2) = 2 (1 − x)
                let x = problem.parameters().values()[0];
                assert!((200.0 * x * (x * x - 2.0) - (1.0 - x)).abs() < 1e-5 && (x - 1.412).abs() < 1e-2, "{x}");
            }
        }
    }
}

/// Linear least squares in a box: the optimum is the one that meets the Karush-Kuhn-Tucker conditions.
fn box_problem(numbers: &[f64], size: usize) -> (Problem, Vec<f64>) {
    let rows = size + 2;
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&vec![0.0; size]).unwrap();
    for k in 0..size {
        problem.set_bounds(x, k, -0.3 - 0.1 * k as f64, 0.2 + 0.1 * k as f64).unwrap();
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
    (problem, numbers[..rows * size].to_vec())
}

fn check_kkt(problem: &Problem, tolerance: f64) {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    let x = problem.parameters().values();
    compiled.linearize(x, &mut evaluation).unwrap();
    let mut gradient = vec![0.0; x.len()];
    let residuals = evaluation.residuals.clone();
    compiled.for_each_entry(&evaluation, |row, k, d| gradient[k] += d * residuals[row]);
    for (k, (&x, &g)) in x.iter().zip(&gradient).enumerate() {
        let (lower, upper) = (-0.3 - 0.1 * k as f64, 0.2 + 0.1 * k as f64);
        assert!((lower..=upper).contains(&x), "{x} outside");
        let fine = if x == lower {
            g >= -tolerance
        } else if x == upper {
            g <= tolerance
        } else {
            g.abs() <= tolerance
        };
        assert!(fine, "component {k} = {x}, gradient {g}");
    }
}

proptest! {
    #[test]
    fn optima_in_boxes_meet_their_conditions(numbers in prop::collection::vec(-1.0..1.0f64, 60), size in 1usize..6) {
        let (mut problem, _) = box_problem(&numbers, size);
        let report = problem.solve(&tight()).unwrap();
        prop_assert!(report.termination.is_converged(), "{report}");
        check_kkt(&problem, 1e-6);
    }
}

/// Where the last step changes nothing to rounding, the solve is over and has converged.
#[test]
fn an_optimum_inside_of_a_box_is_recognised() {
    let mut numbers = vec![0.0; 60];
    numbers[..6].copy_from_slice(&[
        0.3901597337771795,
        0.6467430771749783,
        -0.04199611524039239,
        -0.0318493698241535,
        0.04744089959550565,
        -0.24810915615692483,
    ]);
    let (mut problem, _) = box_problem(&numbers, 1);
    let report = problem.solve(&tight()).unwrap();
    assert!(report.termination.is_converged(), "{report}");
    check_kkt(&problem, 1e-6);
}

#[test]
fn every_linear_solver_finds_the_same_optimum_in_a_box() {
    let numbers = noise(60);
    let mut found = Vec::new();
    for kind in KINDS {
        let (mut problem, _) = box_problem(&numbers, 5);
        let report = problem.solve(&SolverOptions { linear_solver: kind, ..tight() }).unwrap();
        assert!(report.termination.is_converged(), "{report}");
        check_kkt(&problem, 1e-6);
        found.push(problem.parameters().values().to_vec());
    }
    found.iter().for_each(|x| near(x, &found[0], 1e-6));
    assert!(found[0].iter().enumerate().any(|(k, &x)| x == -0.3 - 0.1 * k as f64 || x == 0.2 + 0.1 * k as f64));
}

/// A start in the corner from which the cost falls outward only: already optimal.
#[test]
fn a_corner_can_be_the_optimum() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[1.0, 2.0]).unwrap();
    problem.set_bounds(x, 0, 0.0, 1.0).unwrap();
    problem.set_bounds(x, 1, 2.0, 5.0).unwrap();
    problem.add_residual(&[x], |x| [x[0][0] - 7.0, x[0][1] + 3.0]).unwrap();
    let report = problem.solve(&SolverOptions::default()).unwrap();
    assert!(report.termination.is_converged() && report.iterations.len() == 1, "{report}");
    assert_eq!(problem.parameter_block(x), [1.0, 2.0]);
}

#[test]
fn bounds_that_make_no_sense_are_refused() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[1.0, 2.0]).unwrap();
    assert!(matches!(problem.set_bounds(x, 2, 0.0, 1.0), Err(ProblemError::UnknownComponent { .. })));
    assert!(matches!(problem.set_bounds(x, 0, 2.0, 1.0), Err(ProblemError::EmptyBounds { .. })));
    assert!(matches!(problem.set_bounds(x, 0, f64::NAN, 1.0), Err(ProblemError::EmptyBounds { .. })));
    let error = problem.set_bounds(x, 1, 3.0, 4.0).unwrap_err();
    assert_eq!(error.to_string(), "component 1 of parameter block 0 is 2, outside of its bounds 3 to 4");
    problem.set_bounds(x, 1, 1.0, 4.0).unwrap();
    assert!(matches!(problem.set_parameter_block(x, &[0.0, 9.0]), Err(ProblemError::OutOfBounds { component: 1, .. })));
    problem.set_bounds(x, 0, 1.0, 1.0).unwrap();
    problem.add_residual(&[x], |x| [x[0][0] - 7.0, x[0][1] - 9.0]).unwrap();
    problem.solve(&SolverOptions::default()).unwrap();
    assert_eq!(problem.parameter_block(x), [1.0, 4.0]);
}
