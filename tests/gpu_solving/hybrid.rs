//! Groups that a device cannot take, and linear solvers that it has not: the rest is still evaluated there.

use super::{chain, cost, of_block, on, precisions, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::GpuContext;
use isograd::io::read_bal;
use isograd::models::BundleProblem;
use isograd::{Backend, LinearSolverKind, Precision, Problem, SolverOptions, SolverReport};
use std::ops::ControlFlow;

pub const TESTS: &[Test] = &[
    ("hybrid::direct_linear_solvers", direct_linear_solvers),
    ("hybrid::few_unknowns", few_unknowns),
    ("hybrid::a_program_too_long", a_program_too_long),
    ("hybrid::a_constant_out_of_range", a_constant_out_of_range),
    ("hybrid::nothing_for_the_device", nothing_for_the_device),
    ("hybrid::a_device_lost_midway", a_device_lost_midway),
];

/// A chain with one residual of thousands of operations in it.
fn with_a_long_program() -> Problem {
    let mut problem = chain(20);
    let block = problem.add_parameter_block(&[0.4, 0.9]).unwrap();
    let long = problem
        .add_residual(&[block], |x| {
            let mut value = x[0][0];
            for k in 0..2500 {
                value = 0.5 * (value + x[0][1] * f64::from(k)).sin() + 0.1 * value;
            }
            [value, x[0][0] - 0.5, x[0][1] - 1.0]
        })
        .unwrap();
    problem.set_name(long..long + 1, "long");
    problem
}

/// What every hybrid report says.
fn check(context: &GpuContext, problem: &Problem, report: &SolverReport) {
    assert_eq!(report.backend.backend, Backend::Gpu, "{report}");
    assert!(
        report.backend.device.starts_with(&context.info().name) && report.backend.device.contains("CPU"),
        "{report}"
    );
    assert!(report.notes[0].starts_with(&format!("evaluated on {}: group", context.info().name)), "{report}");
    let device = report.device.as_ref().unwrap();
    assert!(device.dispatches > 0 && device.bytes_down > 0 && device.memory_bytes > 0);
    assert_eq!(report.final_cost, cost(problem, problem.parameters().values()));
    let (text, json) = (report.to_string(), serde_json::to_value(report).unwrap());
    for (k, note) in report.notes.iter().enumerate() {
        assert!(text.contains(note));
        assert_eq!(json["notes"][k], *note);
    }
}

fn direct_linear_solvers(context: &GpuContext) {
    use LinearSolverKind::{DenseCholesky, DenseQr, SparseCholesky};
    for linear_solver in [DenseQr, DenseCholesky, SparseCholesky] {
        let options = SolverOptions { linear_solver, ..tight() };
        let mut expected = chain(20);
        let on_cpu = expected.solve(&options).unwrap();
        for precision in precisions(context) {
            let mut problem = chain(20);
            let report = problem.solve(&on(context, precision, &options)).unwrap();
            check(context, &problem, &report);
            assert_eq!(report.precision, precision);
            assert!(
                report.notes.iter().any(|note| note.contains("linear solver asked for runs on the CPU")),
                "{report}"
            );
            assert_eq!(report.initial_cost, on_cpu.initial_cost);
            let tolerance = if precision == Precision::F32 { 1e-5 } else { 1e-9 };
            let relative = (report.final_cost / on_cpu.final_cost - 1.0).abs();
            assert!(relative < tolerance && report.termination.is_converged(), "{precision:?}: {report}");
        }
    }
}

/// A bundle adjustment of 48 unknowns whose optimum is 0: a direct solver gets there, and inexact steps took 200 iterations to 0.014.
fn few_unknowns(context: &GpuContext) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/dubrovnik-3-7-pre.txt");
    let data = read_bal(file).unwrap();
    for precision in precisions(context) {
        let mut problem = BundleProblem::new(&data).unwrap().problem;
        let options = SolverOptions {
            backend: Backend::Gpu,
            precision,
            gpu: Some(context.clone()),
            max_iterations: 200,
            ..tight()
        };
        let report = problem.solve(&options).unwrap();
        check(context, &problem, &report);
        let note = "systems of 48 unknowns are solved directly, on the CPU";
        assert!(report.notes.iter().any(|other| other == note), "{report}");
        assert!(report.linear_solver_reason.contains("48 unknowns"), "{report}");
        let most = if precision == Precision::F32 { 1e-3 } else { 1e-15 };
        assert!(report.final_cost < most, "{precision:?}: {report}");

        // Asked for, conjugate gradients stay on the device, and what they are not is said.
        let options = SolverOptions { linear_solver: LinearSolverKind::IterativeSchur, max_iterations: 3, ..options };
        let mut problem = BundleProblem::new(&data).unwrap().problem;
        let report = problem.solve(&options).unwrap();
        assert_eq!(report.backend.device, context.info().name, "{report}");
        assert!(report.linear_solver_reason.starts_with("asked for was a Schur complement, but"), "{report}");
    }
}

fn a_program_too_long(context: &GpuContext) {
    let mut expected = with_a_long_program();
    let on_cpu = expected.solve(&tight()).unwrap();
    for precision in precisions(context) {
        let mut problem = with_a_long_program();
        let report = problem.solve(&on(context, precision, &tight())).unwrap();
        check(context, &problem, &report);
        let note = &report.notes[1];
        assert!(note.contains("(\"long\") runs on the CPU: its") && note.contains("operations"), "{note}");
        let tolerance = if precision == Precision::F32 { 1e-4 } else { 1e-6 };
        assert!((report.final_cost / on_cpu.final_cost - 1.0).abs() < tolerance, "{precision:?}: {report}\n{on_cpu}");
    }
}

fn a_constant_out_of_range(context: &GpuContext) {
    let state = || {
        let mut problem = chain(10);
        let block = problem.add_parameter_block(&[1.5]).unwrap();
        problem.add_residual(&[block], |x| (1e60 * x[0][0].exp()).ln() - 138.0).unwrap();
        problem.add_residual(&[block], |x| (1e60 * x[0][0].exp()).ln() - 139.0).unwrap();
        problem
    };
    let on_cpu = state().solve(&tight()).unwrap();
    for precision in precisions(context).into_iter().filter(|&precision| precision != Precision::F64) {
        let mut problem = state();
        let report = problem.solve(&on(context, precision, &tight())).unwrap();
        check(context, &problem, &report);
        assert!(report.notes[1].contains("the constant 1e60 is outside the range of"), "{report}");
        assert!((report.final_cost / on_cpu.final_cost - 1.0).abs() < 1e-5, "{precision:?}: {report}");
    }
}

fn nothing_for_the_device(context: &GpuContext) {
    let mut problem = of_block(&[0.4], |x| {
        let mut value = x[0];
        for k in 0..4000 {
            value = 0.5 * (value + f64::from(k)).sin();
        }
        vec![value, x[0] - 1.0]
    });
    let report = problem.solve(&on(context, Precision::Auto, &SolverOptions::default())).unwrap();
    assert_eq!(report.backend.backend, Backend::Cpu);
    assert!(report.backend.reason.starts_with("no group can run on the GPU: group 0 runs on the CPU: its"), "{report}");
}

/// The device goes, the numbers stay.
fn a_device_lost_midway(context: &GpuContext) {
    let options = SolverOptions { linear_solver: LinearSolverKind::SparseCholesky, ..tight() };
    let on_cpu = chain(20).solve(&options).unwrap();
    let device = GpuContext::new(&isograd::backend::gpu::GpuOptions {
        adapter: Some(context.info().name.clone()),
        ..Default::default()
    })
    .unwrap();
    let mut problem = chain(20);
    let report = problem
        .solve_with(&on(&device, Precision::Auto, &options), |record| {
            if record.iteration == 2 {
                device.inject_loss();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let last = report.notes.last().unwrap();
    assert!(last.contains("from here on everything runs on the CPU") && last.contains("lost"), "{report}");
    assert!(
        (report.final_cost / on_cpu.final_cost - 1.0).abs() < 1e-9 && report.termination.is_converged(),
        "{report}"
    );
}
