//! Memory for update matrices, kept from one factorisation to the next.

use std::sync::Mutex;

/// A shared heap of vectors that are handed out without being cleared.
#[derive(Default)]
pub struct UpdatePool {
    /// The free vectors by class of their length.
    free: Mutex<Vec<Vec<Vec<f64>>>>,
}

impl UpdatePool {
    /// A vector of at least `len` entries with any content.
    pub fn take(&self, len: usize) -> Vec<f64> {
        // Few different lengths, so that they fit again elsewhere.
        let len = len.next_multiple_of(1 << dropped_bits(len));
        self.find(len).unwrap_or_else(|| vec![0.0; len])
    }

    /// The smallest kept vector that is long enough, unless most of it would be wasted.
    fn find(&self, len: usize) -> Option<Vec<f64>> {
        let mut free = self.free.lock().ok()?;
        let classes = free.len();
        free[class(len).min(classes)..(class(2 * len) + 1).min(classes)].iter_mut().find_map(Vec::pop)
    }

    /// Keeps a vector for later.
    pub fn give_back(&self, values: Vec<f64>) {
        // A poisoned lock means that another thread is already panicking; dropping the memory is fine.
        if let Ok(mut free) = self.free.lock() {
            let class = class(values.len());
            if free.len() <= class {
                free.resize_with(class + 1, Vec::new);
            }
            free[class].push(values);
        }
    }

    /// Bytes kept.
    pub fn memory_bytes(&self) -> usize {
        self.free.lock().map_or(0, |free| free.iter().flatten().map(|vector| vector.len() * size_of::<f64>()).sum())
    }
}

/// Bits of a length beyond three significant ones.
fn dropped_bits(len: usize) -> usize {
    (len / 4).checked_ilog2().unwrap_or(0) as usize
}

/// Which of the lengths of three significant bits is the largest that is no longer: four to each doubling.
fn class(len: usize) -> usize {
    let bits = dropped_bits(len);
    4 * bits + (len >> bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_come_back() {
        let pool = UpdatePool::default();
        let vector = pool.take(1000);
        assert!(vector.len() >= 1000 && vector.len() < 1250);
        pool.give_back(vector);
        let bytes = pool.memory_bytes();
        assert!(pool.take(900).len() >= 900);
        assert_eq!(pool.memory_bytes(), 0);
        assert!(bytes >= 8000);
    }

    #[test]
    fn classes_follow_lengths() {
        let lengths = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40];
        assert!(lengths.iter().enumerate().all(|(number, &len)| class(len) == number));
        assert!((4..5000).all(|len| class(2 * len) == class(len) + 4 && class(len) <= class(len + 1)));
    }

    #[test]
    fn a_large_vector_is_not_spent_on_a_small_need() {
        let pool = UpdatePool::default();
        pool.give_back(vec![0.0; 1 << 20]);
        assert!(pool.take(10).len() < 20);
        assert_eq!(pool.take(0).len(), 0);
    }
}
