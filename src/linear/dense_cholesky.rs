//! Dense Cholesky factorisation, for small systems.

use std::sync::Arc;
use web_time::Instant;

use faer::MatMut;
use nalgebra::{DMatrixView, DVectorViewMut};

use super::error::{check_finite, check_system};
use super::front;
use super::tiles::TiledSystem;
use super::{Analysis, BlockMatrix, BlockStructure, LinearError, LinearSolver, SolveSummary, Stopping};

/// Direct solver that treats the matrix as dense; the simplest choice below a few hundred unknowns.
#[derive(Debug, Default)]
pub struct DenseCholesky {
    structure: Option<Arc<BlockStructure>>,
    /// The factor in the lower triangle, column-major.
    factor: Vec<f64>,
    /// The same where it is small.
    tiled: TiledSystem,
}

impl LinearSolver for DenseCholesky {
    fn name(&self) -> &'static str {
        "dense cholesky"
    }

    fn is_direct(&self) -> bool {
        true
    }

    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        let n = structure.scalars();
        let bytes = n.saturating_mul(n).saturating_mul(size_of::<f64>());
        // Ask now rather than abort in the middle of a solve; but for a few pages, which to hand back costs more than the analysis.
        if SMALL.is_none_or(|small| n > small) && Vec::<f64>::new().try_reserve_exact(n.saturating_mul(n)).is_err() {
            return Err(LinearError::OutOfMemory { bytes });
        }
        self.structure = Some(Arc::clone(structure));
        Ok(Analysis {
            ordering: "",
            factor_nonzeros: (n as u64).saturating_mul(n as u64 + 1) / 2,
            factor_bytes: bytes,
            flops: (n as f64).powi(3) / 3.0,
        })
    }

    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        _stop: &Stopping,
    ) -> Result<SolveSummary, LinearError> {
        check_system(self.structure.as_ref(), matrix, damping, rhs, solution)?;
        let n = rhs.len();
        let not_positive = |index| LinearError::NotPositiveDefinite { index };
        if SMALL.is_some_and(|small| n <= small) {
            self.tiled.clear(n);
            let (columns, stride) = self.tiled.columns_mut();
            write_damped(matrix, damping, columns, stride);
            self.tiled.solve(rhs, solution).map_err(not_positive)?;
            check_finite("the solution", solution)?;
            // To look at the clock would take a tenth as long.
            return Ok(SolveSummary { iterations: 1, factored: true, ..SolveSummary::default() });
        }
        let start = Instant::now();
        self.factor.clear();
        self.factor.resize(n * n, 0.0);
        write_damped(matrix, damping, &mut self.factor, n);
        front::factorize_panel(MatMut::from_column_major_slice_mut(&mut self.factor, n, n), false)
            .map_err(not_positive)?;
        let factor_s = start.elapsed().as_secs_f64();

        let start = Instant::now();
        solution.copy_from_slice(rhs);
        let factor = DMatrixView::from_slice(&self.factor, n, n);
        let mut x = DVectorViewMut::from_slice(solution, n);
        // The factor has positive pivots, so neither triangular solve can fail.
        let _ = factor.solve_lower_triangular_mut(&mut x);
        let _ = factor.tr_solve_lower_triangular_mut(&mut x);
        check_finite("the solution", solution)?;
        Ok(SolveSummary { iterations: 1, factored: true, factor_s, solve_s: start.elapsed().as_secs_f64() })
    }
}

/// Most unknowns for which tiles of our own are faster than faer's blocks; none in a browser, which would have to load their loops.
const SMALL: Option<usize> = if cfg!(target_arch = "wasm32") { None } else { Some(64) };

/// Writes the lower triangle of A + diag(damping).
fn write_damped(matrix: &BlockMatrix, damping: &[f64], columns: &mut [f64], stride: usize) {
    matrix.write_lower(columns, stride);
    for (number, damping) in columns.iter_mut().step_by(stride + 1).zip(damping) {
        *number += damping;
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_problems::{check_against_dense, matrix};
    use super::*;

    #[test]
    fn solves_the_test_problems() {
        check_against_dense(|| Box::new(DenseCholesky::default()));
    }

    #[test]
    fn names_the_failing_pivot() {
        let a = matrix(&[1, 2], &[], |_, _, r, c| if r == c && r < 1 { 2.0 } else { 0.0 });
        let mut solver = DenseCholesky::default();
        solver.analyze(a.structure()).unwrap();
        let error = solver.solve(&a, &[0.0; 3], &[1.0; 3], &mut [0.0; 3], &Stopping::default()).unwrap_err();
        assert_eq!(error, LinearError::NotPositiveDefinite { index: 2 });
    }
}
