//! Equality within a tolerance. The tolerances are compared as values, not as numbers, so that a trace records what it branched on.

use crate::value::Value;
use approx::{AbsDiffEq, RelativeEq, UlpsEq};
use nalgebra::ComplexField;

impl AbsDiffEq for Value {
    type Epsilon = Value;

    fn default_epsilon() -> Value {
        Value::constant(f64::default_epsilon())
    }

    fn abs_diff_eq(&self, other: &Value, epsilon: Value) -> bool {
        Value::abs(*self - *other) <= epsilon
    }
}

impl RelativeEq for Value {
    fn default_max_relative() -> Value {
        Value::constant(f64::default_max_relative())
    }

    fn relative_eq(&self, other: &Value, epsilon: Value, max_relative: Value) -> bool {
        if self == other {
            return true;
        }
        if !ComplexField::is_finite(self) || !ComplexField::is_finite(other) {
            return false;
        }
        let difference = Value::abs(*self - *other);
        difference <= epsilon || difference <= Value::max(Value::abs(*self), Value::abs(*other)) * max_relative
    }
}

impl UlpsEq for Value {
    fn default_max_ulps() -> u32 {
        f64::default_max_ulps()
    }

    fn ulps_eq(&self, other: &Value, epsilon: Value, max_ulps: u32) -> bool {
        self.abs_diff_eq(other, epsilon) || self.primal().ulps_eq(&other.primal(), 0.0, max_ulps)
    }
}
