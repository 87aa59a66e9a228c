//! Solving by Schur complement: an independent set of blocks is eliminated, and the rest solved in one of three ways.
//!
//! Let the unknowns be sorted into those that are kept, y, and those that are eliminated, z, of which no two blocks are
//! coupled, so that C is block-diagonal:
//!
//! ```text
//! ⎡ B   E ⎤ ⎡ y ⎤   ⎡ v ⎤         S y = v - E C⁻¹ w,   S = B - E C⁻¹ Eᵀ
//! ⎣ Eᵀ  C ⎦ ⎣ z ⎦ = ⎣ w ⎦         z = C⁻¹ (w - Eᵀ y)
//! ```
//!
//! In a bundle adjustment the points are eliminated: thousands of 3×3 blocks, after which a system in the cameras remains
//! (Triggs, McLauchlan, Hartley, Fitzgibbon, *Bundle adjustment: a modern synthesis*, 2000, section 6.1; Agarwal, Snavely, Seitz, Szeliski,
//! *Bundle adjustment in the large*, 2010, section 2). [`DenseSchur`] factors S as a dense matrix, [`SparseSchur`] as a sparse one;
//! [`ImplicitSchur`] runs conjugate gradients on S without ever forming it.
//!
//! `elimination_set` (which blocks) → `partition` (patterns: eliminated blocks with the same kept neighbours) → `chunks` (which task
//! sums what where) → `complement` (the passes over the eliminated blocks, with `rank_update` for the
//! dense kernels) → the solvers.

mod choice;
mod chunks;
mod complement;
mod coupling_block;
mod dense_schur;
mod diagonal_block;
mod elimination_set;
mod implicit_schur;
mod partition;
mod rank_update;
mod sparse_schur;
#[cfg(test)]
mod tests;

pub use choice::choose_schur;
pub use dense_schur::DenseSchur;
#[cfg(feature = "gpu")]
pub use elimination_set::elimination_set;
pub use implicit_schur::{ImplicitSchur, SchurPreconditioner};
pub use sparse_schur::SparseSchur;
