//! `bench --backend gpu`: how long the stages of a solve take on a device.

mod clock;
mod row;
mod traffic;

use self::clock::{RUNS, copy_bandwidth, median, per_repetition, raise_clock};
use self::row::Row;
use crate::cli::Bench;
use crate::console::Console;
use isograd::backend::Backend;
use isograd::backend::gpu::{Commands, GpuContext, GpuError};
use isograd::device::{Accumulation, DeviceProblem, DeviceStart, GpuDerivatives, Settings};
use isograd::kernel::wgsl::{Format, Formats, Slot};
use isograd::mesh::energy::MeshProblem;
use isograd::mesh::icosphere;
use isograd::problem::{CompiledProblem, Parameters};
use isograd::{LinearSolverKind, Precision, Problem, SolverOptions};
use std::ops::{ControlFlow, RangeInclusive};
use std::time::Instant;

/// Levels unless some are named.
const LEVELS: RangeInclusive<u32> = 2..=9;
/// The same on a software adapter, which takes minutes for the next.
const SOFTWARE_LEVELS: RangeInclusive<u32> = 2..=3;

/// Iterations of conjugate gradients in a measured step.
const LINEAR_ITERATIONS: usize = 50;

pub(super) fn run(arguments: &Bench, levels: Option<RangeInclusive<u32>>) -> anyhow::Result<()> {
    let console = Console::new(arguments.json);
    let context = GpuContext::shared()?;
    let copy = copy_bandwidth(&context)?;
    console.say(format_args!("{}, copies {:.1} GB/s\n{}", context.info().name, copy / 1e9, Row::HEADER))?;
    let precisions = match arguments.solver.precision.into() {
        Precision::Auto => vec![Precision::F32, Precision::F64, Precision::DoubleF32],
        precision => vec![precision],
    };
    let default = if context.is_software() { SOFTWARE_LEVELS } else { LEVELS };
    for level in levels.unwrap_or(default) {
        let mesh = icosphere(level)?;
        let state = || anyhow::Ok(MeshProblem::new(arguments.energy, &mesh)?.problem);
        for &precision in &precisions {
            let stated = state()?;
            let blank = Row {
                demo: "bench",
                device: context.info().name.clone(),
                problem: format!("icosphere:{level}#{}", arguments.energy),
                level,
                precision,
                parameters: stated.parameters().values().len(),
                residuals: stated.residuals(),
                stage: String::new(),
                seconds: None,
                bytes: None,
                bandwidth_share: None,
                skipped: None,
            };
            let print = |row: Row| -> anyhow::Result<()> {
                let share = |seconds: f64| row.bytes.map(|bytes| bytes as f64 / seconds / copy);
                let row = Row { bandwidth_share: row.seconds.and_then(share), ..row };
                console.say(&row)?;
                Ok(console.json(&row)?)
            };
            let skipped = |stage: &str, reason: String| {
                print(Row { stage: stage.to_owned(), skipped: Some(reason), ..blank.clone() })
            };
            let Some(formats) = formats(&context, precision) else {
                skipped("all", "the device has no such numbers".to_owned())?;
                continue;
            };
            let mut measured = |stage: &str, seconds: f64, bytes: Option<u64>| {
                print(Row { stage: stage.to_owned(), seconds: Some(seconds), bytes, ..blank.clone() })
            };
            match starts(&context, state, (precision, formats), &mut measured) {
                Err(error) if is_too_large(&error) => skipped("starts", error.to_string())?,
                other => other?,
            }
            let compiled = stated.compile()?;
            let subject = Subject { context: &context, compiled: &compiled, parameters: stated.parameters(), formats };
            match subject.solve(&mut measured) {
                Err(error) if is_too_large(&error) => skipped("all", error.to_string())?,
                other => other?,
            }
            for accumulation in [Accumulation::Gather, Accumulation::Atomic] {
                match subject.derivatives(accumulation, &mut measured) {
                    Err(error) if is_too_large(&error) => {
                        skipped(&format!("gradient and JᵀJ p, {accumulation:?}"), error.to_string())?;
                    }
                    other => other?,
                }
            }
        }
    }
    Ok(())
}

/// Whether the device cannot do it, or has not the memory: other rows may still be had.
fn is_too_large(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<GpuError>();
    matches!(error, Some(GpuError::TooLarge { .. } | GpuError::OutOfMemory { .. } | GpuError::Unsupported { .. }))
}

fn formats(context: &GpuContext, precision: Precision) -> Option<Formats> {
    let doubles = context.has_f64();
    let sum = if doubles { Format::F64 } else { Format::DoubleF32 };
    match precision {
        Precision::F32 => Some(Formats { real: Format::F32, sum }),
        Precision::F64 if doubles => Some(Formats { real: Format::F64, sum: Format::F64 }),
        Precision::F64 => None,
        Precision::DoubleF32 | Precision::Auto => Some(Formats { real: Format::DoubleF32, sum: Format::DoubleF32 }),
    }
}

fn settings() -> Settings {
    // Nothing stops these steps but their number.
    Settings {
        max_invalid_steps: u32::MAX,
        jacobi_scaling: true,
        function_tolerance: 0.0,
        gradient_tolerance: 0.0,
        parameter_tolerance: 0.0,
        min_gain_ratio: 1e-3,
        min_diagonal: 1e-6,
        max_diagonal: 1e32,
        min_radius: 0.0,
        max_radius: 1e16,
        initial_radius: 1e4,
        forcing: 0.0,
        rounding: 0.0,
        small_promise: 0.0,
        max_linear_iterations: LINEAR_ITERATIONS,
        ..Settings::default()
    }
}

/// How long problems take that are stated anew, up to the end of their first evaluation. Kernels are compiled once in a process; the device
/// has been busy before all but the first, as it is in a program that solves one problem after the other.
fn starts(
    context: &GpuContext,
    state: impl Fn() -> anyhow::Result<Problem>,
    (precision, formats): (Precision, Formats),
    measured: &mut Measured<'_>,
) -> anyhow::Result<()> {
    for stage in ["compile, upload and first evaluation", "the same with known kernels"] {
        let problem = state()?;
        let start = Instant::now();
        let evaluate = |at: &DeviceStart| evaluated(context, at, start);
        let (_, device) = DeviceProblem::compile(context, &problem, formats, &settings(), evaluate)?;
        let (device, seconds) = device?;
        measured(stage, seconds, None)?;
        raise_clock(context, |commands| device.record_linearize(commands))?;
    }
    let mut problem = state()?;
    let options = SolverOptions {
        backend: Backend::Gpu,
        gpu: Some(context.clone()),
        precision,
        linear_solver: LinearSolverKind::Pcg,
        max_linear_iterations: LINEAR_ITERATIONS,
        ..SolverOptions::default()
    };
    let (start, mut first) = (Instant::now(), None);
    problem.solve_with(&options, |_| {
        first = Some(start.elapsed().as_secs_f64());
        ControlFlow::Break(())
    })?;
    first.map_or(Ok(()), |seconds| measured("the same by Problem::solve, with its cost in f64", seconds, None))
}

/// Seconds from `start` to the end of the evaluation at the start point.
fn evaluated(context: &GpuContext, at: &DeviceStart, start: Instant) -> Result<f64, GpuError> {
    let mut commands = context.commands("start");
    at.record(&mut commands)?;
    commands.submit().wait(context)?;
    Ok(start.elapsed().as_secs_f64())
}

/// A problem to measure in one format.
struct Subject<'a> {
    context: &'a GpuContext,
    compiled: &'a CompiledProblem,
    parameters: &'a Parameters,
    formats: Formats,
}

/// Takes a stage, its seconds, and the bytes that it cannot but move.
type Measured<'m> = dyn FnMut(&str, f64, Option<u64>) -> anyhow::Result<()> + 'm;

impl Subject<'_> {
    fn device(&self) -> Result<DeviceProblem, GpuError> {
        DeviceProblem::new(self.context, self.compiled, self.parameters, self.formats, &settings())
    }

    /// The stages of a solve.
    fn solve(&self, measured: &mut Measured<'_>) -> anyhow::Result<()> {
        let start = Instant::now();
        let evaluate = |at: &DeviceStart| evaluated(self.context, at, start);
        let (device, uploaded) =
            DeviceProblem::begun(self.context, self.compiled, self.parameters, self.formats, &settings(), evaluate)?;
        measured("upload and first evaluation", uploaded, None)?;
        let start = Instant::now();
        device.restart(self.parameters.values(), &settings())?;
        measured("the same with buffers in place", evaluated(self.context, device.start(), start)?, None)?;
        raise_clock(self.context, |commands| device.record_linearize(commands))?;
        let bytes = |slots: &[Slot]| Some(traffic::bytes(&device, slots));
        let repeat = |record: &dyn Fn(&DeviceProblem, &mut Commands) -> Result<(), GpuError>| {
            per_repetition(self.context, |commands, count| (0..count).try_for_each(|_| record(&device, commands)))
        };
        measured("residuals", repeat(&|d, c| d.record_trial_residuals(c))?, bytes(&traffic::RESIDUALS))?;
        let linearized = repeat(&|d, c| d.record_linearize(c))?;
        measured("residuals and Jacobian", linearized, bytes(&traffic::LINEARIZATION))?;
        measured("gradient and diagonal blocks", repeat(&|d, c| d.record_normal(c))?, bytes(&traffic::NORMAL))?;
        let mut commands = self.context.commands("start of conjugate gradients");
        device.record_linear_start(&mut commands)?;
        commands.submit().wait(self.context)?;
        let product = repeat(&|d, c| d.record_normal_product(c))?;
        measured("(JᵀJ + D) p", product, Some(traffic::product(&device)))?;
        let start = Instant::now();
        device.read(Slot::Point)?;
        measured("read the parameters back", start.elapsed().as_secs_f64(), bytes(&[Slot::Point]))?;
        let moved = traffic::step(&device);
        // A solve has the device to itself.
        drop(device);
        measured("step with 50 iterations", self.step()?, Some(moved))
    }

    /// Seconds of a step.
    fn step(&self) -> anyhow::Result<f64> {
        let steps = 10;
        let mut times = Vec::new();
        for _ in 0..RUNS {
            let device = self.device()?;
            let mut commands = self.context.commands("start");
            device.record_start(&mut commands)?;
            device.record_step(&mut commands, LINEAR_ITERATIONS)?;
            commands.submit().wait(self.context)?;
            let start = Instant::now();
            let mut last = None;
            for _ in 0..steps {
                let mut commands = self.context.commands("step");
                device.record_step(&mut commands, LINEAR_ITERATIONS)?;
                last = Some(commands.submit());
            }
            if let Some(last) = last {
                last.wait(self.context)?;
            }
            times.push(start.elapsed().as_secs_f64() / f64::from(steps));
        }
        Ok(median(times))
    }

    /// Gradient and JᵀJ p without a stored Jacobian.
    fn derivatives(&self, accumulation: Accumulation, measured: &mut Measured<'_>) -> anyhow::Result<()> {
        let derivatives =
            GpuDerivatives::new(self.context, self.compiled, self.parameters, self.formats, accumulation)?;
        derivatives.set_point(self.parameters.values())?;
        derivatives.set_direction(self.parameters.values())?;
        let repeat = |record: &dyn Fn(&mut Commands) -> Result<(), GpuError>| {
            per_repetition(self.context, |commands, count| (0..count).try_for_each(|_| record(commands)))
        };
        let [gradient, product] = traffic::derivatives(&derivatives, accumulation);
        let seconds = repeat(&|commands| derivatives.record_gradient(commands))?;
        measured(&format!("gradient, {accumulation:?}"), seconds, Some(gradient))?;
        let seconds = repeat(&|commands| derivatives.record_jtj_product(commands))?;
        measured(&format!("JᵀJ p, {accumulation:?}"), seconds, Some(product))
    }
}
