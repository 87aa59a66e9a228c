//! JᵀJ as a sparse matrix on the device: which blocks are coupled, and what each of them sums over.
//!
//! Where the matrix stays in the device's cache, an iteration of conjugate gradients needs one dispatch with it, and two or three
//! without; where it does not, J has fewer bytes.

mod columns;
mod kinds;
mod rows;
mod slices;
mod tables;

pub use self::tables::Tables;

use self::kinds::{Coupling, Kinds, find_kinds};
use self::rows::Find;
use self::slices::Slices;
use super::buffers::Buffers;
use super::classes::Classes;
use super::layout::Layout;
#[cfg(not(target_arch = "wasm32"))]
use super::listing::{Listed, lists_of};
use super::lists::ROW;
use super::pieces::Pieces;
use super::plans::{ClassPlace, KindPlace};
use crate::backend::Group;
use crate::backend::gpu::GpuError;
use crate::kernel::wgsl::{Format, PairClass, PairKind, ROW_WORDS, RowShape, SLICE_WORDS, Slot, WORKGROUP};
use rayon::prelude::*;
#[cfg(not(target_arch = "wasm32"))]
use std::cmp::Reverse;

/// Most products in the code that puts the matrix together, which has to compile in good time.
const MOST_TERMS: usize = 2000;

/// Most workgroups of an iteration: each adds up the partial sums of all.
const MOST_WORKGROUPS: u32 = 528;

/// Numbers of [`Slot::Krylov`] for each parameter.
const KRYLOV: usize = 12;

/// Most workgroups over the pairs of a class.
const MOST_PAIR_WORKGROUPS: u32 = 4096;

/// Rows of one size: `RowClass` in `kernels/predict.wgsl`.
#[derive(Debug, Clone, Copy)]
pub struct RowPlace {
    /// Rows.
    pub count: u32,
    /// What their code depends on.
    pub shape: RowShape,
    /// Workgroups that share them in an iteration.
    pub workgroups: u32,
    /// Where their table begins.
    pub table: u32,
    /// Where their numbers begin in the packed diagonals.
    pub diagonal: u32,
    /// Where the table of their slices begins.
    pub slices: u32,
}

/// The matrix of a problem.
pub struct Couplings {
    /// What it consists of, yet to be written.
    pub tables: Tables,
    /// One a class of blocks.
    pub rows: Vec<RowPlace>,
    /// The code of pairs, by sizes.
    pub code: Vec<PairClass>,
    /// One a class of pairs.
    pub pair_places: Vec<ClassPlace>,
    /// Class by class of pairs.
    pub kinds: Vec<KindPlace>,
    /// Numbers of the matrix.
    pub numbers: usize,
}

impl Couplings {
    /// The matrix, unless it is larger than `most` bytes, or the problem is none for it.
    pub fn new(
        groups: &[Group],
        layout: &Layout,
        pieces: &Pieces,
        classes: &Classes,
        format: Format,
        most: u64,
    ) -> Option<Self> {
        let (code, kinds, couplings) = candidates(groups, layout, classes)?;
        let mut finds: Vec<Find<'_>> = finds(groups, layout, pieces, classes, (&code, &couplings)).collect();
        let lists = |find: &Find<'_>| -> Vec<Vec<u32>> {
            let laid = &classes.lists[0];
            find.samples().into_par_iter().map(|row| laid.list(row, find.class, &classes.of_pieces)).collect()
        };
        let prepared = |find: &mut Find<'_>| {
            let lists = lists(find);
            find.prepare(&lists)
        };
        let numbers: usize = finds.iter_mut().map(prepared).sum();
        if (numbers * format.bytes()) as u64 > most {
            return None;
        }
        let found: Vec<Slices> = finds
            .iter()
            .map(|find| find.all().map(|stretches| Slices::new(stretches, find.shape, find.size())))
            .collect::<Option<_>>()?;
        let shapes: Vec<RowShape> = finds.iter().map(|find| find.shape).collect();
        Some(Self::laid_out(classes, &shapes, code, kinds, found))
    }

    /// Whether [`new`](Self::new) would find none, for pieces of one class whose lists are not there.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn are_none(
        groups: &[Group],
        layout: &Layout,
        pieces: &Pieces,
        (classes, listed): (&Classes, &[Listed]),
        format: Format,
        most: u64,
    ) -> bool {
        let Some((code, _, couplings)) = candidates(groups, layout, classes) else { return true };
        // More instances couple more blocks.
        let is_too_large = |mut find: Find<'_>| {
            let samples = find.samples();
            // It shows soonest from those that couple most.
            let mut listed = listed.to_vec();
            listed.sort_by_key(|Listed { touch, .. }| Reverse(touch.count as usize * find.coupled_numbers(touch.base)));
            let is_more = |lists: &[Vec<u32>]| {
                let bytes = |numbers: usize| (numbers * format.bytes()) as u64;
                // Blocks that are met several times count once.
                bytes(find.numbers_at_most(lists)) > most && bytes(find.prepare(lists)) > most
            };
            lists_of(&samples, groups, layout, pieces, &listed, is_more)
        };
        finds(groups, layout, pieces, classes, (&code, &couplings)).any(is_too_large)
    }

    /// The most workgroups that an iteration may have.
    pub fn most_workgroups(layout: &Layout, classes: &Classes) -> u32 {
        // A row has no more than one.
        let most = classes.places.iter().map(|place| place.count.min(MOST_WORKGROUPS)).sum();
        if is_unsuited(layout, classes) { 0 } else { most }
    }

    /// Lays the rows of all classes out one after the other.
    fn laid_out(
        classes: &Classes,
        shapes: &[RowShape],
        code: Vec<PairClass>,
        kinds: Vec<KindPlace>,
        found: Vec<Slices>,
    ) -> Couplings {
        let (mut table, mut pair_places) = (0, Vec::new());
        for class in 0..code.len() {
            let stretches = found.iter().flat_map(Slices::stretches);
            let count = stretches.map(|stretch| stretch.pairs[class].len()).sum::<usize>() as u32;
            let workgroups = count.div_ceil(WORKGROUP).min(MOST_PAIR_WORKGROUPS);
            pair_places.push(ClassPlace {
                count,
                workgroups,
                list_workgroups: workgroups,
                teams: workgroups,
                table,
                diagonal: 0,
            });
            table += ROW * count;
        }
        let (mut slices, mut rows) = (0, Vec::new());
        let mut table = found.iter().map(|found| SLICE_WORDS * found.len() as u32).sum();
        for ((found, place), &shape) in found.iter().zip(&classes.places).zip(shapes) {
            let workgroups = (found.len() as u32).min(MOST_WORKGROUPS);
            rows.push(RowPlace { count: place.count, shape, workgroups, table, diagonal: place.diagonal, slices });
            slices += SLICE_WORDS * found.len() as u32;
            table += ROW_WORDS * place.count;
        }
        let tables = Tables::new(found, code.iter().map(|pair| pair.multiples).collect());
        let numbers = tables.numbers();
        Couplings { tables, rows, code, pair_places, kinds, numbers }
    }

    /// Bytes of the largest buffer that the matrix takes.
    pub fn most_bytes(&self, parameters: usize, format: Format) -> u64 {
        let words = 4 * self.tables.columns_len().max(self.tables.pairs_len());
        let numbers = format.bytes() * self.numbers.max(KRYLOV * parameters);
        words.max(numbers) as u64
    }

    /// Makes the buffers, of which the tables are yet to be written.
    pub fn make_buffers(&self, buffers: &mut Buffers, parameters: usize, format: Format) -> Result<(), GpuError> {
        buffers.words(Slot::Columns, self.tables.columns_len())?;
        buffers.words(Slot::Pairs, self.tables.pairs_len())?;
        buffers.zeros(Slot::Matrix, self.numbers, format)?;
        buffers.zeros(Slot::Krylov, KRYLOV * parameters, format)
    }

    /// Workgroups of an iteration.
    pub fn workgroups(&self) -> u32 {
        self.rows.iter().map(|rows| rows.workgroups).sum()
    }

    /// What the code for rows depends on, class by class.
    pub fn shapes(&self) -> Vec<RowShape> {
        self.rows.iter().map(|rows| rows.shape).collect()
    }
}

/// Whether the shape of the problem alone is none for a matrix.
fn is_unsuited(layout: &Layout, classes: &Classes) -> bool {
    let has_long = classes.code.iter().any(|class| class.lanes == WORKGROUP);
    layout.shards.len() != 1 || classes.eliminated() > 0 || has_long
}

/// The kinds of pairs, unless the problem is none for a matrix.
fn candidates(groups: &[Group], layout: &Layout, classes: &Classes) -> Option<Kinds> {
    if is_unsuited(layout, classes) {
        return None;
    }
    let found = find_kinds(groups, layout, classes);
    let terms: usize = found.0.iter().flat_map(|pair| &pair.kinds).map(PairKind::terms).sum();
    (terms <= MOST_TERMS).then_some(found)
}

/// What finds the columns of the rows, class by class.
fn finds<'a>(
    groups: &'a [Group],
    layout: &'a Layout,
    pieces: &'a Pieces,
    classes: &'a Classes,
    (code, couplings): (&'a [PairClass], &'a [Vec<Vec<Coupling>>]),
) -> impl Iterator<Item = Find<'a>> {
    (0..classes.code.len())
        .map(move |class| Find::new((groups, layout, pieces), (classes, class), (code, &couplings[class])))
}
