//! Elimination followed by a sparse factorisation.

use std::sync::Arc;
use web_time::Instant;

use super::super::error::{check_finite, check_shape};
use super::super::{
    Analysis, BlockMatrix, BlockStructure, LinearError, LinearSolver, SolveSummary, SparseCholesky, Stopping,
};
use super::chunks::Coverage;
use super::complement::Complement;
use super::partition::Partition;

/// Eliminates an independent set of blocks and solves what is left, S, by sparse Cholesky factorisation: for bundle
/// adjustments in which most pairs of cameras share no point.
#[derive(Default)]
pub struct SparseSchur {
    state: Option<State>,
    cholesky: SparseCholesky,
}

/// What one structure needs.
struct State {
    complement: Complement,
    analysis: Analysis,
    /// S.
    matrix: BlockMatrix,
    /// The damping of S, which is in S already.
    zeros: Vec<f64>,
    rhs: Vec<f64>,
    solution: Vec<f64>,
}

impl SparseSchur {
    /// A solver for a structure whose elimination is planned, with its analysis.
    pub(super) fn with(complement: Complement) -> Result<(Self, Analysis), LinearError> {
        let mut solver = Self::default();
        let reduced = solver.cholesky.analyze(&complement.reduced)?;
        let n = complement.partition.scalars();
        let matrix = BlockMatrix::zeros(Arc::clone(&complement.reduced));
        let analysis = Analysis {
            factor_bytes: reduced.factor_bytes + matrix.memory_bytes() + complement.memory_bytes(),
            flops: reduced.flops + complement.partition.flops(),
            ..reduced
        };
        let (zeros, rhs, solution) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        solver.state = Some(State { complement, analysis, matrix, zeros, rhs, solution });
        Ok((solver, analysis))
    }

    /// The plan of the elimination.
    pub(super) fn into_complement(self) -> Option<Complement> {
        self.state.map(|state| state.complement)
    }
}

impl LinearSolver for SparseSchur {
    fn name(&self) -> &'static str {
        "sparse Schur complement"
    }

    fn is_direct(&self) -> bool {
        true
    }

    fn detail(&self) -> String {
        self.state.as_ref().map_or_else(String::new, |s| s.complement.partition.describe())
    }

    fn analyze(&mut self, structure: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        if let Some(state) = self.state.as_ref().filter(|s| s.complement.is_for(structure)) {
            return Ok(state.analysis);
        }
        let (solver, analysis) = Self::with(Complement::new(Partition::new(structure), Coverage::All)?)?;
        *self = solver;
        Ok(analysis)
    }

    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        stop: &Stopping,
    ) -> Result<SolveSummary, LinearError> {
        check_shape(self.state.as_ref().map(|s| &s.complement.partition.structure), matrix, damping, rhs, solution)?;
        let Some(state) = &mut self.state else {
            return Err(LinearError::NotAnalyzed);
        };
        let start = Instant::now();
        let complement = &mut state.complement;
        complement.eliminate(matrix, damping, rhs)?;
        complement.write_matrix(matrix, damping, &mut state.matrix);
        complement.write_rhs(rhs, &mut state.rhs);
        let eliminate_s = start.elapsed().as_secs_f64();
        let summary = self
            .cholesky
            .solve(&state.matrix, &state.zeros, &state.rhs, &mut state.solution, stop)
            .map_err(|error| complement.explain(error, matrix, damping, rhs))?;

        let start = Instant::now();
        complement.back_substitute(matrix, rhs, &state.solution, solution);
        check_finite("the solution", solution).map_err(|e| complement.explain(e, matrix, damping, rhs))?;
        Ok(SolveSummary {
            iterations: 1,
            factored: true,
            factor_s: eliminate_s + summary.factor_s,
            solve_s: summary.solve_s + start.elapsed().as_secs_f64(),
        })
    }
}
