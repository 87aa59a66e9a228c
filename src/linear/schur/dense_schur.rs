//! Elimination followed by a dense factorisation.

use std::sync::Arc;
use web_time::Instant;

use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{ColMut, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::super::error::{check_finite, check_shape};
use super::super::front::factorize_panel;
use super::super::{Analysis, BlockMatrix, BlockStructure, LinearError, LinearSolver, SolveSummary, Stopping};
use super::chunks::Coverage;
use super::complement::{Complement, split};
use super::partition::Partition;

/// Eliminates an independent set of blocks and solves what is left, S, by dense Cholesky factorisation: the choice for
/// bundle adjustments of up to a few hundred cameras.
#[derive(Default)]
pub struct DenseSchur {
    complement: Option<Complement>,
    /// S and its factor, column-major.
    matrix: Vec<f64>,
    /// Right-hand side and solution of the reduced system.
    vector: Vec<f64>,
}

impl DenseSchur {
    /// A solver for a structure whose elimination is planned.
    pub(super) fn with(complement: Complement) -> Self {
        Self { complement: Some(complement), ..Self::default() }
    }
}

impl LinearSolver for DenseSchur {
    fn name(&self) -> &'static str {
        "dense Schur complement"
    }

    fn is_direct(&self) -> bool {
        true
    }

    fn detail(&self) -> String {
        self.complement.as_ref().map_or_else(String::new, |c| c.partition.describe())
    }

    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        let known = self.complement.take().filter(|c| c.is_for(structure));
        let complement = match known {
            Some(complement) => complement,
            None => Complement::new(Partition::new(structure), Coverage::All)?,
        };
        let n = complement.partition.scalars();
        let (entries, bytes) = (n.saturating_mul(n), n.saturating_mul(n).saturating_mul(size_of::<f64>()));
        // Ask now rather than abort in the middle of a solve.
        if Vec::<f64>::new().try_reserve_exact(entries).is_err() {
            return Err(LinearError::OutOfMemory { bytes });
        }
        self.matrix = vec![0.0; entries];
        self.vector = vec![0.0; n];
        let analysis = Analysis {
            ordering: "",
            factor_nonzeros: (n as u64).saturating_mul(n as u64 + 1) / 2,
            factor_bytes: bytes.saturating_add(complement.memory_bytes()),
            flops: complement.partition.flops() + (n as f64).powi(3) / 3.0,
        };
        self.complement = Some(complement);
        Ok(analysis)
    }

    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        _stop: &Stopping,
    ) -> Result<SolveSummary, LinearError> {
        check_shape(self.complement.as_ref().map(|c| &c.partition.structure), matrix, damping, rhs, solution)?;
        let Some(complement) = &mut self.complement else {
            return Err(LinearError::NotAnalyzed);
        };
        let start = Instant::now();
        complement.eliminate(matrix, damping, rhs)?;
        write_dense(complement, matrix, damping, &mut self.matrix);
        complement.write_rhs(rhs, &mut self.vector);
        let n = self.vector.len();
        if n > 0 {
            let panel = MatMut::from_column_major_slice_mut(&mut self.matrix, n, n);
            factorize_panel(panel, rayon::current_num_threads() > 1).map_err(|index| {
                complement.explain(LinearError::NotPositiveDefinite { index }, matrix, damping, rhs)
            })?;
        }
        let factor_s = start.elapsed().as_secs_f64();

        let start = Instant::now();
        if n > 0 {
            let factor = MatRef::from_column_major_slice(&self.matrix, n, n);
            let mut x = ColMut::from_slice_mut(&mut self.vector).as_mat_mut();
            solve_lower_triangular_in_place(factor, x.as_mut(), Par::Seq);
            solve_upper_triangular_in_place(factor.transpose(), x, Par::Seq);
        }
        complement.back_substitute(matrix, rhs, &self.vector, solution);
        check_finite("the solution", solution).map_err(|e| complement.explain(e, matrix, damping, rhs))?;
        Ok(SolveSummary { iterations: 1, factored: true, factor_s, solve_s: start.elapsed().as_secs_f64() })
    }
}

/// The lower triangle of S.
fn write_dense(complement: &Complement, matrix: &BlockMatrix, damping: &[f64], target: &mut [f64]) {
    let structure = &*complement.reduced;
    let n = structure.scalars();
    let columns = split(target, (0..structure.blocks()).map(|j| structure.size(j) * n));
    columns.into_par_iter().enumerate().for_each(|(j, columns)| {
        columns.fill(0.0);
        for k in structure.column(j) {
            let row = structure.row_idx()[k] as usize;
            // A block without unknowns has no columns, or may stand past the end of them.
            let target = columns.get_mut(structure.range(row).start..).unwrap_or_default();
            complement.write_block(matrix, damping, (row, j), k, target, n);
        }
    });
}
