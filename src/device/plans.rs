//! Tables of what a dispatch is over, as kernels read them from a uniform buffer.

use super::classes::Selection;
use super::couplings::{Couplings, RowPlace};
use super::layout::Layout;
use super::shard::GroupShape;
use crate::backend::gpu::{GpuBuffer, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, WORKGROUP};
use std::ops::Range;
use std::sync::Arc;

/// Most operations of a kernel over groups; more groups are spread over several, which compile side by side.
const MOST_FUSED: usize = 2500;

/// The same for two-float numbers, of which each operation is some twenty of the driver's.
const MOST_FUSED_PAIRS: usize = 300;

/// Most groups of a kernel: a workgroup finds its own by comparing.
const MOST_GROUPS: usize = 32;

/// Workgroups that add up the cost.
const RESIDUAL_WORKGROUPS: u32 = 1024;

/// Numbers of a group, as kernels find them in their plan: `Group` in `kernels/solver.wgsl`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupPlace {
    /// Instances.
    pub count: u32,
    /// Instances from one column of indices or data to the next.
    pub stride: u32,
    /// Where its block starts begin among the indices.
    pub blocks: u32,
    /// Where its data columns begin.
    pub data: u32,
    /// Where its residuals begin.
    pub residuals: u32,
    /// Where its stored numbers begin.
    pub stored: u32,
    /// Where its contributions to sums over parameter blocks begin.
    pub contributions: u32,
}

impl GroupPlace {
    /// Some of the instances.
    fn part(&self, instances: Range<u32>, shape: &GroupShape) -> GroupPlace {
        let after = |numbers: usize| instances.start * numbers as u32;
        GroupPlace {
            count: instances.len() as u32,
            stride: self.stride,
            blocks: self.blocks + instances.start,
            data: self.data + instances.start,
            residuals: self.residuals + after(shape.width),
            stored: self.stored + after(shape.stored),
            contributions: self.contributions + after(shape.contributions),
        }
    }
}

/// Blocks of a class: `Class` in `kernels/solver.wgsl`.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClassPlace {
    /// Blocks, or pieces of blocks.
    pub count: u32,
    /// Workgroups that share them, a lane a block.
    pub workgroups: u32,
    /// Workgroups that share them, as many lanes a block as the class says.
    pub list_workgroups: u32,
    /// Workgroups that would leave no lane a second block.
    pub teams: u32,
    /// Where their table begins in the incidence buffer.
    pub table: u32,
    /// Where their numbers begin in the packed diagonals.
    pub diagonal: u32,
}

/// Where the instances of a kind stand: `Kind` in `kernels/solver.wgsl`.
#[derive(Debug, Clone, Copy)]
pub struct KindPlace {
    /// The number of instance 0 in incidence lists.
    pub base: u32,
    /// Where the numbers of its group begin.
    pub group: GroupPlace,
}

/// How the instances of groups are spread over dispatches.
#[derive(Debug, Clone, Copy)]
pub struct Spread {
    /// Instances that a workgroup takes, in units of its size.
    pub tile: u32,
    /// Most instances of a dispatch.
    pub batch: Option<usize>,
    /// Workgroups that have nothing to do, before the first that has.
    pub idle: u32,
}

/// A dispatch over instances of a shard.
pub(super) struct GroupDispatch {
    pub shard: usize,
    pub plan: Arc<GpuBuffer<u32>>,
    pub workgroups: u64,
}

/// The dispatches of the kernel for some groups.
pub(super) fn group_dispatches(
    context: &GpuContext,
    layout: &Layout,
    groups: Range<usize>,
    spread: Spread,
) -> Result<Vec<GroupDispatch>, GpuError> {
    let mut dispatches = Vec::new();
    for (shard, places) in layout.shards.iter().enumerate() {
        let places = &places.groups[groups.clone()];
        let counts: Vec<u32> = places.iter().map(|place| place.count).collect();
        for batch in batches(&counts, spread.batch) {
            let mut table = GroupTable::new(spread);
            for ((place, shape), instances) in places.iter().zip(&layout.shapes[groups.clone()]).zip(batch) {
                table.push(&place.part(instances, shape));
            }
            dispatches.push(GroupDispatch {
                shard,
                plan: plan(context, &table.rows)?,
                workgroups: u64::from(table.end),
            });
        }
    }
    Ok(dispatches)
}

/// Instances of each group, batch by batch.
fn batches(counts: &[u32], most: Option<usize>) -> Vec<Vec<Range<u32>>> {
    let most = most.map_or(u32::MAX, |most| u32::try_from(most).unwrap_or(u32::MAX));
    let none = || vec![0..0; counts.len()];
    let (mut batches, mut batch, mut room) = (Vec::new(), none(), most);
    for (group, &count) in counts.iter().enumerate() {
        let mut next = 0;
        while next < count {
            if room == 0 {
                batches.push(std::mem::replace(&mut batch, none()));
                room = most;
            }
            let taken = room.min(count - next);
            batch[group] = next..next + taken;
            (next, room) = (next + taken, room - taken);
        }
    }
    if batch.iter().any(|instances| !instances.is_empty()) {
        batches.push(batch);
    }
    batches
}

/// The table of the groups of a dispatch.
struct GroupTable {
    rows: Vec<u32>,
    end: u32,
    tile: u32,
}

impl GroupTable {
    fn new(spread: Spread) -> Self {
        GroupTable { rows: Vec::new(), end: spread.idle, tile: spread.tile }
    }

    fn push(&mut self, group: &GroupPlace) {
        let &GroupPlace { count, stride, blocks, data, residuals, stored, contributions } = group;
        let first = self.end;
        self.end = first + count.div_ceil(WORKGROUP * self.tile);
        let row = [self.end, first, count, stride, self.tile, blocks, data, residuals, stored, contributions];
        push_row(&mut self.rows, &row);
    }
}

/// The table of the classes, whose blocks are shared among as many workgroups as `workgroups` says. `adds`: to what other shards
/// found; `ends`: this is the last of them.
fn class_rows(places: &[ClassPlace], workgroups: impl Fn(&ClassPlace) -> u32, [adds, ends]: [bool; 2]) -> Vec<u32> {
    let mut rows = Vec::new();
    let mut first = 0;
    for place in places {
        let end = first + workgroups(place);
        let [adds, ends] = [adds, ends].map(u32::from);
        push_row(&mut rows, &[end, first, place.count, place.table, place.diagonal, adds, ends]);
        first = end;
    }
    rows
}

/// The table of the classes for kernels that work on each block with one lane.
pub(super) fn class_plan(context: &GpuContext, places: &[ClassPlace]) -> Result<Arc<GpuBuffer<u32>>, GpuError> {
    plan(context, &class_rows(places, |place| place.workgroups, [false, true]))
}

/// The tables of classes and kinds for kernels that follow the incidence lists of a shard.
pub(super) fn list_plan(
    context: &GpuContext,
    classes: &Selection<'_>,
    shard: usize,
) -> Result<Arc<GpuBuffer<u32>>, GpuError> {
    let place = [shard > 0, shard + 1 == classes.shards()];
    let mut rows = class_rows(&classes.places, |place| place.list_workgroups, place);
    let before = rows.len();
    for KindPlace { base, group } in classes.kinds(shard) {
        push_row(&mut rows, &[*base, group.residuals, group.stored, group.blocks, group.data, group.stride]);
    }
    if rows.len() == before {
        // The text has one, as there are no arrays of none.
        push_row(&mut rows, &[0; 6]);
    }
    plan(context, &rows)
}

/// The tables of classes and kinds of pairs.
pub(super) fn pair_plan(context: &GpuContext, couplings: &Couplings) -> Result<Arc<GpuBuffer<u32>>, GpuError> {
    let mut rows = class_rows(&couplings.pair_places, |place| place.workgroups, [false, true]);
    for KindPlace { base, group } in &couplings.kinds {
        push_row(&mut rows, &[*base, group.residuals, group.stored, group.blocks, group.data, group.stride]);
    }
    plan(context, &rows)
}

/// The table of the rows of the matrix, and the workgroups over them: as many as an iteration has, or with a lane a row.
pub(super) fn row_plan(
    context: &GpuContext,
    couplings: &Couplings,
    workgroups: impl Fn(&RowPlace) -> u32,
) -> Result<(Arc<GpuBuffer<u32>>, u64), GpuError> {
    let (mut rows, mut end) = (Vec::new(), 0);
    for place in &couplings.rows {
        let first = end;
        end += workgroups(place);
        push_row(&mut rows, &[end, first, place.count, place.table, place.diagonal, place.slices]);
    }
    Ok((plan(context, &rows)?, u64::from(end)))
}

/// The table of so many blocks on each manifold, one after the other, and the workgroups over them.
pub(super) fn manifold_plan(context: &GpuContext, counts: &[u32]) -> Result<(Arc<GpuBuffer<u32>>, u64), GpuError> {
    let mut table = GroupTable::new(Spread { tile: 1, batch: None, idle: 0 });
    let mut blocks = 0;
    for &count in counts {
        table.push(&GroupPlace { count, stride: count, blocks, ..GroupPlace::default() });
        blocks += count;
    }
    Ok((plan(context, &table.rows)?, u64::from(table.end)))
}

/// The residuals of a shard, and the workgroups over them.
pub(super) struct ResidualDispatch {
    pub plan: Arc<GpuBuffer<u32>>,
    pub workgroups: u64,
}

/// The dispatches over residuals, one a shard.
pub(super) fn residual_dispatches(context: &GpuContext, layout: &Layout) -> Result<Vec<ResidualDispatch>, GpuError> {
    let mut first = 0;
    let dispatch = |residuals: usize| {
        let workgroups = residual_workgroups(residuals);
        let plan = plan(context, &[residuals as u32, first, workgroups, 0])?;
        first += workgroups;
        Ok(ResidualDispatch { plan, workgroups: u64::from(workgroups) })
    };
    layout.shards.iter().map(|shard| shard.residuals).map(dispatch).collect()
}

/// A row of a table: elements of uniform arrays are multiples of four words.
fn push_row(rows: &mut Vec<u32>, row: &[u32]) {
    rows.extend_from_slice(row);
    rows.resize(rows.len().next_multiple_of(4), 0);
}

/// A uniform buffer of tables.
pub(super) fn plan(context: &GpuContext, rows: &[u32]) -> Result<Arc<GpuBuffer<u32>>, GpuError> {
    let (bytes, limit) = (rows.len() as u64 * 4, context.limits().max_uniform_buffer_binding_size);
    if bytes > limit {
        let what = format!("a problem whose shapes fill {bytes} bytes of tables, of {limit}");
        return Err(GpuError::Unsupported { what, device: context.info().name.clone() });
    }
    Ok(Arc::new(GpuBuffer::uniform(context, "plan", rows)?))
}

/// Groups by kernels: as many in one as compile in good time.
pub(super) fn chunks(kernels: &[&Kernel], format: Format) -> Vec<Range<usize>> {
    let most = if format == Format::DoubleF32 { MOST_FUSED_PAIRS } else { MOST_FUSED };
    let mut chunks: Vec<Range<usize>> = Vec::new();
    let mut operations = 0;
    for (index, kernel) in kernels.iter().enumerate() {
        let mine = wgsl::operations(kernel);
        match chunks.last_mut() {
            Some(chunk) if operations + mine <= most && chunk.len() < MOST_GROUPS => {
                chunk.end = index + 1;
                operations += mine;
            }
            _ => {
                chunks.push(index..index + 1);
                operations = mine;
            }
        }
    }
    chunks
}

/// Workgroups that share residuals.
fn residual_workgroups(residuals: usize) -> u32 {
    (residuals as u32).div_ceil(WORKGROUP).clamp(1, RESIDUAL_WORKGROUPS)
}

/// Partial sums over the residuals of all shards.
pub(super) fn residual_partials(layout: &Layout) -> u32 {
    layout.shards.iter().map(|shard| residual_workgroups(shard.residuals)).sum()
}

#[cfg(test)]
mod tests {
    use super::batches;

    #[test]
    fn batches_hold_every_instance_once() {
        assert_eq!(batches(&[3, 0, 2], None), [[0..3, 0..0, 0..2]]);
        assert_eq!(batches(&[3, 0, 2], Some(2)), [[0..2, 0..0, 0..0], [2..3, 0..0, 0..1], [0..0, 0..0, 1..2]]);
        assert_eq!(batches(&[2, 2], Some(2)), [[0..2, 0..0], [0..0, 0..2]]);
        assert_eq!(batches(&[0, 0], Some(1)), [] as [[std::ops::Range<u32>; 2]; 0]);
    }
}
