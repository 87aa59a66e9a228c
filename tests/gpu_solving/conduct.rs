//! How the solver on a device behaves: limits, callbacks, what is fixed, reports.

use super::{chain, check_report, noise, of_block, on, precisions, rosenbrock, solve, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::{GpuContext, GpuOptions};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{Backend, IterationRecord, LinearSolverKind, Precision, Problem, SolverOptions, Termination};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("conduct::few_iterations", few_iterations),
    ("conduct::time_limit_and_flag", time_limit_and_flag),
    ("conduct::the_callback_sees_every_record", the_callback_sees_every_record),
    ("conduct::the_callback_may_stop", the_callback_may_stop),
    ("conduct::large_points_stop_at_an_accepted_one", large_points_stop_at_an_accepted_one),
    ("conduct::tolerances", tolerances),
    ("conduct::fixed_blocks_and_components_do_not_move", fixed_blocks_and_components_do_not_move),
    ("conduct::everything_fixed", everything_fixed),
    ("conduct::a_block_that_nothing_reads", a_block_that_nothing_reads),
    ("conduct::the_same_bits_every_time", the_same_bits_every_time),
    ("conduct::the_second_solve_compiles_nothing", the_second_solve_compiles_nothing),
    ("conduct::a_second_solve_uploads_the_point_alone", a_second_solve_uploads_the_point_alone),
    ("conduct::stages_are_timed", stages_are_timed),
    ("conduct::options_at_their_limits", options_at_their_limits),
];

fn few_iterations(context: &GpuContext) {
    for precision in precisions(context) {
        for max_iterations in [0, 1, 2, 5] {
            let mut problem = rosenbrock();
            let options = SolverOptions { max_iterations, ..SolverOptions::default() };
            let report = solve(context, &mut problem, &on(context, precision, &options));
            assert_eq!(report.termination, Termination::MaxIterations, "{report}");
            assert_eq!(report.iteration_count(), max_iterations);
            if max_iterations == 0 {
                assert_eq!(problem.parameters().values(), [-1.2, 1.0]);
            }
        }
    }
}

fn time_limit_and_flag(context: &GpuContext) {
    let defaults = on(context, Precision::Auto, &SolverOptions::default());
    let mut problem = rosenbrock();
    let options = SolverOptions { max_time: Some(Duration::ZERO), ..defaults.clone() };
    let report = solve(context, &mut problem, &options);
    assert_eq!((report.termination, report.iteration_count()), (Termination::TimeLimit, 0));
    assert_eq!(problem.parameters().values(), [-1.2, 1.0]);

    let flag = Arc::new(AtomicBool::new(true));
    let options = SolverOptions { cancel: Some(flag.clone()), ..defaults };
    let report = solve(context, &mut problem, &options);
    assert_eq!((report.termination, report.iteration_count()), (Termination::Cancelled, 0));
    assert_eq!(problem.parameters().values(), [-1.2, 1.0]);

    // Set midway, here by the callback.
    flag.store(false, Ordering::Relaxed);
    let report = problem
        .solve_with(&options, |record| {
            flag.store(record.iteration == 3, Ordering::Relaxed);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((report.termination, report.iteration_count()), (Termination::Cancelled, 3), "{report}");
    check_report(&problem, &report, &[-1.2, 1.0]);
}

fn the_callback_sees_every_record(context: &GpuContext) {
    for precision in precisions(context) {
        let mut problem = rosenbrock();
        let mut seen: Vec<IterationRecord> = Vec::new();
        let options = on(context, precision, &SolverOptions { function_tolerance: 1e-12, ..SolverOptions::default() });
        let report = problem
            .solve_with(&options, |record| {
                seen.push(record.clone());
                ControlFlow::Continue(())
            })
            .unwrap();
        check_report(&problem, &report, &[-1.2, 1.0]);
        assert_eq!(seen, report.iterations);
        assert!(seen[1..].iter().any(|record| !record.accepted), "Rosenbrock's valley makes steps fail");
        for pair in seen.windows(2) {
            let (before, record) = (&pair[0], &pair[1]);
            assert!(record.step_norm > 0.0 && record.linear_iterations > 0);
            let lower = record.cost < before.cost && record.gain_ratio > 0.0 && record.cost_change > 0.0;
            let shorter = record.trust_region_radius < before.trust_region_radius;
            assert!(if record.accepted { lower } else { shorter }, "{}", report.iteration_table());
        }
        assert!((seen[0].cost - 12.1).abs() < 1e-5, "half of 4.4² + 2.2²");
    }
}

/// It is not called again, and the parameters are where its last record says.
fn the_callback_may_stop(context: &GpuContext) {
    for precision in precisions(context) {
        for stop_at in [0, 1, 4, 7] {
            let mut problem = rosenbrock();
            let mut calls = 0;
            let report = problem
                .solve_with(&on(context, precision, &SolverOptions::default()), |record| {
                    calls += 1;
                    if record.iteration == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })
                .unwrap();
            assert_eq!((report.termination, report.iteration_count()), (Termination::Cancelled, stop_at), "{report}");
            assert_eq!(calls, stop_at + 1);
            assert!(report.message.contains("callback"));
            check_report(&problem, &report, &[-1.2, 1.0]);
            let last = report.iterations.last().unwrap().cost;
            let tolerance = if precision == Precision::F32 { 1e-4 } else { 1e-12 };
            assert!(
                (last / report.final_cost - 1.0).abs() < tolerance,
                "{precision:?}: {last} and {}",
                report.final_cost
            );
        }
    }
}

/// A point too large to be read back after every step: the step under way counts, without the callback.
fn large_points_stop_at_an_accepted_one(context: &GpuContext) {
    let mut problem = Problem::new();
    let start: Vec<f64> = (0..140_000).map(|k| 1.0 + 1e-5 * f64::from(k)).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    let rows: Vec<_> = blocks.iter().map(|&block| [block]).collect();
    problem.add_residual_batch(&rows, &(), |x, _| x[0][0].square() - 2.0).unwrap();
    let mut calls = 0;
    let report = problem
        .solve_with(&on(context, Precision::Auto, &SolverOptions::default()), |record| {
            calls += 1;
            if record.iteration == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!((report.termination, calls), (Termination::Cancelled, 2), "{report}");
    assert!((1..=2).contains(&report.iteration_count()), "{}", report.iteration_table());
    check_report(&problem, &report, &start);
    let last = report.iterations.last().unwrap().cost;
    assert!((last / report.final_cost - 1.0).abs() < 1e-9, "{last} and {}", report.final_cost);
}

fn tolerances(context: &GpuContext) {
    let never = SolverOptions {
        function_tolerance: 0.0,
        gradient_tolerance: 0.0,
        parameter_tolerance: 0.0,
        ..SolverOptions::default()
    };
    for (options, expected) in [
        (SolverOptions { function_tolerance: 1e-3, ..never.clone() }, Termination::FunctionTolerance),
        (SolverOptions { gradient_tolerance: 1e-1, ..never.clone() }, Termination::GradientTolerance),
        (SolverOptions { parameter_tolerance: 1e-2, ..never.clone() }, Termination::ParameterTolerance),
        (never, Termination::PrecisionLimit),
    ] {
        for precision in precisions(context) {
            let mut problem = chain(20);
            let report = solve(context, &mut problem, &on(context, precision, &options));
            assert_eq!(report.termination, expected, "{precision:?}: {report}\n{}", report.iteration_table());
            assert!(report.message.starts_with(expected.describe()));
        }
    }
    // Already there.
    let mut problem = of_block(&[2.0], |x| vec![x[0] - 2.0]);
    let report = solve(context, &mut problem, &on(context, Precision::Auto, &SolverOptions::default()));
    assert_eq!((report.termination, report.iteration_count()), (Termination::GradientTolerance, 0));
    assert_eq!(problem.parameters().values(), [2.0]);
}

fn fixed_blocks_and_components_do_not_move(context: &GpuContext) {
    for precision in precisions(context) {
        let mut problem = chain(8);
        let blocks: Vec<_> = problem.add_parameter_blocks(3, &[]).unwrap();
        assert!(blocks.is_empty());
        let start = problem.parameters().values().to_vec();
        let mut other = Problem::new();
        let ids = other.add_parameter_blocks(3, &start).unwrap();
        problem.fix(ids[0]).unwrap();
        problem.fix(ids[5]).unwrap();
        for (block, component) in [(2, 1), (7, 0), (7, 2)] {
            problem.fix_component(ids[block], component).unwrap();
        }
        let fixed = |k: usize| [0, 1, 2, 15, 16, 17, 7, 21, 23].contains(&k);
        let report = solve(context, &mut problem, &on(context, precision, &tight()));
        assert_eq!((report.parameters, report.parameter_blocks), ((24, 24 - 9), (8, 6)));
        for (k, (before, after)) in start.iter().zip(problem.parameters().values()).enumerate() {
            assert_eq!(before == after, fixed(k), "{precision:?}: parameter {k} went from {before} to {after}");
        }
    }
}

fn everything_fixed(context: &GpuContext) {
    let mut problem = Problem::new();
    let block = problem.add_parameter_block(&[0.0]).unwrap();
    problem.add_residual(&[block], |x| x[0][0] - 1.0).unwrap();
    problem.fix(block).unwrap();
    let options = on(context, Precision::Auto, &SolverOptions::default());
    let report = problem.solve(&options).unwrap();
    assert!(report.termination.is_converged(), "{report}");
    assert_eq!((report.iteration_count(), report.final_cost), (0, 0.5));
    assert_eq!((report.backend.backend, &*report.backend.reason), (Backend::Cpu, "every parameter is fixed"));
    problem.unfix(block).unwrap();
    solve(context, &mut problem, &options);
    assert!((problem.parameter_block(block)[0] - 1.0).abs() < 1e-9);
}

fn a_block_that_nothing_reads(context: &GpuContext) {
    for precision in precisions(context) {
        let mut problem = Problem::new();
        // Of a size of its own, and of the size of another.
        let lone = problem.add_parameter_block(&[0.1, 0.2, 0.3, 0.7]).unwrap();
        let used = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
        let other = problem.add_parameter_block(&[1.1, 1e-9]).unwrap();
        // One component of it is not read.
        let partly = problem.add_parameter_block(&[0.3, 0.4, 0.5]).unwrap();
        problem.add_residual(&[used], |x| [10.0 * (x[0][1] - x[0][0].square()), 1.0 - x[0][0]]).unwrap();
        problem.add_residual(&[partly], |x| [x[0][0] - 1.0, x[0][2] - 2.0]).unwrap();
        let report = solve(context, &mut problem, &on(context, precision, &tight()));
        assert_eq!(problem.parameter_block(lone), [0.1, 0.2, 0.3, 0.7], "{precision:?}: {report}");
        assert_eq!(problem.parameter_block(other), [1.1, 1e-9]);
        let x = problem.parameter_block(partly);
        assert!((x[0] - 1.0).abs() < 1e-3 && x[1] == 0.4 && (x[2] - 2.0).abs() < 1e-3, "{precision:?}: {x:?}");
        let x = problem.parameter_block(used);
        assert!((x[0] - 1.0).abs() < 1e-2 && (x[1] - 1.0).abs() < 2e-2, "{precision:?}: {x:?}");
    }
}

fn the_same_bits_every_time(context: &GpuContext) {
    let mesh = icosphere(2).unwrap();
    for precision in precisions(context) {
        let run = || {
            let mut problem = MeshProblem::new(Energy::Arap, &mesh).unwrap().problem;
            let options = SolverOptions { max_iterations: 8, ..SolverOptions::default() };
            let report = solve(context, &mut problem, &on(context, precision, &options));
            let costs: Vec<u64> = report.iterations.iter().map(|record| record.cost.to_bits()).collect();
            (costs, problem.parameters().values().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        };
        let first = run();
        for _ in 0..3 {
            assert!(run() == first, "{precision:?}");
        }
    }
}

fn the_second_solve_compiles_nothing(context: &GpuContext) {
    let options = on(context, Precision::F32, &SolverOptions::default());
    let mut problem = chain(30);
    solve(context, &mut problem, &options);
    // Another number of instances is still the same problem to a shader.
    for count in [30, 30, 40] {
        let report = solve(context, &mut chain(count), &options);
        let device = report.device.unwrap();
        assert!(device.kernel_cache_hits > 0);
        // Other tests compile on the same device meanwhile, so ask a problem of our own.
        assert!(count != 30 || device.kernels_compiled == 0 || !alone(), "{device:?}");
    }
}

/// Whether tests run one at a time.
fn alone() -> bool {
    std::env::args().any(|argument| argument == "--test-threads=1")
}

/// As long as nothing but numbers changes, the problem stays on the device.
fn a_second_solve_uploads_the_point_alone(_: &GpuContext) {
    // Other tests upload to the shared one meanwhile.
    let context = &GpuContext::new(&GpuOptions::default()).unwrap();
    let start: Vec<f64> = noise(300).iter().zip(0..).map(|(n, k)| f64::from(k / 3) + 0.4 * n).collect();
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(3, &start).unwrap();
    for pair in blocks.windows(2) {
        problem.add_residual(pair, |x| (x.vector::<3>(1) - x.vector::<3>(0)).norm() - 1.1).unwrap();
    }
    for (k, &block) in blocks.iter().enumerate() {
        problem.add_residual(&[block], |x| [x[0][0] - k as f64, 0.9 * x[0][1], 0.8 * x[0][2]]).unwrap();
    }
    let options = on(context, Precision::F32, &SolverOptions { max_iterations: 4, ..tight() });
    let mut run = |options: &SolverOptions, change: &dyn Fn(&mut Problem)| {
        for (block, numbers) in blocks.iter().zip(start.chunks(3)) {
            problem.set_parameter_block(*block, numbers).unwrap();
        }
        change(&mut problem);
        let report = solve(context, &mut problem, options);
        (report.device.as_ref().unwrap().bytes_up, report.iteration_count(), problem.parameters().values().to_vec())
    };
    let (all, steps, x) = run(&options, &|_| {});
    let (again, same_steps, same_x) = run(&options, &|_| {});
    assert!(again < 8 * start.len() as u64, "{again} bytes");
    assert_eq!((same_steps, same_x), (steps, x.clone()));
    // How many steps to take is a number; another number format, or a parameter that is fixed, is another problem.
    let short = SolverOptions { max_iterations: steps / 2, ..options.clone() };
    let (again, fewer_steps, _) = run(&short, &|_| {});
    assert!(again < 8 * start.len() as u64 && fewer_steps < steps, "{again} bytes, {fewer_steps} steps");
    let pairs = on(context, Precision::DoubleF32, &SolverOptions { max_iterations: 1, ..options.clone() });
    assert!(run(&pairs, &|_| {}).0 > all);
    let (fresh, _, held_x) = run(&options, &|problem| {
        problem.fix(blocks[0]).unwrap();
    });
    assert!(fresh > all / 2, "{fresh} and {all} bytes");
    assert!(held_x[..3] == start[..3] && x[..3] != start[..3] && held_x[3..] != start[3..]);
    let (forgotten, _, same_x) = run(&options, &Problem::forget_compiled);
    assert!(forgotten == fresh && same_x == held_x, "{forgotten} and {fresh} bytes");
}

fn stages_are_timed(context: &GpuContext) {
    let timed = context.features().contains(isograd::backend::gpu::wgpu::Features::TIMESTAMP_QUERY);
    for device_timing in [false, true] {
        let options = SolverOptions { device_timing, max_iterations: 5, ..SolverOptions::default() };
        let report = solve(context, &mut chain(100), &on(context, Precision::F32, &options));
        let stages = &report.device.as_ref().unwrap().stage_times_s;
        let names: Vec<&str> = stages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, if device_timing && timed { &["evaluate", "linear solve"][..] } else { &[] }, "{report}");
        let times = report.times_s;
        assert!(times.device_loop > 0.0 && times.total >= times.device_loop, "{times:?}");
        let measured = device_timing && timed;
        assert_eq!([times.evaluate > 0.0, times.linear_solve > 0.0], [measured; 2], "{times:?}");
        let text = report.to_string();
        assert_eq!(text.contains("Device time by stage"), !measured, "{text}");
        assert!(text.contains("Iterations on the device") && !text.contains("Normal equations"), "{text}");
        assert!(!report.to_string().contains("-0.0"), "{report}");
    }
}

/// Numbers that single precision does not hold, and counts beyond all bounds.
fn options_at_their_limits(context: &GpuContext) {
    let options = SolverOptions {
        max_linear_iterations: usize::MAX,
        max_consecutive_invalid_steps: usize::MAX,
        max_trust_region_radius: f64::MAX,
        max_diagonal: f64::MAX,
        min_diagonal: 0.0,
        linear_solver: LinearSolverKind::Pcg,
        ..SolverOptions::default()
    };
    for precision in precisions(context) {
        let report = solve(context, &mut chain(10), &on(context, precision, &options));
        assert!(report.termination.is_converged(), "{precision:?}: {report}\n{}", report.iteration_table());
    }
}
