//! What is not finite, and where.

use super::SolveError;
use crate::problem::{CompiledProblem, Evaluation};

/// Names the residual or the derivative that is not finite, if there is one.
pub(super) fn check_finite(
    compiled: &CompiledProblem,
    x: &[f64],
    evaluation: &Evaluation,
    cost: f64,
    iterations: usize,
) -> Result<(), SolveError> {
    // Unlike a search with early exit, and unlike a sum, this vectorises.
    let derivatives = evaluation.stored.iter().fold(true, |finite, d| finite & d.is_finite());
    if cost.is_finite() && derivatives {
        return Ok(());
    }
    match compiled.find_non_finite(x, evaluation) {
        Some(residual) => Err(SolveError::NonFinite { iterations, residual }),
        None => Err(SolveError::CostOverflow { iterations }),
    }
}
