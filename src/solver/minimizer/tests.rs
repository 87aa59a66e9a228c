use super::*;
use crate::linear::{Analysis, BlockMatrix, BlockStructure, LinearSolver, SolveSummary, Stopping};
use std::sync::Arc;

/// Solves by gradients so many times, and then fails.
struct Failing {
    steps: usize,
    error: LinearError,
}

impl LinearSolver for Failing {
    fn name(&self) -> &'static str {
        "failing"
    }

    fn analyze(&mut self, _: &Arc<BlockStructure>) -> Result<Analysis, LinearError> {
        Ok(Analysis { ordering: "", factor_nonzeros: 0, factor_bytes: 0, flops: 0.0 })
    }

    fn solve(
        &mut self,
        matrix: &BlockMatrix,
        damping: &[f64],
        rhs: &[f64],
        solution: &mut [f64],
        _: &Stopping,
    ) -> Result<SolveSummary, LinearError> {
        self.steps = self.steps.checked_sub(1).ok_or_else(|| self.error.clone())?;
        // Half of a Newton step.
        let diagonal = matrix.diagonal();
        for (k, x) in solution.iter_mut().enumerate() {
            *x = 0.5 * rhs[k] / (diagonal[k] + damping[k]);
        }
        Ok(SolveSummary::default())
    }
}

/// Minimises (x − 3)² from 0 with a solver that fails after two steps.
fn minimized(error: LinearError) -> (Result<(Termination, String), SolveError>, f64) {
    let mut problem = Problem::new();
    let block = problem.add_parameter_block(&[0.0]).unwrap();
    problem.add_residual(&[block], |x| x[0][0] - 3.0).unwrap();
    let compiled = problem.compile().unwrap();
    let options = SolverOptions::default();
    let start = Instant::now();
    let ready = async {
        let evaluator = (Evaluator::Cpu, Vec::new());
        let goes_on = async |_: Progress<'_>| ControlFlow::Continue(());
        let mut minimizer =
            Minimizer::start(&mut problem, &compiled, &options, evaluator, None, start, goes_on).await.unwrap();
        minimizer.solver = StepSolver::Normal(Box::new(Failing { steps: 2, error }));
        let outcome = minimizer.run().await;
        (outcome, problem.parameters().values()[0])
    };
    pollster::block_on(ready)
}

#[test]
fn memory_that_is_not_there_ends_a_solve_with_an_error_at_the_accepted_point() {
    let (outcome, x) = minimized(LinearError::OutOfMemory { bytes: 12_345 });
    assert_eq!(outcome, Err(SolveError::Linear(LinearError::OutOfMemory { bytes: 12_345 })));
    assert!((x - 2.25).abs() < 1e-3, "{x}");
}

#[test]
fn systems_that_cannot_be_solved_are_tried_with_more_damping_and_then_explained() {
    let (outcome, x) = minimized(LinearError::NotPositiveDefinite { index: 0 });
    let (termination, message) = outcome.unwrap();
    assert_eq!(termination, Termination::InvalidSteps);
    assert!(message.contains("the matrix is not positive definite (pivot at scalar unknown 0)"), "{message}");
    assert!((x - 2.25).abs() < 1e-3, "{x}");
}
