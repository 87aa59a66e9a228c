//! `CompiledResiduals`: a whole function in, residuals, Jacobian and sums out.

use isograd::{CompiledResiduals, ProblemError, SolverOptions, Value};

fn three(x: &[Value]) -> Vec<Value> {
    vec![x[0] + x[1], x[0] * x[1], x[0] * x[0]]
}

#[test]
fn a_single_objective() {
    let objective = CompiledResiduals::compile(&[3.0, 4.0], |x| vec![x[0] * x[0] + 2.0 * x[1] * x[1]]).unwrap();
    let (value, gradient) = objective.evaluate_sum_with_gradient(&[3.0, 4.0]).unwrap();
    assert_eq!((value, gradient), (41.0, vec![6.0, 16.0]));
}

#[test]
fn three_functions_with_an_exact_jacobian() {
    let functions = CompiledResiduals::compile(&[2.0, 3.0], three).unwrap();
    assert_eq!((functions.len(), functions.is_empty()), (3, false));
    let (values, jacobian) = functions.evaluate_dense(&[2.0, 3.0]).unwrap();
    assert_eq!(values, [5.0, 6.0, 4.0]);
    assert_eq!(jacobian, [[1.0, 1.0], [3.0, 2.0], [4.0, 0.0]]);
    assert_eq!(functions.evaluate(&[2.0, 3.0]).unwrap(), values);
}

#[test]
fn sparse_rows_leave_out_what_is_always_zero() {
    let functions = CompiledResiduals::compile(&[2.0, 3.0, 4.0], three).unwrap();
    let (values, mut rows) = functions.evaluate_sparse(&[2.0, 3.0, 4.0]).unwrap();
    rows.iter_mut().for_each(|row| row.sort_by_key(|&(parameter, _)| parameter));
    assert_eq!(values, [5.0, 6.0, 4.0]);
    assert_eq!(rows, [vec![(0, 1.0), (1, 1.0)], vec![(0, 3.0), (1, 2.0)], vec![(0, 4.0)]]);
    // An entry that happens to be zero is there.
    let (_, rows) = functions.evaluate_sparse(&[0.0, 0.0, 0.0]).unwrap();
    assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
}

/// Residuals are values, not squares; the order is the function's although groups mix them.
#[test]
fn values_are_raw_and_in_order() {
    let one = CompiledResiduals::compile(&[3.0], |x| vec![x[0] - 1.0]).unwrap();
    assert_eq!(one.evaluate(&[3.0]).unwrap(), [2.0]);
    assert_eq!(one.evaluate_sum_with_gradient(&[3.0]).unwrap(), (2.0, vec![1.0]));

    let mixed = |x: &[Value]| {
        (0..20).map(|k| if k % 3 == 0 { x[k % 4] + k as f64 } else { x[k % 4] * x[(k + 1) % 4] * k as f64 }).collect()
    };
    let residuals = CompiledResiduals::compile(&[1.0, 2.0, 3.0, 4.0], mixed).unwrap();
    assert_eq!(residuals.kernels(), 2);
    let x = [1.5, -2.0, 0.5, 3.0];
    let expected: Vec<f64> = Value::scope(|| {
        let leaves = x.map(Value::variable);
        let outputs: Vec<Value> = mixed(&leaves);
        outputs.iter().map(|o| o.primal()).collect()
    });
    assert_eq!(residuals.evaluate(&x).unwrap(), expected);
}

/// The cost of a solve is half the sum of squares, as Ceres has it.
#[test]
fn the_cost_is_half_the_sum_of_squares() {
    let mut residuals = CompiledResiduals::compile(&[1.0, 2.0], |x| vec![x[0] - 5.0, x[1] - 3.0]).unwrap();
    assert_eq!(residuals.evaluate(&[1.0, 2.0]).unwrap(), [-4.0, -1.0]);
    let report = residuals.solve(&SolverOptions::default()).unwrap();
    assert_eq!(report.initial_cost, 0.5 * 17.0);
    assert!(report.termination.is_converged());
    assert!((residuals.parameters()[0] - 5.0).abs() < 1e-4 && (residuals.parameters()[1] - 3.0).abs() < 1e-4);
}

#[test]
fn sums_gather_gradients_of_all_residuals() {
    let sum = CompiledResiduals::compile(&[0.0, 0.0], |x| vec![x[0] - 5.0, x[1] - 3.0]).unwrap();
    assert_eq!(sum.evaluate_sum_with_gradient(&[2.0, 3.0]).unwrap(), (-3.0, vec![1.0, 1.0]));

    let hundred = |x: &[Value]| (0..100).map(|_| (x[0] - 2.0).square() + (x[1] - 1.0).square()).collect();
    let hundred = CompiledResiduals::compile(&[0.0, 0.0], hundred).unwrap();
    assert_eq!(hundred.kernels(), 1);
    assert_eq!(hundred.evaluate_sum_with_gradient(&[2.0, 1.0]).unwrap(), (0.0, vec![0.0, 0.0]));
    assert_eq!(hundred.evaluate_sum_with_gradient(&[3.0, 1.0]).unwrap(), (100.0, vec![200.0, 0.0]));

    let one = CompiledResiduals::compile(&[1.0], |x| vec![x[0].sin()]).unwrap();
    let (values, jacobian) = one.evaluate_dense(&[0.3]).unwrap();
    assert_eq!(one.evaluate_sum_with_gradient(&[0.3]).unwrap(), (values[0], jacobian[0].clone()));
}

#[test]
fn an_unused_parameter_has_no_gradient_and_keeps_its_number() {
    let mut residuals = CompiledResiduals::compile(&[7.0, 10.0], |x| vec![x[0] - 3.0]).unwrap();
    assert_eq!(residuals.evaluate_sum_with_gradient(&[7.0, 10.0]).unwrap().1, [1.0, 0.0]);
    let report = residuals.solve(&SolverOptions::default()).unwrap();
    assert!(report.termination.is_converged());
    assert!((residuals.parameters()[0] - 3.0).abs() < 1e-9);
    // QR of J with a column of zeros leaves rounding in it.
    assert!((residuals.parameters()[1] - 10.0).abs() < 1e-9);
}

/// 32 of the prior implementation's behaviours: the distance at (0, 0), (3, 4) with target 5.
#[test]
fn the_distance_residual() {
    let distance = |x: &[Value]| vec![((x[2] - x[0]).square() + (x[3] - x[1]).square()).sqrt() - 5.0];
    let point = [0.0, 0.0, 3.0, 4.0];
    let (values, jacobian) = CompiledResiduals::compile(&point, distance).unwrap().evaluate_dense(&point).unwrap();
    assert_eq!(values, [0.0]);
    for (found, expected) in jacobian[0].iter().zip([-0.6, -0.8, 0.6, 0.8]) {
        assert!((found - expected).abs() < 1e-10);
    }
}

#[test]
fn compiling_moves_nothing_and_leaves_nothing_behind() {
    let before = Value::live_nodes();
    let squares = CompiledResiduals::compile(&[1.0, 2.0, 3.0], |x| x.iter().map(|x| x.square()).collect()).unwrap();
    assert_eq!(squares.parameters(), [1.0, 2.0, 3.0]);
    assert_eq!(squares.evaluate_sum_with_gradient(&[1.0, 2.0, 3.0]).unwrap().0, 14.0);
    squares.evaluate(&[9.0, 9.0, 9.0]).unwrap();
    assert_eq!(squares.parameters(), [1.0, 2.0, 3.0], "evaluating elsewhere does not move them either");
    assert_eq!(Value::live_nodes(), before);
}

/// The slope of eˣ + e⁻ˣ − 2 and of Beale's function at hand-made points: what a first-order method would be fed.
#[test]
fn gradients_of_objectives() {
    let cosh = CompiledResiduals::compile(&[2.0], |x| vec![x[0].exp() + (-x[0]).exp() - 2.0]).unwrap();
    assert_eq!(cosh.evaluate_sum_with_gradient(&[0.0]).unwrap(), (0.0, vec![0.0]));

    let beale = |x: &[Value]| -> Vec<Value> {
        [1.5, 2.25, 2.625].iter().zip(1..).map(|(&y, n)| (y - x[0] * (1.0 - x[1].powi(n))).square()).collect()
    };
    let beale = CompiledResiduals::compile(&[1.0, 1.0], beale).unwrap();
    assert_eq!(beale.evaluate_sum_with_gradient(&[3.0, 0.5]).unwrap(), (0.0, vec![0.0, 0.0]));
    assert_eq!(beale.evaluate_sum_with_gradient(&[1.0, 1.0]).unwrap().0, 14.203125);
    assert_eq!(beale.evaluate_sum_with_gradient(&[1.0, 1.0]).unwrap().1, [0.0, 27.75]);
}

#[test]
fn solving_by_function() {
    let rosenbrock = |x: &[Value]| vec![1.0 - x[0], 10.0 * (x[1] - x[0].square())];
    for start in [[0.5, 0.5], [-1.2, 1.0], [-1.5, 2.5]] {
        let mut residuals = CompiledResiduals::compile(&start, rosenbrock).unwrap();
        let report = residuals.solve(&SolverOptions::default()).unwrap();
        assert!(report.termination.is_converged(), "{report}");
        assert!(residuals.parameters().iter().all(|x| (x - 1.0).abs() < 1e-6), "{start:?}");
    }

    let mut many =
        CompiledResiduals::compile(&[0.0; 10], |x| x.iter().enumerate().map(|(k, &x)| x - k as f64).collect()).unwrap();
    many.solve(&SolverOptions::default()).unwrap();
    assert!(many.parameters().iter().enumerate().all(|(k, x)| (x - k as f64).abs() < 1e-5));
}

#[test]
fn retracing_takes_the_branch_of_the_new_point() {
    let branch = |x: &[Value]| vec![if x[0] > 0.0 { x[0].square() } else { x[0] * 3.0 }];
    let mut residuals = CompiledResiduals::compile(&[2.0], branch).unwrap();
    assert_eq!(residuals.evaluate(&[-2.0]).unwrap(), [4.0], "the branch was taken at 2");
    residuals.retrace(&[-2.0], branch).unwrap();
    assert_eq!(residuals.evaluate(&[-2.0]).unwrap(), [-6.0]);
    assert_eq!(residuals.parameters(), [-2.0]);
}

#[test]
fn a_retrace_that_fails_changes_nothing() {
    let mut residuals = CompiledResiduals::compile(&[2.0], |x| vec![x[0].square()]).unwrap();
    let error = residuals.retrace(&[3.0], |x| vec![x[0], x[0] * 2.0]).unwrap_err();
    assert_eq!(error, ProblemError::ResidualCount { residual_block: 0, expected: 1, found: 2 });
    let error = residuals.retrace(&[3.0, 4.0], |x| vec![x[0]]).unwrap_err();
    assert_eq!(error, ProblemError::ParameterCount { expected: 1, found: 2 });
    let error = residuals.retrace(&[f64::NAN], |x| vec![x[0]]).unwrap_err();
    assert!(matches!(error, ProblemError::NonFiniteParameter { block: 0, .. }), "{error}");
    assert!(residuals.retrace(&[3.0], |_| vec![]).is_err());
    assert_eq!((residuals.parameters(), residuals.evaluate(&[5.0]).unwrap()), (&[2.0][..], vec![25.0]));
}

#[test]
fn vectors_of_the_wrong_length_are_refused() {
    let residuals = CompiledResiduals::compile(&[1.0, 2.0], three).unwrap();
    for x in [&[1.0][..], &[1.0, 2.0, 3.0], &[]] {
        let wanted = ProblemError::ParameterCount { expected: 2, found: x.len() };
        assert_eq!(residuals.evaluate(x).unwrap_err(), wanted);
        assert_eq!(residuals.evaluate_dense(x).unwrap_err(), wanted);
        assert_eq!(residuals.evaluate_sparse(x).unwrap_err(), wanted);
        assert_eq!(residuals.evaluate_sum_with_gradient(x).unwrap_err(), wanted);
    }
}

#[test]
fn functions_that_cannot_be_compiled() {
    let error = |result: Result<CompiledResiduals, ProblemError>| result.err().expect("should be refused");
    assert_eq!(error(CompiledResiduals::compile(&[1.0], |_| vec![])), ProblemError::NoResidual { residual_block: 0 });
    let constant = CompiledResiduals::compile(&[1.0], |x| vec![x[0], Value::constant(3.0)]);
    assert_eq!(error(constant), ProblemError::NoBlock { residual_block: 1 });
    assert!(matches!(error(CompiledResiduals::compile(&[], |_| vec![Value::ONE])), ProblemError::NoBlock { .. }));
    let infinite = CompiledResiduals::compile(&[1.0, f64::INFINITY], |x| vec![x[0]]);
    assert!(matches!(error(infinite), ProblemError::NonFiniteParameter { block: 1, .. }));
    let outside = Value::variable(1.0);
    let captured = CompiledResiduals::compile(&[1.0], |x| vec![x[0] * outside]);
    assert!(matches!(error(captured), ProblemError::Value { .. }));
}

/// A graph shared by thousands of residuals costs its nodes once each residual that uses them, not once each residual.
#[test]
fn many_residuals_of_many_parameters() {
    let count = 20_000;
    let start: Vec<f64> = (0..count).map(|k| f64::from(k % 7)).collect();
    let chain = |x: &[Value]| x.windows(2).map(|w| (w[1] - w[0]).square()).collect();
    let residuals = CompiledResiduals::compile(&start, chain).unwrap();
    assert_eq!((residuals.len(), residuals.kernels()), (count as usize - 1, 1));
    let values = residuals.evaluate(&start).unwrap();
    assert_eq!(values[..7], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 36.0]);
}
