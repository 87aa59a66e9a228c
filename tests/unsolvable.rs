//! Solves that cannot begin, and points that do not fit.

mod soundness;

use isograd::{Backend, BlockId, Problem, ProblemError, SolveError, SolverOptions, Value};
use soundness::{says, sound};

#[test]
fn nothing_to_solve() {
    let error = Problem::new().solve(&SolverOptions::default()).unwrap_err();
    assert_eq!(error, SolveError::Problem(ProblemError::Empty { what: "parameters" }));
    let mut problem = Problem::new();
    problem.add_parameter_block(&[1.0]).unwrap();
    let error = problem.solve(&SolverOptions::default()).unwrap_err();
    assert_eq!(error, SolveError::Problem(ProblemError::Empty { what: "residuals" }));
    says(&error, &["no residuals"]);
    assert_eq!(problem.compile().unwrap_err(), ProblemError::Empty { what: "residuals" });
}

#[test]
fn a_start_that_is_not_finite_names_residual_group_and_operation() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[4.0, 1.0, -1e-18, 9.0]).unwrap();
    problem.add_residual(&[blocks[0]], |x| x[0][0] - 1.0).unwrap();
    let named = problem.residual_blocks();
    for &block in &blocks {
        problem.add_residual(&[block], |x| x[0][0].sqrt() - 2.0).unwrap();
    }
    problem.set_name(named..problem.residual_blocks(), "edge length");
    let before = problem.parameters().values().to_vec();
    let error = problem.solve(&SolverOptions::default()).unwrap_err();
    let SolveError::NonFinite { iterations: 0, residual } = &error else { panic!("{error}") };
    assert_eq!((residual.group, residual.instance, residual.residual_block), (1, 2, 3));
    assert_eq!(residual.name.as_deref(), Some("edge length"));
    says(&error, &["residual group 1 (\"edge length\")", "instance 2", "residual block 3", "sqrt of -1e-18", "a ≥ 0"]);
    assert_eq!(problem.parameters().values(), before);
    // Put right, it solves.
    problem.set_parameter_block(blocks[2], &[1.0]).unwrap();
    assert!(problem.solve(&SolverOptions::default()).unwrap().termination.is_converged());
}

#[test]
fn a_derivative_that_is_not_finite_is_found_too() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[4.0, 0.0]).unwrap();
    for &block in &blocks {
        problem.add_residual(&[block], |x| x[0][0].sqrt() - 2.0).unwrap();
    }
    let error = problem.solve(&SolverOptions::default()).unwrap_err();
    let SolveError::NonFinite { residual, .. } = &error else { panic!("{error}") };
    assert_eq!((residual.group, residual.instance), (0, 1));
    says(&error, &["in the derivative", "instance 1"]);
}

#[test]
fn constants_that_are_not_finite_are_found_at_the_start() {
    let (mut problem, blocks) = sound();
    problem.add_residual(&[blocks[0]], |x| x[0][0] * f64::NAN).unwrap();
    assert!(matches!(problem.solve(&SolverOptions::default()), Err(SolveError::NonFinite { .. })));
    // In a template a NaN is a constant like any other, although it is not equal to itself.
    let (mut problem, blocks) = sound();
    let rows: Vec<[BlockId; 1]> = blocks.iter().map(|&b| [b]).collect();
    problem.add_residual_batch(&rows, &(), |x, _| x[0][0] * f64::NAN).unwrap();
    let error = problem.solve(&SolverOptions::default()).unwrap_err();
    let SolveError::NonFinite { residual, .. } = &error else { panic!("{error}") };
    assert_eq!(residual.residual_block, 3);
    // An operation on constants keeps its name.
    let (mut problem, blocks) = sound();
    problem.add_residual(&[blocks[0]], |x| x[0][0] * Value::constant(-1.0).ln()).unwrap();
    says(&problem.solve(&SolverOptions::default()).unwrap_err(), &["ln of -1", "a > 0"]);
}

#[test]
fn options_out_of_range() {
    type Set = fn(&mut SolverOptions, f64);
    let set: [(&str, Set); 9] = [
        ("function_tolerance", |o, v| o.function_tolerance = v),
        ("gradient_tolerance", |o, v| o.gradient_tolerance = v),
        ("parameter_tolerance", |o, v| o.parameter_tolerance = v),
        ("min_gain_ratio", |o, v| o.min_gain_ratio = v),
        ("min_diagonal", |o, v| o.min_diagonal = v),
        ("initial_trust_region_radius", |o, v| o.initial_trust_region_radius = v),
        ("max_trust_region_radius", |o, v| o.max_trust_region_radius = v),
        ("max_diagonal", |o, v| o.max_diagonal = v),
        ("forcing", |o, v| o.forcing = v),
    ];
    for (name, set) in set {
        for bad in [f64::NAN, -1.0] {
            let (mut problem, _) = sound();
            let mut options = SolverOptions::default();
            set(&mut options, bad);
            let error = problem.solve(&options).unwrap_err();
            assert!(matches!(error, SolveError::Option { option, .. } if option == name), "{error}");
            says(&error, &[name, &bad.to_string()]);
        }
    }
}

#[test]
fn a_backend_that_is_not_there() {
    let (mut problem, _) = sound();
    let before = problem.parameters().values().to_vec();
    let options = SolverOptions { backend: Backend::Gpu, ..SolverOptions::default() };
    match problem.solve(&options) {
        Err(SolveError::Backend(error)) => {
            assert_eq!(error.backend, Backend::Gpu);
            says(&error, &["Gpu", "Backend::Cpu"]);
            assert_eq!(problem.parameters().values(), before);
        }
        // A build with a GPU backend, on a machine that has one.
        Ok(report) => assert_eq!(report.backend.backend, Backend::Gpu),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_point_of_the_wrong_length() {
    let (problem, _) = sound();
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    let wanted = ProblemError::ParameterCount { expected: 4, found: 3 };
    assert_eq!(compiled.evaluate_residuals(&[0.0; 3], &mut evaluation).unwrap_err(), wanted);
    assert_eq!(compiled.linearize(&[0.0; 3], &mut evaluation).unwrap_err(), wanted);
    says(&wanted, &["3 parameters", "there are 4"]);
}
