//! What `num_traits` asks of a number.

use crate::value::Value;
use nalgebra::RealField;
use num_traits::{Bounded, FromPrimitive, Num, One, Signed, Zero};

impl Zero for Value {
    fn zero() -> Self {
        Value::ZERO
    }

    fn is_zero(&self) -> bool {
        *self == Value::ZERO
    }
}

impl One for Value {
    fn one() -> Self {
        Value::ONE
    }
}

impl Num for Value {
    type FromStrRadixErr = <f64 as Num>::FromStrRadixErr;

    fn from_str_radix(text: &str, radix: u32) -> Result<Self, Self::FromStrRadixErr> {
        f64::from_str_radix(text, radix).map(Value::constant)
    }
}

impl Bounded for Value {
    fn min_value() -> Self {
        Value::constant(f64::MIN)
    }

    fn max_value() -> Self {
        Value::constant(f64::MAX)
    }
}

impl FromPrimitive for Value {
    fn from_i64(number: i64) -> Option<Self> {
        Some(Value::constant(number as f64))
    }

    fn from_u64(number: u64) -> Option<Self> {
        Some(Value::constant(number as f64))
    }

    fn from_f64(number: f64) -> Option<Self> {
        Some(Value::constant(number))
    }
}

impl Signed for Value {
    fn abs(&self) -> Self {
        Value::abs(*self)
    }

    fn abs_sub(&self, other: &Self) -> Self {
        Value::max(*self - *other, Value::ZERO)
    }

    /// ±1, at ±0 too, like `f64::signum`; [`Value::sign`] is the one with `sign(0) = 0`.
    fn signum(&self) -> Self {
        Value::copysign(Value::ONE, *self)
    }

    fn is_positive(&self) -> bool {
        self.is_sign_positive()
    }

    fn is_negative(&self) -> bool {
        self.is_sign_negative()
    }
}
