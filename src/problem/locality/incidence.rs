//! Which instances and blocks touch each other.

use super::neighbours::sort_lists;
use super::{STRETCH, numbers, zeros};
use crate::backend::InstanceTable;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// The block that starts at each place of the parameter vector.
pub(super) struct Blocks {
    count: usize,
    at: Vec<u32>,
}

impl Blocks {
    pub fn new(offsets: &[u32]) -> Self {
        let count = offsets.len() - 1;
        let at = zeros(offsets[count] as usize);
        offsets[..count].par_iter().enumerate().with_min_len(STRETCH).for_each(|(block, &start)| {
            at[start as usize].store(block as u32, Relaxed);
        });
        Blocks { count, at: numbers(at) }
    }

    /// The block that starts at a place.
    pub fn at(&self, start: u32) -> u32 {
        self.at[start as usize]
    }

    /// For each block the number of instances of some tables that touch it.
    pub fn touches(&self, tables: &[&InstanceTable]) -> Vec<u32> {
        let counts = zeros(self.count);
        for column in tables.iter().flat_map(|table| &table.blocks) {
            column.par_iter().with_min_len(STRETCH).for_each(|&start| {
                counts[self.at[start as usize] as usize].fetch_add(1, Relaxed);
            });
        }
        numbers(counts)
    }
}

/// Instances and blocks that touch each other. Instances are numbered through the tables.
pub(super) struct Incidence {
    /// Where the instances of each block end, and 0 before.
    ends: Vec<u32>,
    /// Block by block, in their order.
    touching: Vec<u32>,
    /// The first instance of each table, its number of blocks, and where these begin.
    tables: Vec<(u32, usize, usize)>,
    /// Instance by instance: a walk then finds those of an instance in one piece of memory.
    blocks: Vec<u32>,
    instances: usize,
}

impl Incidence {
    /// `touches`: see [`Blocks::touches`], of these tables; none of them is empty.
    pub fn new(tables: &[&InstanceTable], blocks: &Blocks, touches: &[u32]) -> Self {
        let (mut first, mut begin) = (0, 0);
        let place = |table: &&InstanceTable| {
            let place = (first, table.blocks.len(), begin);
            (first, begin) = (first + table.count as u32, begin + table.count * table.blocks.len());
            place
        };
        let places: Vec<(u32, usize, usize)> = tables.iter().map(place).collect();
        let mut rows: Vec<u32> = Vec::with_capacity(begin);
        for table in tables {
            let instances = (0..table.count).into_par_iter().with_min_len(STRETCH);
            let row = |instance: usize| table.blocks.iter().map(move |column| blocks.at[column[instance] as usize]);
            rows.par_extend(instances.flat_map_iter(row));
        }
        let mut ends = Vec::with_capacity(touches.len() + 1);
        let mut end = 0;
        ends.push(end);
        ends.extend(touches.iter().map(|&count| {
            end += count;
            end
        }));
        let mut incidence =
            Incidence { ends, touching: Vec::new(), tables: places, blocks: rows, instances: first as usize };
        incidence.list();
        incidence
    }

    /// Lists the instances of each block: threads put them where there is room, by counters that they share, and each list is then
    /// sorted, so that it is the same whatever they did.
    fn list(&mut self) {
        let ends = &self.ends;
        let next: Vec<AtomicU32> = ends.iter().map(|&end| AtomicU32::new(end)).collect();
        let touching = zeros(self.blocks.len());
        self.for_each(|block, number| {
            let place = next[block as usize].fetch_add(1, Relaxed);
            touching[place as usize].store(number, Relaxed);
        });
        let mut touching = numbers(touching);
        sort_lists(ends, &mut touching);
        self.touching = touching;
    }

    /// Calls `f(block, instance)` for all that touch, on all threads.
    fn for_each(&self, f: impl Fn(u32, u32) + Sync) {
        let ends = self.tables.iter().skip(1).map(|table| table.2).chain([self.blocks.len()]);
        for (&(first, width, begin), end) in self.tables.iter().zip(ends) {
            self.blocks[begin..end].par_chunks(width * STRETCH).enumerate().for_each(|(stretch, rows)| {
                for (row, number) in rows.chunks_exact(width).zip(first + (stretch * STRETCH) as u32..) {
                    row.iter().for_each(|&block| f(block, number));
                }
            });
        }
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.ends.len() - 1
    }

    /// Number of instances.
    pub fn instances(&self) -> usize {
        self.instances
    }

    /// The instances that touch a block.
    pub fn of(&self, block: u32) -> &[u32] {
        &self.touching[self.ends[block as usize] as usize..self.ends[block as usize + 1] as usize]
    }

    /// The blocks that an instance touches.
    pub fn blocks_of(&self, number: u32) -> &[u32] {
        let table = match self.tables.len() {
            1 => 0,
            _ => self.tables.partition_point(|table| table.0 <= number) - 1,
        };
        let (first, width, begin) = self.tables[table];
        &self.blocks[begin + (number - first) as usize * width..][..width]
    }
}
