//! Rotations of the plane, as unit complex numbers.

use super::{Manifold, check_unit};
use crate::Value;

/// SO(2): (cos θ, sin θ), which turns by the step's angle in radians.
#[derive(Debug, Clone, Copy)]
pub struct So2;

impl Manifold for So2 {
    fn name(&self) -> String {
        "SO(2)".to_owned()
    }

    fn ambient_size(&self) -> usize {
        2
    }

    fn tangent_size(&self) -> usize {
        1
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        let (sin, cos) = delta[0].sin_cos();
        vec![x[0] * cos - x[1] * sin, x[1] * cos + x[0] * sin]
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        vec![(x[0] * y[1] - x[1] * y[0]).atan2(x[0] * y[0] + x[1] * y[1])]
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        check_unit(x)
    }
}
