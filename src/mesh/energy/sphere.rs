//! Vertices on a sphere about the origin.

use super::{MeshProblem, Tracing};
use crate::problem::ProblemError;
use crate::{Blocks, Value};

/// The sphere is this much larger than the shape.
const GROWTH: f64 = 1.1;

impl MeshProblem {
    /// |xv| − R
    pub(super) fn add_sphere(&mut self, tracing: Tracing) -> Result<(), ProblemError> {
        let p = self.shape.vertices();
        let lengths: f64 = p.iter().map(|[x, y, z]| (x * x + y * y + z * z).sqrt()).sum();
        let radius = vec![GROWTH * lengths / p.len() as f64; p.len()];
        let vertices = self.vertices.clone();
        let function = |x: Blocks<'_>, radius: &[Value]| x.vector::<3>(0).norm() - radius[0];
        self.add("radius", tracing, (1, &vertices), (1, &radius), function)
    }
}
