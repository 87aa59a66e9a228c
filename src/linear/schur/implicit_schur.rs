//! Elimination followed by conjugate gradients on a matrix that is never formed.

use std::sync::Arc;
use web_time::Instant;

use super::super::error::{check_finite, check_shape};
use super::super::pcg::conjugate_gradients;
use super::super::{
    Analysis, BlockJacobi, BlockMatrix, BlockStructure, LinearError, LinearSolver, Preconditioner, SolveSummary,
    Stopping,
};
use super::chunks::Coverage;
use super::complement::Complement;
use super::partition::Partition;

/// What preconditions conjugate gradients on the Schur complement S (Agarwal et al. 2010, section 3.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SchurPreconditioner {
    /// The diagonal blocks of B: costs nothing to set up.
    #[default]
    BlockJacobi,
    /// The diagonal blocks of S: one more pass over E a solve. It may halve the iterations, and may take some more: worth a try where
    /// they are many.
    SchurJacobi,
}

/// Eliminates an independent set of blocks and solves what is left by preconditioned conjugate gradients, with products
/// `S x = B x - E (C⁻¹ (Eᵀ x))` of which no part is stored: for systems whose factor would not fit.
#[derive(Default)]
pub struct ImplicitSchur {
    /// The preconditioner. A change takes effect at the next analysis.
    pub preconditioner: SchurPreconditioner,
    state: Option<State>,
}

/// What one structure needs.
struct State {
    complement: Complement,
    preconditioner: SchurPreconditioner,
    /// B, damped.
    kept: BlockMatrix,
    /// The diagonal blocks of S.
    diagonal: BlockMatrix,
    jacobi: BlockJacobi,
    zeros: Vec<f64>,
    rhs: Vec<f64>,
    solution: Vec<f64>,
    work: [Vec<f64>; 4],
}

impl ImplicitSchur {
    /// A solver with the given preconditioner.
    pub fn new(preconditioner: SchurPreconditioner) -> Self {
        Self { preconditioner, state: None }
    }

    /// A solver for a structure that is split.
    pub(super) fn with(preconditioner: SchurPreconditioner, partition: Partition) -> Result<Self, LinearError> {
        let coverage = match preconditioner {
            SchurPreconditioner::BlockJacobi => Coverage::Vectors,
            SchurPreconditioner::SchurJacobi => Coverage::Diagonal,
        };
        let kept = BlockMatrix::zeros(partition.kept_structure()?.into());
        let complement = Complement::new(partition, coverage)?;
        let n = complement.partition.scalars();
        let state = State {
            preconditioner,
            kept,
            diagonal: BlockMatrix::zeros(Arc::clone(&complement.reduced)),
            jacobi: BlockJacobi::default(),
            zeros: vec![0.0; n],
            rhs: vec![0.0; n],
            solution: vec![0.0; n],
            work: std::array::from_fn(|_| vec![0.0; n]),
            complement,
        };
        Ok(Self { preconditioner, state: Some(state) })
    }
}

impl LinearSolver for ImplicitSchur {
    fn name(&self) -> &'static str {
        match self.preconditioner {
            SchurPreconditioner::BlockJacobi => "conjugate gradients on the Schur complement, block-Jacobi",
            SchurPreconditioner::SchurJacobi => "conjugate gradients on the Schur complement, Schur-Jacobi",
        }
    }

    fn detail(&self) -> String {
        self.state.as_ref().map_or_else(String::new, |s| s.complement.partition.describe())
    }

    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        let fits = |s: &&State| s.complement.is_for(structure) && s.preconditioner == self.preconditioner;
        if self.state.as_ref().filter(fits).is_none() {
            *self = Self::with(self.preconditioner, Partition::new(structure))?;
        }
        let Some(state) = &self.state else {
            return Err(LinearError::NotAnalyzed);
        };
        let vectors = (state.work.len() + 3) * state.zeros.len() * size_of::<f64>();
        let kept = state.kept.memory_bytes() + state.kept.structure().row_bytes();
        let matrices = kept + 2 * state.diagonal.memory_bytes();
        let factor_bytes = vectors + matrices + state.complement.memory_bytes();
        Ok(Analysis { factor_bytes, ..Analysis::default() })
    }

    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        stop: &Stopping,
    ) -> Result<SolveSummary, LinearError> {
        check_shape(self.state.as_ref().map(|s| &s.complement.partition.structure), matrix, damping, rhs, solution)?;
        let Some(state) = &mut self.state else {
            return Err(LinearError::NotAnalyzed);
        };
        let start = Instant::now();
        state.complement.eliminate(matrix, damping, rhs)?;
        state.copy_kept(matrix, damping);
        let prepared = state.precondition(matrix, damping);
        prepared.map_err(|error| state.complement.explain(error, matrix, damping, rhs))?;
        let factor_s = start.elapsed().as_secs_f64();

        let start = Instant::now();
        state.complement.multiply(matrix, Some(rhs), &[]);
        state.complement.write_rhs(rhs, &mut state.rhs);
        let State { complement, kept, jacobi, rhs: reduced, solution: x, work, .. } = state;
        let multiply = |x: &[f64], y: &mut [f64]| {
            kept.multiply(&[], x, y);
            complement.multiply(matrix, None, x);
            for (block, offsets) in complement.partition.offsets.windows(2).enumerate() {
                complement.subtract_vectors(block, &mut y[offsets[0]..offsets[1]]);
            }
        };
        let iterations = conjugate_gradients(multiply, jacobi, reduced, x, work, stop);
        let iterations = iterations.map_err(|error| complement.explain(error, matrix, damping, rhs))?;
        complement.back_substitute(matrix, rhs, x, solution);
        check_finite("the solution", solution).map_err(|e| complement.explain(e, matrix, damping, rhs))?;
        Ok(SolveSummary { iterations, factored: false, factor_s, solve_s: start.elapsed().as_secs_f64() })
    }
}

impl State {
    /// Sets B.
    fn copy_kept(&mut self, matrix: &BlockMatrix, damping: &[f64]) {
        let partition = &self.complement.partition;
        let mut rest = &mut self.kept.values[..];
        // Both are listed by column and then by row.
        for (row, column, place) in partition.kept_blocks() {
            let (rows, numbers) = (partition.size(row), partition.size(row) * partition.size(column));
            let (target, others) = rest.split_at_mut(numbers);
            matrix.block(place, numbers).write(rows, target, rows);
            if row == column {
                let damping = &damping[partition.range_of_kept(row as usize)];
                damping.iter().enumerate().for_each(|(k, d)| target[k * rows + k] += d);
            }
            rest = others;
        }
    }

    fn precondition(&mut self, matrix: &BlockMatrix, damping: &[f64]) -> Result<(), LinearError> {
        match self.preconditioner {
            SchurPreconditioner::BlockJacobi => self.jacobi.update(&self.kept, &self.zeros),
            SchurPreconditioner::SchurJacobi => {
                self.complement.write_matrix(matrix, damping, &mut self.diagonal);
                self.jacobi.update(&self.diagonal, &self.zeros)
            }
        }
    }
}
