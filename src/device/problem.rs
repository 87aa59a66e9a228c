//! A problem on a device: its buffers, and the kernels of every stage of a solve.

use super::buffers::Buffers;
use super::couplings::Couplings;
use super::laid_out::{LaidOut, first_state};
use super::layout::Layout;
use super::settings::{Counts, Settings, Shape};
use super::stage::{self, CALL, Stage, StartedModule, record_all};
use super::tasks::{GroupModules, Manifolds, TASKS, Task, Uploaded, over_vectors_at_start};
use crate::backend::gpu::{Commands, GpuBuffer, GpuContext, GpuError, PendingKernel};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{Formats, Module, Slot, state};
use crate::problem::{CompiledProblem, Parameters};

/// A problem on a device.
pub struct DeviceProblem {
    context: GpuContext,
    layout: Layout,
    /// Number formats.
    pub formats: Formats,
    /// What all shards share.
    buffers: Buffers,
    shards: Vec<Buffers>,
    /// Where blocks on manifolds start: kept as long as it is bound.
    _starts: Buffers,
    stages: [Vec<Stage>; TASKS],
    /// Those of the stages that were started first: who drops them waits for them.
    _early: (Vec<PendingKernel>, StartedModule),
    /// What settings are written down with.
    counts: Counts,
    max_linear_iterations: usize,
    /// What of the settings is built in.
    shape: Shape,
    eliminated: usize,
    lists_itself: bool,
    schur_jacobi: bool,
    /// Generated statements over all kernels.
    pub statements: usize,
}

impl std::fmt::Debug for DeviceProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceProblem").field("formats", &self.formats).finish_non_exhaustive()
    }
}

impl DeviceProblem {
    /// Uploads the problem, and has its kernels compiled, which may go on in the background.
    ///
    /// # Errors
    /// What the device says, but of kernels; [`GpuError::Unsupported`] for a problem with more shapes than fit a kernel's tables.
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
    ) -> Result<Self, GpuError> {
        let kernels: Vec<&Kernel> = problem.groups.iter().map(|group| &*group.kernel).collect();
        // They compile while the problem is laid out.
        let (started, laid_out) = rayon::join(
            || started(context, &kernels, formats),
            || LaidOut::new(context, problem, parameters, &kernels, formats, settings),
        );
        let (
            (over_groups, early),
            LaidOut { layout, classes, couplings, buffers, shards, lists, inverse_rows, normal },
        ) = (started?, laid_out?);
        let uploaded = Uploaded {
            context,
            layout: &layout,
            classes: &classes,
            formats,
            buffers: &buffers,
            shards: &shards,
            manifolds: Manifolds::new(context, problem, &layout.places)?,
            bounded: parameters.has_bounds(),
            inverse_rows: inverse_rows.as_ref(),
            normal: normal.module.clone(),
            couplings,
        };
        let lists_itself = lists.are_made_there();
        let (stages, written) = rayon::join(
            || uploaded.stages(&kernels, &over_groups, settings),
            || lists.write(context, &buffers, &shards),
        );
        if !written? {
            let settings = Settings { device_lists: Some(false), ..*settings };
            return Self::new(context, problem, parameters, formats, &settings);
        }
        let (stages, statements) = stages?;
        let iterate_partials = uploaded.couplings.as_ref().map_or(0, Couplings::workgroups);
        let starts = uploaded.manifolds.buffers;
        Ok(DeviceProblem {
            context: context.clone(),
            formats,
            buffers,
            shards,
            _starts: starts,
            stages,
            _early: (early, normal),
            counts: Counts::new(&layout, &classes, iterate_partials, parameters.has_bounds()),
            eliminated: classes.eliminated(),
            lists_itself,
            schur_jacobi: inverse_rows.is_some(),
            max_linear_iterations: settings.max_linear_iterations,
            shape: settings.shape(),
            statements,
            layout,
        })
    }

    /// Begins anew at another point with other settings, of which the most iterations of conjugate gradients and the batch size stay
    /// as they were: uploads the point, and nothing else of any size.
    ///
    /// # Errors
    /// [`GpuError::Lost`].
    pub fn restart(&self, x: &[f64], settings: &Settings) -> Result<(), GpuError> {
        let (from, to) = (self.buffers.get(Slot::Point), self.buffers.get(Slot::TrialPoint));
        from.write(0, &self.formats.real.encode(&self.layout.point(x)))?;
        self.buffers.get(Slot::Scalars).write(0, &self.formats.sum.encode(&first_state(settings)))?;
        self.buffers.get(Slot::Solve).write(0, bytemuck::cast_slice(&settings.words(&self.counts)))?;
        let mut commands = self.context.commands("restart");
        commands.copy(from.raw(), 0, to.raw(), 0, from.bytes());
        commands.submit();
        self.context.check()
    }

    /// Whether [`restart`](Self::restart) does for a solve on this device, in these formats and with these settings.
    pub fn suits(&self, context: &GpuContext, formats: Formats, settings: &Settings) -> bool {
        let is_there = self.context.is(context) && context.lost().is_none();
        is_there && self.formats == formats && self.shape == settings.shape()
    }

    /// The context the problem lives in.
    pub fn context(&self) -> &GpuContext {
        &self.context
    }

    /// The buffer behind a slot that all instances share.
    pub fn buffer(&self, slot: Slot) -> &GpuBuffer<u8> {
        self.buffers.get(slot)
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.shards.iter().chain([&self.buffers]).map(Buffers::bytes).sum()
    }

    /// Bytes of the buffers behind a slot, over all shards.
    pub fn bytes_of(&self, slot: Slot) -> u64 {
        let buffers = self.shards.iter().chain([&self.buffers]).filter_map(|buffers| buffers.find(slot));
        buffers.map(GpuBuffer::bytes).sum()
    }

    /// Parts that the instances are in, because buffers of all of them would be larger than a binding may be.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    fn plain_call(&self) -> u32 {
        ((self.max_linear_iterations + 1) * CALL) as u32
    }

    /// Records the evaluation at the start point: residuals, Jacobian, gradient, cost. Like all that follow, it blocks until its kernels are
    /// compiled.
    ///
    /// # Errors
    /// [`GpuError::Shader`] for a kernel that does not compile.
    pub fn record_start(&self, commands: &mut Commands) -> Result<(), GpuError> {
        let plain = self.plain_call();
        commands.stage("evaluate");
        self.record(commands, Task::Linearize, 0)?;
        self.record(commands, Task::TrialResiduals, 0)?;
        self.record(commands, Task::Compare, plain)?;
        self.record(commands, Task::StartCost, 0)?;
        self.record(commands, Task::Normal, 0)?;
        self.record(commands, Task::Assemble, 0)?;
        self.record(commands, Task::Hold, 0)?;
        self.record(commands, Task::Examine, 0)
    }

    /// Records a step: conjugate gradients of at most `iterations`, the trial, the decision, and the evaluation at the new point.
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_step(&self, commands: &mut Commands, iterations: usize) -> Result<(), GpuError> {
        let plain = self.plain_call();
        commands.stage("linear solve");
        self.record_linear_start(commands)?;
        let iterations = iterations.min(self.max_linear_iterations);
        for iteration in 0..iterations {
            let call = (iteration * CALL) as u32;
            // Of these, either the first is there, or the next two, or the three after them.
            self.record(commands, Task::Iterate, call)?;
            self.record(commands, Task::Product, call)?;
            self.record(commands, Task::NormalProduct, call)?;
            self.record(commands, Task::Direct, call)?;
            self.record(commands, Task::Complete, call)?;
            self.record(commands, Task::ReducedProduct, call)?;
            self.record(commands, Task::Update, call)?;
        }
        self.record(commands, Task::Finish, (iterations * CALL) as u32)?;
        self.record(commands, Task::PlainComplete, plain)?;
        commands.stage("evaluate");
        // First, as bounds may shorten the step.
        self.record(commands, Task::Advance, 0)?;
        self.record(commands, Task::Retract, 0)?;
        self.record(commands, Task::PlainProduct, plain)?;
        self.record(commands, Task::TrialResiduals, 0)?;
        self.record(commands, Task::Compare, 0)?;
        self.record(commands, Task::Decide, 0)?;
        self.record(commands, Task::Commit, 0)?;
        self.record(commands, Task::Linearize, 0)?;
        self.record(commands, Task::Normal, 0)?;
        self.record(commands, Task::Assemble, 0)?;
        self.record(commands, Task::Hold, 0)?;
        self.record(commands, Task::Examine, 0)
    }

    /// Records the linearization at the point in [`Slot::Point`].
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_linearize(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record(commands, Task::Linearize, 0)
    }

    /// Records the residuals at the trial point.
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_trial_residuals(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record(commands, Task::TrialResiduals, 0)
    }

    /// Records the gradient and the diagonal blocks of JᵀJ.
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_normal(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record(commands, Task::Normal, 0)
    }

    /// Records the start of conjugate gradients.
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_linear_start(&self, commands: &mut Commands) -> Result<(), GpuError> {
        let plain = self.plain_call();
        self.record(commands, Task::Damp, 0)?;
        self.record(commands, Task::Eliminate, 0)?;
        self.record(commands, Task::DampReduced, 0)?;
        self.record(commands, Task::PlainComplete, plain)?;
        self.record(commands, Task::PlainReducedProduct, plain)?;
        self.record(commands, Task::Start, 0)
    }

    /// Records the product of JᵀJ + D, or its Schur complement, with the first search direction, once conjugate gradients are
    /// started.
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_normal_product(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record(commands, Task::Iterate, 0)?;
        self.record(commands, Task::Product, 0)?;
        self.record(commands, Task::NormalProduct, 0)?;
        self.record(commands, Task::Direct, 0)?;
        self.record(commands, Task::Complete, 0)?;
        self.record(commands, Task::ReducedProduct, 0)
    }

    /// Whether the device made the incidence lists.
    pub fn lists_itself(&self) -> bool {
        self.lists_itself
    }

    /// Whether JᵀJ is assembled.
    pub fn is_assembled(&self) -> bool {
        !self.stages[Task::Assemble as usize].is_empty()
    }

    /// Whether the diagonal blocks of the Schur complement are the preconditioner.
    pub fn is_schur_jacobi(&self) -> bool {
        self.schur_jacobi
    }

    /// Number of blocks that are eliminated before the linear system is solved, if any.
    pub fn eliminated(&self) -> usize {
        self.eliminated
    }

    fn record(&self, commands: &mut Commands, task: Task, call: u32) -> Result<(), GpuError> {
        record_all(commands, &self.stages[task as usize], call)
    }

    /// The state of the solve, decoded; see [`state`] for the places.
    pub fn decode_state(&self, bytes: &[u8]) -> Vec<f64> {
        self.formats.sum.decode(bytes)
    }

    /// Bytes of the state.
    pub fn state_bytes(&self) -> u64 {
        (state::STATE * self.formats.sum.bytes()) as u64
    }

    /// Parameters as a user orders them, from the bytes of [`Slot::Point`].
    pub fn decode_parameters(&self, bytes: &[u8]) -> Vec<f64> {
        self.layout.parameters(&self.formats.real.decode(bytes))
    }

    /// Bytes of the parameters.
    pub fn parameter_bytes(&self) -> u64 {
        (self.layout.places.len() * self.formats.real.bytes()) as u64
    }

    /// The numbers of a buffer.
    ///
    /// # Errors
    /// As [`GpuBuffer::read`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn read(&self, slot: Slot) -> Result<Vec<f64>, GpuError> {
        let format = if slot == Slot::Scalars { self.formats.sum } else { self.formats.real };
        Ok(format.decode(&self.buffer(slot).read_blocking()?))
    }
}

/// The modules over groups, and the kernels of the evaluation at the start that do not depend on the layout, compiled from now on.
fn started(
    context: &GpuContext,
    kernels: &[&Kernel],
    formats: Formats,
) -> Result<(Vec<GroupModules>, Vec<PendingKernel>), GpuError> {
    let over_groups = GroupModules::all(context, kernels, formats)?;
    let over_vectors = over_vectors_at_start(formats);
    let modules: Vec<&Module> = over_groups.iter().flat_map(GroupModules::each).chain(&over_vectors).collect();
    let kernels = stage::start(context, &modules)?;
    Ok((over_groups, kernels))
}
