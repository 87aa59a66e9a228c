//! The connected components of a problem, by union-find over its instance tables (Tarjan, *Efficiency of a good but not linear set
//! union algorithm*, 1975, with path halving).

use crate::problem::{CompiledProblem, Parameters};

/// Residual blocks that share no free parameter block with those of another component, component by component.
///
/// Components are in the order of their first parameter blocks.
#[derive(Debug, Default)]
pub(super) struct Partition {
    blocks: Vec<u32>,
    block_ends: Vec<usize>,
    /// (group, instance), in that order within a component.
    instances: Vec<(u32, u32)>,
    instance_ends: Vec<usize>,
    /// Instances all of whose blocks are fixed: nothing can change them.
    pub unattached: Vec<(u32, u32)>,
}

const NONE: u32 = u32::MAX;

/// Sets of blocks; the root of each is its first block.
struct Sets {
    parents: Vec<u32>,
}

impl Sets {
    fn root(&mut self, mut block: u32) -> u32 {
        while self.parents[block as usize] != block {
            let grandparent = self.parents[self.parents[block as usize] as usize];
            self.parents[block as usize] = grandparent;
            block = grandparent;
        }
        block
    }

    fn unite(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

impl Partition {
    pub fn new(compiled: &CompiledProblem, parameters: &Parameters) -> Self {
        let blocks = parameters.blocks();
        // The free block that starts at each place of the parameter vector.
        let mut block_at = vec![NONE; parameters.values().len()];
        for block in (0..blocks).filter(|&block| !parameters.is_fixed(block)) {
            block_at[parameters.offsets()[block] as usize] = block as u32;
        }
        let mut sets = Sets { parents: (0..blocks as u32).collect() };
        let free = |starts: &[Vec<u32>], instance: usize| -> Option<u32> {
            starts.iter().map(|column| block_at[column[instance] as usize]).find(|&block| block != NONE)
        };
        let mut touched = vec![false; blocks];
        for group in &compiled.groups {
            let starts = &group.table.blocks;
            for instance in 0..group.table.count {
                let Some(first) = free(starts, instance) else { continue };
                for column in starts {
                    let block = block_at[column[instance] as usize];
                    if block != NONE {
                        touched[block as usize] = true;
                        sets.unite(first, block);
                    }
                }
            }
        }
        let roots: Vec<u32> = (0..blocks as u32).map(|block| sets.root(block)).collect();
        let mut numbers = vec![NONE; blocks];
        let mut components = 0;
        for block in (0..blocks).filter(|&block| touched[block]) {
            let number = &mut numbers[roots[block] as usize];
            if *number == NONE {
                *number = components;
                components += 1;
            }
        }
        let number = |block: u32| numbers[roots[block as usize] as usize];
        let members = (0..blocks as u32).filter(|&block| touched[block as usize]).map(|block| (number(block), block));
        let (blocks, block_ends) = sorted(components, members);
        let all = compiled.groups.iter().enumerate().flat_map(|(index, group)| {
            (0..group.table.count).map(move |instance| (&group.table.blocks, index as u32, instance as u32))
        });
        let component = |starts: &[Vec<u32>], instance: u32| free(starts, instance as usize).map(number);
        let attached =
            all.clone().filter_map(|(starts, group, instance)| Some((component(starts, instance)?, (group, instance))));
        let (instances, instance_ends) = sorted(components, attached);
        let lone = all.filter(|&(starts, _, instance)| component(starts, instance).is_none());
        let unattached = lone.map(|(_, group, instance)| (group, instance)).collect();
        Partition { blocks, block_ends, instances, instance_ends, unattached }
    }

    /// Number of components.
    pub fn components(&self) -> usize {
        self.block_ends.len() - 1
    }

    /// The free parameter blocks of a component, in order.
    pub fn blocks(&self, component: usize) -> &[u32] {
        &self.blocks[self.block_ends[component]..self.block_ends[component + 1]]
    }

    /// The (group, instance) pairs of a component, in order.
    pub fn instances(&self, component: usize) -> &[(u32, u32)] {
        &self.instances[self.instance_ends[component]..self.instance_ends[component + 1]]
    }
}

/// Counting sort by component, which keeps the order within one; with where the members of each begin, and the last end.
fn sorted<T: Copy + Default>(components: u32, members: impl Iterator<Item = (u32, T)> + Clone) -> (Vec<T>, Vec<usize>) {
    let mut ends = vec![0; components as usize + 1];
    members.clone().for_each(|(component, _)| ends[component as usize + 1] += 1);
    for component in 0..components as usize {
        ends[component + 1] += ends[component];
    }
    let mut next = ends.clone();
    let mut result = vec![T::default(); ends[components as usize]];
    for (component, member) in members {
        let place = &mut next[component as usize];
        result[*place] = member;
        *place += 1;
    }
    (result, ends)
}
