//! Rotations of space, as unit quaternions.

use super::{Manifold, angle_over_sine, check_unit, sinc_cos};
use crate::Value;

/// SO(3): the unit quaternion (x, y, z, w), in nalgebra's order; q ⊞ δ = q · exp(δ/2) turns about the axis δ of the body by |δ| radians.
#[derive(Debug, Clone, Copy)]
pub struct So3;

/// a · b for (x, y, z, w).
pub(super) fn multiplied(a: &[Value], b: &[Value]) -> [Value; 4] {
    [
        a[3] * b[0] + a[0] * b[3] + a[1] * b[2] - a[2] * b[1],
        a[3] * b[1] - a[0] * b[2] + a[1] * b[3] + a[2] * b[0],
        a[3] * b[2] + a[0] * b[1] - a[1] * b[0] + a[2] * b[3],
        a[3] * b[3] - a[0] * b[0] - a[1] * b[1] - a[2] * b[2],
    ]
}

/// v turned by the unit quaternion q: v + 2w (u × v) + 2 u × (u × v).
pub(super) fn rotated(q: &[Value], v: &[Value]) -> [Value; 3] {
    let cross = |a: [Value; 3], b: [Value; 3]| {
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    };
    let (u, v) = ([q[0], q[1], q[2]], [v[0], v[1], v[2]]);
    let once = cross(u, v).map(|c| 2.0 * c);
    let twice = cross(u, once);
    std::array::from_fn(|k| v[k] + q[3] * once[k] + twice[k])
}

/// The inverse of a unit quaternion.
pub(super) fn conjugated(q: &[Value]) -> [Value; 4] {
    [-q[0], -q[1], -q[2], q[3]]
}

impl Manifold for So3 {
    fn name(&self) -> String {
        "SO(3)".to_owned()
    }

    fn ambient_size(&self) -> usize {
        4
    }

    fn tangent_size(&self) -> usize {
        3
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let half = [delta[0] * 0.5, delta[1] * 0.5, delta[2] * 0.5];
        let (sinc, cos) = sinc_cos(half[0] * half[0] + half[1] * half[1] + half[2] * half[2]);
        multiplied(x, &[half[0] * sinc, half[1] * sinc, half[2] * sinc, cos]).to_vec()
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        let between = multiplied(&conjugated(x), y);
        // q and −q are one rotation; the one with w ≥ 0 turns by π at most.
        let sign = Value::select(between[3].less(0.0), -1.0, 1.0);
        let [x, y, z, w] = between.map(|c| sign * c);
        let factor = 2.0 * angle_over_sine(x * x + y * y + z * z, w);
        vec![factor * x, factor * y, factor * z]
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        check_unit(x)
    }
}
