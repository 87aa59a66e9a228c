//! The uniform Laplacian, one group of residuals a valence.

use super::{MeshProblem, Tracing};
use crate::problem::{BlockId, ProblemError};
use crate::{Blocks, Value};
use nalgebra::Vector3;

/// x of the first block less the mean of the others.
fn laplacian(x: Blocks<'_>) -> Vector3<Value> {
    let mut sum = x.vector::<3>(1);
    for neighbour in 2..x.len() {
        sum += x.vector::<3>(neighbour);
    }
    x.vector::<3>(0) - sum / Value::constant((x.len() - 1) as f64)
}

impl MeshProblem {
    /// ½ (xv − mean of N(v))
    pub(super) fn add_flat_laplacian(&mut self, tracing: Tracing) -> Result<(), ProblemError> {
        for (valence, vertices) in self.by_valence() {
            let (width, blocks) = self.stars(valence, &vertices);
            let name = format!("laplacian, valence {valence}");
            self.add(&name, tracing, (width, &blocks), (0, &[]), |x, _| laplacian(x) * Value::constant(0.5))?;
        }
        Ok(())
    }

    /// (xv − mean x of N(v)) − (pv − mean p of N(v))
    pub(super) fn add_kept_laplacian(&mut self, tracing: Tracing) -> Result<(), ProblemError> {
        let neighbours = self.shape.neighbours();
        for (valence, vertices) in self.by_valence() {
            let (width, blocks) = self.stars(valence, &vertices);
            let mut kept = Vec::with_capacity(3 * vertices.len());
            let p = self.shape.vertices();
            for &v in &vertices {
                let mut sum = [0.0; 3];
                for &n in neighbours.of(v as usize) {
                    sum.iter_mut().zip(p[n as usize]).for_each(|(s, q)| *s += q);
                }
                kept.extend(p[v as usize].iter().zip(sum).map(|(q, s)| q - s / valence as f64));
            }
            let name = format!("laplacian, valence {valence}");
            let function = |x: Blocks<'_>, kept: &[Value]| laplacian(x) - Vector3::from_column_slice(kept);
            self.add(&name, tracing, (width, &blocks), (3, &kept), function)?;
        }
        Ok(())
    }

    /// The valences that there are, and their vertices.
    fn by_valence(&self) -> impl Iterator<Item = (usize, Vec<u32>)> + use<> {
        let neighbours = self.shape.neighbours();
        let mut vertices: Vec<Vec<u32>> = Vec::new();
        for v in 0..self.shape.vertex_count() {
            let valence = neighbours.degree(v);
            if vertices.len() <= valence {
                vertices.resize(valence + 1, Vec::new());
            }
            vertices[valence].push(v as u32);
        }
        vertices.into_iter().enumerate().filter(|(_, vertices)| !vertices.is_empty())
    }

    /// Rows of a vertex and its neighbours.
    fn stars(&self, valence: usize, vertices: &[u32]) -> (usize, Vec<BlockId>) {
        let neighbours = self.shape.neighbours();
        let star = |&v: &u32| std::iter::once(v).chain(neighbours.of(v as usize).iter().copied());
        let blocks = vertices.iter().flat_map(star).map(|v| self.vertices[v as usize]).collect();
        (valence + 1, blocks)
    }
}
