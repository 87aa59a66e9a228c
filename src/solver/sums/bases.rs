//! What blocks of JᵀJ begin with.

/// The constant parts of blocks, one after the other.
#[derive(Debug)]
pub enum Bases {
    /// All of them are 0.
    Zero,
    /// Each is the identity times a number: what rows of constants leave where components do not mix.
    Multiples(Vec<f64>),
    /// Blocks, column-major.
    Blocks(Vec<f64>),
}

impl Bases {
    /// Of blocks of one size.
    pub fn new<'a>(blocks: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let is_multiple = |block: &[f64]| {
            let side = block.len().isqrt();
            let expected = |k: usize| if k % side == k / side { block[0] } else { 0.0 };
            side * side == block.len() && block.iter().enumerate().all(|(k, &number)| number == expected(k))
        };
        if !blocks.clone().all(is_multiple) {
            return Bases::Blocks(blocks.flatten().copied().collect());
        }
        let multiples: Vec<f64> = blocks.map(|block| block[0]).collect();
        if multiples.iter().all(|&number| number == 0.0) { Bases::Zero } else { Bases::Multiples(multiples) }
    }

    /// The base of sum `k`.
    #[inline(always)]
    pub fn get<const N: usize>(&self, k: usize) -> [f64; N] {
        let mut base = [0.0; N];
        match self {
            Bases::Zero => {}
            Bases::Multiples(numbers) => {
                let number = numbers.get(k).copied().unwrap_or_default();
                base.iter_mut().step_by(N.isqrt() + 1).for_each(|entry| *entry = number);
            }
            Bases::Blocks(blocks) => {
                base = blocks.get(k * N..).and_then(|block| block.first_chunk()).copied().unwrap_or(base);
            }
        }
        base
    }

    /// The base of sum `k`, for any size.
    pub fn write(&self, k: usize, block: &mut [f64]) {
        if let Bases::Blocks(blocks) = self {
            block.copy_from_slice(&blocks[k * block.len()..][..block.len()]);
            return;
        }
        block.fill(0.0);
        if let Bases::Multiples(numbers) = self {
            let side = block.len().isqrt();
            block.iter_mut().step_by(side + 1).for_each(|entry| *entry = numbers[k]);
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Bases::Zero => 0,
            Bases::Multiples(numbers) | Bases::Blocks(numbers) => size_of_val(&numbers[..]),
        }
    }
}
