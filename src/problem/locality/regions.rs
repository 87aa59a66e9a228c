//! A walk that all threads take part in: regions grow from blocks spread over the problem until they meet, and each is then walked
//! breadth first by itself.
//!
//! Regions grow level by level, all at once. A block that several reach in one level goes to the one with the smallest number, so that
//! regions are the same whatever threads did.

use super::STRETCH;
use super::adjacency::Adjacency;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Blocks of a region, on the average: the most, and the fewest where there would not be regions enough for all threads. Smaller ones grow in fewer levels;
/// larger ones have fewer borders, across which neighbours lie apart.
const REGION: usize = 1 << 11;
const SMALL_REGION: usize = 1 << 8;
/// Regions that occupy all threads.
const ENOUGH: usize = 1 << 6;
/// Blocks at the border of all regions that a thread takes at a time, at most.
const SHARE: usize = 1 << 8;
/// Levels by which regions grow before threads wait for each other. With more there are more detours; with one, threads would wait for
/// each other's cache lines most of the time.
const ROUND: u32 = 16;

/// The key of a block is the level at which it was reached, from 1 on, and the region in the lower half. Blocks with this key are out of
/// it: they are in the order.
const OUT: u32 = 0;
/// Blocks that were not reached.
const NOWHERE: u32 = u32::MAX;
const REGION_BITS: u32 = 16;
/// Less than [`NOWHERE`] has in both halves.
const MOST_LEVELS: u32 = (1 << (32 - REGION_BITS)) - 2;
const MOST_REGIONS: usize = (1 << REGION_BITS) - 2;

fn key(level: u32, region: u32) -> u32 {
    level << REGION_BITS | region
}

fn region_of(key: u32) -> u32 {
    key & ((1 << REGION_BITS) - 1)
}

fn level_of(key: u32) -> u32 {
    key >> REGION_BITS
}

/// All blocks, region by region; those that no region reaches follow. `None` if these are more than `most`.
pub(super) fn walk(adjacency: &impl Adjacency, most: usize) -> Option<Vec<u32>> {
    let count = adjacency.blocks();
    let seeds = seeds_of(count);
    let keys: Vec<AtomicU32> =
        (0..count).into_par_iter().with_min_len(STRETCH).map(|_| AtomicU32::new(NOWHERE)).collect();
    grow(adjacency, &seeds, &keys);
    let walks = seeds.par_iter().enumerate().map(|(region, &seed)| walk_region(adjacency, seed, region as u32, &keys));
    let mut order = walks.collect::<Vec<_>>().concat();
    let left = count - order.len();
    if left > most {
        return None;
    }
    if left > 0 {
        let mut seen: Vec<bool> = keys.iter().map(|key| key.load(Relaxed) == OUT).collect();
        walk_rest(adjacency, &mut seen, &mut order);
    }
    Some(order)
}

/// The first block of each region of so many blocks.
pub(super) fn seeds_of(count: usize) -> Vec<u32> {
    seeds(count, (count / ENOUGH).clamp(SMALL_REGION, REGION).max(count.div_ceil(MOST_REGIONS)))
}

/// One block in `size`, in their order. They are scattered: how a mesh is numbered has a rhythm, and seeds that follow it would lie
/// side by side.
fn seeds(count: usize, size: usize) -> Vec<u32> {
    // Where a multiplicative hash (Knuth, The Art of Computer Programming 3, 6.4) of the number puts it.
    let scattered = |k: u64| (k.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (k << 7)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let place = |k: u64| ((u128::from(scattered(k)) * count as u128) >> 64) as u32;
    let mut seeds: Vec<u32> = (1..=count.div_ceil(size) as u64).map(place).collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}

/// Appends the blocks that were not seen, breadth first, one component after the other.
fn walk_rest(adjacency: &impl Adjacency, seen: &mut [bool], order: &mut Vec<u32>) {
    for root in 0..seen.len() {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        let mut head = order.len();
        order.push(root as u32);
        while let Some(&block) = order.get(head) {
            head += 1;
            order.extend(adjacency.next_to(block).filter(|&other| !std::mem::replace(&mut seen[other as usize], true)));
        }
    }
}

/// Grows the regions until nothing more is reached, some levels at a time. A thread may reach a block on a detour before another one does on
/// the shortest way; its key is then lowered, and those after it once more. What comes out are the least keys of all ways, whoever
/// was first.
fn grow(adjacency: &impl Adjacency, seeds: &[u32], keys: &[AtomicU32]) {
    let mut border = seeds.to_vec();
    for (&seed, region) in seeds.iter().zip(0..) {
        keys[seed as usize].store(key(1, region), Relaxed);
    }
    let mut last = 1;
    let tasks = 8 * rayon::current_num_threads();
    while !border.is_empty() && last < MOST_LEVELS {
        last = (last + ROUND).min(MOST_LEVELS);
        // Blocks of the last level wait for the next round.
        let reach = |blocks: &[u32]| {
            let (mut queue, mut waiting, mut head) = (blocks.to_vec(), Vec::new(), 0);
            while let Some(&block) = queue.get(head) {
                head += 1;
                let mine = keys[block as usize].load(Relaxed) + key(1, 0);
                let reached = if level_of(mine) < last { &mut queue } else { &mut waiting };
                for other in adjacency.next_to(block) {
                    let other_key = &keys[other as usize];
                    if other_key.load(Relaxed) > mine && other_key.fetch_min(mine, Relaxed) > mine {
                        reached.push(other);
                    }
                }
            }
            waiting
        };
        let share = border.len().div_ceil(tasks).min(SHARE);
        border = border.par_chunks(share).map(reach).collect::<Vec<_>>().concat();
    }
}

/// The blocks of a region, breadth first; those that one block leads to by their numbers, so that the order is the same whatever order
/// neighbours are known in.
fn walk_region(adjacency: &impl Adjacency, seed: u32, region: u32, keys: &[AtomicU32]) -> Vec<u32> {
    let is_mine = |key: u32| key != OUT && region_of(key) == region;
    let mut order = vec![seed];
    keys[seed as usize].store(OUT, Relaxed);
    let mut head = 0;
    while let Some(&block) = order.get(head) {
        head += 1;
        let first = order.len();
        for other in adjacency.next_to(block) {
            let key = &keys[other as usize];
            if is_mine(key.load(Relaxed)) {
                key.store(OUT, Relaxed);
                order.push(other);
            }
        }
        order[first..].sort_unstable();
    }
    order
}
