//! Random numbers that are the same for a seed on every machine, up to the last bits of `ln` and `cos`.

use std::f64::consts::TAU;

/// SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. A few lines do for
/// test data; no crate's generator promises the same numbers from one version to the next.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Random {
        Random(seed)
    }

    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly from [0, 1).
    pub(super) fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.bits() >> 11) as f64 * STEP
    }

    /// Evenly from 0 to `count` - 1; the bias of the product is below `count` in 2^53.
    pub(super) fn below(&mut self, count: usize) -> usize {
        (self.uniform() * count as f64) as usize
    }

    /// A vector of independent Gaussian numbers with mean 0 and standard deviation 1 (G. E. P. Box, M. E. Muller, 1958; one of each
    /// pair is let go).
    pub(super) fn gaussian<const N: usize>(&mut self) -> [f64; N] {
        std::array::from_fn(|_| {
            let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt(); // of (0, 1]
            radius * (TAU * self.uniform()).cos()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first outputs for seed 1234567, as the generator's other implementations have them.
    #[test]
    fn the_bits_are_those_of_split_mix() {
        let mut random = Random::new(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!(expected.map(|_| random.bits()), expected);
    }

    #[test]
    fn gaussian_numbers_have_the_moments() {
        let mut random = Random::new(1);
        let numbers: [f64; 20_000] = random.gaussian();
        let moment = |n: i32| numbers.iter().map(|x| x.powi(n)).sum::<f64>() / numbers.len() as f64;
        // Five standard deviations of each mean: 1, sqrt 2, sqrt 15 and sqrt 96 over sqrt 20,000, times 5.
        for (n, expected, within) in [(1, 0.0, 0.036), (2, 1.0, 0.05), (3, 0.0, 0.137), (4, 3.0, 0.347)] {
            assert!((moment(n) - expected).abs() < within, "{n}: {}", moment(n));
        }
        assert!((0..1000).all(|_| random.below(7) < 7));
    }
}
