//! Rigid motions of space.

use super::quaternion::{conjugated, rotated};
use super::{Manifold, So3};
use crate::Value;

/// SE(3): a translation and a unit quaternion (tx, ty, tz, qx, qy, qz, qw); a step moves by its first three components in the frame of
/// the body and turns by the last three as [`So3`] does.
///
/// x ⊞ δ agrees with the exponential of the group to first order, which is what the solver needs, and is cheaper.
#[derive(Debug, Clone, Copy)]
pub struct Se3;

impl Manifold for Se3 {
    fn name(&self) -> String {
        "SE(3)".to_owned()
    }

    fn ambient_size(&self) -> usize {
        7
    }

    fn tangent_size(&self) -> usize {
        6
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let moved = rotated(&x[3..], delta);
        let translation = (0..3).map(|k| x[k] + moved[k]);
        translation.chain(So3.plus(&x[3..], &delta[3..])).collect()
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        let difference = [y[0] - x[0], y[1] - x[1], y[2] - x[2]];
        let moved = rotated(&conjugated(&x[3..]), &difference);
        moved.into_iter().chain(So3.minus(&y[3..], &x[3..])).collect()
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        So3.check(&x[3..]).map_err(|reason| format!("of its quaternion, {reason}"))
    }
}
