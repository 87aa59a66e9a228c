//! Losses made of losses.

use super::Loss;
use crate::Value;

/// c ρ(s): the weight c ≥ 0 of a whole residual block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaled<L>(
    /// c.
    pub f64,
    /// ρ.
    pub L,
);

impl<L: Loss> Loss for Scaled<L> {
    fn name(&self) -> String {
        format!("{} times {}", self.0, self.1.name())
    }

    fn rho(&self, s: Value) -> Value {
        self.0 * self.1.rho(s)
    }

    fn is_concave(&self) -> bool {
        self.0 >= 0.0 && self.1.is_concave()
    }
}

/// f(g(s)).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Composed<F, G>(
    /// f, the outer loss.
    pub F,
    /// g, the inner one.
    pub G,
);

impl<F: Loss, G: Loss> Loss for Composed<F, G> {
    fn name(&self) -> String {
        format!("{} of {}", self.0.name(), self.1.name())
    }

    fn rho(&self, s: Value) -> Value {
        self.0.rho(self.1.rho(s))
    }

    /// (f∘g)″ = f″(g) g′² + f′(g) g″ ≤ 0 where both are concave and f does not fall.
    fn is_concave(&self) -> bool {
        self.0.is_concave() && self.1.is_concave()
    }
}
