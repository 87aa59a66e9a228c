//! The solver: known optima, when it stops and why, what it reports, and what it leaves behind.

use isograd::LinearSolverKind::{Auto, DenseCholesky, DenseQr, Pcg, SparseCholesky};
use isograd::{
    BlockId, Blocks, CompiledResiduals, IterationRecord, LinearSolverKind, Problem, SolveError, SolverOptions,
    SolverReport, Termination, Value,
};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const KINDS: [LinearSolverKind; 5] = [Auto, DenseQr, DenseCholesky, SparseCholesky, Pcg];

fn tight() -> SolverOptions {
    SolverOptions {
        function_tolerance: 1e-14,
        gradient_tolerance: 1e-13,
        parameter_tolerance: 1e-14,
        max_iterations: 1000,
        ..SolverOptions::default()
    }
}

fn solve(
    start: &[f64],
    options: &SolverOptions,
    function: impl FnOnce(&[Value]) -> Vec<Value>,
) -> (SolverReport, Vec<f64>) {
    let mut residuals = CompiledResiduals::compile(start, function).unwrap();
    let report = residuals.solve(options).unwrap();
    (report, residuals.parameters().to_vec())
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance, "{found:?} for {expected:?}");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Known optima: Moré, Garbow and Hillstrom, Testing unconstrained optimization software (1981). Their sums of squares are twice
// our costs.

type Function = fn(&[Value]) -> Vec<Value>;

struct Known {
    name: &'static str,
    start: &'static [f64],
    sum_of_squares: f64,
    function: Function,
}

const BARD: [f64; 15] = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39];
const GAUSSIAN: [f64; 15] = [
    0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989, 0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044,
    0.0009,
];
const KOWALIK: [[f64; 2]; 11] = [
    [4.0, 0.1957],
    [2.0, 0.1947],
    [1.0, 0.1735],
    [0.5, 0.1600],
    [0.25, 0.0844],
    [0.167, 0.0627],
    [0.125, 0.0456],
    [0.1, 0.0342],
    [0.0833, 0.0323],
    [0.0714, 0.0235],
    [0.0625, 0.0246],
];
const MEYER: [f64; 16] = [
    34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0, 8261.0, 7030.0, 6005.0, 5147.0, 4427.0,
    3820.0, 3307.0, 2872.0,
];
const OSBORNE: [f64; 33] = [
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603,
    0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411,
    0.406,
];

fn rosenbrock(x: &[Value]) -> Vec<Value> {
    vec![10.0 * (x[1] - x[0].square()), 1.0 - x[0]]
}

fn powell_singular(x: &[Value]) -> Vec<Value> {
    vec![
        x[0] + 10.0 * x[1],
        5_f64.sqrt() * (x[2] - x[3]),
        (x[1] - 2.0 * x[2]).square(),
        10_f64.sqrt() * (x[0] - x[3]).square(),
    ]
}

fn jennrich_sampson(x: &[Value]) -> Vec<Value> {
    (1..=10).map(f64::from).map(|i| 2.0 + 2.0 * i - ((i * x[0]).exp() + (i * x[1]).exp())).collect()
}

fn brown_dennis(x: &[Value]) -> Vec<Value> {
    let residual = |i: i32| {
        let t = f64::from(i) / 5.0;
        (x[0] + t * x[1] - t.exp()).square() + (x[2] + x[3] * t.sin() - t.cos()).square()
    };
    (1..=20).map(residual).collect()
}

const KNOWN: &[Known] = &[
    Known { name: "Rosenbrock", start: &[-1.2, 1.0], sum_of_squares: 0.0, function: rosenbrock },
    Known {
        name: "Freudenstein and Roth",
        start: &[0.5, -2.0],
        sum_of_squares: 48.98425367924,
        function: |x| {
            vec![-13.0 + x[0] + ((5.0 - x[1]) * x[1] - 2.0) * x[1], -29.0 + x[0] + ((x[1] + 1.0) * x[1] - 14.0) * x[1]]
        },
    },
    Known {
        name: "Brown badly scaled",
        start: &[1.0, 1.0],
        sum_of_squares: 0.0,
        function: |x| vec![x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2.0],
    },
    Known {
        name: "Beale",
        start: &[1.0, 1.0],
        sum_of_squares: 0.0,
        function: |x| [1.5, 2.25, 2.625].iter().zip(1..).map(|(&y, n)| y - x[0] * (1.0 - x[1].powi(n))).collect(),
    },
    Known {
        name: "Jennrich and Sampson",
        start: &[0.3, 0.4],
        sum_of_squares: 124.36218235561,
        function: jennrich_sampson,
    },
    Known {
        name: "helical valley",
        start: &[-1.0, 0.0, 0.0],
        sum_of_squares: 0.0,
        function: |x| {
            let turn = x[1].atan2(x[0]) / std::f64::consts::TAU;
            vec![10.0 * (x[2] - 10.0 * turn), 10.0 * (x[0].hypot(x[1]) - 1.0), x[2]]
        },
    },
    Known {
        name: "Bard",
        start: &[1.0, 1.0, 1.0],
        sum_of_squares: 8.214877306578e-3,
        function: |x| {
            let residual = |(&y, u): (&f64, f64)| y - (x[0] + u / ((16.0 - u) * x[1] + u.min(16.0 - u) * x[2]));
            BARD.iter().zip((1..=15).map(f64::from)).map(residual).collect()
        },
    },
    Known {
        name: "Gaussian",
        start: &[0.4, 1.0, 0.0],
        sum_of_squares: 1.127932769619e-8,
        function: |x| {
            let residual = |(&y, i): (&f64, f64)| {
                let t = (8.0 - i) / 2.0;
                x[0] * (-0.5 * x[1] * (t - x[2]).square()).exp() - y
            };
            GAUSSIAN.iter().zip((1..=15).map(f64::from)).map(residual).collect()
        },
    },
    Known {
        name: "Box, three dimensions",
        start: &[0.0, 10.0, 20.0],
        sum_of_squares: 0.0,
        function: |x| {
            let residual = |i: i32| {
                let t = 0.1 * f64::from(i);
                (-t * x[0]).exp() - (-t * x[1]).exp() - x[2] * ((-t).exp() - (-10.0 * t).exp())
            };
            (1..=10).map(residual).collect()
        },
    },
    Known { name: "Powell singular", start: &[3.0, -1.0, 0.0, 1.0], sum_of_squares: 0.0, function: powell_singular },
    Known {
        name: "Wood",
        start: &[-3.0, -1.0, -3.0, -1.0],
        sum_of_squares: 0.0,
        function: |x| {
            vec![
                10.0 * (x[1] - x[0].square()),
                1.0 - x[0],
                90_f64.sqrt() * (x[3] - x[2].square()),
                1.0 - x[2],
                10_f64.sqrt() * (x[1] + x[3] - 2.0),
                (x[1] - x[3]) / 10_f64.sqrt(),
            ]
        },
    },
    Known {
        name: "Kowalik and Osborne",
        start: &[0.25, 0.39, 0.415, 0.39],
        sum_of_squares: 3.075056038492e-4,
        function: |x| KOWALIK.iter().map(|&[u, y]| y - x[0] * (u * u + u * x[1]) / (u * u + u * x[2] + x[3])).collect(),
    },
    Known {
        name: "Brown and Dennis",
        start: &[25.0, 5.0, -5.0, -1.0],
        sum_of_squares: 85822.20162635,
        function: brown_dennis,
    },
    Known {
        name: "Osborne 1",
        start: &[0.5, 1.5, -1.0, 0.01, 0.02],
        sum_of_squares: 5.464894697483e-5,
        function: |x| {
            let residual = |(&y, i): (&f64, i32)| {
                let t = 10.0 * f64::from(i);
                y - (x[0] + x[1] * (-t * x[3]).exp() + x[2] * (-t * x[4]).exp())
            };
            OSBORNE.iter().zip(0..).map(residual).collect()
        },
    },
    Known {
        name: "variably dimensioned",
        start: &[0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0],
        sum_of_squares: 0.0,
        function: |x| {
            let mut all: Vec<Value> = x.iter().map(|&x| x - 1.0).collect();
            let sum: Value = all.iter().zip(1..).map(|(&r, j)| f64::from(j) * r).sum();
            all.extend([sum, sum.square()]);
            all
        },
    },
    Known {
        name: "Broyden tridiagonal",
        start: &[-1.0; 10],
        sum_of_squares: 0.0,
        function: |x| {
            let at = |i: usize| x.get(i).copied().unwrap_or(Value::ZERO);
            (0..10).map(|i| (3.0 - 2.0 * x[i]) * x[i] - at(i.wrapping_sub(1)) - 2.0 * at(i + 1) + 1.0).collect()
        },
    },
    Known {
        name: "linear, full rank",
        start: &[1.0; 5],
        sum_of_squares: 5.0,
        function: |x| {
            let sum = Value::sum_of(x);
            (0..10).map(|i| if i < 5 { x[i] - 0.2 * sum - 1.0 } else { -0.2 * sum - 1.0 }).collect()
        },
    },
    Known {
        name: "linear, rank 1",
        start: &[1.0; 5],
        // m(m − 1) / 2(2m + 1) with m = 10.
        sum_of_squares: 90.0 / 42.0,
        function: |x| {
            let sum: Value = x.iter().zip(1..).map(|(&x, j)| f64::from(j) * x).sum();
            (1..=10).map(|i| f64::from(i) * sum - 1.0).collect()
        },
    },
];

#[test]
fn known_optima_with_every_linear_solver() {
    for known in KNOWN {
        for linear_solver in KINDS {
            let options = SolverOptions { linear_solver, forcing: 1e-3, max_iterations: 10_000, ..tight() };
            let (report, x) = solve(known.start, &options, known.function);
            let expected = 0.5 * known.sum_of_squares;
            let found = report.final_cost;
            let name = known.name;
            assert!(
                report.termination.is_converged(),
                "{name}, {linear_solver:?}: {report}\n{}",
                report.iteration_table()
            );
            let right = if expected == 0.0 { found < 1e-15 } else { (found / expected - 1.0).abs() < 1e-9 };
            assert!(right, "{name}, {linear_solver:?}: cost {found:e} for {expected:e} at {x:?}");
        }
    }
}

/// Brown and Dennis's residuals are large at the optimum, and Levenberg-Marquardt creeps. Ceres 2.1 with the same options (dense QR,
/// function tolerance 1e-14, parameter tolerance 0) takes 5931 iterations: the same algorithm takes the same steps.
#[test]
fn as_many_iterations_as_ceres() {
    let options = SolverOptions {
        function_tolerance: 1e-14,
        parameter_tolerance: 0.0,
        max_iterations: 20_000,
        linear_solver: DenseQr,
        ..SolverOptions::default()
    };
    let (report, _) = solve(&[25.0, 5.0, -5.0, -1.0], &options, brown_dennis);
    assert!(report.iteration_count().abs_diff(5931) < 60, "{}", report.brief());
}

/// Meyer's function: near singular and badly scaled; only QR of J itself gets down its valley in good time.
#[test]
fn meyer() {
    let options = SolverOptions { linear_solver: DenseQr, ..tight() };
    let (report, _) = solve(&[0.02, 4000.0, 250.0], &options, |x| {
        let residual = |(&y, i): (&f64, i32)| x[0] * (x[1] / (45.0 + 5.0 * f64::from(i) + x[2])).exp() - y;
        MEYER.iter().zip(1..).map(residual).collect()
    });
    assert!((2.0 * report.final_cost / 87.94585517 - 1.0).abs() < 1e-8, "{report}");
}

#[test]
fn default_options_are_enough_for_the_usual() {
    let targets = |x: &[Value]| vec![x[0] - 5.0, x[1] - 3.0];
    for start in [[0.0, 0.0], [4.5, 3.2]] {
        let (report, x) = solve(&start, &SolverOptions::default(), targets);
        assert!(report.termination.is_converged() && report.final_cost < 1e-8);
        near(&x, &[5.0, 3.0], 0.5e-4);
    }
    near(&solve(&[0.0], &SolverOptions::default(), |x| vec![x[0] - 42.0]).1, &[42.0], 0.5e-4);
    near(&solve(&[0.0, 0.0], &SolverOptions::default(), |x| vec![x[0] - 10.0, x[1] + 5.0]).1, &[10.0, -5.0], 0.5e-4);
    let (report, x) = solve(&[-1.5, 2.5], &SolverOptions::default(), rosenbrock);
    assert!(report.termination.is_converged());
    near(&x, &[1.0, 1.0], 1e-5);
}

/// Steps with next to no damping are those of Gauss and Newton.
#[test]
fn without_damping_it_is_gauss_newton() {
    let options =
        SolverOptions { initial_trust_region_radius: 1e16, jacobi_scaling: false, ..SolverOptions::default() };
    let (report, x) = solve(&[0.0, 0.0], &options, |x| vec![x[0] - 5.0, x[1] - 3.0]);
    assert_eq!(report.accepted_steps(), 1, "a linear problem takes one step");
    near(&x, &[5.0, 3.0], 1e-9);
}

#[test]
fn rank_deficient_problems_are_solved() {
    for linear_solver in KINDS {
        let options = SolverOptions { linear_solver, ..SolverOptions::default() };
        let start: Vec<f64> = (0..10).map(f64::from).collect();
        let (report, x) = solve(&start, &options, |x| vec![x[0] - x[1], x[2] - x[3], x[4] - 10.0]);
        assert!(report.termination.is_converged(), "{linear_solver:?}: {report}");
        assert!((x[0] - x[1]).abs() < 1e-4 && (x[2] - x[3]).abs() < 1e-4 && (x[4] - 10.0).abs() < 1e-4);
        near(&x[5..], &start[5..], 1e-9);
    }
}

/// Residuals as they are, and multiplied by 1e-4 or 1e4, take the same steps.
#[test]
fn the_scale_of_residuals_does_not_matter() {
    let solve_scaled = |scale: f64| {
        let options = SolverOptions { gradient_tolerance: 0.0, min_diagonal: 0.0, ..SolverOptions::default() };
        let scaled = |x: &[Value]| rosenbrock(x).iter().map(|&r| r * scale).collect();
        let (report, x) = solve(&[-1.2, 1.0], &SolverOptions { jacobi_scaling: false, ..options }, scaled);
        assert!(report.iteration_count() > 5);
        (report.iteration_count(), x)
    };
    let (iterations, x) = solve_scaled(1.0);
    for scale in [1e-4, 1e4] {
        let scaled = solve_scaled(scale);
        assert!(scaled.0.abs_diff(iterations) <= 1, "{} iterations for {iterations}", scaled.0);
        near(&scaled.1, &x, 1e-6);
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Fits and points.

/// Numbers between −1 and 1 that are the same every time.
fn noise(count: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

fn fit_circle(points: Vec<[f64; 2]>, start: [f64; 3], options: &SolverOptions) -> (SolverReport, Vec<f64>) {
    solve(&start, options, |x| points.iter().map(|&[a, b]| (a - x[0]).hypot(b - x[1]) - x[2]).collect())
}

fn on_circle(count: usize, [x, y, r]: [f64; 3], spread: f64) -> Vec<[f64; 2]> {
    let noise = noise(2 * count);
    let point = |k: usize| {
        let angle = std::f64::consts::TAU * k as f64 / count as f64;
        [x + r * angle.cos() + spread * noise[2 * k], y + r * angle.sin() + spread * noise[2 * k + 1]]
    };
    (0..count).map(point).collect()
}

#[test]
fn circles() {
    let options = SolverOptions::default();
    let unit = vec![[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
    near(&fit_circle(unit, [0.0, 0.0, 1.0], &options).1, &[0.0, 0.0, 1.0], 1e-9);
    near(&fit_circle(on_circle(20, [0.0, 0.0, 1.0], 0.05), [0.0, 0.0, 1.0], &options).1, &[0.0, 0.0, 1.0], 0.05);
    near(&fit_circle(on_circle(12, [3.0, 4.0, 5.0], 0.05), [0.5, 0.5, 2.0], &options).1, &[3.0, 4.0, 5.0], 0.05);
    let few = SolverOptions { max_iterations: 50, ..options };
    let (report, circle) = fit_circle(on_circle(30, [10.0, -5.0, 5.0], 0.05), [100.0, 100.0, 0.1], &few);
    assert!(report.termination.is_converged());
    near(&circle, &[10.0, -5.0, 5.0], 0.5);
}

#[test]
fn points_in_space() {
    // A closed chain of ten points, from anywhere. From half of all starts it takes more iterations, for Ceres as for us.
    let options = SolverOptions { max_iterations: 200, ..SolverOptions::default() };
    let all = noise(300);
    let mut found = 0;
    for start in all.chunks(30) {
        let start: Vec<f64> = start.iter().map(|n| 10.0 * n).collect();
        let mut problem = Problem::new();
        let points = problem.add_parameter_blocks(3, &start).unwrap();
        for k in 0..10 {
            problem
                .add_residual(&[points[k], points[(k + 1) % 10]], |x| {
                    (x.vector::<3>(0) - x.vector::<3>(1)).norm() - 2.0
                })
                .unwrap();
        }
        let report = problem.solve(&options).unwrap();
        found += usize::from(report.termination.is_converged() && report.final_cost < 1e-4);
    }
    assert!(found >= 3, "from {found} starts of 10");

    // Points in line, one apart.
    for count in [3, 5] {
        let start: Vec<f64> = noise(2 * count).iter().enumerate().map(|(k, n)| (k / 2) as f64 + 0.3 * n).collect();
        let (report, x) = solve(&start, &options, |x| {
            let side = |k: usize| (x[2 * k + 2] - x[2 * k], x[2 * k + 3] - x[2 * k + 1]);
            let mut all: Vec<Value> = (0..count - 1).map(|k| side(k).0.hypot(side(k).1) - 1.0).collect();
            let dot = |k: usize| side(k).0 * side(k + 1).0 + side(k).1 * side(k + 1).1 - 1.0;
            all.extend((0..count - 2).map(dot));
            all
        });
        assert!(report.termination.is_converged() && report.final_cost < 1e-4);
        let distance = (x[2 * count - 2] - x[0]).hypot(x[2 * count - 1] - x[1]);
        assert!((distance - (count as f64 - 1.0)).abs() < 0.01, "{x:?}");
    }

    // Two vectors, orthonormal.
    let (_, x) = solve(&[1.0, 0.0, 0.0, 0.0, 2.0, 0.0], &options, |x| {
        let (a, b) = (nalgebra::Vector3::from_column_slice(&x[..3]), nalgebra::Vector3::from_column_slice(&x[3..]));
        vec![a.norm() - 1.0, b.norm() - 1.0, a.dot(&b)]
    });
    near(&x, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 1e-4);

    // Four points on a sphere, a chain.
    let start: Vec<f64> = noise(12).iter().map(|n| 2.0 * n).collect();
    let (report, _) = solve(&start, &options, |x| {
        let point = |k: usize| nalgebra::Vector3::from_column_slice(&x[3 * k..3 * k + 3]);
        let mut all: Vec<Value> = (0..4).map(|k| point(k).norm() - 2.0).collect();
        all.extend((0..3).map(|k| (point(k + 1) - point(k)).norm() - 2.5));
        all
    });
    assert!(report.final_cost < 1e-8, "{report}");
}

// ---------------------------------------------------------------------------------------------------------------------
// When it stops.

#[test]
fn each_tolerance_stops_by_its_name() {
    let none = SolverOptions {
        function_tolerance: 0.0,
        gradient_tolerance: 0.0,
        parameter_tolerance: 0.0,
        ..SolverOptions::default()
    };
    let run = |options: &SolverOptions| solve(&[0.3, 0.4], options, jennrich_sampson).0;
    let function = run(&SolverOptions { function_tolerance: 1e-3, ..none.clone() });
    assert_eq!(function.termination, Termination::FunctionTolerance);
    assert!(function.message.contains("Function tolerance reached"), "{}", function.message);
    let [.., before, last] = &function.iterations[..] else { panic!() };
    assert!(last.accepted && (before.cost - last.cost).abs() <= 1e-3 * before.cost);

    let gradient = run(&SolverOptions { gradient_tolerance: 1.0, ..none.clone() });
    assert_eq!(gradient.termination, Termination::GradientTolerance);
    assert!(gradient.message.contains("Gradient tolerance reached"), "{}", gradient.message);
    assert!(gradient.iterations.last().unwrap().gradient_max_norm <= 1.0);

    let parameter = run(&SolverOptions { parameter_tolerance: 1e-3, ..none.clone() });
    assert_eq!(parameter.termination, Termination::ParameterTolerance);
    assert!(parameter.message.contains("Parameter tolerance reached"), "{}", parameter.message);
    assert!(parameter.iterations.last().unwrap().accepted);

    // With no tolerance at all it ends where rounding ends it, and that is no failure.
    let precision = run(&SolverOptions { max_iterations: 1000, ..none });
    assert_eq!(precision.termination, Termination::PrecisionLimit, "{precision}\n{}", precision.iteration_table());
    assert!(precision.termination.is_converged());
    assert!((2.0 * precision.final_cost / 124.36218235561 - 1.0).abs() < 1e-12);
}

#[test]
fn a_start_at_the_optimum_stops_at_once() {
    let (report, x) = solve(&[5.0, 3.0], &SolverOptions::default(), |x| vec![x[0] - 5.0, x[1] - 3.0]);
    assert_eq!((report.termination, report.iteration_count()), (Termination::GradientTolerance, 0));
    assert_eq!((report.final_cost, x), (0.0, vec![5.0, 3.0]));
}

#[test]
fn exp_has_no_minimum_to_find() {
    let options = SolverOptions { max_iterations: 2, ..SolverOptions::default() };
    let (report, _) = solve(&[0.0], &options, |x| vec![x[0].exp()]);
    assert_eq!((report.termination, report.iteration_count()), (Termination::MaxIterations, 2));
    assert!(!report.termination.is_converged());
    assert!(report.message.contains("Maximum number of iterations"), "{}", report.message);
    let none = SolverOptions { max_iterations: 0, ..SolverOptions::default() };
    let (report, x) = solve(&[0.0], &none, |x| vec![x[0].exp()]);
    assert_eq!((report.termination, report.iteration_count(), x), (Termination::MaxIterations, 0, vec![0.0]));
    assert_eq!((report.initial_cost, report.final_cost), (0.5, 0.5));
}

#[test]
fn a_small_change_stops_by_the_function_tolerance() {
    // 5.0001 against 5 beside a residual that nothing lowers.
    let options = SolverOptions { function_tolerance: 1e-4, ..SolverOptions::default() };
    let (report, _) = solve(&[5.0001], &options, |x| vec![x[0] - 5.0, 1.0 + 0.0 * x[0].square()]);
    assert_eq!(report.termination, Termination::FunctionTolerance);
    assert!(report.termination.is_converged());
}

#[test]
fn a_looser_gradient_tolerance_stops_earlier() {
    let sinusoid = |x: &[Value]| -> Vec<Value> {
        (0..20)
            .map(|k| 0.3 * f64::from(k))
            .map(|t| x[0] * (x[1] * t + x[2]).sin() - 2.0 * (1.5 * t + 0.5).sin())
            .collect()
    };
    let run = |gradient_tolerance: f64| {
        let options = SolverOptions {
            gradient_tolerance,
            function_tolerance: 0.0,
            parameter_tolerance: 0.0,
            max_iterations: 50,
            ..SolverOptions::default()
        };
        solve(&[1.0, 1.4, 0.3], &options, sinusoid)
    };
    let (loose, x) = run(1e-3);
    assert_eq!(loose.termination, Termination::GradientTolerance);
    near(&x, &[2.0, 1.5, 0.5], 1e-2);
    assert!(loose.iteration_count() < run(1e-20).0.iteration_count());

    let options =
        SolverOptions { gradient_tolerance: 1e-2, function_tolerance: 0.0, parameter_tolerance: 0.0, ..tight() };
    let (report, x) = solve(&[0.0, 0.0], &options, |x| vec![10.0 * (x[0] - 7.0), 10.0 * (x[1] + 2.0)]);
    assert_eq!(report.termination, Termination::GradientTolerance);
    near(&x, &[7.0, -2.0], 0.5e-2);

    let line = [[0.0, 0.1], [1.0, 2.0], [2.0, 4.1], [3.0, 6.0], [4.0, 8.05]];
    let (_, x) = solve(&[0.0, 0.0], &options, |x| line.iter().map(|&[t, y]| x[0] * t + x[1] - y).collect());
    near(&x, &[1.99, 0.07], 0.05);
}

/// Stairs that lead up where the derivative says down: every step is rejected.
fn staircase(x: &[Value]) -> Vec<Value> {
    vec![20.0 + x[0] - 3.0 * (x[0] * 1e6).floor() / 1e6]
}

/// A step that is rejected satisfies no tolerance, however short the trust region has made it.
#[test]
fn rejected_steps_satisfy_no_tolerance() {
    for parameter_tolerance in [1e-8, 0.5] {
        let options = SolverOptions { parameter_tolerance, function_tolerance: 0.5, ..SolverOptions::default() };
        let (report, x) = solve(&[1.0], &options, staircase);
        assert!(report.iterations[1..].iter().all(|record| !record.accepted), "{}", report.iteration_table());
        assert_eq!(x, [1.0]);
        assert!(!report.termination.is_converged(), "{report}\n{}", report.iteration_table());
        assert_eq!(report.termination, Termination::TrustRegionCollapsed);
    }
}

#[test]
fn time_limit_and_flag() {
    let start = [-1.2, 1.0];
    let options = SolverOptions { max_time: Some(Duration::ZERO), ..SolverOptions::default() };
    let (report, x) = solve(&start, &options, rosenbrock);
    assert_eq!((report.termination, report.iteration_count(), x), (Termination::TimeLimit, 0, start.to_vec()));
    assert!(!report.termination.is_converged() && report.message.contains("Time limit"));

    let flag = Arc::new(AtomicBool::new(true));
    let options = SolverOptions { cancel: Some(flag.clone()), ..SolverOptions::default() };
    let (report, x) = solve(&start, &options, rosenbrock);
    assert_eq!((report.termination, report.iteration_count(), x), (Termination::Cancelled, 0, start.to_vec()));
    flag.store(false, Ordering::Relaxed);
    assert!(solve(&start, &options, rosenbrock).0.termination.is_converged());
}

/// A flag set while it runs (here by the callback) stops it after the iteration.
#[test]
fn a_flag_set_midway() {
    let flag = Arc::new(AtomicBool::new(false));
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[p], |x| rosenbrock(&x[0])).unwrap();
    let options = SolverOptions { cancel: Some(flag.clone()), ..SolverOptions::default() };
    let report = problem
        .solve_with(&options, |record| {
            flag.store(record.iteration == 3, Ordering::Relaxed);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((report.termination, report.iteration_count()), (Termination::Cancelled, 3));
}

#[test]
fn memory_is_refused_before_it_is_used() {
    for linear_solver in [DenseCholesky, SparseCholesky, Pcg] {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(3, &[0.5; 300]).unwrap();
        for pair in blocks.windows(2) {
            problem.add_residual(pair, |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm_squared() - 1.0).unwrap();
        }
        let options =
            SolverOptions { linear_solver, max_memory: Some(1000), max_iterations: 3, ..SolverOptions::default() };
        let error = problem.solve(&options).unwrap_err();
        let SolveError::Memory { needed, allowed: 1000 } = error else { panic!("{error}") };
        assert!(needed > 100 * 9 * 8, "{needed} bytes for a hundred blocks");
        assert!(error.to_string().contains(&needed.to_string()), "{error}");
        assert_eq!(problem.parameters().values(), [0.5; 300]);
        let enough = SolverOptions { max_memory: Some(100 * needed), ..options };
        assert!(problem.solve(&enough).is_ok());
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What is fixed stays.

/// Distances in a strip of points.
fn strip(problem: &mut Problem) -> Vec<BlockId> {
    let start: Vec<f64> = noise(24).iter().enumerate().map(|(k, n)| (k / 3) as f64 * 0.7 + n).collect();
    let blocks = problem.add_parameter_blocks(3, &start).unwrap();
    for k in 0..8 {
        for other in [k + 1, k + 2].into_iter().filter(|&other| other < 8) {
            let target = 1.0 + 0.1 * other as f64;
            problem
                .add_residual(&[blocks[k], blocks[other]], |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - target)
                .unwrap();
        }
        problem.add_residual(&[blocks[k]], |x| x.vector::<3>(0) * Value::constant(0.1)).unwrap();
    }
    blocks
}

#[test]
fn fixed_blocks_and_components_do_not_move() {
    for linear_solver in KINDS {
        let mut problem = Problem::new();
        let blocks = strip(&mut problem);
        let start = problem.parameters().values().to_vec();
        problem.fix(blocks[0]).unwrap();
        problem.fix(blocks[5]).unwrap();
        problem.fix_component(blocks[2], 1).unwrap();
        problem.fix_component(blocks[7], 0).unwrap();
        problem.fix_component(blocks[7], 2).unwrap();
        let fixed = |k: usize| [0, 1, 2, 15, 16, 17, 7, 21, 23].contains(&k);
        let mut moved_at = Vec::new();
        let report = problem
            .solve_with(&SolverOptions { linear_solver, forcing: 1e-2, ..tight() }, |record| {
                moved_at.push(record.step_norm);
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(report.termination.is_converged(), "{linear_solver:?}: {report}");
        assert_eq!(report.parameters, (24, 24 - 9));
        assert_eq!(report.parameter_blocks, (8, 6));
        for (k, (before, after)) in start.iter().zip(problem.parameters().values()).enumerate() {
            assert_eq!(before == after, fixed(k), "{linear_solver:?}: parameter {k} went from {before} to {after}");
        }
    }
}

/// The same optimum, and the same gradient at the start, as with the fixed numbers written into the residuals.
#[test]
fn fixing_is_substituting() {
    let options = tight();
    let function = |a: [Value; 2], b: [Value; 2]| {
        [(a[0] - b[0]).hypot(a[1] - b[1]) - 2.0, a[0] * b[1] - 1.0, 0.3 * (a[1] - b[0].sin())]
    };
    let (a, b) = ([0.4, 1.1], [1.7, -0.6]);

    let mut fixed = Problem::new();
    let blocks = [fixed.add_parameter_block(&a).unwrap(), fixed.add_parameter_block(&b).unwrap()];
    fixed.add_residual(&blocks, |x| function([x[0][0], x[0][1]], [x[1][0], x[1][1]])).unwrap();
    fixed.fix_component(blocks[1], 0).unwrap();
    let with_fixed = fixed.solve(&options).unwrap();

    let mut substituted = Problem::new();
    let blocks = [substituted.add_parameter_block(&a).unwrap(), substituted.add_parameter_block(&b[1..]).unwrap()];
    let constant = Value::constant(b[0]);
    substituted.add_residual(&blocks, |x| function([x[0][0], x[0][1]], [constant, x[1][0]])).unwrap();
    let with_constant = substituted.solve(&options).unwrap();

    let close = |a: f64, b: f64| (a - b).abs() < 1e-12 * a.abs().max(1.0);
    assert!(close(with_fixed.initial_cost, with_constant.initial_cost));
    assert!(close(with_fixed.iterations[0].gradient_max_norm, with_constant.iterations[0].gradient_max_norm));
    assert!((with_fixed.final_cost - with_constant.final_cost).abs() < 1e-10);
    let (x, y) = (fixed.parameters().values(), substituted.parameters().values());
    near(&[x[0], x[1], x[3]], y, 1e-6);
    assert_eq!(x[2], b[0]);
}

#[test]
fn a_gradient_of_fixed_parameters_is_none() {
    for linear_solver in KINDS {
        let options = SolverOptions { linear_solver, ..SolverOptions::default() };
        let mut problem = Problem::new();
        let p = problem.add_parameter_block(&[0.0]).unwrap();
        problem.add_residual(&[p], |x| x[0][0] - 1.0).unwrap();
        problem.fix(p).unwrap();
        let report = problem.solve(&options).unwrap();
        assert!(report.termination.is_converged(), "{linear_solver:?}");
        assert_eq!((report.iteration_count(), report.final_cost), (0, 0.5));
        assert_eq!(report.iterations[0].gradient_max_norm, 0.0);
        assert_eq!(problem.parameter_block(p), [0.0]);
        problem.unfix(p).unwrap();
        problem.solve(&options).unwrap();
        assert!((problem.parameter_block(p)[0] - 1.0).abs() < 1e-9);
        // All components one by one are the whole block.
        problem.fix_component(p, 0).unwrap();
        assert_eq!(problem.solve(&options).unwrap().parameters, (1, 0));
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Callback and report.

#[test]
fn the_callback_sees_every_record() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[p], |x| rosenbrock(&x[0])).unwrap();
    let mut seen: Vec<IterationRecord> = Vec::new();
    let report = problem
        .solve_with(&SolverOptions::default(), |record| {
            seen.push(record.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, report.iterations);
    assert!(seen.iter().any(|record| !record.accepted), "Rosenbrock's valley makes steps fail");
    assert_eq!(report.accepted_steps(), seen[1..].iter().filter(|record| record.accepted).count());
    for (k, record) in seen.iter().enumerate() {
        assert_eq!(record.iteration, k);
        if let Some(before) = k.checked_sub(1).map(|b| &seen[b]) {
            if record.accepted {
                assert!(
                    record.cost < before.cost
                        && record.cost_change == before.cost - record.cost
                        && record.gain_ratio > 0.0
                );
            } else {
                assert!(record.cost == before.cost && record.trust_region_radius < before.trust_region_radius);
            }
            assert!(record.elapsed_s >= before.elapsed_s && record.step_norm > 0.0);
        }
    }
    assert_eq!((report.initial_cost, report.final_cost), (seen[0].cost, seen[seen.len() - 1].cost));
    assert!((seen[0].cost - 12.1).abs() < 1e-13, "half of 4.4² + 2.2²");
}

#[test]
fn the_callback_may_stop() {
    for stop_at in [0, 1, 4] {
        let mut problem = Problem::new();
        let p = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
        problem.add_residual(&[p], |x| rosenbrock(&x[0])).unwrap();
        let report = problem
            .solve_with(&SolverOptions::default(), |record| {
                if record.iteration == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!((report.termination, report.iteration_count()), (Termination::Cancelled, stop_at));
        assert!(!report.termination.is_converged() && report.message.contains("callback"));
        // The parameters are where the record says.
        let x = problem.parameter_block(p);
        let cost = 0.5 * ((10.0 * (x[1] - x[0] * x[0])).powi(2) + (1.0 - x[0]).powi(2));
        assert!((cost - report.final_cost).abs() <= 1e-14 * cost.max(1.0));
    }
}

/// Solving with a callback, printing and other watching changes nothing.
#[test]
fn watching_changes_nothing() {
    let run = |watch: bool| {
        let mut problem = Problem::new();
        strip(&mut problem);
        let report = problem.solve_with(&SolverOptions::default(), |record| {
            if watch {
                assert!(!format!("{record}").is_empty());
            }
            ControlFlow::Continue(())
        });
        let costs: Vec<u64> = report.unwrap().iterations.iter().map(|record| record.cost.to_bits()).collect();
        (costs, problem.parameters().values().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn the_report_prints() {
    let mut problem = Problem::new();
    let blocks = strip(&mut problem);
    problem.set_name(0..1, "distance");
    problem.fix(blocks[0]).unwrap();
    let report =
        problem.solve(&SolverOptions { threads: 2, max_iterations: 1000, ..SolverOptions::default() }).unwrap();
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let line = |start: &str| {
        lines
            .iter()
            .find(|line| line.trim_start().starts_with(start))
            .unwrap_or_else(|| panic!("no {start:?} in\n{text}"))
    };
    assert!(line("Parameter blocks").ends_with(&format!("{:>14}{:>14}", 8, 7)));
    assert!(line("Parameters").ends_with(&format!("{:>14}{:>14}", 24, 21)));
    assert!(line("Residual blocks").ends_with(" 21"));
    assert!(line("Residuals").ends_with(" 37"));
    assert!(line("distance").contains("13 x 1 residuals of 6 parameters"));
    assert!(line("(no name)").contains("8 x 3 residuals of 3 parameters"));
    assert!(line("Initial").ends_with(&format!("{:.8e}", report.initial_cost)));
    assert!(line("Final").ends_with(&format!("{:.8e}", report.final_cost)));
    assert!(line("Minimizer iterations").ends_with(&report.iteration_count().to_string()));
    assert_eq!(*line("Termination:"), format!("Termination: CONVERGENCE ({})", report.message));
    assert!(line("Backend").contains("2 threads"));
    for stage in ["Trace", "Compile", "Analyse structure", "Normal equations", "Linear solver", "Total"] {
        line(stage);
    }
    let table = report.iteration_table();
    assert_eq!(table.lines().count(), report.iterations.len() + 1);
    assert!(table.starts_with(IterationRecord::HEADER));
    assert!(report.brief().contains(&report.message) && !report.brief().contains('\n'));

    let options = SolverOptions { max_iterations: 1, ..SolverOptions::default() };
    let stopped = solve(&[0.0], &options, |x| vec![x[0].exp()]).0.to_string();
    assert!(stopped.contains("NO CONVERGENCE"), "{stopped}");
}

#[test]
fn the_report_serialises() {
    let mut problem = Problem::new();
    strip(&mut problem);
    let report = problem.solve(&SolverOptions { max_iterations: 1000, ..SolverOptions::default() }).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let text = serde_json::to_string_pretty(&report).unwrap();
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["message"], json["message"]);
    assert_eq!(read.as_object().unwrap().len(), json.as_object().unwrap().len());
    assert_eq!(json["termination"], serde_json::to_value(report.termination).unwrap());
    assert!(json["termination"].as_str().unwrap().ends_with("-tolerance"), "{}", json["termination"]);
    assert_eq!(json["message"], report.message);
    assert_eq!(json["initial_cost"].as_f64(), Some(report.initial_cost));
    assert_eq!(json["final_cost"].as_f64(), Some(report.final_cost));
    let records = json["iterations"].as_array().unwrap();
    assert_eq!(records.len(), report.iterations.len());
    for (json, record) in records.iter().zip(&report.iterations) {
        assert_eq!(json["cost"].as_f64(), Some(record.cost));
        assert_eq!(json["iteration"].as_u64(), Some(record.iteration as u64));
        assert_eq!(json["accepted"].as_bool(), Some(record.accepted));
        assert_eq!(json["trust_region_radius"].as_f64(), Some(record.trust_region_radius));
    }
    assert_eq!(json["parameters"], serde_json::json!([24, 24]));
    assert_eq!(json["residuals"], 37);
    assert_eq!(json["groups"].as_array().unwrap().len(), report.groups.len());
    assert_eq!(json["groups"][0]["instances"], report.groups[0].instances);
    assert_eq!(json["compile"]["kernels"], 2);
    assert_eq!(json["backend"]["backend"], "cpu");
    assert_eq!(json["times_s"]["total"].as_f64(), Some(report.times_s.total));
    // A trial that could not be evaluated has no cost, which is null.
    let (report, _) = solve(&[2.0], &SolverOptions::default(), |x| vec![5.0 + (x[0] - 1.0).sqrt()]);
    assert!(report.iterations.iter().any(|record| record.cost_change.is_nan()), "{}", report.iteration_table());
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["iterations"].as_array().unwrap().iter().any(|record| record["cost_change"].is_null()));
}

// ---------------------------------------------------------------------------------------------------------------------
// Trouble on the way.

/// Full steps lead where the logarithm is not defined; the damping brings them back.
#[test]
fn steps_out_of_the_domain_are_rejected() {
    for linear_solver in KINDS {
        let options = SolverOptions { linear_solver, ..tight() };
        let (report, x) = solve(&[4.0], &options, |x| vec![x[0].ln()]);
        assert!(report.termination.is_converged(), "{linear_solver:?}: {report}\n{}", report.iteration_table());
        near(&x, &[1.0], 1e-6);
        assert!(report.iterations.iter().any(|record| record.cost_change.is_nan() && !record.accepted));
    }
}

/// Whatever way a solve ends, the parameters are at the lowest cost that the callback saw accepted.
#[test]
fn the_best_accepted_point_is_kept() {
    let cost_at = |x: f64| 0.5 * (5.0 + (x - 1.0).sqrt()).powi(2);
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[2.0]).unwrap();
    problem.add_residual(&[p], |x| 5.0 + (x[0][0] - 1.0).sqrt()).unwrap();
    let mut accepted: Vec<f64> = Vec::new();
    let result = problem.solve_with(&SolverOptions::default(), |record| {
        if record.accepted {
            accepted.push(record.cost);
        }
        ControlFlow::Continue(())
    });
    let best = accepted.iter().copied().fold(f64::INFINITY, f64::min);
    let x = problem.parameter_block(p)[0];
    assert!((cost_at(x) - best).abs() < 1e-12 * best || result.is_err(), "{x}: {} for {best}", cost_at(x));
    assert!(cost_at(x) <= best && x >= 1.0, "{x}");
    match result {
        Ok(report) => {
            assert!(!report.termination.is_converged(), "{report}");
            assert_eq!(report.final_cost, best);
        }
        // It may also be accepted onto the very edge, where the derivative is infinite.
        Err(error) => assert!(matches!(error, SolveError::NonFinite { iterations: 1.., .. }), "{error}"),
    }
}

#[test]
fn invalid_steps_are_explained() {
    // Every step, however short, leads into the region where the residual is not defined.
    let (report, x) = solve(&[1.0], &SolverOptions::default(), |x| vec![2.0 + x[0], (x[0] - 1.0).powf(1.5)]);
    assert_eq!(report.termination, Termination::InvalidSteps, "{report}\n{}", report.iteration_table());
    assert!(report.message.contains("powf of -"), "{}", report.message);
    assert_eq!(x, [1.0]);
    assert_eq!(report.iteration_count(), SolverOptions::default().max_consecutive_invalid_steps + 1);
}

/// An accepted point may be one whose derivative is not finite; that ends the solve with an error, at that point.
#[test]
fn a_derivative_lost_on_the_way_is_an_error() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[3.0]).unwrap();
    // Below 2 the root is that of 0, whose derivative is 0 · ∞.
    problem.add_residual(&[p], |x| [x[0][0] + 10.0, (x[0][0] - 2.0).max(0.0).sqrt()]).unwrap();
    problem.set_name(0..1, "root");
    let error = problem.solve(&SolverOptions::default()).unwrap_err();
    let SolveError::NonFinite { iterations: 1.., residual } = &error else { panic!("{error}") };
    assert_eq!((residual.name.as_deref(), residual.instance), (Some("root"), 0));
    assert!(error.to_string().contains("in the derivative"), "{error}");
    let x = problem.parameter_block(p)[0];
    assert!(x < 2.0 && (x + 10.0).abs() < 13.0, "{x} was accepted");
}

#[test]
fn overflow_of_the_cost_is_no_panic() {
    for linear_solver in KINDS {
        let options = SolverOptions { linear_solver, ..SolverOptions::default() };
        let mut residuals = CompiledResiduals::compile(&[1.0], |x| vec![1e200 * x[0] - 3.0]).unwrap();
        if let Ok(report) = residuals.solve(&options) {
            assert!(report.termination.is_converged() == (report.final_cost < 1.0), "{report}");
        }
        assert!(residuals.parameters()[0].is_finite());
    }
}

/// The number of residual groups, blocks of several sizes and shared blocks: one optimum, whoever solves the linear systems.
#[test]
fn all_linear_solvers_agree() {
    let run = |linear_solver: LinearSolverKind| {
        let mut problem = Problem::new();
        let blocks = strip(&mut problem);
        let scale = problem.add_parameter_block(&[1.0]).unwrap();
        for &block in &blocks {
            problem.add_residual(&[block, scale], |x: Blocks<'_>| x.vector::<3>(0).norm() * x[1][0] - 1.0).unwrap();
        }
        let report = problem.solve(&SolverOptions { linear_solver, forcing: 1e-4, ..tight() }).unwrap();
        assert!(report.termination.is_converged(), "{linear_solver:?}: {report}");
        (report, problem.parameters().values().to_vec())
    };
    let (reference, x) = run(DenseQr);
    for kind in KINDS {
        let (report, y) = run(kind);
        assert!((report.final_cost / reference.final_cost - 1.0).abs() < 1e-9, "{kind:?}: {}", report.final_cost);
        // The strip may turn about the origin; lengths may not.
        let lengths =
            |x: &[f64]| x[..24].chunks(3).map(|p| p.iter().map(|a| a * a).sum::<f64>().sqrt()).collect::<Vec<_>>();
        near(&lengths(&y), &lengths(&x), 1e-4);
    }
    let (report, _) = run(Pcg);
    assert!(report.iterations[1..].iter().all(|record| record.linear_iterations > 0));
}
