//! Work for the device, recorded and then submitted in one go.

use super::download::Arrival;
use super::pool::Ticket;
use super::submission::Timer;
use super::{Download, GpuContext, GpuKernel, Submission};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// The most workgroups that a dispatch may have in one direction.
const MOST_GROUPS: u64 = 65_535;

/// A list of commands being recorded. They run in order, each after those before it; what is wrong with one shows in
/// [`GpuContext::check`].
///
/// Buffers may be dropped as soon as the commands that use them are recorded.
pub struct Commands {
    /// Before the encoder, which an open pass locks.
    pass: Option<wgpu::ComputePass<'static>>,
    encoder: Option<wgpu::CommandEncoder>,
    /// The pipeline that is set in the pass.
    pipeline: Option<wgpu::ComputePipeline>,
    context: GpuContext,
    ticket: Ticket,
    stage: String,
    timer: Option<Timer>,
    arrivals: Vec<Arc<Arrival>>,
}

impl Commands {
    pub(super) fn new(context: &GpuContext, label: &str) -> Self {
        // First: no buffer that is dropped from here on may be reused before the submission.
        let ticket = context.ticket();
        let descriptor = wgpu::CommandEncoderDescriptor { label: Some(label) };
        Commands {
            pass: None,
            encoder: Some(context.device().create_command_encoder(&descriptor)),
            pipeline: None,
            context: context.clone(),
            ticket,
            stage: label.to_owned(),
            timer: None,
            arrivals: Vec::new(),
        }
    }

    /// Measures how long each stage takes, where the device has timestamps.
    #[must_use]
    pub fn with_timing(mut self) -> Self {
        self.end_pass();
        self.timer = Timer::new(&self.context);
        self
    }

    /// Counts what follows as the stage `name`; before the first call the label is the name.
    pub fn stage(&mut self, name: &str) {
        // Only timing has to part passes: a new one costs as much as several dispatches.
        if self.timer.is_some() {
            self.end_pass();
        }
        name.clone_into(&mut self.stage);
    }

    /// Runs at least `workgroups` workgroups, with one offset in `offsets` for each dynamic uniform.
    ///
    /// Beyond 65,535 they are spread over two dimensions: a kernel numbers its workgroup
    /// `workgroup_id.y * num_workgroups.x + workgroup_id.x` and does nothing in surplus ones.
    pub fn dispatch(&mut self, kernel: &GpuKernel, group: &wgpu::BindGroup, offsets: &[u32], workgroups: u64) {
        if workgroups == 0 {
            return;
        }
        let [x, y] = grid(workgroups);
        self.set(kernel, group, offsets).dispatch_workgroups(x, y, 1);
    }

    /// Runs as many workgroups as three `u32` in `counts` say, which lie at the byte `offset` when it is this command's turn.
    pub fn dispatch_indirect(
        &mut self,
        kernel: &GpuKernel,
        group: &wgpu::BindGroup,
        offsets: &[u32],
        counts: &wgpu::Buffer,
        offset: u64,
    ) {
        self.set(kernel, group, offsets).dispatch_workgroups_indirect(counts, offset);
    }

    /// An open pass in which the kernel is ready to run.
    fn set(&mut self, kernel: &GpuKernel, group: &wgpu::BindGroup, offsets: &[u32]) -> &mut wgpu::ComputePass<'static> {
        self.context.counters().dispatches.add(1);
        let stage = &self.stage;
        let pass = self.pass.get_or_insert_with(|| {
            let timestamp_writes = self.timer.as_mut().and_then(|timer| timer.pass(stage));
            let descriptor = wgpu::ComputePassDescriptor { label: Some(stage), timestamp_writes };
            let encoder = self.encoder.as_mut().expect("taken only at the end");
            encoder.begin_compute_pass(&descriptor).forget_lifetime()
        });
        if self.pipeline.as_ref() != Some(kernel.pipeline()) {
            pass.set_pipeline(kernel.pipeline());
            self.pipeline = Some(kernel.pipeline().clone());
        }
        pass.set_bind_group(0, group, offsets);
        pass
    }

    /// Copies bytes between buffers; offsets and size are multiples of 4.
    pub fn copy(&mut self, from: &wgpu::Buffer, from_offset: u64, to: &wgpu::Buffer, to_offset: u64, bytes: u64) {
        if bytes > 0 {
            self.encoder().copy_buffer_to_buffer(from, from_offset, to, to_offset, bytes);
        }
    }

    /// Fills a buffer with zeros.
    pub fn clear(&mut self, buffer: &wgpu::Buffer) {
        self.encoder().clear_buffer(buffer, 0, None);
    }

    /// Copies a range of bytes, multiples of 4, to the host.
    pub fn download(&mut self, buffer: &wgpu::Buffer, range: Range<u64>) -> Download {
        let context = self.context.clone();
        let (download, arrival) = Download::record(&context, self.encoder(), buffer, range);
        self.arrivals.push(arrival);
        download
    }

    /// Hands the commands to the device.
    pub fn submit(mut self) -> Submission {
        let timer = self.timer.take();
        Submission::of(self, timer)
    }

    /// The encoder, outside any pass.
    pub(super) fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.end_pass();
        self.encoder.as_mut().expect("taken only at the end")
    }

    pub(super) fn context(&self) -> &GpuContext {
        &self.context
    }

    /// Submits.
    pub(super) fn finish(mut self) -> wgpu::SubmissionIndex {
        self.end_pass();
        let buffer = self.encoder.take().map(wgpu::CommandEncoder::finish);
        let index = self.context.queue().submit(buffer);
        self.context.counters().submissions.add(1);
        for arrival in self.arrivals.drain(..) {
            arrival.submitted(&index);
        }
        index
    }

    fn end_pass(&mut self) {
        self.pass = None;
        self.pipeline = None;
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        self.context.close(self.ticket);
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").field("stage", &self.stage).field("encoder", &self.encoder).finish_non_exhaustive()
    }
}

/// A grid of at least so many workgroups, with fewer surplus ones than it has rows.
fn grid(workgroups: u64) -> [u32; 2] {
    let rows = workgroups.div_ceil(MOST_GROUPS);
    let columns = workgroups.div_ceil(rows);
    // More rows than there may be are wgpu's to refuse.
    [columns, rows].map(|count| u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::grid;

    #[test]
    fn grids_hold_all_workgroups_and_few_more() {
        assert_eq!([1, 65_535, 65_536, 131_071].map(grid), [[1, 1], [65_535, 1], [32_768, 2], [43_691, 3]]);
        for workgroups in (1..5_000_000_u64).step_by(999_331) {
            let [columns, rows] = grid(workgroups).map(u64::from);
            assert!(columns <= 65_535 && rows <= 65_535);
            assert!((workgroups..workgroups + rows).contains(&(columns * rows)));
        }
    }
}
