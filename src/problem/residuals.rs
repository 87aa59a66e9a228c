//! Residual blocks, one closure call each.

use super::{BlockId, GroupInstances, Problem, ProblemError};
use crate::backend::InstanceTable;
use crate::topology::{Blocks, Placement, Residuals, TraceError};
use std::sync::Arc;
use web_time::Instant;

impl Problem {
    /// Adds a residual block: `function` is called once, on the blocks in the order given, and what it computes is recorded.
    ///
    /// Returns the index of the residual block. The constants in `function` may differ from call to call: residuals that differ
    /// in nothing else share one kernel. A branch on a comparison of values is taken as it falls at the present parameters.
    ///
    /// # Errors
    /// If a block is unknown, repeated or ignored, or the function returns nothing or uses a [`Value`](crate::Value) from outside.
    pub fn add_residual<R: Residuals>(
        &mut self,
        blocks: &[BlockId],
        function: impl FnOnce(Blocks<'_>) -> R,
    ) -> Result<usize, ProblemError> {
        let start = Instant::now();
        let residual_block = self.residual_blocks;
        self.check_blocks(residual_block, blocks)?;
        let placement = self.record(residual_block, blocks, &[], |x, _| function(x))?;
        let width = self.tracer.primals.len();
        self.check_room(1, width)?;

        let data = std::mem::take(&mut self.tracer.data);
        self.add_instance(&placement, blocks, &data, width);
        self.tracer.data = data;
        self.trace_time += start.elapsed();
        Ok(residual_block)
    }

    /// Traces `function`, finds its topology, and checks that it uses every block.
    pub(super) fn record<R: Residuals>(
        &mut self,
        residual_block: usize,
        blocks: &[BlockId],
        data: &[f64],
        function: impl FnOnce(Blocks<'_>, &[crate::Value]) -> R,
    ) -> Result<Arc<Placement>, ProblemError> {
        let parameters = &self.parameters;
        let numbers = blocks.iter().map(|block| parameters.slice(block.index()));
        self.tracer.trace(numbers, data, function).map_err(|error| match error {
            TraceError::NoResidual => ProblemError::NoResidual { residual_block },
            TraceError::Value(source) => ProblemError::Value { residual_block, source },
        })?;
        let placement = self.registry.place(&self.tracer.expression);
        if placement.blocks.len() < blocks.len() {
            let ignored = (0..blocks.len()).find(|&k| !placement.blocks.contains(&(k as u32))).unwrap_or(0);
            let block = blocks[ignored].index();
            return Err(ProblemError::IgnoredBlock { residual_block, argument: ignored, block });
        }
        Ok(placement)
    }

    /// Appends a recorded residual block to its group.
    pub(super) fn add_instance(&mut self, placement: &Placement, blocks: &[BlockId], data: &[f64], width: usize) {
        self.kept.clear();
        let group = self.group(placement);
        let offsets = self.parameters.offsets();
        let starts = placement.blocks.iter().map(|&k| offsets[blocks[k as usize].index()]);
        let data = placement.data.iter().map(|&k| data[k as usize]);
        let (table, residual_blocks) = self.groups[group].open();
        table.push(starts, data);
        residual_blocks.push(self.residual_blocks as u32);
        self.residual_blocks += 1;
        self.residuals += width;
    }

    /// The group of a placement, made if it is the first of its topology.
    pub(super) fn group(&mut self, placement: &Placement) -> usize {
        let blocks = placement.blocks.len();
        while self.groups.len() <= placement.topology {
            self.groups.push(GroupInstances::default());
        }
        let table = &mut self.groups[placement.topology].table;
        if table.blocks.len() != blocks {
            *table = Arc::new(InstanceTable { blocks: vec![Vec::new(); blocks], ..InstanceTable::default() });
        }
        placement.topology
    }

    pub(super) fn check_blocks(&self, residual_block: usize, blocks: &[BlockId]) -> Result<(), ProblemError> {
        if blocks.is_empty() {
            return Err(ProblemError::NoBlock { residual_block });
        }
        let count = self.parameters.blocks();
        for (argument, block) in blocks.iter().enumerate() {
            let block = block.index();
            if block >= count {
                return Err(ProblemError::UnknownBlock { residual_block, argument, block, blocks: count });
            }
        }
        match repeated(blocks) {
            Some(block) => Err(ProblemError::RepeatedBlock { residual_block, block: block.index() }),
            None => Ok(()),
        }
    }

    pub(super) fn check_room(&self, instances: usize, width: usize) -> Result<(), ProblemError> {
        let rows = instances.saturating_mul(width).saturating_add(self.residuals);
        if u32::try_from(rows).is_ok() { Ok(()) } else { Err(ProblemError::TooLarge { what: "residuals" }) }
    }
}

/// A block that occurs twice.
fn repeated(blocks: &[BlockId]) -> Option<BlockId> {
    const FEW: usize = 16;
    if blocks.len() <= FEW {
        return blocks.iter().enumerate().find(|&(k, block)| blocks[..k].contains(block)).map(|(_, &block)| block);
    }
    let mut sorted = blocks.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}
