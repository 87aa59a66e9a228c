//! The local derivative of every operation, written once over an abstract [`Algebra`].
//!
//! Eager reverse mode runs the rules on `f64`; the program builder runs the same rules on SSA values, and on the result again
//! for second derivatives. The conventions at kinks stand in the documentation of [`crate::value::op`].

use super::op::Op;

/// What the derivative rules compute with.
pub(crate) trait Algebra {
    /// A number or the name of one.
    type Scalar: Copy;

    /// The scalar that stands for `value`.
    fn constant(&mut self, value: f64) -> Self::Scalar;

    /// `op` applied to its first `op.arity()` arguments.
    fn apply(&mut self, op: Op, arguments: [Self::Scalar; 3]) -> Self::Scalar;
}

/// A partial derivative; the trivial ones are named so that nobody multiplies by them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Partial<S> {
    Zero,
    One,
    MinusOne,
    Factor(S),
}

/// ∂op/∂argument `k` at `args`, where the operation has the value `value`.
pub(crate) fn partial<A: Algebra>(
    algebra: &mut A,
    op: Op,
    args: [A::Scalar; 3],
    value: A::Scalar,
    k: usize,
) -> Partial<A::Scalar> {
    use Op::*;
    use Partial::{Factor, MinusOne, One, Zero};

    let [a, b, c] = args;
    let mut rules = Rules(algebra);
    match (op, k) {
        (Variable | Datum | Sign | Floor | Ceil | Round | Trunc | Eq | Ne | Lt | Le | Gt | Ge, _) => Zero,
        (Neg, _) => MinusOne,
        (Abs, _) => Factor(rules.one(Sign, a)),
        (Sqrt, _) => Factor(rules.constant_over(0.5, value)),
        (Cbrt, _) => {
            let square = rules.two(Mul, value, value);
            Factor(rules.constant_over(1.0 / 3.0, square))
        }
        (Recip, _) => {
            let square = rules.two(Mul, value, value);
            Factor(rules.one(Neg, square))
        }
        (Powi(0), _) => Zero,
        (Powi(1), _) => One,
        (Powi(2), _) => Factor(rules.scaled(2.0, a)),
        (Powi(n), _) => {
            let power = rules.one(Powi(n.saturating_sub(1)), a);
            Factor(rules.scaled(f64::from(n), power))
        }
        (Exp, _) => Factor(value),
        (Exp2, _) => Factor(rules.scaled(std::f64::consts::LN_2, value)),
        (ExpM1, _) => Factor(rules.plus(value, 1.0)),
        (Ln, _) => Factor(rules.one(Recip, a)),
        (Ln1p, _) => {
            let argument = rules.plus(a, 1.0);
            Factor(rules.one(Recip, argument))
        }
        (Log2, _) => Factor(rules.constant_over(std::f64::consts::LOG2_E, a)),
        (Log10, _) => Factor(rules.constant_over(std::f64::consts::LOG10_E, a)),
        (Sin, _) => Factor(rules.one(Cos, a)),
        (Cos, _) => {
            let sine = rules.one(Sin, a);
            Factor(rules.one(Neg, sine))
        }
        (Tan, _) => {
            let square = rules.two(Mul, value, value);
            Factor(rules.plus(square, 1.0))
        }
        (Asin, _) => {
            let root = rules.root_one_minus_square(a);
            Factor(rules.one(Recip, root))
        }
        (Acos, _) => {
            let root = rules.root_one_minus_square(a);
            Factor(rules.constant_over(-1.0, root))
        }
        (Atan, _) => {
            let square = rules.two(Mul, a, a);
            let sum = rules.plus(square, 1.0);
            Factor(rules.one(Recip, sum))
        }
        (Sinh, _) => Factor(rules.one(Cosh, a)),
        (Cosh, _) => Factor(rules.one(Sinh, a)),
        (Tanh, _) => {
            let square = rules.two(Mul, value, value);
            Factor(rules.constant_minus(1.0, square))
        }
        (Asinh, _) => {
            let square = rules.two(Mul, a, a);
            let sum = rules.plus(square, 1.0);
            let root = rules.one(Sqrt, sum);
            Factor(rules.one(Recip, root))
        }
        (Acosh, _) => {
            // (a − 1)(a + 1) keeps its digits near a = 1, where a² − 1 loses them.
            let below = rules.plus(a, -1.0);
            let above = rules.plus(a, 1.0);
            let product = rules.two(Mul, below, above);
            let root = rules.one(Sqrt, product);
            Factor(rules.one(Recip, root))
        }
        (Atanh, _) => {
            let product = rules.one_minus_square(a);
            Factor(rules.one(Recip, product))
        }
        (Sigmoid, _) => {
            let rest = rules.constant_minus(1.0, value);
            Factor(rules.two(Mul, value, rest))
        }
        (Softplus, _) => Factor(rules.one(Sigmoid, a)),
        (Add, _) | (Sub | Rem, 0) => One,
        (Sub, _) => MinusOne,
        (Mul, 0) => Factor(b),
        (Mul, _) => Factor(a),
        (Div, 0) => Factor(rules.one(Recip, b)),
        (Div, _) => {
            let quotient = rules.two(Div, value, b);
            Factor(rules.one(Neg, quotient))
        }
        (Rem, _) => {
            let quotient = rules.two(Div, a, b);
            let whole = rules.one(Trunc, quotient);
            Factor(rules.one(Neg, whole))
        }
        (Powf, 0) => {
            let exponent = rules.plus(b, -1.0);
            let power = rules.two(Powf, a, exponent);
            Factor(rules.two(Mul, b, power))
        }
        (Powf, _) => {
            // ln a is taken of 1 where a ≤ 0, so that the unused branch cannot make a NaN.
            let zero = rules.0.constant(0.0);
            let one = rules.0.constant(1.0);
            let positive = rules.two(Gt, a, zero);
            let base = rules.three(Select, positive, a, one);
            let log = rules.one(Ln, base);
            let product = rules.two(Mul, value, log);
            Factor(rules.three(Select, positive, product, zero))
        }
        (Atan2, _) => {
            let aa = rules.two(Mul, a, a);
            let bb = rules.two(Mul, b, b);
            let square = rules.two(Add, aa, bb);
            let quotient = rules.two(Div, if k == 0 { b } else { a }, square);
            Factor(if k == 0 { quotient } else { rules.one(Neg, quotient) })
        }
        (Hypot, _) => Factor(rules.two(Div, if k == 0 { a } else { b }, value)),
        (Min, 0) => Factor(rules.two(Le, a, b)),
        (Min, _) => Factor(rules.two(Gt, a, b)),
        (Max, 0) => Factor(rules.two(Ge, a, b)),
        (Max, _) => Factor(rules.two(Lt, a, b)),
        (Copysign, 0) => {
            // |a| with the sign of b: sign(a)·sign(b), where b = ±0 has a sign and a = 0 has none.
            let one = rules.0.constant(1.0);
            let outer = rules.two(Copysign, one, b);
            let inner = rules.one(Sign, a);
            Factor(rules.two(Mul, outer, inner))
        }
        (Copysign, _) => Zero,
        (Select, 0) => Zero,
        (Select, _) => {
            let zero = rules.0.constant(0.0);
            Factor(rules.two(if k == 1 { Ne } else { Eq }, a, zero))
        }
        (Clamp, 0) => {
            let above = rules.two(Ge, a, b);
            let below = rules.two(Le, a, c);
            Factor(rules.two(Mul, above, below))
        }
        // Clamp is max(lo, min(x, hi)): below lo, or where the bounds are crossed, the value is lo.
        (Clamp, 1) => {
            let capped = rules.two(Min, a, c);
            Factor(rules.two(Lt, capped, b))
        }
        (Clamp, _) => {
            let over = rules.two(Gt, a, c);
            let ordered = rules.two(Ge, c, b);
            Factor(rules.two(Mul, over, ordered))
        }
    }
}

/// Short forms of what the rules above say often.
struct Rules<'a, A: Algebra>(&'a mut A);

impl<A: Algebra> Rules<'_, A> {
    fn one(&mut self, op: Op, a: A::Scalar) -> A::Scalar {
        self.0.apply(op, [a; 3])
    }

    fn two(&mut self, op: Op, a: A::Scalar, b: A::Scalar) -> A::Scalar {
        self.0.apply(op, [a, b, b])
    }

    fn three(&mut self, op: Op, a: A::Scalar, b: A::Scalar, c: A::Scalar) -> A::Scalar {
        self.0.apply(op, [a, b, c])
    }

    fn plus(&mut self, a: A::Scalar, constant: f64) -> A::Scalar {
        let constant = self.0.constant(constant);
        self.two(Op::Add, a, constant)
    }

    fn scaled(&mut self, constant: f64, a: A::Scalar) -> A::Scalar {
        let constant = self.0.constant(constant);
        self.two(Op::Mul, constant, a)
    }

    fn constant_minus(&mut self, constant: f64, a: A::Scalar) -> A::Scalar {
        let constant = self.0.constant(constant);
        self.two(Op::Sub, constant, a)
    }

    fn constant_over(&mut self, constant: f64, a: A::Scalar) -> A::Scalar {
        let constant = self.0.constant(constant);
        self.two(Op::Div, constant, a)
    }

    /// (1 − a)(1 + a), which keeps its digits near |a| = 1.
    fn one_minus_square(&mut self, a: A::Scalar) -> A::Scalar {
        let below = self.constant_minus(1.0, a);
        let above = self.plus(a, 1.0);
        self.two(Op::Mul, below, above)
    }

    fn root_one_minus_square(&mut self, a: A::Scalar) -> A::Scalar {
        let product = self.one_minus_square(a);
        self.one(Op::Sqrt, product)
    }
}

/// The algebra of plain numbers.
pub(crate) struct Numbers;

impl Algebra for Numbers {
    type Scalar = f64;

    fn constant(&mut self, value: f64) -> f64 {
        value
    }

    fn apply(&mut self, op: Op, [a, b, c]: [f64; 3]) -> f64 {
        op.evaluate(a, b, c)
    }
}
