//! Whether to eliminate, and how to solve what is left.

use std::sync::Arc;

use super::super::{BlockStructure, LinearError, LinearSolver};
use super::chunks::Coverage;
use super::complement::Complement;
use super::elimination_set::elimination_set;
use super::partition::Partition;
use super::{DenseSchur, ImplicitSchur, SchurPreconditioner, SparseSchur};

/// Elimination pays where at most this share of the unknowns is left: on meshes and pose graphs, where an independent set is at
/// most half of the blocks, a fill-reducing ordering of the whole is better.
const WORTHWHILE: f64 = 1.0 / 3.0;
/// Unknowns up to which S is treated as dense whatever it looks like.
const DENSE_UNKNOWNS: usize = 300;
/// A dense factorisation does so many operations in the time a sparse one does one: its kernels never wait for lists, and the zeros
/// cost nothing to find.
const DENSE_SPEED: f64 = 3.0;

/// A solver, and why this one.
pub type Chosen = (Box<dyn LinearSolver>, String);

/// The solver by Schur complement that fits a structure, analysed, and why; `None` if eliminating does not pay. S is solved densely where
/// it is small or nearly full, else sparsely, and by conjugate gradients if the factor would take more than `limit` bytes.
pub fn choose_schur(
    structure: &Arc<BlockStructure>,
    preconditioner: SchurPreconditioner,
    limit: usize,
) -> Result<Option<Chosen>, LinearError> {
    let set = elimination_set(structure);
    let left: usize = (0..structure.blocks()).filter(|&j| !set[j]).map(|j| structure.size(j)).sum();
    if left as f64 > WORTHWHILE * structure.scalars() as f64 {
        return Ok(None);
    }
    let chosen = |solver: Box<dyn LinearSolver>, what: &str| {
        let share = format!("{left} of {} unknowns are left", structure.scalars());
        Ok(Some((solver, format!("eliminating pays, for {share}, at most a third; {what}"))))
    };
    let too_large = format!("factoring them would take more than {limit} bytes");
    let partition = Partition::with_set(structure, &set);
    if partition.reduced_values() > limit / size_of::<f64>() {
        return chosen(Box::new(ImplicitSchur::with(preconditioner, partition)?), &too_large);
    }
    let complement = Complement::new(partition, Coverage::All)?;
    let dense_bytes = left.saturating_mul(left).saturating_mul(size_of::<f64>());
    if left <= DENSE_UNKNOWNS && dense_bytes <= limit {
        return chosen(Box::new(DenseSchur::with(complement)), "so few are best factored densely");
    }
    let eliminating = complement.partition.flops();
    let (sparse, analysis) = SparseSchur::with(complement)?;
    let dense_flops = (left as f64).powi(3) / 3.0;
    if DENSE_SPEED * (analysis.flops - eliminating) >= dense_flops && dense_bytes <= limit {
        let Some(complement) = sparse.into_complement() else { return Ok(None) };
        return chosen(Box::new(DenseSchur::with(complement)), "nearly all of them are coupled");
    }
    if analysis.factor_bytes > limit {
        let partition = Partition::with_set(structure, &set);
        return chosen(Box::new(ImplicitSchur::with(preconditioner, partition)?), &too_large);
    }
    chosen(Box::new(sparse), "few of them are coupled")
}
