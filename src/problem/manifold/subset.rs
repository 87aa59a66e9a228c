//! A manifold of which some directions are held.

use super::Manifold;
use crate::Value;

/// A manifold on which only some components of a step are free; the others are 0.
///
/// Components of a plain block are fixed by [`Problem::fix_component`](crate::Problem::fix_component).
#[derive(Debug, Clone)]
pub struct Subset<M> {
    manifold: M,
    free: Vec<usize>,
}

impl<M: Manifold> Subset<M> {
    /// Holds the components `held` of every step on `manifold`; those past its tangent space are ignored.
    pub fn new(manifold: M, held: &[usize]) -> Self {
        let free = (0..manifold.tangent_size()).filter(|k| !held.contains(k)).collect();
        Subset { manifold, free }
    }
}

impl<M: Manifold> Manifold for Subset<M> {
    fn name(&self) -> String {
        let held = self.manifold.tangent_size() - self.free.len();
        format!("{} with {held} directions held", self.manifold.name())
    }

    fn ambient_size(&self) -> usize {
        self.manifold.ambient_size()
    }

    fn tangent_size(&self) -> usize {
        self.free.len()
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let mut step = vec![Value::ZERO; self.manifold.tangent_size()];
        for (&place, &component) in self.free.iter().zip(delta) {
            step[place] = component;
        }
        self.manifold.plus(x, &step)
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        let step = self.manifold.minus(y, x);
        self.free.iter().map(|&place| step[place]).collect()
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        self.manifold.check(x)
    }
}
