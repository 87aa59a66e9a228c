//! A whole function of a parameter vector, compiled residual by residual.

use super::{BlockId, CompiledProblem, Evaluation, Problem, ProblemError};
use crate::topology::trace_function;
use crate::{SolveError, SolverOptions, SolverReport, Value};
use std::ops::ControlFlow;

/// The residuals r(x) of a function ℝⁿ → ℝᵐ, each compiled by itself so that those of one shape share a kernel.
///
/// ```
/// use isograd::CompiledResiduals;
///
/// let residuals = CompiledResiduals::compile(&[2.0, 3.0], |x| vec![x[0] + x[1], x[0] * x[1], x[0] * x[0]])?;
/// let (values, jacobian) = residuals.evaluate_dense(&[2.0, 3.0])?;
/// assert_eq!(values, [5.0, 6.0, 4.0]);
/// assert_eq!(jacobian, [[1.0, 1.0], [3.0, 2.0], [4.0, 0.0]]);
/// # Ok::<(), isograd::ProblemError>(())
/// ```
pub struct CompiledResiduals {
    problem: Problem,
    compiled: CompiledProblem,
    /// Row of each residual in the layout of `compiled`.
    rows: Vec<usize>,
}

impl CompiledResiduals {
    /// Calls `function` once on values that stand for `parameters`, and compiles what it returns.
    ///
    /// A parameter that no residual uses is allowed and keeps its number.
    ///
    /// # Errors
    /// If a parameter is not finite, the function returns no residual, a residual depends on no parameter, or a
    /// [`Value`] comes from outside.
    pub fn compile(parameters: &[f64], function: impl FnOnce(&[Value]) -> Vec<Value>) -> Result<Self, ProblemError> {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(1, parameters)?;
        problem.add_function(&blocks, function)?;
        Self::from_problem(problem)
    }

    fn from_problem(problem: Problem) -> Result<Self, ProblemError> {
        let compiled = problem.compile()?;
        let rows = compiled.rows().collect();
        Ok(CompiledResiduals { problem, compiled, rows })
    }

    /// Calls `function` again at other parameters, where comparisons in it may fall otherwise, and compiles anew.
    ///
    /// # Errors
    /// As [`CompiledResiduals::compile`]; also if the number of residuals is another. Then nothing changes.
    pub fn retrace(
        &mut self,
        parameters: &[f64],
        function: impl FnOnce(&[Value]) -> Vec<Value>,
    ) -> Result<(), ProblemError> {
        let (expected, found) = (self.compiled.parameters(), parameters.len());
        if found != expected {
            return Err(ProblemError::ParameterCount { expected, found });
        }
        let next = Self::compile(parameters, function)?;
        let (expected, found) = (self.len(), next.len());
        if found != expected {
            return Err(ProblemError::ResidualCount { residual_block: 0, expected, found });
        }
        *self = next;
        Ok(())
    }

    /// Number of residuals.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no residual.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The groups and their kernels.
    pub fn compiled(&self) -> &CompiledProblem {
        &self.compiled
    }

    /// Number of kernels.
    pub fn kernels(&self) -> usize {
        self.compiled.statistics.kernels
    }

    /// The present parameters: the start, or after [`CompiledResiduals::solve`] the best accepted point.
    pub fn parameters(&self) -> &[f64] {
        self.problem.parameters().values()
    }

    /// The residuals at `x`, in the order the function returned them.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`].
    pub fn evaluate(&self, x: &[f64]) -> Result<Vec<f64>, ProblemError> {
        let mut evaluation = Evaluation::default();
        self.compiled.evaluate_residuals(x, &mut evaluation)?;
        Ok(self.rows.iter().map(|&row| evaluation.residuals[row]).collect())
    }

    /// Residuals and Jacobian at `x`; the Jacobian as rows of (parameter, derivative), entries that are always zero left out.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`].
    #[expect(clippy::type_complexity, reason = "a sparse row is a list of pairs, and a name would hide it")]
    pub fn evaluate_sparse(&self, x: &[f64]) -> Result<(Vec<f64>, Vec<Vec<(usize, f64)>>), ProblemError> {
        let mut evaluation = Evaluation::default();
        self.compiled.linearize(x, &mut evaluation)?;
        let mut rows = vec![Vec::new(); self.compiled.residuals()];
        self.compiled.for_each_entry(&evaluation, |row, parameter, derivative| rows[row].push((parameter, derivative)));
        let values = self.rows.iter().map(|&row| evaluation.residuals[row]).collect();
        Ok((values, self.rows.iter().map(|&row| std::mem::take(&mut rows[row])).collect()))
    }

    /// Residuals and dense Jacobian (one row a residual) at `x`.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`].
    pub fn evaluate_dense(&self, x: &[f64]) -> Result<(Vec<f64>, Vec<Vec<f64>>), ProblemError> {
        let (values, sparse) = self.evaluate_sparse(x)?;
        let dense = |row: Vec<(usize, f64)>| {
            let mut numbers = vec![0.0; x.len()];
            row.into_iter().for_each(|(parameter, derivative)| numbers[parameter] += derivative);
            numbers
        };
        Ok((values, sparse.into_iter().map(dense).collect()))
    }

    /// Σ rᵢ(x) and its gradient: the sum of the residuals themselves, not of their squares.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`].
    pub fn evaluate_sum_with_gradient(&self, x: &[f64]) -> Result<(f64, Vec<f64>), ProblemError> {
        let mut evaluation = Evaluation::default();
        self.compiled.linearize(x, &mut evaluation)?;
        let mut gradient = vec![0.0; x.len()];
        self.compiled.for_each_entry(&evaluation, |_, parameter, derivative| gradient[parameter] += derivative);
        Ok((evaluation.residuals.iter().sum(), gradient))
    }

    /// Minimises ½ Σ rᵢ² from the present parameters.
    ///
    /// # Errors
    /// As [`Problem::solve`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn solve(&mut self, options: &SolverOptions) -> Result<SolverReport, SolveError> {
        self.problem.solve(options)
    }

    /// [`CompiledResiduals::solve`] for the browser.
    ///
    /// # Errors
    /// As [`Problem::solve_async`].
    pub async fn solve_async(&mut self, options: &SolverOptions) -> Result<SolverReport, SolveError> {
        self.problem.solve_async(options, async |_| ControlFlow::Continue(())).await
    }
}

impl Problem {
    /// Adds each residual that `function` returns as a block of its own on the scalar parameters it depends on.
    ///
    /// # Errors
    /// As [`CompiledResiduals::compile`].
    fn add_function(
        &mut self,
        blocks: &[BlockId],
        function: impl FnOnce(&[Value]) -> Vec<Value>,
    ) -> Result<(), ProblemError> {
        let start = web_time::Instant::now();
        let recorded = trace_function(self.parameters.values(), function)
            .map_err(|source| ProblemError::Value { residual_block: 0, source })?;
        if recorded.is_empty() {
            return Err(ProblemError::NoResidual { residual_block: 0 });
        }
        for residual in recorded {
            if residual.parameters.is_empty() {
                return Err(ProblemError::NoBlock { residual_block: self.residual_blocks });
            }
            let arguments: Vec<BlockId> = residual.parameters.iter().map(|&p| blocks[p as usize]).collect();
            let placement = self.registry.place(&residual.expression);
            self.add_instance(&placement, &arguments, &residual.data, 1);
        }
        self.trace_time += start.elapsed();
        Ok(())
    }
}
