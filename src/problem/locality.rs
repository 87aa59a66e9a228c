//! An order of parameter blocks and instances in which what is used together lies together.
//!
//! A mesh refined by subdivision numbers neighbours thousands apart; a kernel that gathers them, and a sum over the residuals of
//! a block, would then wait for memory at every turn. So blocks are ranked breadth first through the residuals they share
//! (Cuthill and McKee 1969), and the instances of a group stand in the order of their first block.
//!
//! A block that a great many residuals read, such as a camera of a bundle adjustment, says nothing about what lies together. Such hubs
//! come last; the others are sorted by the hubs they meet, so that points which the same cameras see are neighbours and their
//! blocks of JᵀJ, which a Schur complement eliminates together, one piece of memory.

use crate::backend::InstanceTable;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Problems of fewer residual blocks fit a cache anyhow and stay as they are.
const WORTH_SORTING: usize = 4096;
/// A hub is read by so many times as many instances as the average block.
const HUB: usize = 16;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 12;
/// Threads from which sorting by comparison, which all take part in, is faster than counting, which one does.
const MANY_THREADS: usize = 6;

/// The parameter blocks in an order in which what is used together lies together.
pub(super) struct BlockOrder {
    pub blocks: Vec<u32>,
    /// How many of them, at the end, are hubs.
    pub hubs: usize,
}

/// The parameter blocks in breadth-first order, hubs last; as they are, where that is good enough.
pub(super) fn block_order<'t>(tables: impl Iterator<Item = &'t InstanceTable> + Clone, offsets: &[u32]) -> BlockOrder {
    let blocks = offsets.len() - 1;
    let instances: usize = tables.clone().map(|table| table.count).sum();
    if instances < WORTH_SORTING {
        return BlockOrder { blocks: (0..blocks as u32).collect(), hubs: 0 };
    }
    let tables: Vec<&InstanceTable> = tables.collect();
    let incidence = Incidence::new(&tables, offsets);
    let limit = HUB * (incidence.touching.len() / blocks.max(1) + 1);
    let hubs: Vec<u32> = (0..blocks as u32).filter(|&block| incidence.of(block as usize).len() > limit).collect();
    let mut done = vec![false; instances];
    let mut seen = vec![false; blocks];
    hubs.iter().for_each(|&hub| seen[hub as usize] = true);
    let mut order: Vec<u32> = Vec::with_capacity(blocks);
    for root in 0..blocks {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        let mut head = order.len();
        order.push(root as u32);
        while head < order.len() {
            let block = order[head] as usize;
            head += 1;
            for &number in incidence.of(block) {
                if std::mem::replace(&mut done[number as usize], true) {
                    continue;
                }
                for &other in incidence.blocks_of(number) {
                    if !std::mem::replace(&mut seen[other as usize], true) {
                        order.push(other);
                    }
                }
            }
        }
    }
    if !hubs.is_empty() {
        sort_by_hubs(&mut order, &hubs, &incidence);
        order.extend(&hubs);
    }
    BlockOrder { blocks: order, hubs: hubs.len() }
}

/// Sorts blocks by the hubs they share instances with; those that meet the same ones stay in their order.
fn sort_by_hubs(order: &mut [u32], hubs: &[u32], incidence: &Incidence) {
    let mut is_hub = vec![false; incidence.ends.len()];
    hubs.iter().for_each(|&hub| is_hub[hub as usize] = true);
    let (mut ptr, mut met) = (vec![0], Vec::<u32>::new());
    for &block in &*order {
        let start = met.len();
        for &number in incidence.of(block as usize) {
            met.extend(incidence.blocks_of(number).iter().filter(|&&other| is_hub[other as usize]));
        }
        met[start..].sort_unstable();
        let mut kept = start;
        for k in start..met.len() {
            if k == start || met[k] != met[kept - 1] {
                met[kept] = met[k];
                kept += 1;
            }
        }
        met.truncate(kept);
        ptr.push(kept);
    }
    let mut places: Vec<u32> = (0..order.len() as u32).collect();
    let hubs_of = |place: u32| &met[ptr[place as usize]..ptr[place as usize + 1]];
    places.sort_by(|&a, &b| hubs_of(a).cmp(hubs_of(b)));
    let sorted: Vec<u32> = places.into_iter().map(|place| order[place as usize]).collect();
    order.copy_from_slice(&sorted);
}

/// Instances and blocks that touch each other. Instances are numbered through all tables.
struct Incidence {
    /// Where the instances of each block end.
    ends: Vec<u32>,
    /// Block by block, in their order.
    touching: Vec<u32>,
    /// The first instance of each table, its number of blocks, and where these begin.
    tables: Vec<(u32, usize, usize)>,
    /// Instance by instance: a walk then finds those of an instance in one piece of memory.
    blocks: Vec<u32>,
}

impl Incidence {
    fn new(tables: &[&InstanceTable], offsets: &[u32]) -> Self {
        let count = offsets.len() - 1;
        let mut block_at = vec![0; offsets[count] as usize];
        for (block, &start) in offsets[..count].iter().enumerate() {
            block_at[start as usize] = block as u32;
        }
        let (mut first, mut begin) = (0, 0);
        let place = |table: &&InstanceTable| {
            let place = (first, table.blocks.len(), begin);
            (first, begin) = (first + table.count as u32, begin + table.count * table.blocks.len());
            place
        };
        let places: Vec<(u32, usize, usize)> = tables.iter().map(place).collect();
        let mut blocks = vec![0; begin];
        let mut rest = &mut blocks[..];
        for table in tables.iter().filter(|table| !table.blocks.is_empty()) {
            let width = table.blocks.len();
            let (mine, others) = std::mem::take(&mut rest).split_at_mut(table.count * width);
            rest = others;
            mine.par_chunks_mut(width * STRETCH).enumerate().for_each(|(stretch, rows)| {
                for (row, instance) in rows.chunks_exact_mut(width).zip(stretch * STRETCH..) {
                    for (block, column) in row.iter_mut().zip(&table.blocks) {
                        *block = block_at[column[instance] as usize];
                    }
                }
            });
        }
        let mut incidence = Incidence { ends: Vec::new(), touching: Vec::new(), tables: places, blocks };
        incidence.list(count);
        incidence
    }

    /// Lists the instances of each block: threads put them where there is room, by counters that they share, and each list is then
    /// sorted, so that it is the same whatever they did.
    fn list(&mut self, count: usize) {
        let counters = || -> Vec<AtomicU32> { (0..count + 1).map(|_| AtomicU32::new(0)).collect() };
        let lengths = counters();
        self.for_each(|block, _| {
            lengths[block as usize + 1].fetch_add(1, Relaxed);
        });
        let mut ends: Vec<u32> = lengths.into_iter().map(AtomicU32::into_inner).collect();
        for block in 0..count {
            ends[block + 1] += ends[block];
        }
        let next: Vec<AtomicU32> = ends.iter().map(|&end| AtomicU32::new(end)).collect();
        let touching: Vec<AtomicU32> = vec![0; self.blocks.len()].into_iter().map(AtomicU32::new).collect();
        self.for_each(|block, number| {
            let place = next[block as usize].fetch_add(1, Relaxed);
            touching[place as usize].store(number, Relaxed);
        });
        self.touching = touching.into_iter().map(AtomicU32::into_inner).collect();
        let mut rest = &mut self.touching[..];
        let mut tasks = Vec::with_capacity(count / STRETCH + 1);
        for blocks in ends.windows(2).collect::<Vec<_>>().chunks(STRETCH) {
            let length = blocks[blocks.len() - 1][1] - blocks[0][0];
            let (mine, others) = std::mem::take(&mut rest).split_at_mut(length as usize);
            rest = others;
            tasks.push((mine, blocks[0][0], blocks.to_vec()));
        }
        tasks.into_par_iter().for_each(|(lists, begin, blocks)| {
            for ends in blocks {
                lists[(ends[0] - begin) as usize..(ends[1] - begin) as usize].sort_unstable();
            }
        });
        self.ends = ends;
    }

    /// Calls `f(block, instance)` for all that touch, on all threads.
    fn for_each(&self, f: impl Fn(u32, u32) + Sync) {
        let ends = self.tables.iter().skip(1).map(|table| table.2).chain([self.blocks.len()]);
        for (&(first, width, begin), end) in self.tables.iter().zip(ends).filter(|((_, width, _), _)| *width > 0) {
            self.blocks[begin..end].par_chunks(width * STRETCH).enumerate().for_each(|(stretch, rows)| {
                for (row, number) in rows.chunks_exact(width).zip(first + (stretch * STRETCH) as u32..) {
                    row.iter().for_each(|&block| f(block, number));
                }
            });
        }
    }

    /// The instances that touch a block.
    fn of(&self, block: usize) -> &[u32] {
        &self.touching[self.ends[block] as usize..self.ends[block + 1] as usize]
    }

    /// The blocks that an instance touches.
    fn blocks_of(&self, number: u32) -> &[u32] {
        let table = self.tables.partition_point(|table| table.0 <= number) - 1;
        let (first, width, begin) = self.tables[table];
        &self.blocks[begin + (number - first) as usize * width..][..width]
    }
}

/// The instances of a table in the order of their first hub and then of their first block; `None` where they are in order. By hub,
/// so that what a hub sums over all its instances is read in one go, while the sums of the blocks that meet it walk along as
/// many streams as there are hubs. `ranks` gives the place in the block order of the block that starts at each place of the
/// parameter vector; hubs rank from `first_hub` on.
pub(super) fn instance_order(table: &InstanceTable, ranks: &[u32], blocks: usize, first_hub: u32) -> Option<Vec<u32>> {
    let instances = || (0..table.count).into_par_iter().with_min_len(STRETCH);
    let ranks_of = |instance: usize| table.blocks.iter().map(move |column| ranks[column[instance] as usize]);
    let first: Vec<u32> = instances().map(|instance| ranks_of(instance).min().unwrap_or(0)).collect();
    let hub = |instance: usize| ranks_of(instance).filter(|&rank| rank >= first_hub).min().unwrap_or(0);
    let hubs: Vec<u32> = if first_hub as usize == blocks { Vec::new() } else { instances().map(hub).collect() };
    let meets_hubs = hubs.iter().any(|&hub| hub != 0);
    let sorted = match meets_hubs {
        true => hubs.iter().zip(&first).is_sorted(),
        false => first.is_sorted(),
    };
    if sorted {
        return None;
    }
    let order = sort_by_rank((0..table.count as u32).collect(), &first, ranks.len());
    Some(if meets_hubs { sort_by_rank(order, &hubs, ranks.len()) } else { order })
}

/// Sorts instances by rank; those of one rank keep their order.
fn sort_by_rank(mut instances: Vec<u32>, rank: &[u32], ranks: usize) -> Vec<u32> {
    if rayon::current_num_threads() >= MANY_THREADS {
        instances.par_sort_by_key(|&instance| rank[instance as usize]);
        return instances;
    }
    // Counting sort: ranks are dense.
    let mut next = vec![0u32; ranks + 1];
    instances.iter().for_each(|&instance| next[rank[instance as usize] as usize + 1] += 1);
    for rank in 0..ranks {
        next[rank + 1] += next[rank];
    }
    let mut order = vec![0; instances.len()];
    for instance in instances {
        let slot = &mut next[rank[instance as usize] as usize];
        order[*slot as usize] = instance;
        *slot += 1;
    }
    order
}
