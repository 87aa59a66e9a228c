//! Weights: square roots of information matrices, and priors.

use super::{BlockId, Problem, ProblemError};
use crate::Value;
use nalgebra::DMatrix;

/// Lᵀ for a symmetric positive definite information matrix I = L Lᵀ: residuals r whitened to Lᵀ r have the squared norm rᵀ I r.
///
/// # Errors
/// [`ProblemError::Information`] if the matrix is not square, not finite, not symmetric, or not positive definite.
pub fn square_root_information(information: &DMatrix<f64>) -> Result<DMatrix<f64>, ProblemError> {
    let fault = |reason: String| Err(ProblemError::Information { reason });
    let (rows, columns) = information.shape();
    if rows != columns {
        return fault(format!("it has {rows} rows and {columns} columns"));
    }
    if let Some(number) = information.iter().find(|number| !number.is_finite()) {
        return fault(format!("it contains {number}"));
    }
    let scale = information.amax();
    for i in 0..rows {
        for j in 0..i {
            let (a, b) = (information[(i, j)], information[(j, i)]);
            if (a - b).abs() > 1e-9 * scale {
                return fault(format!("it is not symmetric: {a} in row {i}, column {j}, but {b} across"));
            }
        }
    }
    match information.clone().cholesky() {
        Some(cholesky) => Ok(cholesky.unpack().transpose()),
        None => fault("it is not positive definite".to_owned()),
    }
}

/// M v.
fn multiplied(matrix: &DMatrix<f64>, vector: &[Value]) -> Vec<Value> {
    // Zeros are left out, so that a diagonal matrix costs what it should.
    let row = |i: usize| -> Value {
        let terms = vector.iter().enumerate().filter(|&(j, _)| matrix[(i, j)] != 0.0);
        terms.map(|(j, &v)| matrix[(i, j)] * v).sum()
    };
    (0..matrix.nrows()).map(row).collect()
}

impl Problem {
    /// Adds the residual block W (x − mean) for what is known of a block beforehand, or W (x ⊟ mean) on a manifold; `weight` is W, with
    /// a row a residual and a column a component of a step: [`square_root_information`] of the inverse covariance.
    ///
    /// Returns the index of the residual block.
    ///
    /// # Errors
    /// If the block does not exist, sizes do not match, a number is not finite, or the mean is no point of the block's manifold.
    pub fn add_prior(&mut self, block: BlockId, mean: &[f64], weight: &DMatrix<f64>) -> Result<usize, ProblemError> {
        self.check_component(block, 0)?;
        let parameters = &self.parameters;
        let (expected, tangent) = (parameters.size(block.index()), parameters.tangent_size(block.index()));
        if mean.len() != expected {
            return Err(ProblemError::ParameterCount { expected, found: mean.len() });
        }
        if let Some(component) = mean.iter().position(|m| !m.is_finite()) {
            return Err(ProblemError::NonFiniteParameter { block: block.index(), component, value: mean[component] });
        }
        if weight.ncols() != tangent || weight.nrows() == 0 {
            let (rows, columns) = weight.shape();
            let reason = format!("a weight of {rows} rows and {columns} columns for a step of {tangent} components");
            return Err(ProblemError::Information { reason });
        }
        if let Some(number) = weight.iter().find(|number| !number.is_finite()) {
            return Err(ProblemError::Information { reason: format!("the weight contains {number}") });
        }
        let manifold = parameters.shared_manifold(block.index());
        if let Some(manifold) = &manifold {
            let off = |reason| ProblemError::OffManifold { block: block.index(), manifold: manifold.name(), reason };
            manifold.check(mean).map_err(off)?;
        }
        self.add_residual(&[block], |x| {
            let mean: Vec<Value> = mean.iter().map(|&m| Value::constant(m)).collect();
            let step = match &manifold {
                Some(manifold) => manifold.minus(&x[0], &mean),
                None => x[0].iter().zip(&mean).map(|(&x, &m)| x - m).collect(),
            };
            multiplied(weight, &step)
        })
    }
}
