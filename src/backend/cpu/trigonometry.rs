//! Sine and cosine of many lanes at once.
//!
//! The functions of the platform take one number at a time and branch on it, which no compiler vectorises. Here every lane goes
//! through the same operations: x = n π/2 + y, both polynomials on |y| ≤ π/4, and n picks one of them and its sign. Constants and
//! polynomials are those of fdlibm (Sun Microsystems, 1993: `e_rem_pio2.c`, `k_sin.c`, `k_cos.c`), which are right to one unit in the
//! last place. The few lanes that this reduction is too coarse for are given to the platform afterwards, each by itself, so that a
//! result depends on its argument alone.

use super::LANES;
use std::f64::consts::FRAC_2_PI;

/// Numbers that are evaluated together: where there are few instances, the second half of a lane is nobody's.
pub(super) const HALF: usize = LANES / 2;
type Lane = [f64; HALF];

/// n times the first and the second 33 bits of π/2 must be exact, which they are for |n| < 2²⁰.
const LARGEST: f64 = 1e6;
/// π/2 stands in 119 bits here; a remainder that is a smaller share of x than this has too few of them left.
const CANCELLED: f64 = 1.0 / (1u64 << 60) as f64;

/// 1.5 · 2⁵²: adding it rounds to an integer, which then stands in the last bits.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// The first 33 bits of π/2, the next 33, and the rest.
const HALF_PI: [f64; 3] = [1.570_796_326_734_125_6, 6.077_100_506_303_966e-11, 2.022_266_248_795_950_6e-21];
const SIN: [f64; 6] = [
    -1.666_666_666_666_663_2e-1,
    8.333_333_333_322_49e-3,
    -1.984_126_982_985_795e-4,
    2.755_731_370_707_006_8e-6,
    -2.505_076_025_340_686_3e-8,
    1.589_690_995_211_55e-10,
];
const COS: [f64; 6] = [
    4.166_666_666_666_66e-2,
    -1.388_888_888_887_411e-3,
    2.480_158_728_947_673e-5,
    -2.755_731_435_139_066_3e-7,
    2.087_572_321_298_175e-9,
    -1.135_964_755_778_819_5e-11,
];

/// `result = sin(x + QUARTERS π/2)`: the sine, or the cosine.
#[inline(always)]
pub(super) fn sin<const QUARTERS: u64>(x: &Lane, result: &mut Lane) {
    let mut coarse = 0;
    for k in 0..HALF {
        let reduced = reduce(x[k]);
        coarse |= u64::from(reduced.is_coarse(x[k]));
        let (sin, cos) = (reduced.sin(), reduced.cos());
        let quarters = reduced.quarters.wrapping_add(QUARTERS);
        let magnitude = if quarters & 1 == 0 { sin } else { cos };
        result[k] = f64::from_bits(magnitude.to_bits() ^ (quarters & 2) << 62);
    }
    if coarse != 0 {
        redo::<QUARTERS>(x, result);
    }
}

/// Asks the platform where the reduction was too coarse.
#[cold]
#[inline(never)]
fn redo<const QUARTERS: u64>(x: &Lane, result: &mut Lane) {
    for (&x, result) in x.iter().zip(result) {
        if reduce(x).is_coarse(x) {
            *result = if QUARTERS == 0 { x.sin() } else { x.cos() };
        }
    }
}

/// x − n π/2.
struct Reduced {
    /// n modulo 2⁵¹ or so: its last two bits are right whatever its sign.
    quarters: u64,
    /// What is left, as the sum of two numbers without overlap.
    high: f64,
    low: f64,
}

/// Reduction after Cody and Waite, with the second iteration of fdlibm always taken.
#[inline(always)]
fn reduce(x: f64) -> Reduced {
    let shifted = x * FRAC_2_PI + ROUND;
    let n = shifted - ROUND;
    let first = x - n * HALF_PI[0];
    let correction = n * HALF_PI[1];
    let second = first - correction;
    let rest = n * HALF_PI[2] - ((first - second) - correction);
    let high = second - rest;
    Reduced { quarters: shifted.to_bits(), high, low: (second - high) - rest }
}

impl Reduced {
    /// Of NaN, infinities and large numbers too. Not written by `<`, for comparisons with NaN are false.
    #[inline(always)]
    fn is_coarse(&self, x: f64) -> bool {
        let fine = (x.abs() <= LARGEST) & (self.high.abs() >= x.abs() * CANCELLED);
        !fine
    }

    /// `__kernel_sin`.
    #[inline(always)]
    fn sin(&self) -> f64 {
        let (x, y, [s1, s2, s3, s4, s5, s6]) = (self.high, self.low, SIN);
        let z = x * x;
        let v = z * x;
        let r = s2 + z * (s3 + z * (s4 + z * (s5 + z * s6)));
        x - ((z * (0.5 * y - v * r) - y) - v * s1)
    }

    /// `__kernel_cos`, in the form without a branch that FreeBSD gave it.
    #[inline(always)]
    fn cos(&self) -> f64 {
        let (x, y, [c1, c2, c3, c4, c5, c6]) = (self.high, self.low, COS);
        let z = x * x;
        let w = z * z;
        let r = z * (c1 + z * (c2 + z * c3)) + w * w * (c4 + z * (c5 + z * c6));
        let half = 0.5 * z;
        let w = 1.0 - half;
        w + (((1.0 - w) - half) + (z * r - x * y))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    /// Numbers between two, which stand in order by their bits where both are equal in sign.
    fn ulps(a: f64, b: f64) -> u64 {
        if a == b { 0 } else { a.to_bits().abs_diff(b.to_bits()) }
    }

    /// The largest difference from the platform's functions, whose own error is below one unit in the last place.
    fn worst(numbers: impl Iterator<Item = f64>) -> (u64, usize) {
        let numbers: Vec<f64> = numbers.collect();
        let (mut worst, mut result) = (0, [0.0; HALF]);
        for chunk in numbers.chunks(HALF) {
            let mut x = [0.5; HALF];
            x[..chunk.len()].copy_from_slice(chunk);
            sin::<0>(&x, &mut result);
            for (x, found) in chunk.iter().zip(result) {
                worst = worst.max(ulps(found, x.sin()));
            }
            sin::<1>(&x, &mut result);
            for (x, found) in chunk.iter().zip(result) {
                worst = worst.max(ulps(found, x.cos()));
            }
        }
        (worst, numbers.len())
    }

    /// Fractions of 2⁵³ by a linear congruence (Knuth's MMIX).
    fn random(count: usize) -> impl Iterator<Item = f64> {
        let mut state = 1u64;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 11) as f64 / (1u64 << 53) as f64
        })
        .take(count)
    }

    #[test]
    fn random_numbers_are_right_to_one_unit_in_the_last_place() {
        for range in [1e-3, 1.0, 4.0, 100.0, 1e6, 1e12] {
            let numbers = random(500_000).map(|u| (2.0 * u - 1.0) * range);
            assert_eq!(worst(numbers).0.max(1), 1, "up to {range}");
        }
        let every_exponent = random(500_000).map(|u| (1400.0 * u - 1074.0).exp2() * (1.0 + u));
        assert_eq!(worst(every_exponent).0.max(1), 1);
    }

    /// The numbers next to every multiple of π/2 that is reduced here, where next to nothing is left of x.
    #[test]
    fn multiples_of_half_pi_are_right_to_one_unit_in_the_last_place() {
        let near = |k: u32| {
            let x = f64::from(k) * FRAC_PI_2;
            [x, x.next_up(), x.next_down(), -x]
        };
        let (worst, count) = worst((0..640_000).flat_map(near));
        assert_eq!((worst.max(1), count), (1, 2_560_000));
    }

    #[test]
    fn quarters_between_two_polynomials_are_right_to_one_unit_in_the_last_place() {
        let near = |k: u32| {
            let x = (f64::from(k) + 0.5) * FRAC_PI_2;
            [x, x.next_up(), x.next_down(), -x]
        };
        assert_eq!(worst((0..640_000).flat_map(near)).0.max(1), 1);
    }

    #[test]
    fn special_numbers_are_those_of_the_platform() {
        let tiny = f64::from_bits(1);
        let mut numbers = [0.0, tiny, f64::MIN_POSITIVE, 1e-300, 1e-30, 1e6, 1e6f64.next_up(), f64::MAX].to_vec();
        numbers.extend(numbers.clone().iter().map(|x| -x));
        assert!(worst(numbers.iter().copied()).0 <= 1);
        let mut result = [1.0; HALF];
        for x in [0.0, tiny, 1e-300, -0.0, -tiny, -1e-300] {
            sin::<0>(&[x; HALF], &mut result);
            assert!(result.iter().all(|r| r.to_bits() == x.to_bits()), "sin {x} is {}", result[0]);
            sin::<1>(&[x; HALF], &mut result);
            assert!(result.iter().all(|&r| r == 1.0), "cos {x} is {}", result[0]);
        }
        for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for f in [sin::<0>, sin::<1>] {
                f(&[x; HALF], &mut result);
                assert!(result.iter().all(|r| r.is_nan()), "{x}");
            }
        }
    }

    /// A lane that is redone says nothing to the others.
    #[test]
    fn a_result_depends_on_its_argument_alone() {
        let small: Vec<f64> = random(HALF).map(|u| 20.0 * u - 10.0).collect();
        let alone: Lane = small.try_into().unwrap();
        let mut mixed = alone;
        (1..HALF).step_by(2).for_each(|k| mixed[k] = [1e9, f64::NAN, f64::INFINITY][k % 3]);
        for f in [sin::<0>, sin::<1>] {
            let (mut expected, mut found) = ([0.0; HALF], [0.0; HALF]);
            f(&alone, &mut expected);
            f(&mixed, &mut found);
            (0..HALF).step_by(2).for_each(|k| assert_eq!(found[k].to_bits(), expected[k].to_bits()));
        }
    }
}
