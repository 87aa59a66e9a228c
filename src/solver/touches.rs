//! Which instances have which free blocks, both ways.

use super::columns::INSTANCE;
use super::reduction::{FIXED, Reduction};
use crate::backend::Group;
use crate::linear::LinearError;

/// A slot of an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch {
    pub group: usize,
    pub instance: usize,
    pub slot: usize,
    /// Where the blocks of the instance begin among those of all.
    first: usize,
}

/// The slots of all instances, group by group and instance by instance, and which of them each free block is in.
#[derive(Debug)]
pub(super) struct Touches {
    /// Number of the free block in each slot, or [`FIXED`].
    blocks: Vec<u32>,
    /// The first slot of each group, and how many slots its instances have.
    groups: Vec<(u32, u32)>,
    /// Where the slots of each free block end in `slots`, and 0 before.
    ends: Vec<u32>,
    slots: Vec<u32>,
}

impl Touches {
    /// # Errors
    /// [`LinearError::TooLarge`] if there are more slots, or instances in a group, than an index can tell apart.
    pub fn new(groups: &[Group], reduction: &Reduction) -> Result<Self, LinearError> {
        let slots = |group: &Group| group.table.count.saturating_mul(group.table.blocks.len());
        let total = groups.iter().map(slots).fold(0, usize::saturating_add);
        let instances = groups.iter().map(|group| group.table.count).max().unwrap_or(0);
        let entries = total.max(instances.saturating_mul(1 << INSTANCE));
        if u32::try_from(entries).is_err() {
            return Err(LinearError::TooLarge { entries });
        }
        let mut touches = Touches {
            blocks: Vec::with_capacity(total),
            groups: Vec::with_capacity(groups.len()),
            ends: vec![0; reduction.sizes.len() + 1],
            slots: Vec::new(),
        };
        for group in groups {
            let columns = &group.table.blocks;
            touches.groups.push((touches.blocks.len() as u32, columns.len() as u32));
            for instance in 0..group.table.count {
                touches.blocks.extend(columns.iter().map(|column| reduction.number(column[instance])));
            }
        }
        let free = || touches.blocks.iter().zip(0u32..).filter(|&(&block, _)| block != FIXED);
        free().for_each(|(&block, _)| touches.ends[block as usize + 1] += 1);
        let mut end = 0;
        for next in &mut touches.ends[1..] {
            end += std::mem::replace(next, end);
        }
        touches.slots = vec![0; end as usize];
        for (&block, slot) in free() {
            let next = &mut touches.ends[block as usize + 1];
            touches.slots[*next as usize] = slot;
            *next += 1;
        }
        Ok(touches)
    }

    /// The slots that a free block is in.
    pub fn of(&self, block: usize) -> impl Iterator<Item = Touch> {
        let slots = &self.slots[self.ends[block] as usize..self.ends[block + 1] as usize];
        let (mut group, mut begin, mut width, mut end) = (0, 0, 1, 0);
        slots.iter().map(move |&slot| {
            if slot >= end {
                group = self.groups.partition_point(|&(first, _)| first <= slot) - 1;
                (begin, width) = self.groups[group];
                end = self.groups.get(group + 1).map_or(u32::MAX, |&(first, _)| first);
            }
            let (instance, slot) = ((slot - begin) / width, (slot - begin) % width);
            Touch {
                group,
                instance: instance as usize,
                slot: slot as usize,
                first: (begin + instance * width) as usize,
            }
        })
    }

    /// How many slots a free block is in.
    pub fn count(&self, block: usize) -> usize {
        (self.ends[block + 1] - self.ends[block]) as usize
    }

    /// The blocks in the first slots of an instance; [`FIXED`] stands for those that are not free.
    pub fn blocks(&self, touch: Touch, slots: usize) -> &[u32] {
        &self.blocks[touch.first..touch.first + slots]
    }
}
