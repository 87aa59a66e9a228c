//! A thousand curve fits, from stating the problem to the last parameter: in one call, one by one, and as one joint problem.

#![allow(dead_code, reason = "each bench takes of it what it needs")]

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use isograd::{BlockId, Blocks, Problem, SolverOptions, Value};
use std::time::Duration;

const FITS: usize = 1000;
/// Samples of each curve.
const SAMPLES: usize = 20;

/// A fit of a exp(−b t) + c to noisy samples.
pub struct Fit {
    start: [f64; 3],
    samples: Vec<[f64; 2]>,
}

/// So many fits.
pub fn decays(count: usize) -> Vec<Fit> {
    let mut state = 1u64;
    let mut random = |low: f64, high: f64| {
        // Knuth's linear congruential generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + (high - low) * (state >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut decay = || {
        let (a, b, c) = (random(1.0, 5.0), random(0.3, 2.0), random(-1.0, 1.0));
        let times = (0..SAMPLES).map(|k| 4.0 * k as f64 / SAMPLES as f64);
        let samples = times.map(|t| [t, a * (-b * t).exp() + c + random(-0.05, 0.05)]).collect();
        Fit { samples, start: [random(0.5, 6.0), 1.0, 0.0] }
    };
    (0..count).map(|_| decay()).collect()
}

/// All of them as one problem.
pub fn stated(fits: &[Fit]) -> Problem {
    with_blocks(fits).0
}

/// The same, with the block of each.
pub fn with_blocks(fits: &[Fit]) -> (Problem, Vec<BlockId>) {
    let mut problem = Problem::new();
    let (mut own, mut blocks, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for fit in fits {
        let block = problem.add_parameter_block(&fit.start).expect("finite numbers");
        own.push(block);
        blocks.extend([[block]; SAMPLES]);
        data.extend_from_slice(&fit.samples);
    }
    let decay = |x: Blocks<'_>, d: &[Value]| x[0][0] * (-x[0][1] * d[0]).exp() + x[0][2] - d[1];
    problem.add_residual_batch(&blocks, &data, decay).expect("a template");
    (problem, own)
}

/// Benches of `solve_independent`.
pub fn independent(criterion: &mut Criterion) {
    let fits = decays(FITS);
    let mut group = criterion.benchmark_group("independent");
    group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(FITS as u64));
    for threads in [1, 2] {
        let options = SolverOptions { threads, ..Default::default() };
        let id = |name: &str| BenchmarkId::new(name, format!("{threads} threads"));
        group.bench_function(id("one call"), |b| {
            b.iter(|| stated(&fits).solve_independent(&options).expect("a report").converged);
        });
        group.bench_function(id("joint"), |b| b.iter(|| stated(&fits).solve(&options).expect("a report")));
    }
    let options = SolverOptions { threads: 1, ..Default::default() };
    group.bench_function(BenchmarkId::new("one by one", "1 threads"), |b| {
        b.iter(|| fits.chunks(1).map(|fit| stated(fit).solve(&options).expect("a report").final_cost).sum::<f64>());
    });
    group.finish();
}
