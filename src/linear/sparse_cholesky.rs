//! Sparse Cholesky factorisation as a linear solver.

use std::sync::Arc;
use web_time::Instant;

use super::error::{check_finite, check_length, check_system};
use super::multifrontal::Multifrontal;
use super::update_pool::UpdatePool;
use super::{Analysis, BlockMatrix, BlockStructure, LinearError, LinearSolver, Ordering, SolveSummary, Stopping};
use super::{substitution, triangular};

/// Numbers of a factor from which on threads share substitutions. What is compiled, a browser has to load, and its factors are smaller.
const LARGE: Option<usize> = if cfg!(target_arch = "wasm32") { None } else { Some(1 << 22) };

/// Whether a solver may use more than one thread. Results are the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Parallelism {
    /// Only the calling thread.
    Sequential,
    /// The threads of the current rayon pool.
    #[default]
    Rayon,
}

/// Direct solver for block-sparse systems: a fill-reducing ordering of the blocks and a multifrontal
/// Cholesky factorisation. The symbolic analysis happens once per structure; the memory of the factor is
/// reused by every solve.
#[derive(Default)]
pub struct SparseCholesky {
    /// The order of elimination.
    pub ordering: Ordering,
    /// The threads to use.
    pub parallelism: Parallelism,
    plan: Option<(Arc<BlockStructure>, Multifrontal)>,
    factor: Vec<f64>,
    pool: UpdatePool,
    permuted: Vec<f64>,
    scratch: Vec<f64>,
}

impl SparseCholesky {
    /// A solver with the given ordering and threads.
    pub fn new(ordering: Ordering, parallelism: Parallelism) -> Self {
        Self { ordering, parallelism, ..Self::default() }
    }

    /// Whether there are threads to share the work with.
    fn is_parallel(&self) -> bool {
        self.parallelism == Parallelism::Rayon && rayon::current_num_threads() > 1
    }

    /// Bytes held for the factor, the update matrices and the index lists.
    pub fn memory_bytes(&self) -> usize {
        let plan = self.plan.as_ref().map_or(0, |(_, p)| p.memory_bytes());
        plan + size_of_val(&self.factor[..]) + self.pool.memory_bytes()
    }
}

impl LinearSolver for SparseCholesky {
    fn name(&self) -> &'static str {
        "sparse cholesky"
    }

    fn is_direct(&self) -> bool {
        true
    }

    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        self.plan = None;
        self.factor = Vec::new();
        self.pool = UpdatePool::default();
        let (elimination, ordering) = self.ordering.eliminate(structure)?;
        let plan = Multifrontal::new(structure, &elimination);
        let analysis = Analysis {
            ordering: ordering.name(),
            factor_nonzeros: elimination.nonzeros as u64,
            factor_bytes: plan.factor_len() * size_of::<f64>() + plan.memory_bytes() + structure.row_bytes(),
            flops: elimination.flops,
        };
        self.plan = Some((Arc::clone(structure), plan));
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
        let structure = self.plan.as_ref().map(|(structure, _)| structure);
        check_system(structure, matrix, damping, rhs, solution)?;
        let start = Instant::now();
        self.factorize(matrix, damping)?;
        let factor_s = start.elapsed().as_secs_f64();
        let start = Instant::now();
        self.substitute(rhs, solution)?;
        Ok(SolveSummary { iterations: 1, factored: true, factor_s, solve_s: start.elapsed().as_secs_f64() })
    }
}

impl SparseCholesky {
    /// Factors `A + diag(damping)`, for [`SparseCholesky::substitute`] to use any number of times.
    ///
    /// # Errors
    /// [`LinearError`], for instance if the structure was not analysed or a pivot is not positive.
    pub fn factorize(&mut self, matrix: &BlockMatrix, damping: &[f64]) -> Result<(), LinearError> {
        let parallel = self.is_parallel();
        let Some((structure, plan)) = &self.plan else {
            return Err(LinearError::NotAnalyzed);
        };
        check_length("the damping", structure.scalars(), damping.len())?;
        reserve(&mut self.factor, plan.factor_len())?;
        plan.factorize(matrix, damping, &mut self.factor, &self.pool, parallel).map_err(|pivot| {
            let offsets = &plan.supernodes.offsets;
            let block = offsets.partition_point(|&o| o <= pivot) - 1;
            let old = plan.supernodes.order[block] as usize;
            LinearError::NotPositiveDefinite { index: structure.range(old).start + pivot - offsets[block] }
        })
    }

    /// Solves with the present factor.
    ///
    /// # Errors
    /// [`LinearError`], for instance if there is no factor or the solution overflows.
    pub fn substitute(&mut self, rhs: &[f64], solution: &mut [f64]) -> Result<(), LinearError> {
        let parallel = self.is_parallel();
        let Some((structure, plan)) = self.plan.as_ref().filter(|(_, plan)| plan.factor_len() == self.factor.len())
        else {
            return Err(LinearError::NotAnalyzed);
        };
        check_length("the right-hand side", structure.scalars(), rhs.len())?;
        check_length("the solution", structure.scalars(), solution.len())?;
        let order = &plan.supernodes.order;
        let range = |old: u32| structure.range(old as usize);
        self.permuted.clear();
        order.iter().for_each(|&old| self.permuted.extend_from_slice(&rhs[range(old)]));
        if LARGE.is_some_and(|large| self.factor.len() >= large) {
            substitution::solve_in_place(plan, &self.factor, &mut self.permuted, parallel);
        } else {
            triangular::solve_in_place(plan, &self.factor, &mut self.permuted, &mut self.scratch);
        }
        let mut at = 0;
        for &old in order {
            let range = range(old);
            let len = range.len();
            solution[range].copy_from_slice(&self.permuted[at..at + len]);
            at += len;
        }
        check_finite("the solution", solution)
    }
}

/// Gives the factor its length. Zeroed memory straight from the system is touched first by the threads that
/// fill it, so the first factorisation is not held up by one thread clearing it all.
fn reserve(factor: &mut Vec<f64>, len: usize) -> Result<(), LinearError> {
    if factor.len() == len {
        return Ok(());
    }
    *factor = Vec::new();
    if Vec::<f64>::new().try_reserve_exact(len).is_err() {
        let bytes = len.saturating_mul(size_of::<f64>());
        return Err(LinearError::OutOfMemory { bytes });
    }
    *factor = vec![0.0; len];
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::test_problems::{bits_with_threads, check_against_dense, grid, matrix};
    use super::*;

    const ORDERINGS: [Ordering; 4] = [Ordering::Auto, Ordering::Amd, Ordering::NestedDissection, Ordering::Natural];

    fn solver(ordering: Ordering) -> Box<dyn LinearSolver> {
        Box::new(SparseCholesky::new(ordering, Parallelism::Rayon))
    }

    #[test]
    fn solves_the_test_problems_in_every_order() {
        for ordering in ORDERINGS {
            check_against_dense(|| solver(ordering));
        }
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let a = grid(40);
        for ordering in ORDERINGS {
            let one = bits_with_threads(1, &a, || solver(ordering));
            assert_eq!(one, bits_with_threads(2, &a, || solver(ordering)));
            assert_eq!(one, bits_with_threads(5, &a, || solver(ordering)));
        }
    }

    #[test]
    fn a_semidefinite_matrix_names_an_unknown() {
        // Block 1 is coupled to nothing and has rank 2: its last unknown has no pivot.
        let a = matrix(&[3, 3, 2], &[(0, 2)], |i, j, r, c| match (i == j, r == c) {
            (true, true) if i == 1 && r == 2 => 0.0,
            (true, true) => 4.0,
            (true, false) => 0.0,
            _ => 0.5,
        });
        for ordering in ORDERINGS {
            let mut solver = solver(ordering);
            solver.analyze(a.structure()).unwrap();
            let (rhs, mut x, stop) = ([1.0; 8], [0.0; 8], Stopping::default());
            let error = solver.solve(&a, &[0.0; 8], &rhs, &mut x, &stop).unwrap_err();
            assert_eq!(error, LinearError::NotPositiveDefinite { index: 5 });
            // The same solver still works once the system is damped.
            solver.solve(&a, &[1.0; 8], &rhs, &mut x, &stop).unwrap();
        }
    }

    #[test]
    fn bad_input_is_an_error() {
        let mut a = grid(2);
        let mut solver = SparseCholesky::default();
        let (zeros, mut x, stop) = ([0.0; 12], [0.0; 12], Stopping::default());
        let mut solve = |solver: &mut SparseCholesky, a: &BlockMatrix, damping: &[f64]| {
            solver.solve(a, damping, &zeros, &mut x, &stop).unwrap_err()
        };
        assert_eq!(solve(&mut solver, &a, &zeros), LinearError::NotAnalyzed);
        solver.analyze(grid(2).structure()).unwrap();
        assert_eq!(solve(&mut solver, &a, &zeros), LinearError::NotAnalyzed);
        solver.analyze(a.structure()).unwrap();
        let mismatch = solve(&mut solver, &a, &[0.0; 11]);
        assert!(matches!(mismatch, LinearError::DimensionMismatch { expected: 12, found: 11, .. }));
        a.values[3] = f64::NAN;
        assert_eq!(solve(&mut solver, &a, &zeros), LinearError::NonFinite { what: "the matrix" });
    }

    #[test]
    fn independent_systems_and_long_chains() {
        // Thousands of roots, and a tree as deep as the matrix is long.
        let apart = matrix(&vec![1; 5000], &[], |_, _, _, _| 2.0);
        let pairs: Vec<(u32, u32)> = (1..5000).map(|i| (i - 1, i)).collect();
        let chain = matrix(&vec![2; 5000], &pairs, |i, j, r, c| match (i == j, r == c) {
            (true, true) => 4.0,
            (false, true) => -1.0,
            _ => 0.0,
        });
        for a in [apart, chain] {
            for ordering in [Ordering::Amd, Ordering::Natural] {
                let bits = bits_with_threads(2, &a, || solver(ordering));
                let x: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
                let (mut y, n) = (vec![0.0; x.len()], x.len());
                a.multiply(&vec![0.01; n], &x, &mut y);
                assert!((0..n).all(|i| (y[i] - (i as f64).sin()).abs() < 1e-12));
            }
        }
    }
}
