//! A Cholesky factor that serves later systems as well.

use std::sync::Arc;
use web_time::Instant;

use super::error::check_system;
use super::vector::{axpy, dot, xpay};
use super::{Analysis, BlockMatrix, BlockStructure, LinearError, LinearSolver, SolveSummary, SparseCholesky, Stopping};

/// Floating-point operations of a factorisation that take as long as one iteration does for each entry of the factor: an iteration
/// streams the factor twice, and threads share a factorisation better than they share that.
const OPERATIONS_PER_ENTRY: f64 = 90.0;
/// Share of the time of a factorisation that iterations may take.
const SHARE: f64 = 0.75;
/// With fewer iterations than this, trying is not worth it.
const FEWEST: usize = 3;
/// To which share of the right-hand side the residual is brought. The model of the cost is quadratic in the error, so a step is as good
/// as one up to rounding.
const TOLERANCE: f64 = 1e-4;
/// Where the right-hand side, the gradient, has become this much smaller, the minimizer converges, and what failed before may succeed.
const FALL: f64 = 0.1;

/// [`SparseCholesky`] that factors only where the last factor is too old.
///
/// From one step of Levenberg-Marquardt to the next matrix and damping change less and less. So the last factor is tried as the
/// preconditioner of conjugate gradients, and where these would not converge within the time of a factorisation, judged by how they begin,
/// the matrix is factored. Such lagged preconditioners are common in Newton-Krylov methods (Knoll and Keyes 2004).
///
/// Solutions are exact to a residual of 1e-4 of the right-hand side, or up to rounding where the matrix was factored. What is decided
/// depends on numbers of operations and on residuals, not on times, so that results are the same in every run.
#[derive(Default)]
pub struct LaggedCholesky {
    cholesky: SparseCholesky,
    structure: Option<Arc<BlockStructure>>,
    /// Iterations that cost less than a factorisation.
    most: usize,
    /// Systems that the factor has served for; 0 if there is none.
    served: usize,
    failures: Failures,
    work: [Vec<f64>; 4],
}

/// Tries that failed one after the other, though the factor was that of the system before.
#[derive(Default)]
struct Failures {
    count: usize,
    /// Systems to factor before the next try.
    wait: usize,
    /// Norm of the right-hand side at the last.
    norm: f64,
}

impl Failures {
    /// Whether the next try may be made.
    fn allow(&mut self, norm: f64) -> bool {
        let allowed = self.wait == 0 || norm <= FALL * self.norm;
        self.wait = self.wait.saturating_sub(1);
        allowed
    }

    /// Waits longer each time, so that tries that never succeed cost next to nothing.
    fn add(&mut self, norm: f64) {
        self.count += 1;
        *self = Failures { count: self.count, wait: self.count, norm };
    }
}

impl LinearSolver for LaggedCholesky {
    fn name(&self) -> &'static str {
        self.cholesky.name()
    }

    /// Conjugate gradients leave a residual that is orthogonal to the solution.
    fn is_direct(&self) -> bool {
        true
    }

    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        *self = Self::default();
        let analysis = self.cholesky.analyze(structure)?;
        let iteration = OPERATIONS_PER_ENTRY * analysis.factor_nonzeros as f64;
        self.most = (SHARE * analysis.flops / iteration.max(1.0)) as usize;
        self.structure = Some(Arc::clone(structure));
        let mut work_bytes = 0;
        if self.most >= FEWEST {
            self.work = std::array::from_fn(|_| vec![0.0; structure.scalars()]);
            work_bytes = self.work.len() * structure.scalars() * size_of::<f64>();
        }
        Ok(Analysis { factor_bytes: analysis.factor_bytes + work_bytes, ..analysis })
    }

    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        stop: &Stopping,
    ) -> Result<SolveSummary, LinearError> {
        if self.served > 0 && self.most >= FEWEST {
            check_system(self.structure.as_ref(), matrix, damping, rhs, solution)?;
            let start = Instant::now();
            let norm = dot(rhs, rhs).sqrt();
            if self.failures.allow(norm) {
                if let Some(iterations) = self.iterate(matrix, damping, rhs, norm, solution) {
                    self.served += 1;
                    self.failures = Failures::default();
                    let solve_s = start.elapsed().as_secs_f64();
                    return Ok(SolveSummary { iterations, factored: false, factor_s: 0.0, solve_s });
                }
                if self.served == 1 {
                    self.failures.add(norm);
                }
            }
        }
        self.served = 0;
        let summary = self.cholesky.solve(matrix, damping, rhs, solution, stop)?;
        self.served = 1;
        Ok(summary)
    }
}

impl LaggedCholesky {
    /// Conjugate gradients with the factor there is; the number of iterations, or `None` if they do not get there in time.
    fn iterate(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        norm: f64,
        x: &mut [f64],
    ) -> Option<usize> {
        let [r, z, p, ap] = &mut self.work;
        x.fill(0.0);
        r.copy_from_slice(rhs);
        if norm == 0.0 {
            return Some(0);
        }
        let mut rho = 0.0;
        for iteration in 1..=self.most {
            self.cholesky.substitute(r, z).ok()?;
            let before = std::mem::replace(&mut rho, dot(r, z));
            xpay(z, if iteration == 1 { 0.0 } else { rho / before }, p);
            matrix.multiply(damping, p, ap);
            let curvature = dot(p, ap);
            let alpha = rho / curvature;
            if !(curvature > 0.0 && alpha > 0.0 && alpha.is_finite()) {
                return None;
            }
            axpy(alpha, p, x);
            axpy(-alpha, ap, r);
            let left = dot(r, r).sqrt() / norm;
            if left <= TOLERANCE {
                return Some(iteration);
            }
            // As many more as there were for what has been reached; a NaN ends it too.
            let expected = iteration as f64 * TOLERANCE.ln() / left.ln();
            if !(left < 1.0 && expected <= self.most as f64) {
                return None;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_problems::{check_against_dense, matrix};
    use super::*;

    /// Dense enough for iterations to be cheaper than factorisations: 800 unknowns, of which the first two blocks depend on `change`.
    fn system(structure: Option<&Arc<BlockStructure>>, change: f64) -> BlockMatrix {
        let blocks = 16u32;
        let pairs: Vec<(u32, u32)> = (0..blocks).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        let a = matrix(&vec![50; blocks as usize], &pairs, |i, j, r, c| match (i == j, r == c) {
            (true, true) => 900.0 + if i < 2 { change * (1.0 + r as f64) } else { 0.0 },
            _ => ((i + j + 3) as f64 * (r + c + 1) as f64).sin(),
        });
        let mut same = BlockMatrix::zeros(structure.map_or_else(|| Arc::clone(a.structure()), Arc::clone));
        same.values = a.values;
        same
    }

    fn rhs(scale: f64) -> Vec<f64> {
        (0..800).map(|i| scale * (i as f64).sin()).collect()
    }

    /// Norm of the residual over that of the right-hand side.
    fn error(a: &BlockMatrix, damping: &[f64], x: &[f64], rhs: &[f64]) -> f64 {
        let mut product = vec![0.0; x.len()];
        a.multiply(damping, x, &mut product);
        axpy(-1.0, rhs, &mut product);
        (dot(&product, &product) / dot(rhs, rhs)).sqrt()
    }

    /// Solves systems that differ by `changes` one after the other; how many iterations each took without a factorisation, and the bits
    /// of the last solution.
    fn solve(changes: &[(f64, f64)]) -> (Vec<Option<usize>>, Vec<u64>) {
        let (mut solver, damping, mut x) = (LaggedCholesky::default(), vec![0.01; 800], vec![0.0; 800]);
        let first = system(None, 0.0);
        solver.analyze(first.structure()).unwrap();
        let mut taken = Vec::new();
        for &(change, scale) in changes {
            let (a, b) = (system(Some(first.structure()), change), rhs(scale));
            let summary = solver.solve(&a, &damping, &b, &mut x, &Stopping::default()).unwrap();
            let tolerance = if summary.factored { 1e-13 } else { TOLERANCE };
            assert!(error(&a, &damping, &x, &b) <= tolerance);
            taken.push((!summary.factored).then_some(summary.iterations));
        }
        (taken, x.iter().map(|x| x.to_bits()).collect())
    }

    #[test]
    fn solves_the_test_problems() {
        check_against_dense(|| Box::new(LaggedCholesky::default()));
    }

    #[test]
    fn a_factor_serves_until_it_is_too_old() {
        let (taken, _) = solve(&[(0.0, 1.0), (0.0, 1.0), (0.01, 1.0), (0.02, 0.5), (1e4, 0.5), (1e4, 0.5)]);
        assert_eq!((taken[0], taken[1], taken[4], taken[5]), (None, Some(1), None, Some(1)));
        assert!(taken[2..4].iter().all(|iterations| iterations.is_some_and(|count| (1..=3).contains(&count))));
    }

    #[test]
    fn tries_that_fail_become_rare_until_the_gradient_falls() {
        let far = |k: i32| 300.0 * f64::from(k * k * k);
        let mut failures = Failures::default();
        let tries: Vec<bool> = (0..9)
            .map(|_| {
                let allowed = failures.allow(1.0);
                if allowed {
                    failures.add(1.0);
                }
                allowed
            })
            .collect();
        assert_eq!(tries, [true, false, true, false, false, true, false, false, false]);
        assert!(failures.allow(0.1));
        // The same in solves: each system is far from the one before, and is solved up to rounding.
        let (taken, _) = solve(&[(far(0), 1.0), (far(1), 1.0), (far(2), 1.0), (far(3), 1.0)]);
        assert_eq!(taken, [None; 4]);
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| solve(&[(0.0, 1.0), (0.01, 1.0), (0.3, 1.0)]))
        };
        let one = with(1);
        assert!(one.0[2].is_some());
        assert_eq!(one, with(3));
    }

    #[test]
    fn what_cannot_be_factored_leaves_no_factor() {
        let (mut solver, damping, mut x) = (LaggedCholesky::default(), vec![0.01; 800], vec![0.0; 800]);
        let good = system(None, 0.0);
        let bad = system(Some(good.structure()), -1e6);
        solver.analyze(good.structure()).unwrap();
        let b = rhs(1.0);
        let mut run = |a: &BlockMatrix| solver.solve(a, &damping, &b, &mut x, &Stopping::default());
        assert!(run(&good).unwrap().factored);
        assert!(matches!(run(&bad), Err(LinearError::NotPositiveDefinite { .. })));
        assert!(run(&good).unwrap().factored);
    }
}
