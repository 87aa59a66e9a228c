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
    // One sum tells whether to search: it is not finite if any number in it is not.
    let derivatives: f64 = evaluation.stored.iter().map(|d| d * 0.0).sum();
    if cost.is_finite() && derivatives == 0.0 {
        return Ok(());
    }
    match compiled.find_non_finite(x, evaluation) {
        Some(residual) => Err(SolveError::NonFinite { iterations, residual }),
        None => Err(SolveError::CostOverflow { iterations }),
    }
}
