//! What a solve is told.

use super::failure::Failure;
use super::object::Properties;
use isograd::{Backend, LinearSolverKind, Precision, SolverOptions};
use js_sys::Function;
use std::time::Duration;
use wasm_bindgen::JsValue;
use web_sys::AbortSignal;

const BACKENDS: &[(&str, Backend)] = &[("cpu", Backend::Cpu), ("gpu", Backend::Gpu), ("auto", Backend::Auto)];

const PRECISIONS: &[(&str, Precision)] = &[
    ("auto", Precision::Auto),
    ("f64", Precision::F64),
    ("f32", Precision::F32),
    ("double-f32", Precision::DoubleF32),
];

const LINEAR_SOLVERS: &[(&str, LinearSolverKind)] = &[
    ("auto", LinearSolverKind::Auto),
    ("dense-qr", LinearSolverKind::DenseQr),
    ("dense-cholesky", LinearSolverKind::DenseCholesky),
    ("sparse-cholesky", LinearSolverKind::SparseCholesky),
    ("pcg", LinearSolverKind::Pcg),
    ("dense-schur", LinearSolverKind::DenseSchur),
    ("sparse-schur", LinearSolverKind::SparseSchur),
    ("iterative-schur", LinearSolverKind::IterativeSchur),
];

/// The options of a solve, and who wants to hear of it.
pub struct SolveOptions {
    pub solver: SolverOptions,
    pub on_progress: Option<Function>,
    pub signal: Option<AbortSignal>,
}

impl SolveOptions {
    /// Reads an object; what it does not say is as by default, on whichever backend is faster.
    pub fn read(value: &JsValue, defaults: SolverOptions) -> Result<Self, Failure> {
        let mut solver = SolverOptions { backend: Backend::Auto, ..defaults };
        if value.is_undefined() || value.is_null() {
            return Ok(SolveOptions { solver, on_progress: None, signal: None });
        }
        let options = Properties::of(value, "options")?;
        solver.backend = options.choice("backend", BACKENDS)?.unwrap_or(solver.backend);
        solver.precision = options.choice("precision", PRECISIONS)?.unwrap_or(solver.precision);
        solver.linear_solver = options.choice("linearSolver", LINEAR_SOLVERS)?.unwrap_or(solver.linear_solver);
        for (key, count) in [
            ("maxIterations", &mut solver.max_iterations),
            ("maxLinearIterations", &mut solver.max_linear_iterations),
            ("fallbackThreshold", &mut solver.fallback_threshold),
        ] {
            *count = options.count(key)?.unwrap_or(*count);
        }
        for (key, number) in [
            ("functionTolerance", &mut solver.function_tolerance),
            ("gradientTolerance", &mut solver.gradient_tolerance),
            ("parameterTolerance", &mut solver.parameter_tolerance),
        ] {
            *number = options.number(key)?.unwrap_or(*number);
        }
        if let Some(seconds) = options.number("maxTimeSeconds")? {
            let limit = Duration::try_from_secs_f64(seconds);
            solver.max_time =
                Some(limit.map_err(|error| Failure::argument(format!("options.maxTimeSeconds: {error}")))?);
        }
        #[cfg(feature = "gpu")]
        if let Some(gpu) = options.get("gpu")? {
            solver.gpu = Some(super::gpu::context(&gpu)?);
        }
        Ok(SolveOptions {
            solver,
            on_progress: options.instance("onProgress", "function")?,
            signal: options.instance("signal", "AbortSignal")?,
        })
    }
}
