//! Unit vectors.

use super::{Manifold, angle_over_sine, check_unit, sinc_cos};
use crate::Value;

/// The unit sphere in ℝⁿ: directions. A step goes |δ| radians along a great circle.
///
/// Tangent vectors are mapped by the Householder reflection that takes the last axis to ±x (Hartley and Zisserman, *Multiple View
/// Geometry*, 2nd edition, A4.1.2; Ceres's `SphereManifold`).
#[derive(Debug, Clone, Copy)]
pub struct UnitSphere(
    /// n, at least 2.
    pub usize,
);

/// −sign(xₙ) H v, where H reflects the last axis to −sign(xₙ) x; it is its own inverse up to the sign.
fn reflected(x: &[Value], v: &[Value]) -> Vec<Value> {
    let last = x.len() - 1;
    let sign = Value::select(x[last].less(0.0), -1.0, 1.0);
    let mut axis = x.to_vec();
    axis[last] += sign;
    let product: Value = axis.iter().zip(v).map(|(&a, &v)| a * v).sum();
    // ‖axis‖² = 2 (1 + |xₙ|).
    let factor = product / (1.0 + sign * x[last]);
    axis.iter().zip(v).map(|(&a, &v)| sign * (factor * a - v)).collect()
}

impl Manifold for UnitSphere {
    fn name(&self) -> String {
        format!("unit sphere in R^{}", self.0)
    }

    fn ambient_size(&self) -> usize {
        self.0
    }

    fn tangent_size(&self) -> usize {
        self.0.saturating_sub(1)
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let (sinc, cos) = sinc_cos(delta.iter().map(|&d| d * d).sum());
        let step: Vec<Value> = delta.iter().map(|&d| sinc * d).chain([cos]).collect();
        reflected(x, &step)
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        let step = reflected(x, y);
        let (cos, sines) = (step[self.0 - 1], &step[..self.0 - 1]);
        let factor = angle_over_sine(sines.iter().map(|&s| s * s).sum(), cos);
        sines.iter().map(|&s| factor * s).collect()
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        check_unit(x)
    }
}
