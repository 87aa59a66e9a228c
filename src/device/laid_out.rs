//! A problem made ready on a device as far as the evaluation at the start takes it, but for its kernels: where everything stands, and the buffers.

use super::buffers::Buffers;
#[cfg(not(target_arch = "wasm32"))]
use super::classes;
use super::classes::Classes;
use super::couplings::Couplings;
use super::early::ExpectedNormal;
use super::elimination;
use super::layout::{Layout, bounds, places, point};
#[cfg(not(target_arch = "wasm32"))]
use super::listing::{self, Listed, Listing};
use super::pieces::Pieces;
use super::settings::{Counts, Settings};
use super::shard::Sums;
use super::stage::{CALL, StartedModule, usable};
use crate::backend::Group;
use crate::backend::gpu::{GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, Formats, Slot, state};
use crate::problem::{CompiledProblem, Parameters};
use rayon::prelude::*;

/// Most bytes of an assembled JᵀJ: what the cache of a large device holds.
const MOST_MATRIX_BYTES: u64 = 40 << 20;

/// The same of two-float numbers: J has fewer of them to multiply by, which each takes some twenty operations.
const MOST_PAIR_MATRIX_BYTES: u64 = 16 << 20;

/// A problem that stands on the device as far as the evaluation at the start takes it, but for its kernels.
pub(super) struct LaidOut {
    pub layout: Layout,
    /// Without lists.
    pub classes: Classes,
    /// What all shards share.
    pub buffers: Buffers,
    pub shards: Vec<Buffers>,
    pub sorted: Sorted,
    /// Of the gradient and the diagonal blocks, which takes longest to compile of what the evaluation at the start needs.
    pub normal: StartedModule,
}

/// Instances sorted by the blocks that they touch: what lists are made of, and what only the steps take.
pub(super) struct Sorted {
    /// With indices, unless the device makes the lists.
    pub layout: Layout,
    pub pieces: Pieces,
    /// With lists, unless the device makes them.
    pub classes: Classes,
    /// If the device makes them.
    #[cfg(not(target_arch = "wasm32"))]
    listing: Option<Listing>,
    /// Most bytes of an assembled JᵀJ, if it may be.
    most: Option<u64>,
}

impl Sorted {
    /// Whether the device makes the lists.
    pub fn are_listed_there(&self) -> bool {
        self.classes.lists.is_empty()
    }

    /// Makes the lists in the buffers of the shards. False if those that the device makes are longer than was taken for granted.
    pub fn write_lists(&mut self, context: &GpuContext, shards: &[Buffers]) -> Result<bool, GpuError> {
        let Classes { lists, of_pieces, .. } = &self.classes;
        for (lists, to) in lists.iter().zip(shards) {
            lists.write(&self.pieces, of_pieces, to.get(Slot::Incidence))?;
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(listing) = self.listing.take() {
            return listing.make(context, &shards[0], &self.pieces);
        }
        context.check().map(|()| true)
    }

    /// JᵀJ as a matrix, if it is to be assembled.
    pub fn couplings(&self, context: &GpuContext, groups: &[Group], real: Format) -> Option<Couplings> {
        let most = self.most.filter(|_| !self.are_listed_there())?;
        let couplings = Couplings::new(groups, &self.layout, &self.pieces, &self.classes, real, most)?;
        (couplings.most_bytes(self.layout.places.len(), real) <= context.max_binding_bytes()).then_some(couplings)
    }

    /// The most workgroups that an iteration with that matrix may have.
    fn most_iterate_partials(&self) -> u32 {
        let may_be = self.most.is_some() && !self.are_listed_there();
        if may_be { Couplings::most_workgroups(&self.layout, &self.classes) } else { 0 }
    }
}

impl LaidOut {
    /// Lays the problem out and uploads it, lists excepted.
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        kernels: &[&Kernel],
        formats: Formats,
        settings: &Settings,
        expected: Option<&ExpectedNormal>,
    ) -> Result<Self, GpuError> {
        let block_order = problem.block_order();
        let (places, pieces) = rayon::join(|| places(parameters, block_order), || Pieces::new(parameters, block_order));
        let real = formats.real;
        let sums = (Sums::Lists, pieces.len());
        // The bus and the cores are busy at the same time.
        let (vectors, sorted) = rayon::join(
            || vectors(context, (&places, block_order), formats, parameters),
            || {
                let layout =
                    Layout::without_indices(&problem.groups, places.clone(), sums, real, context.max_binding_bytes())?;
                let (sorted, shards) = rayon::join(
                    || {
                        sorted(
                            context,
                            &problem.groups,
                            parameters,
                            (&layout, pieces),
                            (kernels, formats, expected),
                            settings,
                        )
                    },
                    || uploaded(context, &problem.groups, &layout, real),
                );
                Ok((layout, sorted?, shards?))
            },
        );
        // Of two errors the first is the one that names what grows fastest.
        let ((layout, (sorted, normal), mut shards), mut buffers) = (sorted?, vectors?);
        let classes = sorted.classes.without_lists();
        let iterate_partials = sorted.most_iterate_partials();
        add_numbers(&mut buffers, &layout, &classes, iterate_partials, formats, settings, parameters)?;
        for (buffers, lists) in shards.iter_mut().zip(&sorted.classes.lists) {
            buffers.words(Slot::Incidence, lists.len())?;
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(listing) = &sorted.listing {
            shards[0].words(Slot::Incidence, listing.words(&sorted.pieces))?;
        }
        Ok(LaidOut { layout, classes, buffers, shards, sorted, normal })
    }
}

/// Sorts the instances, and has the kernel of the gradient compiled as soon as it is known.
fn sorted(
    context: &GpuContext,
    groups: &[Group],
    parameters: &Parameters,
    (layout, pieces): (&Layout, Pieces),
    (kernels, formats, expected): (&[&Kernel], Formats, Option<&ExpectedNormal>),
    settings: &Settings,
) -> Result<(Sorted, StartedModule), GpuError> {
    let normal = |classes: &Classes| {
        let code = classes.all().code;
        let module = match expected.filter(|expected| expected.classes == code) {
            Some(expected) => expected.module.clone(),
            None => usable(context, wgsl::normal(kernels, &code, formats))?,
        };
        StartedModule::new(context, module)
    };
    // Which components bounds hold changes from step to step, the matrix only with the point.
    let most = (!parameters.has_bounds()).then(|| most_matrix_bytes(context, formats.real, settings));
    #[cfg(not(target_arch = "wasm32"))]
    if let Some((classes, listed)) = listed_on_device(context, groups, layout, &pieces, (formats.real, most), settings)
    {
        let normal = normal(&classes)?;
        let listing = Some(Listing::new(context, listed, classes.code[0].size)?);
        return Ok((Sorted { layout: layout.clone(), pieces, classes, listing, most }, normal));
    }
    let mut layout = layout.clone();
    layout.make_indices(groups);
    let eliminates = settings.eliminate && !is_hopeless(groups, &layout, &pieces);
    let eliminated = eliminates.then(|| elimination::find(&layout, &pieces)).flatten();
    let classes = Classes::new(groups, &layout, &pieces, eliminated.as_ref());
    let normal = normal(&classes)?;
    let sorted = Sorted {
        layout,
        pieces,
        classes,
        #[cfg(not(target_arch = "wasm32"))]
        listing: None,
        most,
    };
    Ok((sorted, normal))
}

/// Whether it is known without a search that no blocks are worth eliminating.
#[cfg(not(target_arch = "wasm32"))]
fn is_hopeless(groups: &[Group], layout: &Layout, pieces: &Pieces) -> bool {
    let are_alike = layout.shards.len() == 1 && listing::common_size(layout, pieces).is_some();
    are_alike && elimination::is_hopeless(groups, layout, pieces)
}

/// One thread searches as fast.
#[cfg(target_arch = "wasm32")]
fn is_hopeless(_: &[Group], _: &Layout, _: &Pieces) -> bool {
    false
}

/// The shards on the device, but for their lists.
fn uploaded(context: &GpuContext, groups: &[Group], layout: &Layout, real: Format) -> Result<Vec<Buffers>, GpuError> {
    let of_shard = |shard| {
        let mut buffers = Buffers::of_shard(context, groups, (&layout.shapes, &layout.places), shard, real)?;
        for slot in [Slot::TrialResiduals, Slot::Product] {
            buffers.zeros(slot, shard.residuals, real)?;
        }
        Ok(buffers)
    };
    layout.shards.iter().map(of_shard).collect()
}

/// The classes, and what goes into lists that the device is to make, if that suits both: no blocks are eliminated, and JᵀJ is not assembled,
/// whose pattern is found from lists on the host. `most`: bytes that it may have, if it may be at all.
#[cfg(not(target_arch = "wasm32"))]
fn listed_on_device(
    context: &GpuContext,
    groups: &[Group],
    layout: &Layout,
    pieces: &Pieces,
    (real, most): (Format, Option<u64>),
    settings: &Settings,
) -> Option<(Classes, Vec<Listed>)> {
    let wanted = settings.device_lists.unwrap_or_else(|| listing::suits(context, pieces.len()));
    if !wanted || layout.shards.len() != 1 || pieces.len() < classes::MANY_BLOCKS as usize {
        return None;
    }
    let size = listing::common_size(layout, pieces)?;
    let (classes, listed) = Classes::of_short_lists(groups, layout, pieces, size);
    let is_none = |most| Couplings::are_none(groups, layout, pieces, (&classes, &listed), real, most);
    let (eliminates_none, is_not_assembled) = rayon::join(
        || !settings.eliminate || elimination::is_hopeless(groups, layout, pieces),
        || listing::have_room(&listed) && most.is_none_or(is_none),
    );
    (eliminates_none && is_not_assembled).then_some((classes, listed))
}

/// The state at the start of a solve.
pub(super) fn first_state(settings: &Settings) -> Vec<f64> {
    let mut state = vec![0.0; state::STATE];
    state[state::RADIUS] = settings.initial_radius.min(settings.max_radius);
    state[state::SHRINK] = 2.0;
    state[state::ACCEPTED] = 1.0;
    state[state::PROMISE] = -1.0;
    state
}

/// Most bytes of an assembled JᵀJ. Smaller devices have smaller caches, and J then has fewer bytes.
fn most_matrix_bytes(context: &GpuContext, real: Format, settings: &Settings) -> u64 {
    let most = if real == Format::DoubleF32 { MOST_PAIR_MATRIX_BYTES } else { MOST_MATRIX_BYTES };
    let suits = match context.info().device_type {
        wgpu::DeviceType::DiscreteGpu => most,
        _ => most / 32,
    };
    settings.matrix_bytes.unwrap_or(suits)
}

/// Of the buffers that all shards share, those with a number or more a parameter.
fn vectors(
    context: &GpuContext,
    (places, block_order): (&[u32], &[u32]),
    formats: Formats,
    parameters: &Parameters,
) -> Result<Buffers, GpuError> {
    let (real, x) = (formats.real, parameters.values());
    let mut buffers = Buffers::new(context);
    // Where there is but one thread, both take as long.
    match parameters.common_size().filter(|_| !cfg!(target_arch = "wasm32")) {
        Some(size) => buffers.columns(Slot::Point, real.bytes(), &[x.len()], &|_, numbers, bytes| {
            let blocks = &block_order[numbers.start / size..numbers.end.div_ceil(size)];
            let all = blocks.iter().flat_map(|&block| &x[block as usize * size..][..size]);
            let mine: Vec<f64> = all.skip(numbers.start % size).take(numbers.len()).copied().collect();
            real.encode_into(&mine, bytes);
        })?,
        None => buffers.upload(Slot::Point, &real.encode(&point(places, x)))?,
    }
    buffers.copy(Slot::TrialPoint, Slot::Point)?;
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
    let diagonal = diagonal_numbers(parameters);
    for slot in [Slot::Diagonal, Slot::Inverse] {
        buffers.zeros(slot, diagonal, real)?;
    }
    if parameters.has_bounds() {
        buffers.upload(Slot::Bounds, &real.encode(&bounds(places, parameters, real.largest())))?;
    }
    Ok(buffers)
}

/// Numbers in the packed diagonal blocks of JᵀJ.
fn diagonal_numbers(parameters: &Parameters) -> usize {
    if let Some(size) = parameters.common_free_size() {
        return parameters.blocks() * wgsl::pieces(size).map(|piece| wgsl::packed_len(piece.len())).sum::<usize>();
    }
    let free = (0..parameters.blocks()).into_par_iter().filter(|&block| !parameters.is_fixed(block));
    let pieces = |block: usize| wgsl::pieces(parameters.tangent_size(block));
    free.map(|block| pieces(block).map(|piece| wgsl::packed_len(piece.len())).sum::<usize>()).sum()
}

/// Adds the others; `iterate_partials`: the most that there may be.
fn add_numbers(
    buffers: &mut Buffers,
    layout: &Layout,
    classes: &Classes,
    iterate_partials: u32,
    formats: Formats,
    settings: &Settings,
    parameters: &Parameters,
) -> Result<(), GpuError> {
    debug_assert_eq!(classes.diagonal, diagonal_numbers(parameters));
    let counts = Counts::new(layout, classes, parameters.has_bounds());
    let mut scalars = first_state(settings);
    // Those of an iteration that is one dispatch stand there twice, as the next reads them while it leaves its own.
    let partials = state::PARTIAL_SUMS * counts.capacity as usize + 8 * iterate_partials as usize;
    scalars.resize(state::STATE + partials, 0.0);
    buffers.upload(Slot::Scalars, &formats.sum.encode(&scalars))?;
    buffers.uniform(Slot::Solve, &settings.words(&counts))?;
    // Iterations of conjugate gradients, what comes after the last of them, and the plain call.
    let calls = settings.max_linear_iterations + 2;
    let mut words = vec![0u32; calls * CALL / 4];
    for (iteration, call) in words.chunks_exact_mut(CALL / 4).enumerate() {
        call[0] = iteration as u32;
    }
    words[(calls - 1) * CALL / 4..][..2].copy_from_slice(&[0, 1]);
    buffers.uniform(Slot::Call, &words)
}
