//! A problem made ready on a device, but for its kernels: where everything stands, and the buffers.

use super::buffers::Buffers;
#[cfg(not(target_arch = "wasm32"))]
use super::classes;
use super::classes::Classes;
use super::couplings::{Couplings, Tables};
use super::elimination;
use super::layout::{Layout, bounds, places, point};
#[cfg(not(target_arch = "wasm32"))]
use super::listing::{self, Listed, Listing};
use super::lists::{Lists, write_words};
use super::pieces::Pieces;
use super::settings::{Counts, Settings};
use super::shard::Sums;
use super::stage::{CALL, StartedModule, out_of_range};
use crate::backend::Group;
use crate::backend::gpu::{GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, Formats, InverseRows, Slot, state};
use crate::problem::{CompiledProblem, Parameters};
use rayon::prelude::*;
use std::sync::Arc;

/// Most bytes of an assembled JᵀJ.
const MOST_MATRIX_BYTES: u64 = 40 << 20;

/// Blocks of which the host lists in less time than it takes to tell whether the device may.
#[cfg(not(target_arch = "wasm32"))]
const FEW_BLOCKS: usize = 1 << 17;

/// A problem that stands on the device but for its kernels.
pub(super) struct LaidOut {
    pub layout: Layout,
    pub classes: Classes,
    pub couplings: Option<Couplings>,
    /// What all shards share.
    pub buffers: Buffers,
    pub shards: Vec<Buffers>,
    /// What is yet to be written to the [`Slot::Incidence`] of each shard.
    pub lists: UnwrittenLists,
    /// Where the inverses of eliminated blocks are to be written for the preconditioner.
    pub inverse_rows: Option<InverseRows>,
    /// Of the gradient and the diagonal blocks, which takes longest to compile of what the evaluation at the start needs.
    pub normal: StartedModule,
}

/// The lists of all shards, and the tables of an assembled JᵀJ.
pub(super) struct UnwrittenLists {
    /// None where the device makes them.
    shards: Vec<Lists>,
    #[cfg(not(target_arch = "wasm32"))]
    listing: Option<Listing>,
    tables: Option<Tables>,
    pieces: Pieces,
    /// The class of each piece.
    of_pieces: Vec<u8>,
    /// To be freed with the rest, which takes a while.
    _indices: Vec<Vec<u32>>,
}

impl UnwrittenLists {
    /// Whether the device makes those of the shards.
    pub fn are_made_there(&self) -> bool {
        self.shards.is_empty()
    }

    /// Makes them in the buffers of the shards, and in those that these share. False if those that the device makes are longer than was
    /// taken for granted.
    pub fn write(self, context: &GpuContext, shared: &Buffers, shards: &[Buffers]) -> Result<bool, GpuError> {
        #[cfg(not(target_arch = "wasm32"))]
        let (this, listing) = self.without_listing();
        #[cfg(target_arch = "wasm32")]
        let this = self;
        let tables = || match &this.tables {
            Some(tables) => {
                write_words(shared.get(Slot::Pairs), &|words, f| tables.make_pairs(words, f))?;
                write_words(shared.get(Slot::Columns), &|words, f| tables.make_columns(words, f))
            }
            None => Ok(()),
        };
        let mut lists = this.shards.iter().zip(shards);
        let written = lists
            .try_for_each(|(lists, to)| lists.write(&this.pieces, &this.of_pieces, to.get(Slot::Incidence)))
            .and_then(|()| tables());
        #[cfg(not(target_arch = "wasm32"))]
        let are_short = listing.map_or(Ok(true), |listing| listing.make(context, &shards[0], &this.pieces));
        #[cfg(target_arch = "wasm32")]
        let are_short = context.check().map(|()| true);
        // Nobody waits for this.
        rayon::spawn(move || drop(this));
        written.and(are_short)
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn without_listing(mut self) -> (Self, Option<Listing>) {
        let listing = self.listing.take();
        (self, listing)
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
    ) -> Result<Self, GpuError> {
        let block_order = problem.block_order();
        let (places, pieces) = rayon::join(|| places(parameters, block_order), || Pieces::new(parameters, block_order));
        let real = formats.real;
        // The bus and the cores are busy at the same time.
        let (vectors, sorted) = rayon::join(
            || vectors(context, (&places, block_order), formats, parameters),
            || {
                Sorted::new(
                    context,
                    &problem.groups,
                    parameters,
                    (places.clone(), pieces),
                    (kernels, formats),
                    settings,
                )
            },
        );
        // Of two errors the first is the one that names what grows fastest.
        let (sorted, mut buffers) = (sorted?, vectors?);
        let Sorted { layout, pieces, mut classes, mut couplings, indices, mut shards, normal, .. } = sorted;
        add_numbers(&mut buffers, &layout, &classes, couplings.as_ref(), formats, settings, parameters)?;
        if let Some(couplings) = &couplings {
            couplings.make_buffers(&mut buffers, layout.places.len(), real)?;
        }
        let inverse_rows = classes.inverse_rows().filter(|_| settings.schur_jacobi);
        let rows_len = inverse_rows.as_ref().map_or(0, InverseRows::width) * layout.places.len();
        // A binding of a browser holds those of a million points.
        let inverse_rows = inverse_rows.filter(|_| (rows_len * real.bytes()) as u64 <= context.max_binding_bytes());
        if inverse_rows.is_some() {
            buffers.zeros(Slot::InverseRows, rows_len, real)?;
        }
        for (buffers, lists) in shards.iter_mut().zip(&classes.lists) {
            buffers.words(Slot::Incidence, lists.len())?;
        }
        let (lists, of_pieces) = (std::mem::take(&mut classes.lists), std::mem::take(&mut classes.of_pieces));
        let tables = couplings.as_mut().map(|couplings| std::mem::take(&mut couplings.tables));
        let lists = UnwrittenLists {
            shards: lists,
            #[cfg(not(target_arch = "wasm32"))]
            listing: sorted.listing,
            tables,
            pieces,
            of_pieces,
            _indices: indices,
        };
        Ok(LaidOut { layout, classes, couplings, buffers, shards, lists, inverse_rows, normal })
    }
}

/// Instances on the device, and sorted by the blocks that they touch.
struct Sorted {
    layout: Layout,
    pieces: Pieces,
    classes: Classes,
    couplings: Option<Couplings>,
    /// Of each shard, no longer needed.
    indices: Vec<Vec<u32>>,
    /// But for the lists.
    shards: Vec<Buffers>,
    /// If the device makes them.
    #[cfg(not(target_arch = "wasm32"))]
    listing: Option<Listing>,
    normal: StartedModule,
}

impl Sorted {
    fn new(
        context: &GpuContext,
        groups: &[Group],
        parameters: &Parameters,
        (places, pieces): (Arc<Vec<u32>>, Pieces),
        (kernels, formats): (&[&Kernel], Formats),
        settings: &Settings,
    ) -> Result<Self, GpuError> {
        let real = formats.real;
        let sums = (Sums::Lists, pieces.len());
        let layout = Layout::without_indices(groups, places, sums, real, context.max_binding_bytes())?;
        // Compiles while the rest is sorted and uploaded.
        let normal = |classes: &Classes| {
            let module = wgsl::normal(kernels, &classes.all().code, formats);
            StartedModule::new(context, module.map_err(out_of_range(context))?)
        };
        let sort = || {
            // Which components bounds hold changes from step to step, the matrix only with the point.
            let most = (!parameters.has_bounds()).then(|| most_matrix_bytes(context, settings));
            #[cfg(not(target_arch = "wasm32"))]
            if let Some((classes, listed)) = listed_on_device(context, groups, &layout, &pieces, (real, most), settings)
            {
                let (normal, sizes) = (normal(&classes), (classes.code[0].size, layout.places.len()));
                return ((classes, normal, Some(Listing::new(context, listed, sizes))), None, Vec::new());
            }
            let mut layout = layout.clone();
            layout.make_indices(groups);
            let eliminates = settings.eliminate && !is_hopeless(groups, &layout, &pieces);
            let eliminated = eliminates.then(|| elimination::find(&layout, &pieces)).flatten();
            let classes = Classes::new(groups, &layout, &pieces, eliminated.as_ref());
            let normal = normal(&classes);
            let couplings = most.and_then(|most| Couplings::new(groups, &layout, &pieces, &classes, real, most));
            let fits =
                |couplings: &Couplings| couplings.most_bytes(layout.places.len(), real) <= context.max_binding_bytes();
            ((classes, normal, None), couplings.filter(fits), layout.take_indices())
        };
        let (((classes, normal, listing), couplings, indices), shards) =
            rayon::join(sort, || uploaded(context, groups, &layout, real));
        #[cfg(not(target_arch = "wasm32"))]
        let (shards, listing) = match (shards?, listing.transpose()?) {
            (mut shards, Some(listing)) => {
                shards[0].words(Slot::Incidence, listing.words(&pieces))?;
                (shards, Some(listing))
            }
            (shards, None) => (shards, None),
        };
        #[cfg(target_arch = "wasm32")]
        let (shards, None | Some(())) = (shards?, listing);
        Ok(Sorted {
            layout,
            pieces,
            classes,
            couplings,
            indices,
            shards,
            #[cfg(not(target_arch = "wasm32"))]
            listing,
            normal: normal?,
        })
    }
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
    let suits = || context.info().device_type == wgpu::DeviceType::DiscreteGpu && pieces.len() >= FEW_BLOCKS;
    let wanted = settings.device_lists.unwrap_or_else(suits);
    if !wanted || layout.shards.len() != 1 || pieces.len() < classes::MANY_BLOCKS as usize {
        return None;
    }
    let size = listing::common_size(layout, pieces)?;
    let (classes, listed) = Classes::of_short_lists(groups, layout, pieces, size);
    let is_none = |most| Couplings::are_none(groups, layout, pieces, (&classes, &listed), real, most);
    let suits = listing::have_room(&listed)
        && (!settings.eliminate || elimination::is_hopeless(groups, layout, pieces))
        && most.is_none_or(is_none);
    suits.then_some((classes, listed))
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

/// Most bytes of an assembled JᵀJ: what the cache of a large device holds. Others have smaller ones, and J then has fewer bytes.
fn most_matrix_bytes(context: &GpuContext, settings: &Settings) -> u64 {
    let suits = match context.info().device_type {
        wgpu::DeviceType::DiscreteGpu => MOST_MATRIX_BYTES,
        _ => MOST_MATRIX_BYTES / 32,
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
    let free = (0..parameters.blocks()).into_par_iter().filter(|&block| !parameters.is_fixed(block));
    let pieces = |block: usize| wgsl::pieces(parameters.tangent_size(block));
    free.map(|block| pieces(block).map(|piece| wgsl::packed_len(piece.len())).sum::<usize>()).sum()
}

/// Adds the others.
fn add_numbers(
    buffers: &mut Buffers,
    layout: &Layout,
    classes: &Classes,
    couplings: Option<&Couplings>,
    formats: Formats,
    settings: &Settings,
    parameters: &Parameters,
) -> Result<(), GpuError> {
    debug_assert_eq!(classes.diagonal, diagonal_numbers(parameters));
    let iterate_partials = couplings.map_or(0, Couplings::workgroups);
    let counts = Counts::new(layout, classes, iterate_partials, parameters.has_bounds());
    let mut scalars = first_state(settings);
    // Those of an iteration that is one dispatch stand there twice, as the next reads them while it leaves its own.
    let partials = state::PARTIAL_SUMS * counts.capacity as usize + 8 * counts.iterate_partials as usize;
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
