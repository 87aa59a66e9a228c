//! The functions to some 30 digits, since those of the platform are off by as much as the bounds that a device's are held to: glibc's
//! `cbrt` by 3.7 units in the last place, its hyperbolic functions by two.
//!
//! Each takes the platform's value and corrects it by one step of Newton's method, with exponential, sine and cosine summed as series.

mod pair;

pub use self::pair::Pair;

use isograd::value::op::Op;

const LN_2: Pair = Pair { hi: std::f64::consts::LN_2, lo: 2.3190468138462996e-17 };
const LN_10: Pair = Pair { hi: std::f64::consts::LN_10, lo: -2.1707562233822494e-16 };

/// π/2 in three parts.
const HALF_PI: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123233995736766e-17, -1.4973849048591698e-33];

/// Beyond this the remainder by π/2 has too few digits, and sine, cosine and tangent are the platform's (glibc's: 0.6 ulp).
const REDUCIBLE: f64 = 1e6;

/// The value of an operation; the platform's where that is rounded correctly or exact.
pub fn evaluate(op: Op, a: f64, b: f64) -> Pair {
    let x = Pair::from(a);
    match op {
        Op::Cbrt => cbrt(a),
        Op::Exp => exp(x),
        Op::Exp2 => {
            let whole = a.round();
            (exp_m1_near_0(LN_2 * (a - whole)) + 1.0).scaled(whole as i32)
        }
        Op::ExpM1 => exp_m1(x),
        Op::Ln => ln(x),
        Op::Ln1p => ln_1p(x),
        Op::Log2 => ln(x) / LN_2,
        Op::Log10 => ln(x) / LN_10,
        Op::Sin | Op::Cos | Op::Tan if a.abs() > REDUCIBLE => op.evaluate(a, b, 0.0).into(),
        Op::Sin => sin_cos(a).0,
        Op::Cos => sin_cos(a).1,
        Op::Tan => sin_cos(a).0 / sin_cos(a).1,
        Op::Asin => atan2(x, ((x + 1.0) * (-x + 1.0)).sqrt()),
        Op::Acos => atan2(((x + 1.0) * (-x + 1.0)).sqrt(), x),
        Op::Atan => atan2(x, 1.0.into()),
        Op::Atan2 => atan2(x, b.into()),
        Op::Sinh => odd(a, |m| {
            if m.hi < 1.0 {
                let e = exp_m1(m);
                return (e + e / (e + 1.0)) * 0.5;
            }
            let half = half_exp(m);
            half - Pair::from(0.25) / half
        }),
        Op::Cosh => {
            let half = half_exp(x.abs());
            half + Pair::from(0.25) / half
        }
        Op::Tanh => odd(a, |m| {
            let e = exp_m1(Pair::from(2.0 * m.hi.min(50.0)));
            e / (e + 2.0)
        }),
        Op::Asinh => odd(a, |m| match m.hi < 1e100 {
            true => ln_1p(m + m * m / ((m * m + 1.0).sqrt() + 1.0)),
            false => ln(m) + LN_2,
        }),
        Op::Acosh if a > 1e100 => ln(x) + LN_2,
        Op::Acosh => {
            let t = x - 1.0;
            ln_1p(t + (t * (t + 2.0)).sqrt())
        }
        Op::Atanh => odd(a, |m| ln_1p(m * 2.0 / (-m + 1.0)) * 0.5),
        Op::Sigmoid => {
            let e = exp(-x.abs());
            (if a < 0.0 { e } else { 1.0.into() }) / (e + 1.0)
        }
        Op::Softplus => ln_1p(exp(-x.abs())) + a.max(0.0),
        Op::Powf if a < 0.0 && b % 2.0 != 0.0 => -exp(ln(-x) * b),
        Op::Powf => exp(ln(x.abs()) * b),
        Op::Hypot => {
            let down = -exponent(a.abs().max(b.abs()));
            let (x, y) = (x.scaled(down), Pair::from(b).scaled(down));
            (x * x + y * y).sqrt().scaled(-down)
        }
        _ => op.evaluate(a, b, 0.0).into(),
    }
}

/// e of a = m 2^e, 1 ≤ m < 2, for a normal a.
pub fn exponent(a: f64) -> i32 {
    ((a.to_bits() >> 52) & 0x7ff) as i32 - 1023
}

/// An odd function, by its values above 0.
fn odd(a: f64, positive: impl Fn(Pair) -> Pair) -> Pair {
    let value = positive(Pair::from(a.abs()));
    if a < 0.0 { -value } else { value }
}

/// eʳ − 1 for |r| ≤ 0.6: the Taylor series at r / 512, and (1 + e)² − 1 = 2 e + e² nine times.
fn exp_m1_near_0(r: Pair) -> Pair {
    let small = r.scaled(-9);
    let series = (2..=10).rev().fold(Pair::from(1.0), |sum, n| sum * small / f64::from(n) + 1.0);
    (0..9).fold(small * series, |e, _| e * 2.0 + e * e)
}

/// eᵃ 2ⁿ.
fn exp_scaled(a: Pair, n: i32) -> Pair {
    if a.hi.abs() > 1e4 {
        return a.hi.exp().into();
    }
    let k = (a.hi / LN_2.hi).round();
    (exp_m1_near_0(a - LN_2 * k) + 1.0).scaled(k as i32 + n)
}

fn exp(a: Pair) -> Pair {
    exp_scaled(a, 0)
}

/// eᵃ / 2, which does not overflow before the hyperbolic functions do.
fn half_exp(a: Pair) -> Pair {
    exp_scaled(a, -1)
}

fn exp_m1(a: Pair) -> Pair {
    match a.hi.abs() {
        // Its 512th may be below the smallest number.
        ..1e-40 => a,
        1e-40..0.6 => exp_m1_near_0(a),
        _ => exp(a) - 1.0,
    }
}

fn ln_1p(a: Pair) -> Pair {
    if a.hi.abs() > 0.42 {
        return ln(a + 1.0);
    }
    // ln(1 + a) = y + ln(1 + q), q = (a − (e^y − 1)) / e^y.
    let y = a.hi.ln_1p();
    let e = exp_m1(y.into());
    let q = (a - e) / (e + 1.0);
    q * (q * -0.5 + 1.0) + y
}

/// k ln 2 + ln(a 2^−k), √½ ≤ a 2^−k ≤ √2.
fn ln(a: Pair) -> Pair {
    let k = exponent(a.hi / std::f64::consts::SQRT_2) + 1;
    LN_2 * f64::from(k) + ln_1p(a.scaled(-k) - 1.0)
}

fn cbrt(a: f64) -> Pair {
    let up = match a.abs() {
        ..1e-200 => 300,
        1e200.. => -300,
        _ => 0,
    };
    let x = Pair::from(a).scaled(up);
    let y = x.hi.cbrt();
    let square = Pair::product(y, y);
    (Pair::from(y) - (square * y - x) / (square * 3.0)).scaled(-up / 3)
}

/// Sine and cosine for |a| ≤ `REDUCIBLE`.
fn sin_cos(a: f64) -> (Pair, Pair) {
    let k = (a / HALF_PI[0]).round();
    let r = HALF_PI.iter().fold(Pair::from(a), |rest, &part| rest - Pair::product(k, part));
    let square = -(r * r);
    // Terms from the (2 n)th or (2 n + 1)th on, over the one before them.
    let series = |first: i32| {
        let terms = (first..first + 28).step_by(2).rev();
        terms.fold(Pair::from(1.0), |sum, n| sum * square / f64::from(n * (n + 1)) + 1.0)
    };
    let (sine, cosine) = (r * series(2), series(1));
    match (k as i64).rem_euclid(4) {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        2 => (-sine, -cosine),
        _ => (-cosine, sine),
    }
}

/// The platform's angle θ, turned by (y cos θ − x sin θ) / (x cos θ + y sin θ).
fn atan2(y: Pair, x: Pair) -> Pair {
    if y.hi.abs() < 1e-25 * x.hi {
        return y / x;
    }
    let down = -exponent(x.hi.abs().max(y.hi.abs()));
    let (y, x) = (y.scaled(down), x.scaled(down));
    let angle = y.hi.atan2(x.hi);
    let (sine, cosine) = sin_cos(angle);
    (y * cosine - x * sine) / (x * cosine + y * sine) + angle
}
