//! Levenberg-Marquardt that stays on the device.
//!
//! A step is recorded as a whole (conjugate gradients, trial, decision, evaluation at the new point) and handed over without
//! waiting: the decision is the device's. The host reads a small state one step behind, reports it, and stops recording when
//! the state says that the solve is over. Conjugate gradients that end early leave the rest of their dispatches idle, so that
//! the number recorded follows what the steps before needed; a step cut short is an inexact one, nothing worse.

use super::bounds::DeviceBounds;
use super::minimizer::{NOISE, POLISHED, ROUNDING, SMALL_PROMISE};
use super::placement::rounding;
use super::report::{IterationRecord, Progress, Termination};
use super::{LinearSolverKind, SolverOptions};
use crate::backend::gpu::{Commands, Download, GpuContext, GpuError, Submission};
use crate::device::{DeviceProblem, DeviceStart, Early, Settings};
use crate::kernel::wgsl::{Format, Formats, Slot, state};
use crate::linear::SchurPreconditioner;
use crate::problem::{CompiledProblem, Parameters};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use web_time::Instant;

/// Most iterations of conjugate gradients a step, whatever the options say: each takes its bytes on the device.
const MOST_ITERATIONS: usize = 1 << 16;
/// Iterations of conjugate gradients that a first step gets.
const FIRST_ITERATIONS: usize = 32;
/// Up to this many, every step gets the most that the options allow.
const FIXED_ITERATIONS: usize = 64;
/// Points of at most this many bytes are read back after every step, larger ones now and then.
const SMALL_POINT: u64 = 1 << 20;

/// Numbers that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// How a solve on a device went.
pub(super) struct DeviceOutcome {
    pub termination: Termination,
    pub message: String,
    pub iterations: Vec<IterationRecord>,
    /// The accepted point.
    pub x: Vec<f64>,
    /// After too many invalid steps, the point that the last of them led to.
    pub invalid_x: Option<Vec<f64>>,
    pub stage_times: Vec<(String, f64)>,
    /// Seconds of the loop.
    pub loop_s: f64,
    pub device_bytes: u64,
    pub compile_s: f64,
    /// The problem as it is on the device.
    pub device: Box<DeviceProblem>,
    /// Blocks that were eliminated before each linear system was solved.
    pub eliminated: usize,
    /// Whether the diagonal blocks of the Schur complement were the preconditioner.
    pub schur_jacobi: bool,
}

/// A device that failed: why, and the last accepted point that is known.
pub(super) struct DeviceFailure {
    pub error: GpuError,
    /// Up to the point; later ones are lost.
    pub iterations: Vec<IterationRecord>,
    pub x: Vec<f64>,
}

/// What the kernels have to know of the options.
pub(super) fn settings(options: &SolverOptions, formats: Formats) -> Settings {
    // The kernels hold them in single precision.
    let most = f64::from(f32::MAX);
    let rounding = rounding(formats.real);
    Settings {
        max_invalid_steps: u32::try_from(options.max_consecutive_invalid_steps).unwrap_or(u32::MAX),
        jacobi_scaling: options.jacobi_scaling,
        function_tolerance: options.function_tolerance.min(most),
        gradient_tolerance: options.gradient_tolerance.min(most),
        parameter_tolerance: options.parameter_tolerance.min(most),
        min_gain_ratio: options.min_gain_ratio.min(most),
        min_diagonal: options.min_diagonal.min(most),
        max_diagonal: options.max_diagonal.min(most),
        min_radius: options.min_trust_region_radius,
        max_radius: options.max_trust_region_radius.min(most),
        initial_radius: options.initial_trust_region_radius.min(most),
        forcing: options.forcing.min(most),
        rounding: ROUNDING * rounding,
        small_promise: SMALL_PROMISE * ROUNDING * rounding,
        // In single precision the gradient is no guide where the cost is not.
        noise: if formats.real == Format::F32 { 0.0 } else { NOISE * rounding },
        polished: POLISHED * POLISHED,
        max_iterations: options.max_iterations,
        max_linear_iterations: options.max_linear_iterations.clamp(1, MOST_ITERATIONS),
        eliminate: options.linear_solver != LinearSolverKind::Pcg,
        schur_jacobi: options.schur_preconditioner == SchurPreconditioner::SchurJacobi,
        batch_size: options.batch_size,
        // Where a matrix is assembled, the host needs the lists and the order.
        matrix_bytes: options.device_order.map(|_| 0),
        device_lists: options.device_order,
        device_order: options.device_order,
        idle_workgroups: 0,
    }
}

/// A step, or the evaluation at the start, that was handed over: its state, and the point if it is read back.
pub(super) struct Pending {
    submission: Submission,
    state: Download,
    point: Option<Download>,
    linear_iterations: usize,
}

/// Why a solve is over, and who found it so.
struct Stop {
    termination: Termination,
    message: String,
    /// The host: a step may be under way that the device goes on to take.
    by_host: bool,
}

/// A problem on a device, at the start point.
pub(super) struct Uploaded {
    device: Box<DeviceProblem>,
    /// Seconds it took.
    compile_s: f64,
}

/// What of a problem is on a device already.
pub(super) struct OnDevice {
    /// All of it, perhaps for another kind of solve.
    pub kept: Option<Box<DeviceProblem>>,
    /// What was begun before the problem was in order.
    pub early: Early<Pending>,
}

impl OnDevice {
    pub fn nothing() -> Self {
        OnDevice { kept: None, early: Early::Kernels(None) }
    }
}

/// Uploads the problem, no more than the point if the rest is there, and has the device evaluate it as soon as it can. `None` if it did not
/// find the order of a problem that is as it was stated.
pub(super) fn upload(
    (context, formats): (&GpuContext, Formats),
    compiled: &CompiledProblem,
    parameters: &Parameters,
    options: &SolverOptions,
    there: OnDevice,
) -> Result<Option<(Uploaded, Pending)>, GpuError> {
    let began = Instant::now();
    let settings = settings(options, formats);
    let begin = |start: &DeviceStart| submit_start(start, options);
    let (device, first) = match there.kept.filter(|kept| kept.suits(context, formats, &settings)) {
        Some(kept) => {
            kept.restart(parameters.values(), &settings)?;
            let first = begin(kept.start())?;
            (kept, first)
        }
        None => {
            let resumed =
                DeviceProblem::resumed(context, compiled, parameters, formats, &settings, there.early, begin)?;
            let Some((device, first)) = resumed else { return Ok(None) };
            (Box::new(device), first)
        }
    };
    Ok(Some((Uploaded { device, compile_s: began.elapsed().as_secs_f64() }, first)))
}

/// Has the device evaluate at the start point.
pub(super) fn submit_start(start: &DeviceStart, options: &SolverOptions) -> Result<Pending, GpuError> {
    let mut commands = commands(start.context(), options, "start");
    start.record(&mut commands)?;
    let state = commands.download(start.state().raw(), 0..start.state_bytes());
    let submission = commands.submit();
    start.context().check()?;
    Ok(Pending { submission, state, point: None, linear_iterations: 0 })
}

fn commands(context: &GpuContext, options: &SolverOptions, label: &str) -> Commands {
    let commands = context.commands(label);
    if options.device_timing { commands.with_timing() } else { commands }
}

/// A solve on a device.
pub(super) struct DeviceSolve<'a, C> {
    options: &'a SolverOptions,
    device: Box<DeviceProblem>,
    callback: C,
    start: Instant,
    iterations: Vec<IterationRecord>,
    start_point: &'a [f64],
    bounds: DeviceBounds,
    /// The last accepted point read back, if it is not the start point, and the iteration it is of.
    checkpoint: (Option<Vec<f64>>, usize),
    checkpoint_time: Instant,
    max_linear_iterations: usize,
    linear_iterations: usize,
    stage_times: Vec<(String, f64)>,
    compile_s: f64,
}

impl<'a, C: AsyncFnMut(Progress<'_>) -> ControlFlow<()>> DeviceSolve<'a, C> {
    /// Solves what was [uploaded](upload).
    pub fn new(
        uploaded: Uploaded,
        parameters: &'a Parameters,
        options: &'a SolverOptions,
        start: Instant,
        callback: C,
    ) -> Self {
        let Uploaded { device, compile_s } = uploaded;
        let bounds = DeviceBounds::new(parameters, device.formats.real);
        let most = settings(options, device.formats).max_linear_iterations;
        DeviceSolve {
            options,
            device,
            callback,
            start,
            iterations: Vec::new(),
            bounds,
            start_point: parameters.values(),
            checkpoint: (None, 0),
            checkpoint_time: Instant::now(),
            max_linear_iterations: most,
            linear_iterations: if most <= FIXED_ITERATIONS { most } else { FIRST_ITERATIONS },
            stage_times: Vec::new(),
            compile_s,
        }
    }

    /// Runs to the end, from the evaluation at the start on.
    pub async fn run(mut self, first: Pending) -> Result<DeviceOutcome, Box<DeviceFailure>> {
        let began = Instant::now();
        match self.solved(first).await {
            Ok((x, Stop { termination, message, .. })) => Ok(DeviceOutcome {
                invalid_x: match termination {
                    Termination::InvalidSteps => self.read(Slot::TrialPoint).await.ok(),
                    _ => None,
                },
                termination,
                message,
                iterations: self.iterations,
                x,
                stage_times: self.stage_times,
                loop_s: began.elapsed().as_secs_f64(),
                device_bytes: self.device.bytes(),
                eliminated: self.device.eliminated(),
                schur_jacobi: self.device.is_schur_jacobi(),
                compile_s: self.compile_s,
                device: self.device,
            }),
            Err(error) => {
                let x = self.checkpoint().to_vec();
                self.iterations.truncate(self.checkpoint.1 + 1);
                Err(Box::new(DeviceFailure { error, iterations: self.iterations, x }))
            }
        }
    }

    /// The end of the solve, and the point it left.
    async fn solved(&mut self, first: Pending) -> Result<(Vec<f64>, Stop), GpuError> {
        let stop = self.iterate(first).await?;
        Ok((self.final_point(&stop).await?, stop))
    }

    /// Iterates until the device or the host finds that the solve is over.
    async fn iterate(&mut self, first: Pending) -> Result<Stop, GpuError> {
        let mut stop = self.arrive(first, true).await?;
        let mut pending: Option<Pending> = None;
        let mut submitted = 0;
        while stop.is_none() {
            let next = if submitted < self.options.max_iterations {
                submitted += 1;
                Some(self.submit_step()?)
            } else {
                None
            };
            match std::mem::replace(&mut pending, next) {
                Some(arriving) => stop = self.arrive(arriving, true).await?,
                None if pending.is_none() => break,
                None => {}
            }
        }
        let stop = stop.unwrap_or_else(|| {
            let message = format!("{} ({submitted})", Termination::MaxIterations.describe());
            Stop { termination: Termination::MaxIterations, message, by_host: false }
        });
        // A step under way counts if the host stopped the solve and has not the point before it.
        if let Some(last) = pending
            && stop.by_host
            && !self.is_checkpoint_present()
        {
            self.arrive(last, false).await?;
        }
        Ok(stop)
    }

    /// The last accepted point that is here.
    fn checkpoint(&self) -> &[f64] {
        self.checkpoint.0.as_deref().unwrap_or(self.start_point)
    }

    /// Whether the checkpoint is the accepted point of the last iteration recorded.
    fn is_checkpoint_present(&self) -> bool {
        self.checkpoint.1 + 1 == self.iterations.len()
    }

    /// The accepted point. A device that fails only now takes away what came after the checkpoint, which only a solve that goes on on
    /// the CPU makes up for.
    async fn final_point(&self, stop: &Stop) -> Result<Vec<f64>, GpuError> {
        if self.is_checkpoint_present() {
            return Ok(self.checkpoint().to_vec());
        }
        match self.read(Slot::Point).await {
            Err(_) if stop.by_host => Ok(self.checkpoint().to_vec()),
            point => point,
        }
    }

    async fn read(&self, slot: Slot) -> Result<Vec<f64>, GpuError> {
        let mut commands = self.device.context().commands("result");
        let point = commands.download(self.device.buffer(slot).raw(), 0..self.device.parameter_bytes());
        commands.submit();
        let bytes: Vec<u8> = point.read(self.device.context()).await?;
        Ok(self.decode(&bytes))
    }

    /// Parameters from the device; those that did not move keep the digits that its format has not, and bounds hold to the last digit.
    fn decode(&self, bytes: &[u8]) -> Vec<f64> {
        let mut x = self.device.decode_parameters(bytes);
        self.bounds.keep(&mut x);
        let real = self.device.formats.real;
        x.par_iter_mut().zip(self.start_point).with_min_len(STRETCH).for_each(|(x, &exact)| {
            if *x == real.round(exact) {
                *x = exact;
            }
        });
        x
    }

    fn submit_step(&mut self) -> Result<Pending, GpuError> {
        let mut commands = commands(self.device.context(), self.options, "step");
        self.device.record_step(&mut commands, self.linear_iterations)?;
        let state = commands.download(self.device.buffer(Slot::Scalars).raw(), 0..self.device.state_bytes());
        let bytes = self.device.parameter_bytes();
        let due = bytes <= SMALL_POINT || self.checkpoint_time.elapsed() >= self.options.checkpoint_interval;
        let point = due.then(|| commands.download(self.device.buffer(Slot::Point).raw(), 0..bytes));
        let submission = commands.submit();
        if due {
            self.checkpoint_time = Instant::now();
        }
        self.device.context().check()?;
        Ok(Pending { submission, state, point, linear_iterations: self.linear_iterations })
    }

    /// Waits for a step, records it, and says whether the solve is over. `announce`: shows the record to the callback.
    async fn arrive(&mut self, pending: Pending, announce: bool) -> Result<Option<Stop>, GpuError> {
        let context = self.device.context().clone();
        let bytes: Vec<u8> = pending.state.read(&context).await?;
        let numbers = self.device.decode_state(&bytes);
        let number = |place: usize| numbers[place];
        // A step that found the solve over did nothing.
        let first = self.iterations.is_empty();
        let taken = number(state::ITERATION) as usize;
        if !first && taken < self.iterations.len() {
            return Ok(None);
        }
        if let Some(point) = pending.point {
            let bytes: Vec<u8> = point.read(&context).await?;
            self.checkpoint = (Some(self.decode(&bytes)), self.iterations.len());
        }
        for (stage, seconds) in pending.submission.read_stage_times(&context).await? {
            match self.stage_times.iter_mut().find(|(name, _)| *name == stage) {
                Some((_, sum)) => *sum += seconds,
                None => self.stage_times.push((stage, seconds)),
            }
        }
        let linear_iterations = number(state::LINEAR_ITERATIONS) as usize;
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
        let parameters = self.checkpoint.0.as_deref().unwrap_or(self.start_point);
        let asked = match announce {
            true => (self.callback)(Progress { record: &record, parameters }).await,
            false => ControlFlow::Continue(()),
        };
        let relative = record.cost_change.abs() / before;
        let step = record.step_norm;
        self.iterations.push(record);
        let reason = number(state::TERMINATED) as usize;
        if reason != 0 {
            return Ok(Some(self.describe(state::REASONS[reason - 1], relative, step)));
        }
        Ok(self.stopped_by_host(asked))
    }

    fn stopped_by_host(&self, asked: ControlFlow<()>) -> Option<Stop> {
        let stop = |termination, message| Some(Stop { termination, message, by_host: true });
        if asked.is_break() {
            return stop(Termination::Cancelled, "Cancelled by the callback".to_owned());
        }
        let elapsed = self.start.elapsed();
        if self.options.max_time.is_some_and(|limit| elapsed >= limit) {
            let message = format!("{} ({:.3} s)", Termination::TimeLimit.describe(), elapsed.as_secs_f64());
            return stop(Termination::TimeLimit, message);
        }
        if self.options.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
            return stop(Termination::Cancelled, "Cancelled by its flag".to_owned());
        }
        None
    }

    fn describe(&self, reason: &str, relative: f64, step: f64) -> Stop {
        let termination = match reason {
            "FUNCTION_TOLERANCE" => Termination::FunctionTolerance,
            "GRADIENT_TOLERANCE" => Termination::GradientTolerance,
            "PARAMETER_TOLERANCE" => Termination::ParameterTolerance,
            "PRECISION_LIMIT" => Termination::PrecisionLimit,
            "INVALID_STEPS" => Termination::InvalidSteps,
            _ => Termination::TrustRegionCollapsed,
        };
        let last = self.iterations.last();
        let detail = match termination {
            Termination::FunctionTolerance => format!(": relative change {relative:.2e}"),
            Termination::ParameterTolerance => format!(": step {step:.2e}"),
            Termination::GradientTolerance => {
                format!(": |gradient| {:.2e}", last.map_or(0.0, |record| record.gradient_max_norm))
            }
            Termination::TrustRegionCollapsed => {
                format!(": radius {:.1e}", last.map_or(0.0, |record| record.trust_region_radius))
            }
            _ => String::new(),
        };
        Stop { termination, message: termination.describe().to_owned() + &detail, by_host: false }
    }

    /// Records as many iterations as the next step may need.
    fn adapt(&mut self, needed: usize, recorded: usize) {
        let most = self.max_linear_iterations;
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
