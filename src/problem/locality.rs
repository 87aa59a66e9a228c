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

/// Problems of fewer residual blocks fit a cache anyhow and stay as they are.
const WORTH_SORTING: usize = 4096;
/// A hub is read by so many times as many instances as the average block.
const HUB: usize = 16;

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
            for &(table, instance, number) in incidence.of(block) {
                if std::mem::replace(&mut done[number as usize], true) {
                    continue;
                }
                for column in &tables[table as usize].blocks {
                    let other = incidence.block_at[column[instance as usize] as usize];
                    if !std::mem::replace(&mut seen[other as usize], true) {
                        order.push(other);
                    }
                }
            }
        }
    }
    if !hubs.is_empty() {
        sort_by_hubs(&mut order, &hubs, &tables, &incidence);
        order.extend(&hubs);
    }
    BlockOrder { blocks: order, hubs: hubs.len() }
}

/// Sorts blocks by the hubs they share instances with; those that meet the same ones stay in their order.
fn sort_by_hubs(order: &mut [u32], hubs: &[u32], tables: &[&InstanceTable], incidence: &Incidence) {
    let mut is_hub = vec![false; incidence.ends.len()];
    hubs.iter().for_each(|&hub| is_hub[hub as usize] = true);
    let (mut ptr, mut met) = (vec![0], Vec::new());
    for &block in &*order {
        let start = met.len();
        for &(table, instance, _) in incidence.of(block as usize) {
            let columns = &tables[table as usize].blocks;
            let others = columns.iter().map(|column| incidence.block_at[column[instance as usize] as usize]);
            met.extend(others.filter(|&other| is_hub[other as usize]));
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

/// The instances that touch each block: (table, instance, number through all tables).
struct Incidence {
    ends: Vec<u32>,
    touching: Vec<(u32, u32, u32)>,
    /// The block that starts at each place of the parameter vector.
    block_at: Vec<u32>,
}

impl Incidence {
    fn new(tables: &[&InstanceTable], offsets: &[u32]) -> Self {
        let blocks = offsets.len() - 1;
        let mut block_at = vec![0; offsets[blocks] as usize];
        for (block, &start) in offsets[..blocks].iter().enumerate() {
            block_at[start as usize] = block as u32;
        }
        let starts = tables.iter().flat_map(|table| &table.blocks).flatten();
        let mut ends = vec![0u32; blocks + 1];
        starts.for_each(|&start| ends[block_at[start as usize] as usize + 1] += 1);
        for block in 0..blocks {
            ends[block + 1] += ends[block];
        }
        let mut next = ends[..blocks].to_vec();
        let mut touching = vec![(0, 0, 0); ends[blocks] as usize];
        let mut first = 0;
        for (index, table) in tables.iter().enumerate() {
            for column in &table.blocks {
                for (instance, &start) in column.iter().enumerate() {
                    let slot = &mut next[block_at[start as usize] as usize];
                    touching[*slot as usize] = (index as u32, instance as u32, first + instance as u32);
                    *slot += 1;
                }
            }
            first += table.count as u32;
        }
        Incidence { ends, touching, block_at }
    }

    fn of(&self, block: usize) -> &[(u32, u32, u32)] {
        &self.touching[self.ends[block] as usize..self.ends[block + 1] as usize]
    }
}

/// The instances of a table in the order of their first hub and then of their first block; `None` where they are in order. By hub,
/// so that what a hub sums over all its instances is read in one go, while the sums of the blocks that meet it walk along as
/// many streams as there are hubs. `ranks` gives the place in the block order of the block that starts at each place of the
/// parameter vector; hubs rank from `first_hub` on.
pub(super) fn instance_order(table: &InstanceTable, ranks: &[u32], first_hub: u32) -> Option<Vec<u32>> {
    let ranks_of = |instance: usize| table.blocks.iter().map(move |column| ranks[column[instance] as usize]);
    let first = |instance: usize| ranks_of(instance).min().unwrap_or(0);
    let hub = |instance: usize| ranks_of(instance).filter(|&rank| rank >= first_hub).min().unwrap_or(0);
    let keys = || (0..table.count).map(|instance| (hub(instance), first(instance)));
    if keys().is_sorted() {
        return None;
    }
    let order = sort_by_rank((0..table.count as u32).collect(), first, ranks.len());
    Some(if keys().all(|(hub, _)| hub == 0) { order } else { sort_by_rank(order, hub, ranks.len()) })
}

/// Counting sort: ranks are dense, and instances of one rank keep their order.
fn sort_by_rank(instances: Vec<u32>, rank: impl Fn(usize) -> u32, ranks: usize) -> Vec<u32> {
    let mut next = vec![0u32; ranks + 1];
    instances.iter().for_each(|&instance| next[rank(instance as usize) as usize + 1] += 1);
    for rank in 0..ranks {
        next[rank + 1] += next[rank];
    }
    let mut order = vec![0; instances.len()];
    for instance in instances {
        let slot = &mut next[rank(instance as usize) as usize];
        order[*slot as usize] = instance;
        *slot += 1;
    }
    order
}
