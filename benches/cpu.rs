//! The CPU path on `smooth`, stage by stage: trace, compile, evaluate, fill the normal equations, factor and solve; and bundle
//! adjustments by Schur complement.
//!
//! `cargo bench --bench cpu` (all levels), `cargo bench --bench cpu -- smooth/6` (one), `cargo bench --bench cpu -- schur`,
//! `cargo bench --bench cpu -- independent` (a thousand curve fits). Everything runs on one thread but what says otherwise. `stream` reads as many bytes as refilling the normal
//! equations must read and writes as many as it must write: the floor to compare with; both also with cold caches.

mod bundle;
mod fits;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use isograd::linear::{DenseSchur, LinearSolver, SparseCholesky, SparseSchur, Stopping};
use isograd::mesh::energy::{Energy, MeshProblem, Tracing};
use isograd::mesh::icosphere;
use isograd::problem::{CompiledProblem, Evaluation};
use isograd::solver::NormalEquations;
use rayon::prelude::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

const LEVELS: [u32; 3] = [4, 5, 6];

/// Bytes that go through the caches between two runs of what is measured with cold caches.
const OTHER: usize = 256 << 20;

fn pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
}

fn smooth(criterion: &mut Criterion) {
    for level in LEVELS {
        let mesh = icosphere(level).expect("a level the generator knows");
        let stated = MeshProblem::new(Energy::Smooth, &mesh).expect("an icosphere has edges");
        let problem = &stated.problem;
        let compiled = problem.compile().expect("residuals");
        let x = problem.parameters().values().to_vec();
        let mut evaluation = compiled.new_evaluation();

        let mut group = criterion.benchmark_group(format!("smooth/{level}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(3));
        group.throughput(Throughput::Elements(compiled.residuals() as u64));
        group.bench_function("trace each block", |b| {
            b.iter(|| MeshProblem::with_tracing(Energy::Smooth, &mesh, Tracing::EachBlock));
        });
        group.bench_function("trace by template", |b| {
            b.iter(|| MeshProblem::new(Energy::Smooth, &mesh));
        });
        group.bench_function("compile", |b| b.iter(|| problem.compile()));
        for threads in [1, 2] {
            let pool = pool(threads);
            let id = |name: &str| BenchmarkId::new(name, format!("{threads} threads"));
            group.bench_function(id("residuals"), |b| {
                b.iter(|| pool.install(|| compiled.evaluate_residuals(&x, &mut evaluation)));
            });
            group.bench_function(id("residuals and Jacobian"), |b| {
                b.iter(|| pool.install(|| compiled.linearize(&x, &mut evaluation)));
            });
        }

        // Whichever benches were asked for, what they work on is there.
        compiled.linearize(&x, &mut evaluation).expect("a point of the problem");
        let mut equations = NormalEquations::new(&compiled, problem.parameters()).expect("a small problem");
        equations.refill(&compiled, &evaluation);
        refill(&mut group, &compiled, &evaluation, &mut equations);
        for threads in [1, 2] {
            let pool = pool(threads);
            let id = |name: &str| BenchmarkId::new(name, format!("{threads} threads"));
            group.bench_function(id("structure and plan"), |b| {
                b.iter_with_large_drop(|| pool.install(|| NormalEquations::new(&compiled, problem.parameters())));
            });
            group.bench_function(id("ordering and symbolic factorisation"), |b| {
                b.iter_with_large_drop(|| {
                    let mut solver = SparseCholesky::default();
                    pool.install(|| solver.analyze(equations.matrix.structure())).map(|_| solver)
                });
            });
        }

        let damping = vec![1e-4; equations.scalars()];
        let mut solution = vec![0.0; equations.scalars()];
        for threads in [1, 2] {
            let pool = pool(threads);
            let mut solver = SparseCholesky::default();
            solver.analyze(equations.matrix.structure()).expect("an analysis");
            group.bench_function(BenchmarkId::new("factor and solve", format!("{threads} threads")), |b| {
                let stop = Stopping::default();
                b.iter(|| {
                    pool.install(|| {
                        let (matrix, gradient) = (&equations.matrix, &equations.gradient);
                        solver.solve(matrix, &damping, gradient, &mut solution, &stop).expect("positive definite")
                    })
                });
            });
        }
        group.finish();
    }
}

/// Refilling the normal equations, beside streaming the bytes that it must touch: with what lies in the caches from the time before,
/// and after other memory went through them, as a factorisation has it.
fn refill(
    group: &mut BenchmarkGroup<'_, WallTime>,
    compiled: &CompiledProblem,
    evaluation: &Evaluation,
    equations: &mut NormalEquations,
) {
    let (read, written) = equations.refill_bytes(compiled);
    let (source, mut target) = (vec![1u64; read / size_of::<u64>()], vec![0u64; written / size_of::<u64>()]);
    let mut other = vec![0u64; OTHER / size_of::<u64>()];
    for threads in [1, 2] {
        let pool = pool(threads);
        let mut refill = || pool.install(|| equations.refill(compiled, evaluation));
        let shares = (source.len().div_ceil(threads), target.len().div_ceil(threads));
        let mut stream = || {
            let pieces = black_box(&source).par_chunks(shares.0).zip(black_box(&mut target).par_chunks_mut(shares.1));
            pool.install(|| {
                pieces.for_each(|(source, target)| {
                    // By way of a buffer in the first-level cache, since copies move as fast as the processor can.
                    let mut buffer = [0u64; 512];
                    for piece in source.chunks(buffer.len()) {
                        black_box(&mut buffer)[..piece.len()].copy_from_slice(piece);
                    }
                    for piece in target.chunks_mut(buffer.len()) {
                        piece.copy_from_slice(&black_box(&buffer)[..piece.len()]);
                    }
                });
            });
        };
        let share = other.len().div_ceil(threads);
        let mut displace = || {
            let pieces = black_box(&mut other).par_chunks_mut(share);
            pool.install(|| pieces.for_each(|piece| piece.iter_mut().for_each(|number| *number += 1)));
        };
        let id = |name: &str| BenchmarkId::new(name, format!("{threads} threads"));
        group.bench_function(id("normal equations"), |b| b.iter(&mut refill));
        group.bench_function(id("stream: bytes the normal equations touch"), |b| b.iter(&mut stream));
        let mut cold = |name: &str, routine: &mut dyn FnMut()| {
            group.bench_function(id(name), |b| {
                b.iter_custom(|iterations| {
                    let timed = |_| {
                        displace();
                        let start = Instant::now();
                        routine();
                        start.elapsed()
                    };
                    (0..iterations).map(timed).sum()
                });
            });
        };
        cold("normal equations, cold caches", &mut refill);
        cold("stream, cold caches", &mut stream);
    }
}

/// One linear solve of a damped bundle adjustment, and what comes before it.
fn schur(criterion: &mut Criterion) {
    for file in bundle::FILES {
        let (name, problem) = bundle::load(file);
        let compiled = problem.compile().expect("residuals");
        let x = problem.parameters().values();
        let mut evaluation = compiled.new_evaluation();
        compiled.linearize(x, &mut evaluation).expect("a start that can be evaluated");
        let mut equations = NormalEquations::new(&compiled, problem.parameters()).expect("a small problem");
        equations.refill(&compiled, &evaluation);
        let damping: Vec<f64> = equations.matrix.diagonal().iter().map(|d| 1e-4 * d.max(1e-6)).collect();
        let mut solution = vec![0.0; equations.scalars()];

        let mut group = criterion.benchmark_group(format!("schur/{name}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(3));
        for threads in [1, 2] {
            let pool = pool(threads);
            let id = |name: &str| BenchmarkId::new(name, format!("{threads} threads"));
            group.bench_function(id("residuals"), |b| {
                b.iter(|| pool.install(|| compiled.evaluate_residuals(x, &mut evaluation)));
            });
            group.bench_function(id("residuals and Jacobian"), |b| {
                b.iter(|| pool.install(|| compiled.linearize(x, &mut evaluation)));
            });
            group.bench_function(id("normal equations"), |b| {
                b.iter(|| pool.install(|| equations.refill(&compiled, &evaluation)));
            });
            let solvers: [Box<dyn LinearSolver>; 2] =
                [Box::new(DenseSchur::default()), Box::new(SparseSchur::default())];
            for mut solver in solvers {
                solver.analyze(equations.matrix.structure()).expect("an analysis");
                group.bench_function(id(solver.name()), |b| {
                    let stop = Stopping::default();
                    b.iter(|| {
                        pool.install(|| {
                            solver.solve(&equations.matrix, &damping, &equations.gradient, &mut solution, &stop)
                        })
                    });
                });
            }
        }
        group.finish();
    }
}

criterion_group!(benches, smooth, schur, fits::independent);
criterion_main!(benches);
