//! Dense Cholesky factorisation, for small systems.

use std::sync::Arc;
use web_time::Instant;

use nalgebra::{DMatrix, DVectorViewMut};

use super::error::{check_finite, check_system};
use super::{Analysis, BlockMatrix, BlockStructure, LinearError, LinearSolver, SolveSummary, Stopping};

/// Direct solver that treats the matrix as dense; the simplest choice below a few hundred unknowns.
#[derive(Debug, Default)]
pub struct DenseCholesky {
    structure: Option<Arc<BlockStructure>>,
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
        // Ask now rather than abort in the middle of a solve.
        if Vec::<f64>::new().try_reserve_exact(n.saturating_mul(n)).is_err() {
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
        let start = Instant::now();
        let mut factor = matrix.to_dense();
        for (i, damping) in damping.iter().enumerate() {
            factor[(i, i)] += damping;
        }
        factorize(&mut factor)?;
        let factor_s = start.elapsed().as_secs_f64();

        let start = Instant::now();
        solution.copy_from_slice(rhs);
        let n = rhs.len();
        let mut x = DVectorViewMut::from_slice(solution, n);
        // The factor has positive pivots, so neither triangular solve can fail.
        let _ = factor.solve_lower_triangular_mut(&mut x);
        let _ = factor.tr_solve_lower_triangular_mut(&mut x);
        check_finite("the solution", solution)?;
        Ok(SolveSummary { iterations: 1, factor_s, solve_s: start.elapsed().as_secs_f64() })
    }
}

/// Overwrites the lower triangle by its Cholesky factor. Right-looking by columns, as nalgebra's, but it
/// names the pivot that failed.
fn factorize(a: &mut DMatrix<f64>) -> Result<(), LinearError> {
    let n = a.nrows();
    for j in 0..n {
        let pivot = a[(j, j)];
        if pivot <= 0.0 || pivot.is_nan() {
            return Err(LinearError::NotPositiveDefinite { index: j });
        }
        let mut column = a.view_mut((j, j), (n - j, 1));
        column /= pivot.sqrt();
        let (left, mut right) = a.columns_range_pair_mut(j, j + 1..n);
        for (k, mut target) in right.column_iter_mut().enumerate() {
            let i = j + 1 + k;
            target.rows_mut(i, n - i).axpy(-left[i], &left.rows(i, n - i), 1.0);
        }
    }
    Ok(())
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
