//! A problem on a device as far as the evaluation at the start takes it.

use super::buffers::Buffers;
use super::classes::Classes;
use super::early::StartedKernels;
use super::laid_out::{Arranged, LaidOut, Sorted};
use super::layout::Layout;
#[cfg(not(target_arch = "wasm32"))]
use super::ordering::Ahead;
use super::settings::Settings;
use super::stage::{CALL, StartedModule, record_all};
use super::tasks::{GroupModules, Stages, Task, Uploaded};
use crate::backend::gpu::{Commands, GpuBuffer, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{Formats, Slot, state};
use crate::problem::Parameters;

/// A problem on a device whose evaluation at the start can be recorded, while what only the steps take is yet to be made ready.
pub struct DeviceStart {
    context: GpuContext,
    pub(super) layout: Layout,
    classes: Classes,
    pub(super) formats: Formats,
    /// What all shards share.
    pub(super) buffers: Buffers,
    pub(super) shards: Vec<Buffers>,
    pub(super) stages: Stages,
    /// Those of the stages that were started first: who drops them waits for them.
    early: (StartedKernels, StartedModule),
    bounded: bool,
    losses: bool,
    pub(super) max_linear_iterations: usize,
    pub(super) lists_itself: bool,
    pub(super) orders_itself: bool,
    /// Generated statements over all kernels.
    pub(super) statements: usize,
}

impl std::fmt::Debug for DeviceStart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceStart").field("formats", &self.formats).finish_non_exhaustive()
    }
}

impl DeviceStart {
    /// Uploads the problem; with what the steps are to be made ready from. `early`: its kernels that were started before, if they were.
    /// `None` if the device is to find the order and cannot; otherwise it has [yet to be seen](Sorted::are_listed) whether it does.
    pub(super) fn new(
        context: &GpuContext,
        arranged: Arranged<'_>,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
        early: Option<StartedKernels>,
    ) -> Result<Option<(Self, Sorted)>, GpuError> {
        let groups = arranged.groups;
        let kernels: Vec<&Kernel> = groups.iter().map(|group| &*group.kernel).collect();
        let expected = early.as_ref().and_then(|early| early.normal.clone());
        // They compile while the problem is laid out.
        let (early, laid_out) = rayon::join(
            || early.map_or_else(|| StartedKernels::new(context, groups, parameters, formats), Ok),
            || LaidOut::new(context, arranged, parameters, &kernels, formats, settings, expected.as_ref()),
        );
        let (early, Some(laid_out)) = (early?, laid_out?) else { return Ok(None) };
        let LaidOut { layout, classes, buffers, shards, mut sorted, normal } = laid_out;
        let losses = groups.iter().any(|group| group.kernel.objective.is_some());
        let bounded = parameters.has_bounds();
        let uploaded = Uploaded {
            context,
            layout: &layout,
            classes: &classes,
            formats,
            buffers: &buffers,
            shards: &shards,
            bounded,
            losses,
        };
        let (stages, written) = rayon::join(
            || uploaded.evaluation(&early.over_groups, &normal.module, settings),
            || sorted.write_lists(context, &shards),
        );
        written?;
        // Who begins what is as it was stated looks after it has begun.
        if !arranged.is_as_stated() && !sorted.are_listed(context)? {
            let settings = Settings { device_lists: Some(false), ..*settings };
            return Self::new(context, arranged, parameters, formats, &settings, Some(early));
        }
        let (stages, statements) = stages?;
        let start = DeviceStart {
            context: context.clone(),
            lists_itself: sorted.are_listed_there(),
            orders_itself: arranged.is_as_stated(),
            max_linear_iterations: settings.max_linear_iterations,
            layout,
            classes,
            formats,
            buffers,
            shards,
            stages,
            early: (early, normal),
            bounded,
            losses,
            statements,
        };
        Ok(Some((start, sorted)))
    }

    /// The kernels over groups.
    pub(super) fn over_groups(&self) -> &[GroupModules] {
        &self.early.0.over_groups
    }

    /// Where all that the steps also take stands.
    pub(super) fn uploaded(&self) -> Uploaded<'_> {
        Uploaded {
            context: &self.context,
            layout: &self.layout,
            classes: &self.classes,
            formats: self.formats,
            buffers: &self.buffers,
            shards: &self.shards,
            bounded: self.bounded,
            losses: self.losses,
        }
    }

    /// The context the problem lives in.
    pub fn context(&self) -> &GpuContext {
        &self.context
    }

    /// The state of the solve, from which [`DeviceProblem::decode_state`](super::DeviceProblem::decode_state) reads.
    pub fn state(&self) -> &GpuBuffer<u8> {
        self.buffers.get(Slot::Scalars)
    }

    /// Bytes of the state.
    pub fn state_bytes(&self) -> u64 {
        (state::STATE * self.formats.sum.bytes()) as u64
    }

    /// What finds the orders of later problems.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn ahead(&self) -> Option<Ahead> {
        let size = self.classes.code.first()?.size;
        Ahead::new(&self.context, &self.layout, (&self.buffers, &self.shards[0]), size)
    }

    /// Number of blocks that are eliminated before the linear system is solved, if any.
    pub(super) fn eliminated(&self) -> usize {
        self.classes.eliminated()
    }

    /// The offset of the call that belongs to no iteration.
    pub(super) fn plain_call(&self) -> u32 {
        ((self.max_linear_iterations + 1) * CALL) as u32
    }

    /// Records the evaluation at the start point: residuals, Jacobian, gradient, cost. It blocks until its kernels are compiled.
    ///
    /// # Errors
    /// [`GpuError::Shader`] for a kernel that does not compile.
    pub fn record(&self, commands: &mut Commands) -> Result<(), GpuError> {
        let plain = self.plain_call();
        commands.stage("evaluate");
        for (task, call) in [
            (Task::Linearize, 0),
            (Task::TrialResiduals, 0),
            (Task::StartCompare, plain),
            (Task::StartCost, 0),
            (Task::Normal, 0),
            (Task::Hold, 0),
            (Task::Examine, 0),
        ] {
            record_all(commands, &self.stages[task as usize], call)?;
        }
        Ok(())
    }
}
