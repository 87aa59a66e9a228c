//! `Value` as a nalgebra [`RealField`], so that `Vector3<Value>`, `Rotation3<Value>` or `UnitQuaternion<Value>` need no wrapper and
//! a residual function generic over `T: RealField + Copy` runs on `f64` and on `Value` unchanged.
//!
//! Every function becomes an operation of the graph. What nalgebra decides with `bool` (`is_zero`, `try_sqrt`, `relative_eq`)
//! goes through the comparison operators of `Value` and so is a branch of the traced code.
//!
//! The inherent methods of `Value` carry the same names. They are called by path here (`Value::sin(self)`), because the path
//! prefers them, while `self.abs()` on a `&Value` would find the trait method that is just being written.

mod closeness;
mod conversion;
mod lane;
mod numbers;

use super::Value;
use nalgebra::{ComplexField, RealField};
use num_traits::{Bounded, Signed};
use std::f64::consts;

/// Forwards to the inherent methods of the same name.
macro_rules! unary {
    ($($name:ident)*) => {
        $(
            fn $name(self) -> Value {
                Value::$name(self)
            }
        )*
    };
}

/// The complex numbers' trait, for a number without an imaginary part.
impl ComplexField for Value {
    type RealField = Value;

    unary! {
        floor ceil round trunc abs recip sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
        log2 log10 ln ln_1p sqrt exp exp2 exp_m1 cbrt
    }

    fn from_real(real: Value) -> Self {
        real
    }

    fn real(self) -> Value {
        self
    }

    fn imaginary(self) -> Value {
        Value::ZERO
    }

    fn conjugate(self) -> Self {
        self
    }

    fn modulus(self) -> Value {
        Value::abs(self)
    }

    fn modulus_squared(self) -> Value {
        self * self
    }

    fn norm1(self) -> Value {
        Value::abs(self)
    }

    /// 0 or π.
    fn argument(self) -> Value {
        Value::select(self.greater_equal(0.0), 0.0, consts::PI)
    }

    /// `(|self|, ±1)` with +1 at 0. The modulus is the product of both rather than `abs`, whose derivative 0 at 0 would not fit
    /// the sign.
    fn to_exp(self) -> (Value, Self) {
        let sign = Value::select(self.greater_equal(0.0), 1.0, -1.0);
        (self * sign, sign)
    }

    fn signum(self) -> Self {
        Signed::signum(&self)
    }

    fn scale(self, factor: Value) -> Self {
        self * factor
    }

    fn unscale(self, factor: Value) -> Self {
        self / factor
    }

    fn fract(self) -> Self {
        self - Value::trunc(self)
    }

    fn mul_add(self, factor: Self, summand: Self) -> Self {
        self * factor + summand
    }

    fn hypot(self, other: Self) -> Value {
        Value::hypot(self, other)
    }

    fn sin_cos(self) -> (Self, Self) {
        Value::sin_cos(self)
    }

    fn log(self, base: Value) -> Self {
        Value::ln(self) / Value::ln(base)
    }

    fn powi(self, n: i32) -> Self {
        Value::powi(self, n)
    }

    /// A constant exponent takes the way of [`Value::powf`], where whole ones become integer powers.
    fn powf(self, exponent: Value) -> Self {
        if exponent.is_constant() { Value::powf(self, exponent.primal()) } else { self.powv(exponent) }
    }

    fn powc(self, exponent: Self) -> Self {
        ComplexField::powf(self, exponent)
    }

    fn is_finite(&self) -> bool {
        self.primal().is_finite()
    }

    fn try_sqrt(self) -> Option<Self> {
        if self >= Value::ZERO { Some(Value::sqrt(self)) } else { None }
    }
}

macro_rules! constants {
    ($($name:ident = $number:expr;)*) => {
        $(
            fn $name() -> Value {
                Value::constant($number)
            }
        )*
    };
}

impl RealField for Value {
    fn is_sign_positive(&self) -> bool {
        !self.is_sign_negative()
    }

    /// The sign bit counts at zero only; elsewhere the comparison is one that a trace records.
    fn is_sign_negative(&self) -> bool {
        *self < Value::ZERO || (*self == Value::ZERO && self.primal().is_sign_negative())
    }

    fn copysign(self, sign: Self) -> Self {
        Value::copysign(self, sign)
    }

    fn max(self, other: Self) -> Self {
        Value::max(self, other)
    }

    fn min(self, other: Self) -> Self {
        Value::min(self, other)
    }

    fn clamp(self, low: Self, high: Self) -> Self {
        Value::clamp(self, low, high)
    }

    fn atan2(self, other: Self) -> Self {
        Value::atan2(self, other)
    }

    fn min_value() -> Option<Self> {
        Some(<Value as Bounded>::min_value())
    }

    fn max_value() -> Option<Self> {
        Some(<Value as Bounded>::max_value())
    }

    constants! {
        pi = consts::PI;
        two_pi = consts::TAU;
        frac_pi_2 = consts::FRAC_PI_2;
        frac_pi_3 = consts::FRAC_PI_3;
        frac_pi_4 = consts::FRAC_PI_4;
        frac_pi_6 = consts::FRAC_PI_6;
        frac_pi_8 = consts::FRAC_PI_8;
        frac_1_pi = consts::FRAC_1_PI;
        frac_2_pi = consts::FRAC_2_PI;
        frac_2_sqrt_pi = consts::FRAC_2_SQRT_PI;
        e = consts::E;
        log2_e = consts::LOG2_E;
        log10_e = consts::LOG10_E;
        ln_2 = consts::LN_2;
        ln_10 = consts::LN_10;
    }
}
