//! Several manifolds in one block.

use super::Manifold;
use crate::Value;

/// A × B: the numbers of a point of `A` and then those of a point of `B`, and likewise the steps.
///
/// Products nest: `Product(Euclidean(3), Product(So3, Euclidean(1)))`.
#[derive(Debug, Clone, Copy)]
pub struct Product<A, B>(
    /// The first factor.
    pub A,
    /// The second factor.
    pub B,
);

impl<A: Manifold, B: Manifold> Manifold for Product<A, B> {
    fn name(&self) -> String {
        format!("{} x {}", self.0.name(), self.1.name())
    }

    fn ambient_size(&self) -> usize {
        self.0.ambient_size() + self.1.ambient_size()
    }

    fn tangent_size(&self) -> usize {
        self.0.tangent_size() + self.1.tangent_size()
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let (x, x2) = x.split_at(self.0.ambient_size());
        let (delta, delta2) = delta.split_at(self.0.tangent_size());
        let mut result = self.0.plus(x, delta);
        result.extend(self.1.plus(x2, delta2));
        result
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        let size = self.0.ambient_size();
        let mut result = self.0.minus(&y[..size], &x[..size]);
        result.extend(self.1.minus(&y[size..], &x[size..]));
        result
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        let (x, x2) = x.split_at(self.0.ambient_size());
        self.0.check(x)?;
        self.1.check(x2)
    }
}
