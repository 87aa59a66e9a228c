//! When the solver stops and why, what it reports, and what it leaves behind.

mod fixed;
#[path = "../minimizing/mod.rs"]
mod minimizing;

use fixed::strip;
use isograd::LinearSolverKind::{DenseCholesky, DenseQr, Pcg, SparseCholesky};
use isograd::{
    Blocks, CompiledResiduals, IterationRecord, LinearSolverKind, Problem, SolveError, SolverOptions, Termination,
    Value,
};
use minimizing::{KINDS, jennrich_sampson, near, rosenbrock, solve, tight};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

// ---------------------------------------------------------------------------------------------------------------------
// When it stops.

#[test]
fn each_tolerance_stops_by_its_name() {
    let none = SolverOptions {
        function_tolerance: 0.0,
        gradient_tolerance: 0.0,
        parameter_tolerance: 0.0,
        ..SolverOptions::default()
    };
    let run = |options: &SolverOptions| solve(&[0.3, 0.4], options, jennrich_sampson).0;
    let function = run(&SolverOptions { function_tolerance: 1e-3, ..none.clone() });
    assert_eq!(function.termination, Termination::FunctionTolerance);
    assert!(function.message.contains("Function tolerance reached"), "{}", function.message);
    let [.., before, last] = &function.iterations[..] else { panic!() };
    assert!(last.accepted && (before.cost - last.cost).abs() <= 1e-3 * before.cost);

    let gradient = run(&SolverOptions { gradient_tolerance: 1.0, ..none.clone() });
    assert_eq!(gradient.termination, Termination::GradientTolerance);
    assert!(gradient.message.contains("Gradient tolerance reached"), "{}", gradient.message);
    assert!(gradient.iterations.last().unwrap().gradient_max_norm <= 1.0);

    let parameter = run(&SolverOptions { parameter_tolerance: 1e-3, ..none.clone() });
    assert_eq!(parameter.termination, Termination::ParameterTolerance);
    assert!(parameter.message.contains("Parameter tolerance reached"), "{}", parameter.message);
    assert!(parameter.iterations.last().unwrap().accepted);

    // With no tolerance at all it ends where rounding ends it, and that is no failure.
    let precision = run(&SolverOptions { max_iterations: 1000, ..none });
    assert_eq!(precision.termination, Termination::PrecisionLimit, "{precision}\n{}", precision.iteration_table());
    assert!(precision.termination.is_converged());
    assert!((2.0 * precision.final_cost / 124.36218235561 - 1.0).abs() < 1e-12);
}

#[test]
fn a_start_at_the_optimum_stops_at_once() {
    let (report, x) = solve(&[5.0, 3.0], &SolverOptions::default(), |x| vec![x[0] - 5.0, x[1] - 3.0]);
    assert_eq!((report.termination, report.iteration_count()), (Termination::GradientTolerance, 0));
    assert_eq!((report.final_cost, x), (0.0, vec![5.0, 3.0]));
}

#[test]
fn exp_has_no_minimum_to_find() {
    let options = SolverOptions { max_iterations: 2, ..SolverOptions::default() };
    let (report, _) = solve(&[0.0], &options, |x| vec![x[0].exp()]);
    assert_eq!((report.termination, report.iteration_count()), (Termination::MaxIterations, 2));
    assert!(!report.termination.is_converged());
    assert!(report.message.contains("Maximum number of iterations"), "{}", report.message);
    let none = SolverOptions { max_iterations: 0, ..SolverOptions::default() };
    let (report, x) = solve(&[0.0], &none, |x| vec![x[0].exp()]);
    assert_eq!((report.termination, report.iteration_count(), x), (Termination::MaxIterations, 0, vec![0.0]));
    assert_eq!((report.initial_cost, report.final_cost), (0.5, 0.5));
}

#[test]
fn a_small_change_stops_by_the_function_tolerance() {
    // 5.0001 against 5 beside a residual that nothing lowers.
    let options = SolverOptions { function_tolerance: 1e-4, ..SolverOptions::default() };
    let (report, _) = solve(&[5.0001], &options, |x| vec![x[0] - 5.0, 1.0 + 0.0 * x[0].square()]);
    assert_eq!(report.termination, Termination::FunctionTolerance);
    assert!(report.termination.is_converged());
}

#[test]
fn a_looser_gradient_tolerance_stops_earlier() {
    let sinusoid = |x: &[Value]| -> Vec<Value> {
        (0..20)
            .map(|k| 0.3 * f64::from(k))
            .map(|t| x[0] * (x[1] * t + x[2]).sin() - 2.0 * (1.5 * t + 0.5).sin())
            .collect()
    };
    let run = |gradient_tolerance: f64| {
        let options = SolverOptions {
            gradient_tolerance,
            function_tolerance: 0.0,
            parameter_tolerance: 0.0,
            max_iterations: 50,
            ..SolverOptions::default()
        };
        solve(&[1.0, 1.4, 0.3], &options, sinusoid)
    };
    let (loose, x) = run(1e-3);
    assert_eq!(loose.termination, Termination::GradientTolerance);
    near(&x, &[2.0, 1.5, 0.5], 1e-2);
    assert!(loose.iteration_count() < run(1e-20).0.iteration_count());

    let options =
        SolverOptions { gradient_tolerance: 1e-2, function_tolerance: 0.0, parameter_tolerance: 0.0, ..tight() };
    let (report, x) = solve(&[0.0, 0.0], &options, |x| vec![10.0 * (x[0] - 7.0), 10.0 * (x[1] + 2.0)]);
    assert_eq!(report.termination, Termination::GradientTolerance);
    near(&x, &[7.0, -2.0], 0.5e-2);

    let line = [[0.0, 0.1], [1.0, 2.0], [2.0, 4.1], [3.0, 6.0], [4.0, 8.05]];
    let (_, x) = solve(&[0.0, 0.0], &options, |x| line.iter().map(|&[t, y]| x[0] * t + x[1] - y).collect());
    near(&x, &[1.99, 0.07], 0.05);
}

/// Stairs that lead up where the derivative says down: every step is rejected.
fn staircase(x: &[Value]) -> Vec<Value> {
    vec![20.0 + x[0] - 3.0 * (x[0] * 1e6).floor() / 1e6]
}

/// A step that is rejected satisfies no tolerance, however short the trust region has made it.
#[test]
fn rejected_steps_satisfy_no_tolerance() {
    for parameter_tolerance in [1e-8, 0.5] {
        let options = SolverOptions { parameter_tolerance, function_tolerance: 0.5, ..SolverOptions::default() };
        let (report, x) = solve(&[1.0], &options, staircase);
        assert!(report.iterations[1..].iter().all(|record| !record.accepted), "{}", report.iteration_table());
        assert_eq!(x, [1.0]);
        assert!(!report.termination.is_converged(), "{report}\n{}", report.iteration_table());
        assert_eq!(report.termination, Termination::TrustRegionCollapsed);
    }
}

/// Three exponentials through data that has 14 digits, as Lanczos made it (*Applied Analysis*, 1956): residuals are rounding, and their
/// squares tell nothing of a step long before it is short. That is an optimum, and no failure.
#[test]
fn an_exact_fit_ends_at_the_limit_of_precision() {
    let decay = |[a, b]: [f64; 2], t: f64| a * (-b * t).exp();
    let exact = [[0.0951, 1.0], [0.8607, 3.0], [1.5576, 5.0]];
    let data: Vec<[f64; 2]> = (0..24)
        .map(|k| 0.05 * f64::from(k))
        .map(|t| [t, (exact.iter().map(|&term| decay(term, t)).sum::<f64>() * 1e13).round() / 1e13])
        .collect();
    let model = |x: &[Value], t: f64| (0..3).map(|k| x[2 * k] * (-x[2 * k + 1] * t).exp()).sum::<Value>();
    let options = SolverOptions {
        function_tolerance: 0.0,
        gradient_tolerance: 0.0,
        parameter_tolerance: 1e-15,
        max_iterations: 1000,
        ..SolverOptions::default()
    };
    for start in [[1.2, 0.3, 5.6, 5.5, 6.5, 7.6], [0.5, 0.7, 3.6, 4.2, 4.0, 6.3]] {
        let (report, x) = solve(&start, &options, |x| data.iter().map(|&[t, y]| model(x, t) - y).collect());
        assert!(report.termination.is_converged(), "{report}\n{}", report.iteration_table());
        assert_ne!(report.termination, Termination::FunctionTolerance);
        assert!(report.final_cost < 1e-24, "{report}");
        near(&x, exact.as_flattened(), 1e-7);
    }
}

#[test]
fn time_limit_and_flag() {
    let start = [-1.2, 1.0];
    let options = SolverOptions { max_time: Some(Duration::ZERO), ..SolverOptions::default() };
    let (report, x) = solve(&start, &options, rosenbrock);
    assert_eq!((report.termination, report.iteration_count(), x), (Termination::TimeLimit, 0, start.to_vec()));
    assert!(!report.termination.is_converged() && report.message.contains("Time limit"));

    let flag = Arc::new(AtomicBool::new(true));
    let options = SolverOptions { cancel: Some(flag.clone()), ..SolverOptions::default() };
    let (report, x) = solve(&start, &options, rosenbrock);
    assert_eq!((report.termination, report.iteration_count(), x), (Termination::Cancelled, 0, start.to_vec()));
    flag.store(false, Ordering::Relaxed);
    assert!(solve(&start, &options, rosenbrock).0.termination.is_converged());
}

/// A flag set while it runs (here by the callback) stops it after the iteration.
#[test]
fn a_flag_set_midway() {
    let flag = Arc::new(AtomicBool::new(false));
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[p], |x| rosenbrock(&x[0])).unwrap();
    let options = SolverOptions { cancel: Some(flag.clone()), ..SolverOptions::default() };
    let report = problem
        .solve_with(&options, |record| {
            flag.store(record.iteration == 3, Ordering::Relaxed);
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((report.termination, report.iteration_count()), (Termination::Cancelled, 3));
}

#[test]
fn memory_is_refused_before_it_is_used() {
    for linear_solver in [DenseCholesky, SparseCholesky, Pcg] {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(3, &[0.5; 300]).unwrap();
        for pair in blocks.windows(2) {
            problem.add_residual(pair, |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm_squared() - 1.0).unwrap();
        }
        let options =
            SolverOptions { linear_solver, max_memory: Some(1000), max_iterations: 3, ..SolverOptions::default() };
        let error = problem.solve(&options).unwrap_err();
        let SolveError::Memory { needed, allowed: 1000 } = error else { panic!("{error}") };
        assert!(needed > 100 * 9 * 8, "{needed} bytes for a hundred blocks");
        assert!(error.to_string().contains(&needed.to_string()), "{error}");
        assert_eq!(problem.parameters().values(), [0.5; 300]);
        let enough = SolverOptions { max_memory: Some(100 * needed), ..options };
        assert!(problem.solve(&enough).is_ok());
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Callback and report.

#[test]
fn the_callback_sees_every_record() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[p], |x| rosenbrock(&x[0])).unwrap();
    let mut seen: Vec<IterationRecord> = Vec::new();
    let report = problem
        .solve_with(&SolverOptions::default(), |record| {
            seen.push(record.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, report.iterations);
    assert!(seen.iter().any(|record| !record.accepted), "Rosenbrock's valley makes steps fail");
    assert_eq!(report.accepted_steps(), seen[1..].iter().filter(|record| record.accepted).count());
    for (k, record) in seen.iter().enumerate() {
        assert_eq!(record.iteration, k);
        if let Some(before) = k.checked_sub(1).map(|b| &seen[b]) {
            if record.accepted {
                assert!(
                    record.cost < before.cost
                        && record.cost_change == before.cost - record.cost
                        && record.gain_ratio > 0.0
                );
            } else {
                assert!(record.cost == before.cost && record.trust_region_radius < before.trust_region_radius);
            }
            assert!(record.elapsed_s >= before.elapsed_s && record.step_norm > 0.0);
        }
    }
    assert_eq!((report.initial_cost, report.final_cost), (seen[0].cost, seen[seen.len() - 1].cost));
    assert!((seen[0].cost - 12.1).abs() < 1e-13, "half of 4.4² + 2.2²");
}

#[test]
fn the_callback_may_stop() {
    for stop_at in [0, 1, 4] {
        let mut problem = Problem::new();
        let p = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
        problem.add_residual(&[p], |x| rosenbrock(&x[0])).unwrap();
        let report = problem
            .solve_with(&SolverOptions::default(), |record| {
                if record.iteration == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!((report.termination, report.iteration_count()), (Termination::Cancelled, stop_at));
        assert!(!report.termination.is_converged() && report.message.contains("callback"));
        // The parameters are where the record says.
        let x = problem.parameter_block(p);
        let cost = 0.5 * ((10.0 * (x[1] - x[0] * x[0])).powi(2) + (1.0 - x[0]).powi(2));
        assert!((cost - report.final_cost).abs() <= 1e-14 * cost.max(1.0));
    }
}

/// Solving with a callback, printing and other watching changes nothing.
#[test]
fn watching_changes_nothing() {
    let run = |watch: bool| {
        let mut problem = Problem::new();
        strip(&mut problem);
        let report = problem.solve_with(&SolverOptions::default(), |record| {
            if watch {
                assert!(!format!("{record}").is_empty());
            }
            ControlFlow::Continue(())
        });
        let costs: Vec<u64> = report.unwrap().iterations.iter().map(|record| record.cost.to_bits()).collect();
        (costs, problem.parameters().values().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn the_report_prints() {
    let mut problem = Problem::new();
    let blocks = strip(&mut problem);
    problem.set_name(0..1, "distance");
    problem.fix(blocks[0]).unwrap();
    let report =
        problem.solve(&SolverOptions { threads: 2, max_iterations: 1000, ..SolverOptions::default() }).unwrap();
    let text = report.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let line = |start: &str| {
        lines
            .iter()
            .find(|line| line.trim_start().starts_with(start))
            .unwrap_or_else(|| panic!("no {start:?} in\n{text}"))
    };
    assert!(line("Parameter blocks").ends_with(&format!("{:>14}{:>14}", 8, 7)));
    assert!(line("Parameters").ends_with(&format!("{:>14}{:>14}", 24, 21)));
    assert!(line("Residual blocks").ends_with(" 21"));
    assert!(line("Residuals").ends_with(" 37"));
    assert!(line("distance").contains("13 x 1 residuals of 6 parameters"));
    assert!(line("(no name)").contains("8 x 3 residuals of 3 parameters"));
    assert!(line("Initial").ends_with(&format!("{:.8e}", report.initial_cost)));
    assert!(line("Final").ends_with(&format!("{:.8e}", report.final_cost)));
    assert!(line("Minimizer iterations").ends_with(&report.iteration_count().to_string()));
    assert_eq!(*line("Termination:"), format!("Termination: CONVERGENCE ({})", report.message));
    assert!(line("Backend").contains("1 thread)"));
    for stage in ["Trace", "Compile", "Analyse structure", "Normal equations", "Linear solver", "Total"] {
        line(stage);
    }
    let table = report.iteration_table();
    assert_eq!(table.lines().count(), report.iterations.len() + 1);
    assert!(table.starts_with(IterationRecord::HEADER));
    assert!(report.brief().contains(&report.message) && !report.brief().contains('\n'));

    let options = SolverOptions { max_iterations: 1, ..SolverOptions::default() };
    let stopped = solve(&[0.0], &options, |x| vec![x[0].exp()]).0.to_string();
    assert!(stopped.contains("NO CONVERGENCE"), "{stopped}");
}

#[test]
fn the_report_serialises() {
    let mut problem = Problem::new();
    strip(&mut problem);
    let report = problem.solve(&SolverOptions { max_iterations: 1000, ..SolverOptions::default() }).unwrap();
    let json = serde_json::to_value(&report).unwrap();
    let text = serde_json::to_string_pretty(&report).unwrap();
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["message"], json["message"]);
    assert_eq!(read.as_object().unwrap().len(), json.as_object().unwrap().len());
    assert_eq!(json["termination"], serde_json::to_value(report.termination).unwrap());
    assert!(json["termination"].as_str().unwrap().ends_with("-tolerance"), "{}", json["termination"]);
    assert_eq!(json["message"], report.message);
    assert_eq!(json["initial_cost"].as_f64(), Some(report.initial_cost));
    assert_eq!(json["final_cost"].as_f64(), Some(report.final_cost));
    let records = json["iterations"].as_array().unwrap();
    assert_eq!(records.len(), report.iterations.len());
    for (json, record) in records.iter().zip(&report.iterations) {
        assert_eq!(json["cost"].as_f64(), Some(record.cost));
        assert_eq!(json["iteration"].as_u64(), Some(record.iteration as u64));
        assert_eq!(json["accepted"].as_bool(), Some(record.accepted));
        assert_eq!(json["trust_region_radius"].as_f64(), Some(record.trust_region_radius));
    }
    assert_eq!(json["parameters"], serde_json::json!([24, 24]));
    assert_eq!(json["residuals"], 37);
    assert_eq!(json["groups"].as_array().unwrap().len(), report.groups.len());
    assert_eq!(json["groups"][0]["instances"], report.groups[0].instances);
    assert_eq!(json["compile"]["kernels"], 2);
    assert_eq!(json["backend"]["backend"], "cpu");
    assert_eq!(json["times_s"]["total"].as_f64(), Some(report.times_s.total));
    // A trial that could not be evaluated has no cost, which is null.
    let (report, _) = solve(&[2.0], &SolverOptions::default(), |x| vec![5.0 + (x[0] - 1.0).sqrt()]);
    assert!(report.iterations.iter().any(|record| record.cost_change.is_nan()), "{}", report.iteration_table());
    let json = serde_json::to_value(&report).unwrap();
    assert!(json["iterations"].as_array().unwrap().iter().any(|record| record["cost_change"].is_null()));
}

// ---------------------------------------------------------------------------------------------------------------------
// Trouble on the way.

/// Full steps lead where the logarithm is not defined; the damping brings them back.
#[test]
fn steps_out_of_the_domain_are_rejected() {
    for linear_solver in KINDS {
        let options = SolverOptions { linear_solver, ..tight() };
        let (report, x) = solve(&[4.0], &options, |x| vec![x[0].ln()]);
        assert!(report.termination.is_converged(), "{linear_solver:?}: {report}\n{}", report.iteration_table());
        near(&x, &[1.0], 1e-6);
        assert!(report.iterations.iter().any(|record| record.cost_change.is_nan() && !record.accepted));
    }
}

/// Whatever way a solve ends, the parameters are at the lowest cost that the callback saw accepted.
#[test]
fn the_best_accepted_point_is_kept() {
    let cost_at = |x: f64| 0.5 * (5.0 + (x - 1.0).sqrt()).powi(2);
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[2.0]).unwrap();
    problem.add_residual(&[p], |x| 5.0 + (x[0][0] - 1.0).sqrt()).unwrap();
    let mut accepted: Vec<f64> = Vec::new();
    let result = problem.solve_with(&SolverOptions::default(), |record| {
        if record.accepted {
            accepted.push(record.cost);
        }
        ControlFlow::Continue(())
    });
    let best = accepted.iter().copied().fold(f64::INFINITY, f64::min);
    let x = problem.parameter_block(p)[0];
    assert!((cost_at(x) - best).abs() < 1e-12 * best || result.is_err(), "{x}: {} for {best}", cost_at(x));
    assert!(cost_at(x) <= best && x >= 1.0, "{x}");
    match result {
        Ok(report) => {
            assert!(!report.termination.is_converged(), "{report}");
            assert_eq!(report.final_cost, best);
        }
        // It may also be accepted onto the very edge, where the derivative is infinite.
        Err(error) => assert!(matches!(error, SolveError::NonFinite { iterations: 1.., .. }), "{error}"),
    }
}

#[test]
fn invalid_steps_are_explained() {
    // Every step, however short, leads into the region where the residual is not defined.
    let (report, x) = solve(&[1.0], &SolverOptions::default(), |x| vec![2.0 + x[0], (x[0] - 1.0).powf(1.5)]);
    assert_eq!(report.termination, Termination::InvalidSteps, "{report}\n{}", report.iteration_table());
    assert!(report.message.contains("powf of -"), "{}", report.message);
    assert_eq!(x, [1.0]);
    assert_eq!(report.iteration_count(), SolverOptions::default().max_consecutive_invalid_steps + 1);
}

/// An accepted point may be one whose derivative is not finite; that ends the solve with an error, at that point.
#[test]
fn a_derivative_lost_on_the_way_is_an_error() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[3.0]).unwrap();
    // Below 2 the root is that of 0, whose derivative is 0 · ∞.
    problem.add_residual(&[p], |x| [x[0][0] + 10.0, (x[0][0] - 2.0).max(0.0).sqrt()]).unwrap();
    problem.set_name(0..1, "root");
    let error = problem.solve(&SolverOptions::default()).unwrap_err();
    let SolveError::NonFinite { iterations: 1.., residual } = &error else { panic!("{error}") };
    assert_eq!((residual.name.as_deref(), residual.instance), (Some("root"), 0));
    assert!(error.to_string().contains("in the derivative"), "{error}");
    let x = problem.parameter_block(p)[0];
    assert!(x < 2.0 && (x + 10.0).abs() < 13.0, "{x} was accepted");
}

#[test]
fn overflow_of_the_cost_is_no_panic() {
    for linear_solver in KINDS {
        let options = SolverOptions { linear_solver, ..SolverOptions::default() };
        let mut residuals = CompiledResiduals::compile(&[1.0], |x| vec![1e200 * x[0] - 3.0]).unwrap();
        if let Ok(report) = residuals.solve(&options) {
            assert!(report.termination.is_converged() == (report.final_cost < 1.0), "{report}");
        }
        assert!(residuals.parameters()[0].is_finite());
    }
}

/// The number of residual groups, blocks of several sizes and shared blocks: one optimum, whoever solves the linear systems.
#[test]
fn all_linear_solvers_agree() {
    let run = |linear_solver: LinearSolverKind| {
        let mut problem = Problem::new();
        let blocks = strip(&mut problem);
        let scale = problem.add_parameter_block(&[1.0]).unwrap();
        for &block in &blocks {
            problem.add_residual(&[block, scale], |x: Blocks<'_>| x.vector::<3>(0).norm() * x[1][0] - 1.0).unwrap();
        }
        let report = problem.solve(&SolverOptions { linear_solver, forcing: 1e-4, ..tight() }).unwrap();
        assert!(report.termination.is_converged(), "{linear_solver:?}: {report}");
        (report, problem.parameters().values().to_vec())
    };
    let (reference, x) = run(DenseQr);
    for kind in KINDS {
        let (report, y) = run(kind);
        assert!((report.final_cost / reference.final_cost - 1.0).abs() < 1e-9, "{kind:?}: {}", report.final_cost);
        // The strip may turn about the origin; lengths may not.
        let lengths =
            |x: &[f64]| x[..24].chunks(3).map(|p| p.iter().map(|a| a * a).sum::<f64>().sqrt()).collect::<Vec<_>>();
        near(&lengths(&y), &lengths(&x), 1e-4);
    }
    let (report, _) = run(Pcg);
    assert!(report.iterations[1..].iter().all(|record| record.linear_iterations > 0));
}
