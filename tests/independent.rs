//! Independent problems, solved each by itself in one call: what separate solves find, whatever else is in the problem.

mod many_problems;

use isograd::solver::Outcome;
use isograd::{Backend, BlockId, IndependentReport, Problem, SolveError, SolverOptions, Termination};
use many_problems::{SAMPLES, add_arms, add_fits, add_rotations, fits, pairs, targets};
use std::time::Duration;

fn options() -> SolverOptions {
    SolverOptions { threads: 2, ..Default::default() }
}

fn stopped(report: &IndependentReport) -> Vec<Termination> {
    let termination = |outcome: Outcome| match outcome {
        Outcome::Stopped(termination) => termination,
        Outcome::NotFinite => panic!("{report}"),
    };
    report.components.iter().map(|record| termination(record.outcome)).collect()
}

#[test]
fn a_thousand_fits_end_where_a_thousand_solves_end() {
    let fits = fits(1000);
    let mut problem = Problem::new();
    let blocks = add_fits(&mut problem, &fits);
    let report = problem.solve_independent(&options()).unwrap();
    assert_eq!((report.components.len(), report.converged), (1000, 1000), "{report}");
    let terminations = stopped(&report);
    let (mut alike, mut initial, mut last) = (0, 0.0, 0.0);
    for (k, fit) in fits.iter().enumerate() {
        let mut alone = Problem::new();
        let block = add_fits(&mut alone, std::slice::from_ref(fit))[0];
        let expected = alone.solve(&SolverOptions { threads: 1, ..options() }).unwrap();
        for (a, b) in problem.parameter_block(blocks[k]).iter().zip(alone.parameter_block(block)) {
            assert!((a - b).abs() <= 1e-9 * (1.0 + b.abs()), "fit {k}: {a} and {b}");
        }
        let record = &report.components[k];
        assert_eq!(record.parameter_blocks, [blocks[k].index()]);
        assert_eq!(record.residual_blocks, (k * SAMPLES..(k + 1) * SAMPLES).collect::<Vec<_>>());
        assert!((record.final_cost - expected.final_cost).abs() <= 1e-12 * expected.final_cost);
        alike +=
            usize::from(terminations[k] == expected.termination && record.iterations == expected.iteration_count());
        initial += expected.initial_cost;
        last += expected.final_cost;
    }
    assert!(alike >= 995, "{alike} of 1000 ended alike");
    assert!(
        (report.initial_cost - initial).abs() <= 1e-12 * initial && (report.final_cost - last).abs() <= 1e-12 * last
    );
}

#[test]
fn the_number_of_threads_does_not_show() {
    let solve = |threads: usize| {
        let mut problem = Problem::new();
        add_fits(&mut problem, &fits(300));
        let report = problem.solve_independent(&SolverOptions { threads, ..options() }).unwrap();
        assert_eq!(report.threads, threads);
        let bits: Vec<u64> = problem.parameters().values().iter().map(|x| x.to_bits()).collect();
        (bits, report.components)
    };
    let one = solve(1);
    assert_eq!(one, solve(2));
    assert_eq!(one, solve(5));
}

#[test]
fn a_components_result_does_not_depend_on_what_else_there_is() {
    let fits = fits(200);
    let mut all = Problem::new();
    let blocks = add_fits(&mut all, &fits);
    all.solve_independent(&options()).unwrap();
    let mut some = Problem::new();
    let few = add_fits(&mut some, &fits[150..153]);
    some.solve_independent(&options()).unwrap();
    for (k, &block) in few.iter().enumerate() {
        assert_eq!(some.parameter_block(block), all.parameter_block(blocks[150 + k]));
    }
}

#[test]
fn different_shapes_mix_and_one_that_cannot_begin_stops_no_other() {
    let mut problem = Problem::new();
    let blocks = add_fits(&mut problem, &fits(50));
    let valley = problem.add_parameter_block(&[-1.2, 1.0]).unwrap();
    problem.add_residual(&[valley], |x| [1.0 - x[0][0], 10.0 * (x[0][1] - x[0][0].square())]).unwrap();
    let bad = problem.add_parameter_block(&[-1.0]).unwrap();
    let first_bad = problem.add_residual(&[bad], |x| x[0][0].ln() - 1.0).unwrap();
    problem.set_name(first_bad..first_bad + 1, "logarithm");
    // Two blocks, coupled by a third residual only.
    let pair = [2.0, 5.0].map(|x| problem.add_parameter_block(&[x]).unwrap());
    for block in pair {
        problem.add_residual(&[block], |x| x[0][0].square() - 4.0).unwrap();
    }
    problem.add_residual(&pair, |x| x[0][0] - x[1][0] + 0.5).unwrap();
    // Never in a component: a free block without residuals.
    let idle = problem.add_parameter_block(&[3.0]).unwrap();

    let report = problem.solve_independent(&options()).unwrap();
    assert_eq!((report.components.len(), report.converged), (53, 52), "{report}");
    let (valley_record, bad_record, pair_record) =
        (&report.components[50], &report.components[51], &report.components[52]);
    assert!(valley_record.is_converged());
    assert!((problem.parameter_block(valley)[1] - 1.0).abs() < 1e-6);
    assert_eq!(bad_record.outcome, Outcome::NotFinite);
    let reason = bad_record.reason.as_deref().unwrap();
    assert!(reason.contains("\"logarithm\"") && reason.contains("ln") && reason.contains("-1"), "{reason}");
    assert_eq!((problem.parameter_block(bad), problem.parameter_block(idle)), (&[-1.0][..], &[3.0][..]));
    assert_eq!(pair_record.parameter_blocks, pair.map(BlockId::index));
    assert_eq!(pair_record.residual_blocks.len(), 3);
    assert!(report.initial_cost.is_finite() && report.final_cost < report.initial_cost);
    assert_eq!(report.unconverged().map(|(k, _)| k).collect::<Vec<_>>(), [51]);

    let mut alone = Problem::new();
    let fit = add_fits(&mut alone, &fits(50)[49..])[0];
    alone.solve_independent(&options()).unwrap();
    assert_eq!(alone.parameter_block(fit), problem.parameter_block(blocks[49]));

    let text = report.to_string();
    assert!(text.contains("component 51 after 0 iterations") && text.contains("\"logarithm\""), "{text}");
    assert!(text.contains("Function tolerance reached"), "{text}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["components"][51]["outcome"], "not-finite");
    assert!(json["components"][50]["outcome"]["stopped"].is_string());
}

#[test]
fn arms_on_rotations_reach_for_their_targets_with_and_without_loss() {
    for loss in [false, true] {
        let targets = targets(120);
        let mut problem = Problem::new();
        let arms = add_arms(&mut problem, &targets, loss);
        let report = problem.solve_independent(&options()).unwrap();
        assert_eq!((report.components.len(), report.converged), (120, 120), "{report}");
        let mut alike = 0;
        for (k, target) in targets.iter().enumerate() {
            let mut alone = Problem::new();
            let arm = add_arms(&mut alone, std::slice::from_ref(target), loss)[0];
            let expected = alone.solve(&options()).unwrap();
            alike += usize::from(report.components[k].outcome == Outcome::Stopped(expected.termination));
            let record = &report.components[k];
            assert_eq!((record.parameter_blocks.len(), record.residual_blocks.len()), (3, 4));
            assert!(record.final_cost < 1e-12 && expected.final_cost < 1e-12, "arm {k}: {}", record.final_cost);
            for (here, there) in arms[k].iter().zip(arm) {
                let (here, there) = (problem.parameter_block(*here), alone.parameter_block(there));
                assert!((here.iter().map(|q| q * q).sum::<f64>() - 1.0).abs() < 1e-12);
                let gap = here.iter().zip(there).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
                // Nine joint angles for three numbers: rounding shows in the directions that only damping decides.
                assert!(gap < 1e-3, "arm {k}: {here:?} and {there:?}");
            }
        }
        assert!(alike >= 118, "{alike} of 120 ended alike");
    }
}

#[test]
fn rotations_are_those_of_separate_solves() {
    let pairs = pairs(150);
    for robust in [false, true] {
        let mut problem = Problem::new();
        let blocks = add_rotations(&mut problem, &pairs, robust);
        let report = problem.solve_independent(&options()).unwrap();
        let mut alike = 0;
        for (k, pair) in pairs.iter().enumerate() {
            let mut alone = Problem::new();
            let block = add_rotations(&mut alone, std::slice::from_ref(pair), robust)[0];
            let expected = alone.solve(&options()).unwrap();
            let (here, there) = (problem.parameter_block(blocks[k]), alone.parameter_block(block));
            for (a, b) in here.iter().zip(there) {
                assert!((a - b).abs() < 1e-9, "rotation {k}: {here:?} and {there:?}");
            }
            alike += usize::from(report.components[k].outcome == Outcome::Stopped(expected.termination));
        }
        assert!(alike >= 148, "{alike} of 150 ended alike");
    }
}

#[test]
fn a_fixed_block_does_not_couple() {
    let mut problem = Problem::new();
    let scale = problem.add_parameter_block(&[2.0]).unwrap();
    problem.fix(scale).unwrap();
    let x: Vec<BlockId> = (0..2000).map(|k| problem.add_parameter_block(&[0.1 * f64::from(k)]).unwrap()).collect();
    let rows: Vec<[BlockId; 2]> = x.iter().map(|&x| [scale, x]).collect();
    let data: Vec<[f64; 1]> = (0..2000).map(|k| [f64::from(k)]).collect();
    problem.add_residual_batch(&rows, &data, |x, d| x[0][0] * x[1][0] - d[0]).unwrap();
    problem.add_residual(&[scale], |x| x[0][0] - 5.0).unwrap();
    let report = problem.solve_independent(&options()).unwrap();
    assert_eq!((report.components.len(), report.converged), (2000, 2000), "{report}");
    assert_eq!((problem.parameter_block(scale)[0], report.fixed_cost), (2.0, 4.5));
    assert!((report.final_cost - 4.5).abs() < 1e-9);
    for (k, &x) in x.iter().enumerate() {
        assert!(
            (problem.parameter_block(x)[0] - 0.5 * k as f64).abs() < 1e-3,
            "{k}: {}",
            problem.parameter_block(x)[0]
        );
    }
    problem.unfix(scale).unwrap();
    match problem.solve_independent(&options()) {
        Err(SolveError::ComponentTooLarge { component: 0, first_block: 0, parameters: 2001, allowed: 512 }) => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn fixed_components_and_bounds_are_kept() {
    let fits = fits(40);
    let restrict = |problem: &mut Problem, k: usize, block: BlockId| match k % 4 {
        0 => problem.set_bounds(block, 2, -0.1, 0.1).unwrap(),
        1 => problem.fix_component(block, 1).unwrap(),
        2 => problem.set_bounds(block, 0, 0.0, problem.parameter_block(block)[0]).unwrap(),
        _ => {}
    };
    let tight = SolverOptions { function_tolerance: 1e-14, ..options() };
    let mut problem = Problem::new();
    let blocks = add_fits(&mut problem, &fits);
    blocks.iter().enumerate().for_each(|(k, &block)| restrict(&mut problem, k, block));
    let report = problem.solve_independent(&tight).unwrap();
    assert_eq!((report.components.len(), report.converged), (40, 40), "{report}");
    let mut at_bound = 0;
    for (k, &block) in blocks.iter().enumerate() {
        let numbers = problem.parameter_block(block);
        match k % 4 {
            0 => {
                assert!(numbers[2].abs() <= 0.1);
                at_bound += usize::from(numbers[2].abs() == 0.1);
            }
            1 => assert_eq!(numbers[1], 1.0),
            2 => at_bound += usize::from(numbers[0] == fits[k].start[0]),
            _ => {}
        }
        let mut alone = Problem::new();
        let block = add_fits(&mut alone, &fits[k..=k])[0];
        restrict(&mut alone, k, block);
        alone.solve(&tight).unwrap();
        for (a, b) in numbers.iter().zip(alone.parameter_block(block)) {
            assert!((a - b).abs() < 1e-7, "fit {k}: {numbers:?} and {:?}", alone.parameter_block(block));
        }
    }
    assert!(at_bound > 0, "no bound was ever active");
}

#[test]
fn limits_hold_for_each_component_or_for_all() {
    let mut problem = Problem::new();
    add_fits(&mut problem, &fits(100));
    let before = problem.parameters().values().to_vec();
    let report = problem.solve_independent(&SolverOptions { max_iterations: 2, ..options() }).unwrap();
    assert!(report.max_iterations == 2 && report.final_cost < report.initial_cost, "{report}");
    assert!(stopped(&report).contains(&Termination::MaxIterations));

    let late = SolverOptions { max_time: Some(Duration::ZERO), ..options() };
    let costs = report.final_cost;
    let report = problem.solve_independent(&late).unwrap();
    assert_eq!(report.outcomes(), [(Outcome::Stopped(Termination::TimeLimit), 100)]);
    assert!((report.final_cost - costs).abs() <= 1e-12 * costs && problem.parameters().values() != before);

    let flag = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let report = problem.solve_independent(&SolverOptions { cancel: Some(flag), ..options() }).unwrap();
    assert_eq!(report.outcomes(), [(Outcome::Stopped(Termination::Cancelled), 100)]);
}

#[test]
fn steps_that_cannot_be_evaluated_are_reported_with_what_they_ran_into() {
    let mut problem = Problem::new();
    add_fits(&mut problem, &fits(10));
    // Every step, however short, leads into the region where the residual is not defined.
    let edge = problem.add_parameter_block(&[1.0]).unwrap();
    problem.add_residual(&[edge], |x| [2.0 + x[0][0], (x[0][0] - 1.0).powf(1.5)]).unwrap();
    // Below 2 the root is that of 0, whose derivative is 0 · ∞: a point that is accepted, and the last.
    let root = problem.add_parameter_block(&[3.0]).unwrap();
    problem.add_residual(&[root], |x| [x[0][0] + 10.0, (x[0][0] - 2.0).max(0.0).sqrt()]).unwrap();
    let report = problem.solve_independent(&options()).unwrap();
    assert_eq!(report.converged, 10, "{report}");
    let [invalid, lost] = &report.components[10..] else { panic!("{report}") };
    assert_eq!(invalid.outcome, Outcome::Stopped(Termination::InvalidSteps));
    assert_eq!(invalid.iterations, options().max_consecutive_invalid_steps + 1);
    assert!(invalid.reason.as_deref().is_some_and(|reason| reason.contains("powf of -")), "{report}");
    assert_eq!(problem.parameter_block(edge), [1.0]);
    assert_eq!(lost.outcome, Outcome::NotFinite);
    assert!(lost.reason.as_deref().is_some_and(|reason| reason.contains("in the derivative")), "{report}");
    assert!(problem.parameter_block(root)[0] < 2.0 && lost.final_cost < lost.initial_cost);
}

/// The device has tests of its own; without one it is an error to ask for it, and never to leave it open.
#[test]
fn a_few_components_are_left_to_the_cpu() {
    let mut problem = Problem::new();
    add_fits(&mut problem, &fits(3));
    let report = problem.solve_independent(&SolverOptions { backend: Backend::Auto, ..options() }).unwrap();
    assert_eq!((report.converged, report.backend.backend, report.device.clone()), (3, Backend::Cpu, None), "{report}");
    if cfg!(feature = "gpu") {
        assert!(report.to_string().contains("as fast by the cores"), "{report}");
    } else {
        let result = problem.solve_independent(&SolverOptions { backend: Backend::Gpu, ..options() });
        assert!(matches!(result, Err(SolveError::Backend(_))), "{result:?}");
    }
}

#[test]
fn nothing_to_solve_is_an_error() {
    let mut empty = Problem::new();
    assert!(empty.solve_independent(&options()).is_err());
    let mut problem = Problem::new();
    problem.add_parameter_block(&[1.0]).unwrap();
    assert!(problem.solve_independent(&options()).is_err());
}
