//! Evaluates groups on a device for a solver that runs elsewhere.

use super::buffers::Buffers;
use super::layout::{Layout, places};
use super::plans::{GroupDispatch, Spread, chunks, group_dispatches};
use super::shard::{Numbers, Sums};
use super::stage::{Request, Requests, Stage, record_all, usable};
use crate::backend::Group;
use crate::backend::gpu::{Commands, Download, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, Formats, Slot, state};
use crate::problem::{CompiledProblem, Parameters};

/// Some groups of a problem on a device.
pub struct DeviceEvaluator {
    context: GpuContext,
    groups: Vec<Group>,
    layout: Layout,
    format: Format,
    buffers: Buffers,
    shards: Vec<Buffers>,
    residuals: Vec<Stage>,
    linearize: Vec<Stage>,
}

/// An evaluation under way, shard by shard.
#[must_use]
#[derive(Debug)]
pub struct PendingEvaluation {
    residuals: Vec<Download>,
    stored: Vec<Download>,
}

impl std::fmt::Debug for DeviceEvaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (groups, shards) = (self.groups.len(), self.shards.len());
        f.debug_struct("DeviceEvaluator").field("groups", &groups).field("shards", &shards).finish_non_exhaustive()
    }
}

impl DeviceEvaluator {
    /// Uploads the groups with these indices and compiles their kernels. `batch_size`: most instances of a dispatch.
    ///
    /// # Errors
    /// What the device says.
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        groups: &[usize],
        format: Format,
        batch_size: Option<usize>,
    ) -> Result<Self, GpuError> {
        let groups: Vec<Group> = groups.iter().map(|&group| problem.groups[group].clone()).collect();
        let places = places(parameters, problem.block_order());
        let mut layout = Layout::new(&groups, places, (Sums::None, 0), format, context.max_binding_bytes())?;
        let mut buffers = Buffers::new(context);
        buffers.upload(Slot::Point, &format.encode(&layout.point(parameters.values())))?;
        let mut scalars = vec![0.0; state::STATE];
        // A new point, of a solve that goes on: nothing is skipped.
        scalars[state::ACCEPTED] = 1.0;
        buffers.upload(Slot::Scalars, &format.encode(&scalars))?;
        let shards = layout.shards.iter();
        let shards: Vec<Buffers> = shards
            .map(|shard| Buffers::of_shard(context, &groups, (&layout.shapes, Some(&layout.places[..])), shard, format))
            .collect::<Result<_, _>>()?;
        drop(layout.take_indices());
        let kernels: Vec<&Kernel> = groups.iter().map(|group| &*group.kernel).collect();
        let formats = Formats { real: format, sum: format };
        let mut requests = Requests::default();
        for groups in chunks(&kernels, format) {
            let kernels = &kernels[groups.clone()];
            let residuals = wgsl::objective(kernels, formats, Slot::Point, Slot::Residuals);
            let residuals = usable(context, residuals)?;
            let linearize = usable(context, wgsl::linearize(kernels, formats))?;
            let spread = Spread { tile: layout.tile(), batch: batch_size, idle: 0 };
            for GroupDispatch { shard, plan, workgroups } in group_dispatches(context, &layout, groups, spread)? {
                for (task, module) in [&residuals, &linearize].into_iter().enumerate() {
                    requests.add(task, Request::new(module, &plan, workgroups).with(&shards[shard]));
                }
            }
        }
        let [residuals, linearize] = requests.start(context, &[&buffers])?;
        Ok(DeviceEvaluator { context: context.clone(), groups, layout, format, buffers, shards, residuals, linearize })
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().chain([&self.buffers]).map(Buffers::bytes).sum()
    }

    /// Starts to evaluate the residuals at `x`, and the Jacobian if `linearize`.
    ///
    /// # Errors
    /// What the device says.
    pub fn start(&self, x: &[f64], linearize: bool) -> Result<PendingEvaluation, GpuError> {
        self.buffers.get(Slot::Point).write(0, &self.format.encode(&self.layout.point(x)))?;
        let mut commands = self.context.commands("evaluate");
        let stages = if linearize { &self.linearize } else { &self.residuals };
        record_all(&mut commands, stages, 0)?;
        let residuals = self.download(&mut commands, Slot::Residuals);
        let stored = if linearize { self.download(&mut commands, Slot::Stored) } else { Vec::new() };
        commands.submit();
        self.context.check()?;
        Ok(PendingEvaluation { residuals, stored })
    }

    fn download(&self, commands: &mut Commands, slot: Slot) -> Vec<Download> {
        let buffers = self.shards.iter().map(|shard| shard.get(slot));
        buffers.map(|buffer| commands.download(buffer.raw(), 0..buffer.bytes())).collect()
    }

    /// Waits for an evaluation and puts it among the residuals and stored numbers of the whole problem.
    ///
    /// # Errors
    /// What the device says.
    pub async fn finish(
        &self,
        pending: PendingEvaluation,
        residuals: &mut [f64],
        stored: &mut [f64],
    ) -> Result<(), GpuError> {
        self.spread(pending.residuals, Numbers::Residuals, residuals).await?;
        self.spread(pending.stored, Numbers::Stored, stored).await
    }

    async fn spread(&self, downloads: Vec<Download>, numbers: Numbers, to: &mut [f64]) -> Result<(), GpuError> {
        for (download, shard) in downloads.into_iter().zip(&self.layout.shards) {
            let bytes: Vec<u8> = download.read(&self.context).await?;
            shard.spread(numbers, &self.groups, &self.layout.shapes, &self.format.decode(&bytes), to);
        }
        Ok(())
    }
}
