//! Bundle adjustments on a GPU: how long until the cost is near the optimum, and what a step takes.
//!
//! `cargo bench --bench bundle_gpu -- FILE|CAMERAS,POINTS,PER_POINT [f32|f64|double-f32] [most=N] [optimum=COST] [steps=N]`: a file of *Bundle
//! Adjustment in the Large* or a made-up problem (seed 1); at most `most` iterations of conjugate gradients a step (30), at most `steps` steps
//! (100). Five solves, each of the problem stated anew, in one process: the first compiles the shaders, the fastest of the others counts.
//! Times are those of the iteration records, counted from the first one on, at which the start point has been evaluated.

use isograd::io::{BalProblem, read_bal};
use isograd::models::BundleProblem;
use isograd::{Backend, Precision, SolverOptions, SolverReport};
use std::error::Error;

/// Solves, the first of which is left out.
const SOLVES: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let [problem, rest @ ..] = &arguments[..] else {
        println!("nothing to measure: cargo bench --bench bundle_gpu -- FILE|CAMERAS,POINTS,PER_POINT [PRECISION] …");
        return Ok(());
    };
    let sizes: Vec<usize> = problem.split(',').filter_map(|size| size.parse().ok()).collect();
    let data = match sizes[..] {
        [cameras, points, per_point] => BalProblem::synthetic(cameras, points, per_point, 1)?,
        _ => read_bal(problem)?,
    };
    let value = |name: &str| rest.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let precision = match rest.iter().find(|word| !word.contains('=')).map(String::as_str) {
        Some("f32") => Precision::F32,
        Some("double-f32") => Precision::DoubleF32,
        Some("f64") => Precision::F64,
        _ => Precision::Auto,
    };
    let options = SolverOptions {
        backend: Backend::Gpu,
        precision,
        max_iterations: value("steps").map_or(Ok(100), str::parse)?,
        max_linear_iterations: value("most").map_or(Ok(30), str::parse)?,
        function_tolerance: 1e-12,
        gradient_tolerance: 1e-12,
        parameter_tolerance: 1e-12,
        ..SolverOptions::default()
    };
    let solve = || -> Result<SolverReport, Box<dyn Error>> { Ok(BundleProblem::new(&data)?.problem.solve(&options)?) };
    let solves = (0..SOLVES).map(|_| solve()).collect::<Result<Vec<_>, _>>()?;
    let length = |report: &SolverReport| {
        let of = |record: Option<&isograd::IterationRecord>| record.map_or(f64::NAN, |record| record.elapsed_s);
        of(report.iterations.last()) - of(report.iterations.first())
    };
    let fastest = solves[1..].iter().min_by(|a, b| length(a).total_cmp(&length(b))).ok_or("no solve")?;
    let start = fastest.iterations[0].elapsed_s;
    println!("{problem}, {:?} on {}: {}", fastest.precision, fastest.backend.device, fastest.linear_solver);
    if let Some(optimum) = value("optimum") {
        let optimum: f64 = optimum.parse()?;
        for tolerance in [1e-3, 1e-4, 1e-6] {
            let reached = |report: &SolverReport| {
                let there = report.iterations.iter().find(|record| record.cost <= optimum * (1.0 + tolerance))?;
                Some(1e3 * (there.elapsed_s - report.iterations[0].elapsed_s))
            };
            let times = solves[1..].iter().filter_map(reached);
            println!("  to {tolerance:e} of the optimum {:.2} ms", times.fold(f64::NAN, f64::min));
        }
        println!("  final cost {:.6}, {:.1e} above", fastest.final_cost, fastest.final_cost / optimum - 1.0);
    }
    let longest = fastest
        .iterations
        .iter()
        .skip(1)
        .zip(&fastest.iterations)
        .map(|(record, before)| (record.linear_iterations, 1e3 * (record.elapsed_s - before.elapsed_s)));
    let most = fastest.iterations.iter().map(|record| record.linear_iterations).max().unwrap_or(0);
    let of_most: Vec<f64> = longest.filter(|&(linear, _)| linear == most).map(|(_, ms)| ms).collect();
    println!("  {} steps in {:.2} ms", fastest.iteration_count(), 1e3 * (length(fastest)));
    println!(
        "  a step with {most} iterations of conjugate gradients {:.2} ms (mean of {})",
        of_most.iter().sum::<f64>() / of_most.len() as f64,
        of_most.len()
    );
    let bytes = fastest.device.as_ref().map_or(0, |device| device.memory_bytes);
    println!("  {:.2} GB on the device; ready after {:.1} ms", bytes as f64 / 1e9, 1e3 * start);
    Ok(())
}
