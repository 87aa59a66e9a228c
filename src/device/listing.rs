//! Incidence lists made on the device, by counting (`kernels/lists.wgsl`): the indices are there anyhow, so that nothing else has to be
//! sorted, and uploaded, by the host.
//!
//! The lists are those of [`lists`](super::lists), number by number. That is for many blocks of one size that few instances touch, each by itself, as those of
//! a mesh; how long lists are decides which code sums along them, so other problems have theirs made on the host.

use super::buffers::Buffers;
use super::counting::{self, Counting, Entries, Keys, LONGEST, Touch};
use super::layout::Layout;
use super::pieces::{Piece, Pieces};
use crate::backend::Group;
use crate::backend::gpu::{Download, GpuBuffer, GpuContext, GpuError};
use crate::kernel::wgsl::Slot;
use rayon::prelude::*;

/// Pieces that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// The instances of a group in one slot.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// The group, and the slot.
    pub group: usize,
    pub block: u32,
    pub touch: Touch,
}

/// Blocks of which the host lists in less time than it takes to tell whether the device may.
const FEW_BLOCKS: usize = 1 << 17;

/// Whether the device is one for it, and there are blocks enough.
pub fn suits(context: &GpuContext, blocks: usize) -> bool {
    context.info().device_type == wgpu::DeviceType::DiscreteGpu && blocks >= FEW_BLOCKS
}

/// Number of components of every piece, if all have as many, and no instance touches another piece than the first of a block.
pub fn common_size(layout: &Layout, pieces: &Pieces) -> Option<usize> {
    let mut parts = layout.shapes.iter().flat_map(|shape| &shape.parts);
    let size = pieces.all.first()?.size;
    let alike = parts.all(|part| part.piece == 0 && part.size == u32::from(size))
        && (pieces.firsts().is_none() || pieces.all.par_iter().with_min_len(STRETCH).all(|piece| piece.size == size));
    alike.then_some(usize::from(size))
}

/// Whether there is room for them.
pub fn have_room(listed: &[Listed]) -> bool {
    (1..=counting::MOST_TOUCHES).contains(&listed.len())
}

/// Looks for the lists of some pieces among all instances: calls `f` with what it has of them after each touch, until `f` is true. At last that is
/// all.
pub fn lists_of(
    some: &[usize],
    groups: &[Group],
    layout: &Layout,
    pieces: &Pieces,
    listed: &[Listed],
    mut f: impl FnMut(&[Vec<u32>]) -> bool,
) -> bool {
    let places = &layout.places[..];
    let on_device = Bits::of(places.len(), some.iter().map(|&piece| pieces.all[piece].start));
    // Where they start on the host, so that nothing has to be looked up for the others.
    let starts = places.par_iter().enumerate().with_min_len(STRETCH);
    let starts: Vec<u32> = starts.filter(|(_, place)| on_device.has(**place)).map(|(start, _)| start as u32).collect();
    let on_host = Bits::of(places.len(), starts.into_iter());
    let mut lists = vec![Vec::new(); some.len()];
    listed.iter().any(|&Listed { group, block, touch }| {
        let column = &groups[group].table.blocks[block as usize];
        let entries = column.par_iter().zip(touch.base..touch.base + touch.count).with_min_len(STRETCH);
        let found: Vec<(&u32, u32)> = entries.filter(|(start, _)| on_host.has(**start)).collect();
        for (&start, entry) in found {
            // Pieces stand in the order of the device.
            let list = some.partition_point(|&piece| pieces.all[piece].start < places[start as usize]);
            lists[list].push(entry);
        }
        f(&lists)
    })
}

/// Some places. A bit for each of all stays in a cache.
struct Bits(Vec<u64>);

impl Bits {
    /// `some` of so many.
    fn of(all: usize, some: impl Iterator<Item = u32>) -> Self {
        let mut bits = vec![0; all.div_ceil(64)];
        some.for_each(|place| bits[place as usize / 64] |= 1 << (place % 64));
        Bits(bits)
    }

    fn has(&self, place: u32) -> bool {
        self.0[place as usize / 64] & 1 << (place % 64) != 0
    }
}

/// Lists to be made, of pieces of a [`common_size`].
pub struct Listing {
    counting: Counting,
    pub listed: Vec<Listed>,
    /// Number of components of a piece.
    size: usize,
}

impl Listing {
    /// Has the kernels compiled.
    pub fn new(context: &GpuContext, listed: Vec<Listed>, size: usize) -> Result<Self, GpuError> {
        Ok(Listing { counting: Counting::new(context)?, listed, size })
    }

    /// Words of the table of the pieces and of lists of at most so many entries.
    pub fn words(&self, pieces: &Pieces) -> usize {
        counting::words(pieces.len(), &self.touches())
    }

    fn touches(&self) -> Vec<Touch> {
        self.listed.iter().map(|listed| listed.touch).collect()
    }

    /// Makes table and lists in the [`Slot::Incidence`] of a shard.
    pub fn make(self, context: &GpuContext, shard: &Buffers, pieces: &Pieces) -> Result<PendingLists, GpuError> {
        let touches = self.touches();
        let head = |piece: &Piece| [piece.start, u32::from(piece.held)];
        let keys = match pieces.firsts() {
            None => Keys::Alike(self.size as u32),
            Some(firsts) => Keys::At {
                firsts: GpuBuffer::from_slice(context, "firsts", firsts)?,
                heads: GpuBuffer::from_slice(
                    context,
                    "heads",
                    &pieces.all.par_iter().with_min_len(STRETCH).map(head).collect::<Vec<_>>(),
                )?,
            },
        };
        let mut commands = context.commands("lists");
        let (from, to) = (shard.get(Slot::Indices), shard.get(Slot::Incidence));
        let keys = (pieces.len(), &keys, Entries::Sorted);
        let sums = self.counting.record(context, &mut commands, (&touches, from), keys, to)?;
        let longest = commands.download(sums.raw(), 0..4);
        commands.submit();
        Ok(PendingLists { longest })
    }
}

/// Lists that the device is making.
pub struct PendingLists {
    longest: Download,
}

impl PendingLists {
    /// Waits for them; whether all are short enough.
    pub fn are_short(self, context: &GpuContext) -> Result<bool, GpuError> {
        Ok(self.longest.wait::<u32>(context)?[0] <= LONGEST)
    }
}
