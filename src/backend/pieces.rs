//! Loops over indices, dealt out to threads in pieces.
//!
//! As rayon's own, but for what is only one piece: that runs at once on the thread that asks, which need not belong to a pool of threads
//! then. A problem of a few hundred residuals has nothing but such pieces, and to start threads takes longer than to solve it.

use rayon::prelude::*;

/// Calls `f` with every index below `count`; threads take at least `piece` of them at a time.
pub(crate) fn for_each(count: usize, piece: usize, f: impl Fn(usize) + Sync + Send) {
    if count <= piece {
        (0..count).for_each(f);
    } else {
        (0..count).into_par_iter().with_min_len(piece).for_each(f);
    }
}

/// `f` of every index below `count`; threads take at least `piece` of them at a time.
pub(crate) fn map<T: Send>(count: usize, piece: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    if count <= piece {
        (0..count).map(f).collect()
    } else {
        (0..count).into_par_iter().with_min_len(piece).map(f).collect()
    }
}

/// `f` of each item, which goes through `count` indices by itself, `piece` of them at a time.
pub(crate) fn each<T: Sync, R: Send>(
    items: &[T],
    count: usize,
    piece: usize,
    f: impl Fn(&T) -> R + Sync + Send,
) -> Vec<R> {
    if count <= piece { items.iter().map(f).collect() } else { items.par_iter().map(f).collect() }
}

/// Calls `f(index of the first, some)` for all that is in `all`; threads take `piece` at a time.
pub(crate) fn for_each_chunk<T: Send>(all: &mut [T], piece: usize, f: impl Fn(usize, &mut [T]) + Sync + Send) {
    if all.len() <= piece {
        f(0, all);
    } else {
        all.par_chunks_mut(piece).enumerate().for_each(|(chunk, some)| f(chunk * piece, some));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    #[test]
    fn every_index_is_taken_once_and_in_order() {
        for count in [0, 1, 7, 8, 9, 1000] {
            let seen: Vec<AtomicUsize> = (0..count).map(|_| AtomicUsize::new(0)).collect();
            for_each(count, 8, |k| {
                seen[k].fetch_add(1, Relaxed);
            });
            assert!(seen.into_iter().all(|seen| seen.into_inner() == 1));
            assert_eq!(map(count, 8, |k| 3 * k), (0..count).map(|k| 3 * k).collect::<Vec<_>>());
            assert_eq!(each(&[1, 2, 3], count, 8, |k| k + count), [1, 2, 3].map(|k| k + count));
            let mut numbers = vec![0; count];
            for_each_chunk(&mut numbers, 8, |first, some| (first..).zip(some).for_each(|(k, number)| *number += k));
            assert!(numbers.into_iter().eq(0..count));
        }
    }
}
