//! The columns of rows, and what each pair of blocks sums over.

use super::super::classes::Classes;
use super::super::layout::Layout;
use super::super::pieces::{Piece, Pieces};
use super::columns::{Column, Columns};
use super::kinds::Coupling;
use crate::backend::Group;
use crate::kernel::wgsl::FEWEST_LANES;
use rayon::prelude::*;

/// Rows that are looked at to tell how many columns all have.
const SAMPLES: usize = 64;

/// Most instances of a row: a lane that sums more keeps all others waiting.
const LONGEST: usize = 512;

/// Most lanes that share a row.
const MOST_LANES: u32 = 32;

/// Columns that a lane takes, about.
const COLUMNS_A_LANE: usize = 7;

/// Rows of a class one after the other.
pub(super) struct Stretch {
    /// Where the block of each row starts, its held components, and its columns.
    pub rows: Vec<[u32; 3]>,
    /// The first of every `width` columns.
    pub columns: Vec<u32>,
    /// By class of pairs: the first column of each in the stretch, held components and the length of its list.
    pub pairs: Vec<Vec<(u32, u16, u16)>>,
    pub lists: Vec<Vec<u32>>,
}

/// Finds the columns of rows.
pub(super) struct Find<'a> {
    pub groups: &'a [Group],
    pub layout: &'a Layout,
    pub pieces: &'a Pieces,
    pub classes: &'a Classes,
    /// Of each kind of the class.
    pub couplings: &'a [Vec<Coupling>],
    pub pair_classes: usize,
    pub class: usize,
    /// Columns side by side in every row, of which the first tells the others.
    pub width: u32,
    /// Lanes that share a row.
    pub lanes: u32,
    /// Components of the columns of a row, about, and entries of their lists.
    pub columns: usize,
    pub entries: usize,
}

impl Find<'_> {
    fn rows(&self) -> usize {
        self.classes.places[self.class].count as usize
    }

    /// The rows that all are judged by.
    pub fn samples(&self) -> Vec<usize> {
        (0..self.rows()).step_by(self.rows().div_ceil(SAMPLES).max(1)).collect()
    }

    /// Finds how many lanes do for a row; returns the numbers of the matrix in all rows, judged by the lists of [`samples`](Self::samples).
    pub fn prepare(&mut self, lists: &[Vec<u32>]) -> usize {
        let columns = |columns: &mut Columns, list: &Vec<u32>| {
            self.meet(columns, list)?;
            let counts = (columns.components(), columns.entries());
            columns.clear();
            Some(counts)
        };
        let found: Vec<Option<(usize, usize)>> =
            lists.par_iter().map_init(|| Columns::new(self.pieces.len()), columns).collect();
        let found = found.into_iter().flatten();
        let (rows, columns, entries) = found
            .fold((0, 0, 0), |(rows, columns, entries), (more, others)| (rows + 1, columns + more, entries + others));
        (self.columns, self.entries) = (columns / rows.max(1), entries / rows.max(1));
        let columns = self.columns;
        let wanted = (columns / COLUMNS_A_LANE) as u32;
        self.lanes = wanted.clamp(FEWEST_LANES, MOST_LANES).next_power_of_two();
        self.classes.code[self.class].size * columns * self.rows()
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
        let Stretch { rows: table, columns: firsts, pairs, lists } = &mut stretch;
        for (piece, list) in rows {
            self.meet(columns, list)?;
            // Tables have two bytes for it.
            u16::try_from(columns.entries()).ok()?;
            let begin = firsts.len();
            columns.list(lists, |column| {
                let first = self.width * firsts.len() as u32;
                pairs[column.pair as usize].push((first, piece.held, column.count as u16));
                firsts.extend((column.place..column.place + column.size).step_by(self.width as usize));
            });
            table.push([piece.start, u32::from(piece.held), self.width * (firsts.len() - begin) as u32]);
        }
        Some(stretch)
    }

    /// Room for so many rows: memory that grows is touched several times.
    fn empty(&self, rows: usize) -> Stretch {
        let more = |count: usize| count + count / 8;
        // Most often there is but one class.
        let of_class = |count: usize| if self.pair_classes == 1 { more(rows * count) } else { 0 };
        let lists = (0..self.pair_classes).map(|_| Vec::with_capacity(of_class(self.entries)));
        let blocks = self.columns.div_ceil(self.classes.code[self.class].size);
        Stretch {
            rows: Vec::with_capacity(rows),
            columns: Vec::with_capacity(more(rows * self.columns.div_ceil(self.width as usize))),
            pairs: (0..self.pair_classes).map(|_| Vec::with_capacity(of_class(blocks))).collect(),
            lists: lists.collect(),
        }
    }

    /// Meets the columns of a row with this list; `None` if that is too long.
    fn meet(&self, columns: &mut Columns, list: &[u32]) -> Option<()> {
        if list.len() > LONGEST {
            return None;
        }
        let indices = &self.layout.shards[0].indices[..];
        let first_kind: usize = self.classes.code[..self.class].iter().map(|class| class.kinds.len()).sum();
        let kinds = &self.classes.code[self.class].kinds;
        let places = &self.classes.kinds[0][first_kind..first_kind + kinds.len()];
        for &id in list {
            let kind = places.iter().rposition(|place| place.base <= id).unwrap_or(0);
            let (group, shape) = (&places[kind].group, kinds[kind].group);
            let instance = id - places[kind].base;
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
