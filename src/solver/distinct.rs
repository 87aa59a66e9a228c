//! Numbers of which many are equal, each kept once.

/// Numbers that are remembered while a list is gone through.
const REMEMBERED: usize = 1 << 10;

/// A list of numbers as its different numbers, and which of them each is.
///
/// What constants add up to has few values where connectivity is regular, as where meshes are subdivided.
#[derive(Debug, Default)]
pub(super) struct Distinct {
    pub numbers: Vec<f64>,
    pub of: Vec<u32>,
}

impl Distinct {
    /// Equal numbers have equal bits. Where many are different, some may be there twice: a number is forgotten when another takes its
    /// place among those remembered.
    pub fn new(list: impl IntoIterator<Item = f64>) -> Self {
        let mut distinct = Distinct::default();
        let mut remembered = vec![u32::MAX; REMEMBERED];
        for number in list {
            // Multiplied by 2⁶⁴ over the golden ratio, the upper bits depend on all.
            let hash = number.to_bits().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - REMEMBERED.ilog2());
            let known = &mut remembered[hash as usize];
            if distinct.numbers.get(*known as usize).is_none_or(|other| other.to_bits() != number.to_bits()) {
                *known = distinct.numbers.len() as u32;
                distinct.numbers.push(number);
            }
            distinct.of.push(*known);
        }
        distinct.numbers.shrink_to_fit();
        distinct
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_kept_once_and_every_number_is_found() {
        let few = [0.5, -0.0, 0.0, 0.5, f64::NAN, 0.0, f64::NAN];
        let distinct = Distinct::new(few);
        assert_eq!((distinct.numbers.len(), &distinct.of[..]), (4, &[0, 1, 2, 0, 3, 2, 3][..]));
        let many: Vec<f64> = (0..10_000).map(|k| f64::from(k % 3000).sqrt()).collect();
        let distinct = Distinct::new(many.iter().copied());
        assert!(many.iter().zip(&distinct.of).all(|(number, &k)| distinct.numbers[k as usize] == *number));
        assert!(Distinct::new([]).numbers.is_empty());
    }
}
