//! Solves on a device, wholly or in part, and reports it.

use super::beginning::{Beginning, Earlier};
use super::device::{DeviceFailure, DeviceOutcome, DeviceSolve, OnDevice, Pending, settings, submit_start, upload};
use super::evaluator::{Evaluator, Hybrid};
use super::finite::check_finite;
use super::minimizer;
use super::placement::precision;
use super::report::{DeviceSummary, Progress, SolverReport, StageTimes, Termination, summaries};
use super::{LinearSolverKind, SolveError, SolverOptions};
use crate::backend::gpu::{GpuContext, GpuStatistics};
use crate::backend::{Backend, Selection, cpu};
use crate::device::{DeviceProblem, DeviceStart, Early};
use crate::kernel::wgsl::{Format, Formats};
use crate::problem::{CompiledProblem, Draft, Evaluation, Problem};
use std::ops::ControlFlow;
use web_time::Instant;

/// What came of a solve on a device.
pub(super) enum Solved {
    /// The report.
    Done(Box<SolverReport>),
    /// The device failed; the parameters are at the last accepted point that was read back.
    Failed {
        /// Why.
        reason: String,
        /// What it did until there, if anything.
        earlier: Option<Earlier>,
    },
}

/// A device to solve on.
pub(super) struct Device {
    pub context: GpuContext,
    pub formats: Formats,
    pub notes: Vec<String>,
    /// What was begun before the problem was in order.
    pub early: Early<Pending>,
}

impl Device {
    /// Compiles a problem, and begins it on the device.
    pub fn begin(&mut self, problem: &Problem, draft: Draft<'_>, options: &SolverOptions) -> CompiledProblem {
        // Not the problem itself: what it keeps in a browser stays on one thread.
        let (parameters, formats) = (problem.parameters(), self.formats);
        let begin = |start: &DeviceStart| submit_start(start, options);
        let settings = settings(options, formats);
        let (compiled, early) = Early::compile(&self.context, draft, parameters, formats, &settings, begin);
        self.early = early;
        compiled
    }

    /// Whether it keeps the problem from an earlier solve.
    pub fn has(&self, problem: &Problem, options: &SolverOptions) -> bool {
        let kept = problem.kept_device().and_then(|kept| kept.downcast_ref::<DeviceProblem>());
        kept.is_some_and(|kept| kept.suits(&self.context, self.formats, &settings(options, self.formats)))
    }

    fn name(&self) -> &str {
        &self.context.info().name
    }
}

/// Solves on the device, and leaves the parameters at the best accepted point.
pub(super) async fn solve(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    mut device: Device,
    start: Instant,
    callback: impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Solved, SolveError> {
    let (context, early) = (&device.context, std::mem::replace(&mut device.early, Early::Kernels(None)));
    let before = context.statistics();
    let there = OnDevice { kept: problem.take_device().and_then(|kept| kept.downcast().ok()), early };
    let to = (context, device.formats);
    let parameters = problem.parameters();
    let (started, uploaded) =
        rayon::join(|| evaluated(compiled, parameters.values()), || upload(to, compiled, parameters, options, there));
    let ordered;
    let (compiled, started, uploaded) = match uploaded.transpose() {
        Some(uploaded) => (compiled, started, uploaded),
        None if cfg!(target_arch = "wasm32") => unreachable!("no order is found by a browser's device"),
        // The device did not find the order.
        None => {
            let in_order = problem.compile()?;
            ordered = problem.keep_compiled(in_order);
            let parameters = problem.parameters();
            let (started, uploaded) = rayon::join(
                || evaluated(&ordered, parameters.values()),
                || upload(to, &ordered, parameters, options, OnDevice::nothing()),
            );
            (&*ordered, started, uploaded.map(|uploaded| uploaded.expect("it is in order")))
        }
    };
    let (initial_cost, mut evaluation) = started?;
    let parameters = problem.parameters();
    let outcome = match uploaded {
        Ok((uploaded, first)) => DeviceSolve::new(uploaded, parameters, options, start, callback).run(first).await,
        Err(error) => {
            let x = parameters.values().to_vec();
            Err(Box::new(DeviceFailure { error, iterations: Vec::new(), x }))
        }
    };
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(failure) => return Ok(failed(problem, &device, *failure, initial_cost)),
    };
    let done = outcome.iterations.len().saturating_sub(1);
    let invalid = outcome.termination == Termination::InvalidSteps;
    // The judge of every device is the evaluation in double precision on the CPU.
    compiled.evaluate_objective(&outcome.x, &mut evaluation)?;
    let judged = Judged::new(initial_cost, evaluation.cost(), outcome.termination, outcome.message.clone());
    if judged.lower {
        problem.parameters.values_mut().copy_from_slice(&outcome.x);
    }
    let message = match &outcome.invalid_x {
        Some(trial) if invalid && judged.lower => {
            // A derivative at the accepted point that is not finite lets no step be computed.
            compiled.linearize(&outcome.x, &mut evaluation)?;
            check_finite(compiled, &outcome.x, &evaluation, judged.final_cost, done)?;
            compiled.evaluate_objective(trial, &mut evaluation)?;
            let what = compiled.find_non_finite(trial, &Evaluation { stored: Vec::new(), ..evaluation });
            let what = what.map_or("the linear system could not be solved".to_owned(), |residual| residual.to_string());
            format!("{}: {what}", judged.message)
        }
        _ => judged.message,
    };
    let (report, on_device) = report(problem, compiled, options, &device, outcome, start);
    problem.keep_device(on_device);
    Ok(Solved::Done(Box::new(SolverReport {
        termination: judged.termination,
        message,
        initial_cost,
        final_cost: judged.final_cost,
        device: report.device.map(|summary| summarised(context.statistics() - before, summary)),
        ..report
    })))
}

/// The cost at the start point in double precision, with the evaluation that it comes from, which is finite.
fn evaluated(compiled: &CompiledProblem, x: &[f64]) -> Result<(f64, Evaluation), SolveError> {
    let mut evaluation = Evaluation::default();
    compiled.linearize_with_objective(x, &mut evaluation)?;
    let cost = evaluation.cost();
    check_finite(compiled, x, &evaluation, cost, 0)?;
    Ok((cost, evaluation))
}

/// Leaves the parameters where a device that failed was last seen.
fn failed(problem: &mut Problem, device: &Device, failure: DeviceFailure, initial_cost: f64) -> Solved {
    let DeviceFailure { error, iterations, x } = failure;
    problem.parameters.values_mut().copy_from_slice(&x);
    let (name, done) = (device.name(), iterations.len().saturating_sub(1));
    let reason = if iterations.is_empty() {
        format!("{name} cannot take the problem: {}", error.brief())
    } else {
        format!("{name} failed, and the CPU went on from iteration {done}: {}", error.brief())
    };
    let earlier = (!iterations.is_empty()).then_some(Earlier { initial_cost, iterations });
    Solved::Failed { reason, earlier }
}

/// Solves on the CPU, with the groups evaluated on the device that can be.
pub(super) async fn assist(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    device: Device,
    groups: &[usize],
    start: Instant,
    callback: impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<SolverReport, SolveError> {
    let context = &device.context;
    let format: Format = device.formats.real;
    let x = problem.parameters().values().to_vec();
    let before = context.statistics();
    let began = Instant::now();
    let hybrid = match Hybrid::new(context, compiled, problem.parameters(), groups, format, options.batch_size) {
        Ok(hybrid) => hybrid,
        Err(error) => {
            let threads = rayon::current_num_threads();
            let reason = format!("{} cannot take the problem: {}", device.name(), error.brief());
            return minimizer::minimize(problem, compiled, options, Beginning::cpu(threads, reason), start, callback)
                .await;
        }
    };
    let (compile_s, memory_bytes) = (began.elapsed().as_secs_f64(), hybrid.device_bytes());
    let beginning = Beginning {
        selection: Selection {
            backend: Backend::Gpu,
            device: format!("{} and {}", device.name(), cpu::device_name()),
            reason: reason(options).to_owned(),
        },
        threads: rayon::current_num_threads(),
        notes: device.notes.clone(),
        precision: precision(format),
        evaluator: Evaluator::Hybrid(Box::new(hybrid)),
        earlier: None,
    };
    let mut report = minimizer::minimize(problem, compiled, options, beginning, start, callback).await?;
    let mut evaluation = Evaluation::default();
    compiled.evaluate_objective(&x, &mut evaluation)?;
    let initial_cost = evaluation.cost();
    compiled.evaluate_objective(problem.parameters().values(), &mut evaluation)?;
    let judged = Judged::new(initial_cost, evaluation.cost(), report.termination, report.message);
    if !judged.lower {
        problem.parameters.values_mut().copy_from_slice(&x);
    }
    report.times_s.compile += compile_s;
    report.times_s.total = start.elapsed().as_secs_f64() + report.times_s.trace;
    let summary = DeviceSummary { memory_bytes, ..DeviceSummary::default() };
    Ok(SolverReport {
        termination: judged.termination,
        message: judged.message,
        initial_cost,
        final_cost: judged.final_cost,
        device: Some(summarised(context.statistics() - before, summary)),
        ..report
    })
}

/// The result in double precision.
struct Judged {
    /// Whether it is no worse than the start, which is kept otherwise: single precision cannot always hold the point it started from.
    lower: bool,
    final_cost: f64,
    termination: Termination,
    message: String,
}

impl Judged {
    fn new(initial_cost: f64, final_cost: f64, termination: Termination, message: String) -> Self {
        if final_cost <= initial_cost {
            return Judged { lower: true, final_cost, termination, message };
        }
        let termination = Termination::PrecisionLimit;
        let message = format!("{}; the start point is kept", termination.describe());
        Judged { lower: false, final_cost: initial_cost, termination, message }
    }
}

fn reason(options: &SolverOptions) -> &'static str {
    if options.backend == Backend::Gpu { "asked for" } else { "large enough to pay" }
}

/// The report of a solve on a device, but for the costs; the problem as it is on the device too.
fn report(
    problem: &Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    device: &Device,
    outcome: DeviceOutcome,
    start: Instant,
) -> (SolverReport, Box<DeviceProblem>) {
    let parameters = problem.parameters();
    let free = |block: &usize| !parameters.is_fixed(*block);
    let free_scalars = |block: usize| {
        let held = parameters.fixed(block).map_or(0, |flags| flags.iter().filter(|held| **held).count());
        parameters.tangent_size(block) - held
    };
    let trace = problem.trace_time().as_secs_f64();
    let times_s = StageTimes {
        trace,
        compile: compiled.compile_time.as_secs_f64() + outcome.compile_s,
        evaluate: stage_time(&outcome.stage_times, "evaluate"),
        linear_solve: stage_time(&outcome.stage_times, "linear solve"),
        device_loop: outcome.loop_s,
        total: start.elapsed().as_secs_f64() + trace,
        ..StageTimes::default()
    };
    let report = SolverReport {
        termination: outcome.termination,
        message: outcome.message,
        initial_cost: f64::NAN,
        final_cost: f64::NAN,
        iterations: outcome.iterations,
        parameter_blocks: (parameters.blocks(), (0..parameters.blocks()).filter(free).count()),
        parameters: (parameters.values().len(), (0..parameters.blocks()).filter(free).map(free_scalars).sum()),
        residual_blocks: problem.residual_blocks(),
        residuals: compiled.residuals(),
        groups: summaries(compiled),
        compile: compiled.statistics,
        backend: Selection {
            backend: Backend::Gpu,
            device: device.name().to_owned(),
            reason: reason(options).to_owned(),
        },
        notes: device.notes.clone(),
        precision: precision(device.formats.real),
        threads: rayon::current_num_threads(),
        linear_solver: describe_linear_solver(outcome.eliminated, outcome.schur_jacobi),
        linear_solver_reason: reason_for_linear_solver(options.linear_solver, outcome.eliminated),
        problem_bytes: problem.bytes_with(compiled),
        normal_equations_bytes: 0,
        factor_bytes: 0,
        factorizations: 0,
        device: Some(DeviceSummary {
            memory_bytes: outcome.device_bytes,
            stage_times_s: outcome.stage_times,
            ..DeviceSummary::default()
        }),
        times_s,
    };
    (report, outcome.device)
}

/// With what the context counted meanwhile.
pub(super) fn summarised(statistics: GpuStatistics, summary: DeviceSummary) -> DeviceSummary {
    DeviceSummary {
        kernels_compiled: statistics.kernels_compiled,
        kernel_cache_hits: statistics.kernel_cache_hits,
        bytes_up: statistics.bytes_up,
        bytes_down: statistics.bytes_down,
        dispatches: statistics.dispatches,
        ..summary
    }
}

fn stage_time(times: &[(String, f64)], stage: &str) -> f64 {
    times.iter().filter(|(name, _)| name == stage).fold(0.0, |sum, (_, seconds)| sum + seconds)
}

fn reason_for_linear_solver(kind: LinearSolverKind, eliminated: usize) -> String {
    match kind {
        LinearSolverKind::IterativeSchur if eliminated == 0 => {
            "asked for was a Schur complement, but a device eliminates blocks only if at most a third of the unknowns is left"
        }
        LinearSolverKind::Auto if eliminated > 0 => "on a device; at most a third of the unknowns is left",
        LinearSolverKind::Auto => "on a device; eliminating blocks would leave more than a third of the unknowns",
        _ => "asked for",
    }
    .to_owned()
}

fn describe_linear_solver(eliminated: usize, schur_jacobi: bool) -> String {
    let preconditioner = if schur_jacobi { "Schur-Jacobi" } else { "block-Jacobi" };
    let gradients = format!("conjugate gradients with {preconditioner} preconditioning on the device");
    if eliminated == 0 {
        return format!("{gradients}, J stored");
    }
    format!("{gradients}, on the Schur complement of {eliminated} blocks")
}
