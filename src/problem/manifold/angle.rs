//! Rotations of the plane, by their angle.

use super::{Manifold, wrapped};
use crate::Value;

/// An angle θ in radians, −π ≤ θ < π.
#[derive(Debug, Clone, Copy)]
pub struct Angle;

impl Manifold for Angle {
    fn name(&self) -> String {
        "angle".to_owned()
    }

    fn ambient_size(&self) -> usize {
        1
    }

    fn tangent_size(&self) -> usize {
        1
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        vec![wrapped(x[0] + delta[0])]
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        vec![wrapped(y[0] - x[0])]
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        use std::f64::consts::PI;
        if (-PI..PI).contains(&x[0]) { Ok(()) } else { Err(format!("{} is outside of [-pi, pi)", x[0])) }
    }
}
