//! Robust losses: their formulas and derivatives, the correction of residuals and Jacobian, and solves.

mod differences;

use differences::slopes;
use isograd::loss::{
    Arctan, Cauchy, Composed, Fair, GemanMcClure, Huber, Loss, Scaled, SoftL1, Tolerant, Trivial, Tukey, Welsch,
};
use isograd::problem::Evaluation;
use isograd::{Problem, ProblemError, SolverOptions, Value};
use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;

/// A loss with its formula in plain numbers and those of its first two derivatives, and the points of s where one of them jumps.
type Case = (Box<dyn Loss>, [fn(f64) -> f64; 3], &'static [f64]);

fn cases() -> Vec<Case> {
    vec![
        (Box::new(Trivial), [|s| s, |_| 1.0, |_| 0.0], &[]),
        (
            Box::new(Huber(0.7)),
            [
                |s| if s <= 0.49 { s } else { 1.4 * s.sqrt() - 0.49 },
                |s| if s <= 0.49 { 1.0 } else { 0.7 / s.sqrt() },
                |s| if s <= 0.49 { 0.0 } else { -0.35 / s.powf(1.5) },
            ],
            &[0.49],
        ),
        (
            Box::new(SoftL1(0.7)),
            [
                |s| 0.98 * ((1.0 + s / 0.49).sqrt() - 1.0),
                |s| 1.0 / (1.0 + s / 0.49).sqrt(),
                |s| -0.5 / 0.49 / (1.0 + s / 0.49).powf(1.5),
            ],
            &[],
        ),
        (
            Box::new(Cauchy(0.7)),
            [|s| 0.49 * (1.0 + s / 0.49).ln(), |s| 1.0 / (1.0 + s / 0.49), |s| -1.0 / 0.49 / (1.0 + s / 0.49).powi(2)],
            &[],
        ),
        (
            Box::new(Arctan(0.7)),
            [
                |s| 0.7 * (s / 0.7).atan(),
                |s| 1.0 / (1.0 + s * s / 0.49),
                |s| -2.0 * s / 0.49 / (1.0 + s * s / 0.49).powi(2),
            ],
            &[],
        ),
        (
            Box::new(Tukey(0.7)),
            [
                |s| 0.49 / 3.0 * (1.0 - (1.0 - s / 0.49).max(0.0).powi(3)),
                |s| (1.0 - s / 0.49).max(0.0).powi(2),
                |s| -2.0 / 0.49 * (1.0 - s / 0.49).max(0.0),
            ],
            &[0.49],
        ),
        (
            Box::new(GemanMcClure(0.7)),
            [|s| 0.49 * s / (0.49 + s), |s| (0.49 / (0.49 + s)).powi(2), |s| -2.0 * 0.49 * 0.49 / (0.49 + s).powi(3)],
            &[],
        ),
        (
            Box::new(Welsch(0.7)),
            [|s| 0.49 * (1.0 - (-s / 0.49).exp()), |s| (-s / 0.49).exp(), |s| -(-s / 0.49).exp() / 0.49],
            &[],
        ),
        (
            Box::new(Fair(0.7)),
            [
                |s| 0.98 * (s.sqrt() / 0.7 - (1.0 + s.sqrt() / 0.7).ln()),
                |s| 1.0 / (1.0 + s.sqrt() / 0.7),
                |s| -0.5 / 0.7 / s.sqrt() / (1.0 + s.sqrt() / 0.7).powi(2),
            ],
            &[],
        ),
        (
            Box::new(Tolerant { a: 0.5, b: 0.2 }),
            [
                |s| 0.2 * (1.0 + ((s - 0.5) / 0.2).exp()).ln() - 0.2 * (1.0 + (-2.5f64).exp()).ln(),
                |s| 1.0 / (1.0 + ((0.5 - s) / 0.2).exp()),
                |s| 1.25 / ((s - 0.5) / 0.4).cosh().powi(2),
            ],
            &[],
        ),
        (
            Box::new(Scaled(3.0, Cauchy(1.0))),
            [|s| 3.0 * (1.0 + s).ln(), |s| 3.0 / (1.0 + s), |s| -3.0 / (1.0 + s).powi(2)],
            &[],
        ),
        (
            Box::new(Composed(Cauchy(1.0), SoftL1(1.0))),
            // ln(1 + 2(w − 1)) with w = √(1 + s).
            [
                |s| (1.0 + 2.0 * ((1.0 + s).sqrt() - 1.0)).ln(),
                |s| 1.0 / (1.0 + 2.0 * ((1.0 + s).sqrt() - 1.0)) / (1.0 + s).sqrt(),
                |s| {
                    let w = (1.0 + s).sqrt();
                    (1.0 - 4.0 * w) / (2.0 * w.powi(3) * (2.0 * w - 1.0).powi(2))
                },
            ],
            &[],
        ),
    ]
}

fn rho(loss: &dyn Loss, s: f64) -> f64 {
    loss.rho(Value::constant(s)).primal()
}

/// ρ, ρ′ and ρ″ by way of the kernel of a problem with that loss.
fn derivatives(loss: Box<dyn Loss>, s: f64) -> [f64; 3] {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[s]).unwrap();
    let blocks = problem.add_residual_batch(&[[x]], &(), |x, _| x[0][0]).unwrap();
    problem.set_loss(blocks, loss).unwrap();
    let compiled = problem.compile().unwrap();
    let program = compiled.groups[0].kernel.specialization.loss.clone().unwrap();
    let values = program.derivatives.evaluate(&[&[s]], &[]);
    [values[0], values[1], values[2]]
}

proptest! {
    #[test]
    fn losses_are_their_formulas(exponent in -12.0..4.0f64) {
        let s = 10f64.powf(exponent);
        for (loss, [formula, slope, curvature], kinks) in cases() {
            let (name, concave) = (loss.name(), loss.is_concave());
            let [value, first, second] = derivatives(loss, s);
            // The plain formulas cancel for small s.
            prop_assert!((value - formula(s)).abs() <= 1e-15 + 1e-13 * formula(s), "{name}: {value} for {}", formula(s));
            prop_assert!((first - slope(s)).abs() <= 1e-12 * slope(s).max(1e-3), "{name}: {first} for {}", slope(s));
            if kinks.iter().any(|kink| (s - kink).abs() < 1e-2 * kink) {
                continue;
            }
            let (expected, scale) = (curvature(s), curvature(s).abs().max(1e-3));
            prop_assert!((second - expected).abs() <= 1e-11 * scale, "{name}: {second} for {expected} at {s}");
            // Near 0 differences would have to be narrower: there the formula is the judge.
            if s > 0.2 {
                let difference = slopes(|s| slope(s[0]), &[s])[0];
                prop_assert!(difference.agrees(second, 1e-6), "{name}: {second} for {difference:?}");
            }
            prop_assert!(!concave || second <= 1e-12, "{name} is said to be concave, and has {second} at {s}");
        }
    }

    /// J̃ᵀr̃ is the gradient of ½ρ(‖r‖²), J̃ᵀJ̃ its Gauss-Newton matrix with Triggs's second-order term, and the objective its cost.
    #[test]
    fn corrections_give_gradient_and_model(x in prop::collection::vec(-2.0..2.0f64, 3)) {
        for (loss, [formula, slope, _], kinks) in cases() {
            let name = loss.name();
            let residual = |x: &[Value]| [x[0] * x[1] - 0.5, x[1].sin() + x[2], 0.3 * x[2] * x[2]];
            let mut problem = Problem::new();
            let block = problem.add_parameter_block(&x).unwrap();
            problem.add_residual(&[block], |x| residual(&x[0])).unwrap();
            let linearized = |problem: &Problem| {
                let compiled = problem.compile().unwrap();
                let mut evaluation = Evaluation::default();
                compiled.linearize(&x, &mut evaluation).unwrap();
                let mut jacobian = DMatrix::zeros(3, 3);
                compiled.for_each_entry(&evaluation, |row, column, d| jacobian[(row, column)] += d);
                (DVector::from_column_slice(&evaluation.residuals), jacobian)
            };
            let (r, jacobian) = linearized(&problem);
            problem.set_loss(0..1, loss).unwrap();
            let (corrected, corrected_jacobian) = linearized(&problem);
            let s = r.norm_squared();
            if kinks.iter().any(|kink| (s - kink).abs() < 1e-2 * kink) {
                continue;
            }
            let mut evaluation = Evaluation::default();
            let compiled = problem.compile().unwrap();
            compiled.evaluate_objective(&x, &mut evaluation).unwrap();
            prop_assert!((2.0 * evaluation.cost() - formula(s)).abs() <= 1e-13 + 1e-12 * formula(s), "{name}");
            compiled.evaluate_residuals(&x, &mut evaluation).unwrap();
            prop_assert!((&r - DVector::from_column_slice(&evaluation.residuals)).norm() < 1e-15);

            let gradient = corrected_jacobian.transpose() * corrected;
            let expected = slope(s) * jacobian.transpose() * &r;
            prop_assert!((&gradient - &expected).norm() <= 1e-11 * (1.0 + expected.norm()), "{name}: {gradient} {expected}");

            let kernel = &compiled.groups[0].kernel;
            let loss = kernel.specialization.loss.as_ref().unwrap();
            let second = loss.derivatives.evaluate(&[&[s]], &[])[2].max(0.0);
            let pulled = jacobian.transpose() * &r;
            let model = slope(s) * jacobian.transpose() * &jacobian + 2.0 * second * &pulled * pulled.transpose();
            let found = corrected_jacobian.transpose() * corrected_jacobian;
            prop_assert!((&found - &model).norm() <= 1e-10 * (1.0 + model.norm()), "{name}: {found} {model}");
        }
    }
}

/// What is evaluated together is what is evaluated alone, to the last bit: with losses and without, by a task or several.
#[test]
fn the_objective_comes_with_the_jacobian() {
    let bits = |numbers: &[f64]| numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
    for (count, (loss, ..)) in [5, 40, 3000].into_iter().flat_map(|count| cases().into_iter().map(move |c| (count, c)))
    {
        let name = loss.name();
        let mut problem = Problem::new();
        let x: Vec<f64> = (0..2 * count).map(|k| 1.5 * (0.37 * k as f64).sin()).collect();
        let rows: Vec<_> = problem.add_parameter_blocks(2, &x).unwrap().into_iter().map(|block| [block]).collect();
        let pair = |x: &[Value]| [x[0] * x[1] - 0.5, x[1].sin() + x[0]];
        let with_loss = problem.add_residual_batch(&rows, &(), |x, _| pair(&x[0])).unwrap();
        problem.add_residual_batch(&rows, &(), |x, _| 0.3 * x[0][0] * x[0][1]).unwrap();
        problem.set_loss(with_loss, loss).unwrap();
        let compiled = problem.compile().unwrap();
        let (mut alone, mut plain, mut both) = <(Evaluation, Evaluation, Evaluation)>::default();
        compiled.evaluate_objective(&x, &mut alone).unwrap();
        compiled.linearize(&x, &mut plain).unwrap();
        compiled.linearize_with_objective(&x, &mut both).unwrap();
        assert_eq!(bits(&both.objective), bits(&alone.residuals), "{name}");
        assert_eq!(bits(&both.residuals), bits(&plain.residuals), "{name}");
        assert_eq!(bits(&both.stored), bits(&plain.stored), "{name}");
        assert_eq!(both.cost().to_bits(), alone.cost().to_bits(), "{name}");
        compiled.linearize(&x, &mut both).unwrap();
        assert!(both.objective.is_empty(), "what is not evaluated again is not kept");
    }
}

#[test]
fn losses_begin_with_slope_one() {
    for (loss, ..) in cases() {
        let name = loss.name();
        let expected = if name.starts_with("Tolerant") { rho(&Tolerant { a: 0.5, b: 0.2 }, 0.0) } else { 0.0 };
        let scale = if name.starts_with('3') { 3.0 } else { 1.0 };
        let [value, slope, _] = derivatives(loss, 0.0);
        assert!((value - expected).abs() < 1e-15, "{name}: {value}");
        assert!(name.starts_with("Tolerant") || (slope - scale).abs() < 1e-9, "{name}: {slope}");
    }
}

/// A line through points of which some are far off: with a loss the line is that of the others.
#[test]
fn outliers_are_outvoted() {
    let outliers = [3, 11, 17];
    let points: Vec<[f64; 2]> = (0..20)
        .map(|k| {
            let x = 0.5 * f64::from(k);
            let noise = 0.01 * (1.7 * x).sin();
            [x, 2.0 * x - 1.0 + noise + if outliers.contains(&k) { 40.0 } else { 0.0 }]
        })
        .collect();
    let fit = |loss: Option<Box<dyn Loss>>| {
        let mut problem = Problem::new();
        let line = problem.add_parameter_block(&[1.0, 0.0]).unwrap();
        let rows =
            problem.add_residual_batch(&vec![[line]; 20], &points, |x, d| x[0][0] * d[0] + x[0][1] - d[1]).unwrap();
        if let Some(loss) = loss {
            problem.set_loss(rows, loss).unwrap();
        }
        let report = problem.solve(&SolverOptions { max_iterations: 200, ..Default::default() }).unwrap();
        assert!(report.termination.is_converged() && report.final_cost <= report.initial_cost, "{report}");
        (problem.parameter_block(line).to_vec(), report.final_cost)
    };
    let (plain, _) = fit(None);
    assert!((plain[1] + 1.0).abs() > 1.0, "outliers ought to hurt: {plain:?}");
    for loss in
        [Box::new(Huber(0.1)) as Box<dyn Loss>, Box::new(SoftL1(0.1)), Box::new(Cauchy(0.1)), Box::new(Fair(0.05))]
    {
        let name = loss.name();
        let (line, cost) = fit(Some(loss));
        assert!((line[0] - 2.0).abs() < 0.03 && (line[1] + 1.0).abs() < 0.15, "{name}: {line:?}");
        // The cost of the report is that of the loss.
        if name.starts_with("Huber") {
            let residuals = points.iter().map(|p| (line[0] * p[0] + line[1] - p[1]).abs());
            let huber = |r: f64| if r <= 0.1 { r * r } else { 0.2 * r - 0.01 };
            let expected = 0.5 * residuals.map(huber).sum::<f64>();
            assert!((cost - expected).abs() < 1e-12 * expected, "{cost} for {expected}");
        }
    }
}

#[test]
fn losses_split_groups_and_can_be_cleared() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[1.0]).unwrap();
    let rows = problem.add_residual_batch(&vec![[x]; 10], &vec![[2.0]; 10], |x, d| x[0][0] - d[0]).unwrap();
    assert_eq!(problem.compile().unwrap().groups.len(), 1);
    problem.set_loss(2..5, Huber(1.0)).unwrap();
    problem.set_loss(7..8, Huber(1.0)).unwrap();
    let compiled = problem.compile().unwrap();
    let counts: Vec<usize> = compiled.groups.iter().map(|g| g.table.count).collect();
    assert_eq!(counts, [6, 4]);
    // Every residual block has a row of its own still.
    let mut seen: Vec<usize> = compiled.rows().collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..10).collect::<Vec<_>>());
    problem.set_loss(2..3, Cauchy(1.0)).unwrap();
    assert_eq!(problem.compile().unwrap().groups.len(), 3);
    problem.clear_loss(rows).unwrap();
    assert_eq!(problem.compile().unwrap().groups.len(), 1);
}

/// Losses that are none.
#[derive(Debug)]
struct Wrong(fn(Value) -> Value);

impl Loss for Wrong {
    fn name(&self) -> String {
        "wrong".to_owned()
    }
    fn rho(&self, s: Value) -> Value {
        (self.0)(s)
    }
}

#[test]
fn wrong_losses_are_named() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[1.0]).unwrap();
    problem.add_residual(&[x], |x| x[0][0]).unwrap();
    assert!(matches!(problem.set_loss(0..2, Huber(1.0)), Err(ProblemError::NoSuchResidualBlocks { end: 2, .. })));
    type Rho = fn(Value) -> Value;
    let cases: [(Rho, &str); 4] = [
        (|s| if s < 1.0 { s } else { s.sqrt() }, "Value::select"),
        (|s| -s, "both must be 0 or more"),
        (|s| s.sqrt(), "slope inf"),
        (|s| s.ln(), "rho(0)"),
    ];
    for (rho, message) in cases {
        let error = problem.set_loss(0..1, Wrong(rho)).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    // Nothing changed.
    assert!(!problem.compile().unwrap().has_losses());
    for width in [-1.0, -1e3, f64::NAN] {
        let mut problem = Problem::new();
        let block = problem.add_parameter_block(&[1.0]).unwrap();
        problem.add_residual(&[block], |x| x[0][0]).unwrap();
        let error = problem.set_loss(0..1, Huber(width)).unwrap_err();
        assert!(matches!(error, ProblemError::LossFunction { .. }), "{width}: {error}");
    }
}
