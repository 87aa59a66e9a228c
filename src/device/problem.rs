//! A problem on a device: its buffers, and the kernels of every stage of a solve.

use super::layout::{ClassPlace, Layout};
use crate::backend::gpu::{Binding, Commands, GpuBuffer, GpuContext, GpuError, GpuKernel, KernelRequest};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Formats, Module, Slot, WORKGROUP, state};
use crate::problem::{CompiledProblem, Parameters};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;

/// Most generated statements of a kernel over groups; more groups are spread over several.
const MOST_FUSED: usize = 2500;

/// Most groups of a kernel: a workgroup finds its own by comparing.
const MOST_GROUPS: usize = 32;

/// Workgroups that add up the cost.
const RESIDUAL_WORKGROUPS: u32 = 1024;

/// Bytes from one entry of a dynamic uniform to the next.
const CALL: usize = 256;

/// Numbers that hold for a whole solve: `Head` in `kernels/solver.wgsl`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Invalid steps in a row that are too many.
    pub max_invalid_steps: u32,
    /// Whether columns are scaled.
    pub jacobi_scaling: bool,
    /// Tolerances and limits, as the solver's options have them.
    pub function_tolerance: f64,
    /// See the solver's options.
    pub gradient_tolerance: f64,
    /// See the solver's options.
    pub parameter_tolerance: f64,
    /// See the solver's options.
    pub min_gain_ratio: f64,
    /// See the solver's options.
    pub min_diagonal: f64,
    /// See the solver's options.
    pub max_diagonal: f64,
    /// Least trust region radius.
    pub min_radius: f64,
    /// Largest trust region radius.
    pub max_radius: f64,
    /// First trust region radius.
    pub initial_radius: f64,
    /// Accuracy of the linear solves.
    pub forcing: f64,
    /// Relative change of the cost that drowns in rounding.
    pub rounding: f64,
    /// Relative decrease whose rejection rounding explains.
    pub small_promise: f64,
    /// Most iterations of conjugate gradients a step.
    pub max_linear_iterations: usize,
}

/// A kernel with its buffers.
pub(super) struct Stage {
    kernel: Arc<GpuKernel>,
    bindings: wgpu::BindGroup,
    workgroups: u64,
}

impl Stage {
    /// Records a dispatch with the call at an offset.
    pub fn record(&self, commands: &mut Commands, call: u32) {
        commands.dispatch(&self.kernel, &self.bindings, &[call], self.workgroups);
    }
}

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
    buffers: FxHashMap<Slot, GpuBuffer<u8>>,
    stages: Stages,
    /// Kept because the stages are bound to them.
    _plans: Plans,
    max_linear_iterations: usize,
    /// Generated statements over all kernels.
    pub statements: usize,
}

impl std::fmt::Debug for DeviceProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceProblem").field("formats", &self.formats).finish_non_exhaustive()
    }
}

/// The uniform buffers of plans: without tables, of each chunk of groups, of classes with and without kinds.
pub(super) struct Plans {
    plain: GpuBuffer<u32>,
    pub chunks: Vec<(Range<usize>, GpuBuffer<u32>, u64)>,
    classes: GpuBuffer<u32>,
    kinds: GpuBuffer<u32>,
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
        let kernels: Vec<&Kernel> = problem.groups.iter().map(|group| &*group.kernel).collect();
        let plans = Plans::new(context, &layout, &kernels, settings)?;
        let mut device = Builder::new(context, &layout, formats, settings);
        device.allocate(parameters.values())?;
        let (stages, statements) = device.stages(&kernels, &plans)?;
        let buffers = device.buffers;
        Ok(DeviceProblem {
            context: context.clone(),
            formats,
            buffers,
            stages,
            _plans: plans,
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
        &self.buffers[&slot]
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.buffers.values().map(GpuBuffer::bytes).sum()
    }

    fn plain_call(&self) -> u32 {
        (self.max_linear_iterations * CALL) as u32
    }

    /// Records the evaluation at the start point: residuals, Jacobian, gradient, cost.
    pub fn record_start(&self, commands: &mut Commands) {
        let plain = self.plain_call();
        commands.stage("evaluate");
        self.record_all(commands, &self.stages.linearize, 0);
        self.record_all(commands, &self.stages.trial_residuals, 0);
        self.record(commands, &self.stages.compare, plain);
        self.record(commands, &self.stages.decide, plain);
        self.record(commands, &self.stages.normal, 0);
        self.record(commands, &self.stages.examine, 0);
    }

    /// Records a step: conjugate gradients of at most `iterations`, the trial, the decision, and the evaluation at the new point.
    pub fn record_step(&self, commands: &mut Commands, iterations: usize) {
        let stages = &self.stages;
        let plain = self.plain_call();
        commands.stage("linear solve");
        self.record(commands, &stages.damp, 0);
        self.record(commands, &stages.start, 0);
        for iteration in 0..iterations.min(self.max_linear_iterations) {
            let call = (iteration * CALL) as u32;
            self.record_all(commands, &stages.product, call);
            self.record(commands, &stages.normal_product, call);
            self.record(commands, &stages.update, call);
        }
        commands.stage("evaluate");
        self.record_all(commands, &stages.plain_product, plain);
        self.record(commands, &stages.advance, 0);
        self.record_all(commands, &stages.trial_residuals, 0);
        self.record(commands, &stages.compare, 0);
        self.record(commands, &stages.decide, 0);
        self.record(commands, &stages.commit, 0);
        self.record_all(commands, &stages.linearize, 0);
        self.record(commands, &stages.normal, 0);
        self.record(commands, &stages.examine, 0);
    }

    /// Records the linearization at the point in [`Slot::Point`].
    pub fn record_linearize(&self, commands: &mut Commands) {
        self.record_all(commands, &self.stages.linearize, 0);
    }

    /// Records the residuals at the trial point.
    pub fn record_trial_residuals(&self, commands: &mut Commands) {
        self.record_all(commands, &self.stages.trial_residuals, 0);
    }

    /// Records the gradient and the diagonal blocks of JᵀJ.
    pub fn record_normal(&self, commands: &mut Commands) {
        self.record(commands, &self.stages.normal, 0);
    }

    /// Records the start of conjugate gradients.
    pub fn record_linear_start(&self, commands: &mut Commands) {
        self.record(commands, &self.stages.damp, 0);
        self.record(commands, &self.stages.start, 0);
    }

    /// Records the product of JᵀJ + D with the first search direction, once conjugate gradients are started.
    pub fn record_normal_product(&self, commands: &mut Commands) {
        self.record_all(commands, &self.stages.product, 0);
        self.record(commands, &self.stages.normal_product, 0);
    }

    fn record(&self, commands: &mut Commands, stage: &Stage, call: u32) {
        stage.record(commands, call);
    }

    fn record_all(&self, commands: &mut Commands, stages: &[Stage], call: u32) {
        stages.iter().for_each(|stage| self.record(commands, stage, call));
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

/// Workgroups first..end of each chunk's groups, as rows of its table.
fn group_rows(layout: &Layout, chunk: Range<usize>) -> (Vec<u32>, u64) {
    let tile = layout.tile();
    let mut rows = Vec::new();
    let mut first = 0;
    for group in &layout.groups[chunk] {
        let end = first + group.count.div_ceil(WORKGROUP * tile);
        rows.extend([end, first, group.count, tile, group.blocks, group.data, group.residuals, group.stored]);
        first = end;
    }
    (rows, u64::from(first))
}

impl Plans {
    pub fn new(
        context: &GpuContext,
        layout: &Layout,
        kernels: &[&Kernel],
        settings: &Settings,
    ) -> Result<Self, GpuError> {
        let head = head(layout, settings);
        let uniform = |tables: &[u32]| {
            let words = [&head[..], tables].concat();
            let limit = context.limits().max_uniform_buffer_binding_size;
            if words.len() as u64 * 4 > limit {
                let what = format!("a problem whose shapes fill {} bytes of tables, of {limit}", words.len() * 4);
                return Err(GpuError::Unsupported { what, device: context.info().name.clone() });
            }
            GpuBuffer::uniform(context, "plan", &words)
        };
        let class_rows = |workgroups: &dyn Fn(&ClassPlace) -> u32| {
            let mut rows = Vec::new();
            let mut first = 0;
            for place in &layout.class_places {
                let end = first + workgroups(place);
                rows.extend([end, first, place.count, place.table, place.diagonal, 0, 0, 0]);
                first = end;
            }
            rows
        };
        let mut kind_rows = class_rows(&|place| place.list_workgroups);
        for &(base, group) in &layout.kinds {
            let group = layout.groups[group];
            kind_rows.extend([base, group.residuals, group.stored, 0]);
        }
        let chunks = chunks(kernels).into_iter().map(|chunk| {
            let (rows, workgroups) = group_rows(layout, chunk.clone());
            Ok((chunk, uniform(&rows)?, workgroups))
        });
        Ok(Plans {
            plain: uniform(&[])?,
            chunks: chunks.collect::<Result<_, GpuError>>()?,
            classes: uniform(&class_rows(&|place| place.workgroups))?,
            kinds: uniform(&kind_rows)?,
        })
    }
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
fn residual_workgroups(layout: &Layout) -> u32 {
    (layout.residuals as u32).div_ceil(WORKGROUP).clamp(1, RESIDUAL_WORKGROUPS)
}

/// Room for the partial sums of a quantity.
fn capacity(layout: &Layout) -> u32 {
    layout.class_workgroups().max(layout.list_workgroups()).max(residual_workgroups(layout))
}

pub(super) fn head(layout: &Layout, settings: &Settings) -> [u32; 24] {
    let single = |number: f64| (number as f32).to_bits();
    [
        0,
        layout.class_workgroups(),
        residual_workgroups(layout),
        capacity(layout),
        layout.residuals as u32,
        layout.places.len() as u32,
        settings.max_invalid_steps,
        u32::from(settings.jacobi_scaling),
        single(settings.function_tolerance),
        single(settings.gradient_tolerance),
        single(settings.parameter_tolerance),
        single(settings.min_gain_ratio),
        single(settings.min_diagonal),
        single(settings.max_diagonal),
        single(settings.min_radius),
        single(settings.max_radius),
        single(settings.forcing),
        single(settings.rounding),
        single(settings.small_promise),
        single(settings.rounding),
        layout.list_workgroups(),
        0,
        0,
        0,
    ]
}

/// Makes the buffers and the stages of a problem.
pub(super) struct Builder<'a> {
    context: &'a GpuContext,
    layout: &'a Layout,
    formats: Formats,
    settings: &'a Settings,
    pub buffers: FxHashMap<Slot, GpuBuffer<u8>>,
}

/// A module waiting for its kernel: the plan it reads, its workgroups, and slots that stand for others.
pub(super) struct Request<'a> {
    pub module: Module,
    pub plan: &'a GpuBuffer<u32>,
    pub workgroups: u64,
    pub instead: Vec<(Slot, Slot)>,
}

impl<'a> Builder<'a> {
    pub fn new(context: &'a GpuContext, layout: &'a Layout, formats: Formats, settings: &'a Settings) -> Self {
        Builder { context, layout, formats, settings, buffers: FxHashMap::default() }
    }

    /// What it takes to evaluate residuals and Jacobian.
    pub fn allocate_evaluation(&mut self, x: &[f64]) -> Result<(), GpuError> {
        let (real, layout) = (self.formats.real, self.layout);
        self.upload(Slot::Indices, bytemuck::cast_slice(&layout.indices))?;
        self.upload(Slot::Data, &real.encode(&layout.data))?;
        self.upload(Slot::Point, &self.encode_point(x))?;
        self.zeros(Slot::Residuals, layout.residuals * real.bytes())?;
        self.zeros(Slot::Stored, layout.stored * real.bytes())
    }

    fn encode_point(&self, x: &[f64]) -> Vec<u8> {
        let mut point = vec![0.0; x.len()];
        for (number, &place) in x.iter().zip(&self.layout.places) {
            point[place as usize] = *number;
        }
        self.formats.real.encode(&point)
    }

    fn allocate(&mut self, x: &[f64]) -> Result<(), GpuError> {
        let (real, layout) = (self.formats.real, self.layout);
        self.allocate_evaluation(x)?;
        self.upload(Slot::Incidence, bytemuck::cast_slice(&layout.incidence))?;
        self.upload(Slot::TrialPoint, &self.encode_point(x))?;
        for slot in [Slot::TrialResiduals, Slot::Product] {
            self.zeros(slot, layout.residuals * real.bytes())?;
        }
        let vectors = [
            Slot::Gradient,
            Slot::Scales,
            Slot::Damping,
            Slot::Step,
            Slot::LinearResidual,
            Slot::Preconditioned,
            Slot::Direction,
            Slot::Image,
        ];
        for slot in vectors {
            self.zeros(slot, x.len() * real.bytes())?;
        }
        for slot in [Slot::Diagonal, Slot::Inverse] {
            self.zeros(slot, layout.diagonal * real.bytes())?;
        }
        let mut scalars = vec![0.0; state::STATE + state::PARTIAL_SUMS * capacity(layout) as usize];
        scalars[state::RADIUS] = self.settings.initial_radius.min(self.settings.max_radius);
        scalars[state::SHRINK] = 2.0;
        scalars[state::ACCEPTED] = 1.0;
        scalars[state::PROMISE] = -1.0;
        self.upload(Slot::Scalars, &self.formats.sum.encode(&scalars))?;
        self.allocate_calls()
    }

    /// What differs from dispatch to dispatch: iterations of conjugate gradients, and last the plain call.
    pub fn allocate_calls(&mut self) -> Result<(), GpuError> {
        let calls = self.settings.max_linear_iterations + 1;
        let mut words = vec![0u32; calls * CALL / 4];
        for (iteration, call) in words.chunks_exact_mut(CALL / 4).enumerate() {
            call[0] = iteration as u32;
        }
        words[(calls - 1) * CALL / 4..][..2].copy_from_slice(&[0, 1]);
        let call = GpuBuffer::uniform(self.context, "call", bytemuck::cast_slice::<u32, u8>(&words))?;
        self.buffers.insert(Slot::Call, call);
        Ok(())
    }

    pub fn upload(&mut self, slot: Slot, bytes: &[u8]) -> Result<(), GpuError> {
        self.fits(slot, bytes.len())?;
        self.buffers.insert(slot, GpuBuffer::from_slice(self.context, slot.variable(), bytes)?);
        Ok(())
    }

    fn zeros(&mut self, slot: Slot, bytes: usize) -> Result<(), GpuError> {
        self.fits(slot, bytes)?;
        self.buffers.insert(slot, GpuBuffer::zeros(self.context, slot.variable(), bytes)?);
        Ok(())
    }

    fn fits(&self, slot: Slot, bytes: usize) -> Result<(), GpuError> {
        let limit = self.context.max_binding_bytes();
        if bytes as u64 > limit {
            return Err(GpuError::TooLarge { label: slot.variable().to_owned(), bytes: bytes as u64, limit });
        }
        Ok(())
    }

    fn stages(&self, kernels: &[&Kernel], plans: &Plans) -> Result<(Stages, usize), GpuError> {
        let (classes, formats) = (&self.layout.classes[..], self.formats);
        let class_workgroups = u64::from(self.layout.class_workgroups());
        let out_of_range = |error: wgsl::OutOfRange| self.out_of_range(&error);
        let mut requests = Vec::new();
        let plain_product = vec![(Slot::Preconditioned, Slot::Step)];
        for (chunk, plan, workgroups) in &plans.chunks {
            let kernels = &kernels[chunk.clone()];
            let trial = wgsl::objective(kernels, formats, Slot::TrialPoint, Slot::TrialResiduals);
            let modules = [
                (wgsl::linearize(kernels, formats), Vec::new()),
                (trial, Vec::new()),
                (wgsl::jacobian_product(kernels, formats), Vec::new()),
                (wgsl::jacobian_product(kernels, formats), plain_product.clone()),
            ];
            for (module, instead) in modules {
                let module = module.map_err(out_of_range)?;
                requests.push(Request { module, plan, workgroups: *workgroups, instead });
            }
        }
        let over_groups = requests.len();
        let list_workgroups = u64::from(self.layout.list_workgroups());
        for (module, plan, workgroups) in [
            (wgsl::normal(kernels, classes, formats), &plans.kinds, list_workgroups),
            (wgsl::damp(classes, formats), &plans.classes, class_workgroups),
            (wgsl::start(classes, formats), &plans.classes, class_workgroups),
            (wgsl::image(kernels, classes, formats), &plans.kinds, list_workgroups),
            (wgsl::update(classes, formats), &plans.classes, class_workgroups),
            (wgsl::advance(classes, formats), &plans.classes, class_workgroups),
        ] {
            requests.push(Request { module: module.map_err(out_of_range)?, plan, workgroups, instead: Vec::new() });
        }
        let residual_workgroups = u64::from(residual_workgroups(self.layout));
        let parameter_workgroups = (self.layout.places.len() as u64).div_ceil(u64::from(WORKGROUP));
        let plan = &plans.plain;
        for (module, workgroups, instead) in [
            (wgsl::compare(formats), residual_workgroups, Vec::new()),
            (wgsl::decide(formats), 1, Vec::new()),
            (wgsl::commit(formats), parameter_workgroups, Vec::new()),
            (wgsl::examine(formats), 1, Vec::new()),
        ] {
            requests.push(Request { module, plan, workgroups, instead });
        }
        let statements = requests.iter().map(|request| request.module.statements).sum();
        let mut stages = self.compile(&requests)?.into_iter();
        let [mut linearize, mut trial_residuals, mut product, mut plain_product] = [const { Vec::new() }; 4];
        for _ in 0..over_groups / 4 {
            let four = [&mut linearize, &mut trial_residuals, &mut product, &mut plain_product];
            four.into_iter().zip(&mut stages).for_each(|(list, stage)| list.push(stage));
        }
        let mut next = || stages.next().expect("a stage a request");
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

    /// A constant that the device's numbers do not reach.
    pub fn out_of_range(&self, error: &wgsl::OutOfRange) -> GpuError {
        GpuError::Unsupported { what: error.to_string(), device: self.context.info().name.clone() }
    }

    pub fn compile(&self, requests: &[Request<'_>]) -> Result<Vec<Stage>, GpuError> {
        let bindings: Vec<Vec<Binding>> = requests
            .iter()
            .map(|request| {
                let binding = |&(slot, writes): &(Slot, bool)| match slot {
                    Slot::Plan => Binding::Uniform,
                    Slot::Call => Binding::DynamicUniform,
                    _ if writes => Binding::ReadWrite,
                    _ => Binding::ReadOnly,
                };
                request.module.bindings.iter().map(binding).collect()
            })
            .collect();
        let wanted: Vec<KernelRequest<'_>> = requests
            .iter()
            .zip(&bindings)
            .map(|(request, bindings)| KernelRequest {
                label: &request.module.entry,
                wgsl: &request.module.wgsl,
                entry: &request.module.entry,
                bindings,
            })
            .collect();
        let kernels = self.context.kernels(&wanted)?;
        let stage = |(kernel, request): (Arc<GpuKernel>, &Request<'_>)| {
            let resource = |&(slot, _): &(Slot, bool)| {
                let slot = request.instead.iter().find(|(from, _)| *from == slot).map_or(slot, |&(_, to)| to);
                match slot {
                    Slot::Plan => request.plan.binding(),
                    Slot::Call => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: self.buffers[&slot].raw(),
                        offset: 0,
                        size: std::num::NonZeroU64::new(CALL as u64),
                    }),
                    _ => self.buffers[&slot].binding(),
                }
            };
            let resources: Vec<_> = request.module.bindings.iter().map(resource).collect();
            let bindings = kernel.bind_ranges(&resources)?;
            Ok(Stage { kernel, bindings, workgroups: request.workgroups })
        };
        kernels.into_iter().zip(requests).map(stage).collect()
    }
}
