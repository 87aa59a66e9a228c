//! Residuals, Jacobian, gradient and products with JᵀJ of a problem, each by itself.

mod evaluate;
mod shard;

use self::shard::{DeviceShard, Task};
use super::accumulation::Accumulation;
use super::buffers::Buffers;
use super::layout::Layout;
use super::plans::plan;
use super::problem::record_all;
use super::shard::{GroupShape, Lists, Pieces, Shard, cut, held_places};
use super::stage::{Request, Stage, compile};
use crate::backend::gpu::{Commands, GpuContext, GpuError};
use crate::kernel::wgsl::{self, Addition, Format, Formats, Slot, WORKGROUP, state};
use crate::problem::{CompiledProblem, NonFiniteResidual, Parameters, ProblemError};

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
    buffers: Buffers,
    /// Zeroes the sums of held parameters, for gradient and product; only where sums are atomic.
    clear_held: Vec<Stage>,
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
        let layout = Layout::of_groups(problem, parameters, &problem.groups);
        let gathers = addition == Addition::Gather;
        let shapes: Vec<GroupShape> = problem.groups.iter().map(|group| GroupShape::new(group, gathers)).collect();
        let pieces = Pieces::new(problem, parameters, &layout.places);
        let rows = if gathers { pieces.len() as u64 } else { 0 };
        let (real, limit) = (formats.real.bytes(), context.max_binding_bytes());
        let shards: Vec<Shard> = cut(&problem.groups, &shapes, real, rows, limit)?
            .into_iter()
            .map(|instances| Shard::new(&layout, &shapes, instances))
            .collect();
        let held = held_places(parameters, &layout.places);
        // Shards run one after the other.
        let contributions = shards.iter().map(|shard| shard.contributions).max().unwrap_or(0);
        let buffers = common_buffers(context, formats, layout.places.len(), contributions)?;
        let mut derivatives = GpuDerivatives {
            context: context.clone(),
            problem: problem.clone(),
            formats,
            addition,
            held,
            shards: Vec::new(),
            clear_held: Vec::new(),
            buffers,
            shapes,
            places: layout.places,
        };
        for (index, shard) in shards.into_iter().enumerate() {
            let lists = gathers.then(|| Lists::new(&shard, &derivatives.shapes, &pieces, index == 0));
            let shard = derivatives.upload(shard, lists, index == 0, idle)?;
            derivatives.shards.push(shard);
        }
        if !gathers {
            derivatives.prepare_held()?;
        }
        Ok(derivatives)
    }

    /// Makes the stages that zero the sums of held parameters; lists leave these out from the start.
    fn prepare_held(&mut self) -> Result<(), GpuError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let plan = plan(&self.context, &[self.held.len() as u32, 0, 0, 0])?;
        self.buffers.upload(Slot::Incidence, bytemuck::cast_slice(&self.held))?;
        let workgroups = (self.held.len() as u64).div_ceil(u64::from(WORKGROUP));
        let request = || Request::new(wgsl::clear_held(self.formats), &plan, workgroups);
        let requests = [request(), request().instead(Slot::Gradient, Slot::Image)];
        self.clear_held = compile(&self.context, &requests, &self.buffers)?;
        Ok(())
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
        self.shards.iter().map(|shard| shard.buffers.bytes()).sum::<u64>() + self.buffers.bytes()
    }

    /// Records the evaluation of the residuals.
    pub fn record_residuals(&self, commands: &mut Commands) {
        self.record(commands, Task::Residuals);
    }

    /// Records the evaluation of residuals and Jacobian.
    pub fn record_linearize(&self, commands: &mut Commands) {
        self.record(commands, Task::Linearize);
    }

    /// Records the gradient.
    pub fn record_gradient(&self, commands: &mut Commands) {
        self.record_sum(commands, Task::Gradient, Slot::Gradient);
    }

    /// Records the product of JᵀJ with the direction, whose held components must be 0.
    pub fn record_jtj_product(&self, commands: &mut Commands) {
        self.record_sum(commands, Task::Product, Slot::Image);
    }

    fn record(&self, commands: &mut Commands, task: Task) {
        self.shards.iter().for_each(|shard| record_all(commands, &shard.stages[task as usize], 0));
    }

    fn record_sum(&self, commands: &mut Commands, task: Task, sum: Slot) {
        if self.addition != Addition::Gather {
            commands.clear(self.buffers.get(sum).raw());
        }
        self.record(commands, task);
        if let [gradient, product] = &self.clear_held[..] {
            let stage = if task == Task::Gradient { gradient } else { product };
            stage.record(commands, 0);
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
        Ok(self.buffers.get(slot).write(0, &self.formats.real.encode(&numbers))?)
    }
}

/// Buffers that all shards share.
fn common_buffers(
    context: &GpuContext,
    formats: Formats,
    parameters: usize,
    contributions: usize,
) -> Result<Buffers, GpuError> {
    let mut buffers = Buffers::new(context);
    for slot in [Slot::Point, Slot::Direction, Slot::Gradient, Slot::Image] {
        buffers.zeros(slot, parameters, formats.real)?;
    }
    buffers.zeros(Slot::Contributions, contributions, formats.real)?;
    // What a solve would keep here: it is running, and the point is new.
    let mut scalars = vec![0.0; state::STATE];
    scalars[state::ACCEPTED] = 1.0;
    buffers.upload(Slot::Scalars, &formats.sum.encode(&scalars))?;
    Ok(buffers)
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
