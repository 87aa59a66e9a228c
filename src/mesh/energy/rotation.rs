//! Rotation by an angle-axis vector, smooth through angle 0.

use crate::Value;
use nalgebra::Vector3;

/// Squared angle below which the series is used; its error there is far below rounding.
const SMALL: f64 = 1e-4;

/// sin(√t)/√t for t ≥ 0.
fn sinc_of_root(t: Value) -> Value {
    let large = t.greater(SMALL);
    let root = Value::select(large, t, 1.0).sqrt();
    let series = 1.0 - t / 6.0 * (1.0 - t / 20.0 * (1.0 - t / 42.0));
    Value::select(large, root.sin() / root, series)
}

/// R(a) v by the formula of Rodrigues, v + sin θ/θ (a × v) + (1 − cos θ)/θ² a × (a × v), where the last factor is written as
/// ½ (sin(θ/2)/(θ/2))² so that nothing cancels.
pub(super) fn rotate(a: Vector3<Value>, v: Vector3<Value>) -> Vector3<Value> {
    let t = a.norm_squared();
    let half = sinc_of_root(t * 0.25);
    let once = a.cross(&v);
    let twice = a.cross(&once);
    v + once * sinc_of_root(t) + twice * (half * half * 0.5)
}
