//! Linear solvers for the normal equations `(A + diag(damping)) x = b`.
//!
//! A [`BlockStructure`] and its values make a [`BlockMatrix`]; a [`LinearSolver`] analyses the structure once
//! and then solves for as many values and dampings as the minimiser asks. [`DenseCholesky`] is for small
//! systems, [`SparseCholesky`] and [`LaggedCholesky`] for sparse ones up to the memory of the factor, [`Pcg`] beyond that.
//! Where many blocks are coupled to few others, as points are to cameras, [`DenseSchur`], [`SparseSchur`] and [`ImplicitSchur`] eliminate
//! them first. [`DenseQr`] works on the Jacobian itself. Every result is the same, bit for bit, for any number of threads.
//!
//! The sparse factorisation is a pipeline: `ordering` (which block is eliminated when) → `elimination` (the
//! tree and the cost) → `supernodes` (dense fronts) → `assembly` (what is added where) and `schedule` (which
//! thread does what) → `multifrontal` (the factorisation, with `front` and `small_front` for the dense kernels) → `triangular`,
//! or `substitution` where the factor is large. `climb` is the way up the tree that factorisation and substitution share.

mod assembly;
mod block_matrix;
mod block_structure;
mod climb;
mod dense_cholesky;
mod dense_qr;
mod elimination;
mod error;
mod front;
mod lagged_cholesky;
mod multifrontal;
mod ordering;
mod pcg;
mod preconditioner;
mod schedule;
mod schur;
mod small_front;
mod solver;
mod sparse_cholesky;
mod substitution;
mod supernodes;
#[cfg(test)]
mod test_problems;
mod tiles;
mod triangular;
mod update_pool;
mod vector;

pub use block_matrix::{Block, BlockMatrix};
pub use block_structure::{BlockStructure, Storage};
pub use dense_cholesky::DenseCholesky;
pub use dense_qr::DenseQr;
pub use error::LinearError;
pub(crate) use error::all_finite;
pub use lagged_cholesky::LaggedCholesky;
pub use ordering::Ordering;
pub use pcg::Pcg;
pub use preconditioner::{BlockJacobi, Identity, Jacobi, Preconditioner};
pub(crate) use schur::choose_schur;
#[cfg(feature = "gpu")]
pub(crate) use schur::elimination_set;
pub use schur::{DenseSchur, ImplicitSchur, SchurPreconditioner, SparseSchur};
pub use solver::{Analysis, LinearSolver, SolveSummary, Stopping};
pub use sparse_cholesky::{Parallelism, SparseCholesky};
