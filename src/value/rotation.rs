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
    // By the powers of t: a division takes as long as ten multiplications, and so would its derivative.
    let series = |c: [f64; 5]| (((c[4] * t + c[3]) * t + c[2]) * t + c[1]) * t + c[0];
    let sinc = series([1.0, -1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0, 1.0 / 362_880.0]);
    let sinc = Value::select(large, angle.sin() / angle, sinc);
    let versine = series([0.5, -1.0 / 24.0, 1.0 / 720.0, -1.0 / 40_320.0, 1.0 / 3_628_800.0]);
    let versine = Value::select(large, (1.0 - angle.cos()) / safe, versine);
    let once = a.cross(&v);
    v + once * sinc + a.cross(&once) * versine
}
