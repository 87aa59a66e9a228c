//! A solve from beginning to end: chooses where it runs, and goes on elsewhere if a device fails.

use super::minimizer::{self, Beginning};
use super::{IterationRecord, SolveError, SolverOptions, SolverReport};
use crate::backend::Backend;
use crate::problem::{CompiledProblem, Problem, ProblemError};
use std::ops::ControlFlow;
use std::time::Instant;

/// What sees every iteration.
type Callback<'c> = dyn FnMut(&IterationRecord) -> ControlFlow<()> + Send + 'c;

/// Solves `problem` in place. On every way out, errors included, the parameters are at the best accepted point.
pub(super) fn run(
    problem: &mut Problem,
    options: &SolverOptions,
    mut callback: impl FnMut(&IterationRecord) -> ControlFlow<()> + Send,
) -> Result<SolverReport, SolveError> {
    options.check()?;
    if problem.parameters().blocks() == 0 {
        return Err(ProblemError::Empty { what: "parameters" }.into());
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build()
        .map_err(|error| SolveError::Threads { threads: options.threads, reason: error.to_string() })?;
    pool.install(|| {
        let start = Instant::now();
        let compiled = problem.compile()?;
        if options.backend == Backend::Cpu {
            return minimizer::minimize(problem, &compiled, options, Beginning::cpu("asked for"), start, callback);
        }
        elsewhere(problem, &compiled, options, start, &mut callback)
    })
}

/// Solves on a device if one is asked for, or is worth it and there.
#[cfg(feature = "gpu")]
fn elsewhere(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    start: Instant,
    callback: &mut Callback<'_>,
) -> Result<SolverReport, SolveError> {
    use super::on_device::{self, Solved};
    use super::placement::{self, Placement};
    use crate::backend::gpu::GpuContext;
    let context = || options.gpu.clone().map_or_else(GpuContext::shared, Ok);
    let beginning = match placement::choose(problem, compiled, options, context)? {
        Placement::Cpu(reason) => Beginning::cpu(reason),
        Placement::Device(device) => match on_device::solve(problem, compiled, options, device, start, &mut *callback)?
        {
            Solved::Done(report) => return Ok(*report),
            Solved::Failed { reason, earlier } => Beginning { earlier, ..Beginning::cpu(reason) },
        },
        Placement::Hybrid { device, groups } => {
            return on_device::assist(problem, compiled, options, device, &groups, start, callback);
        }
    };
    minimizer::minimize(problem, compiled, options, beginning, start, callback)
}

/// Without a GPU backend, `Backend::Auto` is the CPU and `Backend::Gpu` an error.
#[cfg(not(feature = "gpu"))]
fn elsewhere(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    start: Instant,
    callback: &mut Callback<'_>,
) -> Result<SolverReport, SolveError> {
    let beginning = Beginning::cpu(options.backend.select()?.reason);
    minimizer::minimize(problem, compiled, options, beginning, start, callback)
}
