//! Buffers by what they are for.

use super::shard::Shard;
use crate::backend::Group;
use crate::backend::gpu::{GpuBuffer, GpuContext, GpuError};
use crate::device::shard::GroupShape;
use crate::kernel::wgsl::{Format, Slot};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Elements that a thread makes at a time, before it copies them where the device reads them.
const PIECE: usize = 1 << 10;

/// Writes some elements of a column: `f(column, elements, bytes)`. One copy of what calls it does for all.
type MakeColumn<'m> = dyn Fn(usize, Range<usize>, &mut [u8]) + Sync + 'm;

/// Buffers of a device, one a slot.
pub(super) struct Buffers {
    context: GpuContext,
    by_slot: FxHashMap<Slot, GpuBuffer<u8>>,
}

impl Buffers {
    pub fn new(context: &GpuContext) -> Self {
        Buffers { context: context.clone(), by_slot: FxHashMap::default() }
    }

    /// What it takes to evaluate the residuals and the Jacobian of a shard. `places`: where each parameter stands on the device, if not
    /// where it was stated.
    pub fn of_shard(
        context: &GpuContext,
        groups: &[Group],
        (shapes, places): (&[GroupShape], Option<&[u32]>),
        shard: &Shard,
        format: Format,
    ) -> Result<Self, GpuError> {
        let mut buffers = Buffers::new(context);
        if shard.indices.is_empty() {
            let columns = shard.index_columns(groups);
            let lengths: Vec<usize> = columns.iter().map(|column| column.len()).collect();
            buffers.columns(Slot::Indices, size_of::<u32>(), &lengths, &|column, instances, bytes| {
                let starts = &columns[column][instances];
                let Some(places) = places else { return bytes.copy_from_slice(bytemuck::cast_slice(starts)) };
                for (place, &start) in bytes.chunks_exact_mut(4).zip(starts) {
                    place.copy_from_slice(&places[start as usize].to_ne_bytes());
                }
            })?;
        } else {
            buffers.upload(Slot::Indices, bytemuck::cast_slice(&shard.indices))?;
        }
        let (columns, lengths): (Vec<_>, Vec<usize>) = shard.data_columns(groups, shapes).into_iter().unzip();
        buffers.columns(Slot::Data, format.bytes(), &lengths, &|column, instances, bytes| {
            columns[column].encode(instances, format, bytes);
        })?;
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

    /// Makes a storage buffer of columns with elements of so many bytes, 4 or a multiple of it: `make(column, elements, bytes)` writes some of
    /// them.
    pub fn columns(
        &mut self,
        slot: Slot,
        size: usize,
        lengths: &[usize],
        make: &MakeColumn<'_>,
    ) -> Result<(), GpuError> {
        // In a browser memory of the device cannot be written to.
        if cfg!(target_arch = "wasm32") {
            let mut all = vec![0; lengths.iter().sum::<usize>() * size];
            let mut rest = &mut all[..];
            for (column, &length) in lengths.iter().enumerate() {
                let (mine, others) = rest.split_at_mut(length * size);
                rest = others;
                make(column, 0..length, mine);
            }
            return self.upload(slot, &all);
        }
        let ends: Vec<usize> = lengths
            .iter()
            .scan(0, |end, length| {
                *end += length;
                Some(*end)
            })
            .collect();
        let count = ends.last().copied().unwrap_or(0);
        // Calls `f(first byte, bytes)` for bytes from `first` on.
        let each = |first: usize, length: usize, f: &mut dyn FnMut(usize, &[u8])| {
            let (mut place, end) = (first / size, (first + length) / size);
            let mut column = ends.partition_point(|&end| end <= place);
            let mut bytes = vec![0; PIECE.min(end - place) * size];
            while place < end {
                let (begin, stop) = (ends[column] - lengths[column], end.min(ends[column]).min(place + PIECE));
                let made = &mut bytes[..(stop - place) * size];
                make(column, place - begin..stop - begin, made);
                f(place * size - first, made);
                place = stop;
                while ends.get(column).is_some_and(|&end| end <= place) {
                    column += 1;
                }
            }
        };
        self.fits(slot, count * size)?;
        let buffer = GpuBuffer::new(&self.context, slot.variable(), count * size)?;
        buffer.fill(|first, mut to| {
            let length = to.len();
            each(first, length, &mut |place, made| to.slice(place..place + made.len()).copy_from_slice(made));
        })?;
        self.by_slot.insert(slot, buffer);
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
