//! Preconditioned conjugate gradients.

use std::sync::Arc;
use web_time::Instant;

use super::error::{check_finite, check_system};
use super::vector::{axpy, dot, xpay};
use super::{
    Analysis, BlockJacobi, BlockMatrix, BlockStructure, LinearError, LinearSolver, Preconditioner, SolveSummary,
    Stopping,
};

/// The residual is computed afresh after this many iterations, against the drift of the recurrence.
const RESIDUAL_RESET: usize = 50;

/// The model is quadratic in the error, so near the minimum rounding hides its progress long before that of
/// the residual; with a forcing parameter below this only the residual decides.
const SMALLEST_MODEL_TOLERANCE: f64 = 1e-7;

/// Iterative solver: needs no more memory than a few vectors and the preconditioner, and stops as soon as
/// the step is good enough for an inexact Newton method (Nash and Sofer 1990).
pub struct Pcg {
    preconditioner: Box<dyn Preconditioner>,
    structure: Option<Arc<BlockStructure>>,
    work: [Vec<f64>; 4],
}

impl Default for Pcg {
    fn default() -> Self {
        Self::new(Box::new(BlockJacobi::default()))
    }
}

impl Pcg {
    /// Conjugate gradients with the given preconditioner.
    pub fn new(preconditioner: Box<dyn Preconditioner>) -> Self {
        Self { preconditioner, structure: None, work: Default::default() }
    }
}

impl LinearSolver for Pcg {
    fn name(&self) -> &'static str {
        "preconditioned conjugate gradients"
    }

    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        self.structure = Some(Arc::clone(structure));
        let n = structure.scalars();
        self.work = std::array::from_fn(|_| vec![0.0; n]);
        let factor_bytes = self.work.len() * n * size_of::<f64>() + structure.row_bytes();
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
        check_system(self.structure.as_ref(), matrix, damping, rhs, solution)?;
        let start = Instant::now();
        self.preconditioner.update(matrix, damping)?;
        let factor_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        let multiply = |x: &[f64], y: &mut [f64]| matrix.multiply(damping, x, y);
        let iterations = conjugate_gradients(multiply, &*self.preconditioner, rhs, solution, &mut self.work, stop)?;
        check_finite("the solution", solution)?;
        Ok(SolveSummary { iterations, factored: false, factor_s, solve_s: start.elapsed().as_secs_f64() })
    }
}

/// Conjugate gradients for `A x = b`, from zero, where `multiply(x, y)` sets `y = A x`; returns the number of iterations.
/// `work` has four vectors as long as `b`.
pub fn conjugate_gradients(
    mut multiply: impl FnMut(&[f64], &mut [f64]),
    preconditioner: &dyn Preconditioner,
    rhs: &[f64],
    x: &mut [f64],
    work: &mut [Vec<f64>; 4],
    stop: &Stopping,
) -> Result<usize, LinearError> {
    let [r, z, p, ap] = work;
    let eta = stop.relative_tolerance;
    x.fill(0.0);
    r.copy_from_slice(rhs);
    let enough = eta * dot(rhs, rhs).sqrt();
    let mut rho = 0.0;
    let mut model = 0.0;
    for iteration in 0..stop.max_iterations {
        if dot(r, r).sqrt() <= enough {
            return Ok(iteration);
        }
        preconditioner.apply(r, z);
        let previous = std::mem::replace(&mut rho, dot(r, z));
        xpay(z, if iteration == 0 { 0.0 } else { rho / previous }, p);
        multiply(p, ap);
        let curvature = dot(p, ap);
        if curvature <= 0.0 || !curvature.is_finite() || !rho.is_finite() {
            return indefinite(iteration, curvature, p);
        }
        let alpha = rho / curvature;
        axpy(alpha, p, x);
        if (iteration + 1) % RESIDUAL_RESET == 0 {
            multiply(x, ap);
            r.copy_from_slice(rhs);
            axpy(-1.0, ap, r);
        } else {
            axpy(-alpha, ap, r);
        }
        // Q(x) = ½ xᵀAx - bᵀx = -½ xᵀ(b + r). Its decrease is what the outer iteration cares about, and
        // unlike the residual it falls monotonically.
        let before = std::mem::replace(&mut model, -0.5 * (dot(x, rhs) + dot(x, r)));
        let count = (iteration + 1) as f64;
        if eta > SMALLEST_MODEL_TOLERANCE && count * (model - before) / model < eta {
            return Ok(iteration + 1);
        }
    }
    Ok(stop.max_iterations)
}

/// What a direction without positive curvature means: overflow, or a matrix that is not positive definite.
/// The component of largest magnitude points at the unknowns to blame.
fn indefinite(iteration: usize, curvature: f64, p: &[f64]) -> Result<usize, LinearError> {
    if curvature == 0.0 && p.iter().all(|&p| p == 0.0) {
        return Ok(iteration);
    }
    if !curvature.is_finite() {
        return Err(LinearError::NonFinite { what: "a conjugate-gradient direction" });
    }
    let largest = p.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
    Err(LinearError::NotPositiveDefinite { index: largest.map_or(0, |(index, _)| index) })
}

#[cfg(test)]
mod tests {
    use super::super::test_problems::{bits_with_threads, check_against_dense, grid, matrix};
    use super::super::{Identity, Jacobi};
    use super::*;

    const EXACT: Stopping = Stopping { relative_tolerance: 0.0, max_iterations: 300 };

    #[test]
    fn solves_the_test_problems_with_every_preconditioner() {
        check_against_dense(|| Box::new(Pcg::default()));
        check_against_dense(|| Box::new(Pcg::new(Box::new(Jacobi::default()))));
        check_against_dense(|| Box::new(Pcg::new(Box::new(Identity))));
    }

    #[test]
    fn block_jacobi_is_exact_on_a_block_diagonal_matrix() {
        let a = matrix(&[3, 2], &[], |_, _, r, c| if r == c { 2.0 + r as f64 } else { 0.5 });
        let mut solver = Pcg::default();
        solver.analyze(a.structure()).unwrap();
        let mut x = [0.0; 5];
        let stop = Stopping { relative_tolerance: 1e-12, max_iterations: 10 };
        let summary = solver.solve(&a, &[0.0; 5], &[1.0; 5], &mut x, &stop).unwrap();
        assert!(summary.iterations <= 2);
    }

    #[test]
    fn a_loose_forcing_parameter_stops_early() {
        let a = grid(20);
        let n = a.structure().scalars();
        let count = |relative_tolerance| {
            let mut solver = Pcg::default();
            solver.analyze(a.structure()).unwrap();
            let stop = Stopping { relative_tolerance, max_iterations: 500 };
            let mut x = vec![0.0; n];
            let rhs: Vec<f64> = (0..n).map(|i| (i as f64).cos()).collect();
            solver.solve(&a, &vec![0.0; n], &rhs, &mut x, &stop).unwrap().iterations
        };
        assert!(count(0.5) < count(1e-8));
    }

    #[test]
    fn an_indefinite_matrix_is_an_error() {
        let a = matrix(&[1, 1], &[(0, 1)], |i, j, _, _| if i == j { 1.0 } else { 2.0 });
        let mut solver = Pcg::default();
        solver.analyze(a.structure()).unwrap();
        let result = solver.solve(&a, &[0.0; 2], &[1.0, -1.0], &mut [0.0; 2], &EXACT);
        assert!(matches!(result, Err(LinearError::NotPositiveDefinite { .. })));
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let a = grid(60);
        let one = bits_with_threads(1, &a, || Box::new(Pcg::default()));
        assert_eq!(one, bits_with_threads(3, &a, || Box::new(Pcg::default())));
    }
}
