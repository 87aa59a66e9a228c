//! The columns of rows, and what each pair of blocks sums over.

use super::super::classes::Classes;
use super::super::layout::Layout;
use super::super::pieces::{Piece, Pieces};
use super::super::plans::KindPlace;
use super::columns::{Column, Columns};
use super::kinds::Coupling;
use crate::backend::Group;
use crate::kernel::wgsl::{FEWEST_LANES, PairClass, RowShape};
use rayon::prelude::*;

/// Rows that are looked at to tell how many columns all have.
const SAMPLES: usize = 64;

/// Of these, those that a thread takes at a time: it needs room for all pieces.
const SHARE: usize = 16;

/// Most instances of a row: a lane that sums more keeps all others waiting.
const LONGEST: usize = 512;

/// Most lanes that share a row.
const MOST_LANES: u32 = 32;

/// Numbers that a lane loads for its share of a row, about.
const LOADS_A_LANE: usize = 40;

/// Where the block of a row starts, and its share of the columns of its stretch: the first of every entry, then the start of every multiple.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub start: u32,
    pub held: u16,
    pub entries: u16,
    pub multiples: u16,
    /// Among the columns of the stretch.
    pub first: u32,
}

impl Row {
    /// Numbers, where an entry has so many.
    fn numbers(&self, of_entry: usize) -> usize {
        usize::from(self.entries) * of_entry + usize::from(self.multiples)
    }
}

/// Rows of a class one after the other.
pub(super) struct Stretch {
    pub rows: Vec<Row>,
    /// The rows in the order in which the matrix has them: much longer ones first, as those that a workgroup takes at a time wait for each other.
    pub order: Vec<u32>,
    pub columns: Vec<u32>,
    /// By class of pairs: row in the stretch, number among its entries or its multiples, and the length of its list.
    pub pairs: Vec<Vec<(u32, u16, u16)>>,
    pub lists: Vec<Vec<u32>>,
}

/// What there is in rows, on average.
#[derive(Default)]
struct Average {
    rows: usize,
    /// Numbers of the matrix, and what of it and of vectors lanes load.
    numbers: usize,
    loads: usize,
    columns: usize,
    /// By class of pairs: pairs, and entries of their lists.
    pairs: Vec<[usize; 2]>,
}

/// Finds the columns of rows.
pub(super) struct Find<'a> {
    groups: &'a [Group],
    layout: &'a Layout,
    pieces: &'a Pieces,
    classes: &'a Classes,
    /// Where the instances of the kinds of the class stand, and what they couple.
    places: &'a [KindPlace],
    couplings: &'a [Vec<Coupling>],
    code: &'a [PairClass],
    pub class: usize,
    pub shape: RowShape,
    average: Average,
}

impl<'a> Find<'a> {
    pub fn new(
        (groups, layout, pieces): (&'a [Group], &'a Layout, &'a Pieces),
        (classes, class): (&'a Classes, usize),
        (code, couplings): (&'a [PairClass], &'a [Vec<Coupling>]),
    ) -> Self {
        let pairs = || couplings.iter().flatten().map(|coupling| &code[coupling.class]);
        let multiples = pairs().any(|pair| pair.multiples);
        // Where blocks differ in size, entries are columns.
        let mut widths = pairs().map(|pair| pair.columns as u32);
        let first = widths.next().unwrap_or(1);
        let width = if widths.all(|width| width == first) { first } else { 1 };
        let shape = RowShape { lanes: 1, width, multiples };
        let (before, others) = classes.code.split_at(class);
        let first: usize = before.iter().map(|class| class.kinds.len()).sum();
        let places = &classes.kinds[0][first..first + others[0].kinds.len()];
        Find { groups, layout, pieces, classes, places, couplings, code, class, shape, average: Average::default() }
    }

    fn rows(&self) -> usize {
        self.classes.places[self.class].count as usize
    }

    /// Components of a row.
    pub fn size(&self) -> usize {
        self.classes.code[self.class].size
    }

    /// The rows that all are judged by.
    pub fn samples(&self) -> Vec<usize> {
        (0..self.rows()).step_by(self.rows().div_ceil(SAMPLES).max(1)).collect()
    }

    /// The most numbers that [`prepare`](Self::prepare) can come to.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn numbers_at_most(&self, lists: &[Vec<u32>]) -> usize {
        let numbers: usize = lists.iter().flatten().map(|&entry| self.coupled_numbers(entry)).sum();
        numbers * self.rows() / lists.len().max(1)
    }

    /// Finds how many lanes do for a row; returns the numbers of the matrix in all rows, judged by the lists of [`samples`](Self::samples).
    pub fn prepare(&mut self, lists: &[Vec<u32>]) -> usize {
        let found = |columns: &mut Columns, list: &Vec<u32>| {
            self.meet(columns, list)?;
            let found = columns.found().to_vec();
            columns.clear();
            Some(found)
        };
        let columns = || Columns::new(self.pieces.len());
        let rows: Vec<Option<Vec<Column>>> = lists.par_iter().with_min_len(SHARE).map_init(columns, found).collect();
        let mut sum = Average { pairs: vec![[0; 2]; self.code.len()], ..Average::default() };
        for columns in rows.iter().flatten() {
            sum.rows += 1;
            for column in columns {
                let pair = &self.code[column.pair as usize];
                sum.numbers += pair.numbers();
                sum.loads += pair.numbers() + pair.columns;
                sum.columns += self.entries(pair);
                let [pairs, entries] = &mut sum.pairs[column.pair as usize];
                (*pairs, *entries) = (*pairs + 1, *entries + column.count as usize);
            }
        }
        let wanted = (sum.loads / sum.rows.max(1) / LOADS_A_LANE) as u32;
        self.shape.lanes = wanted.clamp(FEWEST_LANES, MOST_LANES).next_power_of_two();
        self.average = sum;
        self.average.numbers * self.rows() / self.average.rows.max(1)
    }

    /// Entries of a row, or multiples, that a pair makes.
    fn entries(&self, pair: &PairClass) -> usize {
        if pair.multiples { 1 } else { pair.columns / self.shape.width as usize }
    }

    /// All rows; `None` if one has too many instances.
    pub fn all(&self) -> Option<Vec<Stretch>> {
        let lists = &self.classes.lists[0];
        let stretch = |columns: &mut Columns, bucket: usize| {
            self.stretch(columns, lists.listed(bucket, self.class, self.pieces, &self.classes.of_pieces))
        };
        (0..lists.buckets()).into_par_iter().map_init(|| Columns::new(self.pieces.len()), stretch).collect()
    }

    /// Some rows; `None` if one has too many instances.
    fn stretch<'r>(
        &self,
        columns: &mut Columns,
        rows: impl Iterator<Item = (&'r Piece, &'r [u32])>,
    ) -> Option<Stretch> {
        let mut stretch = self.empty(rows.size_hint().1.unwrap_or(0));
        let Stretch { rows: table, columns: firsts, pairs, lists, .. } = &mut stretch;
        for (piece, list) in rows {
            self.meet(columns, list)?;
            // Tables have two bytes for it.
            u16::try_from(columns.entries()).ok()?;
            let (first, row) = (firsts.len(), table.len() as u32);
            let mut counts = [0_u32; 2];
            columns.list(lists, |column| {
                let pair = &self.code[column.pair as usize];
                let number = &mut counts[usize::from(pair.multiples)];
                pairs[column.pair as usize].push((row, *number as u16, column.count as u16));
                if pair.multiples {
                    firsts.push(column.place);
                    *number += 1;
                } else {
                    let before = firsts.len();
                    firsts.extend((column.place..column.place + column.size).step_by(self.shape.width as usize));
                    *number += (firsts.len() - before) as u32;
                }
            });
            u16::try_from(firsts.len() - first).ok()?;
            let [entries, multiples] = counts.map(|count| count as u16);
            table.push(Row { start: piece.start, held: piece.held, entries, multiples, first: first as u32 });
        }
        let of_entry = self.size() * self.shape.width as usize;
        // Those of about the same length stay where they are, since neighbours have columns in common. A dozen passes over a few hundred
        // rows are as fast as a sort, which a browser would have to load.
        let length = |row: &Row| row.numbers(of_entry).max(1).ilog2();
        let longest = stretch.rows.iter().map(length).max().unwrap_or(0);
        stretch.order.reserve_exact(stretch.rows.len());
        for passed in (0..=longest).rev() {
            let rows = (0..).zip(&stretch.rows).filter(|(_, row)| length(row) == passed);
            stretch.order.extend(rows.map(|(number, _)| number));
        }
        Some(stretch)
    }

    /// Room for so many rows: memory that grows is touched several times.
    fn empty(&self, rows: usize) -> Stretch {
        let Average { rows: samples, columns, pairs, .. } = &self.average;
        let room = |count: usize| {
            let about = rows * count / samples.max(&1);
            about + about / 8
        };
        Stretch {
            rows: Vec::with_capacity(rows),
            order: Vec::new(),
            columns: Vec::with_capacity(room(*columns)),
            pairs: pairs.iter().map(|&[pairs, _]| Vec::with_capacity(room(pairs))).collect(),
            lists: pairs.iter().map(|&[_, entries]| Vec::with_capacity(room(entries))).collect(),
        }
    }

    /// The kind of an entry of a list, and where its instances stand.
    fn kind(&self, id: u32) -> (usize, &KindPlace) {
        let mut places = self.places.iter().enumerate();
        places.rfind(|(_, place)| place.base <= id).expect("instance 0 of the first kind is entry 0")
    }

    /// Numbers of the blocks to which an entry of a list couples its row.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn coupled_numbers(&self, id: u32) -> usize {
        self.couplings[self.kind(id).0].iter().map(|coupling| self.code[coupling.class].numbers()).sum()
    }

    /// Meets the columns of a row with this list; `None` if that is too long.
    fn meet(&self, columns: &mut Columns, list: &[u32]) -> Option<()> {
        if list.len() > LONGEST {
            return None;
        }
        let indices = &self.layout.shards[0].indices[..];
        for &id in list {
            let (kind, place) = self.kind(id);
            let (group, shape) = (&place.group, self.classes.code[self.class].kinds[kind].group);
            let instance = id - place.base;
            let parts = &self.layout.shapes[shape].parts;
            for coupling in &self.couplings[kind] {
                let part = &parts[coupling.part];
                let block = match indices {
                    [] => self.layout.starts(&self.groups[shape], part.block)(instance as usize),
                    indices => indices[(group.blocks + part.block * group.stride + instance) as usize],
                };
                if let Some(first) = self.pieces.first(block) {
                    let (piece, place) = (first as u32 + part.piece, block + part.component);
                    let column = Column { piece, place, pair: coupling.class as u32, size: part.size, count: 0 };
                    columns.meet(column, coupling.base + instance);
                }
            }
        }
        columns.end();
        Some(())
    }
}
