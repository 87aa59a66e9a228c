//! A solve from beginning to end: chooses where it runs, and goes on elsewhere if a device fails.

use super::minimizer::{self, Beginning};
use super::{Progress, SolveError, SolverOptions, SolverReport};
use crate::backend::Backend;
use crate::problem::{CompiledProblem, Problem, ProblemError};
use std::ops::ControlFlow;
use std::pin::Pin;
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
    let compiled = problem.kept_or_compiled()?;
    let beginning = match begin(problem, &compiled, options, start, &mut callback).await? {
        Begun::Done(report) => return Ok(*report),
        Begun::OnCpu(beginning) => beginning,
    };
    minimizer::minimize(problem, &compiled, options, beginning, start, callback).await
}

/// What is left to do on the CPU.
enum Begun {
    /// Nothing.
    #[cfg_attr(not(feature = "gpu"), expect(dead_code, reason = "there is no device to do it all"))]
    Done(Box<SolverReport>),
    OnCpu(Beginning),
}

/// Solves on a device if one is asked for, or is worth it and there.
#[cfg(feature = "gpu")]
async fn begin(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    start: Instant,
    callback: &mut impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Begun, SolveError> {
    use super::on_device::{self, Solved};
    use super::placement::{self, Placement};
    use crate::backend::gpu::GpuContext;
    if options.backend == Backend::Cpu {
        return Ok(Begun::OnCpu(Beginning::cpu("asked for")));
    }
    let context = async || match &options.gpu {
        Some(context) => Ok(context.clone()),
        None => GpuContext::request_shared().await,
    };
    Ok(match placement::choose(problem, compiled, options, context).await? {
        Placement::Cpu(reason) => Begun::OnCpu(Beginning::cpu(reason)),
        Placement::Device(device) => {
            match on_device::solve(problem, compiled, options, device, start, &mut *callback).await? {
                Solved::Done(report) => Begun::Done(report),
                Solved::Failed { reason, earlier } => Begun::OnCpu(Beginning { earlier, ..Beginning::cpu(reason) }),
            }
        }
        Placement::Hybrid { device, groups } => {
            let report = on_device::assist(problem, compiled, options, device, &groups, start, callback).await?;
            Begun::Done(Box::new(report))
        }
    })
}

/// Without a GPU backend, `Backend::Auto` is the CPU and `Backend::Gpu` an error.
#[cfg(not(feature = "gpu"))]
async fn begin(
    _: &mut Problem,
    _: &CompiledProblem,
    options: &SolverOptions,
    _: Instant,
    _: &mut impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<Begun, SolveError> {
    let reason = match options.backend {
        Backend::Cpu => "asked for".to_owned(),
        other => other.select()?.reason,
    };
    Ok(Begun::OnCpu(Beginning::cpu(reason)))
}
