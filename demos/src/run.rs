//! A solve as the command line asks for it.

use crate::cli::{Files, Method, Solver};
use crate::console::Console;
use crate::output::{Folder, default_folder};
use crate::picture::SolveProgress;
use isograd::backend::BackendUnavailable;
use isograd::{Backend, IterationRecord, Precision, SolverOptions};
use std::io;
use std::ops::ControlFlow;

/// Stop only where double precision ends: final costs then agree with any other solver that is as strict.
const TOLERANCE: f64 = 1e-12;
/// Most iterations, if the command line does not say.
const MAX_ITERATIONS: usize = 200;

/// The options that the command line means.
pub fn options(solver: &Solver) -> SolverOptions {
    SolverOptions {
        backend: solver.backend.into(),
        precision: solver.precision.into(),
        threads: solver.threads,
        max_iterations: solver.max_iterations.unwrap_or(MAX_ITERATIONS),
        function_tolerance: TOLERANCE,
        gradient_tolerance: TOLERANCE,
        parameter_tolerance: TOLERANCE,
        device_timing: true,
        ..SolverOptions::default()
    }
}

/// Fails before anything else happens where a backend was asked for that cannot be had. `Auto` opens no device here: small problems
/// need none.
///
/// # Errors
/// If there is no GPU.
pub fn check_backend(backend: Backend) -> Result<(), BackendUnavailable> {
    if backend == Backend::Gpu {
        backend.select()?;
    }
    Ok(())
}

/// The same with a linear solver.
pub fn options_with(solver: &Solver, method: &Method) -> SolverOptions {
    SolverOptions { linear_solver: method.linear_solver.into(), ..options(solver) }
}

/// Runs `solve` with a callback that moves a progress bar. The bar is gone when this returns.
pub fn with_progress<R>(
    options: &SolverOptions,
    console: Console,
    solve: impl FnOnce(&mut (dyn FnMut(&IterationRecord) -> ControlFlow<()> + Send)) -> R,
) -> R {
    let progress = SolveProgress::new(options.max_iterations as u64, console.is_json());
    solve(&mut |record| {
        let gradient = Some(record.gradient_max_norm);
        let step = (record.iteration > 0).then_some(record.step_norm);
        progress.update(record.iteration as u64, record.cost, gradient, step);
        ControlFlow::Continue(())
    })
}

/// The folder of the results, made if files are wanted; `name` is its default name.
///
/// # Errors
/// If it cannot be made.
pub fn folder(files: &Files, name: &str) -> anyhow::Result<Option<Folder>> {
    match &files.out {
        _ if files.no_files => Ok(None),
        Some(path) => Folder::create(path.clone()).map(Some),
        None => Folder::create(default_folder(name)).map(Some),
    }
}

/// Says so where the solve used another number format than asked for.
///
/// # Errors
/// If nobody reads any more.
pub fn note_precision(console: Console, asked: Precision, used: Precision) -> io::Result<()> {
    if asked == Precision::Auto || asked == used {
        return Ok(());
    }
    console.say(format_args!("note: {} was asked for, the device computed in {}", name(asked), name(used)))
}

/// As on the command line.
fn name(precision: Precision) -> &'static str {
    match precision {
        Precision::Auto => "auto",
        Precision::F64 => "f64",
        Precision::F32 => "f32",
        Precision::DoubleF32 => "double-f32",
    }
}
