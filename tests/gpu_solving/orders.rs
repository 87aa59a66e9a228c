//! Solves of problems whose blocks and instances the device puts in order.

use super::{check_report, cost, on};
use crate::gpu_support::Test;
use crate::scattered_grid::scattered_grid;
use isograd::backend::gpu::{GpuContext, GpuOptions};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{Backend, BlockId, LinearSolverKind, Precision, Problem, SolveError, SolverOptions, SolverReport};
use std::ops::ControlFlow;

pub const TESTS: &[Test] = &[
    ("orders::a_solve_is_the_same_whoever_finds_the_order", a_solve_is_the_same_whoever_finds_the_order),
    ("orders::later_solves_find_what_they_need", later_solves_find_what_they_need),
    ("orders::an_order_that_is_not_found", an_order_that_is_not_found),
    ("orders::a_device_lost_midway", a_device_lost_midway),
    ("orders::what_is_not_finite_is_named", what_is_not_finite_is_named),
];

fn few(context: &GpuContext, precision: Precision, device_order: bool) -> SolverOptions {
    let options = SolverOptions {
        max_iterations: 3,
        max_linear_iterations: 5,
        linear_solver: LinearSolverKind::Pcg,
        device_order: Some(device_order),
        ..SolverOptions::default()
    };
    on(context, precision, &options)
}

fn grid() -> Problem {
    scattered_grid().0
}

/// What a solve came to, times left out. The CPU sums costs in the order of the instances that it has.
fn same(found: (&Problem, &SolverReport), expected: (&Problem, &SolverReport)) {
    assert_eq!(found.0.parameters().values(), expected.0.parameters().values());
    let numbers = |report: &SolverReport| -> Vec<(f64, f64, bool)> {
        report.iterations.iter().map(|record| (record.cost, record.gradient_max_norm, record.accepted)).collect()
    };
    assert_eq!(numbers(found.1), numbers(expected.1));
    for (found, expected) in
        [(found.1.initial_cost, expected.1.initial_cost), (found.1.final_cost, expected.1.final_cost)]
    {
        assert!((found - expected).abs() <= 1e-13 * expected, "{found} and {expected}");
    }
    assert_eq!(found.1.termination, expected.1.termination);
    assert_eq!(found.1.backend.backend, Backend::Gpu, "{}", found.1);
}

fn a_solve_is_the_same_whoever_finds_the_order(context: &GpuContext) {
    for precision in [Precision::F32, Precision::F64] {
        for state in [grid, || MeshProblem::new(Energy::Smooth, &icosphere(6).unwrap()).unwrap().problem] {
            let (mut expected, mut found) = (state(), state());
            let expected_report = expected.solve(&few(context, precision, false)).unwrap();
            assert!(expected_report.final_cost < expected_report.initial_cost);
            let report = found.solve(&few(context, precision, true)).unwrap();
            same((&found, &report), (&expected, &expected_report));
            // The host's tables were left as they were stated.
            assert!(report.problem_bytes < expected_report.problem_bytes);
        }
    }
}

fn later_solves_find_what_they_need(context: &GpuContext) {
    let ((mut expected, blocks), mut found) = (scattered_grid(), grid());
    let start = expected.parameters().values().to_vec();
    for precision in [Precision::F32, Precision::F32, Precision::F64] {
        for problem in [&mut expected, &mut found] {
            restore(problem, &blocks, &start);
        }
        let expected_report = expected.solve(&few(context, precision, false)).unwrap();
        let report = found.solve(&few(context, precision, true)).unwrap();
        same((&found, &report), (&expected, &expected_report));
    }
    // The CPU puts it in order itself.
    let on_cpu = SolverOptions { backend: Backend::Cpu, ..few(context, Precision::F64, true) };
    let mut fresh = grid();
    for problem in [&mut fresh, &mut found] {
        restore(problem, &blocks, &start);
        problem.solve(&on_cpu).unwrap();
    }
    assert_eq!(found.parameters().values(), fresh.parameters().values());
}

fn restore(problem: &mut Problem, blocks: &[BlockId], start: &[f64]) {
    for (&block, &number) in blocks.iter().zip(start) {
        problem.set_parameter_block(block, &[number]).unwrap();
    }
}

/// Regions of a chain reach too far.
fn an_order_that_is_not_found(context: &GpuContext) {
    let (mut expected, mut found) = (super::chain(20_000), super::chain(20_000));
    let start = found.parameters().values().to_vec();
    let expected_report = expected.solve(&few(context, Precision::F32, false)).unwrap();
    let report = found.solve(&few(context, Precision::F32, true)).unwrap();
    same((&found, &report), (&expected, &expected_report));
    // Then the host did.
    check_report(&found, &report, &start);
}

fn a_device_lost_midway(context: &GpuContext) {
    let options = GpuOptions { adapter: Some(context.info().name.clone()), ..GpuOptions::default() };
    let device = GpuContext::new(&options).unwrap();
    let mut problem = grid();
    let report = problem
        .solve_with(&few(&device, Precision::F64, true), |record| {
            if record.iteration == 1 {
                device.inject_loss();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(report.backend.backend, Backend::Cpu);
    assert!(report.backend.reason.contains("from iteration 1"), "{report}");
    assert!(report.final_cost < report.iterations[1].cost, "{report}");
    let (found, expected) = (report.final_cost, cost(&problem, problem.parameters().values()));
    assert!((found - expected).abs() <= 1e-13 * expected, "{found} and {expected}");
}

fn what_is_not_finite_is_named(context: &GpuContext) {
    let named = |device_order: bool| {
        let (mut problem, blocks) = scattered_grid();
        problem.set_parameter_block(blocks[9000], &[-1.0]).unwrap();
        let error = problem.solve(&few(context, Precision::F32, device_order)).unwrap_err();
        assert_eq!(problem.parameters().values()[9000], -1.0);
        match error {
            SolveError::NonFinite { residual, .. } => residual.residual_block,
            other => panic!("{other}"),
        }
    };
    assert_eq!(named(true), named(false));
}
