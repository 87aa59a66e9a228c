//! Devices that fail, limits that are too small, residuals that cannot be evaluated.

use super::{by_gradients, chain, check_report, cost, of_block, on, precisions, rosenbrock, solve, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::{GpuContext, GpuOptions};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{
    Backend, IterationRecord, LinearSolverKind, Precision, Problem, SolveError, SolverOptions, SolverReport,
    Termination,
};
use std::ops::ControlFlow;

pub const TESTS: &[Test] = &[
    ("failures::a_start_that_is_not_finite", a_start_that_is_not_finite),
    ("failures::trial_steps_that_leave_the_domain", trial_steps_that_leave_the_domain),
    ("failures::no_step_stays_in_the_domain", no_step_stays_in_the_domain),
    ("failures::a_device_lost_before_the_solve", a_device_lost_before_the_solve),
    ("failures::a_device_lost_midway", a_device_lost_midway),
    ("failures::a_device_lost_with_a_large_point", a_device_lost_with_a_large_point),
    ("failures::lost_and_stopped", lost_and_stopped),
    ("failures::the_shared_device_is_replaced", the_shared_device_is_replaced),
    ("failures::a_binding_too_small", a_binding_too_small),
    ("failures::memory_too_small", memory_too_small),
    ("failures::out_of_memory_midway", out_of_memory_midway),
    ("failures::out_of_memory_between_solves", out_of_memory_between_solves),
    ("failures::out_of_memory_beside_the_cpu", out_of_memory_beside_the_cpu),
    ("failures::a_device_of_the_callers_own", a_device_of_the_callers_own),
    ("failures::without_double_precision", without_double_precision),
    ("failures::no_adapter", no_adapter),
    ("failures::auto_leaves_software_alone", auto_leaves_software_alone),
];

fn a_start_that_is_not_finite(context: &GpuContext) {
    for precision in precisions(context) {
        let mut problem = Problem::new();
        let block = problem.add_parameter_block(&[1.0, 0.5]).unwrap();
        let named = problem.add_residual(&[block], |x| x[0][0].ln() + x[0][1]).unwrap();
        problem.set_name(named..named + 1, "logarithm");
        problem.set_parameter_block(block, &[-2.0, 0.5]).unwrap();
        let mut calls = 0;
        let error = problem
            .solve_with(&on(context, precision, &SolverOptions::default()), |_| {
                calls += 1;
                ControlFlow::Continue(())
            })
            .unwrap_err();
        let SolveError::NonFinite { iterations: 0, residual } = error else { panic!("{error}") };
        assert!(residual.name.as_deref() == Some("logarithm") && residual.reason.contains("ln"), "{residual}");
        assert_eq!((problem.parameter_block(block), calls), (&[-2.0, 0.5][..], 0));
    }
}

/// The first steps go where the logarithm is not defined, and are rejected.
fn trial_steps_that_leave_the_domain(context: &GpuContext) {
    let options = SolverOptions { max_consecutive_invalid_steps: 20, ..tight() };
    for precision in precisions(context) {
        let mut problem = of_block(&[20.0], |x| vec![x[0].ln() + 1.0]);
        let report = solve(context, &mut problem, &on(context, precision, &options));
        assert!(report.iterations.iter().any(|record| !record.accepted), "{}", report.iteration_table());
        let x = problem.parameters().values()[0];
        assert!((x / (-1f64).exp() - 1.0).abs() < 1e-4, "{precision:?}: {x}\n{}", report.iteration_table());
    }
}

/// Steps long enough to count for something leave the domain, until there are too many of them.
fn no_step_stays_in_the_domain(context: &GpuContext) {
    for precision in precisions(context) {
        let options = SolverOptions {
            max_consecutive_invalid_steps: 1,
            max_trust_region_radius: 1e30,
            initial_trust_region_radius: 1e30,
            ..tight()
        };
        // Accepted once to somewhere, then wants to go on below 0.
        let mut problem = of_block(&[4.0, 1.0], |x| vec![x[0].sqrt() + 10.0, 0.1 * (x[1] - 3.0)]);
        let report = solve(context, &mut problem, &on(context, precision, &options));
        assert_eq!(
            report.termination,
            Termination::InvalidSteps,
            "{precision:?}: {report}\n{}",
            report.iteration_table()
        );
        assert!(report.message.contains("sqrt"), "{}", report.message);
        let x = problem.parameters().values();
        assert!(x[0] >= 0.0 && cost(&problem, x) == report.final_cost);
    }
}

/// A device of this test's own: losing the shared one would take it from other tests.
fn own_device(context: &GpuContext) -> GpuContext {
    let options = GpuOptions { adapter: Some(context.info().name.clone()), ..GpuOptions::default() };
    GpuContext::new(&options).unwrap()
}

fn a_device_lost_before_the_solve(context: &GpuContext) {
    let device = own_device(context);
    device.inject_loss();
    let mut problem = chain(20);
    let report = problem.solve(&on(&device, Precision::Auto, &tight())).unwrap();
    let mut expected = chain(20);
    let on_cpu = expected.solve(&by_gradients(&tight())).unwrap();
    assert_eq!(report.backend.backend, Backend::Cpu);
    assert!(report.backend.reason.contains("lost") && report.device.is_none(), "{report}");
    assert_eq!((report.final_cost, report.initial_cost), (on_cpu.final_cost, on_cpu.initial_cost));
    assert_eq!(problem.parameters().values(), expected.parameters().values());
}

/// Solves, and loses the device in the callback of an iteration.
fn lose_at(
    device: &GpuContext,
    problem: &mut Problem,
    precision: Precision,
    options: &SolverOptions,
    iteration: usize,
) -> (SolverReport, Vec<IterationRecord>) {
    let mut seen = Vec::new();
    let report = problem
        .solve_with(&on(device, precision, options), |record| {
            seen.push(record.clone());
            if record.iteration == iteration {
                device.inject_loss();
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    (report, seen)
}

fn a_device_lost_midway(context: &GpuContext) {
    let on_cpu = chain(60).solve(&tight()).unwrap();
    for precision in precisions(context) {
        for iteration in [0, 1, 2, 3] {
            let device = own_device(context);
            let mut problem = chain(60);
            let (report, seen) = lose_at(&device, &mut problem, precision, &tight(), iteration);
            let reason = &report.backend.reason;
            assert!(reason.contains("lost") && reason.contains(&format!("from iteration {iteration}")), "{report}");
            assert_eq!(report.backend.backend, Backend::Cpu);
            assert_eq!(seen, report.iterations);
            assert!(seen.iter().enumerate().all(|(k, record)| record.iteration == k));
            assert!(seen.len() > iteration + 1);
            assert_eq!(report.initial_cost, on_cpu.initial_cost);
            assert!(report.termination.is_converged(), "{report}");
            let relative = (report.final_cost / on_cpu.final_cost - 1.0).abs();
            assert!(relative < 1e-6, "{precision:?}: {report}");
            assert_eq!(report.final_cost, cost(&problem, problem.parameters().values()));
        }
    }
}

/// Points that are not read back after every step: what came after the checkpoint is done again.
fn a_device_lost_with_a_large_point(context: &GpuContext) {
    let device = own_device(context);
    let mut problem = Problem::new();
    let start: Vec<f64> = (0..140_000).map(|k| 1.0 + 1e-5 * f64::from(k)).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    let rows: Vec<_> = blocks.iter().map(|&block| [block]).collect();
    problem.add_residual_batch(&rows, &(), |x, _| x[0][0].square() - 2.0).unwrap();
    let (report, _) = lose_at(&device, &mut problem, Precision::Auto, &SolverOptions::default(), 2);
    assert!(report.backend.reason.contains("lost"), "{report}");
    assert!(report.iterations.iter().enumerate().all(|(k, record)| record.iteration == k));
    assert!(report.iterations.windows(2).all(|pair| pair[1].cost <= pair[0].cost), "{}", report.iteration_table());
    assert!(problem.parameters().values().iter().all(|x| (x - 2f64.sqrt()).abs() < 1e-4), "{report}");
}

/// The callback that loses the device also stops the solve.
fn lost_and_stopped(context: &GpuContext) {
    let device = own_device(context);
    let mut problem = rosenbrock();
    let mut calls = 0;
    let report = problem
        .solve_with(&on(&device, Precision::Auto, &SolverOptions::default()), |record| {
            calls += 1;
            if record.iteration < 2 {
                return ControlFlow::Continue(());
            }
            device.inject_loss();
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!((report.termination, report.iteration_count(), calls), (Termination::Cancelled, 2, 3), "{report}");
    check_report(&problem, &report, &[-1.2, 1.0]);
}

/// In a process of its own, for other tests use the shared device.
fn the_shared_device_is_replaced(_: &GpuContext) {
    let output = run_child("replace", &[]);
    assert!(output.contains("replaced"), "{output}");
}

fn a_binding_too_small(context: &GpuContext) {
    let options = GpuOptions {
        adapter: Some(context.info().name.clone()),
        max_binding_bytes: Some(4096),
        ..GpuOptions::default()
    };
    let device = GpuContext::new(&options).unwrap();
    let mut problem = chain(2000);
    let report = problem.solve(&on(&device, Precision::F32, &SolverOptions::default())).unwrap();
    assert_eq!(report.backend.backend, Backend::Cpu);
    let reason = &report.backend.reason;
    let words: Vec<&str> = reason.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    // The buffer and the limit: parameters and their tables are not split.
    assert!(
        reason.contains("cannot take the problem: \"incidence lists with the table of all blocks\" has"),
        "{reason}"
    );
    assert!(words.contains(&"4096"), "{reason}");
    assert!(report.termination.is_converged() && report.device.is_none());
    assert!(report.to_string().contains(reason));
    // What fits still runs there.
    solve(&device, &mut chain(5), &on(&device, Precision::F32, &SolverOptions::default()));
}

/// A device on which all buffers together have at most so many bytes.
fn with_memory(context: &GpuContext, bytes: u64) -> GpuContext {
    let options = GpuOptions {
        adapter: Some(context.info().name.clone()),
        max_memory_bytes: Some(bytes),
        ..GpuOptions::default()
    };
    GpuContext::new(&options).unwrap()
}

fn memory_too_small(context: &GpuContext) {
    let mut expected = chain(20_000);
    let on_cpu = expected.solve(&by_gradients(&SolverOptions::default())).unwrap();
    for precision in precisions(context) {
        let device = with_memory(context, 1 << 20);
        let mut problem = chain(20_000);
        let report = problem.solve(&on(&device, precision, &SolverOptions::default())).unwrap();
        assert_eq!(report.backend.backend, Backend::Cpu);
        assert!(report.backend.reason.contains("cannot take the problem: out of GPU memory: \""), "{report}");
        assert!(report.device.is_none());
        assert_eq!((report.initial_cost, report.final_cost), (on_cpu.initial_cost, on_cpu.final_cost));
        assert_eq!(problem.parameters().values(), expected.parameters().values());
        // Nothing was left behind: what fits still runs there, time and again.
        for _ in 0..3 {
            solve(&device, &mut chain(5), &on(&device, precision, &SolverOptions::default()));
        }
    }
}

/// No memory is left for what is read back.
fn out_of_memory_midway(context: &GpuContext) {
    let on_cpu = chain(60).solve(&tight()).unwrap();
    for precision in precisions(context) {
        for iteration in [0, 1, 2] {
            let device = own_device(context);
            let mut problem = chain(60);
            let mut seen = Vec::new();
            let report = problem
                .solve_with(&on(&device, precision, &tight()), |record| {
                    seen.push(record.clone());
                    if record.iteration == iteration {
                        device.inject_memory_limit(0);
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            let reason = &report.backend.reason;
            assert!(reason.contains("failed, and the CPU went on from iteration"), "{report}");
            assert!(reason.contains("out of GPU memory: \"download\""), "{report}");
            assert_eq!(report.backend.backend, Backend::Cpu);
            assert_eq!(seen, report.iterations);
            assert!(seen.iter().enumerate().all(|(k, record)| record.iteration == k));
            assert!(seen.windows(2).all(|pair| pair[1].cost <= pair[0].cost), "{}", report.iteration_table());
            assert_eq!(report.initial_cost, on_cpu.initial_cost);
            assert!(report.termination.is_converged(), "{report}");
            assert!((report.final_cost / on_cpu.final_cost - 1.0).abs() < 1e-6, "{precision:?}: {report}");
            assert_eq!(report.final_cost, cost(&problem, problem.parameters().values()));
        }
    }
}

/// Buffers are in place, and yet nothing can be read back; then there is memory again.
fn out_of_memory_between_solves(context: &GpuContext) {
    let device = own_device(context);
    let options = on(&device, Precision::Auto, &tight());
    let mut problem = chain(30);
    let first = solve(&device, &mut problem, &options);
    device.inject_memory_limit(0);
    let report = problem.solve(&options).unwrap();
    assert_eq!(report.backend.backend, Backend::Cpu);
    assert!(report.backend.reason.contains("out of GPU memory"), "{report}");
    assert!(report.final_cost <= first.final_cost);
    assert_eq!(report.final_cost, cost(&problem, problem.parameters().values()));
    device.inject_memory_limit(u64::MAX);
    let report = problem.solve(&options).unwrap();
    assert_eq!(report.backend.backend, Backend::Gpu, "{report}");
}

/// Residuals are evaluated on the device, and the rest happens on the CPU, which takes over.
fn out_of_memory_beside_the_cpu(context: &GpuContext) {
    let options = SolverOptions { linear_solver: LinearSolverKind::SparseCholesky, ..tight() };
    let on_cpu = chain(20).solve(&options).unwrap();
    for iteration in [None, Some(2)] {
        let device = own_device(context);
        if iteration.is_none() {
            device.inject_memory_limit(0);
        }
        let mut problem = chain(20);
        let report = problem
            .solve_with(&on(&device, Precision::Auto, &options), |record| {
                if Some(record.iteration) == iteration {
                    device.inject_memory_limit(0);
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        assert!(report.to_string().contains("out of GPU memory"), "{report}");
        assert!((report.final_cost / on_cpu.final_cost - 1.0).abs() < 1e-9, "{report}");
        assert!(report.termination.is_converged(), "{report}");
    }
}

fn a_device_of_the_callers_own(context: &GpuContext) {
    let theirs = own_device(context);
    let (info, device, queue) = (theirs.info().clone(), theirs.device().clone(), theirs.queue().clone());
    let own = GpuContext::from_wgpu(info, device, queue);
    let before = own.statistics().dispatches;
    let report = solve(&own, &mut chain(20), &on(&own, Precision::Auto, &SolverOptions::default()));
    assert!(report.termination.is_converged());
    assert_eq!(own.statistics().dispatches - before, report.device.unwrap().dispatches);
}

fn without_double_precision(context: &GpuContext) {
    let options = GpuOptions {
        adapter: Some(context.info().name.clone()),
        without: isograd::backend::gpu::wgpu::Features::SHADER_F64,
        ..GpuOptions::default()
    };
    let device = GpuContext::new(&options).unwrap();
    let error = chain(5).solve(&on(&device, Precision::F64, &SolverOptions::default())).unwrap_err();
    assert!(matches!(error, SolveError::Backend(_)) && error.to_string().contains("no double precision"), "{error}");
    // Auto takes the CPU for it.
    let options = SolverOptions { fallback_threshold: 0, ..on(&device, Precision::F64, &SolverOptions::default()) };
    let report = chain(5).solve(&SolverOptions { backend: Backend::Auto, ..options }).unwrap();
    assert_eq!(report.backend.backend, Backend::Cpu, "{report}");
    for (precision, used) in [(Precision::Auto, Precision::DoubleF32), (Precision::F32, Precision::F32)] {
        let report = solve(&device, &mut chain(20), &on(&device, precision, &SolverOptions::default()));
        assert_eq!(report.precision, used);
    }
}

fn no_adapter(_: &GpuContext) {
    let output = run_child("no adapter", &[("ISOGRAD_ADAPTER", "no such adapter")]);
    assert!(output.contains("error: the Gpu backend is not available: no GPU adapter named"), "{output}");
    assert!(output.contains("use Backend::Cpu or Backend::Auto"), "{output}");
    assert!(output.contains("auto: no GPU: no GPU adapter named"), "{output}");
}

fn auto_leaves_software_alone(context: &GpuContext) {
    let auto = SolverOptions { backend: Backend::Auto, gpu: Some(context.clone()), ..SolverOptions::default() };
    let report = chain(10).solve(&auto).unwrap();
    assert!(report.backend.backend == Backend::Cpu && report.backend.reason.contains("fewer than"), "{report}");
    // Loose couplings are left to a factorisation on the CPU, on any adapter.
    let small = SolverOptions { fallback_threshold: 0, ..auto };
    let report = chain(10).solve(&small).unwrap();
    assert!(report.backend.reason.contains("a factorisation is cheap"), "{report}");
    // Small systems to its dense solvers.
    let mesh = |level| MeshProblem::new(Energy::Smooth, &icosphere(level).unwrap()).unwrap().problem;
    let report = mesh(1).solve(&small).unwrap();
    assert_eq!(report.backend.backend, Backend::Cpu);
    assert!(report.backend.reason.starts_with("systems of 126 unknowns are solved directly"), "{report}");
    let report = mesh(2).solve(&small).unwrap();
    let expected = if context.is_software() { Backend::Cpu } else { Backend::Gpu };
    assert_eq!(report.backend.backend, expected, "{report}");
    assert!(!context.is_software() || report.backend.reason.contains("software"), "{report}");
}

// ---------------------------------------------------------------------------------------------------------------------
// Processes of their own.

/// Names the part that a child plays.
const PART: &str = "ISOGRAD_TEST_PART";

pub fn is_child() -> bool {
    std::env::var_os(PART).is_some()
}

/// What a child of [`run_child`] does.
pub fn child() {
    match std::env::var(PART).as_deref() {
        Ok("replace") => {
            // Two residuals are worth a device that is open, and not opening one.
            let all_of_it = by_gradients(&SolverOptions::default());
            let auto = SolverOptions { backend: Backend::Auto, fallback_threshold: 1, ..all_of_it.clone() };
            let report = rosenbrock().solve(&auto).unwrap();
            assert!(report.backend.reason.contains("the 4 from which opening a GPU pays"), "{report}");
            let first = GpuContext::shared().unwrap();
            let report = rosenbrock().solve(&auto).unwrap();
            assert!(!report.backend.reason.contains("pays"), "{report}");
            let options = SolverOptions { backend: Backend::Gpu, ..all_of_it };
            let mut problem = rosenbrock();
            let report = problem
                .solve_with(&options, |record| {
                    if record.iteration == 2 {
                        first.inject_loss();
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            assert!(report.backend.backend == Backend::Cpu && report.backend.reason.contains("lost"), "{report}");
            let second = GpuContext::shared().unwrap();
            assert!(first.lost().is_some() && second.lost().is_none());
            let report = rosenbrock().solve(&options).unwrap();
            assert!(report.backend.backend == Backend::Gpu && report.termination.is_converged(), "{report}");
            println!("replaced");
        }
        Ok("no adapter") => {
            let all_of_it = by_gradients(&SolverOptions::default());
            let options = SolverOptions { backend: Backend::Gpu, fallback_threshold: 0, ..all_of_it };
            println!("error: {}", rosenbrock().solve(&options).unwrap_err());
            let report = rosenbrock().solve(&SolverOptions { backend: Backend::Auto, ..options }).unwrap();
            assert!(report.termination.is_converged());
            println!("auto: {}", report.backend.reason);
        }
        part => panic!("no part {part:?}"),
    }
}

/// Runs this program again in another part; returns what it prints.
fn run_child(part: &str, environment: &[(&str, &str)]) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let output = command.env(PART, part).envs(environment.iter().copied()).output().unwrap();
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{text}");
    text
}
