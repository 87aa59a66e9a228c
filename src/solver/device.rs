//! Levenberg-Marquardt that stays on the device.
//!
//! A step is recorded as a whole (conjugate gradients, trial, decision, evaluation at the new point) and handed over without
//! waiting: the decision is the device's. The host reads a small state one step behind, reports it, and stops recording when
//! the state says that the solve is over. Conjugate gradients that end early leave the rest of their dispatches idle, so that
//! the number recorded follows what the steps before needed; a step cut short is an inexact one, nothing worse.

use super::minimizer::{check_finite, summaries};
use super::report::{DeviceSummary, IterationRecord, SolverReport, StageTimes, Termination};
use super::{LinearSolverKind, Precision, SolveError, SolverOptions};
use crate::backend::gpu::{Commands, DeviceProblem, Download, GpuContext, GpuError, Settings};
use crate::backend::{Backend, BackendUnavailable, Selection};
use crate::kernel::wgsl::{self, Format, Formats, Slot, state};
use crate::problem::{CompiledProblem, Evaluation, Parameters, Problem};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Iterations of conjugate gradients that a first step gets.
const FIRST_ITERATIONS: usize = 32;
/// Up to this many, every step gets the most that the options allow.
const FIXED_ITERATIONS: usize = 64;
/// Points of at most this many bytes are read back after every step, larger ones now and then.
const SMALL_POINT: u64 = 1 << 20;
/// How often a large point is read back.
const CHECKPOINT: Duration = Duration::from_millis(250);

/// How a solve on a device went.
pub(super) struct DeviceOutcome {
    pub termination: Termination,
    pub message: String,
    pub iterations: Vec<IterationRecord>,
    /// The accepted point.
    pub x: Vec<f64>,
    pub stage_times: Vec<(String, f64)>,
    pub device_bytes: u64,
    pub compile_s: f64,
}

/// A device that failed in the middle: why, and the last accepted point that is known.
pub(super) struct DeviceFailure {
    pub error: GpuError,
    pub iterations: Vec<IterationRecord>,
    pub x: Vec<f64>,
}

/// What the kernels have to know of the options.
fn settings(options: &SolverOptions, formats: Formats) -> Settings {
    let precision = match formats.real {
        Format::F32 => f64::from(f32::EPSILON),
        Format::F64 => f64::EPSILON,
        Format::DoubleF32 => 2f64.powi(-46),
    };
    Settings {
        max_invalid_steps: options.max_consecutive_invalid_steps as u32,
        jacobi_scaling: options.jacobi_scaling,
        function_tolerance: options.function_tolerance,
        gradient_tolerance: options.gradient_tolerance,
        parameter_tolerance: options.parameter_tolerance,
        min_gain_ratio: options.min_gain_ratio,
        min_diagonal: options.min_diagonal,
        max_diagonal: options.max_diagonal,
        min_radius: options.min_trust_region_radius,
        max_radius: options.max_trust_region_radius,
        initial_radius: options.initial_trust_region_radius,
        forcing: options.forcing,
        rounding: 4.0 * precision,
        small_promise: 4e4 * precision,
        max_linear_iterations: options.max_linear_iterations.max(1),
    }
}

/// A step that was handed over: its state, and the point if it is read back.
struct Pending {
    state: Download,
    point: Option<Download>,
    linear_iterations: usize,
}

/// A solve on a device.
pub(super) struct DeviceSolve<'a, C> {
    options: &'a SolverOptions,
    device: DeviceProblem,
    callback: C,
    start: Instant,
    pub iterations: Vec<IterationRecord>,
    /// The last accepted point read back.
    checkpoint: Vec<f64>,
    checkpoint_time: Instant,
    linear_iterations: usize,
    stage_times: Vec<(String, f64)>,
    compile_s: f64,
}

impl<'a, C: FnMut(&IterationRecord) -> ControlFlow<()>> DeviceSolve<'a, C> {
    /// Uploads the problem.
    pub fn new(
        context: &GpuContext,
        compiled: &CompiledProblem,
        parameters: &Parameters,
        options: &'a SolverOptions,
        formats: Formats,
        start: Instant,
        callback: C,
    ) -> Result<Self, GpuError> {
        let began = Instant::now();
        let settings = settings(options, formats);
        let device = DeviceProblem::new(context, compiled, parameters, formats, &settings)?;
        let fixed = settings.max_linear_iterations <= FIXED_ITERATIONS;
        Ok(DeviceSolve {
            options,
            device,
            callback,
            start,
            iterations: Vec::new(),
            checkpoint: parameters.values().to_vec(),
            checkpoint_time: Instant::now(),
            linear_iterations: if fixed { settings.max_linear_iterations } else { FIRST_ITERATIONS },
            stage_times: Vec::new(),
            compile_s: began.elapsed().as_secs_f64(),
        })
    }

    /// Runs to the end.
    pub fn run(mut self) -> Result<DeviceOutcome, Box<DeviceFailure>> {
        match self.iterate() {
            Ok((termination, message, x)) => Ok(DeviceOutcome {
                termination,
                message,
                iterations: self.iterations,
                x,
                stage_times: self.stage_times,
                device_bytes: self.device.bytes(),
                compile_s: self.compile_s,
            }),
            Err(error) => Err(Box::new(DeviceFailure { error, iterations: self.iterations, x: self.checkpoint })),
        }
    }

    fn iterate(&mut self) -> Result<(Termination, String, Vec<f64>), GpuError> {
        let mut commands = self.device.context().commands("start");
        self.device.record_start(&mut commands);
        let first = Pending { state: self.read_state(&mut commands), point: None, linear_iterations: 0 };
        commands.submit();
        let mut outcome = self.arrive(first)?;
        let mut pending: Option<Pending> = None;
        let mut submitted = 0;
        while outcome.is_none() {
            let next = if submitted < self.options.max_iterations {
                submitted += 1;
                Some(self.submit_step()?)
            } else {
                None
            };
            let Some(arriving) = std::mem::replace(&mut pending, next) else {
                if pending.is_none() {
                    break;
                }
                continue;
            };
            outcome = self.arrive(arriving)?;
        }
        // What is under way has no more to say if the solve is over, and is an accepted step like any other if it was stopped.
        if let Some(last) = pending.take() {
            let later = self.arrive(last)?;
            outcome = outcome.or(later);
        }
        let (termination, message) = outcome.unwrap_or_else(|| {
            let message = format!("{} ({submitted})", Termination::MaxIterations.describe());
            (Termination::MaxIterations, message)
        });
        let mut commands = self.device.context().commands("result");
        let point = commands.download(self.device.buffer(Slot::Point).raw(), 0..self.device.parameter_bytes());
        commands.submit();
        let bytes: Vec<u8> = point.wait(self.device.context())?;
        Ok((termination, message, self.device.decode_parameters(&bytes)))
    }

    fn read_state(&self, commands: &mut Commands) -> Download {
        commands.download(self.device.buffer(Slot::Scalars).raw(), 0..self.device.state_bytes())
    }

    fn submit_step(&mut self) -> Result<Pending, GpuError> {
        let mut commands = self.device.context().commands("step");
        self.device.record_step(&mut commands, self.linear_iterations);
        let state = self.read_state(&mut commands);
        let bytes = self.device.parameter_bytes();
        let due = bytes <= SMALL_POINT || self.checkpoint_time.elapsed() >= CHECKPOINT;
        let point = due.then(|| commands.download(self.device.buffer(Slot::Point).raw(), 0..bytes));
        commands.submit();
        if due {
            self.checkpoint_time = Instant::now();
        }
        self.device.context().check()?;
        Ok(Pending { state, point, linear_iterations: self.linear_iterations })
    }

    /// Waits for a step, records it, and says whether the solve is over.
    fn arrive(&mut self, pending: Pending) -> Result<Option<(Termination, String)>, GpuError> {
        let context = self.device.context().clone();
        let bytes: Vec<u8> = pending.state.wait(&context)?;
        let numbers = self.device.decode_state(&bytes);
        let number = |place: usize| numbers[place];
        if let Some(point) = pending.point {
            let bytes: Vec<u8> = point.wait(&context)?;
            self.checkpoint = self.device.decode_parameters(&bytes);
        }
        // A step that found the solve over did nothing.
        let taken = number(state::ITERATION) as usize;
        if !self.iterations.is_empty() && taken < self.iterations.len() {
            return Ok(None);
        }
        let linear_iterations = number(state::LINEAR_ITERATIONS) as usize;
        let first = self.iterations.is_empty();
        if !first {
            self.adapt(linear_iterations, pending.linear_iterations);
        }
        let cost = number(state::COST);
        let before = self.iterations.last().map_or(cost, |record| record.cost);
        let record = IterationRecord {
            iteration: self.iterations.len(),
            cost,
            cost_change: if first { 0.0 } else { before - number(state::TRIAL_COST) },
            gradient_max_norm: number(state::GRADIENT_MAX),
            step_norm: number(state::STEP_NORM),
            gain_ratio: number(state::GAIN_RATIO),
            trust_region_radius: number(state::RADIUS),
            linear_iterations: if first { 0 } else { linear_iterations },
            accepted: number(state::ACCEPTED) != 0.0,
            elapsed_s: self.start.elapsed().as_secs_f64(),
        };
        let asked = (self.callback)(&record);
        let relative = record.cost_change.abs() / before;
        let step = record.step_norm;
        self.iterations.push(record);
        let reason = number(state::TERMINATED) as usize;
        if reason != 0 {
            return Ok(Some(self.describe(state::REASONS[reason - 1], relative, step)));
        }
        if asked.is_break() {
            return Ok(Some((Termination::Cancelled, "Cancelled by the callback".to_owned())));
        }
        if self.options.max_time.is_some_and(|limit| self.start.elapsed() >= limit) {
            let seconds = self.start.elapsed().as_secs_f64();
            return Ok(Some((
                Termination::TimeLimit,
                format!("{} ({seconds:.3} s)", Termination::TimeLimit.describe()),
            )));
        }
        if self.options.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return Ok(Some((Termination::Cancelled, "Cancelled by its flag".to_owned())));
        }
        Ok(None)
    }

    fn describe(&self, reason: &str, relative: f64, step: f64) -> (Termination, String) {
        let termination = match reason {
            "FUNCTION_TOLERANCE" => Termination::FunctionTolerance,
            "GRADIENT_TOLERANCE" => Termination::GradientTolerance,
            "PARAMETER_TOLERANCE" => Termination::ParameterTolerance,
            "PRECISION_LIMIT" => Termination::PrecisionLimit,
            "INVALID_STEPS" => Termination::InvalidSteps,
            _ => Termination::TrustRegionCollapsed,
        };
        let detail = match termination {
            Termination::FunctionTolerance => format!(": relative change {relative:.2e}"),
            Termination::ParameterTolerance => format!(": step {step:.2e}"),
            Termination::GradientTolerance => {
                let norm = self.iterations.last().map_or(0.0, |record| record.gradient_max_norm);
                format!(": |gradient| {norm:.2e}")
            }
            _ => String::new(),
        };
        (termination, termination.describe().to_owned() + &detail)
    }

    /// Records as many iterations as the next step may need.
    fn adapt(&mut self, needed: usize, recorded: usize) {
        let most = self.options.max_linear_iterations.max(1);
        if most <= FIXED_ITERATIONS {
            return;
        }
        if needed >= recorded {
            self.linear_iterations = (2 * recorded).min(most);
        } else if 2 * needed < self.linear_iterations {
            self.linear_iterations = (needed + needed / 2).clamp(FIRST_ITERATIONS.min(most), most);
        }
    }
}

/// The formats for a precision on a device.
pub(super) fn formats(context: &GpuContext, precision: Precision) -> Result<Formats, SolveError> {
    let doubles = context.has_f64();
    let sum = if doubles { Format::F64 } else { Format::DoubleF32 };
    Ok(match precision {
        Precision::Auto if doubles => Formats { real: Format::F64, sum: Format::F64 },
        Precision::F64 if doubles => Formats { real: Format::F64, sum: Format::F64 },
        Precision::F64 => {
            return Err(SolveError::Backend(BackendUnavailable {
                backend: Backend::Gpu,
                reason: format!("{} has no double precision; Precision::DoubleF32 comes close", context.info().name),
            }));
        }
        Precision::F32 => Formats { real: Format::F32, sum },
        Precision::DoubleF32 | Precision::Auto => Formats { real: Format::DoubleF32, sum: Format::DoubleF32 },
    })
}

/// Where a solve runs.
pub(super) enum Choice {
    /// On the CPU, and why.
    Cpu(String),
    /// On a device.
    Gpu(GpuContext),
}

/// Chooses for a problem; `Backend::Cpu` does not come here.
pub(super) fn choose(
    problem: &Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
) -> Result<Choice, SolveError> {
    let auto = options.backend == Backend::Auto;
    if auto && compiled.residuals() < options.fallback_threshold {
        let (count, threshold) = (compiled.residuals(), options.fallback_threshold);
        return Ok(Choice::Cpu(format!("{count} residuals are fewer than the {threshold} from which a GPU pays")));
    }
    let direct = !matches!(options.linear_solver, LinearSolverKind::Auto | LinearSolverKind::Pcg);
    if auto && direct {
        return Ok(Choice::Cpu("the linear solver asked for runs on the CPU".to_owned()));
    }
    let context = match GpuContext::shared() {
        Ok(context) => context,
        Err(error) if auto => return Ok(Choice::Cpu(format!("no GPU: {error}"))),
        Err(error) => {
            return Err(BackendUnavailable { backend: Backend::Gpu, reason: error.to_string() }.into());
        }
    };
    if auto && context.is_software() {
        return Ok(Choice::Cpu(format!("{} is software, slower than the CPU backend", context.info().name)));
    }
    if direct {
        return Ok(Choice::Cpu("the linear solver asked for runs on the CPU".to_owned()));
    }
    let parameters = problem.parameters();
    if (0..parameters.blocks()).all(|block| parameters.is_fixed(block)) {
        return Ok(Choice::Cpu("every parameter is fixed".to_owned()));
    }
    let format = formats(&context, options.precision)?.real;
    for (index, group) in compiled.groups.iter().enumerate() {
        if let Some(obstacle) = wgsl::obstacle(&group.kernel, format) {
            let name = compiled.name(index).map_or(String::new(), |name| format!(" (\"{name}\")"));
            return Ok(Choice::Cpu(format!("group {index}{name} cannot run on the GPU: {obstacle}")));
        }
    }
    Ok(Choice::Gpu(context))
}

/// What came of a solve on a device.
pub(super) enum Solved {
    /// The report.
    Done(Box<SolverReport>),
    /// The device failed; the parameters are at the last accepted point that was read back.
    Failed {
        /// Why.
        reason: String,
        /// The iterations done.
        earlier: Vec<IterationRecord>,
    },
}

/// Solves on the device, and leaves the parameters at the best accepted point.
pub(super) fn solve(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    context: &GpuContext,
    start: Instant,
    callback: impl FnMut(&IterationRecord) -> ControlFlow<()>,
) -> Result<Solved, SolveError> {
    let formats = formats(context, options.precision)?;
    let mut evaluation = Evaluation::default();
    let x = problem.parameters().values().to_vec();
    compiled.linearize(&x, &mut evaluation)?;
    let initial_cost = evaluation.cost();
    check_finite(compiled, &x, &evaluation, initial_cost, 0)?;
    let before = context.statistics();
    let outcome = DeviceSolve::new(context, compiled, problem.parameters(), options, formats, start, callback)
        .map_err(|error| Box::new(DeviceFailure { error, iterations: Vec::new(), x: x.clone() }))
        .and_then(DeviceSolve::run);
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(failure) => {
            let DeviceFailure { error, iterations, x } = *failure;
            problem.parameters.values_mut().copy_from_slice(&x);
            let name = &context.info().name;
            let done = iterations.len().saturating_sub(1);
            let reason = format!("{name} failed after {done} iterations: {error}");
            return Ok(Solved::Failed {
                reason: reason.lines().next().unwrap_or_default().to_owned(),
                earlier: iterations,
            });
        }
    };
    // The judge of every device is the evaluation in double precision on the CPU.
    compiled.evaluate_residuals(&outcome.x, &mut evaluation)?;
    let mut final_cost = evaluation.cost();
    let (mut termination, mut message) = (outcome.termination, outcome.message);
    if final_cost <= initial_cost {
        problem.parameters.values_mut().copy_from_slice(&outcome.x);
    } else {
        // Single precision cannot always hold the point it started from.
        final_cost = initial_cost;
        termination = Termination::PrecisionLimit;
        message = format!("{}; the start point is kept", termination.describe());
    }
    if termination == Termination::InvalidSteps {
        message = describe_invalid(compiled, &outcome.x, message);
    }
    let statistics = context.statistics() - before;
    let parameters = problem.parameters();
    let free = |block: &usize| !parameters.is_fixed(*block);
    let free_scalars = |block: usize| {
        let held = parameters.fixed(block).map_or(0, |flags| flags.iter().filter(|held| **held).count());
        parameters.size(block) - held
    };
    let times_s = StageTimes {
        trace: problem.trace_time().as_secs_f64(),
        compile: compiled.compile_time.as_secs_f64() + outcome.compile_s,
        evaluate: stage_time(&outcome.stage_times, "evaluate"),
        linear_solve: stage_time(&outcome.stage_times, "linear solve"),
        total: start.elapsed().as_secs_f64() + problem.trace_time().as_secs_f64(),
        ..StageTimes::default()
    };
    Ok(Solved::Done(Box::new(SolverReport {
        termination,
        message,
        initial_cost,
        final_cost,
        iterations: outcome.iterations,
        parameter_blocks: (parameters.blocks(), (0..parameters.blocks()).filter(free).count()),
        parameters: (parameters.values().len(), (0..parameters.blocks()).filter(free).map(free_scalars).sum()),
        residual_blocks: problem.residual_blocks(),
        residuals: compiled.residuals(),
        groups: summaries(compiled),
        compile: compiled.statistics,
        backend: Selection {
            backend: Backend::Gpu,
            device: context.info().name.clone(),
            reason: if options.backend == Backend::Gpu { "asked for" } else { "large enough to pay" }.to_owned(),
        },
        precision: match formats.real {
            Format::F32 => Precision::F32,
            Format::F64 => Precision::F64,
            Format::DoubleF32 => Precision::DoubleF32,
        },
        threads: rayon::current_num_threads(),
        linear_solver: "conjugate gradients with block-Jacobi preconditioning on the device, J stored".to_owned(),
        problem_bytes: compiled.bytes(),
        normal_equations_bytes: 0,
        factor_bytes: 0,
        device: Some(DeviceSummary {
            kernels_compiled: statistics.kernels_compiled,
            kernel_cache_hits: statistics.kernel_cache_hits,
            bytes_up: statistics.bytes_up,
            bytes_down: statistics.bytes_down,
            dispatches: statistics.dispatches,
            memory_bytes: outcome.device_bytes,
            stage_times_s: outcome.stage_times,
        }),
        times_s,
    })))
}

fn stage_time(times: &[(String, f64)], stage: &str) -> f64 {
    times.iter().filter(|(name, _)| name == stage).map(|(_, seconds)| seconds).sum()
}

/// Says which residual the steps ran into, if the accepted point is at fault.
fn describe_invalid(compiled: &CompiledProblem, x: &[f64], message: String) -> String {
    let mut evaluation = Evaluation::default();
    if compiled.linearize(x, &mut evaluation).is_err() {
        return message;
    }
    match compiled.find_non_finite(x, &evaluation) {
        Some(residual) => format!("{message}: {residual}"),
        None => message,
    }
}
