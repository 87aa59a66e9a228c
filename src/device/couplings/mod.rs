//! JᵀJ as a sparse matrix on the device: which blocks are coupled, and what each of them sums over.
//!
//! Where the matrix stays in the device's cache, an iteration of conjugate gradients needs one dispatch with it, and two or three
//! without; where it does not, J has fewer bytes.

mod kinds;
mod rows;

use self::kinds::{Coupling, find_kinds};
use self::rows::{Find, Stretch};
use super::buffers::Buffers;
use super::classes::Classes;
use super::layout::Layout;
use super::lists::ROW;
use super::pieces::Pieces;
use super::plans::{ClassPlace, KindPlace};
use crate::backend::Group;
use crate::backend::gpu::GpuError;
use crate::kernel::wgsl::{Format, ITERATE_WORKGROUP, PairClass, PairKind, RowShape, Slot, WORKGROUP};
use rayon::prelude::*;

/// Words of a row of a table.
const WIDTH: usize = ROW as usize;

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
    /// Where their numbers begin.
    pub numbers: u32,
    /// Where their columns begin.
    pub columns: u32,
}

/// The matrix of a problem.
pub struct Couplings {
    /// Tables of rows, and the first of every `width` columns.
    pub columns: Vec<u32>,
    /// One a class of blocks.
    pub rows: Vec<RowPlace>,
    /// Tables of pairs, and what they sum over.
    pub pairs: Vec<u32>,
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
        let has_long = classes.code.iter().any(|class| class.lanes == WORKGROUP);
        if layout.shards.len() != 1 || classes.eliminated() > 0 || has_long {
            return None;
        }
        let (code, kinds, couplings) = find_kinds(groups, layout, classes);
        let terms: usize = code.iter().flat_map(|pair| &pair.kinds).map(PairKind::terms).sum();
        if terms > MOST_TERMS {
            return None;
        }
        let finds = (0..classes.code.len()).map(|class| Find {
            layout,
            pieces,
            classes,
            couplings: &couplings[class],
            pair_classes: code.len(),
            class,
            width: width(&code, &couplings[class]),
            lanes: 1,
        });
        let mut finds: Vec<Find<'_>> = finds.collect();
        let numbers: usize = finds.iter_mut().map(Find::prepare).sum();
        if (numbers * format.bytes()) as u64 > most {
            return None;
        }
        let words = classes.lists[0].words(pieces, &classes.of_pieces);
        let stretches: Vec<Vec<Stretch>> = finds.iter().map(|find| find.all(words)).collect::<Option<_>>()?;
        let shapes: Vec<RowShape> =
            finds.iter().map(|find| RowShape { lanes: find.lanes, width: find.width }).collect();
        Some(Self::laid_out((classes, words), &shapes, code, kinds, stretches))
    }

    /// Lays the stretches of all classes out one after the other.
    fn laid_out(
        (classes, words): (&Classes, &[u32]),
        shapes: &[RowShape],
        code: Vec<PairClass>,
        kinds: Vec<KindPlace>,
        stretches: Vec<Vec<Stretch>>,
    ) -> Couplings {
        let all = || stretches.iter().flatten();
        let rows: usize = all().map(|stretch| stretch.lengths.len()).sum();
        let column_count: usize = all().map(|stretch| stretch.columns.len()).sum();
        let list_count: usize = all().flat_map(|stretch| &stretch.lists).map(Vec::len).sum();
        let pair_counts: Vec<usize> =
            (0..code.len()).map(|pair| all().map(|stretch| stretch.pairs[pair].len()).sum()).collect();
        let mut columns = vec![0; WIDTH * rows + column_count];
        let (mut tables, mut column_rest) = columns.split_at_mut(WIDTH * rows);
        let mut pairs = vec![0; WIDTH * pair_counts.iter().sum::<usize>() + list_count];
        let (mut pair_tables, mut pair_rest, mut pair_places) = (Vec::new(), &mut pairs[..], Vec::new());
        let mut table = 0;
        for &count in &pair_counts {
            let (mine, rest) = pair_rest.split_at_mut(WIDTH * count);
            pair_rest = rest;
            pair_tables.push(mine);
            let count = count as u32;
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
        let (mut tasks, mut row_places) = (Vec::new(), Vec::new());
        let (mut row, mut column, mut list, mut numbers) = (0, (WIDTH * rows) as u32, table, 0);
        for (((class, place), stretches), &shape) in
            classes.code.iter().zip(&classes.places).zip(&stretches).zip(shapes)
        {
            row_places.push(RowPlace {
                count: place.count,
                shape,
                workgroups: place.count.div_ceil(ITERATE_WORKGROUP / shape.lanes).min(MOST_WORKGROUPS),
                table: row,
                diagonal: place.diagonal,
                numbers,
                columns: column,
            });
            let (mut from, size) = (place.table as usize, class.size as u32);
            // Columns of the class, all rows after each other.
            let mut entry = 0;
            for stretch in stretches {
                let (my_rows, rest) = std::mem::take(&mut tables).split_at_mut(WIDTH * stretch.lengths.len());
                tables = rest;
                let (my_columns, rest) = std::mem::take(&mut column_rest).split_at_mut(stretch.columns.len());
                column_rest = rest;
                let mut my_pairs = Vec::with_capacity(code.len());
                for (pairs, tables) in stretch.pairs.iter().zip(&mut pair_tables) {
                    let (mine, rest) = std::mem::take(tables).split_at_mut(WIDTH * pairs.len());
                    *tables = rest;
                    my_pairs.push(mine);
                }
                let length: usize = stretch.lists.iter().map(Vec::len).sum();
                let (my_lists, rest) = std::mem::take(&mut pair_rest).split_at_mut(length);
                pair_rest = rest;
                tasks.push((stretch, from, my_rows, entry, my_columns, size, numbers, my_pairs, list, my_lists));
                from += my_length(stretch);
                row += ROW * stretch.lengths.len() as u32;
                column += stretch.columns.len() as u32;
                entry += shape.width * stretch.columns.len() as u32;
                list += length as u32;
            }
            numbers += size * entry;
        }
        tasks.into_par_iter().for_each(
            |(stretch, from, my_rows, entry, my_columns, size, numbers, my_pairs, mut list, mut my_lists)| {
                let mut end = entry;
                for ((row, &length), from) in
                    my_rows.chunks_exact_mut(WIDTH).zip(&stretch.lengths).zip((from..).step_by(WIDTH))
                {
                    let first = end;
                    end += length;
                    row.copy_from_slice(&[words[from], words[from + 1], first, end]);
                }
                my_columns.copy_from_slice(&stretch.columns);
                for ((rows, pairs), entries) in my_pairs.into_iter().zip(&stretch.pairs).zip(&stretch.lists) {
                    for (row, &[place, held, length]) in rows.chunks_exact_mut(WIDTH).zip(pairs) {
                        let first = list;
                        list += length;
                        row.copy_from_slice(&[numbers + size * (entry + place), held, first, list]);
                    }
                    let (mine, rest) = std::mem::take(&mut my_lists).split_at_mut(entries.len());
                    my_lists = rest;
                    mine.copy_from_slice(entries);
                }
            },
        );
        Couplings { columns, rows: row_places, pairs, code, pair_places, kinds, numbers: numbers as usize }
    }

    /// Bytes of the largest buffer that the matrix takes.
    pub fn most_bytes(&self, parameters: usize, format: Format) -> u64 {
        let words = 4 * self.columns.len().max(self.pairs.len());
        let numbers = format.bytes() * self.numbers.max(KRYLOV * parameters);
        words.max(numbers) as u64
    }

    /// Makes the buffers, and frees what they hold on the host.
    pub fn upload(&mut self, buffers: &mut Buffers, parameters: usize, format: Format) -> Result<(), GpuError> {
        buffers.upload(Slot::Columns, bytemuck::cast_slice(&std::mem::take(&mut self.columns)))?;
        buffers.upload(Slot::Pairs, bytemuck::cast_slice(&std::mem::take(&mut self.pairs)))?;
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

/// Components of every block that rows of a class are coupled with, of each of its kinds; 1 where these differ.
fn width(code: &[PairClass], couplings: &[Vec<Coupling>]) -> u32 {
    let mut widths = couplings.iter().flatten().map(|coupling| code[coupling.class].columns as u32);
    let first = widths.next().unwrap_or(1);
    if widths.all(|width| width == first) { first } else { 1 }
}

/// Words of the rows of a stretch in a table.
fn my_length(stretch: &Stretch) -> usize {
    WIDTH * stretch.lengths.len()
}
