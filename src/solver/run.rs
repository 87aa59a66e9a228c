//! A solve from beginning to end: chooses where it runs, and goes on elsewhere if a device fails.

use super::{IterationRecord, SolveError, SolverOptions, SolverReport, minimizer};
use crate::backend::{Backend, Selection};
use crate::problem::{CompiledProblem, Problem, ProblemError};
use std::ops::ControlFlow;
use std::time::Instant;

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
        if options.backend == Backend::Cpu {
            let compiled = problem.compile()?;
            let selection = Selection::cpu("asked for");
            return minimizer::minimize(problem, &compiled, options, selection, Vec::new(), start, callback);
        }
        #[cfg(feature = "gpu")]
        {
            let compiled = problem.compile()?;
            on_gpu(problem, &compiled, options, start, &mut callback)
        }
        #[cfg(not(feature = "gpu"))]
        {
            let selection = options.backend.select()?;
            let compiled = problem.compile()?;
            minimizer::minimize(problem, &compiled, options, selection, Vec::new(), start, &mut callback)
        }
    })
}

/// Solves on a GPU if one is asked for, or is worth it and there.
#[cfg(feature = "gpu")]
fn on_gpu(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    start: Instant,
    callback: &mut (impl FnMut(&IterationRecord) -> ControlFlow<()> + Send),
) -> Result<SolverReport, SolveError> {
    use super::device;
    let on_cpu = |problem: &mut Problem, reason: String, earlier, callback: &mut _| {
        let callback: &mut dyn FnMut(&IterationRecord) -> ControlFlow<()> = callback;
        minimizer::minimize(problem, compiled, options, Selection::cpu(reason), earlier, start, callback)
    };
    let context = match device::choose(problem, compiled, options)? {
        device::Choice::Cpu(reason) => return on_cpu(problem, reason, Vec::new(), callback),
        device::Choice::Gpu(context) => context,
    };
    match device::solve(problem, compiled, options, &context, start, &mut *callback)? {
        device::Solved::Done(report) => Ok(*report),
        device::Solved::Failed { reason, earlier } => on_cpu(problem, reason, earlier, callback),
    }
}
