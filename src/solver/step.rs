//! Solves for a step with the linear solver that fits the problem.

use super::{LinearSolverKind, NormalEquations, SolveError, SolverOptions};
use crate::linear::{
    DenseCholesky, DenseQr, DenseSchur, ImplicitSchur, LaggedCholesky, LinearError, LinearSolver, Pcg, SolveSummary,
    SparseCholesky, SparseSchur, Stopping, choose_schur,
};
use crate::problem::{CompiledProblem, Evaluation};
use nalgebra::DMatrix;

/// Parameters up to which QR of the dense Jacobian is the choice, if there are not too many residuals.
const QR_PARAMETERS: usize = 32;
/// Entries of the dense Jacobian up to which QR is the choice.
const QR_ENTRIES: usize = 200_000;
/// Parameters up to which dense Cholesky is the choice.
pub(super) const DENSE_PARAMETERS: usize = 150;
/// Damping that holds a component in JᵀJ, beside which everything else there is rounding.
const HOLDING: f64 = 1e30;
/// Bytes of a factor up to which factoring a Schur complement is the choice, if no limit on the memory is given: 4 GiB, and as much as
/// there is in a browser.
const SCHUR_FACTOR_BYTES: usize = 0xffff_ffff;

/// The solver for sparse systems. What is compiled, a browser has to load, and the systems there are too small for factors to be kept.
fn sparse_cholesky() -> Box<dyn LinearSolver> {
    if cfg!(target_arch = "wasm32") { Box::new(SparseCholesky::default()) } else { Box::new(LaggedCholesky::default()) }
}

/// The chosen linear solver.
pub(super) enum StepSolver {
    /// Works on J itself.
    DenseQr,
    /// Works on JᵀJ.
    Normal(Box<dyn LinearSolver>),
}

impl StepSolver {
    /// Picks by size and structure where the options leave it open, and says why.
    pub fn choose(
        options: &SolverOptions,
        residuals: usize,
        equations: &NormalEquations,
    ) -> Result<(Self, String), LinearError> {
        let scalars = equations.scalars();
        let (kind, reason) = match options.linear_solver {
            LinearSolverKind::Auto if scalars <= QR_PARAMETERS && residuals * scalars <= QR_ENTRIES => {
                let reason = format!("{scalars} unknowns, at most {QR_PARAMETERS}: the most accurate is cheap");
                (LinearSolverKind::DenseQr, reason)
            }
            LinearSolverKind::Auto if scalars <= DENSE_PARAMETERS => {
                let reason = format!("{scalars} unknowns, at most {DENSE_PARAMETERS}: zeros are not worth finding");
                (LinearSolverKind::DenseCholesky, reason)
            }
            LinearSolverKind::Auto => {
                let limit = options.max_memory.unwrap_or(SCHUR_FACTOR_BYTES).saturating_sub(equations.bytes());
                let structure = equations.matrix.structure();
                if let Some((solver, reason)) = choose_schur(structure, options.schur_preconditioner, limit)? {
                    return Ok((StepSolver::Normal(solver), reason));
                }
                let reason = format!("{scalars} unknowns, of which eliminating blocks would leave more than a third");
                (LinearSolverKind::SparseCholesky, reason)
            }
            kind => (kind, "asked for".to_owned()),
        };
        let solver: Box<dyn LinearSolver> = match kind {
            LinearSolverKind::DenseQr => return Ok((StepSolver::DenseQr, reason)),
            LinearSolverKind::DenseCholesky => Box::new(DenseCholesky::default()),
            LinearSolverKind::Pcg => Box::new(Pcg::default()),
            LinearSolverKind::DenseSchur => Box::new(DenseSchur::default()),
            LinearSolverKind::SparseSchur => Box::new(SparseSchur::default()),
            LinearSolverKind::IterativeSchur => Box::new(ImplicitSchur::new(options.schur_preconditioner)),
            LinearSolverKind::SparseCholesky | LinearSolverKind::Auto => sparse_cholesky(),
        };
        Ok((StepSolver::Normal(solver), reason))
    }

    /// Analyses the structure once; returns a description and the bytes of the factor.
    pub fn analyze(
        &mut self,
        equations: &NormalEquations,
        residuals: usize,
        max_memory: Option<usize>,
    ) -> Result<(String, usize), SolveError> {
        let check = |factor_bytes: usize| {
            let needed = factor_bytes.saturating_add(equations.bytes());
            match max_memory.filter(|&allowed| needed > allowed) {
                Some(allowed) => Err(SolveError::Memory { needed, allowed }),
                None => Ok(factor_bytes),
            }
        };
        let StepSolver::Normal(solver) = self else {
            // J itself, and J over the damping, which is factored.
            let entries = (2 * residuals + equations.scalars()).saturating_mul(equations.scalars());
            let bytes = check(entries.saturating_mul(size_of::<f64>()))?;
            // Ask now rather than abort in the middle of a solve.
            if Vec::<f64>::new().try_reserve_exact(entries).is_err() {
                return Err(LinearError::OutOfMemory { bytes }.into());
            }
            return Ok(("dense QR of J".to_owned(), bytes));
        };
        let analysis = solver.analyze(equations.matrix.structure())?;
        check(analysis.factor_bytes)?;
        let mut description = solver.name().to_owned();
        let detail = solver.detail();
        if !detail.is_empty() {
            description += &format!(": {detail}");
        }
        if !analysis.ordering.is_empty() {
            let (entries, flops) = (analysis.factor_nonzeros as f64 / 1e6, analysis.flops / 1e9);
            description += &format!(" ({}, {entries:.1} M entries, {flops:.1} Gflop a factor)", analysis.ordering);
        }
        Ok((description, analysis.factor_bytes))
    }

    /// Whether steps solve the damped normal equations up to rounding. QR solves them better than JᵀJ says what they are.
    pub fn is_direct(&self) -> bool {
        match self {
            StepSolver::DenseQr => false,
            StepSolver::Normal(solver) => solver.is_direct(),
        }
    }

    /// Solves (JᵀJ + D) δ = −Jᵀr with δ = 0 in the scalars `active`; overwrites the damping there.
    pub fn solve(
        &mut self,
        problem: &CompiledProblem,
        equations: &NormalEquations,
        evaluation: &Evaluation,
        (damping, active): (&mut [f64], &[usize]),
        options: &SolverOptions,
        step: &mut [f64],
    ) -> Result<SolveSummary, LinearError> {
        let summary = match self {
            StepSolver::Normal(solver) => {
                active.iter().for_each(|&scalar| damping[scalar] = HOLDING * (1.0 + damping[scalar]));
                let stopping =
                    Stopping { relative_tolerance: options.forcing, max_iterations: options.max_linear_iterations };
                let summary = solver.solve(&equations.matrix, damping, &equations.gradient, step, &stopping)?;
                // Turned round now, the same to the last bit, and no right-hand side of its own.
                step.iter_mut().for_each(|number| *number = -*number);
                summary
            }
            StepSolver::DenseQr => {
                let mut jacobian = dense_jacobian(problem, equations, evaluation);
                active.iter().for_each(|&scalar| jacobian.column_mut(scalar).fill(0.0));
                let (solution, _rank) = DenseQr::default().solve(&jacobian, damping, &evaluation.residuals)?;
                step.copy_from_slice(solution.as_slice());
                SolveSummary { iterations: 1, factored: true, ..SolveSummary::default() }
            }
        };
        active.iter().for_each(|&scalar| step[scalar] = 0.0);
        Ok(summary)
    }
}

/// J over the free parameters; columns of held components are 0.
pub(super) fn dense_jacobian(
    problem: &CompiledProblem,
    equations: &NormalEquations,
    evaluation: &Evaluation,
) -> DMatrix<f64> {
    let mut columns: Vec<Option<usize>> = vec![None; problem.steps().tangent()];
    for (reduced, _, start) in equations.blocks() {
        for (k, column) in reduced.enumerate() {
            columns[start + k] = (!equations.is_held(column)).then_some(column);
        }
    }
    let mut jacobian = DMatrix::zeros(problem.residuals(), equations.scalars());
    problem.for_each_entry(evaluation, |row, component, derivative| {
        if let Some(column) = columns[component] {
            jacobian[(row, column)] += derivative;
        }
    });
    jacobian
}
