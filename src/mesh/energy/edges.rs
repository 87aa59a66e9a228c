//! Edge lengths: |xi − xj| − target.

use super::{EnergyError, MeshProblem, Tracing};
use crate::problem::BlockId;
use crate::{Blocks, Value};

fn edge_length(x: Blocks<'_>, target: &[Value]) -> Value {
    (x.vector::<3>(0) - x.vector::<3>(1)).norm() - target[0]
}

impl MeshProblem {
    /// Edge lengths against those of the shape, times `factor`.
    pub(super) fn add_edge_lengths(&mut self, factor: f64, tracing: Tracing) -> Result<(), EnergyError> {
        let lengths: Vec<f64> = self.shape.edge_lengths().iter().map(|length| factor * length).collect();
        self.add_edges(&lengths, tracing)
    }

    /// Edge lengths against 1.
    pub(super) fn add_unit_edges(&mut self, tracing: Tracing) -> Result<(), EnergyError> {
        let lengths = vec![1.0; self.shape.edge_lengths().len()];
        self.add_edges(&lengths, tracing)
    }

    fn add_edges(&mut self, lengths: &[f64], tracing: Tracing) -> Result<(), EnergyError> {
        let edges = self.shape.edges();
        let start = self.problem.parameters().values();
        let at = |vertex: u32| &start[3 * vertex as usize..][..3];
        if let Some(&ends) = edges.iter().find(|&&[a, b]| at(a) == at(b)) {
            return Err(EnergyError::ZeroLength { ends });
        }
        let ends: Vec<BlockId> = edges.as_flattened().iter().map(|&v| self.vertices[v as usize]).collect();
        Ok(self.add("edge length", tracing, (2, &ends), (1, lengths), edge_length)?)
    }
}
