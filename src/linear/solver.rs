//! What every linear solver does.

use std::sync::Arc;

use super::{BlockMatrix, BlockStructure, LinearError};

/// Solves `(A + diag(damping)) x = b` for symmetric positive semidefinite block-sparse `A`.
pub trait LinearSolver: Send {
    /// What reports call the solver.
    fn name(&self) -> &'static str;

    /// What the analysis settled on, in words for a report; empty if there is nothing to say.
    fn detail(&self) -> String {
        String::new()
    }

    /// Whether a solution is one of the whole system, by factoring, and not up to what [`Stopping`] says: up to rounding, or with a small
    /// residual that is orthogonal to it, so that it says by itself how much the model of the cost decreases.
    fn is_direct(&self) -> bool {
        false
    }

    /// Prepares for matrices of one structure; called once per structure, before the first solve.
    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError>;

    /// Solves one system. The value of `solution` on entry does not matter; after an error it is undefined.
    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        stop: &Stopping,
    ) -> Result<SolveSummary, LinearError>;
}

/// What the analysis of a structure found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Analysis {
    /// The ordering that was used, or an empty string.
    pub ordering: &'static str,
    /// Entries of the Cholesky factor, or zero.
    pub factor_nonzeros: u64,
    /// Bytes that the factor (or the preconditioner) and the solver's index lists take.
    pub factor_bytes: usize,
    /// Floating-point operations of one factorisation, or zero.
    pub flops: f64,
}

/// When an iterative solver stops. Direct solvers ignore it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopping {
    /// The forcing parameter η: stop when `‖r‖ ≤ η ‖b‖`, or when the quadratic model improves by less than
    /// a share η / iteration in one iteration.
    pub relative_tolerance: f64,
    /// Stop after this many iterations.
    pub max_iterations: usize,
}

impl Default for Stopping {
    fn default() -> Self {
        Self { relative_tolerance: 0.1, max_iterations: 500 }
    }
}

/// How a solve went.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SolveSummary {
    /// Iterations of an iterative solver; 1 for a direct one.
    pub iterations: usize,
    /// Whether the matrix, or its Schur complement, was factored for it.
    pub factored: bool,
    /// Seconds spent on the factorisation or the preconditioner; 0, as below, where that is too short to be timed.
    pub factor_s: f64,
    /// Seconds spent on the solution proper.
    pub solve_s: f64,
}
