//! An order of parameter blocks and instances in which what is used together lies together.
//!
//! A mesh refined by subdivision numbers neighbours thousands apart; a kernel that gathers them, and a sum over the residuals of
//! a block, would then wait for memory at every turn. So blocks are ranked breadth first through the residuals they share
//! (Cuthill and McKee 1969), and the instances of a group stand in the order of their first block.

use crate::backend::InstanceTable;

/// Problems of fewer residual blocks fit a cache anyhow and stay as they are.
const WORTH_SORTING: usize = 4096;

/// The parameter blocks in breadth-first order; as they are, where that is good enough.
pub(super) fn block_order<'t>(tables: impl Iterator<Item = &'t InstanceTable> + Clone, offsets: &[u32]) -> Vec<u32> {
    let blocks = offsets.len() - 1;
    let instances: usize = tables.clone().map(|table| table.count).sum();
    if instances < WORTH_SORTING {
        return (0..blocks as u32).collect();
    }
    let tables: Vec<&InstanceTable> = tables.collect();
    let incidence = Incidence::new(&tables, offsets);
    let mut done = vec![false; instances];
    let mut seen = vec![false; blocks];
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
    order
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

/// The instances of a table in the order of their first block; `None` where they are in order. `ranks` gives the place in the
/// block order of the block that starts at each place of the parameter vector.
pub(super) fn instance_order(table: &InstanceTable, ranks: &[u32]) -> Option<Vec<u32>> {
    let first = |instance: usize| table.blocks.iter().map(|column| ranks[column[instance] as usize]).min();
    let firsts: Vec<u32> = (0..table.count).map(|instance| first(instance).unwrap_or(0)).collect();
    if firsts.is_sorted() {
        return None;
    }
    // Counting sort: ranks are dense, and instances of one rank keep their order.
    let mut next = vec![0u32; ranks.len() + 1];
    firsts.iter().for_each(|&rank| next[rank as usize + 1] += 1);
    for rank in 0..ranks.len() {
        next[rank + 1] += next[rank];
    }
    let mut order = vec![0; table.count];
    for (instance, &rank) in firsts.iter().enumerate() {
        let slot = &mut next[rank as usize];
        order[*slot as usize] = instance as u32;
        *slot += 1;
    }
    Some(order)
}
