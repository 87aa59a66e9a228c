//! Which instances and blocks touch each other.

use super::STRETCH;
use super::adjacency::Adjacency;
use super::blocks::Blocks;
use crate::backend::InstanceTable;
use crate::backend::buckets::{Lists, Pairs};
use rayon::prelude::*;
use std::ops::Range;

/// Instances and blocks that touch each other. Instances are numbered through the tables.
pub(super) struct Incidence {
    /// The instances of each block, in their order.
    touching: Lists,
    tables: Vec<Rows>,
    /// Instance by instance: a walk then finds those of an instance in one piece of memory.
    blocks: Vec<u32>,
    instances: usize,
}

/// Where the instances of a table stand.
struct Rows {
    /// Number of the first instance.
    first: u32,
    count: usize,
    /// Blocks of an instance.
    width: usize,
    /// Where the blocks of the first instance begin.
    begin: usize,
}

/// Each instance with each of its blocks.
struct Touches<'a> {
    tables: &'a [Rows],
    blocks: &'a [u32],
}

impl Pairs for Touches<'_> {
    fn lengths(&self) -> Vec<usize> {
        self.tables.iter().map(|table| table.count * table.width).collect()
    }

    fn keys(&self, table: usize, touches: Range<usize>, f: impl FnMut(u32)) {
        let begin = self.tables[table].begin;
        self.blocks[begin + touches.start..begin + touches.end].iter().copied().for_each(f);
    }

    fn value(&self, table: usize, touch: usize) -> u32 {
        let Rows { first, width, .. } = self.tables[table];
        first + (touch / width) as u32
    }
}

impl Incidence {
    /// Of tables of which none is empty.
    pub fn new(tables: &[&InstanceTable], blocks: &Blocks) -> Self {
        let (mut first, mut begin) = (0, 0);
        let rows = |table: &&InstanceTable| {
            let rows = Rows { first, count: table.count, width: table.blocks.len(), begin };
            (first, begin) = (first + table.count as u32, begin + table.count * table.blocks.len());
            rows
        };
        let places: Vec<Rows> = tables.iter().map(rows).collect();
        let mut rows: Vec<u32> = Vec::with_capacity(begin);
        for table in tables {
            let instances = (0..table.count).into_par_iter().with_min_len(STRETCH);
            let row = |instance: usize| table.blocks.iter().map(move |column| blocks.at(column[instance]));
            rows.par_extend(instances.flat_map_iter(row));
        }
        let touching = Lists::new(&Touches { tables: &places, blocks: &rows }, blocks.count());
        Incidence { touching, tables: places, blocks: rows, instances: first as usize }
    }

    /// Number of instances.
    pub fn instances(&self) -> usize {
        self.instances
    }

    /// The instances that touch a block.
    pub fn of(&self, block: u32) -> &[u32] {
        self.touching.of(block)
    }

    /// The blocks that an instance touches.
    pub fn blocks_of(&self, number: u32) -> &[u32] {
        let table = match self.tables.len() {
            1 => 0,
            _ => self.tables.partition_point(|table| table.first <= number) - 1,
        };
        let Rows { first, width, begin, .. } = self.tables[table];
        &self.blocks[begin + (number - first) as usize * width..][..width]
    }
}

impl Adjacency for Incidence {
    fn blocks(&self) -> usize {
        self.touching.keys()
    }

    fn touches(&self, block: u32) -> usize {
        self.of(block).len()
    }

    fn all_touches(&self) -> usize {
        self.touching.all.len()
    }

    fn next_to(&self, block: u32) -> impl Iterator<Item = u32> {
        self.of(block).iter().flat_map(|&number| self.blocks_of(number)).copied()
    }
}
