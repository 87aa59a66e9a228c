//! Buffers by what they are for.

use super::shard::Shard;
use crate::backend::Group;
use crate::backend::gpu::{GpuBuffer, GpuContext, GpuError};
use crate::device::shard::GroupShape;
use crate::kernel::wgsl::{Format, Slot};
use rustc_hash::FxHashMap;

/// Buffers of a device, one a slot.
pub(super) struct Buffers {
    context: GpuContext,
    by_slot: FxHashMap<Slot, GpuBuffer<u8>>,
}

impl Buffers {
    pub fn new(context: &GpuContext) -> Self {
        Buffers { context: context.clone(), by_slot: FxHashMap::default() }
    }

    /// What it takes to evaluate the residuals and the Jacobian of a shard.
    pub fn of_shard(
        context: &GpuContext,
        groups: &[Group],
        shapes: &[GroupShape],
        shard: &Shard,
        format: Format,
    ) -> Result<Self, GpuError> {
        let mut buffers = Buffers::new(context);
        buffers.upload(Slot::Indices, bytemuck::cast_slice(&shard.indices))?;
        buffers.upload(Slot::Data, &shard.data_bytes(groups, shapes, format))?;
        buffers.zeros(Slot::Residuals, shard.residuals, format)?;
        buffers.zeros(Slot::Stored, shard.stored, format)?;
        Ok(buffers)
    }

    /// The buffer of a slot, if it has one.
    pub fn find(&self, slot: Slot) -> Option<&GpuBuffer<u8>> {
        self.by_slot.get(&slot)
    }

    /// The buffer of a slot that has one.
    pub fn get(&self, slot: Slot) -> &GpuBuffer<u8> {
        &self.by_slot[&slot]
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.by_slot.values().map(GpuBuffer::bytes).sum()
    }

    /// Makes a storage buffer with a copy of the bytes.
    pub fn upload(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), GpuError> {
        self.fits(slot, bytes.len())?;
        self.by_slot.insert(slot, GpuBuffer::from_slice(&self.context, slot.variable(), bytes)?);
        Ok(())
    }

    /// Makes a storage buffer for words that are yet to be written.
    pub fn words(&mut self, slot: Slot, count: usize) -> Result<(), GpuError> {
        self.fits(slot, 4 * count)?;
        self.by_slot.insert(slot, GpuBuffer::new(&self.context, slot.variable(), 4 * count)?);
        Ok(())
    }

    /// Makes a storage buffer of numbers, all 0.
    pub fn zeros(&mut self, slot: Slot, count: usize, format: Format) -> Result<(), GpuError> {
        let bytes = count * format.bytes();
        self.fits(slot, bytes)?;
        self.by_slot.insert(slot, GpuBuffer::zeros(&self.context, slot.variable(), bytes)?);
        Ok(())
    }

    /// Makes a storage buffer with a copy of another one.
    pub fn copy(&mut self, slot: Slot, from: Slot) -> Result<(), GpuError> {
        let from = self.get(from);
        let copy = GpuBuffer::new(&self.context, slot.variable(), from.len())?;
        let mut commands = self.context.commands(slot.variable());
        commands.copy(from.raw(), 0, copy.raw(), 0, from.bytes());
        commands.submit();
        self.by_slot.insert(slot, copy);
        Ok(())
    }

    /// Makes a uniform buffer.
    pub fn uniform(&mut self, slot: Slot, words: &[u32]) -> Result<(), GpuError> {
        let buffer = GpuBuffer::uniform(&self.context, slot.variable(), bytemuck::cast_slice(words))?;
        self.by_slot.insert(slot, buffer);
        Ok(())
    }

    fn fits(&self, slot: Slot, bytes: usize) -> Result<(), GpuError> {
        let (bytes, limit) = (bytes as u64, self.context.max_binding_bytes());
        if bytes > limit {
            return Err(GpuError::TooLarge { label: slot.variable().to_owned(), bytes, limit });
        }
        Ok(())
    }
}
