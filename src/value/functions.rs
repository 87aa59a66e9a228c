//! The functions of [`Value`]: one method an operation, and what is composed of them.

use super::{Value, graph::with_graph, op::Op};

macro_rules! unary {
    ($($name:ident $op:ident $doc:literal;)*) => {
        /// Functions of one argument. Derivatives at kinks: see [`crate::value::op`].
        impl Value {
            $(
                #[doc = $doc]
                pub fn $name(self) -> Value {
                    Value::unary(Op::$op, self)
                }
            )*
        }
    };
}

unary! {
    abs Abs "`|x|`, with derivative 0 at 0.";
    sign Sign "−1, 0 or 1, with derivative 0.";
    floor Floor "Largest integer ≤ x, with derivative 0.";
    ceil Ceil "Smallest integer ≥ x, with derivative 0.";
    round Round "Nearest integer, halves away from zero, with derivative 0.";
    trunc Trunc "Integer part, with derivative 0.";
    sqrt Sqrt "Square root, with derivative ∞ at 0 ([`Value::safe_sqrt`] has 0).";
    cbrt Cbrt "Cube root.";
    recip Recip "`1 / x`";
    exp Exp "`eˣ`";
    exp2 Exp2 "`2ˣ`";
    exp_m1 ExpM1 "`eˣ − 1`, accurate near 0.";
    ln Ln "Natural logarithm.";
    ln_1p Ln1p "`ln(1 + x)`, accurate near 0.";
    log2 Log2 "Logarithm to base 2.";
    log10 Log10 "Logarithm to base 10.";
    sin Sin "Sine (radians).";
    cos Cos "Cosine (radians).";
    tan Tan "Tangent (radians).";
    asin Asin "Inverse sine.";
    acos Acos "Inverse cosine.";
    atan Atan "Inverse tangent.";
    sinh Sinh "Hyperbolic sine.";
    cosh Cosh "Hyperbolic cosine.";
    tanh Tanh "Hyperbolic tangent.";
    asinh Asinh "Inverse hyperbolic sine.";
    acosh Acosh "Inverse hyperbolic cosine.";
    atanh Atanh "Inverse hyperbolic tangent.";
    sigmoid Sigmoid "`1 / (1 + e⁻ˣ)`, without overflow.";
    softplus Softplus "`ln(1 + eˣ)`, without overflow.";
}

macro_rules! binary {
    ($($name:ident $op:ident $doc:literal;)*) => {
        /// Functions of two arguments. The second may be a `Value` or an `f64`.
        impl Value {
            $(
                #[doc = $doc]
                pub fn $name(self, other: impl Into<Value>) -> Value {
                    Value::binary(Op::$op, self, other.into())
                }
            )*
        }
    };
}

binary! {
    powv Powf "`selfᵇ` with an exponent that is a value.";
    atan2 Atan2 "Angle of the point (x = other, y = self), in [−π, π].";
    hypot Hypot "`√(self² + other²)` without overflow.";
    min Min "The smaller; at a tie the derivative goes to `self`.";
    max Max "The larger; at a tie the derivative goes to `self`.";
    copysign Copysign "`|self|` with the sign of `other`.";
    equal Eq "1 where `self = other`, else 0; decided in the kernel, unlike `==`.";
    not_equal Ne "1 where `self ≠ other`, else 0.";
    less Lt "1 where `self < other`, else 0.";
    less_equal Le "1 where `self ≤ other`, else 0.";
    greater Gt "1 where `self > other`, else 0.";
    greater_equal Ge "1 where `self ≥ other`, else 0.";
}

impl Value {
    pub(crate) fn unary(op: Op, a: Value) -> Value {
        with_graph(|graph| graph.apply(op, [a, Value::ZERO, Value::ZERO]))
    }

    pub(crate) fn binary(op: Op, a: Value, b: Value) -> Value {
        with_graph(|graph| graph.apply(op, [a, b, Value::ZERO]))
    }

    /// `selfⁿ`; the exponent is part of the topology.
    pub fn powi(self, n: i32) -> Value {
        Value::unary(Op::Powi(n), self)
    }

    /// `selfᵉ` for a constant exponent. A whole exponent of at most 32 in size is an integer power and part of the topology.
    pub fn powf(self, exponent: f64) -> Value {
        if exponent.fract() == 0.0 && exponent.abs() <= 32.0 {
            self.powi(exponent as i32)
        } else {
            Value::binary(Op::Powf, self, Value::constant(exponent))
        }
    }

    /// `self²`
    pub fn square(self) -> Value {
        self.powi(2)
    }

    /// `self³`
    pub fn cube(self) -> Value {
        self.powi(3)
    }

    /// Sine and cosine.
    pub fn sin_cos(self) -> (Value, Value) {
        (self.sin(), self.cos())
    }

    /// `max(0, self)`, with derivative 0 at 0.
    pub fn relu(self) -> Value {
        Value::ZERO.max(self)
    }

    /// `yes` where `condition` is not 0, else `no`; both branches are computed, and the kernel picks.
    ///
    /// A branch that is not finite still poisons the derivative through `0 · ∞`: give it a harmless argument instead, as
    /// [`Value::safe_sqrt`] does.
    pub fn select(condition: Value, yes: impl Into<Value>, no: impl Into<Value>) -> Value {
        let args = [condition, yes.into(), no.into()];
        with_graph(|graph| graph.apply(Op::Select, args))
    }

    /// `max(low, min(self, high))`; the derivative is 1 from `low` to `high` inclusive, and outside goes to the bound.
    pub fn clamp(self, low: impl Into<Value>, high: impl Into<Value>) -> Value {
        let args = [self, low.into(), high.into()];
        with_graph(|graph| graph.apply(Op::Clamp, args))
    }

    /// Square root that is 0 with derivative 0 where `self ≤ 0`.
    pub fn safe_sqrt(self) -> Value {
        let positive = self.greater(0.0);
        Value::select(positive, Value::select(positive, self, 1.0).sqrt(), 0.0)
    }

    /// `self / divisor`, and 0 with derivative 0 where the divisor is 0.
    pub fn safe_div(self, divisor: impl Into<Value>) -> Value {
        let divisor = divisor.into();
        let nonzero = divisor.not_equal(0.0);
        Value::select(nonzero, self / Value::select(nonzero, divisor, 1.0), 0.0)
    }

    /// Sum of the values; the constant 0 for none.
    pub fn sum_of(values: &[Value]) -> Value {
        values.iter().sum()
    }

    /// Mean of the values; the constant 0 for none.
    pub fn mean_of(values: &[Value]) -> Value {
        if values.is_empty() { Value::ZERO } else { Value::sum_of(values) / values.len() as f64 }
    }
}
