//! Parameter blocks by where they start.

use super::{STRETCH, numbers, zeros};
use crate::backend::{Divisor, pieces};
use rayon::prelude::*;
use std::sync::atomic::Ordering::Relaxed;

/// The block that starts at each place of the parameter vector.
pub(in crate::problem) struct Blocks {
    count: usize,
    by_start: ByStart,
}

enum ByStart {
    /// All blocks have the same size.
    Size(Divisor),
    At(Vec<u32>),
}

impl Blocks {
    /// `offsets`: where each block starts, and the end of the last.
    pub fn new(offsets: &[u32]) -> Self {
        let count = offsets.len() - 1;
        let size = offsets.get(1).map_or(1, |&end| end);
        let is_multiple = |(block, &start): (usize, &u32)| start as usize == block * size as usize;
        let uniform = if offsets.len() <= STRETCH {
            offsets.iter().enumerate().all(is_multiple)
        } else {
            offsets.par_iter().enumerate().with_min_len(STRETCH).all(is_multiple)
        };
        if uniform {
            return Blocks { count, by_start: ByStart::Size(Divisor::new(size)) };
        }
        let at = zeros(offsets[count] as usize);
        pieces::for_each(count, STRETCH, |block| at[offsets[block] as usize].store(block as u32, Relaxed));
        Blocks { count, by_start: ByStart::At(numbers(at)) }
    }

    /// Number of blocks.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The block that starts at a place.
    pub fn at(&self, start: u32) -> u32 {
        match &self.by_start {
            ByStart::Size(size) => size.quotient(start),
            ByStart::At(blocks) => blocks[start as usize],
        }
    }
}
