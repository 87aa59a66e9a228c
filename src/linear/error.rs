//! What can go wrong in a linear solve.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use thiserror::Error;

use super::{BlockMatrix, BlockStructure};

/// Why a linear system could not be analysed or solved.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum LinearError {
    /// A pivot was zero or negative: the damped matrix is not (numerically) positive definite.
    #[error("the matrix is not positive definite (pivot at scalar unknown {index})")]
    NotPositiveDefinite {
        /// The unknown whose pivot failed, in the caller's order.
        index: usize,
    },
    /// A NaN or an infinity, in the input or as a result of overflow.
    #[error("{what} contains a value that is not finite")]
    NonFinite {
        /// The quantity in which it was found.
        what: &'static str,
    },
    /// The solver would need more memory than there is, or than it may use.
    #[error(
        "the solver needs {bytes} bytes, which are not available; LinearSolverKind::Pcg and IterativeSchur need the least, for they \
         factor nothing"
    )]
    OutOfMemory {
        /// Bytes asked for.
        bytes: usize,
    },
    /// An index does not fit its integer type: 2³¹ blocks or block entries to be ordered, 2³² numbers, or what comes from as many.
    #[error("the system is too large for its indices ({entries} entries)")]
    TooLarge {
        /// Entries that an index has to tell apart.
        entries: usize,
    },
    /// An argument has the wrong length.
    #[error("{what} has length {found}, expected {expected}")]
    DimensionMismatch {
        /// The argument.
        what: &'static str,
        /// The length that the matrix asks for.
        expected: usize,
        /// The length that came.
        found: usize,
    },
    /// A block pair names a block that does not exist.
    #[error("block ({row}, {col}) lies outside a matrix of {blocks} block rows")]
    BlockOutOfRange {
        /// Row block of the pair.
        row: usize,
        /// Column block of the pair.
        col: usize,
        /// Number of block rows.
        blocks: usize,
    },
    /// The columns of a least-squares matrix are linearly dependent and no damping was given.
    #[error("the matrix has rank {rank}, but {columns} columns")]
    RankDeficient {
        /// Numerical rank.
        rank: usize,
        /// Number of columns.
        columns: usize,
    },
    /// [`solve`](super::LinearSolver::solve) was called with another structure than
    /// [`analyze`](super::LinearSolver::analyze), or without it.
    #[error("the matrix does not have the structure that was analysed")]
    NotAnalyzed,
}

impl LinearError {
    /// Whether the numbers of the system are to blame, so that more damping may help.
    pub fn is_numerical(&self) -> bool {
        matches!(
            self,
            LinearError::NotPositiveDefinite { .. } | LinearError::NonFinite { .. } | LinearError::RankDeficient { .. }
        )
    }
}

/// Fails unless `found == expected`.
pub fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), LinearError> {
    if expected == found { Ok(()) } else { Err(LinearError::DimensionMismatch { what, expected, found }) }
}

/// Whether no value is a NaN or an infinity.
pub fn all_finite(values: &[f64]) -> bool {
    Arch::new().dispatch(AllFinite(values))
}

/// Fails if any value is a NaN or an infinity.
pub fn check_finite(what: &'static str, values: &[f64]) -> Result<(), LinearError> {
    if all_finite(values) { Ok(()) } else { Err(LinearError::NonFinite { what }) }
}

/// Whether all values are finite; a struct for the reason that `backend/cpu` gives.
struct AllFinite<'a>(&'a [f64]);

impl WithSimd for AllFinite<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> bool {
        // Unlike a search with early exit, and unlike one sum, this vectorises: 0·v is 0 unless v is not finite.
        let (whole, rest) = self.0.as_chunks::<16>();
        let mut sums = [0.0; 16];
        for values in whole {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += value * 0.0;
            }
        }
        sums.iter().chain(rest).all(|value| value * 0.0 == 0.0)
    }
}

/// Fails unless the system has the structure that was analysed.
pub fn check_shape(
    analyzed: Option<&Arc<BlockStructure>>,
    matrix: &BlockMatrix,
    damping: &[f64],
    rhs: &[f64],
    solution: &[f64],
) -> Result<(), LinearError> {
    let structure = matrix.structure();
    if !analyzed.is_some_and(|a| Arc::ptr_eq(a, structure)) {
        return Err(LinearError::NotAnalyzed);
    }
    check_length("the matrix", structure.value_count(), matrix.values.len())?;
    check_length("the damping", structure.scalars(), damping.len())?;
    check_length("the right-hand side", structure.scalars(), rhs.len())?;
    check_length("the solution", structure.scalars(), solution.len())
}

/// Fails if a value of the system is not finite.
pub fn check_values(matrix: &BlockMatrix, damping: &[f64], rhs: &[f64]) -> Result<(), LinearError> {
    check_finite("the matrix", &matrix.values)?;
    check_finite("the damping", damping)?;
    check_finite("the right-hand side", rhs)
}

/// Fails unless the system has the structure that was analysed, and finite values.
pub fn check_system(
    analyzed: Option<&Arc<BlockStructure>>,
    matrix: &BlockMatrix,
    damping: &[f64],
    rhs: &[f64],
    solution: &[f64],
) -> Result<(), LinearError> {
    check_shape(analyzed, matrix, damping, rhs, solution)?;
    check_values(matrix, damping, rhs)
}
