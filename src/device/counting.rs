//! Lists by key, made on the device by counting (`kernels/lists.wgsl`).

use super::lists::ROW;
use super::plans::plan;
use crate::backend::gpu::{Binding, Commands, GpuBuffer, GpuContext, GpuError, KernelRequest, PendingKernel};

/// The kernels.
const TEXT: &str = include_str!("../../kernels/lists.wgsl");

/// Touches that there is room for: `MOST_TOUCHES`.
pub const MOST_TOUCHES: usize = 128;

/// Lanes of a workgroup, and what it takes of instances or keys: `LANES` and `TILE`.
const LANES: usize = 256;
const TILE: usize = 2048;

/// The longest lists that are sorted: `LONGEST`. Each has one lane.
pub const LONGEST: u32 = 32;

/// A column of indices, of which each has an entry in the list of its key.
#[derive(Debug, Clone, Copy)]
pub struct Touch {
    /// Where it begins.
    pub column: u32,
    /// How many they are.
    pub count: u32,
    /// The first entry.
    pub base: u32,
}

/// The key of an index.
pub enum Keys {
    /// So many indices have the same.
    Alike(u32),
    /// 1 + the key of each, 0 for those that have none; and of each key two words for its row in the table.
    At { firsts: GpuBuffer<u32>, heads: GpuBuffer<[u32; 2]> },
}

/// Words of the table of so many keys and of all lists.
pub fn words(keys: usize, touches: &[Touch]) -> usize {
    ROW as usize * keys + touches.iter().map(|touch| touch.count as usize).sum::<usize>()
}

/// In which order the entries of a list stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// Ascending, where there are no more than [`LONGEST`].
    Sorted,
    Anyhow,
}

/// The kernels, in the order in which they run.
pub struct Counting(pub Vec<PendingKernel>);

impl Counting {
    /// Has the kernels compiled.
    pub fn new(context: &GpuContext) -> Result<Self, GpuError> {
        const READ: Binding = Binding::ReadOnly;
        const WRITE: Binding = Binding::ReadWrite;
        let request = |entry| KernelRequest {
            label: entry,
            wgsl: TEXT,
            entry,
            bindings: &[Binding::Uniform, READ, READ, READ, WRITE, WRITE, WRITE],
        };
        let entries = ["count_entries", "sum_entries", "place_lists", "fill_lists", "order_lists"];
        context.start_kernels(&entries.map(request)).map(Counting)
    }

    /// Records the making of a table, of a row a key whose last two words tell where its list begins and ends, and of the lists behind it:
    /// in `to`, which has room for all [`words`]. The first word of what it returns is the length of the longest.
    pub fn record<T: bytemuck::Pod>(
        &self,
        context: &GpuContext,
        commands: &mut Commands,
        (touches, indices): (&[Touch], &GpuBuffer<T>),
        (count, keys, entries): (usize, &Keys, Entries),
        to: &GpuBuffer<impl bytemuck::Pod>,
    ) -> Result<GpuBuffer<u32>, GpuError> {
        let size = if let Keys::Alike(size) = keys { *size } else { 0 };
        let mut rows = vec![count as u32, size, ROW * count as u32, 0];
        let mut workgroups = 0;
        for touch in touches {
            let first = workgroups;
            workgroups += touch.count.div_ceil(TILE as u32);
            rows.extend([workgroups, first, touch.count, touch.column, touch.base, 0, 0, 0]);
        }
        rows.resize(4 + 8 * MOST_TOUCHES, 0);
        let plan = plan(context, &rows)?;
        let tiles = count.div_ceil(TILE);
        let next = GpuBuffer::<u32>::new(context, "next", count)?;
        let sums = GpuBuffer::<u32>::new(context, "sums", 1 + tiles)?;
        for counts in [&next, &sums] {
            commands.clear(counts.raw());
        }
        let (firsts, heads) = match keys {
            // Not looked at.
            Keys::Alike(_) => (indices.binding(), indices.binding()),
            Keys::At { firsts, heads } => (firsts.binding(), heads.binding()),
        };
        let resources =
            [plan.binding(), indices.binding(), firsts, heads, next.binding(), sums.binding(), to.binding()];
        let over_touches = u64::from(workgroups);
        let sorted = if entries == Entries::Sorted { count.div_ceil(LANES) as u64 } else { 0 };
        for (kernel, workgroups) in self.0.iter().zip([over_touches, tiles as u64, tiles as u64, over_touches, sorted])
        {
            commands.dispatch(kernel.wait()?, &kernel.bind_ranges(&resources)?, &[], workgroups);
        }
        Ok(sums)
    }
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
