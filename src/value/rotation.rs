//! Rotation by an angle-axis vector, smooth through angle 0.

use super::Value;
use nalgebra::Vector3;

/// Squared angle below which the series are used; their errors there are below rounding.
const SMALL: f64 = 1e-3;

/// R(a) v: turns `v` about the axis `a` by |a| radians.
///
/// The formula of Rodrigues, v + sin θ/θ (a × v) + (1 − cos θ)/θ² a × (a × v). What cancels in 1 − cos θ at small angles is as small beside v.
pub fn rotate(a: Vector3<Value>, v: Vector3<Value>) -> Vector3<Value> {
    let t = a.norm_squared();
    let large = t.greater(SMALL);
    let safe = Value::select(large, t, 1.0);
    let angle = safe.sqrt();
    let sinc = 1.0 - t / 6.0 * (1.0 - t / 20.0 * (1.0 - t / 42.0 * (1.0 - t / 72.0)));
    let sinc = Value::select(large, angle.sin() / angle, sinc);
    let versine = 0.5 * (1.0 - t / 12.0 * (1.0 - t / 30.0 * (1.0 - t / 56.0 * (1.0 - t / 90.0))));
    let versine = Value::select(large, (1.0 - angle.cos()) / safe, versine);
    let once = a.cross(&v);
    v + once * sinc + a.cross(&once) * versine
}
