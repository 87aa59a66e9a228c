//! As-rigid-as-possible deformation (Sorkine and Alexa 2007) with one rotation a vertex, under a twist of the top.

use super::{MeshProblem, Tracing};
use crate::problem::{BlockId, ProblemError};
use crate::value::rotate;
use crate::{Blocks, Value};
use nalgebra::Vector3;

/// Share of the height that is held at either end.
const HELD: f64 = 0.1;
/// How far the top moves along x, as a share of the height.
const SHIFT: f64 = 0.2;
/// Weight of the handles.
const WEIGHT: f64 = 10.0;

/// (xi − xj) − R(ai)(pi − pj)
fn edge(x: Blocks<'_>, p: &[Value]) -> Vector3<Value> {
    let rotated = rotate(x.vector::<3>(2), Vector3::from_column_slice(p));
    x.vector::<3>(0) - x.vector::<3>(1) - rotated
}

fn handle(x: Blocks<'_>, target: &[Value]) -> Vector3<Value> {
    (x.vector::<3>(0) - Vector3::from_column_slice(target)) * Value::constant(WEIGHT)
}

impl MeshProblem {
    pub(super) fn add_arap(&mut self, tracing: Tracing) -> Result<(), ProblemError> {
        let rotations = self.problem.add_parameter_blocks(3, &vec![0.0; 3 * self.vertices.len()])?;
        let mut blocks: Vec<BlockId> = Vec::new();
        let mut sides: Vec<f64> = Vec::new();
        let p = self.shape.vertices();
        for [a, b] in self.shape.edges() {
            for (i, j) in [(a as usize, b as usize), (b as usize, a as usize)] {
                blocks.extend([self.vertices[i], self.vertices[j], rotations[i]]);
                sides.extend((0..3).map(|axis| p[i][axis] - p[j][axis]));
            }
        }
        self.add("rigid edge", tracing, (3, &blocks), (3, &sides), edge)?;

        let (held, targets) = self.handles();
        self.add("handle", tracing, (1, &held), (3, targets.as_flattened()), handle)
    }

    /// The held vertices and where they are to go.
    fn handles(&self) -> (Vec<BlockId>, Vec<[f64; 3]>) {
        let p = self.shape.vertices();
        let low = p.iter().map(|q| q[1]).fold(f64::INFINITY, f64::min);
        let high = p.iter().map(|q| q[1]).fold(f64::NEG_INFINITY, f64::max);
        let height = high - low;
        let turn = 0.5_f64.sqrt();
        let target = |q: &[f64; 3]| {
            if q[1] >= high - HELD * height {
                Some([turn * q[0] + turn * q[2] + SHIFT * height, q[1], -turn * q[0] + turn * q[2]])
            } else if q[1] <= low + HELD * height {
                Some(*q)
            } else {
                None
            }
        };
        p.iter().zip(&self.vertices).filter_map(|(q, &block)| Some((block, target(q)?))).unzip()
    }
}
