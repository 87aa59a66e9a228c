//! Tables of what a dispatch is over, as kernels read them from a uniform buffer.

use super::layout::{ClassPlace, GroupPlace, Layout};
use crate::backend::gpu::{GpuBuffer, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::WORKGROUP;
use std::ops::Range;
use std::sync::Arc;

/// Most generated statements of a kernel over groups; more groups are spread over several.
const MOST_FUSED: usize = 2500;

/// Most groups of a kernel: a workgroup finds its own by comparing.
const MOST_GROUPS: usize = 32;

/// Workgroups that add up the cost.
const RESIDUAL_WORKGROUPS: u32 = 1024;

/// Groups that one kernel serves.
pub(super) struct Chunk {
    /// Indices of the groups.
    pub groups: Range<usize>,
    /// Their table.
    pub plan: Arc<GpuBuffer<u32>>,
    pub workgroups: u64,
}

impl Chunk {
    /// All groups, as few kernels as compile in good time.
    pub fn all(context: &GpuContext, layout: &Layout, kernels: &[&Kernel]) -> Result<Vec<Chunk>, GpuError> {
        let tile = layout.tile();
        let chunk = |groups: Range<usize>| {
            let mut table = GroupTable::new(0, tile);
            layout.groups[groups.clone()].iter().for_each(|group| table.push(group));
            Ok(Chunk { groups, plan: plan(context, &table.rows)?, workgroups: table.workgroups() })
        };
        chunks(kernels).into_iter().map(chunk).collect()
    }
}

/// The table of the classes, whose blocks are shared among as many workgroups as `workgroups` says.
fn class_rows(layout: &Layout, workgroups: impl Fn(&ClassPlace) -> u32) -> Vec<u32> {
    let mut rows = Vec::new();
    let mut first = 0;
    for place in &layout.class_places {
        let end = first + workgroups(place);
        push_row(&mut rows, &[end, first, place.count, place.table, place.diagonal]);
        first = end;
    }
    rows
}

/// The table of the classes for kernels that work on each block with one lane.
pub(super) fn class_plan(context: &GpuContext, layout: &Layout) -> Result<Arc<GpuBuffer<u32>>, GpuError> {
    plan(context, &class_rows(layout, |place| place.workgroups))
}

/// The tables of classes and kinds for kernels that follow incidence lists.
pub(super) fn list_plan(context: &GpuContext, layout: &Layout) -> Result<Arc<GpuBuffer<u32>>, GpuError> {
    let mut rows = class_rows(layout, |place| place.list_workgroups);
    for &(base, group) in &layout.kinds {
        let group = layout.groups[group];
        push_row(&mut rows, &[base, group.residuals, group.stored]);
    }
    if layout.kinds.is_empty() {
        // The text has one, as there are no arrays of none.
        push_row(&mut rows, &[0]);
    }
    plan(context, &rows)
}

/// The table of the groups of a dispatch.
pub(super) struct GroupTable {
    pub rows: Vec<u32>,
    /// Workgroups that have nothing to do, before the first that has.
    idle: u32,
    end: u32,
    tile: u32,
}

impl GroupTable {
    pub fn new(idle: u32, tile: u32) -> Self {
        GroupTable { rows: Vec::new(), idle, end: idle, tile }
    }

    pub fn push(&mut self, group: &GroupPlace) {
        let &GroupPlace { count, stride, blocks, data, residuals, stored, contributions } = group;
        let first = self.end;
        self.end = first + count.div_ceil(WORKGROUP * self.tile);
        let row = [self.end, first, count, stride, self.tile, blocks, data, residuals, stored, contributions];
        push_row(&mut self.rows, &row);
    }

    /// Workgroups over all groups; none where all of them are idle.
    pub fn workgroups(&self) -> u64 {
        if self.end > self.idle { u64::from(self.end) } else { 0 }
    }
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
pub(super) fn chunks(kernels: &[&Kernel]) -> Vec<Range<usize>> {
    let mut chunks: Vec<Range<usize>> = Vec::new();
    let mut statements = 0;
    for (index, kernel) in kernels.iter().enumerate() {
        let mine = kernel.linearization.program.nodes.len() + kernel.linearization.entries.len();
        match chunks.last_mut() {
            Some(chunk) if statements + mine <= MOST_FUSED && chunk.len() < MOST_GROUPS => {
                chunk.end = index + 1;
                statements += mine;
            }
            _ => {
                chunks.push(index..index + 1);
                statements = mine;
            }
        }
    }
    chunks
}

/// Workgroups that share the residuals.
pub(super) fn residual_workgroups(layout: &Layout) -> u32 {
    (layout.residuals as u32).div_ceil(WORKGROUP).clamp(1, RESIDUAL_WORKGROUPS)
}

/// Room for the partial sums of a quantity.
pub(super) fn capacity(layout: &Layout) -> u32 {
    layout.class_workgroups().max(layout.list_workgroups()).max(residual_workgroups(layout))
}
