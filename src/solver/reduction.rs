//! The free parameter blocks, numbered without the fixed ones.

use super::pattern::GroupPattern;
use crate::backend::Group;
use crate::linear::BlockStructure;
use crate::problem::Parameters;

const FIXED: u32 = u32::MAX;

/// Maps between all parameters and the free blocks, in which the linear systems are stated.
pub(super) struct Reduction {
    /// Number of the free block that starts at each place of the parameter vector.
    numbers: Vec<u32>,
    /// Components of each free block.
    pub sizes: Vec<usize>,
    /// Start of each free block in the parameter vector.
    pub starts: Vec<usize>,
}

impl Reduction {
    /// Numbers the free blocks breadth first through the residuals they share, so that blocks which meet in a residual lie near
    /// each other in the linear system, wherever the user put them.
    pub fn new(parameters: &Parameters, groups: &[Group]) -> Self {
        let free = |block: &usize| !parameters.is_fixed(*block);
        let starts: Vec<usize> =
            (0..parameters.blocks()).filter(free).map(|block| parameters.offsets()[block] as usize).collect();
        let mut numbers = vec![FIXED; parameters.values().len()];
        for (number, &start) in starts.iter().enumerate() {
            numbers[start] = number as u32;
        }
        let order = breadth_first(groups, &numbers, starts.len());
        let mut sizes = vec![0; starts.len()];
        let mut ordered = vec![0; starts.len()];
        for (number, &block) in order.iter().enumerate() {
            let start = starts[block as usize];
            numbers[start] = number as u32;
            ordered[number] = start;
        }
        for block in (0..parameters.blocks()).filter(free) {
            sizes[numbers[parameters.offsets()[block] as usize] as usize] = parameters.size(block);
        }
        Reduction { numbers, sizes, starts: ordered }
    }

    /// The free block in place `slot` of an instance.
    pub fn block(&self, group: &Group, slot: usize, instance: usize) -> Option<u32> {
        let number = self.numbers[group.table.blocks[slot][instance] as usize];
        (number != FIXED).then_some(number)
    }

    /// The pairs of free blocks that the instances of a group couple.
    pub fn pairs<'a>(
        &'a self,
        group: &'a Group,
        pattern: &'a GroupPattern,
    ) -> impl Iterator<Item = (u32, u32)> + Clone + 'a {
        let slots = pattern.slots.len();
        let coupled = (0..slots).flat_map(move |p| (p + 1..slots).map(move |q| (p, q)));
        let coupled = coupled.filter(move |&(p, q)| !pattern.pair(p, q).is_zero());
        coupled.flat_map(move |(p, q)| {
            (0..group.table.count).filter_map(move |i| Some((self.block(group, p, i)?, self.block(group, q, i)?)))
        })
    }

    /// Scalars of the reduced system that belong to fixed components of blocks which are otherwise free.
    pub fn held(&self, parameters: &Parameters, structure: &BlockStructure) -> Vec<usize> {
        let mut held = Vec::new();
        for block in 0..parameters.blocks() {
            let number = self.numbers[parameters.offsets()[block] as usize];
            if let Some(flags) = parameters.fixed(block).filter(|_| number != FIXED) {
                let first = structure.offsets()[number as usize];
                held.extend((0..flags.len()).filter(|&k| flags[k]).map(|k| first + k));
            }
        }
        held
    }
}

/// The blocks in the order of a breadth-first search over "shares a residual with".
fn breadth_first(groups: &[Group], numbers: &[u32], blocks: usize) -> Vec<u32> {
    // Instances of all groups are numbered through; `touching` lists those of each block.
    let firsts: Vec<usize> =
        groups.iter().scan(0, |end, group| Some(std::mem::replace(end, *end + group.table.count))).collect();
    let visit_all = |visit: &mut dyn FnMut(usize, usize)| {
        for (group, &first) in groups.iter().zip(&firsts) {
            for column in &group.table.blocks {
                for (instance, &start) in column.iter().enumerate() {
                    let block = numbers[start as usize];
                    if block != FIXED {
                        visit(block as usize, first + instance);
                    }
                }
            }
        }
    };
    let mut ends = vec![0u32; blocks + 1];
    visit_all(&mut |block, _| ends[block + 1] += 1);
    for block in 0..blocks {
        ends[block + 1] += ends[block];
    }
    let mut next = ends[..blocks].to_vec();
    let mut touching = vec![0u32; ends[blocks] as usize];
    visit_all(&mut |block, instance| {
        touching[next[block] as usize] = instance as u32;
        next[block] += 1;
    });

    let instances = firsts.last().map_or(0, |first| first + groups[groups.len() - 1].table.count);
    let mut done = vec![false; instances];
    let mut seen = vec![false; blocks];
    let mut order: Vec<u32> = Vec::with_capacity(blocks);
    for root in 0..blocks {
        if std::mem::replace(&mut seen[root], true) {
            continue;
        }
        order.push(root as u32);
        let mut head = order.len() - 1;
        while head < order.len() {
            let block = order[head] as usize;
            head += 1;
            for &instance in &touching[ends[block] as usize..ends[block + 1] as usize] {
                if std::mem::replace(&mut done[instance as usize], true) {
                    continue;
                }
                let index = firsts.partition_point(|&first| first <= instance as usize) - 1;
                for column in &groups[index].table.blocks {
                    let other = numbers[column[instance as usize - firsts[index]] as usize];
                    if other != FIXED && !std::mem::replace(&mut seen[other as usize], true) {
                        order.push(other);
                    }
                }
            }
        }
    }
    order
}
