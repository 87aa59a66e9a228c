//! The table of operations: name, arity, value, domain and derivative of each, once.
//!
//! Eager evaluation ([`Value`](crate::Value)), the program builder, the CPU kernels and the tests all read this file, so an
//! operation is added here and every stage either knows it or fails to compile.
//!
//! # Derivatives at kinks
//!
//! | operation | convention |
//! |---|---|
//! | `abs`, `sign` | `abs'(0) = 0`; `sign' = 0` everywhere |
//! | `floor`, `ceil`, `round`, `trunc`, comparisons | 0 everywhere |
//! | `min(a, b)`, `max(a, b)` | at a tie the whole derivative goes to the first argument |
//! | `clamp(x, lo, hi)` | 1 for `lo ≤ x ≤ hi` and 0 outside, where it goes to the bound |
//! | `select(c, a, b)` | the derivative of the chosen branch; 0 for `c` |
//! | `sqrt` | `sqrt'(0) = ∞`; `safe_sqrt` has derivative 0 there |
//! | `powf(a, b)` | `∂b = 0` for `a ≤ 0` |
//! | `hypot(0, 0)`, `atan2(0, 0)` | NaN: there is no direction, and the solver reports the residual |
//! | `rem(a, b)` | `∂a = 1`, `∂b = −trunc(a / b)` |

/// Makes the enumeration and its look-ups from the rows `variant, arity, name, domain, description`.
macro_rules! operations {
    ($($variant:ident $(($payload:ty))?, $arity:literal, $name:literal, $domain:literal, $doc:literal;)*) => {
        /// An operation of an expression graph.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
        pub enum Op {
            $(#[doc = $doc] $variant $(($payload))?,)*
        }

        /// The operations without their constants, numbered in the table's order.
        #[repr(u32)]
        enum Kind {
            $($variant,)*
        }

        impl Op {
            /// Every operation and leaf; the exponent of `powi` is 0 here.
            pub const ALL: &'static [Op] = &[$(Op::$variant $((0 as $payload))?,)*];

            /// Number of arguments.
            pub const fn arity(self) -> usize {
                match self {
                    $(Op::$variant { .. } => $arity,)*
                }
            }

            /// The name as users write it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Op::$variant { .. } => $name,)*
                }
            }

            /// Where the operation is finite for finite arguments, in words; empty where that is everywhere short of overflow.
            pub const fn domain(self) -> &'static str {
                match self {
                    $(Op::$variant { .. } => $domain,)*
                }
            }

            /// Position in the table.
            const fn index(self) -> u32 {
                match self {
                    $(Op::$variant { .. } => Kind::$variant as u32,)*
                }
            }
        }
    };
}

operations! {
    Variable, 0, "variable", "", "A differentiable leaf.";
    Datum, 0, "datum", "", "A leaf that is not differentiated: instance data.";
    Neg, 1, "neg", "", "`-a`";
    Abs, 1, "abs", "", "`|a|`";
    Sign, 1, "sign", "", "−1, 0 or 1; `sign(0) = 0`";
    Floor, 1, "floor", "", "Largest integer ≤ a.";
    Ceil, 1, "ceil", "", "Smallest integer ≥ a.";
    Round, 1, "round", "", "Nearest integer, halves away from zero.";
    Trunc, 1, "trunc", "", "Integer part.";
    Sqrt, 1, "sqrt", "a ≥ 0", "Square root.";
    Cbrt, 1, "cbrt", "", "Cube root.";
    Recip, 1, "recip", "a ≠ 0", "`1 / a`";
    Powi(i32), 1, "powi", "a ≠ 0 where n < 0", "`aⁿ` for an integer n that is part of the topology.";
    Exp, 1, "exp", "a < 709.8", "`eᵃ`";
    Exp2, 1, "exp2", "a < 1024", "`2ᵃ`";
    ExpM1, 1, "exp_m1", "a < 709.8", "`eᵃ − 1`";
    Ln, 1, "ln", "a > 0", "Natural logarithm.";
    Ln1p, 1, "ln_1p", "a > −1", "`ln(1 + a)`";
    Log2, 1, "log2", "a > 0", "Logarithm to base 2.";
    Log10, 1, "log10", "a > 0", "Logarithm to base 10.";
    Sin, 1, "sin", "", "Sine (radians).";
    Cos, 1, "cos", "", "Cosine (radians).";
    Tan, 1, "tan", "", "Tangent (radians).";
    Asin, 1, "asin", "−1 ≤ a ≤ 1", "Inverse sine, in [−π/2, π/2].";
    Acos, 1, "acos", "−1 ≤ a ≤ 1", "Inverse cosine, in [0, π].";
    Atan, 1, "atan", "", "Inverse tangent, in (−π/2, π/2).";
    Sinh, 1, "sinh", "|a| < 710.4", "Hyperbolic sine.";
    Cosh, 1, "cosh", "|a| < 710.4", "Hyperbolic cosine.";
    Tanh, 1, "tanh", "", "Hyperbolic tangent.";
    Asinh, 1, "asinh", "", "Inverse hyperbolic sine.";
    Acosh, 1, "acosh", "a ≥ 1", "Inverse hyperbolic cosine.";
    Atanh, 1, "atanh", "−1 < a < 1", "Inverse hyperbolic tangent.";
    Sigmoid, 1, "sigmoid", "", "`1 / (1 + e⁻ᵃ)`, without overflow.";
    Softplus, 1, "softplus", "", "`ln(1 + eᵃ)`, without overflow.";
    Add, 2, "add", "", "`a + b`";
    Sub, 2, "sub", "", "`a − b`";
    Mul, 2, "mul", "", "`a · b`";
    Div, 2, "div", "b ≠ 0", "`a / b`";
    Rem, 2, "rem", "b ≠ 0", "`a − b·trunc(a / b)`: the sign of the dividend, as Rust's `%`.";
    Powf, 2, "powf", "a > 0, or a whole b (b > 0 where a = 0)", "`aᵇ` with an exponent that is a value.";
    Atan2, 2, "atan2", "", "Angle of the point (x = b, y = a), in [−π, π].";
    Hypot, 2, "hypot", "", "`√(a² + b²)` without overflow.";
    Min, 2, "min", "", "The smaller; NaN if either is.";
    Max, 2, "max", "", "The larger; NaN if either is.";
    Copysign, 2, "copysign", "", "`|a|` with the sign of b.";
    Eq, 2, "eq", "", "1 if `a = b`, else 0.";
    Ne, 2, "ne", "", "1 if `a ≠ b`, else 0.";
    Lt, 2, "lt", "", "1 if `a < b`, else 0.";
    Le, 2, "le", "", "1 if `a ≤ b`, else 0.";
    Gt, 2, "gt", "", "1 if `a > b`, else 0.";
    Ge, 2, "ge", "", "1 if `a ≥ b`, else 0.";
    Select, 3, "select", "", "`b` if `a ≠ 0`, else `c`.";
    Clamp, 3, "clamp", "", "`max(b, min(a, c))`";
}

impl Op {
    /// Whether the arguments may be swapped. `min` and `max` may not: at a tie the first one gets the derivative.
    pub const fn is_commutative(self) -> bool {
        matches!(self, Op::Add | Op::Mul | Op::Hypot | Op::Eq | Op::Ne)
    }

    /// A pair of numbers that tells the operations apart, the exponent of `powi` included.
    pub(crate) const fn code(self) -> [u32; 2] {
        let exponent = if let Op::Powi(n) = self { n as u32 } else { 0 };
        [self.index(), exponent]
    }

    /// Whether this is a leaf of a graph.
    pub const fn is_leaf(self) -> bool {
        matches!(self, Op::Variable | Op::Datum)
    }

    /// The value for the arguments `a`, `b`, `c` (those past the arity are ignored). Leaves have no value of their own: NaN.
    #[inline(always)]
    pub fn evaluate(self, a: f64, b: f64, c: f64) -> f64 {
        use Op::*;
        match self {
            Variable | Datum => f64::NAN,
            Neg => -a,
            Abs => a.abs(),
            Sign => sign(a),
            Floor => a.floor(),
            Ceil => a.ceil(),
            Round => a.round(),
            Trunc => a.trunc(),
            Sqrt => a.sqrt(),
            Cbrt => a.cbrt(),
            Recip => 1.0 / a,
            Powi(n) => powi(a, n),
            Exp => a.exp(),
            Exp2 => a.exp2(),
            ExpM1 => a.exp_m1(),
            Ln => a.ln(),
            Ln1p => a.ln_1p(),
            Log2 => a.log2(),
            Log10 => a.log10(),
            Sin => a.sin(),
            Cos => a.cos(),
            Tan => a.tan(),
            Asin => a.asin(),
            Acos => a.acos(),
            Atan => a.atan(),
            Sinh => a.sinh(),
            Cosh => a.cosh(),
            Tanh => a.tanh(),
            Asinh => a.asinh(),
            Acosh => acosh(a),
            Atanh => atanh(a),
            Sigmoid => sigmoid(a),
            Softplus => softplus(a),
            Add => a + b,
            Sub => a - b,
            Mul => a * b,
            Div => a / b,
            Rem => a % b,
            Powf => a.powf(b),
            Atan2 => a.atan2(b),
            Hypot => a.hypot(b),
            Min => min(a, b),
            Max => max(a, b),
            Copysign => a.copysign(b),
            Eq => truth(a == b),
            Ne => truth(a != b),
            Lt => truth(a < b),
            Le => truth(a <= b),
            Gt => truth(a > b),
            Ge => truth(a >= b),
            Select => select(a, b, c),
            Clamp => max(b, min(a, c)),
        }
    }
}

/// 1 for true, 0 for false.
#[inline(always)]
pub(crate) fn truth(condition: bool) -> f64 {
    if condition { 1.0 } else { 0.0 }
}

/// −1, 0 or 1, and NaN for NaN.
#[inline(always)]
pub(crate) fn sign(a: f64) -> f64 {
    if a > 0.0 {
        1.0
    } else if a < 0.0 {
        -1.0
    } else {
        a * 0.0
    }
}

/// The smaller argument; unlike `f64::min` a NaN is passed on, so that it can be reported.
#[inline(always)]
pub(crate) fn min(a: f64, b: f64) -> f64 {
    if a <= b {
        a
    } else if b < a {
        b
    } else {
        a + b
    }
}

/// The larger argument; unlike `f64::max` a NaN is passed on.
#[inline(always)]
pub(crate) fn max(a: f64, b: f64) -> f64 {
    if a >= b {
        a
    } else if b > a {
        b
    } else {
        a + b
    }
}

#[inline(always)]
pub(crate) fn select(condition: f64, a: f64, b: f64) -> f64 {
    if condition != 0.0 { a } else { b }
}

#[inline(always)]
pub(crate) fn sigmoid(a: f64) -> f64 {
    // e^-|a| cannot overflow, and neither branch cancels.
    let e = (-a.abs()).exp();
    if a >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) }
}

#[inline(always)]
pub(crate) fn softplus(a: f64) -> f64 {
    max(a, 0.0) + (-a.abs()).exp().ln_1p()
}

/// The standard library's loses all digits near 1.
#[inline(always)]
fn acosh(a: f64) -> f64 {
    if a > 1e150 {
        return a.ln() + std::f64::consts::LN_2;
    }
    let t = a - 1.0;
    if t < 0.0 { f64::NAN } else { (t + (t * (t + 2.0)).sqrt()).ln_1p() }
}

/// The standard library's loses all digits near −1.
#[inline(always)]
fn atanh(a: f64) -> f64 {
    let m = a.abs();
    let twice = m + m;
    let odds = if m < 0.5 { twice + twice * m / (1.0 - m) } else { twice / (1.0 - m) };
    (0.5 * odds.ln_1p()).copysign(a)
}

/// Integer power by repeated squaring, the same multiplications wherever it runs (`f64::powi` leaves the order open).
#[inline(always)]
pub(crate) fn powi(a: f64, n: i32) -> f64 {
    let mut exponent = n.unsigned_abs();
    let mut base = a;
    let mut result = 1.0;
    while exponent > 0 {
        if exponent & 1 == 1 {
            result *= base;
        }
        base *= base;
        exponent >>= 1;
    }
    if n < 0 { 1.0 / result } else { result }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct() {
        let mut codes: Vec<_> = Op::ALL.iter().map(|op| op.code()).collect();
        codes.push(Op::Powi(2).code());
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }

    #[test]
    fn nan_is_passed_on() {
        for op in [Op::Min, Op::Max, Op::Sign, Op::Softplus, Op::Sigmoid] {
            assert!(op.evaluate(f64::NAN, 1.0, 0.0).is_nan(), "{op:?}");
        }
        assert!(Op::Max.evaluate(1.0, f64::NAN, 0.0).is_nan());
    }

    #[test]
    fn extremes_do_not_overflow() {
        assert_eq!(sigmoid(-800.0), 0.0);
        assert_eq!(sigmoid(800.0), 1.0);
        assert_eq!(softplus(800.0), 800.0);
        assert_eq!(softplus(-800.0), 0.0);
    }

    #[test]
    fn inverse_hyperbolic_functions_near_their_ends() {
        // acosh(1 + t) = √(2 t) (1 − t/12 + …); atanh(1 − t) = ½ ln(2/t − 1).
        let t = 2f64.powi(-46);
        let found = Op::Acosh.evaluate(1.0 + t, 0.0, 0.0);
        assert!((found / (2.0 * t).sqrt() - 1.0).abs() < 1e-13, "{found}");
        let expected = 0.5 * (2.0 / t - 1.0).ln();
        for (a, expected) in [(1.0 - t, expected), (t - 1.0, -expected)] {
            let found = Op::Atanh.evaluate(a, 0.0, 0.0);
            assert!((found / expected - 1.0).abs() < 1e-15, "{found} for {expected}");
        }
        assert_eq!(Op::Acosh.evaluate(1.0, 0.0, 0.0), 0.0);
        assert_eq!(Op::Atanh.evaluate(-1.0, 0.0, 0.0), f64::NEG_INFINITY);
        for (op, a) in [(Op::Acosh, 0.5), (Op::Acosh, -3.0), (Op::Acosh, -1e12), (Op::Atanh, 1.5), (Op::Atanh, -2.0)] {
            assert!(op.evaluate(a, 0.0, 0.0).is_nan(), "{op:?} of {a}");
        }
    }

    #[test]
    fn integer_powers() {
        assert_eq!(powi(2.0, 10), 1024.0);
        assert_eq!(powi(-2.0, 3), -8.0);
        assert_eq!(powi(2.0, -2), 0.25);
        assert_eq!(powi(0.0, 0), 1.0);
    }
}
