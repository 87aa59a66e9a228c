//! Finds equal things among those that stand in a list.

/// Numbers of a list by what they name: a table of numbers alone, for what they name stands in the list already. Keys beside them would make it
/// ten times as large, and memory that is touched for the first time is most of what a first problem waits for.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    /// A power of two of places, at least a third of them free.
    places: Vec<u32>,
    count: usize,
}

const FREE: u32 = u32::MAX;
const FEWEST: usize = 64;

impl Interner {
    /// One with room for as many numbers.
    pub fn with_room(count: usize) -> Self {
        let places = (count + count / 2 + 1).next_power_of_two().max(FEWEST);
        Interner { places: vec![FREE; places], count: 0 }
    }

    /// The number with this hash that is the `same`.
    pub fn find(&self, hash: u64, same: impl Fn(u32) -> bool) -> Option<u32> {
        let mut place = self.first_place(hash)?;
        loop {
            match self.places[place] {
                FREE => return None,
                number if same(number) => return Some(number),
                _ => place = (place + 1) & (self.places.len() - 1),
            }
        }
    }

    /// Adds a number that is not there; `hash_of` is the hash of any that is.
    pub fn insert(&mut self, hash: u64, number: u32, hash_of: impl Fn(u32) -> u64) {
        if 3 * (self.count + 1) > 2 * self.places.len() {
            let larger = vec![FREE; (2 * self.places.len()).max(FEWEST)];
            let smaller = std::mem::replace(&mut self.places, larger);
            smaller.into_iter().filter(|&number| number != FREE).for_each(|number| self.put(hash_of(number), number));
        }
        self.count += 1;
        self.put(hash, number);
    }

    fn put(&mut self, hash: u64, number: u32) {
        let Some(mut place) = self.first_place(hash) else { return };
        while self.places[place] != FREE {
            place = (place + 1) & (self.places.len() - 1);
        }
        self.places[place] = number;
    }

    /// The first bits of a hash by multiplication are its best.
    fn first_place(&self, hash: u64) -> Option<usize> {
        let bits = self.places.len().checked_ilog2()?;
        Some((hash >> (u64::BITS - bits)) as usize)
    }
}

/// A hash of some words.
pub(crate) fn hash_words<const N: usize>(words: [u64; N]) -> u64 {
    // The multiplier of SplitMix64.
    words.iter().fold(0, |hash: u64, word| (hash.rotate_left(26) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_are_found_and_others_are_not() {
        let (mut list, mut interner) = (Vec::new(), Interner::default());
        let hash = |number: u64| hash_words([number % 7, number]);
        for number in (0..3000u64).map(|k| k * k % 1009) {
            let known = list.iter().position(|&other| other == number);
            let found = interner.find(hash(number), |k| list[k as usize] == number);
            assert_eq!(found.map(|k| k as usize), known);
            if found.is_none() {
                list.push(number);
                interner.insert(hash(number), list.len() as u32 - 1, |k| hash(list[k as usize]));
            }
        }
        assert!(list.len() > FEWEST && list.len() == interner.count);
    }
}
