//! The columns of rows, and what each pair of blocks sums over.

use super::super::classes::Classes;
use super::super::layout::Layout;
use super::super::pieces::Pieces;
use super::WIDTH;
use super::kinds::Coupling;
use crate::backend::Group;
use crate::kernel::wgsl::FEWEST_LANES;
use rayon::prelude::*;

/// Rows that a thread takes at a time.
const STRETCH: usize = 1 << 9;

/// Rows that are looked at to tell how many columns all have.
const SAMPLES: usize = 256;

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
    /// By class of pairs: the first column in the stretch, held components, and the length of the list of each.
    pub pairs: Vec<Vec<[u32; 3]>>,
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
        let columns =
            |list: &Vec<u32>| self.stretch([([0, 0], &list[..])].into_iter()).map(|stretch| stretch.columns.len());
        let found: Vec<Option<usize>> = lists.par_iter().map(columns).collect();
        let (rows, columns) =
            found.into_iter().flatten().fold((0, 0), |(rows, sum), columns| (rows + 1, sum + columns));
        let columns = columns * self.width as usize / rows.max(1);
        let wanted = (columns / COLUMNS_A_LANE) as u32;
        self.lanes = wanted.clamp(FEWEST_LANES, MOST_LANES).next_power_of_two();
        self.classes.code[self.class].size * columns * self.rows()
    }

    /// All rows, by the tables and lists of the shard; `None` if one has too many instances.
    pub fn all(&self, words: &[u32]) -> Option<Vec<Stretch>> {
        let starts: Vec<usize> = (0..self.rows()).step_by(STRETCH).collect();
        let table = &words[self.classes.places[self.class].table as usize..][..WIDTH * self.rows()];
        let stretch = |first: usize| {
            let rows = &table[WIDTH * first..WIDTH * (first + STRETCH).min(self.rows())];
            self.stretch(
                rows.chunks_exact(WIDTH).map(|row| ([row[0], row[1]], &words[row[2] as usize..row[3] as usize])),
            )
        };
        starts.into_par_iter().map(stretch).collect()
    }

    /// Some rows, by start, held components and list; `None` if one has too many instances.
    fn stretch<'r>(&self, rows: impl ExactSizeIterator<Item = ([u32; 2], &'r [u32])>) -> Option<Stretch> {
        let shard = &self.layout.shards[0];
        let first_kind: usize = self.classes.code[..self.class].iter().map(|class| class.kinds.len()).sum();
        let class = &self.classes.code[self.class];
        let places = &self.classes.kinds[0][first_kind..first_kind + class.kinds.len()];
        let mut stretch = Stretch {
            rows: Vec::with_capacity(rows.len()),
            columns: Vec::new(),
            pairs: vec![Vec::new(); self.pair_classes],
            lists: vec![Vec::new(); self.pair_classes],
        };
        // Start of the column, order of finding; and, in this order, what it is to the row.
        let (mut keys, mut met): (Vec<u64>, Vec<(u32, u32, u32)>) = (Vec::new(), Vec::new());
        for ([start, held], list) in rows {
            if list.len() > LONGEST {
                return None;
            }
            keys.clear();
            met.clear();
            for &id in list {
                let kind = places.iter().rposition(|place| place.base <= id).unwrap_or(0);
                let group = &places[kind].group;
                let instance = id - places[kind].base;
                let shape = class.kinds[kind].group;
                let parts = &self.layout.shapes[shape].parts;
                for coupling in &self.couplings[kind] {
                    let part = &parts[coupling.part];
                    let block = match &shard.indices[..] {
                        [] => self.layout.starts(&self.groups[shape], part.block)(instance as usize),
                        indices => indices[(group.blocks + part.block * group.stride + instance) as usize],
                    };
                    if self.pieces.first(block).is_some() {
                        keys.push(u64::from(block + part.component) << 32 | met.len() as u64);
                        met.push((coupling.class as u32, part.size, coupling.base + instance));
                    }
                }
            }
            keys.sort_unstable();
            let found = |key: u64| met[(key & u64::from(u32::MAX)) as usize];
            let begin = stretch.columns.len();
            for run in keys.chunk_by(|a, b| a >> 32 == b >> 32) {
                let (place, (pair, size, _)) = ((run[0] >> 32) as u32, found(run[0]));
                let column = self.width * stretch.columns.len() as u32;
                stretch.pairs[pair as usize].push([column, held, run.len() as u32]);
                stretch.lists[pair as usize].extend(run.iter().map(|&key| found(key).2));
                stretch.columns.extend((place..place + size).step_by(self.width as usize));
            }
            stretch.rows.push([start, held, self.width * (stretch.columns.len() - begin) as u32]);
        }
        Some(stretch)
    }
}
