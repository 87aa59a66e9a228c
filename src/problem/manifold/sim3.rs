//! Similarities of space: rigid motions with a scale.

use super::{Manifold, Se3, quaternion::conjugated, quaternion::rotated};
use crate::Value;

/// Sim(3): a translation, a unit quaternion and a scale s > 0 (tx, ty, tz, qx, qy, qz, qw, s), for p ↦ s R p + t; a step moves by its
/// first three components in the frame of the body, scale included, turns by the next three, and scales by e to the last.
///
/// x ⊞ δ agrees with the exponential of the group to first order, which is what the solver needs, and is cheaper.
#[derive(Debug, Clone, Copy)]
pub struct Sim3;

impl Manifold for Sim3 {
    fn name(&self) -> String {
        "Sim(3)".to_owned()
    }

    fn ambient_size(&self) -> usize {
        8
    }

    fn tangent_size(&self) -> usize {
        7
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let scaled: Vec<Value> = delta.iter().enumerate().map(|(k, &d)| if k < 3 { x[7] * d } else { d }).collect();
        let mut result = Se3.plus(&x[..7], &scaled[..6]);
        result.push(x[7] * delta[6].exp());
        result
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        let difference = [y[0] - x[0], y[1] - x[1], y[2] - x[2]];
        let moved = rotated(&conjugated(&x[3..7]), &difference);
        let turned = super::So3.minus(&y[3..7], &x[3..7]);
        let scale = (y[7] / x[7]).ln();
        moved.into_iter().map(|m| m / x[7]).chain(turned).chain([scale]).collect()
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        Se3.check(&x[..7])?;
        if x[7] > 0.0 { Ok(()) } else { Err(format!("its scale is {}, not positive", x[7])) }
    }
}
