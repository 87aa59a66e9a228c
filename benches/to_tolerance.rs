//! How long a solve takes until its cost is within 1e-3 and 1e-6 of the optimum, beside the programs for Ceres in `benches/peers`, which
//! print the same.
//!
//! `cargo bench --bench to_tolerance -- FILE THREADS OPTIMUM [huber] [REPEATS]`: a bundle adjustment, or a pose graph if the name says `g2o`.
//! Tolerances are 1e-12, iterations at most 200; reading the file is not timed, stating the problem is. Of three solves, or as many as asked for, the
//! fastest counts; one alone is the first of its process.

use isograd::io::{read_bal, read_g2o};
use isograd::models::{BundleProblem, PoseGraphProblem};
use isograd::{Problem, SolverOptions, SolverReport, loss};
use std::error::Error;
use std::time::Instant;

/// Solves a fresh problem, timed from its statement on.
fn solved(
    state: impl Fn() -> Result<Problem, Box<dyn Error>>,
    threads: usize,
) -> Result<(f64, f64, SolverReport), Box<dyn Error>> {
    let options = SolverOptions {
        threads,
        max_iterations: 200,
        function_tolerance: 1e-12,
        gradient_tolerance: 1e-12,
        parameter_tolerance: 1e-12,
        ..Default::default()
    };
    let start = Instant::now();
    let mut problem = state()?;
    let stating = start.elapsed().as_secs_f64();
    let report = problem.solve(&options)?;
    Ok((stating, start.elapsed().as_secs_f64(), report))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [file, threads, optimum, rest @ ..] = &arguments[..] else {
        println!("nothing to measure: cargo bench --bench to_tolerance -- FILE THREADS OPTIMUM [huber] [REPEATS]");
        return Ok(());
    };
    let (threads, optimum): (usize, f64) = (threads.parse()?, optimum.parse()?);
    let huber = rest.iter().any(|word| word == "huber");
    let solve: Box<dyn Fn() -> Result<_, Box<dyn Error>>> = if file.contains("g2o") {
        let graph = read_g2o(file)?;
        Box::new(move || solved(|| Ok(PoseGraphProblem::new(&graph)?.problem), threads))
    } else {
        let data = read_bal(file)?;
        let state = move || {
            let mut bundle = BundleProblem::new(&data)?;
            if huber {
                bundle.problem.set_loss(bundle.observations.clone(), loss::Huber(1.0))?;
            }
            Ok(bundle.problem)
        };
        Box::new(move || solved(&state, threads))
    };
    let repeats = rest.iter().find_map(|word| word.parse().ok()).unwrap_or(3).max(1);
    let runs = (0..repeats).map(|_| solve()).collect::<Result<Vec<_>, _>>()?;
    let (stating, whole, report) = runs.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).expect("at least one run");
    let reached = |tolerance: f64| {
        let record = report.iterations.iter().find(|record| record.cost <= optimum * (1.0 + tolerance));
        1e3 * record.map_or(f64::NAN, |record| stating + record.elapsed_s)
    };
    println!(
        "isograd {file}: 1e-3 {:.3} ms, 1e-6 {:.3} ms, whole {:.3} ms, {} iterations, cost {:.9}, {}",
        reached(1e-3),
        reached(1e-6),
        1e3 * whole,
        report.iteration_count(),
        report.final_cost,
        report.linear_solver
    );
    Ok(())
}
