//! Which blocks share an instance.

use super::incidence::{Blocks, Incidence};
use super::{STRETCH, numbers, zeros};
use crate::backend::InstanceTable;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Blocks next to others, in an order that does not depend on threads.
pub(super) trait Adjacency: Sync {
    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// The blocks that share an instance with this one, itself and the others any number of times.
    fn next_to(&self, block: u32) -> impl Iterator<Item = u32>;
}

impl Adjacency for Incidence {
    fn blocks(&self) -> usize {
        self.blocks()
    }

    fn next_to(&self, block: u32) -> impl Iterator<Item = u32> {
        self.of(block).iter().flat_map(|&number| self.blocks_of(number)).copied()
    }
}

/// The blocks that pairs couple. A walk waits for memory, and here the neighbours of a block are one piece of it.
pub(super) struct Neighbours {
    /// Where the neighbours of each block end, and 0 before.
    ends: Vec<u32>,
    /// Block by block, in their order.
    all: Vec<u32>,
}

impl Neighbours {
    /// Of tables with two blocks an instance; `touches`: how many instances touch each block.
    pub fn new(tables: &[&InstanceTable], blocks: &Blocks, touches: &[u32]) -> Self {
        let mut ends = Vec::with_capacity(touches.len() + 1);
        let mut end = 0;
        ends.push(end);
        ends.extend(touches.iter().map(|&count| {
            end += count;
            end
        }));
        // Threads put them where there is room, by counters that they share; sorting makes it the same whatever they did.
        let next: Vec<AtomicU32> = ends.par_iter().with_min_len(STRETCH).map(|&end| AtomicU32::new(end)).collect();
        let all = zeros(end as usize);
        for table in tables {
            table.blocks[0].par_iter().zip(&table.blocks[1]).with_min_len(STRETCH).for_each(|(&a, &b)| {
                let (a, b) = (blocks.at(a), blocks.at(b));
                for (block, other) in [(a, b), (b, a)] {
                    let place = next[block as usize].fetch_add(1, Relaxed);
                    all[place as usize].store(other, Relaxed);
                }
            });
        }
        let mut all = numbers(all);
        sort_lists(&ends, &mut all);
        Neighbours { ends, all }
    }
}

impl Adjacency for Neighbours {
    fn blocks(&self) -> usize {
        self.ends.len() - 1
    }

    fn next_to(&self, block: u32) -> impl Iterator<Item = u32> {
        self.all[self.ends[block as usize] as usize..self.ends[block as usize + 1] as usize].iter().copied()
    }
}

/// Sorts each of the lists, which follow each other.
pub(super) fn sort_lists(ends: &[u32], lists: &mut [u32]) {
    let mut rest = lists;
    let mut tasks = Vec::with_capacity(ends.len() / STRETCH + 1);
    for first in (0..ends.len() - 1).step_by(STRETCH) {
        let ends = &ends[first..(first + STRETCH + 1).min(ends.len())];
        let (mine, others) = std::mem::take(&mut rest).split_at_mut((ends[ends.len() - 1] - ends[0]) as usize);
        rest = others;
        tasks.push((mine, ends));
    }
    tasks.into_par_iter().for_each(|(lists, ends)| {
        for list in ends.windows(2) {
            lists[(list[0] - ends[0]) as usize..(list[1] - ends[0]) as usize].sort_unstable();
        }
    });
}
