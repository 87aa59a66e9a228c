//! A problem on a device: its buffers, and the kernels of every stage of a solve.

use super::buffers::Buffers;
use super::layout::Layout;
use super::plans::{Chunk, capacity, class_plan, list_plan, residual_workgroups};
use super::settings::Settings;
use super::stage::{CALL, Request, Stage, compile, out_of_range};
use crate::backend::gpu::{Commands, GpuBuffer, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, Formats, Slot, WORKGROUP, state};
use crate::problem::{CompiledProblem, Parameters};

/// The stages of a solve; those over groups have one kernel a chunk of groups.
struct Stages {
    linearize: Vec<Stage>,
    trial_residuals: Vec<Stage>,
    product: Vec<Stage>,
    plain_product: Vec<Stage>,
    normal: Stage,
    damp: Stage,
    start: Stage,
    normal_product: Stage,
    update: Stage,
    advance: Stage,
    compare: Stage,
    decide: Stage,
    commit: Stage,
    examine: Stage,
}

/// A problem on a device.
pub struct DeviceProblem {
    context: GpuContext,
    /// Where everything stands.
    pub layout: Layout,
    /// Number formats.
    pub formats: Formats,
    buffers: Buffers,
    stages: Stages,
    max_linear_iterations: usize,
    /// Generated statements over all kernels.
    pub statements: usize,
}

impl std::fmt::Debug for DeviceProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceProblem").field("formats", &self.formats).finish_non_exhaustive()
    }
}

impl DeviceProblem {
    /// Uploads the problem and compiles its kernels.
    ///
    /// # Errors
    /// What the device says; [`GpuError::Unsupported`] for a problem with more shapes than fit a kernel's tables.
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
    ) -> Result<Self, GpuError> {
        let layout = Layout::new(problem, parameters);
        let mut buffers = Buffers::new(context);
        allocate_evaluation(&mut buffers, &layout, formats.real, parameters.values())?;
        allocate_solve(&mut buffers, &layout, formats, settings, parameters.values())?;
        let kernels: Vec<&Kernel> = problem.groups.iter().map(|group| &*group.kernel).collect();
        let (stages, statements) = Stages::new(context, &layout, &kernels, formats, &buffers)?;
        Ok(DeviceProblem {
            context: context.clone(),
            formats,
            buffers,
            stages,
            max_linear_iterations: settings.max_linear_iterations,
            statements,
            layout,
        })
    }

    /// The context the problem lives in.
    pub fn context(&self) -> &GpuContext {
        &self.context
    }

    /// The buffer behind a slot.
    pub fn buffer(&self, slot: Slot) -> &GpuBuffer<u8> {
        self.buffers.get(slot)
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.buffers.bytes()
    }

    fn plain_call(&self) -> u32 {
        (self.max_linear_iterations * CALL) as u32
    }

    /// Records the evaluation at the start point: residuals, Jacobian, gradient, cost.
    pub fn record_start(&self, commands: &mut Commands) {
        let plain = self.plain_call();
        commands.stage("evaluate");
        record_all(commands, &self.stages.linearize, 0);
        record_all(commands, &self.stages.trial_residuals, 0);
        self.stages.compare.record(commands, plain);
        self.stages.decide.record(commands, plain);
        self.stages.normal.record(commands, 0);
        self.stages.examine.record(commands, 0);
    }

    /// Records a step: conjugate gradients of at most `iterations`, the trial, the decision, and the evaluation at the new point.
    pub fn record_step(&self, commands: &mut Commands, iterations: usize) {
        let stages = &self.stages;
        let plain = self.plain_call();
        commands.stage("linear solve");
        stages.damp.record(commands, 0);
        stages.start.record(commands, 0);
        for iteration in 0..iterations.min(self.max_linear_iterations) {
            let call = (iteration * CALL) as u32;
            record_all(commands, &stages.product, call);
            stages.normal_product.record(commands, call);
            stages.update.record(commands, call);
        }
        commands.stage("evaluate");
        record_all(commands, &stages.plain_product, plain);
        stages.advance.record(commands, 0);
        record_all(commands, &stages.trial_residuals, 0);
        stages.compare.record(commands, 0);
        stages.decide.record(commands, 0);
        stages.commit.record(commands, 0);
        record_all(commands, &stages.linearize, 0);
        stages.normal.record(commands, 0);
        stages.examine.record(commands, 0);
    }

    /// Records the linearization at the point in [`Slot::Point`].
    pub fn record_linearize(&self, commands: &mut Commands) {
        record_all(commands, &self.stages.linearize, 0);
    }

    /// Records the residuals at the trial point.
    pub fn record_trial_residuals(&self, commands: &mut Commands) {
        record_all(commands, &self.stages.trial_residuals, 0);
    }

    /// Records the gradient and the diagonal blocks of JᵀJ.
    pub fn record_normal(&self, commands: &mut Commands) {
        self.stages.normal.record(commands, 0);
    }

    /// Records the start of conjugate gradients.
    pub fn record_linear_start(&self, commands: &mut Commands) {
        self.stages.damp.record(commands, 0);
        self.stages.start.record(commands, 0);
    }

    /// Records the product of JᵀJ + D with the first search direction, once conjugate gradients are started.
    pub fn record_normal_product(&self, commands: &mut Commands) {
        record_all(commands, &self.stages.product, 0);
        self.stages.normal_product.record(commands, 0);
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
        let numbers = self.formats.real.decode(bytes);
        self.layout.places.iter().map(|&place| numbers[place as usize]).collect()
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

/// Records what one stage is over all groups.
pub(super) fn record_all(commands: &mut Commands, stages: &[Stage], call: u32) {
    stages.iter().for_each(|stage| stage.record(commands, call));
}

/// Makes the buffers that it takes to evaluate residuals and Jacobian.
pub(super) fn allocate_evaluation(
    buffers: &mut Buffers,
    layout: &Layout,
    real: Format,
    x: &[f64],
) -> Result<(), GpuError> {
    buffers.upload(Slot::Indices, bytemuck::cast_slice(&layout.indices))?;
    buffers.upload(Slot::Data, &real.encode(&layout.data))?;
    buffers.upload(Slot::Point, &real.encode(&layout.point(x)))?;
    buffers.zeros(Slot::Residuals, layout.residuals, real)?;
    buffers.zeros(Slot::Stored, layout.stored, real)
}

/// Makes the buffers of a solve that evaluation does not have.
fn allocate_solve(
    buffers: &mut Buffers,
    layout: &Layout,
    formats: Formats,
    settings: &Settings,
    x: &[f64],
) -> Result<(), GpuError> {
    let real = formats.real;
    buffers.upload(Slot::Incidence, bytemuck::cast_slice(&layout.incidence))?;
    buffers.upload(Slot::TrialPoint, &real.encode(&layout.point(x)))?;
    for slot in [Slot::TrialResiduals, Slot::Product] {
        buffers.zeros(slot, layout.residuals, real)?;
    }
    for slot in [
        Slot::Gradient,
        Slot::Scales,
        Slot::Damping,
        Slot::Step,
        Slot::LinearResidual,
        Slot::Preconditioned,
        Slot::Direction,
        Slot::Image,
    ] {
        buffers.zeros(slot, x.len(), real)?;
    }
    for slot in [Slot::Diagonal, Slot::Inverse] {
        buffers.zeros(slot, layout.diagonal, real)?;
    }
    let mut scalars = vec![0.0; state::STATE + state::PARTIAL_SUMS * capacity(layout) as usize];
    scalars[state::RADIUS] = settings.initial_radius.min(settings.max_radius);
    scalars[state::SHRINK] = 2.0;
    scalars[state::ACCEPTED] = 1.0;
    scalars[state::PROMISE] = -1.0;
    buffers.upload(Slot::Scalars, &formats.sum.encode(&scalars))?;
    buffers.uniform(Slot::Solve, &settings.words(layout))?;
    // Iterations of conjugate gradients, and last the plain call.
    let calls = settings.max_linear_iterations + 1;
    let mut words = vec![0u32; calls * CALL / 4];
    for (iteration, call) in words.chunks_exact_mut(CALL / 4).enumerate() {
        call[0] = iteration as u32;
    }
    words[(calls - 1) * CALL / 4..][..2].copy_from_slice(&[0, 1]);
    buffers.uniform(Slot::Call, &words)
}

impl Stages {
    /// Compiles all stages; returns the number of generated statements too.
    fn new(
        context: &GpuContext,
        layout: &Layout,
        kernels: &[&Kernel],
        formats: Formats,
        buffers: &Buffers,
    ) -> Result<(Self, usize), GpuError> {
        let classes = &layout.classes[..];
        let out_of_range = out_of_range(context);
        let mut requests = Vec::new();
        let chunks = Chunk::all(context, layout, kernels)?;
        for Chunk { groups, plan, workgroups } in &chunks {
            let kernels = &kernels[groups.clone()];
            let product = wgsl::jacobian_product(kernels, formats).map_err(&out_of_range)?;
            let residuals = wgsl::objective(kernels, formats, Slot::TrialPoint, Slot::TrialResiduals);
            let request = |module| Request::new(module, plan, *workgroups);
            requests.extend([
                request(wgsl::linearize(kernels, formats).map_err(&out_of_range)?),
                request(residuals.map_err(&out_of_range)?),
                request(product.clone()),
                request(product).instead(Slot::Preconditioned, Slot::Step),
            ]);
        }
        let (class_plan, list_plan) = (class_plan(context, layout)?, list_plan(context, layout)?);
        let class_workgroups = u64::from(layout.class_workgroups());
        let list_workgroups = u64::from(layout.list_workgroups());
        for (module, plan, workgroups) in [
            (wgsl::normal(kernels, classes, formats), &list_plan, list_workgroups),
            (wgsl::damp(classes, formats), &class_plan, class_workgroups),
            (wgsl::start(classes, formats), &class_plan, class_workgroups),
            (wgsl::image(kernels, classes, formats), &list_plan, list_workgroups),
            (wgsl::update(classes, formats), &class_plan, class_workgroups),
            (wgsl::advance(classes, formats), &class_plan, class_workgroups),
        ] {
            requests.push(Request::new(module.map_err(&out_of_range)?, plan, workgroups));
        }
        let residual_workgroups = u64::from(residual_workgroups(layout));
        let parameter_workgroups = (layout.places.len() as u64).div_ceil(u64::from(WORKGROUP));
        requests.extend([
            Request::without_plan(wgsl::compare(formats), residual_workgroups),
            Request::without_plan(wgsl::decide(formats), 1),
            Request::without_plan(wgsl::commit(formats), parameter_workgroups),
            Request::without_plan(wgsl::examine(formats), 1),
        ]);
        let statements = requests.iter().map(|request| request.module.statements).sum();
        let mut compiled = compile(context, &requests, buffers)?.into_iter();
        let [mut linearize, mut trial_residuals, mut product, mut plain_product] = [const { Vec::new() }; 4];
        for _ in &chunks {
            let four = [&mut linearize, &mut trial_residuals, &mut product, &mut plain_product];
            four.into_iter().zip(&mut compiled).for_each(|(list, stage)| list.push(stage));
        }
        let mut next = || compiled.next().expect("a stage a request");
        let stages = Stages {
            linearize,
            trial_residuals,
            product,
            plain_product,
            normal: next(),
            damp: next(),
            start: next(),
            normal_product: next(),
            update: next(),
            advance: next(),
            compare: next(),
            decide: next(),
            commit: next(),
            examine: next(),
        };
        Ok((stages, statements))
    }
}
