//! Rigid motions of the plane.

use super::{Angle, Manifold};
use crate::Value;

/// SE(2): (x, y, θ) with −π ≤ θ < π; a step moves by its first two components in the frame of the body and turns by the third, in radians.
///
/// x ⊞ δ agrees with the exponential of the group to first order, which is what the solver needs, and is cheaper.
#[derive(Debug, Clone, Copy)]
pub struct Se2;

impl Manifold for Se2 {
    fn name(&self) -> String {
        "SE(2)".to_owned()
    }

    fn ambient_size(&self) -> usize {
        3
    }

    fn tangent_size(&self) -> usize {
        3
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let (sin, cos) = x[2].sin_cos();
        let angle = Angle.plus(&x[2..], &delta[2..])[0];
        vec![x[0] + cos * delta[0] - sin * delta[1], x[1] + sin * delta[0] + cos * delta[1], angle]
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        let (sin, cos) = x[2].sin_cos();
        let (dx, dy) = (y[0] - x[0], y[1] - x[1]);
        vec![cos * dx + sin * dy, cos * dy - sin * dx, Angle.minus(&y[2..], &x[2..])[0]]
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        Angle.check(&x[2..])
    }
}
