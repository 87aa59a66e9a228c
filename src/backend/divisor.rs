//! Division of multiples.

/// Divides multiples of a number: the product with 2³² over it, rounded up, takes less time than a division, or than a table in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Divisor(u64);

impl Divisor {
    /// Of multiples of `number`, or of 0 alone where that is 0.
    pub fn new(number: u32) -> Self {
        Divisor((1u64 << 32).div_ceil(u64::from(number.max(1))))
    }

    /// How many times `multiple` has the number.
    pub fn quotient(self, multiple: u32) -> u32 {
        // The quotient is less than 2³², and so is what rounding adds to the product.
        ((u64::from(multiple) * self.0) >> 32) as u32
    }
}
