//! Covariance, priors, square-root information and the gradient checker.

use isograd::manifold::{Se3, So3};
use isograd::problem::{GradientCheckOptions, square_root_information};
use isograd::solver::{CovarianceError, CovarianceOptions};
use isograd::{BlockId, Problem, ProblemError, SolverOptions, Value};
use nalgebra::{DMatrix, Quaternion, UnitQuaternion, Vector3};
use proptest::prelude::*;

/// (JᵀJ)⁻¹ over all components of a step, by dense inversion.
fn dense(problem: &Problem) -> DMatrix<f64> {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
    let mut jacobian = DMatrix::zeros(compiled.residuals(), compiled.steps().tangent());
    compiled.for_each_entry(&evaluation, |row, column, d| jacobian[(row, column)] += d);
    jacobian.tr_mul(&jacobian).try_inverse().unwrap()
}

proptest! {
    #[test]
    fn covariances_are_blocks_of_the_inverse(numbers in prop::collection::vec(-1.0..1.0f64, 40)) {
        let mut problem = Problem::new();
        let a = problem.add_parameter_block(&numbers[..3]).unwrap();
        let b = problem.add_parameter_block(&numbers[3..5]).unwrap();
        let data = &numbers[5..];
        problem
            .add_residual(&[a, b], |x| {
                let row = |k: usize| {
                    let d = |j: usize| data[(5 * k + j) % data.len()];
                    let linear: Value = (0..3).map(|j| x[0][j] * d(j)).sum();
                    linear + x[1][0] * d(3) + x[1][1] * d(4) + 0.1 * (x[0][0] * x[1][1]).sin()
                };
                (0..12).map(row).collect::<Vec<_>>()
            })
            .unwrap();
        problem.add_prior(a, &[0.0; 3], &DMatrix::identity(3, 3)).unwrap();
        problem.add_prior(b, &[0.0; 2], &DMatrix::identity(2, 2)).unwrap();
        let exact = dense(&problem);
        let covariance = problem.covariance(&[(a, a), (a, b), (b, b)], &CovarianceOptions::default()).unwrap();
        for (pair, range) in [((a, a), (0, 0)), ((a, b), (0, 3)), ((b, b), (3, 3)), ((b, a), (3, 0))] {
            let block = covariance.block(pair.0, pair.1).unwrap();
            let expected = exact.view(range, block.shape());
            prop_assert!((&block - expected).norm() <= 1e-10 * exact.norm());
        }
        let deviations = covariance.standard_deviations(b).unwrap();
        prop_assert!((deviations[1] - exact[(4, 4)].sqrt()).abs() < 1e-10);
    }
}

/// A straight line through points: the textbook standard errors.
#[test]
fn a_line_has_its_textbook_errors() {
    let points: Vec<[f64; 2]> = (0..8).map(|k| [f64::from(k), 2.0 * f64::from(k) + f64::from(k * k % 3)]).collect();
    let mut problem = Problem::new();
    let line = problem.add_parameter_block(&[0.0, 0.0]).unwrap();
    problem.add_residual_batch(&vec![[line]; 8], &points, |x, d| x[0][0] * d[0] + x[0][1] - d[1]).unwrap();
    problem.solve(&SolverOptions::default()).unwrap();
    let covariance = problem.covariance(&[(line, line)], &CovarianceOptions::default()).unwrap();
    let mean = 3.5;
    let spread: f64 = points.iter().map(|p| (p[0] - mean).powi(2)).sum();
    let deviations = covariance.standard_deviations(line).unwrap();
    assert!((deviations[0] - spread.recip().sqrt()).abs() < 1e-14);
    assert!((deviations[1] - (1.0 / 8.0 + mean * mean / spread).sqrt()).abs() < 1e-14);
}

#[test]
fn manifolds_and_fixed_parameters_have_their_place() {
    let truth = UnitQuaternion::from_euler_angles(0.3, 0.2, -0.5);
    let mut problem = Problem::new();
    let q = problem.add_parameter_block(truth.coords.as_slice()).unwrap();
    problem.set_manifold(&[q], So3).unwrap();
    let p = problem.add_parameter_block(&[1.0, 2.0, 3.0]).unwrap();
    problem.fix_component(p, 1).unwrap();
    let fixed = problem.add_parameter_block(&[5.0]).unwrap();
    problem.fix(fixed).unwrap();
    problem
        .add_residual(&[q, p, fixed], |x| {
            let q = UnitQuaternion::new_unchecked(Quaternion::from_vector(x.vector::<4>(0)));
            (q * x.vector::<3>(1) * x[2][0], (x.vector::<3>(1), q * Vector3::new(0.0, 0.0, 1.0).map(Value::from)))
        })
        .unwrap();
    let pairs = [(q, q), (q, p), (p, p), (q, fixed), (fixed, fixed)];
    let covariance = problem.covariance(&pairs, &CovarianceOptions::default()).unwrap();
    assert_eq!(covariance.block(fixed, fixed).unwrap(), DMatrix::zeros(1, 1));
    assert_eq!(covariance.block(q, fixed).unwrap(), DMatrix::zeros(3, 1));
    let own = covariance.block(p, p).unwrap();
    assert!((0..3).all(|k| own[(1, k)] == 0.0 && own[(k, 1)] == 0.0) && own[(0, 0)] > 0.0);
    // A unit quaternion does not vary along itself.
    let ambient = covariance.ambient_block(q, q).unwrap();
    assert_eq!(ambient.shape(), (4, 4));
    assert!((&ambient * truth.coords).norm() < 1e-14 * ambient.norm());
    assert!(covariance.block(fixed, p).is_none());
}

#[test]
fn what_is_undetermined_is_named() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[1.0, 2.0, 3.0]).unwrap();
    problem.add_residual(&blocks[..1], |x| x[0][0]).unwrap();
    problem.add_residual(&blocks[1..], |x| x[0][0] - x[1][0]).unwrap();
    let pair = [(blocks[0], blocks[0]), (blocks[1], blocks[2])];
    let error = problem.covariance(&pair, &CovarianceOptions::default()).unwrap_err();
    assert!(matches!(error, CovarianceError::RankDeficient { .. }), "{error}");
    assert!(
        error.to_string().contains("parameter block 1") || error.to_string().contains("parameter block 2"),
        "{error}"
    );
    // The pseudo-inverse of [[1, −1], [−1, 1]].
    let covariance = problem.covariance(&pair, &CovarianceOptions { truncate: true, ..Default::default() }).unwrap();
    assert!((covariance.block(blocks[1], blocks[2]).unwrap()[(0, 0)] + 0.25).abs() < 1e-14);
    let mut other = Problem::new();
    let stranger: BlockId = other.add_parameter_blocks(1, &[0.0; 9]).unwrap()[8];
    let error = problem.covariance(&[(stranger, stranger)], &CovarianceOptions::default()).unwrap_err();
    assert!(matches!(error, CovarianceError::Problem(ProblemError::NoSuchBlock { block: 8, blocks: 3 })), "{error}");
}

#[test]
fn priors_pull_to_their_mean() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[0.0, 0.0]).unwrap();
    let information = DMatrix::from_row_slice(2, 2, &[4.0, 1.0, 1.0, 9.0]);
    let weight = square_root_information(&information).unwrap();
    assert!((weight.tr_mul(&weight) - &information).norm() < 1e-14);
    problem.add_prior(x, &[1.0, -2.0], &weight).unwrap();
    let report = problem.solve(&SolverOptions::default()).unwrap();
    assert!((report.initial_cost - 0.5 * (4.0 - 2.0 * 2.0 + 36.0)).abs() < 1e-12, "{}", report.initial_cost);
    assert!((problem.parameter_block(x)[0] - 1.0).abs() < 1e-9 && (problem.parameter_block(x)[1] + 2.0).abs() < 1e-9);
    let covariance = problem.covariance(&[(x, x)], &CovarianceOptions::default()).unwrap().block(x, x).unwrap();
    assert!((covariance * information - DMatrix::identity(2, 2)).norm() < 1e-13);

    let pose = problem.add_parameter_block(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
    problem.set_manifold(&[pose], Se3).unwrap();
    let q = UnitQuaternion::from_euler_angles(0.3, -0.4, 1.0);
    let mean = [1.0, 2.0, 3.0, q.i, q.j, q.k, q.w];
    problem.add_prior(pose, &mean, &DMatrix::identity(6, 6)).unwrap();
    let report = problem.solve(&SolverOptions::default()).unwrap();
    assert!(report.final_cost < 1e-16, "{report}");
    problem.parameter_block(pose).iter().zip(&mean).for_each(|(x, m)| assert!((x - m).abs() < 1e-8));
}

#[test]
fn priors_and_weights_that_make_no_sense_are_refused() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[0.0, 0.0]).unwrap();
    let q = problem.add_parameter_block(&[0.0, 0.0, 0.0, 1.0]).unwrap();
    problem.set_manifold(&[q], So3).unwrap();
    let eye = |n: usize| DMatrix::identity(n, n);
    assert!(matches!(problem.add_prior(x, &[0.0], &eye(2)), Err(ProblemError::ParameterCount { .. })));
    assert!(matches!(problem.add_prior(x, &[0.0, f64::NAN], &eye(2)), Err(ProblemError::NonFiniteParameter { .. })));
    assert!(matches!(problem.add_prior(x, &[0.0, 0.0], &eye(3)), Err(ProblemError::Information { .. })));
    assert!(matches!(problem.add_prior(q, &[0.0, 0.0, 0.0, 2.0], &eye(3)), Err(ProblemError::OffManifold { .. })));
    assert_eq!(problem.residual_blocks(), 0);
    for (matrix, message) in [
        (DMatrix::zeros(2, 3), "2 rows and 3 columns"),
        (DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 0.0, 1.0]), "not symmetric"),
        (DMatrix::from_row_slice(2, 2, &[1.0, 2.0, 2.0, 1.0]), "not positive definite"),
        (DMatrix::from_row_slice(1, 1, &[f64::NAN]), "contains NaN"),
    ] {
        let error = square_root_information(&matrix).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn gradient_checks_name_what_is_wrong() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[0.3, 1.0]).unwrap();
    let q = problem.add_parameter_block(&[0.5, 0.5, 0.5, 0.5]).unwrap();
    problem.set_manifold(&[q], So3).unwrap();
    problem.add_residual(&[x, q], |x| [x[0][0] * x[1][1], (x[0][1] * x[1][3]).exp()]).unwrap();
    let good = problem.check_gradients(&GradientCheckOptions::default()).unwrap();
    assert!(good.is_ok() && good.checked == 10 && good.largest_error < 1e-8, "{good}");

    // The difference reaches across the kink.
    let wrong = problem.add_residual(&[x], |x| [x[0][0], (x[0][1] - 1.0 + 1e-5).abs()]).unwrap();
    problem.set_name(wrong..wrong + 1, "kinked");
    let report = problem.check_gradients(&GradientCheckOptions::default()).unwrap();
    assert_eq!(report.failed, 1, "{report}");
    let found = &report.mismatches[0];
    assert_eq!((found.residual_block, found.residual, found.block, found.component), (wrong, 1, 0, 1));
    assert!(found.numeric.abs() < 0.1 && found.analytic == 1.0, "{found:?}");
    assert!(
        report.to_string().contains("residual 1 of residual block 1 (\"kinked\"), component 1 of parameter block 0")
    );
}
