//! Covariance of the parameters at a solution: blocks of (JᵀJ)⁻¹, undamped and unscaled.
//!
//! For residuals whitened to unit variance this is the covariance of the maximum-likelihood estimate to first order
//! (<http://ceres-solver.org/nnls_covariance.html>); residuals of one unknown variance ask for a factor σ² = Σr²/(m − n) besides. With
//! robust losses J is corrected as in the solve.

use super::NormalEquations;
use super::step::dense_jacobian;
use crate::linear::{BlockMatrix, LinearError, LinearSolver, SparseCholesky};
use crate::problem::{BlockId, CompiledProblem, Evaluation, NonFiniteResidual, Problem, ProblemError};
use nalgebra::{DMatrix, DVector, DVectorView};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Up to this many free scalars, the covariance comes from a singular value decomposition of the dense Jacobian …
const DENSE_SCALARS: usize = 200;
/// … if it has no more entries than this.
const DENSE_ENTRIES: usize = 4_000_000;
/// Rounds of inverse iteration by which the condition of a sparse matrix is estimated.
const ROUNDS: usize = 4;

/// How a covariance is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CovarianceOptions {
    /// Directions in which JᵀJ, with its columns scaled to length 1, is below this beside its largest count as undetermined. Default:
    /// 1e-14, as in Ceres.
    pub min_reciprocal_condition_number: f64,
    /// Leave undetermined directions out (a pseudo-inverse) instead of failing; only for problems small enough to be taken
    /// apart densely. Default: false.
    pub truncate: bool,
}

impl Default for CovarianceOptions {
    fn default() -> Self {
        CovarianceOptions { min_reciprocal_condition_number: 1e-14, truncate: false }
    }
}

/// Why there is no covariance.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CovarianceError {
    /// The problem itself is at fault, or a block of another problem was asked for.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// A residual or derivative is not finite at the present parameters.
    #[error("not finite: {0}")]
    NonFinite(NonFiniteResidual),
    /// The residuals do not determine the parameters.
    #[error(
        "JᵀJ is singular to rounding (reciprocal condition number {reciprocal_condition:.1e}): the residuals leave {what} undetermined; \
         fix a block, add a prior, or set CovarianceOptions::truncate"
    )]
    RankDeficient {
        /// Smallest over largest eigenvalue of JᵀJ with columns scaled to length 1.
        reciprocal_condition: f64,
        /// Where.
        what: String,
    },
    /// Truncation was asked for, but the problem is too large for it.
    #[error("undetermined directions can be left out up to {allowed} free parameters; there are {found}")]
    TooLarge {
        /// Free scalar parameters.
        found: usize,
        /// The most there may be.
        allowed: usize,
    },
    /// The linear solver cannot take the system at all.
    #[error(transparent)]
    Linear(#[from] LinearError),
}

/// Blocks of a covariance matrix.
#[derive(Debug, Clone)]
pub struct Covariance {
    blocks: FxHashMap<(BlockId, BlockId), DMatrix<f64>>,
    /// P(x) of the blocks on manifolds.
    differentials: FxHashMap<BlockId, DMatrix<f64>>,
}

impl Covariance {
    /// The covariance of the steps of two blocks: a row a component of a step of `a`, a column one of `b`. For plain blocks it is that
    /// of the parameters. `None` if neither this pair nor its mirror image was asked for.
    pub fn block(&self, a: BlockId, b: BlockId) -> Option<DMatrix<f64>> {
        self.blocks.get(&(a, b)).cloned().or_else(|| self.blocks.get(&(b, a)).map(DMatrix::transpose))
    }

    /// The covariance of the numbers of two blocks, which on manifolds are more than the components of a step.
    pub fn ambient_block(&self, a: BlockId, b: BlockId) -> Option<DMatrix<f64>> {
        let lifted = |block: BlockId, matrix: DMatrix<f64>| match self.differentials.get(&block) {
            Some(differential) => differential * matrix,
            None => matrix,
        };
        let block = lifted(a, self.block(a, b)?);
        Some(lifted(b, block.transpose()).transpose())
    }

    /// The square roots of the diagonal of a block's own covariance.
    pub fn standard_deviations(&self, block: BlockId) -> Option<Vec<f64>> {
        Some(self.block(block, block)?.diagonal().iter().map(|variance| variance.max(0.0).sqrt()).collect())
    }
}

impl Problem {
    /// Blocks of (JᵀJ)⁻¹ at the present parameters, for the pairs asked for. Fixed blocks and components have covariance 0; bounds are not
    /// looked at, so that a component at its bound has the covariance that it would have without (fix it if it is to have none).
    ///
    /// ```
    /// use isograd::Problem;
    ///
    /// // The mean of four measurements of variance 1 has variance 1/4.
    /// let mut problem = Problem::new();
    /// let mean = problem.add_parameter_block(&[0.0])?;
    /// problem.add_residual_batch(&[[mean]; 4], &[[1.0], [2.0], [3.0], [4.0]], |x, d| x[0][0] - d[0])?;
    /// problem.solve(&Default::default())?;
    /// let covariance = problem.covariance(&[(mean, mean)], &Default::default())?;
    /// assert!((covariance.block(mean, mean).unwrap()[(0, 0)] - 0.25).abs() < 1e-15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CovarianceError`]; in particular if the residuals leave a direction undetermined.
    pub fn covariance(
        &self,
        pairs: &[(BlockId, BlockId)],
        options: &CovarianceOptions,
    ) -> Result<Covariance, CovarianceError> {
        let blocks = self.parameters().blocks();
        if let Some(block) = pairs.iter().flat_map(|&(a, b)| [a.index(), b.index()]).find(|&block| block >= blocks) {
            return Err(ProblemError::NoSuchBlock { block, blocks }.into());
        }
        let compiled = self.compile()?;
        let x = self.parameters().values();
        let mut evaluation = compiled.new_evaluation();
        compiled.linearize(x, &mut evaluation)?;
        if let Some(residual) = compiled.find_non_finite(x, &evaluation) {
            return Err(CovarianceError::NonFinite(residual));
        }
        let mut equations = NormalEquations::new(&compiled, self.parameters())?;
        let scalars = equations.scalars();
        let dense = scalars <= DENSE_SCALARS && scalars.saturating_mul(compiled.residuals()) <= DENSE_ENTRIES;
        let inverse = if dense {
            Inverse::Dense(dense_inverse(self, &compiled, &equations, &evaluation, options)?)
        } else if options.truncate {
            return Err(CovarianceError::TooLarge { found: scalars, allowed: DENSE_SCALARS });
        } else {
            equations.refill(&compiled, &evaluation);
            Inverse::Sparse(Box::new(SparseInverse::new(self, &equations, options)?))
        };
        inverse.blocks(self, &equations, pairs)
    }
}

/// (JᵀJ)⁻¹ in one form or another.
enum Inverse {
    Dense(DMatrix<f64>),
    Sparse(Box<SparseInverse>),
}

impl Inverse {
    fn blocks(
        mut self,
        problem: &Problem,
        equations: &NormalEquations,
        pairs: &[(BlockId, BlockId)],
    ) -> Result<Covariance, CovarianceError> {
        let parameters = problem.parameters();
        let mut covariance = Covariance { blocks: FxHashMap::default(), differentials: FxHashMap::default() };
        // Pairs of one right block share its columns.
        let mut pairs = pairs.to_vec();
        pairs.sort_by_key(|&(a, b)| (b, a));
        pairs.dedup();
        let ranges: FxHashMap<usize, Range<usize>> =
            equations.blocks().map(|(reduced, place, _)| (place, reduced)).collect();
        let range = |block: BlockId| ranges.get(&(parameters.offsets()[block.index()] as usize)).cloned();
        for group in pairs.chunk_by(|a, b| a.1 == b.1) {
            let right = group[0].1;
            let columns = match range(right) {
                Some(range) => Some(self.columns(equations, range)?),
                None => None,
            };
            for &(left, _) in group {
                let size = |block: BlockId| parameters.tangent_size(block.index());
                let block = match (range(left), &columns) {
                    (Some(rows), Some(columns)) => columns.rows(rows.start, rows.len()).into_owned(),
                    _ => DMatrix::zeros(size(left), size(right)),
                };
                covariance.blocks.insert((left, right), block);
            }
        }
        for block in pairs.iter().flat_map(|&(a, b)| [a, b]) {
            if let Some(retraction) = parameters.retraction(block.index()) {
                let numbers = retraction.differential.evaluate(&[problem.parameter_block(block)], &[]);
                let (rows, columns) = (retraction.ambient_size(), retraction.tangent_size());
                covariance.differentials.insert(block, DMatrix::from_row_slice(rows, columns, &numbers));
            }
        }
        Ok(covariance)
    }

    /// Columns of the inverse; held components have rows and columns of 0.
    fn columns(&mut self, equations: &NormalEquations, range: Range<usize>) -> Result<DMatrix<f64>, CovarianceError> {
        let mut columns = match self {
            Inverse::Dense(inverse) => inverse.columns(range.start, range.len()).into_owned(),
            Inverse::Sparse(sparse) => sparse.columns(range.clone())?,
        };
        for &held in equations.held() {
            columns.row_mut(held).fill(0.0);
            if range.contains(&held) {
                columns.column_mut(held - range.start).fill(0.0);
            }
        }
        Ok(columns)
    }
}

/// The inverse by the singular values of J with its columns scaled to length 1, which does not square the condition number.
fn dense_inverse(
    problem: &Problem,
    compiled: &CompiledProblem,
    equations: &NormalEquations,
    evaluation: &Evaluation,
    options: &CovarianceOptions,
) -> Result<DMatrix<f64>, CovarianceError> {
    let scalars = equations.scalars();
    let free: Vec<usize> = (0..scalars).filter(|&scalar| !equations.is_held(scalar)).collect();
    let mut inverse = DMatrix::zeros(scalars, scalars);
    if free.is_empty() {
        return Ok(inverse);
    }
    let mut jacobian = dense_jacobian(compiled, equations, evaluation).select_columns(&free);
    let scale = |column: DVectorView<'_, f64>| Some(column.norm()).filter(|&norm| norm > 0.0).unwrap_or(1.0).recip();
    let scales: Vec<f64> = jacobian.column_iter().map(scale).collect();
    for (mut column, scale) in jacobian.column_iter_mut().zip(&scales) {
        column *= *scale;
    }
    if jacobian.nrows() < free.len() {
        // Fewer residuals than parameters: zero rows let one code path serve.
        jacobian = jacobian.resize_vertically(free.len(), 0.0);
    }
    let decomposition = jacobian.svd(false, true);
    let (values, Some(vectors)) = (decomposition.singular_values, decomposition.v_t) else {
        return Err(LinearError::NonFinite { what: "the singular vectors" }.into());
    };
    let largest = values.amax();
    let reciprocal = |value: f64| if largest > 0.0 { (value / largest).powi(2) } else { 0.0 };
    let smallest = values.imin();
    if reciprocal(values[smallest]) < options.min_reciprocal_condition_number && !options.truncate {
        let direction = vectors.row(smallest).transpose();
        return Err(CovarianceError::RankDeficient {
            reciprocal_condition: reciprocal(values[smallest]),
            what: name(problem, equations, free[direction.icamax()]),
        });
    }
    let kept: Vec<usize> =
        (0..values.len()).filter(|&k| reciprocal(values[k]) >= options.min_reciprocal_condition_number).collect();
    let mut factor = vectors.select_rows(&kept);
    for (mut row, &k) in factor.row_iter_mut().zip(&kept) {
        row /= values[k];
    }
    let scaled = factor.tr_mul(&factor);
    for (j, &column) in free.iter().enumerate() {
        for (i, &row) in free.iter().enumerate() {
            inverse[(row, column)] = scales[i] * scaled[(i, j)] * scales[j];
        }
    }
    Ok(inverse)
}

/// The parameter block behind a scalar of the reduced system, in words.
fn name(problem: &Problem, equations: &NormalEquations, scalar: usize) -> String {
    let owner = equations.blocks().find(|(reduced, ..)| reduced.contains(&scalar));
    let Some((reduced, place, _)) = owner else { return "a parameter".to_owned() };
    let block = problem.parameters().offsets().partition_point(|&start| start as usize <= place) - 1;
    format!("component {} of parameter block {block}", scalar - reduced.start)
}

/// A factor of JᵀJ with its diagonal scaled to 1.
struct SparseInverse {
    cholesky: SparseCholesky,
    scales: Vec<f64>,
}

impl SparseInverse {
    fn new(
        problem: &Problem,
        equations: &NormalEquations,
        options: &CovarianceOptions,
    ) -> Result<Self, CovarianceError> {
        let scale = |d: &f64| if *d > 0.0 { d.sqrt().recip() } else { 1.0 };
        let scales: Vec<f64> = equations.matrix.diagonal().iter().map(scale).collect();
        let matrix = equations.matrix.scaled(&scales)?;
        let mut cholesky = SparseCholesky::default();
        cholesky.analyze(matrix.structure())?;
        let deficient = |reciprocal_condition: f64, scalar: usize| CovarianceError::RankDeficient {
            reciprocal_condition,
            what: name(problem, equations, scalar),
        };
        match cholesky.factorize(&matrix, &vec![0.0; scales.len()]) {
            Err(LinearError::NotPositiveDefinite { index }) => return Err(deficient(0.0, index)),
            factored => factored?,
        }
        let (reciprocal_condition, weakest) = reciprocal_condition(&matrix, &mut cholesky)?;
        if reciprocal_condition < options.min_reciprocal_condition_number {
            return Err(deficient(reciprocal_condition, weakest));
        }
        Ok(SparseInverse { cholesky, scales })
    }

    fn columns(&mut self, range: Range<usize>) -> Result<DMatrix<f64>, LinearError> {
        let mut columns = DMatrix::zeros(self.scales.len(), range.len());
        let mut unit = vec![0.0; self.scales.len()];
        for (scalar, mut column) in range.zip(columns.column_iter_mut()) {
            unit[scalar] = self.scales[scalar];
            self.cholesky.substitute(&unit, column.as_mut_slice())?;
            unit[scalar] = 0.0;
            column.iter_mut().zip(&self.scales).for_each(|(number, scale)| *number *= scale);
        }
        Ok(columns)
    }
}

/// Smallest over largest eigenvalue, by power and inverse iteration, and where the weakest eigenvector is largest.
fn reciprocal_condition(matrix: &BlockMatrix, cholesky: &mut SparseCholesky) -> Result<(f64, usize), LinearError> {
    // Neither even nor smooth, so that no eigenvector is missed by symmetry.
    let start = DVector::from_fn(matrix.structure().scalars(), |k, _| 1.0 + 0.5 * (1.7 * k as f64).sin()).normalize();
    let (mut strong, mut weak) = (start.clone(), start);
    let (mut largest, mut inverse) = (0.0, 0.0);
    let mut image = DVector::zeros(strong.len());
    for _ in 0..ROUNDS {
        matrix.multiply(&[], strong.as_slice(), image.as_mut_slice());
        largest = image.norm();
        strong.copy_from(&(&image / largest));
        cholesky.substitute(weak.as_slice(), image.as_mut_slice())?;
        inverse = image.norm();
        weak.copy_from(&(&image / inverse));
    }
    Ok((1.0 / (largest * inverse), weak.icamax()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain of poses on a line with a mesh of measurements between them, the first one known.
    fn chain(length: usize, anchored: bool) -> (Problem, Vec<BlockId>) {
        let mut problem = Problem::new();
        let start: Vec<f64> = (0..2 * length).map(|k| (k as f64).sin()).collect();
        let blocks = problem.add_parameter_blocks(2, &start).unwrap();
        if anchored {
            problem.add_residual(&blocks[..1], |x| [2.0 * x[0][0], 3.0 * x[0][1]]).unwrap();
        }
        for (k, pair) in blocks.windows(2).enumerate() {
            let weight = 1.0 + 0.1 * (k as f64).cos();
            problem
                .add_residual(pair, |x| [weight * (x[1][0] - x[0][0]), x[1][1] - x[0][1] + 0.1 * x[0][0] * x[1][0]])
                .unwrap();
        }
        (problem, blocks)
    }

    #[test]
    fn sparse_and_dense_agree() {
        let (problem, blocks) = chain(60, true);
        let compiled = problem.compile().unwrap();
        let mut evaluation = compiled.new_evaluation();
        compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
        let mut equations = NormalEquations::new(&compiled, problem.parameters()).unwrap();
        equations.refill(&compiled, &evaluation);
        let options = CovarianceOptions::default();
        let pairs: Vec<_> =
            [(0, 0), (3, 17), (17, 3), (59, 59), (20, 21)].map(|(a, b)| (blocks[a], blocks[b])).to_vec();
        let dense = Inverse::Dense(dense_inverse(&problem, &compiled, &equations, &evaluation, &options).unwrap());
        let sparse = Inverse::Sparse(Box::new(SparseInverse::new(&problem, &equations, &options).unwrap()));
        let [dense, sparse] = [dense, sparse].map(|inverse| inverse.blocks(&problem, &equations, &pairs).unwrap());
        let exact = equations.matrix.to_dense().try_inverse().unwrap();
        let start = |block: BlockId| 2 * block.index();
        for &(a, b) in &pairs {
            let (dense, sparse) = (dense.block(a, b).unwrap(), sparse.block(a, b).unwrap());
            assert!((&dense - &sparse).norm() <= 1e-10 * dense.norm());
            let expected = exact.view((start(a), start(b)), (2, 2));
            assert!((&dense - expected).norm() <= 1e-9 * dense.norm(), "{dense} {expected}");
        }
        let (one, other) = (dense.block(blocks[3], blocks[17]).unwrap(), dense.block(blocks[17], blocks[3]).unwrap());
        assert!((&one - other.transpose()).norm() <= 1e-12 * one.norm());
    }

    #[test]
    fn a_free_gauge_is_found_by_both() {
        let (problem, _) = chain(60, false);
        let compiled = problem.compile().unwrap();
        let mut evaluation = compiled.new_evaluation();
        // At the origin the coupling of the components vanishes, and both may be shifted.
        compiled.linearize(&vec![0.0; 120], &mut evaluation).unwrap();
        let mut equations = NormalEquations::new(&compiled, problem.parameters()).unwrap();
        equations.refill(&compiled, &evaluation);
        let options = CovarianceOptions::default();
        let dense = dense_inverse(&problem, &compiled, &equations, &evaluation, &options);
        assert!(matches!(dense, Err(CovarianceError::RankDeficient { .. })), "{dense:?}");
        let sparse = SparseInverse::new(&problem, &equations, &options).map(|_| ());
        assert!(matches!(sparse, Err(CovarianceError::RankDeficient { .. })), "{sparse:?}");
    }
}
