//! Incidence lists made on the device, by counting (`kernels/lists.wgsl`): the indices are there anyhow, so that nothing else has to be
//! sorted, and uploaded, by the host.
//!
//! The lists are those of [`lists`](super::lists), number by number. That is for many blocks of one size that few instances touch, each by itself, as those of
//! a mesh; how long lists are decides which code sums along them, so other problems have theirs made on the host.

use super::buffers::Buffers;
use super::layout::Layout;
use super::lists::ROW;
use super::pieces::{Piece, Pieces};
use super::plans::plan;
use crate::backend::Group;
use crate::backend::gpu::{Binding, GpuBuffer, GpuContext, GpuError, KernelRequest, PendingKernel};
use crate::kernel::wgsl::Slot;
use rayon::prelude::*;

/// The kernels.
const TEXT: &str = include_str!("../../kernels/lists.wgsl");

/// Touches that there is room for: `MOST_TOUCHES`.
const MOST_TOUCHES: usize = 128;

/// Lanes of a workgroup, and what it takes of instances or blocks: `LANES` and `TILE`.
const LANES: usize = 256;
const TILE: usize = 2048;

/// The longest lists that are sorted there: `LONGEST`. Of many blocks whose lists are no longer than this, each has one lane.
const LONGEST: u32 = 32;

/// Pieces that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// The instances of a group in one slot.
#[derive(Debug, Clone, Copy)]
pub struct Listed {
    /// The group, and the slot.
    pub group: usize,
    pub block: u32,
    /// Where their block starts begin among the indices.
    pub column: u32,
    /// How many they are.
    pub count: u32,
    /// The entry of instance 0.
    pub base: u32,
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
    (1..=MOST_TOUCHES).contains(&listed.len())
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
    listed.iter().any(|touch| {
        let column = &groups[touch.group].table.blocks[touch.block as usize];
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

/// Lists to be made, by kernels that are compiled meanwhile, of pieces of a [`common_size`].
pub struct Listing {
    kernels: Vec<PendingKernel>,
    listed: Vec<Listed>,
    /// Number of components of a piece.
    size: usize,
}

impl Listing {
    /// Has the kernels compiled.
    pub fn new(context: &GpuContext, listed: Vec<Listed>, size: usize) -> Result<Self, GpuError> {
        Ok(Listing { kernels: start_kernels(context)?, listed, size })
    }

    /// Words of the table of the pieces and of lists of at most so many entries.
    pub fn words(&self, pieces: &Pieces) -> usize {
        ROW as usize * pieces.len() + self.listed.iter().map(|touch| touch.count as usize).sum::<usize>()
    }

    /// Makes table and lists in the [`Slot::Incidence`] of a shard, and waits for them; whether all are short enough.
    pub fn make(self, context: &GpuContext, shard: &Buffers, pieces: &Pieces) -> Result<bool, GpuError> {
        let size = if pieces.firsts().is_none() { self.size as u32 } else { 0 };
        let mut rows = vec![pieces.len() as u32, size, ROW * pieces.len() as u32, 0];
        let mut workgroups = 0;
        for touch in &self.listed {
            let first = workgroups;
            workgroups += touch.count.div_ceil(TILE as u32);
            rows.extend([workgroups, first, touch.count, touch.column, touch.base, 0, 0, 0]);
        }
        rows.resize(4 + 8 * MOST_TOUCHES, 0);
        let plan = plan(context, &rows)?;
        let (firsts, heads) = match pieces.firsts() {
            None => (GpuBuffer::new(context, "firsts", 1)?, GpuBuffer::new(context, "heads", 1)?),
            Some(firsts) => {
                let head = |piece: &Piece| [piece.start, u32::from(piece.held)];
                let heads: Vec<[u32; 2]> = pieces.all.par_iter().with_min_len(STRETCH).map(head).collect();
                (GpuBuffer::from_slice(context, "firsts", firsts)?, GpuBuffer::from_slice(context, "heads", &heads)?)
            }
        };
        let tiles = pieces.len().div_ceil(TILE);
        let next = GpuBuffer::<u32>::zeros(context, "next", pieces.len())?;
        let sums = GpuBuffer::<u32>::zeros(context, "sums", 1 + tiles)?;
        let resources = [
            plan.binding(),
            shard.get(Slot::Indices).binding(),
            firsts.binding(),
            heads.binding(),
            next.binding(),
            sums.binding(),
            shard.get(Slot::Incidence).binding(),
        ];
        let mut commands = context.commands("lists");
        let over_blocks = pieces.len().div_ceil(LANES) as u64;
        for (kernel, workgroups) in self.kernels.iter().zip([
            u64::from(workgroups),
            tiles as u64,
            tiles as u64,
            u64::from(workgroups),
            over_blocks,
        ]) {
            commands.dispatch(kernel.wait()?, &kernel.bind_ranges(&resources)?, &[], workgroups);
        }
        let longest = commands.download(sums.raw(), 0..4);
        commands.submit();
        Ok(longest.wait::<u32>(context)?[0] <= LONGEST)
    }
}

/// In the order in which they run.
pub fn start_kernels(context: &GpuContext) -> Result<Vec<PendingKernel>, GpuError> {
    const READ: Binding = Binding::ReadOnly;
    const WRITE: Binding = Binding::ReadWrite;
    let request = |entry| KernelRequest {
        label: entry,
        wgsl: TEXT,
        entry,
        bindings: &[Binding::Uniform, READ, READ, READ, WRITE, WRITE, WRITE],
    };
    context.start_kernels(&["count_entries", "sum_entries", "place_lists", "fill_lists", "order_lists"].map(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_text() {
        let sizes = [("MOST_TOUCHES", MOST_TOUCHES), ("LANES", LANES), ("TILE", TILE), ("LONGEST", LONGEST as usize)];
        for (name, size) in sizes {
            assert!(TEXT.contains(&format!("const {name} = {size}u;")), "{name}");
        }
    }
}
