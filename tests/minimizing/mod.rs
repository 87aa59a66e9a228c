//! What the tests of the solver share.

#![allow(dead_code, reason = "each test takes of it what it needs")]

use isograd::LinearSolverKind::{Auto, DenseCholesky, DenseQr, Pcg, SparseCholesky};
use isograd::{CompiledResiduals, LinearSolverKind, SolverOptions, SolverReport, Value};

pub const KINDS: [LinearSolverKind; 5] = [Auto, DenseQr, DenseCholesky, SparseCholesky, Pcg];

pub fn tight() -> SolverOptions {
    SolverOptions {
        function_tolerance: 1e-14,
        gradient_tolerance: 1e-13,
        parameter_tolerance: 1e-14,
        max_iterations: 1000,
        ..SolverOptions::default()
    }
}

pub fn solve(
    start: &[f64],
    options: &SolverOptions,
    function: impl FnOnce(&[Value]) -> Vec<Value>,
) -> (SolverReport, Vec<f64>) {
    let mut residuals = CompiledResiduals::compile(start, function).unwrap();
    let report = residuals.solve(options).unwrap();
    (report, residuals.parameters().to_vec())
}

pub fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (f, e) in found.iter().zip(expected) {
        assert!((f - e).abs() <= tolerance, "{found:?} for {expected:?}");
    }
}

pub fn rosenbrock(x: &[Value]) -> Vec<Value> {
    vec![10.0 * (x[1] - x[0].square()), 1.0 - x[0]]
}

pub fn jennrich_sampson(x: &[Value]) -> Vec<Value> {
    (1..=10).map(f64::from).map(|i| 2.0 + 2.0 * i - ((i * x[0]).exp() + (i * x[1]).exp())).collect()
}

/// Numbers between −1 and 1 that are the same every time.
pub fn noise(count: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
