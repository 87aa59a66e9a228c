//! An order of parameter blocks and instances in which what is used together lies together.
//!
//! A mesh refined by subdivision numbers neighbours thousands apart; a kernel that gathers them, and a sum over the residuals of
//! a block, would then wait for memory at every turn. So blocks are ranked breadth first through the residuals they share
//! (Cuthill and McKee 1969), [region](regions) by region where there are many, and the instances of a group stand in the order of
//! their first block.
//!
//! A block that a great many residuals read, such as a camera of a bundle adjustment, says nothing about what lies together. Such
//! [hubs] come last; the others are sorted by the hubs they meet, so that points which the same cameras see are neighbours and their
//! blocks of JᵀJ, which a Schur complement eliminates together, one piece of memory.

mod adjacency;
mod blocks;
mod hubs;
mod incidence;
mod regions;
#[cfg(test)]
mod tests;

pub(super) use self::blocks::Blocks;

use self::adjacency::{Adjacency, Neighbours};
use self::incidence::Incidence;
use crate::backend::buckets::{Lists, Pairs};
use crate::backend::{InstanceTable, pieces};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Problems of fewer residual blocks fit a cache anyhow and stay as they are.
const WORTH_SORTING: usize = 4096;
/// Parameter blocks from which they are walked region by region, which all threads take part in; a browser has one.
const MANY_BLOCKS: Option<usize> = if cfg!(target_arch = "wasm32") { None } else { Some(1 << 13) };
/// A walk through some of the groups does if it leaves out no more than one block in so many.
const LEFT_OUT: usize = 16;

/// Instances, or blocks, that a thread takes at a time.
const STRETCH: usize = 1 << 12;

/// The parameter blocks in an order in which what is used together lies together.
pub(super) struct BlockOrder {
    pub blocks: Vec<u32>,
    /// How many of them, at the end, are hubs.
    pub hubs: usize,
}

/// The parameter blocks in breadth-first order, hubs last; as they are, where that is good enough. The same on any number of threads.
pub(super) fn block_order<'t>(tables: impl Iterator<Item = &'t InstanceTable> + Clone, blocks: &Blocks) -> BlockOrder {
    let count = blocks.count();
    let instances: usize = tables.clone().map(|table| table.count).sum();
    if instances < WORTH_SORTING {
        return BlockOrder { blocks: (0..count as u32).collect(), hubs: 0 };
    }
    let tables: Vec<&InstanceTable> = tables.filter(|table| table.count > 0 && !table.blocks.is_empty()).collect();
    if let Some(few) = few_tables(&tables, count) {
        let order = match few[0].blocks.len() {
            2 => walk_few(&Neighbours::new(&few, blocks)),
            _ => walk_few(&Incidence::new(&few, blocks)),
        };
        if let Some(blocks) = order {
            return BlockOrder { blocks, hubs: 0 };
        }
    }
    let incidence = Incidence::new(&tables, blocks);
    let hubs = hubs::find(&incidence);
    if hubs.is_empty() && MANY_BLOCKS.is_some_and(|many| count >= many) {
        let blocks = regions::walk(&incidence, count).expect("any number may be left out");
        return BlockOrder { blocks, hubs: 0 };
    }
    let mut seen = vec![false; count];
    hubs.iter().for_each(|&hub| seen[hub as usize] = true);
    let mut order = Vec::with_capacity(count);
    walk(&incidence, &mut seen, &mut order);
    if !hubs.is_empty() {
        hubs::sort_by(&hubs, &mut order, &incidence);
        order.extend(&hubs);
    }
    BlockOrder { blocks: order, hubs: hubs.len() }
}

/// How [blocks](block_order) are walked region by region along pairs, for a device to do the same. It is what the host does as long as no
/// more than so many pairs touch a block, at least one does, and all blocks are reached.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(crate) struct PairWalk {
    /// The first block of each region.
    pub seeds: Vec<u32>,
    pub most_touches: usize,
}

/// The walk, if the blocks are walked along pairs. All of so many blocks are free.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(crate) fn pair_walk<'t>(tables: impl Iterator<Item = &'t InstanceTable> + Clone, count: usize) -> Option<PairWalk> {
    let instances: usize = tables.clone().map(|table| table.count).sum();
    let tables: Vec<&InstanceTable> = tables.filter(|table| table.count > 0).collect();
    let pairs = few_tables(&tables, count).filter(|few| instances >= WORTH_SORTING && few[0].blocks.len() == 2)?;
    let touches = pairs.iter().map(|table| 2 * table.count).sum();
    Some(PairWalk { seeds: regions::seeds_of(count), most_touches: hubs::limit_of(touches, count) })
}

/// Walks region by region, if that reaches nearly all blocks and there are no hubs.
fn walk_few(adjacency: &impl Adjacency) -> Option<Vec<u32>> {
    let most = hubs::limit(adjacency);
    let is_plain = |block: u32| (1..=most).contains(&adjacency.touches(block));
    let suffice = (0..adjacency.blocks() as u32).into_par_iter().with_min_len(STRETCH).all(is_plain);
    if suffice { regions::walk(adjacency, adjacency.blocks() / LEFT_OUT) } else { None }
}

/// Appends the blocks that were not seen, breadth first, one component after the other.
fn walk(incidence: &Incidence, seen: &mut [bool], order: &mut Vec<u32>) {
    let mut done = vec![false; incidence.instances()];
    for root in 0..seen.len() {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        let mut head = order.len();
        order.push(root as u32);
        while head < order.len() {
            let block = order[head];
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
}

/// The tables whose instances couple the fewest blocks, if these are pairs or at least not all, and there are blocks enough for the
/// difference to count: the edges of a mesh tell as much about what lies together as its stars do.
fn few_tables<'t>(tables: &[&'t InstanceTable], count: usize) -> Option<Vec<&'t InstanceTable>> {
    let widths = tables.iter().map(|table| table.blocks.len()).filter(|&width| width > 1);
    let least = widths.min().filter(|_| MANY_BLOCKS.is_some_and(|many| count >= many))?;
    let few: Vec<&InstanceTable> = tables.iter().copied().filter(|table| table.blocks.len() == least).collect();
    (few.len() < tables.len() || least == 2).then_some(few)
}

/// The place of each block in the order.
pub(super) fn ranks(order: &[u32]) -> Vec<u32> {
    let ranks = zeros(order.len());
    pieces::for_each(order.len(), STRETCH, |rank| {
        ranks[order[rank] as usize].store(rank as u32, Relaxed);
    });
    numbers(ranks)
}

/// The instances of a table in the order of their first hub and then of their first block; `None` where they are in order. By hub,
/// so that what a hub sums over all its instances is read in one go, while the sums of the blocks that meet it walk along as
/// many streams as there are hubs. `ranks`: see [`ranks`]; hubs rank from `first_hub` on.
pub(super) fn instance_order(
    table: &InstanceTable,
    blocks: &Blocks,
    ranks: &[u32],
    first_hub: u32,
) -> Option<Vec<u32>> {
    let rank = |start: u32| ranks[blocks.at(start) as usize];
    let first = least(table, rank);
    let hub = |start: u32| Some(rank(start)).filter(|&rank| rank >= first_hub).unwrap_or(u32::MAX);
    let mut hubs = if first_hub as usize == ranks.len() { Vec::new() } else { least(table, hub) };
    // Those that meet none come first.
    pieces::for_each_chunk(&mut hubs, STRETCH, |_, hubs| {
        hubs.iter_mut().filter(|hub| **hub == u32::MAX).for_each(|hub| *hub = 0);
    });
    let meets_hubs = hubs.iter().any(|&hub| hub != 0);
    let sorted = match meets_hubs {
        true => hubs.iter().zip(&first).is_sorted(),
        false => first.is_sorted(),
    };
    if sorted {
        return None;
    }
    let order = sort_by_rank(Sorted { given: None, ranks: &first }, ranks.len());
    Some(if meets_hubs { sort_by_rank(Sorted { given: Some(&order), ranks: &hubs }, ranks.len()) } else { order })
}

/// Of each instance the least number of its blocks, by where they start. Columns are read one after the other, a stretch at a time: memory is then asked for
/// many ranks at once.
fn least(table: &InstanceTable, number: impl Fn(u32) -> u32 + Sync) -> Vec<u32> {
    let mut least = pieces::map(table.count, STRETCH, |_| u32::MAX);
    pieces::for_each_chunk(&mut least, STRETCH, |first, least| {
        for column in &table.blocks {
            let starts = &column[first..first + least.len()];
            least.iter_mut().zip(starts).for_each(|(least, &start)| *least = number(start).min(*least));
        }
    });
    least
}

/// Instances to sort by a rank of each; as they are numbered, unless an order is given.
struct Sorted<'a> {
    given: Option<&'a [u32]>,
    ranks: &'a [u32],
}

impl Pairs for Sorted<'_> {
    fn lengths(&self) -> Vec<usize> {
        vec![self.ranks.len()]
    }

    fn keys(&self, _: usize, positions: Range<usize>, mut f: impl FnMut(u32)) {
        match self.given {
            Some(given) => given[positions].iter().for_each(|&instance| f(self.ranks[instance as usize])),
            None => self.ranks[positions].iter().for_each(|&rank| f(rank)),
        }
    }

    fn value(&self, _: usize, position: usize) -> u32 {
        self.given.map_or(position as u32, |given| given[position])
    }
}

/// Sorts instances by rank; those of one rank keep their order. Ranks are less than `ranks`.
fn sort_by_rank(instances: Sorted<'_>, ranks: usize) -> Vec<u32> {
    let count = instances.ranks.len();
    if count >= STRETCH {
        return Lists::new(&instances, ranks).all;
    }
    let rank = |(position, instance): (u32, u32)| (instances.ranks[instance as usize], position, instance);
    let mut ranked: Vec<(u32, u32, u32)> = match instances.given {
        Some(given) => (0..).zip(given.iter().copied()).map(rank).collect(),
        None => (0..count as u32).map(|instance| rank((instance, instance))).collect(),
    };
    ranked.sort_unstable();
    ranked.into_iter().map(|(_, _, instance)| instance).collect()
}

/// Zeros that threads may write to together.
pub(super) fn zeros(count: usize) -> Vec<AtomicU32> {
    // By all threads: who touches a page first waits for it.
    pieces::map(count, STRETCH, |_| AtomicU32::new(0))
}

/// What they wrote.
pub(super) fn numbers(atomics: Vec<AtomicU32>) -> Vec<u32> {
    atomics.into_iter().map(AtomicU32::into_inner).collect()
}
