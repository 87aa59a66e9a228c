//! Which blocks share an instance.

use super::blocks::Blocks;
use crate::backend::InstanceTable;
use crate::backend::buckets::{Lists, Pairs};
use std::ops::Range;

/// Blocks next to others, in an order that does not depend on threads.
pub(super) trait Adjacency: Sync {
    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// For each block the number of instances that touch it.
    fn touches(&self) -> Vec<u32>;

    /// The blocks that share an instance with this one, itself and the others any number of times.
    fn next_to(&self, block: u32) -> impl Iterator<Item = u32>;
}

/// The blocks that pairs couple. A walk waits for memory, and here the neighbours of a block are one piece of it.
pub(super) struct Neighbours(Lists);

/// Tables with two blocks an instance: each of them with the other.
struct Couples<'a> {
    tables: &'a [&'a InstanceTable],
    blocks: &'a Blocks,
}

impl Pairs for Couples<'_> {
    fn lengths(&self) -> Vec<usize> {
        self.tables.iter().map(|table| table.count).collect()
    }

    fn each(&self, table: usize, instances: Range<usize>, mut f: impl FnMut(u32, u32)) {
        let [first, second] = [0, 1].map(|column| &self.tables[table].blocks[column][instances.clone()]);
        for (&a, &b) in first.iter().zip(second) {
            let (a, b) = (self.blocks.at(a), self.blocks.at(b));
            f(a, b);
            f(b, a);
        }
    }
}

impl Neighbours {
    /// Of tables with two blocks an instance.
    pub fn new(tables: &[&InstanceTable], blocks: &Blocks) -> Self {
        let mut lists = Lists::new(&Couples { tables, blocks }, blocks.count());
        lists.sort_each();
        Neighbours(lists)
    }
}

impl Adjacency for Neighbours {
    fn blocks(&self) -> usize {
        self.0.keys()
    }

    fn touches(&self) -> Vec<u32> {
        self.0.lengths()
    }

    fn next_to(&self, block: u32) -> impl Iterator<Item = u32> {
        self.0.of(block).iter().copied()
    }
}
