use isograd::*;
#[test]
fn rosenbrock() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[p], |x| [1.0 - x[0][0], 10.0 * (x[0][1] - x[0][0] * x[0][0])]).unwrap();
    let report = problem.solve(&SolverOptions::default()).unwrap();
    println!("{}\n{report}", report.iteration_table());
    let c = problem.compile().unwrap();
    println!("{}\n{}", c.groups[0].kernel.topology.expression, c.groups[0].kernel.linearization);
    assert!((problem.parameter_block(p)[0] - 1.0).abs() < 1e-6);
}
