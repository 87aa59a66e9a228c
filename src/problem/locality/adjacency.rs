//! Which blocks share an instance.

use super::blocks::Blocks;
use crate::backend::InstanceTable;
use crate::backend::buckets::{Lists, Pairs};
use std::ops::Range;

/// Blocks next to others, in an order that does not depend on threads.
pub(super) trait Adjacency: Sync {
    /// Number of blocks.
    fn blocks(&self) -> usize;

    /// The number of instances that touch a block.
    fn touches(&self, block: u32) -> usize;

    /// The sum of these numbers over all blocks.
    fn all_touches(&self) -> usize;

    /// The blocks that share an instance with this one, itself and the others any number of times.
    fn next_to(&self, block: u32) -> impl Iterator<Item = u32>;
}

/// The blocks that pairs couple. A walk waits for memory, and here the neighbours of a block are one piece of it.
pub(super) struct Neighbours(Lists);

/// Tables with two blocks an instance: the first with the second of all instances of a table, then the second with the first.
struct Couples<'a> {
    tables: &'a [&'a InstanceTable],
    blocks: &'a Blocks,
}

impl Pairs for Couples<'_> {
    fn lengths(&self) -> Vec<usize> {
        self.tables.iter().flat_map(|table| [table.count; 2]).collect()
    }

    fn keys(&self, group: usize, instances: Range<usize>, mut f: impl FnMut(u32)) {
        let column = &self.tables[group / 2].blocks[group % 2];
        column[instances].iter().for_each(|&start| f(self.blocks.at(start)));
    }

    fn value(&self, group: usize, instance: usize) -> u32 {
        self.blocks.at(self.tables[group / 2].blocks[1 - group % 2][instance])
    }
}

impl Neighbours {
    /// Of tables with two blocks an instance.
    pub fn new(tables: &[&InstanceTable], blocks: &Blocks) -> Self {
        Neighbours(Lists::new(&Couples { tables, blocks }, blocks.count()))
    }
}

impl Adjacency for Neighbours {
    fn blocks(&self) -> usize {
        self.0.keys()
    }

    fn touches(&self, block: u32) -> usize {
        self.0.of(block).len()
    }

    fn all_touches(&self) -> usize {
        self.0.all.len()
    }

    fn next_to(&self, block: u32) -> impl Iterator<Item = u32> {
        self.0.of(block).iter().copied()
    }
}
