//! Dense least squares by Householder QR, for small ill-conditioned problems.

use nalgebra::{DMatrix, DVector};

use super::LinearError;
use super::error::{check_finite, check_length};

/// Columns whose pivot falls below this multiple of `ε · max(m, n)` times the first one count as linearly
/// dependent.
const RANK_TOLERANCE: f64 = 1.0;

/// Minimises `‖[J; diag(√damping)] x + [r; 0]‖` without forming `JᵀJ`, whose condition number is the square
/// of that of `J`.
///
/// The factorisation is a QR with column pivoting. If the columns are linearly dependent, the dependent ones
/// get a zero step (a basic solution) and the returned rank says so; see [`DenseQr::require_full_rank`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DenseQr {
    /// Fail with [`LinearError::RankDeficient`] instead of truncating.
    pub require_full_rank: bool,
}

impl DenseQr {
    /// Solves one problem; returns `x` and the numerical rank. An empty `damping` stands for zeros.
    pub fn solve(
        &self,
        jacobian: &DMatrix<f64>,
        damping: &[f64],
        residual: &[f64],
    ) -> Result<(DVector<f64>, usize), LinearError> {
        let (m, n) = jacobian.shape();
        check_length("the residual", m, residual.len())?;
        if !damping.is_empty() {
            check_length("the damping", n, damping.len())?;
        }
        check_finite("the Jacobian", jacobian.as_slice())?;
        check_finite("the residual", residual)?;
        check_finite("the damping", damping)?;
        if let Some(index) = damping.iter().position(|&d| d < 0.0) {
            return Err(LinearError::NotPositiveDefinite { index });
        }
        if n == 0 {
            return Ok((DVector::zeros(0), 0));
        }

        let mut stacked = DMatrix::zeros(m + damping.len(), n);
        stacked.view_mut((0, 0), (m, n)).copy_from(jacobian);
        for (i, d) in damping.iter().enumerate() {
            stacked[(m + i, i)] = d.sqrt();
        }
        let mut target = DVector::zeros(stacked.nrows());
        for (t, r) in target.iter_mut().zip(residual) {
            *t = -r;
        }
        // More unknowns than rows: zero rows change nothing and let one code path serve.
        if stacked.nrows() < n {
            stacked = stacked.resize_vertically(n, 0.0);
            target = target.resize_vertically(n, 0.0);
        }

        let larger = stacked.nrows() as f64;
        let qr = stacked.col_piv_qr();
        qr.q_tr_mul(&mut target);
        let r = qr.r();
        // nalgebra pivots on the largest entry left, so once |Rᵢᵢ| is negligible so is everything after it.
        let smallest = r[(0, 0)].abs() * larger * f64::EPSILON * RANK_TOLERANCE;
        let rank = (0..n).take_while(|&i| r[(i, i)].abs() > smallest).count();
        if rank < n && self.require_full_rank {
            return Err(LinearError::RankDeficient { rank, columns: n });
        }
        let mut x = DVector::zeros(n);
        x.rows_mut(0, rank).copy_from(&target.rows(0, rank));
        let top = r.view((0, 0), (rank, rank));
        // No zeros are left on this part of the diagonal, so the solve cannot fail.
        let _ = top.solve_upper_triangular_mut(&mut x.rows_mut(0, rank));
        qr.p().inv_permute_rows(&mut x);
        Ok((x, rank))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_gradient_vanishes(
            values in proptest::collection::vec(-1.0..1.0, 40),
            damping in proptest::collection::vec(0.01..1.0, 5),
            rows in 1usize..8,
        ) {
            let j = DMatrix::from_column_slice(rows, 5, &values[..5 * rows]);
            let r = DVector::from_column_slice(&values[..rows]);
            let (x, rank) = DenseQr::default().solve(&j, &damping, r.as_slice()).unwrap();
            let gradient = j.transpose() * (&j * &x + &r)
                + DVector::from_column_slice(&damping).component_mul(&x);
            prop_assert_eq!(rank, 5);
            prop_assert!(gradient.amax() < 1e-13, "gradient {}", gradient.amax());
        }
    }

    #[test]
    fn dependent_columns_are_truncated_or_refused() {
        let j = DMatrix::from_row_slice(3, 2, &[1.0, 2.0, 2.0, 4.0, 3.0, 6.0]);
        let r = [-1.0, -2.0, -3.0];
        let (x, rank) = DenseQr::default().solve(&j, &[], &r).unwrap();
        assert_eq!(rank, 1);
        assert!((&j * x + DVector::from_column_slice(&r)).amax() < 1e-14);
        let strict = DenseQr { require_full_rank: true };
        let error = strict.solve(&j, &[0.0, 0.0], &r).unwrap_err();
        assert_eq!(error, LinearError::RankDeficient { rank: 1, columns: 2 });
    }

    #[test]
    fn degenerate_shapes() {
        let qr = DenseQr::default();
        let (x, rank) = qr.solve(&DMatrix::zeros(2, 3), &[], &[1.0, 1.0]).unwrap();
        assert_eq!((x, rank), (DVector::zeros(3), 0));
        let (x, _) = qr.solve(&DMatrix::zeros(2, 0), &[], &[1.0, 1.0]).unwrap();
        assert_eq!(x.len(), 0);
        let (x, _) = qr.solve(&DMatrix::zeros(0, 1), &[1.0], &[]).unwrap();
        assert_eq!(x[0], 0.0);
    }

    #[test]
    fn bad_input_is_an_error() {
        let qr = DenseQr::default();
        let nan = DMatrix::from_element(1, 1, f64::NAN);
        assert!(matches!(qr.solve(&nan, &[], &[1.0]), Err(LinearError::NonFinite { .. })));
        let one = DMatrix::from_element(1, 1, 1.0);
        assert!(matches!(qr.solve(&one, &[], &[]), Err(LinearError::DimensionMismatch { .. })));
        assert!(matches!(qr.solve(&one, &[-1.0], &[0.0]), Err(LinearError::NotPositiveDefinite { index: 0 })));
    }
}
