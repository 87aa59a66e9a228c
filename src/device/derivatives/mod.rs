//! Residuals, Jacobian, gradient and products with JᵀJ of a problem, each by itself.

mod evaluate;
mod kernels;
mod lists;

use self::kernels::{TASKS, Task};
use self::lists::Lists;
use super::accumulation::Accumulation;
use super::buffers::Buffers;
use super::layout::{Layout, places};
use super::pieces::Pieces;
use super::shard::Sums;
use super::stage::{Stage, record_all};
use crate::backend::gpu::{Commands, GpuBuffer, GpuContext, GpuError};
use crate::kernel::wgsl::{self, Addition, Format, Formats, Slot, state};
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
    layout: Layout,
    /// Places of components that are held.
    held_places: Vec<u32>,
    held: u32,
    shards: Vec<Buffers>,
    /// Buffers that all shards share.
    buffers: Buffers,
    /// By task.
    stages: [Vec<Stage>; TASKS],
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
    /// Uploads the problem, and has its kernels compiled, which may go on in the background.
    ///
    /// # Errors
    /// What the device says; [`GpuError::Unsupported`] where it lacks a format, or a residual has too many operations.
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
    pub fn with_idle_workgroups(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        accumulation: Accumulation,
        idle: u32,
    ) -> Result<Self, GpuError> {
        let addition = accumulation.resolve(context, formats.real);
        check_formats(context, formats)?;
        if parameters.has_manifolds() {
            let (what, device) = ("sums over the tangents of manifolds".to_owned(), context.info().name.clone());
            return Err(GpuError::Unsupported { what, device });
        }
        for group in &problem.groups {
            if let Some(obstacle) = wgsl::obstacle(&group.kernel, formats.real) {
                let what = format!("kernel for a residual: {obstacle}");
                return Err(GpuError::Unsupported { what, device: context.info().name.clone() });
            }
        }
        let places = places(parameters, problem.block_order());
        let pieces = Pieces::new(parameters, problem.block_order());
        let held_places = held_places(parameters, &places);
        let sums = if addition == Addition::Gather { Sums::Contributions } else { Sums::None };
        let (groups, real) = (&problem.groups[..], formats.real);
        let listed = if sums == Sums::Contributions { pieces.len() } else { 0 };
        let mut layout = Layout::new(groups, places, (sums, listed), real, context.max_binding_bytes())?;
        let lists = layout.shards.iter().enumerate().filter(|_| addition == Addition::Gather);
        let lists: Vec<Lists> =
            lists.map(|(index, shard)| Lists::new(shard, &layout.shapes, &pieces, index == 0)).collect();
        // Shards run one after the other.
        let contributions = layout.shards.iter().map(|shard| shard.contributions).max().unwrap_or(0);
        let mut buffers = common_buffers(context, formats, layout.places.len(), contributions)?;
        if addition != Addition::Gather && !held_places.is_empty() {
            buffers.upload(Slot::Incidence, bytemuck::cast_slice(&held_places))?;
        }
        let shards = layout.shards.iter();
        let mut shards: Vec<Buffers> = shards
            .map(|shard| Buffers::of_shard(context, groups, (&layout.shapes, Some(&layout.places[..])), shard, real))
            .collect::<Result<_, _>>()?;
        drop(layout.take_indices());
        for (buffers, lists) in shards.iter_mut().zip(&lists) {
            buffers.upload(Slot::Incidence, bytemuck::cast_slice(&lists.words))?;
        }
        let mut derivatives = GpuDerivatives {
            context: context.clone(),
            problem: problem.clone(),
            formats,
            addition,
            layout,
            held: held_places.len() as u32,
            held_places,
            shards,
            buffers,
            stages: [const { Vec::new() }; TASKS],
        };
        derivatives.stages = derivatives.stages(&lists, idle)?;
        Ok(derivatives)
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
        self.shards.iter().chain([&self.buffers]).map(Buffers::bytes).sum()
    }

    /// Bytes of the buffers behind a slot, over all shards.
    pub fn bytes_of(&self, slot: Slot) -> u64 {
        let buffers = self.shards.iter().chain([&self.buffers]).filter_map(|buffers| buffers.find(slot));
        buffers.map(GpuBuffer::bytes).sum()
    }

    /// Records the evaluation of the residuals; blocks until the kernels of it are compiled.
    ///
    /// # Errors
    /// [`GpuError::Shader`] if they cannot be.
    pub fn record_residuals(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record(commands, Task::Residuals)
    }

    /// Records the evaluation of residuals and Jacobian.
    ///
    /// # Errors
    /// As [`record_residuals`](Self::record_residuals).
    pub fn record_linearize(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record(commands, Task::Linearize)
    }

    /// Records the gradient.
    ///
    /// # Errors
    /// As [`record_residuals`](Self::record_residuals).
    pub fn record_gradient(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record_sum(commands, Task::Gradient, Task::ClearGradient, Slot::Gradient)
    }

    /// Records the product of JᵀJ with the direction, whose held components must be 0.
    ///
    /// # Errors
    /// As [`record_residuals`](Self::record_residuals).
    pub fn record_jtj_product(&self, commands: &mut Commands) -> Result<(), GpuError> {
        self.record_sum(commands, Task::Product, Task::ClearProduct, Slot::Image)
    }

    fn record(&self, commands: &mut Commands, task: Task) -> Result<(), GpuError> {
        record_all(commands, &self.stages[task as usize], 0)
    }

    fn record_sum(&self, commands: &mut Commands, task: Task, clear_held: Task, sum: Slot) -> Result<(), GpuError> {
        if self.addition != Addition::Gather {
            commands.clear(self.buffers.get(sum).raw());
        }
        self.record(commands, task)?;
        self.record(commands, clear_held)
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
        let (expected, found) = (self.layout.places.len(), vector.len());
        if expected != found {
            return Err(ProblemError::ParameterCount { expected, found }.into());
        }
        let mut numbers = self.layout.point(vector);
        if without_held {
            self.held_places.iter().for_each(|&place| numbers[place as usize] = 0.0);
        }
        Ok(self.buffers.get(slot).write(0, &self.formats.real.encode(&numbers))?)
    }
}

/// The places on the device of components that are held.
fn held_places(parameters: &Parameters, places: &[u32]) -> Vec<u32> {
    let mut held = Vec::new();
    for block in 0..parameters.blocks() {
        let Some(flags) = parameters.fixed(block) else { continue };
        let start = parameters.offsets()[block] as usize;
        held.extend(flags.iter().zip(&places[start..]).filter(|(held, _)| **held).map(|(_, place)| *place));
    }
    held
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
