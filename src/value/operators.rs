//! Rust's operators on [`Value`], with `f64` on either side.

use super::{Value, graph::with_graph, op::Op};
use std::cmp::Ordering;
use std::iter::{Product, Sum};
use std::ops::{Add, AddAssign, Div, DivAssign, Mul, MulAssign, Neg, Rem, RemAssign, Sub, SubAssign};

macro_rules! binary {
    ($trait:ident, $method:ident, $assign_trait:ident, $assign_method:ident, $op:ident) => {
        impl $trait for Value {
            type Output = Value;
            fn $method(self, other: Value) -> Value {
                Value::binary(Op::$op, self, other)
            }
        }

        impl $trait<f64> for Value {
            type Output = Value;
            fn $method(self, other: f64) -> Value {
                Value::binary(Op::$op, self, Value::constant(other))
            }
        }

        impl $trait<Value> for f64 {
            type Output = Value;
            fn $method(self, other: Value) -> Value {
                Value::binary(Op::$op, Value::constant(self), other)
            }
        }

        impl $trait<&Value> for Value {
            type Output = Value;
            fn $method(self, other: &Value) -> Value {
                Value::binary(Op::$op, self, *other)
            }
        }

        impl $trait<Value> for &Value {
            type Output = Value;
            fn $method(self, other: Value) -> Value {
                Value::binary(Op::$op, *self, other)
            }
        }

        impl $trait<&Value> for &Value {
            type Output = Value;
            fn $method(self, other: &Value) -> Value {
                Value::binary(Op::$op, *self, *other)
            }
        }

        impl $trait<f64> for &Value {
            type Output = Value;
            fn $method(self, other: f64) -> Value {
                Value::binary(Op::$op, *self, Value::constant(other))
            }
        }

        impl $trait<&Value> for f64 {
            type Output = Value;
            fn $method(self, other: &Value) -> Value {
                Value::binary(Op::$op, Value::constant(self), *other)
            }
        }

        impl $assign_trait<&Value> for Value {
            fn $assign_method(&mut self, other: &Value) {
                *self = Value::binary(Op::$op, *self, *other);
            }
        }

        impl $assign_trait for Value {
            fn $assign_method(&mut self, other: Value) {
                *self = Value::binary(Op::$op, *self, other);
            }
        }

        impl $assign_trait<f64> for Value {
            fn $assign_method(&mut self, other: f64) {
                *self = Value::binary(Op::$op, *self, Value::constant(other));
            }
        }
    };
}

binary!(Add, add, AddAssign, add_assign, Add);
binary!(Sub, sub, SubAssign, sub_assign, Sub);
binary!(Mul, mul, MulAssign, mul_assign, Mul);
binary!(Div, div, DivAssign, div_assign, Div);
binary!(Rem, rem, RemAssign, rem_assign, Rem);

impl Neg for Value {
    type Output = Value;
    fn neg(self) -> Value {
        Value::unary(Op::Neg, self)
    }
}

impl Neg for &Value {
    type Output = Value;
    fn neg(self) -> Value {
        Value::unary(Op::Neg, *self)
    }
}

/// Compares the numbers, and remembers the comparison while a residual function is traced.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        with_graph(|graph| graph.compare(*self, *other)) == Some(Ordering::Equal)
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        with_graph(|graph| graph.compare(*self, *other))
    }
}

impl PartialEq<f64> for Value {
    fn eq(&self, other: &f64) -> bool {
        *self == Value::constant(*other)
    }
}

impl PartialOrd<f64> for Value {
    fn partial_cmp(&self, other: &f64) -> Option<Ordering> {
        self.partial_cmp(&Value::constant(*other))
    }
}

impl PartialEq<Value> for f64 {
    fn eq(&self, other: &Value) -> bool {
        Value::constant(*self) == *other
    }
}

impl PartialOrd<Value> for f64 {
    fn partial_cmp(&self, other: &Value) -> Option<Ordering> {
        Value::constant(*self).partial_cmp(other)
    }
}

/// Adds from the left; the sum of nothing is the constant 0.
impl Sum for Value {
    fn sum<I: Iterator<Item = Value>>(values: I) -> Value {
        values.reduce(|a, b| a + b).unwrap_or(Value::ZERO)
    }
}

/// Multiplies from the left; the product of nothing is the constant 1.
impl Product for Value {
    fn product<I: Iterator<Item = Value>>(values: I) -> Value {
        values.reduce(|a, b| a * b).unwrap_or(Value::ONE)
    }
}

impl<'a> Sum<&'a Value> for Value {
    fn sum<I: Iterator<Item = &'a Value>>(values: I) -> Value {
        values.copied().sum()
    }
}

impl<'a> Product<&'a Value> for Value {
    fn product<I: Iterator<Item = &'a Value>>(values: I) -> Value {
        values.copied().product()
    }
}
