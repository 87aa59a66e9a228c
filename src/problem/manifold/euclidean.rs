//! Vector space.

use super::Manifold;
use crate::Value;

/// ℝⁿ, with x ⊞ δ = x + δ: what a block without a manifold is. Use it in a [`Product`](super::Product).
#[derive(Debug, Clone, Copy)]
pub struct Euclidean(
    /// n.
    pub usize,
);

impl Manifold for Euclidean {
    fn name(&self) -> String {
        format!("R^{}", self.0)
    }

    fn ambient_size(&self) -> usize {
        self.0
    }

    fn tangent_size(&self) -> usize {
        self.0
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        x.iter().zip(delta).map(|(&x, &d)| x + d).collect()
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        y.iter().zip(x).map(|(&y, &x)| y - x).collect()
    }
}
