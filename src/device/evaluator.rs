//! Evaluates groups on a device for a solver that runs elsewhere.

use super::Settings;
use super::layout::Layout;
use super::problem::{Builder, Plans, Request, Stage};
use crate::backend::Group;
use crate::backend::gpu::{Commands, Download, GpuBuffer, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, Formats, Slot, state};
use crate::problem::{CompiledProblem, Parameters};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// Some groups of a problem on a device.
pub struct DeviceEvaluator {
    context: GpuContext,
    layout: Layout,
    format: Format,
    buffers: FxHashMap<Slot, GpuBuffer<u8>>,
    residuals: Vec<Stage>,
    linearize: Vec<Stage>,
    /// Kept because the stages are bound to them.
    _plans: Plans,
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
        let settings = Settings::default();
        let formats = Formats { real: format, sum: format };
        let plans = Plans::new(context, &layout, &kernels, &settings)?;
        let mut device = Builder::new(context, &layout, formats, &settings);
        device.allocate_evaluation(parameters.values())?;
        let mut scalars = vec![0.0; state::STATE];
        // A new point, of a solve that goes on: nothing is skipped.
        scalars[state::ACCEPTED] = 1.0;
        device.upload(Slot::Scalars, &format.encode(&scalars))?;
        device.allocate_calls()?;
        let mut requests = Vec::new();
        for (chunk, plan, workgroups) in &plans.chunks {
            let kernels = &kernels[chunk.clone()];
            let modules =
                [wgsl::objective(kernels, formats, Slot::Point, Slot::Residuals), wgsl::linearize(kernels, formats)];
            for module in modules {
                let module = module.map_err(|error| device.out_of_range(&error))?;
                requests.push(Request { module, plan, workgroups: *workgroups, instead: Vec::new() });
            }
        }
        let (mut residuals, mut linearize) = (Vec::new(), Vec::new());
        let mut stages = device.compile(&requests)?.into_iter();
        while let (Some(first), Some(second)) = (stages.next(), stages.next()) {
            residuals.push(first);
            linearize.push(second);
        }
        let buffers = device.buffers;
        let range = |&group: &usize| (problem.groups[group].rows.clone(), problem.groups[group].stored.clone());
        Ok(DeviceEvaluator {
            context: context.clone(),
            format,
            buffers,
            residuals,
            linearize,
            _plans: plans,
            ranges: groups.iter().map(range).collect(),
            layout,
        })
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.buffers.values().map(GpuBuffer::bytes).sum()
    }

    /// Starts to evaluate the residuals at `x`, and the Jacobian if `linearize`.
    ///
    /// # Errors
    /// What the device says.
    pub fn start(&self, x: &[f64], linearize: bool) -> Result<PendingEvaluation, GpuError> {
        let mut point = vec![0.0; x.len()];
        for (number, &place) in x.iter().zip(&self.layout.places) {
            point[place as usize] = *number;
        }
        self.buffers[&Slot::Point].write(0, &self.format.encode(&point))?;
        let mut commands = self.context.commands("evaluate");
        let stages = if linearize { &self.linearize } else { &self.residuals };
        stages.iter().for_each(|stage| stage.record(&mut commands, 0));
        let residuals = self.download(&mut commands, Slot::Residuals);
        let stored = (linearize && self.layout.stored > 0).then(|| self.download(&mut commands, Slot::Stored));
        commands.submit();
        self.context.check()?;
        Ok(PendingEvaluation { residuals, stored })
    }

    fn download(&self, commands: &mut Commands, slot: Slot) -> Download {
        let buffer = &self.buffers[&slot];
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
