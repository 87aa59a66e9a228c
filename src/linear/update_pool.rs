//! Memory for update matrices, kept from one factorisation to the next.

use std::sync::Mutex;

/// A shared heap of vectors that are handed out without being cleared.
#[derive(Default)]
pub struct UpdatePool {
    /// The free vectors, the shortest first; of those of one length, the last that was given back.
    free: Mutex<Vec<Vec<f64>>>,
}

impl UpdatePool {
    /// A vector of at least `len` entries with any content.
    pub fn take(&self, len: usize) -> Vec<f64> {
        // Few different lengths, so that they fit again elsewhere: three significant bits.
        let step = (len / 4).checked_ilog2().map_or(1, |bits| 1 << bits);
        let len = len.next_multiple_of(step);
        self.find(len).unwrap_or_else(|| vec![0.0; len])
    }

    /// The smallest kept vector that is long enough, unless most of it would be wasted.
    fn find(&self, len: usize) -> Option<Vec<f64>> {
        let mut free = self.free.lock().ok()?;
        let found = first_of_length(&free, len);
        (free.get(found)?.len() <= 2 * len).then(|| free.remove(found))
    }

    /// Keeps a vector for later.
    pub fn give_back(&self, values: Vec<f64>) {
        // A poisoned lock means that another thread is already panicking; dropping the memory is fine.
        if let Ok(mut free) = self.free.lock() {
            let place = first_of_length(&free, values.len());
            free.insert(place, values);
        }
    }

    /// Bytes kept.
    pub fn memory_bytes(&self) -> usize {
        self.free.lock().map_or(0, |free| free.iter().map(|vector| vector.len() * size_of::<f64>()).sum())
    }
}

/// Where those begin that are at least so long.
fn first_of_length(free: &[Vec<f64>], len: usize) -> usize {
    free.partition_point(|vector| vector.len() < len)
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
    fn a_large_vector_is_not_spent_on_a_small_need() {
        let pool = UpdatePool::default();
        pool.give_back(vec![0.0; 1 << 20]);
        assert!(pool.take(10).len() < 20);
        assert_eq!(pool.take(0).len(), 0);
    }
}
