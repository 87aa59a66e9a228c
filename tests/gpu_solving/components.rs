//! Many small problems in one on a device, each minimised by a lane: it ends where the CPU ends.

use super::{on, precisions};
use crate::gpu_support::Test;
use crate::many_problems::{add_arms, add_fits, add_rotations, fits, pairs, targets};
use isograd::backend::gpu::GpuContext;
use isograd::solver::Outcome;
use isograd::{Backend, BlockId, IndependentReport, Precision, Problem, SolverOptions, Termination};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("components::a_thousand_fits", a_thousand_fits),
    ("components::rotations_with_and_without_loss", rotations_with_and_without_loss),
    ("components::arms_reach_for_their_targets", arms_reach_for_their_targets),
    ("components::bounds_and_fixed_components", bounds_and_fixed_components),
    ("components::shapes_mix_and_fixed_blocks_do_not_couple", shapes_mix_and_fixed_blocks_do_not_couple),
    ("components::limits_hold", limits_hold),
    ("components::failures_are_told_as_on_the_cpu", failures_are_told_as_on_the_cpu),
    ("components::what_lanes_cannot_take_goes_to_the_cpu", what_lanes_cannot_take_goes_to_the_cpu),
];

fn options() -> SolverOptions {
    SolverOptions { threads: 2, ..SolverOptions::default() }
}

/// Solves on the device, and checks what every report keeps to.
fn solve(
    context: &GpuContext,
    problem: &mut Problem,
    precision: Precision,
    options: &SolverOptions,
) -> IndependentReport {
    let report = problem.solve_independent(&on(context, precision, options)).unwrap();
    assert_eq!((report.backend.backend, &report.backend.device), (Backend::Gpu, &context.info().name), "{report}");
    assert_eq!(report.precision, precision, "{report}");
    let device = report.device.as_ref().unwrap();
    assert!(device.dispatches > 0 && device.bytes_down > 0 && device.memory_bytes > 0, "{report}");
    assert!(report.components.iter().all(|record| record.final_cost <= record.initial_cost), "{report}");
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.evaluate_objective(problem.parameters().values(), &mut evaluation).unwrap();
    let gap = (report.final_cost - evaluation.cost()).abs();
    assert!(gap <= 1e-12 * evaluation.cost(), "{report} for {}", evaluation.cost());
    report
}

/// The largest difference of two points, relative to 1 and the number itself.
fn gap(a: &Problem, b: &Problem) -> f64 {
    let numbers = a.parameters().values().iter().zip(b.parameters().values());
    numbers.map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max)
}

/// How far points may differ where all digits of a format count.
fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-2,
        Precision::DoubleF32 => 1e-8,
        _ => 1e-10,
    }
}

fn bits(problem: &Problem) -> Vec<u64> {
    problem.parameters().values().iter().map(|x| x.to_bits()).collect()
}

fn a_thousand_fits(context: &GpuContext) {
    let fits = fits(1000);
    let state = || {
        let mut problem = Problem::new();
        add_fits(&mut problem, &fits);
        problem
    };
    let mut expected = state();
    let on_cpu = expected.solve_independent(&options()).unwrap();
    for precision in precisions(context) {
        let mut problem = state();
        let report = solve(context, &mut problem, precision, &options());
        assert_eq!((report.components.len(), report.converged), (1000, 1000), "{report}");
        assert!((report.initial_cost / on_cpu.initial_cost - 1.0).abs() < 1e-14);
        let gap = gap(&problem, &expected);
        assert!(gap <= tolerance(precision), "{precision:?}: {gap:e}\n{report}");
        let records = report.components.iter().zip(&on_cpu.components);
        let alike = records.clone().filter(|(a, b)| a.outcome == b.outcome && a.iterations == b.iterations).count();
        // Single precision ends where the cost is lost in rounding.
        assert!(precision == Precision::F32 || alike >= 995, "{precision:?}: {alike} ended alike");
        for (k, (record, other)) in records.enumerate() {
            assert_eq!(
                (&record.parameter_blocks, &record.residual_blocks),
                (&other.parameter_blocks, &other.residual_blocks)
            );
            let relative = if precision == Precision::F32 { 1e-5 } else { 1e-10 };
            assert!(
                (record.final_cost - other.final_cost).abs() <= relative * other.final_cost,
                "{precision:?}, fit {k}"
            );
        }
        let mut again = state();
        let second = solve(context, &mut again, precision, &options());
        assert_eq!(bits(&again), bits(&problem));
        assert_eq!(second.components, report.components);
    }
}

fn rotations_with_and_without_loss(context: &GpuContext) {
    for robust in [false, true] {
        let pairs = pairs(150);
        let state = || {
            let mut problem = Problem::new();
            add_rotations(&mut problem, &pairs, robust);
            problem
        };
        let mut expected = state();
        let on_cpu = expected.solve_independent(&options()).unwrap();
        for precision in precisions(context) {
            let mut problem = state();
            let report = solve(context, &mut problem, precision, &options());
            assert_eq!(report.converged, on_cpu.converged, "{report}");
            let gap = gap(&problem, &expected);
            assert!(gap <= tolerance(precision), "robust: {robust}, {precision:?}: {gap:e}\n{report}");
            for q in problem.parameters().values().chunks(4) {
                assert!((q.iter().map(|q| q * q).sum::<f64>() - 1.0).abs() < 1e-5, "{q:?}");
            }
        }
    }
}

/// Three joints on rotations with nine angles for three numbers, as in inverse kinematics.
fn arms_reach_for_their_targets(context: &GpuContext) {
    for loss in [false, true] {
        let targets = targets(120);
        let state = || {
            let mut problem = Problem::new();
            add_arms(&mut problem, &targets, loss);
            problem
        };
        let mut expected = state();
        let on_cpu = expected.solve_independent(&options()).unwrap();
        assert_eq!(on_cpu.converged, 120);
        // Kernels of pairs take a software adapter long.
        for precision in precisions(context).into_iter().filter(|&p| p != Precision::DoubleF32 || !loss) {
            let mut problem = state();
            let report = solve(context, &mut problem, precision, &options());
            let worst = report.components.iter().map(|record| record.final_cost).fold(0.0, f64::max);
            let reached = if precision == Precision::F32 { 1e-8 } else { 1e-12 };
            assert!(worst < reached, "{precision:?}: {worst:e}\n{report}");
            // In single precision a cost of nothing but rounding cannot be told from one that could still fall.
            assert!(report.converged == 120 || precision == Precision::F32, "{precision:?}: {report}");
            // Rounding shows in the directions that only damping decides.
            let gap = gap(&problem, &expected);
            assert!(precision == Precision::F32 || gap < 1e-3, "{precision:?}: {gap:e}");
            let alike =
                report.components.iter().zip(&on_cpu.components).filter(|(a, b)| a.outcome == b.outcome).count();
            assert!(precision == Precision::F32 || alike >= 115, "{precision:?}: {alike} of 120 ended alike");
        }
    }
}

fn restrict(problem: &mut Problem, k: usize, block: BlockId) {
    match k % 4 {
        0 => problem.set_bounds(block, 2, -0.1, 0.1).unwrap(),
        1 => problem.fix_component(block, 1).unwrap(),
        2 => problem.set_bounds(block, 0, 0.0, problem.parameter_block(block)[0]).unwrap(),
        _ => {}
    }
}

fn bounds_and_fixed_components(context: &GpuContext) {
    let tight = SolverOptions { function_tolerance: 1e-14, ..options() };
    let fits = fits(40);
    let state = || {
        let mut problem = Problem::new();
        let blocks = add_fits(&mut problem, &fits);
        blocks.iter().enumerate().for_each(|(k, &block)| restrict(&mut problem, k, block));
        (problem, blocks)
    };
    let (mut expected, _) = state();
    expected.solve_independent(&tight).unwrap();
    for precision in precisions(context) {
        let (mut problem, blocks) = state();
        let report = solve(context, &mut problem, precision, &tight);
        assert!(report.converged == 40 || precision == Precision::F32, "{report}");
        let gap = gap(&problem, &expected);
        let allowed = if precision == Precision::F32 { 2e-3 } else { 1e-6 };
        assert!(gap <= allowed, "{precision:?}: {gap:e}\n{report}");
        let mut at_bound = 0;
        for (k, &block) in blocks.iter().enumerate() {
            let numbers = problem.parameter_block(block);
            let on_cpu = expected.parameter_block(block);
            match k % 4 {
                0 => {
                    assert!(numbers[2].abs() <= 0.1);
                    assert_eq!(numbers[2].abs() == 0.1, on_cpu[2].abs() == 0.1, "{precision:?}, fit {k}");
                    at_bound += usize::from(numbers[2].abs() == 0.1);
                }
                1 => assert_eq!(numbers[1], 1.0),
                2 => {
                    assert!(numbers[0] <= fits[k].start[0]);
                    assert_eq!(numbers[0] == fits[k].start[0], on_cpu[0] == fits[k].start[0], "{precision:?}, fit {k}");
                    at_bound += usize::from(numbers[0] == fits[k].start[0]);
                }
                _ => {}
            }
        }
        assert!(at_bound > 3, "{at_bound} bounds were active");
    }
}

fn shapes_mix_and_fixed_blocks_do_not_couple(context: &GpuContext) {
    let state = || {
        let mut problem = Problem::new();
        add_fits(&mut problem, &fits(50));
        let valley = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
        problem.add_residual(&[valley], |x| [1.0 - x[0][0], 10.0 * (x[0][1] - x[0][0].square())]).unwrap();
        let pair = [2.0, 5.0].map(|x| problem.add_parameter_block(&[x]).unwrap());
        for block in pair {
            problem.add_residual(&[block], |x| x[0][0].square() - 4.0).unwrap();
        }
        problem.add_residual(&pair, |x| x[0][0] - x[1][0] + 0.5).unwrap();
        let scale = problem.add_parameter_block(&[2.0]).unwrap();
        problem.fix(scale).unwrap();
        let ends: Vec<BlockId> =
            (0..200).map(|k| problem.add_parameter_block(&[0.1 * f64::from(k)]).unwrap()).collect();
        let rows: Vec<[BlockId; 2]> = ends.iter().map(|&x| [scale, x]).collect();
        let data: Vec<[f64; 1]> = (0..200).map(|k| [f64::from(k)]).collect();
        problem.add_residual_batch(&rows, &data, |x, d| x[0][0] * x[1][0] - d[0]).unwrap();
        problem.add_residual(&[scale], |x| x[0][0] - 5.0).unwrap();
        problem.add_parameter_block(&[3.0]).unwrap();
        problem
    };
    let mut expected = state();
    let on_cpu = expected.solve_independent(&options()).unwrap();
    for precision in precisions(context) {
        let mut problem = state();
        let report = solve(context, &mut problem, precision, &options());
        assert_eq!((report.components.len(), report.converged), (252, 252), "{report}");
        assert_eq!(report.fixed_cost, on_cpu.fixed_cost);
        let gap = gap(&problem, &expected);
        assert!(gap <= if precision == Precision::F32 { 2e-3 } else { 1e-7 }, "{precision:?}: {gap:e}\n{report}");
    }
}

fn limits_hold(context: &GpuContext) {
    for precision in precisions(context) {
        let mut problem = Problem::new();
        add_fits(&mut problem, &fits(100));
        let before = bits(&problem);
        let few = SolverOptions { max_iterations: 2, ..options() };
        let report = solve(context, &mut problem, precision, &few);
        assert!(report.max_iterations == 2 && report.final_cost < report.initial_cost, "{report}");
        let stopped = Outcome::Stopped(Termination::MaxIterations);
        assert!(report.outcomes().iter().any(|(outcome, _)| *outcome == stopped), "{report}");
        assert_ne!(bits(&problem), before);
        let after = bits(&problem);
        let late = SolverOptions { max_time: Some(Duration::ZERO), ..options() };
        let report = problem.solve_independent(&on(context, precision, &late)).unwrap();
        assert_eq!(report.outcomes(), [(Outcome::Stopped(Termination::TimeLimit), 100)]);
        assert_eq!(bits(&problem), after);
        let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        let cancelled = SolverOptions { cancel: Some(flag), ..options() };
        let report = problem.solve_independent(&on(context, precision, &cancelled)).unwrap();
        assert_eq!(report.outcomes(), [(Outcome::Stopped(Termination::Cancelled), 100)]);
    }
}

fn failures_are_told_as_on_the_cpu(context: &GpuContext) {
    let state = || {
        let mut problem = Problem::new();
        add_fits(&mut problem, &fits(10));
        let bad = problem.add_parameter_block(&[-1.0]).unwrap();
        let first = problem.add_residual(&[bad], |x| x[0][0].ln() - 1.0).unwrap();
        problem.set_name(first..first + 1, "logarithm");
        // Every step, however short, leads into the region where the residual is not defined.
        let edge = problem.add_parameter_block(&[1.0]).unwrap();
        problem.add_residual(&[edge], |x| [2.0 + x[0][0], (x[0][0] - 1.0).powf(1.5)]).unwrap();
        problem
    };
    let mut expected = state();
    let on_cpu = expected.solve_independent(&options()).unwrap();
    assert_eq!(on_cpu.converged, 10);
    for precision in precisions(context) {
        let mut problem = state();
        let report = problem.solve_independent(&on(context, precision, &options())).unwrap();
        assert_eq!(report.backend.backend, Backend::Gpu, "{report}");
        assert_eq!(report.converged, 10, "{report}");
        // As text: a cost that is not a number is not equal to itself.
        let [found, expected] = [&report, &on_cpu].map(|report| format!("{:?}", &report.components[10..]));
        assert_eq!(found, expected, "{report}");
        assert_eq!(report.notes, ["2 components that failed on the device solved again on the CPU"], "{report}");
    }
}

fn what_lanes_cannot_take_goes_to_the_cpu(context: &GpuContext) {
    let wide = |problem: &mut Problem| {
        let block = problem.add_parameter_block(&[0.5; 14]).unwrap();
        problem.add_residual(&[block], |x| (0..14).map(|k| x[0][k].exp() - k as f64).collect::<Vec<_>>()).unwrap();
    };
    let many = |problem: &mut Problem| {
        for size in 1..12 {
            let block = problem.add_parameter_block(&vec![0.5; size]).unwrap();
            problem.add_residual(&[block], |x| (0..size).map(|k| x[0][k] - k as f64).collect::<Vec<_>>()).unwrap();
        }
    };
    type Add<'a> = &'a dyn Fn(&mut Problem);
    let cases: [(Add<'_>, &str); 2] =
        [(&wide, "a component has 14 free parameters, and a lane takes 12"), (&many, "more than 8 shapes")];
    for (add, reason) in cases {
        let mut problem = Problem::new();
        add_fits(&mut problem, &fits(5));
        add(&mut problem);
        let report = problem.solve_independent(&on(context, Precision::Auto, &options())).unwrap();
        assert_eq!((report.backend.backend, report.device.clone()), (Backend::Cpu, None), "{report}");
        assert!(report.backend.reason.contains(reason), "{report}");
        assert_eq!(report.converged, report.components.len(), "{report}");
    }
}
