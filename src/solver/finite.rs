//! What is not finite, and where.

use super::SolveError;
use crate::linear::all_finite;
use crate::problem::{CompiledProblem, Evaluation};

/// Names the residual or the derivative that is not finite, if there is one.
pub(super) fn check_finite(
    compiled: &CompiledProblem,
    x: &[f64],
    evaluation: &Evaluation,
    cost: f64,
    iterations: usize,
) -> Result<(), SolveError> {
    if cost.is_finite() && all_finite(&evaluation.stored) {
        return Ok(());
    }
    match compiled.find_non_finite(x, evaluation) {
        Some(residual) => Err(SolveError::NonFinite { iterations, residual }),
        None => Err(SolveError::CostOverflow { iterations }),
    }
}
