//! What is fixed stays.

use super::minimizing::{KINDS, near, noise, tight};
use isograd::{BlockId, Problem, SolverOptions, Value};
use std::ops::ControlFlow;

/// Distances in a strip of points.
pub fn strip(problem: &mut Problem) -> Vec<BlockId> {
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
