//! The solver reaches known optima, with every linear solver.

mod minimizing;

use isograd::LinearSolverKind::DenseQr;
use isograd::{Problem, SolverOptions, SolverReport, Value};
use minimizing::{KINDS, jennrich_sampson, near, noise, rosenbrock, solve, tight};

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

fn powell_singular(x: &[Value]) -> Vec<Value> {
    vec![
        x[0] + 10.0 * x[1],
        5_f64.sqrt() * (x[2] - x[3]),
        (x[1] - 2.0 * x[2]).square(),
        10_f64.sqrt() * (x[0] - x[3]).square(),
    ]
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
