//! Arguments over the whole range of an operation, the same ones every time.

use super::accurate::exponent;
use super::reference::{DOUBLE_F32, F32, F64};
use isograd::kernel::wgsl::Formats;
use isograd::value::op::Op;

/// The numbers of a format that have all their digits.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub formats: Formats,
    /// Exponents of the smallest and the largest number.
    pub exponents: (i32, i32),
    /// Bits of a significand.
    pub digits: u32,
}

impl Range {
    pub const F64: Range = Range { formats: F64, exponents: (-1022, 1023), digits: 53 };
    pub const F32: Range = Range { formats: F32, exponents: (-126, 127), digits: 24 };
    /// Below 2^−78 the second number of a pair may be flushed to 0, so there arguments have one. Below 2^−102 the parts are that a product
    /// is made of, and little is left of it; a device flushes so much of a value below 2^−86 that it has hardly more than 24 bits.
    pub const DOUBLE_F32: Range = Range { formats: DOUBLE_F32, exponents: (-86, 126), digits: 48 };

    /// The number nearest to `a` that the format has, towards 0.
    fn round(self, a: f64) -> f64 {
        let single = self.digits == 48 && a.abs() < 2f64.powi(-78);
        let dropped = 53 - if single { 24 } else { self.digits };
        f64::from_bits(a.to_bits() >> dropped << dropped)
    }

    /// Whether `a` is neither too large nor too small, or 0.
    pub fn has(self, a: f64) -> bool {
        let (least, most) = self.exponents;
        // A last bit is left off, since a value below the largest number may be rounded beyond.
        let largest = 2f64.powi(most) * (2.0 - 2f64.powi(2 - self.digits.min(24) as i32));
        a == 0.0 || (exponent(a) >= least && a.abs() <= largest)
    }

    /// Where `exp` overflows.
    fn exp_limit(self) -> f64 {
        f64::from(self.exponents.1 + 1) * std::f64::consts::LN_2
    }

    /// The least and the most a first argument may be. Outside, values overflow, are 0 or are not numbers at all.
    fn domain(self, op: Op) -> (f64, f64) {
        let largest = 2f64.powi(self.exponents.1);
        match op {
            Op::Sqrt | Op::Ln | Op::Log2 | Op::Log10 => (0.0, largest),
            Op::Ln1p => (-1.0, largest),
            Op::Acosh => (1.0, largest),
            Op::Asin | Op::Acos | Op::Atanh => (-1.0, 1.0),
            Op::Exp | Op::ExpM1 | Op::Sinh | Op::Cosh => (-self.exp_limit() - 1.0, self.exp_limit() + 1.0),
            Op::Exp2 => (-f64::from(self.exponents.1), f64::from(self.exponents.1) + 1.0),
            // Beyond, pairs are reduced by pi/2 in steps of which each loses 2^-48 of what the one before left.
            Op::Sin | Op::Cos | Op::Tan if self.formats == DOUBLE_F32 => (-1e7, 1e7),
            _ => (-largest, largest),
        }
    }
}

/// Arguments of an operation.
pub struct Samples {
    state: u64,
    range: Range,
    op: Op,
}

impl Samples {
    pub fn new(range: Range, op: Op, seed: u64) -> Self {
        Samples { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995, range, op }
    }

    /// 64 bits (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014).
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Between 0 and 1.
    fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn below(&mut self, size: u64) -> u64 {
        self.bits() % size
    }

    fn signed(&mut self, size: f64) -> f64 {
        if self.below(2) == 0 { size } else { -size }
    }

    /// Of a random exponent up to that of `most`.
    fn of_any_size(&mut self, most: f64) -> f64 {
        let least = f64::from(self.range.exponents.0);
        self.between(least, most.log2().max(least)).exp2()
    }

    /// `a` times 1 ± 2^−p for a random p: near it at every distance that the format has.
    fn near(&mut self, a: f64) -> f64 {
        let distance = self.between(1.0, f64::from(self.range.digits)).exp2().recip();
        a * (1.0 + self.signed(distance))
    }

    /// Where functions have zeros, poles, inflections and seams between two ways to compute them.
    fn special(&mut self, (low, high): (f64, f64)) -> f64 {
        let few = 1 + self.below(40);
        let many = 1 + self.below(1 << 20);
        match self.below(8) {
            0 => low,
            1 => high,
            2 => few as f64 * std::f64::consts::FRAC_PI_4,
            3 => many as f64 * std::f64::consts::FRAC_PI_2,
            4 => few as f64 * 0.5 * std::f64::consts::LN_2,
            5 => 2f64.powi(few as i32 - 20),
            6 => 2f64.powi(few as i32 - 20) * std::f64::consts::SQRT_2,
            _ => few as f64 * 0.0625,
        }
    }

    /// A first argument: of any size, near 0, evenly spread, or near a special point.
    fn first(&mut self) -> f64 {
        let (low, high) = self.range.domain(self.op);
        let candidate = match self.below(8) {
            0..3 => self.of_any_size(high),
            3 => self.between(low.max(-20.0), high.min(20.0)),
            4 => {
                let limit = self.range.exp_limit();
                self.between(low.max(-limit), high.min(limit))
            }
            5 if low == 1.0 => 1.0 + self.of_any_size(1.0),
            _ => {
                let special = self.special((low, high));
                self.near(special)
            }
        };
        self.signed(candidate)
    }

    /// A second one: of any size, of about the size of the first, or so that the value is neither too large nor too small.
    fn second(&mut self, a: f64) -> f64 {
        let (_, high) = self.range.domain(Op::Add);
        let kind = self.below(4);
        let candidate = match self.op {
            // a^b = e^t
            Op::Powf if kind < 3 => self.between(-self.range.exp_limit(), self.range.exp_limit()) / a.abs().ln(),
            Op::Powf => self.below(64) as f64 * 0.5,
            _ if kind < 2 => self.of_any_size(high),
            _ if kind < 3 => self.near(a),
            _ => a * self.between(-40.0, 40.0).exp2(),
        };
        self.signed(candidate)
    }

    /// A point inside the domain whose value the format can hold.
    pub fn point(&mut self) -> [f64; 2] {
        let (low, high) = self.range.domain(self.op);
        loop {
            let a = self.first();
            let a = self.range.round(a);
            let b = if self.op.arity() > 1 { self.second(a) } else { 0.0 };
            let b = self.range.round(b);
            let held = |x: f64| x.is_finite() && self.range.has(x);
            // WGSL leaves open what a quotient is by more than that; on an H200 it is 0.
            if self.op == Op::Div && self.range.formats == F32 && b.abs() > 2f64.powi(126) {
                continue;
            }
            if held(a) && held(b) && (low..=high).contains(&a) && held(self.op.evaluate(a, b, 0.0)) {
                return [a, b];
            }
        }
    }
}
