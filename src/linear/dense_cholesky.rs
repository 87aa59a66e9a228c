//! Dense Cholesky factorisation, for small systems.

use std::sync::Arc;
use web_time::Instant;

use faer::MatMut;
use nalgebra::{DMatrixView, DVectorViewMut};

use super::error::{check_finite, check_system};
use super::{Analysis, BlockMatrix, BlockStructure, LinearError, LinearSolver, SolveSummary, Stopping};
use super::{front, small_front};

/// Direct solver that treats the matrix as dense; the simplest choice below a few hundred unknowns.
#[derive(Debug, Default)]
pub struct DenseCholesky {
    structure: Option<Arc<BlockStructure>>,
    /// The factor in the lower triangle, column-major.
    factor: Vec<f64>,
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
        let n = rhs.len();
        matrix.write_lower(&mut self.factor);
        for (i, damping) in damping.iter().enumerate() {
            self.factor[i * n + i] += damping;
        }
        factorize(&mut self.factor, n).map_err(|index| LinearError::NotPositiveDefinite { index })?;
        let factor_s = start.elapsed().as_secs_f64();

        let start = Instant::now();
        solution.copy_from_slice(rhs);
        if (1..=SMALL).contains(&n) {
            small_front::solve_forward(&self.factor, n, solution, &mut []);
            small_front::solve_backward(&self.factor, n, solution, &[]);
        } else {
            let factor = DMatrixView::from_slice(&self.factor, n, n);
            let mut x = DVectorViewMut::from_slice(solution, n);
            // The factor has positive pivots, so neither triangular solve can fail.
            let _ = factor.solve_lower_triangular_mut(&mut x);
            let _ = factor.tr_solve_lower_triangular_mut(&mut x);
        }
        check_finite("the solution", solution)?;
        Ok(SolveSummary { iterations: 1, factor_s, solve_s: start.elapsed().as_secs_f64() })
    }
}

/// Most unknowns for which loops of our own are faster than faer's blocks.
const SMALL: usize = 64;

/// Overwrites the lower triangle by its Cholesky factor; the error is the column whose pivot is not positive.
fn factorize(a: &mut [f64], n: usize) -> Result<(), usize> {
    match n {
        0 => Ok(()),
        1..=SMALL => small_front::factorize_panel(a, n),
        _ => front::factorize_panel(MatMut::from_column_major_slice_mut(a, n, n), false),
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
