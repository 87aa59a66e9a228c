//! Evaluates groups on a device for a solver that runs elsewhere.

use super::buffers::Buffers;
use super::layout::Layout;
use super::plans::Chunk;
use super::problem::{allocate_evaluation, record_all};
use super::stage::{Request, Stage, compile, out_of_range};
use crate::backend::Group;
use crate::backend::gpu::{Commands, Download, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, Formats, Slot, state};
use crate::problem::{CompiledProblem, Parameters};
use std::ops::Range;

/// Some groups of a problem on a device.
pub struct DeviceEvaluator {
    context: GpuContext,
    layout: Layout,
    format: Format,
    buffers: Buffers,
    residuals: Vec<Stage>,
    linearize: Vec<Stage>,
    /// Where the residuals and the stored numbers of each group stand in the whole problem.
    ranges: Vec<(Range<usize>, Range<usize>)>,
}

/// An evaluation under way.
#[must_use]
#[derive(Debug)]
pub struct PendingEvaluation {
    residuals: Download,
    stored: Option<Download>,
}

impl std::fmt::Debug for DeviceEvaluator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceEvaluator").field("ranges", &self.ranges).finish_non_exhaustive()
    }
}

/// The groups as if there were no others.
fn alone(problem: &CompiledProblem, groups: &[usize]) -> Vec<Group> {
    let (mut row, mut stored) = (0, 0);
    let mut move_up = |group: &Group| {
        let (rows, numbers) = (group.rows.len(), group.stored.len());
        (row, stored) = (row + rows, stored + numbers);
        Group { rows: row - rows..row, stored: stored - numbers..stored, ..group.clone() }
    };
    groups.iter().map(|&group| move_up(&problem.groups[group])).collect()
}

impl DeviceEvaluator {
    /// Uploads the groups with these indices and compiles their kernels.
    ///
    /// # Errors
    /// What the device says.
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        groups: &[usize],
        format: Format,
    ) -> Result<Self, GpuError> {
        let layout = Layout::of_groups(problem, parameters, &alone(problem, groups));
        let kernels: Vec<&Kernel> = groups.iter().map(|&group| &*problem.groups[group].kernel).collect();
        let formats = Formats { real: format, sum: format };
        let mut buffers = Buffers::new(context);
        allocate_evaluation(&mut buffers, &layout, format, parameters.values())?;
        let mut scalars = vec![0.0; state::STATE];
        // A new point, of a solve that goes on: nothing is skipped.
        scalars[state::ACCEPTED] = 1.0;
        buffers.upload(Slot::Scalars, &format.encode(&scalars))?;
        let out_of_range = out_of_range(context);
        let mut requests = Vec::new();
        for Chunk { groups, plan, workgroups } in Chunk::all(context, &layout, &kernels)? {
            let kernels = &kernels[groups];
            let residuals = wgsl::objective(kernels, formats, Slot::Point, Slot::Residuals).map_err(&out_of_range)?;
            let linearize = wgsl::linearize(kernels, formats).map_err(&out_of_range)?;
            requests.extend([residuals, linearize].map(|module| Request::new(module, &plan, workgroups)));
        }
        let mut stages = compile(context, &requests, &buffers)?.into_iter();
        let (mut residuals, mut linearize) = (Vec::new(), Vec::new());
        while let (Some(first), Some(second)) = (stages.next(), stages.next()) {
            residuals.push(first);
            linearize.push(second);
        }
        let range = |&group: &usize| (problem.groups[group].rows.clone(), problem.groups[group].stored.clone());
        Ok(DeviceEvaluator {
            context: context.clone(),
            format,
            buffers,
            residuals,
            linearize,
            ranges: groups.iter().map(range).collect(),
            layout,
        })
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.buffers.bytes()
    }

    /// Starts to evaluate the residuals at `x`, and the Jacobian if `linearize`.
    ///
    /// # Errors
    /// What the device says.
    pub fn start(&self, x: &[f64], linearize: bool) -> Result<PendingEvaluation, GpuError> {
        self.buffers.get(Slot::Point).write(0, &self.format.encode(&self.layout.point(x)))?;
        let mut commands = self.context.commands("evaluate");
        let stages = if linearize { &self.linearize } else { &self.residuals };
        record_all(&mut commands, stages, 0);
        let residuals = self.download(&mut commands, Slot::Residuals);
        let stored = (linearize && self.layout.stored > 0).then(|| self.download(&mut commands, Slot::Stored));
        commands.submit();
        self.context.check()?;
        Ok(PendingEvaluation { residuals, stored })
    }

    fn download(&self, commands: &mut Commands, slot: Slot) -> Download {
        let buffer = self.buffers.get(slot);
        commands.download(buffer.raw(), 0..buffer.bytes())
    }

    /// Waits for an evaluation and puts it among the residuals and stored numbers of the whole problem.
    ///
    /// # Errors
    /// What the device says.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn finish(
        &self,
        pending: PendingEvaluation,
        residuals: &mut [f64],
        stored: &mut [f64],
    ) -> Result<(), GpuError> {
        let bytes: Vec<u8> = pending.residuals.wait(&self.context)?;
        spread(&self.format.decode(&bytes), self.ranges.iter().map(|(rows, _)| rows), residuals);
        if let Some(download) = pending.stored {
            let bytes: Vec<u8> = download.wait(&self.context)?;
            spread(&self.format.decode(&bytes), self.ranges.iter().map(|(_, numbers)| numbers), stored);
        }
        Ok(())
    }
}

/// Puts numbers that stand one after the other into their ranges.
fn spread<'a>(mut numbers: &[f64], ranges: impl Iterator<Item = &'a Range<usize>>, to: &mut [f64]) {
    for range in ranges {
        let (mine, rest) = numbers.split_at(range.len());
        to[range.clone()].copy_from_slice(mine);
        numbers = rest;
    }
}
