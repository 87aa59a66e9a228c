//! A solve from beginning to end: chooses where it runs, and goes on elsewhere if a device fails.

use super::beginning::Beginning;
use super::minimizer;
#[cfg(feature = "gpu")]
use super::on_device::{self, Solved};
#[cfg(feature = "gpu")]
use super::placement::{self, Placement};
use super::planner::TASK_SLOTS;
use super::step::DENSE_PARAMETERS;
use super::{LinearSolverKind, Progress, SolveError, SolverOptions, SolverReport};
#[cfg(feature = "gpu")]
use crate::backend::gpu::GpuContext;
use crate::backend::{Backend, cpu::TASK};
use crate::problem::{CompiledProblem, Problem, ProblemError, SUMMED_TOGETHER};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use web_time::Instant;

/// A callback whatever its type, so that all of a solve is compiled once.
trait Listener {
    fn hear<'a>(&'a mut self, progress: Progress<'a>) -> Pin<Box<dyn Future<Output = ControlFlow<()>> + 'a>>;
}

impl<C: AsyncFnMut(Progress<'_>) -> ControlFlow<()>> Listener for C {
    fn hear<'a>(&'a mut self, progress: Progress<'a>) -> Pin<Box<dyn Future<Output = ControlFlow<()>> + 'a>> {
        Box::pin(self(progress))
    }
}

/// Whether no thread would find a second piece of work, wherever the solve is.
///
/// Then there is nothing to start threads for, which takes as long as a dozen iterations on a handful of blocks, nor to hand the solve over to one.
pub(super) fn is_one_piece(problem: &Problem, options: &SolverOptions) -> bool {
    let dense = matches!(
        options.linear_solver,
        LinearSolverKind::Auto | LinearSolverKind::DenseQr | LinearSolverKind::DenseCholesky
    );
    let on_cpu = match options.backend {
        Backend::Cpu => true,
        Backend::Gpu => false,
        Backend::Auto => problem.residuals() < options.fallback_threshold,
    };
    dense
        && on_cpu
        && problem.parameters().values().len() <= DENSE_PARAMETERS
        && problem.residual_blocks() <= TASK
        && problem.residuals() <= SUMMED_TOGETHER
        && problem.slots() <= TASK_SLOTS
}

/// Solves `problem` in place. On every way out, errors included, the parameters are at the best accepted point.
pub(super) async fn run(
    problem: &mut Problem,
    options: &SolverOptions,
    mut callback: impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<SolverReport, SolveError> {
    solve(problem, options, &mut callback).await
}

async fn solve(
    problem: &mut Problem,
    options: &SolverOptions,
    listener: &mut dyn Listener,
) -> Result<SolverReport, SolveError> {
    let mut callback = async |progress: Progress<'_>| listener.hear(progress).await;
    options.check()?;
    if problem.parameters().blocks() == 0 {
        return Err(ProblemError::Empty { what: "parameters" }.into());
    }
    let start = Instant::now();
    let (compiled, placement) = placed(problem, options).await?;
    let threads = if is_one_piece(problem, options) { 1 } else { rayon::current_num_threads() };
    let beginning = match begin(problem, &compiled, options, (placement, threads), start, &mut callback).await? {
        Begun::Done(report) => return Ok(*report),
        Begun::OnCpu(beginning) => beginning,
    };
    problem.share_tables();
    // By reference, as where a device assists: so that it is compiled once.
    minimizer::minimize(problem, &compiled, options, beginning, start, &mut callback).await
}

/// What is left to do on the CPU.
enum Begun {
    /// Nothing.
    #[cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "there is no device to do it all"))]
    Done(Box<SolverReport>),
    OnCpu(Beginning),
}

/// Compiles the problem, and chooses where it is solved, as soon as that can be told: kernels for a device compile while instances are put in order.
#[cfg(feature = "gpu")]
async fn placed(
    problem: &mut Problem,
    options: &SolverOptions,
) -> Result<(Arc<CompiledProblem>, Placement), SolveError> {
    if options.backend == Backend::Cpu {
        return Ok((problem.kept_or_compiled()?, Placement::Cpu("asked for".to_owned())));
    }
    let context = async || match &options.gpu {
        Some(context) => Ok(context.clone()),
        None => GpuContext::request_shared().await,
    };
    if let Some(kept) = problem.kept_compiled() {
        let placement = placement::choose(problem, kept.named_groups(), options, &context).await?;
        // One that a device found the order of does for that device.
        if kept.is_in_order() || matches!(&placement, Placement::Device(device) if device.has(problem, options)) {
            return Ok((kept, placement));
        }
    }
    let draft = problem.draft()?;
    let mut placement = placement::choose(problem, draft.groups(), options, &context).await?;
    let compiled = match &mut placement {
        Placement::Device(device) => device.begin(problem, draft, options),
        Placement::Cpu(_) | Placement::Hybrid { .. } => draft.ordered(),
    };
    Ok((problem.keep_compiled(compiled), placement))
}

/// Without a GPU backend, `Backend::Auto` is the CPU and `Backend::Gpu` an error.
#[cfg(not(feature = "gpu"))]
async fn placed(problem: &mut Problem, options: &SolverOptions) -> Result<(Arc<CompiledProblem>, String), SolveError> {
    let compiled = problem.kept_or_compiled()?;
    let reason = match options.backend {
        Backend::Cpu => "asked for".to_owned(),
        other => other.select()?.reason,
    };
    Ok((compiled, reason))
}

/// Solves on a device, if that is where to.
#[cfg(feature = "gpu")]
async fn begin(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    (placement, threads): (Placement, usize),
    start: Instant,
    callback: &mut impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Begun, SolveError> {
    Ok(match placement {
        Placement::Cpu(reason) => Begun::OnCpu(Beginning::cpu(threads, reason)),
        Placement::Device(device) => {
            match on_device::solve(problem, compiled, options, device, start, &mut *callback).await? {
                Solved::Done(report) => Begun::Done(report),
                Solved::Failed { reason, earlier } => {
                    Begun::OnCpu(Beginning { earlier, ..Beginning::cpu(threads, reason) })
                }
            }
        }
        Placement::Hybrid { device, groups } => {
            let report = on_device::assist(problem, compiled, options, device, &groups, start, callback).await?;
            Begun::Done(Box::new(report))
        }
    })
}

/// There is no device.
#[cfg(not(feature = "gpu"))]
async fn begin(
    _: &mut Problem,
    _: &CompiledProblem,
    _: &SolverOptions,
    (reason, threads): (String, usize),
    _: Instant,
    _: &mut impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Begun, SolveError> {
    Ok(Begun::OnCpu(Beginning::cpu(threads, reason)))
}
