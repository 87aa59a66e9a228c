//! Residuals, Jacobian, gradient and products with JᵀJ of a problem, each by itself.

use super::accumulation::Accumulation;
use super::layout::Layout;
use super::problem::{Settings, chunks, head};
use super::shard::{GroupShape, Instances, Lists, Pieces, Shard, ShardGroup, cut, held_places};
use crate::backend::gpu::{Binding, Commands, GpuBuffer, GpuContext, GpuError, GpuKernel, KernelRequest};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Addition, Format, Formats, Module, Slot, WORKGROUP, state};
use crate::problem::{CompiledProblem, Evaluation, NonFiniteResidual, Parameters, ProblemError};
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::Arc;

/// Why there are no derivatives at a point.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DerivativesError {
    /// The device failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The point does not belong to the problem.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// A residual or its derivative is not finite.
    #[error(transparent)]
    NonFinite(#[from] NonFiniteResidual),
    /// Every residual and derivative is finite, but a sum of them is not.
    #[error("component {parameter} of the {of} is {value}, outside the range of {format:?}")]
    Overflow {
        /// What was summed.
        of: &'static str,
        /// Index of the scalar parameter.
        parameter: usize,
        /// The sum.
        value: f64,
        /// The numbers' format.
        format: Format,
    },
}

/// The sums over instances that there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sum {
    Gradient,
    Product,
}

impl Sum {
    /// Where it goes.
    const fn slot(self) -> Slot {
        match self {
            Sum::Gradient => Slot::Gradient,
            Sum::Product => Slot::Image,
        }
    }
}

/// A kernel with its buffers.
struct Stage {
    kernel: Arc<GpuKernel>,
    bindings: wgpu::BindGroup,
    workgroups: u64,
}

/// What runs over a shard.
#[derive(Default)]
struct Stages {
    residuals: Vec<Stage>,
    linearize: Vec<Stage>,
    gradient: Vec<Stage>,
    product: Vec<Stage>,
}

/// A shard on the device.
struct DeviceShard {
    instances: Instances,
    groups: Vec<ShardGroup>,
    buffers: FxHashMap<Slot, GpuBuffer<u8>>,
    stages: Stages,
    /// Kept because the stages are bound to them.
    _plans: Vec<GpuBuffer<u32>>,
}

/// The derivatives of a problem on a device.
///
/// Gradient and product do not store the Jacobian: instances compute it anew, and their contributions come together as
/// [`Accumulation`] says. Problems whose buffers outgrow a binding are worked on in shards; only the parameters and vectors like them
/// have to fit.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let problem = isograd::Problem::new();
/// use isograd::backend::gpu::GpuContext;
/// use isograd::device::{Accumulation, GpuDerivatives};
/// use isograd::kernel::wgsl::{Format, Formats};
///
/// let formats = Formats { real: Format::F64, sum: Format::F64 };
/// let (compiled, parameters) = (problem.compile()?, problem.parameters());
/// let derivatives =
///     GpuDerivatives::new(&GpuContext::shared()?, &compiled, parameters, formats, Accumulation::Auto)?;
/// let gradient = derivatives.gradient(parameters.values())?;
/// # Ok(())
/// # }
/// ```
pub struct GpuDerivatives {
    context: GpuContext,
    problem: CompiledProblem,
    formats: Formats,
    addition: Addition,
    /// Place on the device of every parameter.
    places: Vec<u32>,
    held: Vec<u32>,
    shapes: Vec<GroupShape>,
    shards: Vec<DeviceShard>,
    /// Buffers that all shards share.
    buffers: FxHashMap<Slot, GpuBuffer<u8>>,
    /// Zeroes the sums of held parameters, for gradient and product; only where sums are atomic.
    clear_held: Vec<Stage>,
    _held_plan: Option<GpuBuffer<u32>>,
}

impl std::fmt::Debug for GpuDerivatives {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GpuDerivatives")
            .field("formats", &self.formats)
            .field("addition", &self.addition)
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}

impl GpuDerivatives {
    /// Uploads the problem and compiles its kernels.
    ///
    /// # Errors
    /// What the device says; [`GpuError::Unsupported`] where it lacks a format or an accumulation, or a residual has too many operations.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        accumulation: Accumulation,
    ) -> Result<Self, GpuError> {
        Self::with_idle_workgroups(context, problem, parameters, formats, accumulation, 0)
    }

    /// The same with workgroups in front that do nothing, so that tests need no millions of instances to fill two dimensions of them.
    #[doc(hidden)]
    #[cfg(not(target_arch = "wasm32"))]
    pub fn with_idle_workgroups(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        accumulation: Accumulation,
        idle: u32,
    ) -> Result<Self, GpuError> {
        let addition = accumulation.resolve(context, formats.real)?;
        check_formats(context, formats)?;
        for group in &problem.groups {
            if let Some(obstacle) = wgsl::obstacle(&group.kernel, formats.real) {
                let what = format!("kernel for a residual: {obstacle}");
                return Err(GpuError::Unsupported { what, device: context.info().name.clone() });
            }
        }
        let layout = Layout::new(problem, parameters);
        let gathers = addition == Addition::Gather;
        let shapes: Vec<GroupShape> = problem.groups.iter().map(|group| GroupShape::new(group, gathers)).collect();
        let pieces = Pieces::new(problem, parameters, &layout.places);
        let rows = if gathers { pieces.len() as u64 } else { 0 };
        let (real, limit) = (formats.real.bytes(), context.max_binding_bytes());
        let shards: Vec<Shard> = cut(&problem.groups, &shapes, real, rows, limit)?
            .into_iter()
            .map(|instances| Shard::new(&layout, &shapes, instances))
            .collect();
        let mut derivatives = GpuDerivatives {
            context: context.clone(),
            problem: problem.clone(),
            formats,
            addition,
            held: held_places(parameters, &layout.places),
            shards: Vec::new(),
            buffers: FxHashMap::default(),
            clear_held: Vec::new(),
            _held_plan: None,
            shapes,
            places: Vec::new(),
        };
        derivatives.allocate(&layout, &shards)?;
        let head = head(&layout, &Settings::default());
        derivatives.places = layout.places;
        for (index, shard) in shards.into_iter().enumerate() {
            let lists = gathers.then(|| Lists::new(&shard, &derivatives.shapes, &pieces, index == 0));
            let shard = derivatives.upload(shard, lists, &head, index == 0, idle)?;
            derivatives.shards.push(shard);
        }
        derivatives.prepare_held(&head)?;
        Ok(derivatives)
    }

    /// Buffers that all shards share.
    fn allocate(&mut self, layout: &Layout, shards: &[Shard]) -> Result<(), GpuError> {
        let real = self.formats.real;
        for slot in [Slot::Point, Slot::Direction, Slot::Gradient, Slot::Image] {
            let buffer = zeros(&self.context, slot, layout.places.len() * real.bytes())?;
            self.buffers.insert(slot, buffer);
        }
        // Shards run one after the other.
        let contributions = shards.iter().map(|shard| shard.contributions).max().unwrap_or(0);
        self.buffers
            .insert(Slot::Contributions, zeros(&self.context, Slot::Contributions, contributions * real.bytes())?);
        // What a solve would keep here: it is running, and the point is new.
        let mut scalars = vec![0.0; state::STATE];
        scalars[state::ACCEPTED] = 1.0;
        let scalars = upload(&self.context, Slot::Scalars, &self.formats.sum.encode(&scalars))?;
        self.buffers.insert(Slot::Scalars, scalars);
        let call = GpuBuffer::uniform(&self.context, "call", &[0u8; 256])?;
        self.buffers.insert(Slot::Call, call);
        Ok(())
    }

    /// Uploads a shard and makes its stages.
    fn upload(
        &self,
        shard: Shard,
        lists: Option<Lists>,
        head: &[u32],
        first: bool,
        idle: u32,
    ) -> Result<DeviceShard, GpuError> {
        let (context, real) = (&self.context, self.formats.real);
        let mut buffers = FxHashMap::default();
        buffers.insert(Slot::Indices, upload(context, Slot::Indices, bytemuck::cast_slice(&shard.indices))?);
        buffers.insert(Slot::Data, upload(context, Slot::Data, &real.encode(&shard.data))?);
        buffers.insert(Slot::Residuals, zeros(context, Slot::Residuals, shard.residuals * real.bytes())?);
        buffers.insert(Slot::Stored, zeros(context, Slot::Stored, shard.stored * real.bytes())?);
        if let Some(lists) = &lists {
            buffers.insert(Slot::Incidence, upload(context, Slot::Incidence, bytemuck::cast_slice(&lists.words))?);
        }
        let (stages, plans) = self.stages(&shard, lists.as_ref(), &buffers, head, first, idle)?;
        Ok(DeviceShard { instances: shard.instances, groups: shard.groups, buffers, stages, _plans: plans })
    }

    fn stages(
        &self,
        shard: &Shard,
        lists: Option<&Lists>,
        buffers: &FxHashMap<Slot, GpuBuffer<u8>>,
        head: &[u32],
        first: bool,
        idle: u32,
    ) -> Result<(Stages, Vec<GpuBuffer<u32>>), GpuError> {
        let kernels: Vec<&Kernel> = self.problem.groups.iter().map(|group| &*group.kernel).collect();
        let (formats, addition) = (self.formats, self.addition);
        let out_of_range = |error: wgsl::OutOfRange| GpuError::Unsupported {
            what: error.to_string(),
            device: self.context.info().name.clone(),
        };
        let mut stages = Stages::default();
        let mut plans = Vec::new();
        for chunk in chunks(&kernels) {
            let (rows, workgroups) = shard.group_rows(chunk.clone(), idle);
            let plan = GpuBuffer::uniform(&self.context, "plan", &[head, &rows].concat())?;
            let kernels = &kernels[chunk];
            let modules = [
                wgsl::residuals(kernels, formats, Slot::Point, Slot::Residuals).map_err(out_of_range)?,
                wgsl::linearize(kernels, formats).map_err(out_of_range)?,
                wgsl::gradient(kernels, formats, addition).map_err(out_of_range)?,
                wgsl::jtj_product(kernels, formats, addition).map_err(out_of_range)?,
            ];
            let sums = |slot| [(Slot::Sums, slot)];
            let instead = [&[][..], &[], &sums(Slot::Gradient), &sums(Slot::Image)];
            let made = self.compile(&modules, &instead, buffers, &plan, workgroups)?;
            let lists = [&mut stages.residuals, &mut stages.linearize, &mut stages.gradient, &mut stages.product];
            lists.into_iter().zip(made).for_each(|(list, stage)| list.push(stage));
            plans.push(plan);
        }
        for class in lists.map_or(&[][..], |lists| &lists.classes) {
            let row = [class.count, class.size, class.table, u32::from(!first)];
            let plan = GpuBuffer::uniform(&self.context, "plan", &[head, &row].concat())?;
            let threads = u64::from(class.count) * u64::from(class.size);
            let (module, workgroups) = if class.long {
                (wgsl::gather_long(formats), u64::from(class.count))
            } else {
                (wgsl::gather(formats), threads.div_ceil(u64::from(WORKGROUP)))
            };
            let modules = [module.clone(), module];
            let instead = [&[][..], &[(Slot::Gradient, Slot::Image)]];
            let made = self.compile(&modules, &instead, buffers, &plan, workgroups)?;
            [&mut stages.gradient, &mut stages.product]
                .into_iter()
                .zip(made)
                .for_each(|(list, stage)| list.push(stage));
            plans.push(plan);
        }
        Ok((stages, plans))
    }

    /// Makes the stages that zero the sums of held parameters; lists leave these out from the start.
    fn prepare_held(&mut self, head: &[u32]) -> Result<(), GpuError> {
        if self.addition == Addition::Gather || self.held.is_empty() {
            return Ok(());
        }
        let row = [self.held.len() as u32, 0, 0, 0];
        let plan = GpuBuffer::uniform(&self.context, "plan", &[head, &row].concat())?;
        let list = upload(&self.context, Slot::Incidence, bytemuck::cast_slice(&self.held))?;
        let buffers = FxHashMap::from_iter([(Slot::Incidence, list)]);
        let module = wgsl::clear_held(self.formats);
        let workgroups = (self.held.len() as u64).div_ceil(u64::from(WORKGROUP));
        let instead = [&[][..], &[(Slot::Gradient, Slot::Image)]];
        self.clear_held = self.compile(&[module.clone(), module], &instead, &buffers, &plan, workgroups)?;
        self.buffers.extend(buffers);
        self._held_plan = Some(plan);
        Ok(())
    }

    /// Compiles modules, in which slots may stand for others, and binds them to the buffers of a shard or else of all.
    fn compile(
        &self,
        modules: &[Module],
        instead: &[&[(Slot, Slot)]],
        buffers: &FxHashMap<Slot, GpuBuffer<u8>>,
        plan: &GpuBuffer<u32>,
        workgroups: u64,
    ) -> Result<Vec<Stage>, GpuError> {
        let binding = |&(slot, writes): &(Slot, bool)| match slot {
            Slot::Plan => Binding::Uniform,
            Slot::Call => Binding::DynamicUniform,
            _ if writes => Binding::ReadWrite,
            _ => Binding::ReadOnly,
        };
        let bindings: Vec<Vec<Binding>> =
            modules.iter().map(|module| module.bindings.iter().map(binding).collect()).collect();
        let request = |(module, bindings)| {
            let Module { entry, wgsl, .. }: &Module = module;
            KernelRequest { label: entry, wgsl, entry, bindings }
        };
        let requests: Vec<KernelRequest<'_>> =
            modules.iter().zip(bindings.iter().map(Vec::as_slice)).map(request).collect();
        let kernels = self.context.kernels(&requests)?;
        let stage = |kernel: Arc<GpuKernel>, module: &Module, instead: &[(Slot, Slot)]| {
            let resource = |&(slot, _): &(Slot, bool)| {
                let slot = instead.iter().find(|(from, _)| *from == slot).map_or(slot, |&(_, to)| to);
                match slot {
                    Slot::Plan => plan.binding(),
                    _ => buffers.get(&slot).unwrap_or_else(|| &self.buffers[&slot]).binding(),
                }
            };
            let resources: Vec<_> = module.bindings.iter().map(resource).collect();
            let bindings = kernel.bind_ranges(&resources)?;
            Ok(Stage { kernel, bindings, workgroups })
        };
        let requests = kernels.into_iter().zip(modules).zip(instead);
        requests.map(|((kernel, module), instead)| stage(kernel, module, instead)).collect()
    }

    /// The context it lives in.
    pub fn context(&self) -> &GpuContext {
        &self.context
    }

    /// Number formats.
    pub fn formats(&self) -> Formats {
        self.formats
    }

    /// How sums are formed.
    pub fn addition(&self) -> Addition {
        self.addition
    }

    /// Number of shards; one where everything fits.
    pub fn shards(&self) -> usize {
        self.shards.len()
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        let all = self.shards.iter().flat_map(|shard| shard.buffers.values()).chain(self.buffers.values());
        all.map(GpuBuffer::bytes).sum()
    }

    /// Records the evaluation of the residuals.
    pub fn record_residuals(&self, commands: &mut Commands) {
        self.shards.iter().for_each(|shard| record(commands, &shard.stages.residuals));
    }

    /// Records the evaluation of residuals and Jacobian.
    pub fn record_linearize(&self, commands: &mut Commands) {
        self.shards.iter().for_each(|shard| record(commands, &shard.stages.linearize));
    }

    /// Records the gradient.
    pub fn record_gradient(&self, commands: &mut Commands) {
        self.record_sum(commands, Sum::Gradient);
    }

    /// Records the product of JᵀJ with the direction, whose held components must be 0.
    pub fn record_jtj_product(&self, commands: &mut Commands) {
        self.record_sum(commands, Sum::Product);
    }

    fn record_sum(&self, commands: &mut Commands, sum: Sum) {
        if self.addition != Addition::Gather {
            commands.clear(self.buffers[&sum.slot()].raw());
        }
        for shard in &self.shards {
            let stages = match sum {
                Sum::Gradient => &shard.stages.gradient,
                Sum::Product => &shard.stages.product,
            };
            record(commands, stages);
        }
        if let Some(stage) = self.clear_held.get(sum as usize) {
            record(commands, std::slice::from_ref(stage));
        }
    }

    /// Sets the point for what is submitted from now on.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`] if `x` has the wrong length; [`GpuError::Lost`].
    pub fn set_point(&self, x: &[f64]) -> Result<(), DerivativesError> {
        self.set(Slot::Point, x, false)
    }

    /// Sets the direction for what is submitted from now on; held components are taken as 0.
    ///
    /// # Errors
    /// As [`set_point`](Self::set_point).
    pub fn set_direction(&self, direction: &[f64]) -> Result<(), DerivativesError> {
        self.set(Slot::Direction, direction, true)
    }

    fn set(&self, slot: Slot, vector: &[f64], without_held: bool) -> Result<(), DerivativesError> {
        let (expected, found) = (self.places.len(), vector.len());
        if expected != found {
            return Err(ProblemError::ParameterCount { expected, found }.into());
        }
        let mut numbers = vec![0.0; vector.len()];
        self.places.iter().zip(vector).for_each(|(&place, &number)| numbers[place as usize] = number);
        if without_held {
            self.held.iter().for_each(|&place| numbers[place as usize] = 0.0);
        }
        Ok(self.buffers[&slot].write(0, &self.formats.real.encode(&numbers))?)
    }
}

/// Evaluation at a point, with the result read back.
#[cfg(not(target_arch = "wasm32"))]
impl GpuDerivatives {
    /// The residuals at `x`, in the layout of the [`CompiledProblem`].
    ///
    /// # Errors
    /// [`DerivativesError::NonFinite`] names a residual that is not finite; else what the device says.
    pub fn residuals(&self, x: &[f64]) -> Result<Vec<f64>, DerivativesError> {
        self.set_point(x)?;
        self.submit("residuals", |commands| self.record_residuals(commands));
        let evaluation = Evaluation { residuals: self.read_residuals()?, stored: Vec::new() };
        self.check_finite(x, &evaluation)?;
        Ok(evaluation.residuals)
    }

    /// Residuals and stored numbers of the Jacobian at `x`, in the layout of the [`CompiledProblem`].
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals).
    pub fn linearize(&self, x: &[f64]) -> Result<Evaluation, DerivativesError> {
        self.set_point(x)?;
        self.submit("linearize", |commands| self.record_linearize(commands));
        let evaluation = Evaluation { residuals: self.read_residuals()?, stored: self.read_stored()? };
        self.check_finite(x, &evaluation)?;
        Ok(evaluation)
    }

    /// The gradient Jᵀr at `x`, 0 for parameters that are held.
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals), and [`DerivativesError::Overflow`].
    pub fn gradient(&self, x: &[f64]) -> Result<Vec<f64>, DerivativesError> {
        self.set_point(x)?;
        self.submit("gradient", |commands| self.record_gradient(commands));
        self.finite_sum(x, "gradient", self.read_gradient()?)
    }

    /// JᵀJ at `x` times a direction, without the rows and columns of parameters that are held.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub fn jtj_product(&self, x: &[f64], direction: &[f64]) -> Result<Vec<f64>, DerivativesError> {
        self.set_point(x)?;
        self.set_direction(direction)?;
        self.submit("JᵀJ p", |commands| self.record_jtj_product(commands));
        self.finite_sum(x, "product", self.read_product()?)
    }

    fn submit(&self, label: &str, record: impl FnOnce(&mut Commands)) {
        let mut commands = self.context.commands(label);
        record(&mut commands);
        commands.submit();
    }

    /// The gradient that was recorded last, finite or not.
    ///
    /// # Errors
    /// As [`GpuBuffer::read`].
    pub fn read_gradient(&self) -> Result<Vec<f64>, GpuError> {
        self.read_vector(Slot::Gradient)
    }

    /// The product that was recorded last, finite or not.
    ///
    /// # Errors
    /// As [`GpuBuffer::read`].
    pub fn read_product(&self) -> Result<Vec<f64>, GpuError> {
        self.read_vector(Slot::Image)
    }

    fn read_vector(&self, slot: Slot) -> Result<Vec<f64>, GpuError> {
        let bytes = self.buffers[&slot].read_blocking()?;
        self.context.check()?;
        let numbers = self.formats.real.decode(&bytes);
        Ok(self.places.iter().map(|&place| numbers[place as usize]).collect())
    }

    fn read_residuals(&self) -> Result<Vec<f64>, GpuError> {
        let places = |index: usize| {
            let group = &self.problem.groups[index];
            (group.rows.start, self.shapes[index].width)
        };
        self.collect(Slot::Residuals, self.problem.residuals(), places, |group| group.residuals)
    }

    fn read_stored(&self) -> Result<Vec<f64>, GpuError> {
        let places = |index: usize| {
            let group = &self.problem.groups[index];
            (group.stored.start, self.shapes[index].stored)
        };
        self.collect(Slot::Stored, self.problem.stored(), places, |group| group.stored)
    }

    /// Puts the numbers of all shards together; `places` tells for each group where they begin and how many an instance has.
    fn collect(
        &self,
        slot: Slot,
        length: usize,
        places: impl Fn(usize) -> (usize, usize),
        first: impl Fn(&ShardGroup) -> u32,
    ) -> Result<Vec<f64>, GpuError> {
        let mut all = vec![0.0; length];
        for shard in &self.shards {
            let numbers = self.formats.real.decode(&shard.buffers[&slot].read_blocking()?);
            for (index, (instances, group)) in shard.instances.iter().zip(&shard.groups).enumerate() {
                let ((to, width), from) = (places(index), first(group) as usize);
                let mine: Range<usize> = from..from + instances.len() * width;
                all[to + instances.start * width..][..mine.len()].copy_from_slice(&numbers[mine]);
            }
        }
        self.context.check()?;
        Ok(all)
    }

    fn check_finite(&self, x: &[f64], evaluation: &Evaluation) -> Result<(), NonFiniteResidual> {
        let finite = evaluation.residuals.iter().chain(&evaluation.stored).all(|number| number.is_finite());
        let culprit = if finite { None } else { self.problem.find_non_finite(x, evaluation) };
        culprit.map_or(Ok(()), Err)
    }

    /// Passes a sum on if it is finite; else finds the residual that spoils it.
    fn finite_sum(&self, x: &[f64], of: &'static str, sum: Vec<f64>) -> Result<Vec<f64>, DerivativesError> {
        let Some(parameter) = sum.iter().position(|number| !number.is_finite()) else { return Ok(sum) };
        self.linearize(x)?;
        Err(DerivativesError::Overflow { of, parameter, value: sum[parameter], format: self.formats.real })
    }
}

fn record(commands: &mut Commands, stages: &[Stage]) {
    for stage in stages {
        commands.dispatch(&stage.kernel, &stage.bindings, &[0], stage.workgroups);
    }
}

fn upload(context: &GpuContext, slot: Slot, bytes: &[u8]) -> Result<GpuBuffer<u8>, GpuError> {
    fits(context, slot, bytes.len())?;
    GpuBuffer::from_slice(context, slot.variable(), bytes)
}

fn zeros(context: &GpuContext, slot: Slot, bytes: usize) -> Result<GpuBuffer<u8>, GpuError> {
    fits(context, slot, bytes)?;
    GpuBuffer::zeros(context, slot.variable(), bytes)
}

fn fits(context: &GpuContext, slot: Slot, bytes: usize) -> Result<(), GpuError> {
    let (bytes, limit) = (bytes as u64, context.max_binding_bytes());
    if bytes > limit {
        return Err(GpuError::TooLarge { label: slot.variable().to_owned(), bytes, limit });
    }
    Ok(())
}

/// Whether the device computes in these formats, and correctly.
#[cfg(not(target_arch = "wasm32"))]
fn check_formats(context: &GpuContext, formats: Formats) -> Result<(), GpuError> {
    let uses = |format| [formats.real, formats.sum].contains(&format);
    let what = if uses(Format::F64) && !context.has_f64() {
        "double precision"
    } else if uses(Format::DoubleF32) && !context.double_f32_works()? {
        "dependable single-precision rounding, which pairs of numbers need"
    } else {
        return Ok(());
    };
    Err(GpuError::Unsupported { what: what.to_owned(), device: context.info().name.clone() })
}
