//! Blocks that a great many residuals read.

use super::STRETCH;
use super::adjacency::Adjacency;
use super::incidence::Incidence;
use rayon::prelude::*;

/// A hub is read by so many times as many instances as the average block.
const HUB: usize = 16;

/// Most instances that touch a block which is no hub.
pub(super) fn limit(adjacency: &impl Adjacency) -> usize {
    limit_of(adjacency.all_touches(), adjacency.blocks())
}

/// The same, for so many touches of so many blocks.
pub(super) fn limit_of(touches: usize, blocks: usize) -> usize {
    HUB * (touches / blocks.max(1) + 1)
}

/// The hubs.
pub(super) fn find(adjacency: &impl Adjacency) -> Vec<u32> {
    let limit = limit(adjacency);
    let blocks = (0..adjacency.blocks() as u32).into_par_iter().with_min_len(STRETCH);
    blocks.filter(|&block| adjacency.touches(block) > limit).collect()
}

/// Sorts blocks by the hubs they share instances with; those that meet the same ones stay in their order.
pub(super) fn sort_by(hubs: &[u32], order: &mut [u32], incidence: &Incidence) {
    let mut is_hub = vec![false; incidence.blocks()];
    hubs.iter().for_each(|&hub| is_hub[hub as usize] = true);
    let (mut ptr, mut met) = (vec![0], Vec::<u32>::new());
    for &block in &*order {
        let start = met.len();
        for &number in incidence.of(block) {
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
