//! A problem on a device: its buffers, and the kernels of every stage of a solve.

use super::buffers::Buffers;
use super::early::{Early, StartedKernels};
use super::laid_out::{Arranged, first_state};
#[cfg(not(target_arch = "wasm32"))]
use super::ordering;
use super::settings::{Settings, Shape};
use super::stage::{CALL, record_all};
use super::start::DeviceStart;
use super::steps::Steps;
use super::tasks::Task;
use crate::backend::gpu::{Commands, GpuBuffer, GpuContext, GpuError};
use crate::kernel::wgsl::{Formats, Slot};
use crate::problem::{CompiledProblem, Parameters, Problem, ProblemError};

/// A problem on a device.
pub struct DeviceProblem {
    start: DeviceStart,
    steps: Steps,
    /// Number formats.
    pub formats: Formats,
    /// What of the settings is built in.
    shape: Shape,
    /// Generated statements over all kernels.
    pub statements: usize,
    /// For later problems that are like this one.
    #[cfg(not(target_arch = "wasm32"))]
    _ahead: Option<ordering::Ahead>,
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
        Ok(Self::begun(context, problem, parameters, formats, settings, |_| Ok(()))?.0)
    }

    /// Compiles a problem and uploads it, as [`Problem::solve`] does it; what the host has of it is left as it was stated if the device
    /// finds the order of blocks and instances. `begin` is called as soon as the evaluation at the start can be recorded.
    ///
    /// # Errors
    /// As [`Problem::compile`]; within, as [`new`](Self::new), and those of `begin`.
    #[expect(clippy::type_complexity, reason = "what is compiled is there even if the device fails")]
    pub fn compile<T: Send>(
        context: &GpuContext,
        problem: &Problem,
        formats: Formats,
        settings: &Settings,
        begin: impl Fn(&DeviceStart) -> Result<T, GpuError> + Send + Sync,
    ) -> Result<(CompiledProblem, Result<(Self, T), GpuError>), ProblemError> {
        let parameters = problem.parameters();
        let (compiled, early) = Early::compile(context, problem.draft()?, parameters, formats, settings, &begin);
        let device = Self::resumed(context, &compiled, parameters, formats, settings, early, &begin);
        match device.transpose() {
            Some(device) => Ok((compiled, device)),
            None => {
                let compiled = problem.compile()?;
                let device = Self::begun(context, &compiled, parameters, formats, settings, begin);
                Ok((compiled, device))
            }
        }
    }

    /// As [`new`](Self::new); `begin` is called as soon as the evaluation at the start can be recorded, and what only the steps take is made ready
    /// meanwhile.
    ///
    /// # Errors
    /// As [`new`](Self::new), and those of `begin`.
    pub fn begun<T: Send>(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
        begin: impl FnOnce(&DeviceStart) -> Result<T, GpuError> + Send,
    ) -> Result<(Self, T), GpuError> {
        Self::ordered(context, problem, parameters, formats, settings, None, begin)
    }

    /// As [`begun`](Self::begun), after what was begun before the problem was in order: `begin` may have been called. `None` if the device
    /// did not find the order that it was to find: the host has to put the problem in order.
    pub(crate) fn resumed<T: Send>(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
        early: Early<T>,
        begin: impl FnOnce(&DeviceStart) -> Result<T, GpuError> + Send,
    ) -> Result<Option<(Self, T)>, GpuError> {
        match early {
            Early::Kernels(kernels) => {
                Self::ordered(context, problem, parameters, formats, settings, kernels, begin).map(Some)
            }
            Early::Begun(begun) => {
                let resumed = begun.resumed(problem, settings)?;
                Ok(resumed.map(|(start, steps, begun)| (Self::of(start, steps, settings), begun)))
            }
        }
    }

    /// Of a problem that is in order.
    fn ordered<T: Send>(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
        kernels: Option<StartedKernels>,
        begin: impl FnOnce(&DeviceStart) -> Result<T, GpuError> + Send,
    ) -> Result<(Self, T), GpuError> {
        let arranged = Arranged::on_host(problem);
        let (start, sorted) =
            DeviceStart::new(context, arranged, parameters, formats, settings, kernels)?.expect("the order is there");
        let steps = || Steps::new(start.uploaded(), start.over_groups(), problem, settings, sorted);
        let (begun, steps) = match context.is_software() {
            false => rayon::join(|| begin(&start), steps),
            // A device that is the processor itself would compute while kernels compile, and pass for hung.
            true => {
                let steps = steps();
                (begin(&start), steps)
            }
        };
        let (steps, begun) = (steps?, begun?);
        Ok((Self::of(start, steps, settings), begun))
    }

    fn of(start: DeviceStart, steps: Steps, settings: &Settings) -> Self {
        let (formats, statements) = (start.formats, start.statements + steps.statements);
        // After all others.
        #[cfg(not(target_arch = "wasm32"))]
        let ahead = start.lists_itself.then(|| start.ahead()).flatten();
        DeviceProblem {
            start,
            steps,
            formats,
            shape: settings.shape(),
            statements,
            #[cfg(not(target_arch = "wasm32"))]
            _ahead: ahead,
        }
    }

    /// The part of it that the evaluation at the start takes.
    pub fn start(&self) -> &DeviceStart {
        &self.start
    }

    /// Begins anew at another point with other settings, of which the most iterations of conjugate gradients and the batch size stay
    /// as they were: uploads the point, and nothing else of any size.
    ///
    /// # Errors
    /// [`GpuError::Lost`].
    pub fn restart(&self, x: &[f64], settings: &Settings) -> Result<(), GpuError> {
        let DeviceStart { buffers, layout, .. } = &self.start;
        let (from, to) = (buffers.get(Slot::Point), buffers.get(Slot::TrialPoint));
        from.write(0, &self.formats.real.encode(&layout.point(x)))?;
        buffers.get(Slot::Scalars).write(0, &self.formats.sum.encode(&first_state(settings)))?;
        buffers.get(Slot::Solve).write(0, bytemuck::cast_slice(&settings.words(&self.steps.counts)))?;
        let mut commands = self.context().commands("restart");
        commands.copy(from.raw(), 0, to.raw(), 0, from.bytes());
        commands.submit();
        self.context().check()
    }

    /// Whether [`restart`](Self::restart) does for a solve on this device, in these formats and with these settings.
    pub fn suits(&self, context: &GpuContext, formats: Formats, settings: &Settings) -> bool {
        let is_there = self.context().is(context) && context.lost().is_none();
        is_there && self.formats == formats && self.shape == settings.shape()
    }

    /// The context the problem lives in.
    pub fn context(&self) -> &GpuContext {
        self.start.context()
    }

    /// Those of all instances, and then those of each shard.
    fn all_buffers(&self) -> impl Iterator<Item = &Buffers> {
        [&self.start.buffers, &self.steps.buffers].into_iter().chain(&self.start.shards)
    }

    /// The buffer behind a slot that all instances share.
    pub fn buffer(&self, slot: Slot) -> &GpuBuffer<u8> {
        self.start.buffers.find(slot).unwrap_or_else(|| self.steps.buffers.get(slot))
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.all_buffers().map(Buffers::bytes).sum()
    }

    /// Bytes of the buffers behind a slot, over all shards.
    pub fn bytes_of(&self, slot: Slot) -> u64 {
        self.all_buffers().filter_map(|buffers| buffers.find(slot)).map(GpuBuffer::bytes).sum()
    }

    /// Parts that the instances are in, because buffers of all of them would be larger than a binding may be.
    pub fn shards(&self) -> usize {
        self.start.shards.len()
    }

    /// Records the evaluation at the start point: residuals, Jacobian, gradient, cost. Like all that follow, it blocks until its kernels are
    /// compiled.
    ///
    /// # Errors
    /// [`GpuError::Shader`] for a kernel that does not compile.
    pub fn record_start(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.start.record(commands)
    }

    /// Records a step: conjugate gradients of at most `iterations`, the trial, the decision, and the evaluation at the new point.
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_step(&self, commands: &mut Commands, iterations: usize) -> Result<(), GpuError> {
        let plain = self.start.plain_call();
        commands.stage("linear solve");
        self.record_linear_start(commands)?;
        let iterations = iterations.min(self.start.max_linear_iterations);
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

    /// Records the start of conjugate gradients, and puts JᵀJ together before, if it is assembled and the point is new.
    ///
    /// # Errors
    /// As [`record_start`](Self::record_start).
    pub fn record_linear_start(&self, commands: &mut Commands) -> Result<(), GpuError> {
        let plain = self.start.plain_call();
        self.record(commands, Task::Assemble, 0)?;
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

    /// Whether the device found the order of blocks and instances.
    #[doc(hidden)]
    pub fn orders_itself(&self) -> bool {
        self.start.orders_itself
    }

    /// Whether the device made the incidence lists.
    pub fn lists_itself(&self) -> bool {
        self.start.lists_itself
    }

    /// Whether JᵀJ is assembled.
    pub fn is_assembled(&self) -> bool {
        !self.steps.stages[Task::Assemble as usize].is_empty()
    }

    /// Whether the diagonal blocks of the Schur complement are the preconditioner.
    pub fn is_schur_jacobi(&self) -> bool {
        self.steps.schur_jacobi
    }

    /// Number of blocks that are eliminated before the linear system is solved, if any.
    pub fn eliminated(&self) -> usize {
        self.start.eliminated()
    }

    fn record(&self, commands: &mut Commands, task: Task, call: u32) -> Result<(), GpuError> {
        // A task is either of the evaluation or of the steps.
        record_all(commands, &self.start.stages[task as usize], call)?;
        record_all(commands, &self.steps.stages[task as usize], call)
    }

    /// The state of the solve, decoded; see [`state`](crate::kernel::wgsl::state) for the places.
    pub fn decode_state(&self, bytes: &[u8]) -> Vec<f64> {
        self.formats.sum.decode(bytes)
    }

    /// Bytes of the state.
    pub fn state_bytes(&self) -> u64 {
        self.start.state_bytes()
    }

    /// Parameters as a user orders them, from the bytes of [`Slot::Point`].
    pub fn decode_parameters(&self, bytes: &[u8]) -> Vec<f64> {
        self.start.layout.parameters(&self.formats.real.decode(bytes))
    }

    /// Bytes of the parameters.
    pub fn parameter_bytes(&self) -> u64 {
        (self.start.layout.places.len() * self.formats.real.bytes()) as u64
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
