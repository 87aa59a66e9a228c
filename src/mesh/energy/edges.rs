//! Edge lengths: |xi − xj| − target.

use super::{MeshProblem, Tracing};
use crate::problem::{BlockId, ProblemError};
use crate::{Blocks, Value};

fn edge_length(x: Blocks<'_>, target: &[Value]) -> Value {
    (x.vector::<3>(0) - x.vector::<3>(1)).norm() - target[0]
}

impl MeshProblem {
    /// Edge lengths against those of the shape, times `factor`.
    pub(super) fn add_edge_lengths(&mut self, factor: f64, tracing: Tracing) -> Result<(), ProblemError> {
        let lengths: Vec<f64> = self.shape.edge_lengths().iter().map(|length| factor * length).collect();
        self.add_edges(&lengths, tracing)
    }

    /// Edge lengths against 1.
    pub(super) fn add_unit_edges(&mut self, tracing: Tracing) -> Result<(), ProblemError> {
        let lengths = vec![1.0; self.shape.edge_lengths().len()];
        self.add_edges(&lengths, tracing)
    }

    fn add_edges(&mut self, lengths: &[f64], tracing: Tracing) -> Result<(), ProblemError> {
        let edges = self.shape.edges();
        let ends: Vec<BlockId> = edges.as_flattened().iter().map(|&v| self.vertices[v as usize]).collect();
        self.add("edge length", tracing, (2, &ends), (1, lengths), edge_length)
    }
}
