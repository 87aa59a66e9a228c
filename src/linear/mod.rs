//! temp shim
mod block_matrix;
mod block_structure;
mod error;
pub use block_matrix::*;
pub use block_structure::*;
pub use error::*;
use std::sync::Arc;
/// x
#[derive(Debug, Clone, Default)]
pub struct Analysis {
    /// x
    pub factor_bytes: usize,
    /// x
    pub factor_nonzeros: usize,
    /// x
    pub ordering: Option<&'static str>,
}
/// x
#[derive(Debug, Clone, Default)]
pub struct SolveSummary {
    /// x
    pub iterations: usize,
}
/// x
pub struct Stopping {
    /// x
    pub relative_tolerance: f64,
    /// x
    pub max_iterations: usize,
}
/// x
pub trait LinearSolver: Send {
    /// x
    fn name(&self) -> &'static str;
    /// x
    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError>;
    /// x
    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        stop: &Stopping,
    ) -> Result<SolveSummary, LinearError>;
}
/// x
pub struct DenseCholesky;
impl DenseCholesky {
    /// x
    pub fn new() -> Self {
        Self
    }
}
impl LinearSolver for DenseCholesky {
    fn name(&self) -> &'static str {
        "d"
    }
    fn analyze(&mut self, _: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        Ok(Default::default())
    }
    fn solve(
        &mut self,
        m: &BlockMatrix,
        d: &[f64],
        rhs: &[f64],
        x: &mut [f64],
        _: &Stopping,
    ) -> Result<SolveSummary, LinearError> {
        let mut a = m.to_dense();
        for (i, d) in d.iter().enumerate() {
            a[(i, i)] += d;
        }
        let c = a.cholesky().ok_or(LinearError::NotPositiveDefinite { index: 0 })?;
        let s = c.solve(&nalgebra::DVector::from_column_slice(rhs));
        x.copy_from_slice(s.as_slice());
        Ok(SolveSummary { iterations: 1 })
    }
}
/// x
pub use DenseCholesky as SparseCholesky;
/// x
pub struct Pcg;
impl Pcg {
    /// x
    pub fn block_jacobi() -> DenseCholesky {
        DenseCholesky
    }
}
/// x
pub fn solve_dense_qr(j: &nalgebra::DMatrix<f64>, d: &[f64], r: &[f64]) -> Result<Vec<f64>, LinearError> {
    let (m, n) = j.shape();
    let mut a = nalgebra::DMatrix::zeros(m + n, n);
    a.rows_mut(0, m).copy_from(j);
    for i in 0..n {
        a[(m + i, i)] = d[i].sqrt();
    }
    let mut b = nalgebra::DVector::zeros(m + n);
    for i in 0..m {
        b[i] = -r[i];
    }
    let qr = a.qr();
    qr.q_tr_mul(&mut b);
    let x = qr.r().solve_upper_triangular(&b.rows(0, n).into_owned()).unwrap();
    Ok(x.as_slice().to_vec())
}
