//! Lists of numbers that are small but for a few.

use std::slice::Iter;

/// In place of a number that does not fit a byte; the number follows.
const LONG: u8 = u8::MAX;

/// Numbers of a byte each where they are small: how many instances touch a point of a mesh, or a camera.
#[derive(Debug, Default)]
pub(in crate::solver) struct Counts {
    bytes: Vec<u8>,
}

impl Counts {
    pub fn push(&mut self, count: u32) {
        match u8::try_from(count) {
            Ok(byte) if byte != LONG => self.bytes.push(byte),
            _ => {
                self.bytes.push(LONG);
                self.bytes.extend(count.to_le_bytes());
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn iter(&self) -> NextCount<'_> {
        NextCount(self.bytes.iter())
    }

    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
    }

    pub fn bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// The numbers one after the other.
pub(in crate::solver) struct NextCount<'a>(Iter<'a, u8>);

impl Iterator for NextCount<'_> {
    type Item = u32;

    #[inline(always)]
    fn next(&mut self) -> Option<u32> {
        match *self.0.next()? {
            LONG => {
                let (number, rest) = self.0.as_slice().split_first_chunk()?;
                self.0 = rest.iter();
                Some(u32::from_le_bytes(*number))
            }
            byte => Some(u32::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_size_come_back_in_order() {
        let numbers = [0, 6, 254, 255, 256, 7, u32::MAX, 1];
        let mut counts = Counts::default();
        assert!(counts.is_empty());
        numbers.into_iter().for_each(|number| counts.push(number));
        assert_eq!(counts.iter().collect::<Vec<_>>(), numbers);
        counts.shrink_to_fit();
        assert_eq!(counts.bytes(), 5 + 3 * 5);
    }
}
