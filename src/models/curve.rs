//! Curve fitting: the parameters of a model from observations.

use crate::io::NistProblem;
use crate::{BlockId, Problem, ProblemError, Table, Value};
use std::ops::Range;

/// A regression as a problem: one block with all parameters of the model, and a residual an observation.
pub struct CurveProblem {
    /// The problem.
    pub problem: Problem,
    /// The block of the parameters.
    pub parameters: BlockId,
    /// The residual blocks: one an observation, in its order.
    pub observations: Range<usize>,
}

impl CurveProblem {
    /// States the problem at a start.
    ///
    /// # Errors
    /// If the start has not a finite number for each parameter, or the model ignores them.
    pub fn new(data: &NistProblem, start: &[f64]) -> Result<Self, ProblemError> {
        let (expected, found) = (data.parameters.len(), start.len());
        if expected != found {
            return Err(ProblemError::ParameterCount { expected, found });
        }
        let mut problem = Problem::new();
        let parameters = problem.add_parameter_block(start)?;
        let rows = Table { width: data.columns.len(), entries: &data.data };
        let blocks = vec![[parameters]; data.observations().len()];
        let residual = |x: &[Value], row: &[Value]| data.residual(x, row);
        let observations = problem.add_residual_batch(&blocks, &rows, |x, row| residual(&x[0], row))?;
        problem.set_name(observations.clone(), data.name.as_str());
        Ok(CurveProblem { problem, parameters, observations })
    }
}
