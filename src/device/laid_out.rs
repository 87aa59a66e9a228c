//! A problem made ready on a device, but for its kernels: where everything stands, and the buffers.

use super::buffers::Buffers;
use super::classes::Classes;
use super::couplings::{Couplings, Tables};
use super::elimination;
use super::layout::{Layout, bounds, places, point};
use super::lists::{ShardLists, write_words};
use super::pieces::Pieces;
use super::settings::{Counts, Settings};
use super::shard::Sums;
use super::stage::CALL;
use crate::backend::gpu::{GpuContext, GpuError};
use crate::kernel::wgsl::{self, Formats, InverseRows, Slot, state};
use crate::problem::{CompiledProblem, Parameters};
use rayon::prelude::*;
use std::sync::Arc;

/// Most bytes of an assembled JᵀJ.
const MOST_MATRIX_BYTES: u64 = 40 << 20;

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
}

/// The lists of all shards, and the tables of an assembled JᵀJ.
pub(super) struct UnwrittenLists {
    shards: Vec<ShardLists>,
    tables: Option<Tables>,
    pieces: Pieces,
    /// The class of each piece.
    of_pieces: Vec<u8>,
    /// To be freed with the rest, which takes a while.
    _indices: Vec<Vec<u32>>,
}

impl UnwrittenLists {
    /// Makes them in the buffers of the shards, and in those that these share.
    pub fn write(self, shared: &Buffers, shards: &[Buffers]) -> Result<(), GpuError> {
        let tables = || match &self.tables {
            Some(tables) => {
                write_words(shared.get(Slot::Pairs), |words, f| tables.make_pairs(words, f))?;
                write_words(shared.get(Slot::Columns), |words, f| tables.make_columns(words, f))
            }
            None => Ok(()),
        };
        let mut lists = self.shards.iter().zip(shards);
        let written = lists
            .try_for_each(|(lists, to)| lists.write(&self.pieces, &self.of_pieces, to.get(Slot::Incidence)))
            .and_then(|()| tables());
        // Nobody waits for this.
        rayon::spawn(move || drop(self));
        written
    }
}

impl LaidOut {
    /// Lays the problem out and uploads it, lists excepted.
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
    ) -> Result<Self, GpuError> {
        let places = places(parameters, problem.block_order());
        let real = formats.real;
        // The bus and the cores are busy at the same time.
        let (vectors, sorted) = rayon::join(
            || vectors(context, &places, formats, parameters),
            || Sorted::new(context, problem, parameters, places.clone(), formats, settings),
        );
        // Of two errors the first is the one that names what grows fastest.
        let (Sorted { layout, pieces, mut classes, mut couplings, indices, mut shards }, mut buffers) =
            (sorted?, vectors?);
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
            buffers.words(Slot::Incidence, lists.laid.len())?;
        }
        let (lists, of_pieces) = (std::mem::take(&mut classes.lists), std::mem::take(&mut classes.of_pieces));
        let tables = couplings.as_mut().map(|couplings| std::mem::take(&mut couplings.tables));
        let lists = UnwrittenLists { shards: lists, tables, pieces, of_pieces, _indices: indices };
        Ok(LaidOut { layout, classes, couplings, buffers, shards, lists, inverse_rows })
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
}

impl Sorted {
    fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        places: Arc<Vec<u32>>,
        formats: Formats,
        settings: &Settings,
    ) -> Result<Self, GpuError> {
        let pieces = Pieces::new(parameters, problem.block_order());
        let (groups, real) = (&problem.groups[..], formats.real);
        let sums = (Sums::Lists, pieces.len());
        let mut layout = Layout::new(groups, places, sums, real, context.max_binding_bytes())?;
        let sort = || {
            let eliminated = settings.eliminate.then(|| elimination::find(&layout, &pieces)).flatten();
            let classes = Classes::new(groups, &layout, &pieces, eliminated.as_ref());
            let most = most_matrix_bytes(context, settings);
            let couplings = Couplings::new(groups, &layout, &pieces, &classes, real, most)
                .filter(|couplings| couplings.most_bytes(layout.places.len(), real) <= context.max_binding_bytes())
                // Which components bounds hold changes from step to step, the matrix only with the point.
                .filter(|_| !parameters.has_bounds());
            (classes, couplings)
        };
        let upload = || -> Result<Vec<Buffers>, GpuError> {
            let of_shard = |shard| {
                let mut buffers = Buffers::of_shard(context, groups, &layout.shapes, shard, real)?;
                for slot in [Slot::TrialResiduals, Slot::Product] {
                    buffers.zeros(slot, shard.residuals, real)?;
                }
                Ok(buffers)
            };
            layout.shards.iter().map(of_shard).collect()
        };
        let ((classes, couplings), shards) = rayon::join(sort, upload);
        let shards = shards?;
        let indices = layout.take_indices();
        Ok(Sorted { layout, pieces, classes, couplings, indices, shards })
    }
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
    places: &[u32],
    formats: Formats,
    parameters: &Parameters,
) -> Result<Buffers, GpuError> {
    let (real, x) = (formats.real, parameters.values());
    let mut buffers = Buffers::new(context);
    buffers.upload(Slot::Point, &real.encode(&point(places, x)))?;
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
