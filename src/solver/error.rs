//! Why a solve could not begin or go on.

use crate::backend::BackendUnavailable;
use crate::linear::LinearError;
use crate::problem::{NonFiniteResidual, ProblemError};

/// A solve that could not begin or go on. The parameters are at the best point accepted until there.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SolveError {
    /// The problem itself is at fault.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// The device cannot be had.
    #[error(transparent)]
    Backend(#[from] BackendUnavailable),
    /// A residual or derivative is not finite at the start or at an accepted point.
    #[error("not finite after {iterations} iterations: {residual}")]
    NonFinite {
        /// Iterations done.
        iterations: usize,
        /// Which residual, and why.
        residual: NonFiniteResidual,
    },
    /// The residuals are finite, but not the sum of their squares.
    #[error(
        "the cost is not finite after {iterations} iterations: the squares of the residuals overflow; scale the residuals down"
    )]
    CostOverflow {
        /// Iterations done.
        iterations: usize,
    },
    /// The linear solver cannot take the system at all.
    #[error(transparent)]
    Linear(#[from] LinearError),
    /// The factorisation would need more than [`SolverOptions::max_memory`](super::SolverOptions::max_memory).
    #[error(
        "the solve needs about {needed} bytes, {allowed} are allowed; raise max_memory or use LinearSolverKind::Pcg, which \
         factors nothing"
    )]
    Memory {
        /// Bytes needed.
        needed: usize,
        /// Bytes allowed.
        allowed: usize,
    },
    /// A component of a problem is too large to be solved by itself with dense equations.
    #[error(
        "component {component} (from parameter block {first_block} on) has {parameters} free parameters, and \
         solve_independent takes components of at most {allowed}; use Problem::solve, or fix the blocks that couple its parts"
    )]
    ComponentTooLarge {
        /// Index of the component, in the order of their first parameter blocks.
        component: usize,
        /// Its first parameter block.
        first_block: usize,
        /// Its free scalar parameters.
        parameters: usize,
        /// Most that are allowed.
        allowed: usize,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// Number asked for.
        threads: usize,
        /// What the system said.
        reason: String,
    },
    /// An option is out of range.
    #[error("option {option} is {value}, which must be {requirement}")]
    Option {
        /// Name of the option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// What it must be.
        requirement: &'static str,
    },
}
