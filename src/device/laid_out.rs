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
use super::listing::{self, Listed, Listing, PendingLists};
#[cfg(not(target_arch = "wasm32"))]
use super::ordering::{Ordering, PendingOrder};
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
use std::sync::Arc;

/// Most bytes of an assembled JᵀJ: what the cache of a large device holds.
const MOST_MATRIX_BYTES: u64 = 40 << 20;

/// The same of two-float numbers: J has fewer of them to multiply by, which each takes some twenty operations.
const MOST_PAIR_MATRIX_BYTES: u64 = 16 << 20;

/// The groups of a problem, and the order that its blocks are to have on the device.
#[derive(Clone, Copy)]
pub(super) struct Arranged<'a> {
    pub groups: &'a [Group],
    pub order: Order<'a>,
}

/// Who finds the order of blocks and instances.
#[derive(Clone, Copy)]
pub(super) enum Order<'a> {
    /// The host: these are the blocks in order, and the groups' instances are in it.
    Host(&'a [u32]),
    /// The device: instances are as they were stated.
    #[cfg(not(target_arch = "wasm32"))]
    Device(&'a Ordering),
}

impl<'a> Arranged<'a> {
    /// As the host put it in order.
    pub fn on_host(problem: &'a CompiledProblem) -> Self {
        Arranged { groups: &problem.groups, order: Order::Host(problem.block_order()) }
    }

    /// The blocks in order, if they are not as they were stated.
    fn block_order(&self) -> Option<&'a [u32]> {
        match self.order {
            Order::Host(blocks) => Some(blocks),
            #[cfg(not(target_arch = "wasm32"))]
            Order::Device(_) => None,
        }
    }

    /// Whether the device is to find the order.
    pub fn is_as_stated(&self) -> bool {
        self.block_order().is_none()
    }

    /// Where each parameter stands, and the pieces of the blocks.
    fn places(&self, parameters: &Parameters) -> (Arc<Vec<u32>>, Pieces) {
        match self.block_order() {
            Some(blocks) => rayon::join(|| places(parameters, blocks), || Pieces::new(parameters, blocks)),
            None => rayon::join(
                || Arc::new((0..parameters.values().len() as u32).into_par_iter().with_min_len(STRETCH).collect()),
                || Pieces::in_any_order(parameters).expect("who orders on the device asked for it"),
            ),
        }
    }
}

/// Parameters that a thread takes at a time.
const STRETCH: usize = 1 << 13;

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
    #[cfg(not(target_arch = "wasm32"))]
    on_device: OnDevice,
    /// Most bytes of an assembled JᵀJ, if it may be.
    most: Option<u64>,
}

/// What the device does of the sorting.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Default)]
struct OnDevice {
    /// Lists to be made.
    listing: Option<Listing>,
    /// Lists that it makes.
    lists: Option<PendingLists>,
    /// The order that it finds, and what the host has to look at meanwhile.
    order: Option<(PendingOrder, Vec<Listed>)>,
}

impl Sorted {
    /// Whether the device makes the lists.
    pub fn are_listed_there(&self) -> bool {
        self.classes.lists.is_empty()
    }

    /// Makes the lists in the buffers of the shards.
    pub fn write_lists(&mut self, context: &GpuContext, shards: &[Buffers]) -> Result<(), GpuError> {
        let Classes { lists, of_pieces, .. } = &self.classes;
        for (lists, to) in lists.iter().zip(shards) {
            lists.write(&self.pieces, of_pieces, to.get(Slot::Incidence))?;
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(listing) = self.on_device.listing.take() {
            self.on_device.lists = Some(listing.make(context, &shards[0], &self.pieces)?);
        }
        context.check()
    }

    /// Waits for lists that the device makes; false if they are longer than was taken for granted.
    pub fn are_listed(&mut self, context: &GpuContext) -> Result<bool, GpuError> {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(lists) = self.on_device.lists.take() {
            return lists.are_short(context);
        }
        context.check().map(|()| true)
    }

    /// The order that the device is finding, if it is, and its lists.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn take_pending(&mut self) -> Option<(PendingOrder, PendingLists)> {
        let OnDevice { lists, order, .. } = &mut self.on_device;
        Some((order.take()?.0, lists.take()?))
    }

    /// Whether lists by the device suit a problem whose order it finds, which was not looked into before.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_listed_rightly(&self, groups: &[Group], real: Format, settings: &Settings) -> bool {
        let Sorted { layout, pieces, classes, on_device, most } = self;
        let listed = on_device.order.as_ref().map(|(_, listed)| listed);
        listed.is_none_or(|listed| suit_lists(groups, layout, pieces, (classes, listed), (real, *most), settings))
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
    /// Lays the problem out and uploads it, lists excepted. `None` if the device is to find the order of a problem whose lists the host makes.
    pub fn new(
        context: &GpuContext,
        arranged: Arranged<'_>,
        parameters: &Parameters,
        kernels: &[&Kernel],
        formats: Formats,
        settings: &Settings,
        expected: Option<&ExpectedNormal>,
    ) -> Result<Option<Self>, GpuError> {
        let (groups, block_order) = (arranged.groups, arranged.block_order());
        let (places, pieces) = arranged.places(parameters);
        let real = formats.real;
        let sums = (Sums::Lists, pieces.len());
        // The bus and the cores are busy at the same time.
        let (vectors, sorted) = rayon::join(
            || vectors(context, (&places, block_order), formats, parameters),
            || {
                let layout = Layout::without_indices(groups, places.clone(), sums, real, context.max_binding_bytes())?;
                let (sorted, shards) = rayon::join(
                    || sorted(context, arranged, parameters, (&layout, pieces), (kernels, formats, expected), settings),
                    || uploaded(context, groups, (&layout, arranged.is_as_stated()), real),
                );
                Ok((layout, sorted?, shards?))
            },
        );
        // Of two errors the first is the one that names what grows fastest.
        let ((layout, (sorted, normal), mut shards), mut buffers) = (sorted?, vectors?);
        #[cfg(not(target_arch = "wasm32"))]
        let mut sorted = sorted;
        #[cfg(not(target_arch = "wasm32"))]
        if let Order::Device(ordering) = arranged.order {
            let Some(listing) = &sorted.on_device.listing else { return Ok(None) };
            let order = ordering.put(context, &layout, (&buffers, &shards[0]), real)?;
            sorted.on_device.order = Some((order, listing.listed.clone()));
        }
        let classes = sorted.classes.without_lists();
        let iterate_partials = sorted.most_iterate_partials();
        add_numbers(&mut buffers, &layout, &classes, iterate_partials, formats, settings, parameters)?;
        for (buffers, lists) in shards.iter_mut().zip(&sorted.classes.lists) {
            buffers.words(Slot::Incidence, lists.len())?;
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(listing) = &sorted.on_device.listing {
            shards[0].words(Slot::Incidence, listing.words(&sorted.pieces))?;
        }
        Ok(Some(LaidOut { layout, classes, buffers, shards, sorted, normal }))
    }
}

/// Sorts the instances, and has the kernel of the gradient compiled as soon as it is known.
fn sorted(
    context: &GpuContext,
    arranged: Arranged<'_>,
    parameters: &Parameters,
    (layout, pieces): (&Layout, Pieces),
    (kernels, formats, expected): (&[&Kernel], Formats, Option<&ExpectedNormal>),
    settings: &Settings,
) -> Result<(Sorted, StartedModule), GpuError> {
    let groups = arranged.groups;
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
    if let Some((classes, listed)) =
        short_lists(context, groups, layout, &pieces, settings).filter(|(classes, listed)| {
            // Where the device finds the order, that is looked into while it does.
            arranged.is_as_stated()
                || suit_lists(groups, layout, &pieces, (classes, listed), (formats.real, most), settings)
        })
    {
        let normal = normal(&classes)?;
        let listing = Some(Listing::new(context, listed, classes.code[0].size)?);
        let on_device = OnDevice { listing, ..OnDevice::default() };
        return Ok((Sorted { layout: layout.clone(), pieces, classes, on_device, most }, normal));
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
        on_device: OnDevice::default(),
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
fn uploaded(
    context: &GpuContext,
    groups: &[Group],
    (layout, as_stated): (&Layout, bool),
    real: Format,
) -> Result<Vec<Buffers>, GpuError> {
    let places = (!as_stated).then(|| &layout.places[..]);
    let of_shard = |shard| {
        let mut buffers = Buffers::of_shard(context, groups, (&layout.shapes, places), shard, real)?;
        for slot in [Slot::TrialResiduals, Slot::Product] {
            buffers.zeros(slot, shard.residuals, real)?;
        }
        Ok(buffers)
    };
    layout.shards.iter().map(of_shard).collect()
}

/// The classes, and what goes into lists that the device is to make, if it is one for it.
#[cfg(not(target_arch = "wasm32"))]
fn short_lists(
    context: &GpuContext,
    groups: &[Group],
    layout: &Layout,
    pieces: &Pieces,
    settings: &Settings,
) -> Option<(Classes, Vec<Listed>)> {
    let wanted = settings.device_lists.unwrap_or_else(|| listing::suits(context, pieces.len()));
    if !wanted || layout.shards.len() != 1 || pieces.len() < classes::MANY_BLOCKS as usize {
        return None;
    }
    let (classes, listed) = Classes::of_short_lists(groups, layout, pieces, listing::common_size(layout, pieces)?);
    listing::have_room(&listed).then_some((classes, listed))
}

/// Whether such lists suit the problem: no blocks are eliminated, and JᵀJ is not assembled, whose pattern is found from lists on the host.
/// `most`: bytes that it may have, if it may be at all.
#[cfg(not(target_arch = "wasm32"))]
fn suit_lists(
    groups: &[Group],
    layout: &Layout,
    pieces: &Pieces,
    (classes, listed): (&Classes, &[Listed]),
    (real, most): (Format, Option<u64>),
    settings: &Settings,
) -> bool {
    let is_none = |most| Couplings::are_none(groups, layout, pieces, (classes, listed), real, most);
    let (eliminates_none, is_not_assembled) = rayon::join(
        || !settings.eliminate || elimination::is_hopeless(groups, layout, pieces),
        || most.is_none_or(is_none),
    );
    eliminates_none && is_not_assembled
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
    (places, block_order): (&[u32], Option<&[u32]>),
    formats: Formats,
    parameters: &Parameters,
) -> Result<Buffers, GpuError> {
    let (real, x) = (formats.real, parameters.values());
    let mut buffers = Buffers::new(context);
    // Where there is but one thread, both take as long.
    match parameters.common_size().filter(|_| !cfg!(target_arch = "wasm32")) {
        Some(size) => buffers.columns(Slot::Point, real.bytes(), &[x.len()], &|_, numbers, bytes| {
            let Some(block_order) = block_order else { return real.encode_into(&x[numbers], bytes) };
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
