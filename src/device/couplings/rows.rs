//! The columns of rows, and what each pair of blocks sums over.

use super::super::classes::Classes;
use super::super::layout::Layout;
use super::super::pieces::Pieces;
use super::kinds::Coupling;
use crate::kernel::wgsl::FEWEST_LANES;
use rayon::prelude::*;
use std::ops::Range;

/// Rows that a thread takes at a time.
const STRETCH: usize = 1 << 9;

/// Rows that are looked at to tell how many columns all have.
const SAMPLES: usize = 256;

/// Most instances of a row: a lane that sums more keeps all others waiting.
const LONGEST: u32 = 512;

/// Most lanes that share a row.
const MOST_LANES: u32 = 32;

/// Columns that a lane takes, about.
const COLUMNS_A_LANE: usize = 7;

/// Rows of a class one after the other.
pub(super) struct Stretch {
    /// Columns of each row.
    pub lengths: Vec<u32>,
    /// The first of every `width` columns.
    pub columns: Vec<u32>,
    /// By class of pairs: the first column in the stretch, held components, and the length of the list of each.
    pub pairs: Vec<Vec<[u32; 3]>>,
    pub lists: Vec<Vec<u32>>,
}

/// Finds the columns of rows.
pub(super) struct Find<'a> {
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
}

impl Find<'_> {
    fn rows(&self) -> usize {
        self.classes.places[self.class].count as usize
    }

    /// Finds how many lanes do for a row; returns the numbers of the matrix in all rows, judged by some of them.
    pub fn prepare(&mut self) -> usize {
        let step = self.rows().div_ceil(SAMPLES).max(1);
        let samples = (0..self.rows()).step_by(step).filter_map(|row| self.stretch(row..row + 1));
        let (rows, columns) = samples.fold((0, 0), |(rows, columns), row| (rows + 1, columns + row.columns.len()));
        let columns = columns * self.width as usize / rows.max(1);
        let wanted = (columns / COLUMNS_A_LANE) as u32;
        self.lanes = wanted.clamp(FEWEST_LANES, MOST_LANES).next_power_of_two();
        self.classes.code[self.class].size * columns * self.rows()
    }

    /// All rows; `None` if one has too many instances.
    pub fn all(&self) -> Option<Vec<Stretch>> {
        let starts: Vec<usize> = (0..self.rows()).step_by(STRETCH).collect();
        starts.into_par_iter().map(|first| self.stretch(first..(first + STRETCH).min(self.rows()))).collect()
    }

    /// Some rows; `None` if one has too many instances.
    fn stretch(&self, rows: Range<usize>) -> Option<Stretch> {
        let shard = &self.layout.shards[0];
        let words = &self.classes.lists[0].words;
        let first_kind: usize = self.classes.code[..self.class].iter().map(|class| class.kinds.len()).sum();
        let class = &self.classes.code[self.class];
        let places = &self.classes.lists[0].kinds[first_kind..first_kind + class.kinds.len()];
        let mut stretch = Stretch {
            lengths: Vec::with_capacity(rows.len()),
            columns: Vec::new(),
            pairs: vec![Vec::new(); self.pair_classes],
            lists: vec![Vec::new(); self.pair_classes],
        };
        // Start of the column, order of finding; what it is to the row.
        let mut met: Vec<(u64, (u32, u32, u32))> = Vec::new();
        for row in rows {
            let row = self.classes.places[self.class].table as usize + 4 * row;
            let [held, first, end] = [1, 2, 3].map(|k| words[row + k]);
            if end - first > LONGEST {
                return None;
            }
            met.clear();
            for &id in &words[first as usize..end as usize] {
                let kind = places.iter().rposition(|place| place.base <= id).unwrap_or(0);
                let group = &places[kind].group;
                let instance = id - places[kind].base;
                let parts = &self.layout.shapes[class.kinds[kind].group].parts;
                for coupling in &self.couplings[kind] {
                    let part = &parts[coupling.part];
                    let block = shard.indices[(group.blocks + part.block * group.stride + instance) as usize];
                    if self.pieces.first(block).is_some() {
                        let key = u64::from(block + part.component) << 32 | met.len() as u64;
                        met.push((key, (coupling.class as u32, part.size, coupling.base + instance)));
                    }
                }
            }
            met.sort_unstable_by_key(|&(key, _)| key);
            let begin = stretch.columns.len();
            for run in met.chunk_by(|a, b| a.0 >> 32 == b.0 >> 32) {
                let (place, (pair, size, _)) = ((run[0].0 >> 32) as u32, run[0].1);
                let column = self.width * stretch.columns.len() as u32;
                stretch.pairs[pair as usize].push([column, held, run.len() as u32]);
                stretch.lists[pair as usize].extend(run.iter().map(|&(_, (_, _, id))| id));
                stretch.columns.extend((place..place + size).step_by(self.width as usize));
            }
            stretch.lengths.push(self.width * (stretch.columns.len() - begin) as u32);
        }
        Some(stretch)
    }
}
