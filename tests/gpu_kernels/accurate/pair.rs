//! Unevaluated sums of two `f64`: 104 bits and more.

use std::ops::{Add, Div, Mul, Neg, Sub};

/// hi + lo, with |lo| at most half a unit in the last place of hi.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    pub hi: f64,
    pub lo: f64,
}

impl From<f64> for Pair {
    fn from(number: f64) -> Self {
        Pair { hi: number, lo: 0.0 }
    }
}

/// a + b exactly (Knuth 1969).
fn two_sum(a: f64, b: f64) -> Pair {
    let hi = a + b;
    let t = hi - a;
    Pair { hi, lo: (a - (hi - t)) + (b - t) }
}

/// The same for |a| ≥ |b| (Dekker 1971). What is not finite has no second part.
fn quick_two_sum(a: f64, b: f64) -> Pair {
    let hi = a + b;
    let lo = b - (hi - a);
    Pair { hi, lo: if lo.is_finite() { lo } else { 0.0 } }
}

impl Pair {
    /// a b exactly.
    pub fn product(a: f64, b: f64) -> Pair {
        let hi = a * b;
        Pair { hi, lo: a.mul_add(b, -hi) }
    }

    /// Times 2^n, for |n| ≤ 2,000.
    pub fn scaled(self, n: i32) -> Pair {
        let half = n / 2;
        let (first, second) = (2f64.powi(half), 2f64.powi(n - half));
        Pair { hi: self.hi * first * second, lo: self.lo * first * second }
    }

    pub fn abs(self) -> Pair {
        if self.hi < 0.0 { -self } else { self }
    }

    pub fn sqrt(self) -> Pair {
        if self.hi == 0.0 {
            return self;
        }
        let root = self.hi.sqrt();
        quick_two_sum(root, (self - Pair::product(root, root)).hi / (2.0 * root))
    }
}

// Joldes, Muller, Popescu, "Tight and rigorous error bounds for basic building blocks of double-word arithmetic", 2017.
impl Add for Pair {
    type Output = Pair;
    fn add(self, other: Pair) -> Pair {
        let (s, t) = (two_sum(self.hi, other.hi), two_sum(self.lo, other.lo));
        let v = quick_two_sum(s.hi, s.lo + t.hi);
        quick_two_sum(v.hi, t.lo + v.lo)
    }
}

impl Mul for Pair {
    type Output = Pair;
    fn mul(self, other: Pair) -> Pair {
        let p = Pair::product(self.hi, other.hi);
        quick_two_sum(p.hi, p.lo + (self.hi * other.lo + self.lo * other.hi))
    }
}

impl Div for Pair {
    type Output = Pair;
    fn div(self, other: Pair) -> Pair {
        let first = self.hi / other.hi;
        let rest = self - other * Pair::from(first);
        let second = rest.hi / other.hi;
        let rest = rest - other * Pair::from(second);
        quick_two_sum(first, second) + Pair::from(rest.hi / other.hi)
    }
}

impl Neg for Pair {
    type Output = Pair;
    fn neg(self) -> Pair {
        Pair { hi: -self.hi, lo: -self.lo }
    }
}

impl Sub for Pair {
    type Output = Pair;
    fn sub(self, other: Pair) -> Pair {
        self + -other
    }
}

macro_rules! with_numbers {
    ($($trait:ident, $method:ident;)*) => {
        $(impl $trait<f64> for Pair {
            type Output = Pair;
            fn $method(self, other: f64) -> Pair {
                $trait::$method(self, Pair::from(other))
            }
        })*
    };
}

with_numbers! {
    Add, add;
    Sub, sub;
    Mul, mul;
    Div, div;
}
