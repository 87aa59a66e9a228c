//! What a solve takes from the heap before it factors anything.

use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{LinearSolverKind, SolveError, SolverOptions};
use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// The problem, its compiled form, the Jacobian, and JᵀJ with its plan, as far as they are there at a time. Alone in this file: what other tests take
/// would count too.
#[test]
fn until_a_matrix_is_factored_a_solve_takes_at_most_120_bytes_a_residual() {
    let others = HEAP.current_usage();
    let mut problem = MeshProblem::new(Energy::Smooth, &icosphere(6).unwrap()).unwrap().problem;
    HEAP.reset_peak_usage();
    // J in full, for dense QR, is too large, which is noticed when all else is there.
    let options = SolverOptions {
        threads: 1,
        max_memory: Some(1 << 30),
        linear_solver: LinearSolverKind::DenseQr,
        ..SolverOptions::default()
    };
    let error = problem.solve(&options).unwrap_err();
    assert!(matches!(error, SolveError::Memory { .. }), "{error}");
    let (taken, residuals) = (HEAP.peak_usage() - others, problem.residuals());
    println!("{taken} B, {:.1} B a residual", taken as f64 / residuals as f64);
    assert_eq!(residuals, 245_766);
    assert!(taken <= 120 * residuals, "{taken} B, {:.1} B a residual", taken as f64 / residuals as f64);
}
