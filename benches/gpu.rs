//! The stages of a solve on a GPU, on `smooth`: residuals, Jacobian, gradient and diagonal blocks, (JᵀJ + D) p, gradient and JᵀJ p
//! without a stored Jacobian by each way of adding up; and curve fits that are minimised by a lane each.
//!
//! `cargo bench --bench gpu` (levels 4, 6 and 8), `cargo bench --bench gpu -- smooth/6` (one). A time is that of one of many
//! dispatches in one submission. `cargo demo bench --backend gpu` prints a table with bytes and bandwidth beside the times.

mod fits;

use criterion::{Criterion, SamplingMode, criterion_group, criterion_main};
use isograd::backend::gpu::{Commands, GpuContext, GpuError};
use isograd::device::{Accumulation, DeviceProblem, GpuDerivatives, Settings};
use isograd::kernel::wgsl::{Format, Formats};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{Backend, Precision, SolverOptions};
use std::time::{Duration, Instant};

const LEVELS: &[u32] = &[4, 6, 8];

/// On a software adapter there is nothing to learn but that the benches run.
const SOFTWARE_LEVELS: &[u32] = &[1];

/// Dispatches in a submission.
const REPEATED: u64 = 50;

fn formats(context: &GpuContext) -> Vec<(&'static str, Formats)> {
    let mut formats = Vec::new();
    if context.has_f64() {
        formats.push(("f32", Formats { real: Format::F32, sum: Format::F64 }));
        formats.push(("f64", Formats { real: Format::F64, sum: Format::F64 }));
    }
    // Some drivers take half a minute to compile it.
    if !context.is_software() {
        formats.push(("double-f32", Formats { real: Format::DoubleF32, sum: Format::DoubleF32 }));
    }
    formats
}

/// The time of `count` recordings, in submissions of [`REPEATED`].
fn time(context: &GpuContext, count: u64, record: impl Fn(&mut Commands) -> Result<(), GpuError>) -> Duration {
    let submissions = count.div_ceil(REPEATED);
    let start = Instant::now();
    for _ in 0..submissions {
        let mut commands = context.commands("bench");
        (0..REPEATED).try_for_each(|_| record(&mut commands)).expect("kernels that compile");
        commands.submit().wait(context).expect("a device that works");
    }
    start.elapsed().mul_f64(count as f64 / (submissions * REPEATED) as f64)
}

fn smooth(criterion: &mut Criterion) {
    let context = match GpuContext::shared() {
        Ok(context) => context,
        Err(error) => {
            eprintln!("no GPU to bench: {error}");
            return;
        }
    };
    let settings = Settings {
        initial_radius: 1e4,
        max_radius: 1e16,
        max_diagonal: 1e32,
        min_diagonal: 1e-6,
        jacobi_scaling: true,
        max_linear_iterations: 50,
        ..Settings::default()
    };
    let levels = if context.is_software() { SOFTWARE_LEVELS } else { LEVELS };
    for &level in levels {
        let mesh = icosphere(level).expect("a level the generator knows");
        let stated = MeshProblem::new(Energy::Smooth, &mesh).expect("an icosphere has edges");
        let compiled = stated.problem.compile().expect("residuals");
        let parameters = stated.problem.parameters();
        for (name, formats) in formats(&context) {
            let device =
                DeviceProblem::new(&context, &compiled, parameters, formats, &settings).expect("a problem that fits");
            let mut commands = context.commands("start");
            device.record_start(&mut commands).expect("kernels that compile");
            device.record_linear_start(&mut commands).expect("kernels that compile");
            commands.submit().wait(&context).expect("a device that works");

            let mut group = criterion.benchmark_group(format!("smooth/{level}/{name}"));
            group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(2));
            let mut stage = |name: &str, record: &dyn Fn(&mut Commands) -> Result<(), GpuError>| {
                group.bench_function(name, |b| b.iter_custom(|count| time(&context, count, record)));
            };
            stage("residuals", &|commands| device.record_trial_residuals(commands));
            stage("residuals and Jacobian", &|commands| device.record_linearize(commands));
            stage("gradient and diagonal blocks", &|commands| device.record_normal(commands));
            stage("(JᵀJ + D) p", &|commands| device.record_normal_product(commands));
            for accumulation in [Accumulation::Gather, Accumulation::Atomic] {
                // Atomic additions there are only in single precision.
                let Ok(derivatives) = GpuDerivatives::new(&context, &compiled, parameters, formats, accumulation)
                else {
                    continue;
                };
                stage(&format!("gradient, {accumulation:?}"), &|commands| derivatives.record_gradient(commands));
                stage(&format!("JᵀJ p, {accumulation:?}"), &|commands| derivatives.record_jtj_product(commands));
            }
            group.finish();
        }
    }
}

/// Curve fits, each minimised by itself, with their problem stated: by all cores, and by a lane each.
fn components(criterion: &mut Criterion) {
    let Ok(context) = GpuContext::shared() else { return };
    let counts: &[usize] = if context.is_software() { &[100] } else { &[1_000, 10_000, 100_000] };
    for &count in counts {
        let fits = fits::decays(count);
        let mut group = criterion.benchmark_group(format!("components/{count}"));
        group.sampling_mode(SamplingMode::Flat).sample_size(10).measurement_time(Duration::from_secs(1));
        group.warm_up_time(Duration::from_millis(300));
        let mut bench = |name: &str, options: SolverOptions| {
            let (mut problem, blocks) = fits::with_blocks(&fits);
            let starts = problem.parameters().values().to_vec();
            group.bench_function(name, |b| {
                b.iter_custom(|times| {
                    let solve = |_| {
                        for (block, start) in blocks.iter().zip(starts.chunks(3)) {
                            problem.set_parameter_block(*block, start).expect("finite numbers");
                        }
                        let start = Instant::now();
                        let report = problem.solve_independent(&options).expect("a report");
                        assert_eq!(report.backend.backend, options.backend, "{report}");
                        start.elapsed()
                    };
                    (0..times).map(solve).sum()
                });
            });
        };
        bench("CPU", SolverOptions::default());
        for precision in [Precision::F32, Precision::F64, Precision::DoubleF32] {
            let possible = precision != Precision::F64 || context.has_f64();
            if possible && !(precision == Precision::DoubleF32 && context.is_software()) {
                bench(
                    &format!("{precision:?}"),
                    SolverOptions { backend: Backend::Gpu, precision, ..Default::default() },
                );
            }
        }
        group.finish();
    }
}

criterion_group!(benches, smooth, components);
criterion_main!(benches);
