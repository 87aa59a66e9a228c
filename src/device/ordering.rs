//! The order of blocks and instances, found on the device (`kernels/locality.wgsl`): the one that the host finds
//! ([`locality`](crate::problem)), number by number, in a tenth of the time.
//!
//! Everything is uploaded as it was stated; the host learns where parameters stand, which it has to know to read them back, and leaves its own
//! tables as they are. That is for many free blocks of one size that pairs of them couple, as the edges of a mesh do.

use super::buffers::Buffers;
use super::counting::{self, Counting, Entries, Keys, LONGEST, Touch};
use super::layout::Layout;
use super::plans::plan;
use crate::backend::Group;
use crate::backend::gpu::{
    Binding, Commands, Download, GpuBuffer, GpuContext, GpuError, KernelRequest, PendingKernel, PendingMemory,
};
use crate::kernel::wgsl::{self, Format, Slot};
use crate::problem::{PairWalk, Parameters, pair_walk};
use rayon::prelude::*;

/// The kernels.
const TEXT: &str = include_str!("../../kernels/locality.wgsl");

/// Groups that there is room for: `MOST_TABLES`.
const MOST_TABLES: usize = 32;

/// Lanes of a workgroup, and what it takes of instances: `LANES` and `TILE`.
const LANES: usize = 256;
const TILE: usize = 2048;

/// Rings of a region: `LEVELS`.
const LEVELS: usize = 128;

/// Blocks that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// Bytes of a call, so that the next one is where a dynamic offset may be.
const CALL: usize = 256;

/// How the device finds the order of a problem that is laid out as it was stated.
pub struct Ordering {
    kernels: Kernels,
    walk: PairWalk,
    /// Numbers of a block.
    size: usize,
}

impl Ordering {
    /// If the device can find it and, unless it is `wanted`, its kernels are known: the host is done before they are compiled.
    pub fn of(context: &GpuContext, groups: &[Group], parameters: &Parameters, wanted: bool) -> Option<Self> {
        let blocks = parameters.blocks();
        let size = parameters.common_free_size().filter(|&size| wgsl::pieces(size).len() == 1)?;
        if parameters.has_bounds() || parameters.has_manifolds() || groups.len() > MOST_TABLES {
            return None;
        }
        let walk = pair_walk(groups.iter().map(|group| &*group.table), blocks)?;
        let instances: usize = groups.iter().map(|group| group.table.count).sum();
        let largest = (4 * counting::words(groups.len() * blocks, &[column(instances)])) as u64;
        let fits = largest <= context.max_binding_bytes() && walk.seeds.len() * LEVELS < u32::MAX as usize / 4;
        if !fits || !(wanted || Kernels::are_known(context)) {
            return None;
        }
        // What is wrong with one is told by the host's way too, or does not matter there.
        Some(Ordering { kernels: Kernels::new(context).ok()?, walk, size })
    }

    /// Puts the numbers of a problem, which is laid out as it was stated and has one shard, in order.
    pub fn put(
        &self,
        context: &GpuContext,
        layout: &Layout,
        (common, shard): (&Buffers, &Buffers),
        real: Format,
    ) -> Result<PendingOrder, GpuError> {
        let tables = Tables::new(layout);
        let sizes = Sizes::new(layout, &tables, (common, shard), self.size);
        let plan = plan(context, &self.plan_rows(&tables, &sizes, real))?;
        let (indices, data, point) = (shard.get(Slot::Indices), shard.get(Slot::Data), common.get(Slot::Point));
        let memory = Memory::new(context, &sizes)?;
        let mut commands = context.commands("order");
        // What is moved is read elsewhere: buffers stay where kernels of the steps are fast with them.
        for (from, to) in [indices, data, point].into_iter().zip(&memory.stated) {
            commands.copy(from.raw(), 0, to.raw(), 0, from.bytes());
        }
        let [stated_indices, stated_data, stated_point] = &memory.stated;
        let verdict = GpuBuffer::<u32>::new(context, "verdict", VERDICT)?;
        commands.clear(verdict.raw());
        self.rank_blocks(context, &mut commands, (&tables, &sizes), (&plan, &memory), &verdict)?;

        let Kernels { counting, own: [.., rank_instances, move_instances, move_blocks] } = &self.kernels;
        let Memory { ranks, by_rank, least_ranks, .. } = &memory;
        let over_instances = u64::from(tables.workgroups);
        let resources = [plan.binding(), stated_indices.binding(), ranks.binding(), least_ranks.binding()];
        dispatch(&mut commands, rank_instances, &resources, over_instances)?;
        let lists = (sizes.ranks, &Keys::Alike(1), Entries::Sorted);
        let all_instances = [column(sizes.instances)];
        let sums = counting.record(context, &mut commands, (&all_instances, least_ranks), lists, by_rank)?;
        for (kernel, workgroups, from, to) in [
            (move_instances, over_instances, stated_data, data),
            (move_blocks, sizes.over_blocks(), stated_point, point),
        ] {
            let resources = [
                plan.binding(),
                stated_indices.binding(),
                ranks.binding(),
                by_rank.binding(),
                from.binding(),
                indices.binding(),
                to.binding(),
            ];
            dispatch(&mut commands, kernel, &resources, workgroups)?;
        }
        commands.copy(point.raw(), 0, common.get(Slot::TrialPoint).raw(), 0, point.bytes());
        commands.copy(sums.raw(), 0, verdict.raw(), 4, 4);
        let verdict = commands.download(verdict.raw(), 0..verdict.bytes());
        commands.submit();
        Ok(PendingOrder { verdict, ranks: memory.ranks, size: self.size })
    }

    /// Records how blocks are ranked.
    fn rank_blocks(
        &self,
        context: &GpuContext,
        commands: &mut Commands,
        (tables, sizes): (&Tables, &Sizes),
        (plan, memory): (&GpuBuffer<u32>, &Memory),
        refused: &GpuBuffer<u32>,
    ) -> Result<(), GpuError> {
        let Kernels { counting, own: [couple, grow, number_rings, walk, ..] } = &self.kernels;
        let Memory { stated: [starts, ..], neighbours, keys, ranks, .. } = memory;
        let seeds = GpuBuffer::from_slice(context, "seeds", &self.walk.seeds)?;
        let lists = (sizes.blocks, &Keys::Alike(self.size as u32), Entries::Anyhow);
        counting.record(context, commands, (&tables.pairs, starts), lists, neighbours)?;
        let resources = [
            plan.binding(),
            refused.binding(),
            starts.binding(),
            seeds.binding(),
            neighbours.binding(),
            keys.binding(),
        ];
        dispatch(commands, couple, &resources, sizes.over_blocks())?;

        let mut calls = vec![0u32; LEVELS * CALL / 4];
        (0..).zip(calls.chunks_exact_mut(CALL / 4)).for_each(|(level, call)| call[0] = level);
        let calls = GpuBuffer::uniform(context, "levels", &calls)?;
        let call = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: calls.raw(),
            offset: 0,
            size: std::num::NonZeroU64::new(CALL as u64),
        });
        let bound = grow.bind_ranges(&[plan.binding(), call, neighbours.binding(), keys.binding()])?;
        // Seeds are at the first.
        for level in 2..LEVELS {
            commands.dispatch(grow.wait()?, &bound, &[(level * CALL) as u32], sizes.over_blocks());
        }

        dispatch(commands, number_rings, &[plan.binding(), refused.binding(), keys.binding()], sizes.over_blocks())?;
        let all_blocks = [column(sizes.blocks)];
        let rings = GpuBuffer::<u32>::new(context, "rings", counting::words(self.rings(), &all_blocks))?;
        let lists = (self.rings(), &Keys::Alike(1), Entries::Anyhow);
        counting.record(context, commands, (&all_blocks, keys), lists, &rings)?;
        let resources =
            [plan.binding(), refused.binding(), rings.binding(), neighbours.binding(), keys.binding(), ranks.binding()];
        dispatch(commands, walk, &resources, self.walk.seeds.len() as u64)
    }

    /// Rings of all regions.
    fn rings(&self) -> usize {
        LEVELS * self.walk.seeds.len()
    }

    /// `Plan`.
    fn plan_rows(&self, tables: &Tables, sizes: &Sizes, real: Format) -> Vec<u32> {
        let mut rows = vec![
            sizes.blocks as u32,
            self.size as u32,
            (real.bytes() / 4) as u32,
            self.walk.seeds.len() as u32,
            self.walk.most_touches as u32,
            counting::words(sizes.ranks, &[]) as u32,
            counting::words(self.rings(), &[]) as u32,
            0,
        ];
        rows.extend(&tables.rows);
        rows
    }
}

/// What memory is needed for.
struct Sizes {
    blocks: usize,
    /// Entries of the lists of neighbours.
    touches: usize,
    instances: usize,
    /// Ranks of blocks, table by table.
    ranks: usize,
    /// Bytes of indices, data and point.
    stated: [usize; 3],
}

impl Sizes {
    fn new(layout: &Layout, tables: &Tables, (common, shard): (&Buffers, &Buffers), size: usize) -> Self {
        let blocks = layout.places.len() / size;
        Sizes {
            blocks,
            touches: tables.pairs.iter().map(|touch| touch.count as usize).sum(),
            instances: tables.instances,
            ranks: tables.count * blocks,
            stated: [shard.get(Slot::Indices), shard.get(Slot::Data), common.get(Slot::Point)].map(GpuBuffer::len),
        }
    }

    fn over_blocks(&self) -> u64 {
        self.blocks.div_ceil(LANES) as u64
    }
}

/// What takes most of the memory that an order is found in.
struct Memory {
    /// Indices, data and point as they were stated.
    stated: [GpuBuffer<u8>; 3],
    neighbours: GpuBuffer<u32>,
    keys: GpuBuffer<u32>,
    /// The place of each block.
    ranks: GpuBuffer<u32>,
    by_rank: GpuBuffer<u32>,
    least_ranks: GpuBuffer<u32>,
}

impl Memory {
    fn new(context: &GpuContext, sizes: &Sizes) -> Result<Self, GpuError> {
        let words = |label: &str, count: usize| GpuBuffer::<u32>::new(context, label, count);
        let stated = |k: usize| GpuBuffer::<u8>::new(context, "as stated", sizes.stated[k]);
        Ok(Memory {
            stated: [stated(0)?, stated(1)?, stated(2)?],
            neighbours: words("neighbours", counting::words(sizes.blocks, &[column(sizes.touches)]))?,
            keys: words("keys", sizes.blocks)?,
            ranks: words("ranks", sizes.blocks)?,
            by_rank: words("instances by rank", counting::words(sizes.ranks, &[column(sizes.instances)]))?,
            least_ranks: words("least ranks", sizes.instances)?,
        })
    }
}

fn dispatch(
    commands: &mut Commands,
    kernel: &PendingKernel,
    resources: &[wgpu::BindingResource<'_>],
    workgroups: u64,
) -> Result<(), GpuError> {
    commands.dispatch(kernel.wait()?, &kernel.bind_ranges(resources)?, &[], workgroups);
    Ok(())
}

/// Words of what is said of an order: why it was refused, and the most instances whose first block is the same.
const VERDICT: usize = 2;

/// An order that the device is finding.
pub struct PendingOrder {
    verdict: Download,
    /// The place of each block.
    ranks: GpuBuffer<u32>,
    /// Numbers of a block.
    size: usize,
}

impl PendingOrder {
    /// Waits for it: where each parameter stands. `None` if that is not the order which the host finds.
    pub fn places(self, context: &GpuContext) -> Result<Option<Vec<u32>>, GpuError> {
        let mut commands = context.commands("ranks");
        let ranks = commands.download(self.ranks.raw(), 0..self.ranks.bytes());
        commands.submit();
        let verdict: Vec<u32> = self.verdict.wait(context)?;
        if verdict[0] != 0 || verdict[1] > LONGEST {
            return Ok(None);
        }
        let ranks: Vec<u32> = ranks.wait(context)?;
        let size = self.size as u32;
        let places = ranks.par_iter().with_min_len(STRETCH).flat_map_iter(|rank| size * rank..size * (rank + 1));
        Ok(Some(places.collect()))
    }
}

/// So many indices.
fn column(count: usize) -> Touch {
    Touch { column: 0, count: count as u32, base: 0 }
}

/// The groups, as kernels find them in their plan: `Table`.
struct Tables {
    rows: Vec<u32>,
    count: usize,
    workgroups: u32,
    instances: usize,
    /// Each slot of those with two blocks an instance; entries tell where indices stand.
    pairs: Vec<Touch>,
}

impl Tables {
    fn new(layout: &Layout) -> Self {
        let (mut rows, mut pairs) = (Vec::new(), Vec::new());
        let (mut workgroups, mut instances) = (0, 0);
        for (place, shape) in layout.shards[0].groups.iter().zip(&layout.shapes) {
            let first = workgroups;
            workgroups += place.count.div_ceil(TILE as u32);
            let (width, columns) = (shape.slots as u32, shape.columns.len() as u32);
            rows.extend([workgroups, first, place.count, width, place.blocks, instances, place.data, columns]);
            instances += place.count;
            if width == 2 {
                let begins = [place.blocks, place.blocks + place.count];
                pairs.extend(begins.map(|column| Touch { column, count: place.count, base: column }));
            }
        }
        rows.resize(8 * MOST_TABLES, 0);
        Tables { rows, count: layout.shapes.len(), workgroups, instances: instances as usize, pairs }
    }
}

/// What finds the orders of later problems that are like a first one, made ready in the background.
pub struct Ahead {
    _kernels: Kernels,
    _memory: Option<PendingMemory>,
}

impl Ahead {
    /// After a problem whose blocks have so many numbers each. What is wrong is told when it is asked for again.
    pub fn new(context: &GpuContext, layout: &Layout, buffers: (&Buffers, &Buffers), size: usize) -> Option<Self> {
        let is_first = !Kernels::are_known(context);
        let kernels = Kernels::new(context).ok()?;
        let tables = Tables::new(layout);
        let sizes = Sizes::new(layout, &tables, buffers, size);
        // Who limits the memory wants it for what is certain.
        let may = is_first && !tables.pairs.is_empty() && !context.is_memory_limited();
        let memory = may.then(|| context.prepare_memory(move |context| drop(Memory::new(context, &sizes))));
        Some(Ahead { _kernels: kernels, _memory: memory.flatten() })
    }
}

/// The kernels that find orders, the same for all problems.
struct Kernels {
    counting: Counting,
    own: [PendingKernel; 7],
}

impl Kernels {
    /// Has them compiled.
    fn new(context: &GpuContext) -> Result<Self, GpuError> {
        let counting = Counting::new(context)?;
        let own = context.start_kernels(&requests())?;
        Ok(Kernels { counting, own: own.try_into().expect("one a request") })
    }

    /// Whether they were compiled for an earlier problem.
    fn are_known(context: &GpuContext) -> bool {
        context.has_kernels(&requests())
    }
}

const READ: Binding = Binding::ReadOnly;
const WRITE: Binding = Binding::ReadWrite;

/// Those that no lists are made with, in the order in which they run.
fn requests() -> [KernelRequest<'static>; 7] {
    let request = |entry, bindings| KernelRequest { label: entry, wgsl: TEXT, entry, bindings };
    [
        request("couple", &[Binding::Uniform, WRITE, READ, READ, WRITE, WRITE]),
        request("grow", &[Binding::Uniform, Binding::DynamicUniform, READ, WRITE]),
        request("number_rings", &[Binding::Uniform, WRITE, WRITE]),
        request("walk", &[Binding::Uniform, WRITE, READ, READ, READ, WRITE]),
        request("rank_instances", &[Binding::Uniform, READ, READ, WRITE]),
        request("move_instances", &MOVES),
        request("move_blocks", &MOVES),
    ]
}

/// What instances and blocks are moved with.
const MOVES: [Binding; 7] = [Binding::Uniform, READ, READ, READ, READ, WRITE, WRITE];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_text() {
        let sizes = [("MOST_TABLES", MOST_TABLES), ("LANES", LANES), ("TILE", TILE), ("LEVELS", LEVELS)];
        for (name, size) in sizes {
            assert!(TEXT.contains(&format!("const {name} = {size}u;")), "{name}");
        }
    }
}
