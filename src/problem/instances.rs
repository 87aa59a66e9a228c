//! The instances of a topology, as a problem holds them.

use crate::backend::{InstanceTable, pieces};
use std::sync::Arc;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// The instances of a topology: as they are added, or in the order of the compiled problem, with which they are shared then.
#[derive(Default, Clone)]
pub(super) struct GroupInstances {
    pub table: Arc<InstanceTable>,
    /// Index of each instance among the residual blocks of the problem: ascending, as they are added.
    pub residual_blocks: Arc<Vec<u32>>,
    /// Whether they are in the order of a compiled problem.
    pub shared: bool,
}

impl GroupInstances {
    /// The instances in the order in which they were added, so that nothing depends on what was compiled before.
    pub fn as_added(&self) -> GroupInstances {
        if !self.shared {
            return self.clone();
        }
        let mut order: Vec<u32> = (0..self.residual_blocks.len() as u32).collect();
        order.sort_unstable_by_key(|&instance| self.residual_blocks[instance as usize]);
        self.picked(order)
    }

    /// Some of the instances, or all in another order.
    pub fn picked(&self, mut instances: Vec<u32>) -> GroupInstances {
        let table = Arc::new(self.table.picked(&instances));
        // In place: on a device a start waits for every page that is touched for the first time.
        pieces::for_each_chunk(&mut instances, STRETCH, |_, some| {
            some.iter_mut().for_each(|instance| *instance = self.residual_blocks[*instance as usize]);
        });
        GroupInstances { table, residual_blocks: Arc::new(instances), shared: false }
    }

    /// Bytes of table and row numbers.
    pub fn bytes(&self) -> usize {
        self.table.bytes() + self.residual_blocks.capacity() * size_of::<u32>()
    }

    /// What more instances are added to.
    pub fn open(&mut self) -> (&mut InstanceTable, &mut Vec<u32>) {
        if self.shared {
            *self = self.as_added();
        }
        (Arc::make_mut(&mut self.table), Arc::make_mut(&mut self.residual_blocks))
    }
}
