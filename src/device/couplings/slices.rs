//! Slices: rows that a workgroup takes at a time. Their numbers stand in turn, the first of each row, then the second of each, so that lanes side
//! by side read numbers side by side; shorter rows are filled up to the longest with zeros.

use super::rows::{Row, Stretch};
use crate::kernel::wgsl::{RowShape, SLICE_WORDS};
use rayon::prelude::*;

/// A slice of rows.
#[derive(Debug, Clone, Copy, Default)]
struct Slice {
    /// Where its columns begin in [`Slot::Columns`](crate::kernel::wgsl::Slot::Columns).
    columns: u32,
    /// Where its numbers begin in the matrix.
    numbers: u32,
    /// Entries and multiples of the identity of its longest rows.
    entries: u32,
    multiples: u32,
}

/// The rows of a class.
pub(super) struct Slices {
    slices: Vec<Slice>,
    stretches: Vec<Stretch>,
    /// The number of the first row of each stretch, and of all.
    firsts: Vec<u32>,
    /// For each stretch the places of its rows in it.
    places: Vec<Vec<u32>>,
    /// Rows of a slice.
    rows: u32,
    /// Numbers of an entry.
    of_entry: u32,
}

impl Slices {
    /// Those of rows of blocks of `size` components.
    pub fn new(stretches: Vec<Stretch>, shape: RowShape, size: usize) -> Self {
        let mut firsts = vec![0];
        for stretch in &stretches {
            firsts.push(firsts[firsts.len() - 1] + stretch.rows.len() as u32);
        }
        let place = |stretch: &Stretch| {
            let mut places = vec![0; stretch.order.len()];
            (0..).zip(&stretch.order).for_each(|(place, &row)| places[row as usize] = place);
            places
        };
        let places = stretches.par_iter().map(place).collect();
        let (rows, of_entry) = (shape.rows(), size as u32 * shape.width);
        let mut all = Slices { slices: Vec::new(), stretches, firsts, places, rows, of_entry };
        let count = all.count().div_ceil(rows);
        let longest = |slice: u32| {
            let longest = |slice: Slice, (_, row): (&Stretch, &Row)| Slice {
                entries: slice.entries.max(row.entries.into()),
                multiples: slice.multiples.max(row.multiples.into()),
                ..slice
            };
            all.rows_of(slice).fold(Slice::default(), longest)
        };
        all.slices = (0..count).into_par_iter().map(longest).collect();
        all
    }

    /// Finds where columns and numbers stand that begin here, and goes on behind them.
    pub fn begin_at(&mut self, columns: &mut u32, numbers: &mut u32) {
        for slice in &mut self.slices {
            (slice.columns, slice.numbers) = (*columns, *numbers);
            *columns += self.rows * (slice.entries + slice.multiples);
            *numbers += self.rows * (slice.entries * self.of_entry + slice.multiples);
        }
    }

    /// Rows.
    pub fn count(&self) -> u32 {
        self.firsts[self.stretches.len()]
    }

    /// Slices.
    pub fn len(&self) -> usize {
        self.slices.len()
    }

    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// The rows of a slice with their stretches.
    fn rows_of(&self, slice: u32) -> impl Iterator<Item = (&Stretch, &Row)> {
        let rows = slice * self.rows..((slice + 1) * self.rows).min(self.count());
        let mut stretch = self.firsts.partition_point(|&first| first <= rows.start) - 1;
        rows.map(move |row| {
            while self.firsts[stretch + 1] <= row {
                stretch += 1;
            }
            let found = &self.stretches[stretch];
            (found, &found.rows[found.order[(row - self.firsts[stretch]) as usize] as usize])
        })
    }

    /// The table of the slices.
    pub fn table(&self) -> Vec<u32> {
        let words = |slice: &Slice| [slice.columns, slice.numbers, slice.entries, slice.multiples];
        const { assert!(SLICE_WORDS == 4) };
        self.slices.iter().flat_map(words).collect()
    }

    /// The table of the rows of a stretch.
    pub fn rows_table(&self, stretch: usize) -> Vec<u32> {
        let Stretch { rows, order, .. } = &self.stretches[stretch];
        let words = |&row: &u32| {
            let Row { start, held, .. } = rows[row as usize];
            [start, u32::from(held), self.firsts[stretch] + row]
        };
        order.iter().flat_map(words).collect()
    }

    /// Words of the columns of a slice.
    pub fn columns_len(&self, slice: usize) -> usize {
        let Slice { entries, multiples, .. } = self.slices[slice];
        (self.rows * (entries + multiples)) as usize
    }

    /// The columns of a slice. Where a row has no more, there is some other that exists.
    pub fn columns(&self, slice: usize) -> Vec<u32> {
        let rows = self.rows as usize;
        let mut words = vec![0; self.columns_len(slice)];
        let after_entries = self.slices[slice].entries as usize * rows;
        for (place, (stretch, row)) in self.rows_of(slice as u32).enumerate() {
            let (first, entries) = (row.first as usize, usize::from(row.entries));
            let (mine, multiples) = stretch.columns[first..][..entries + usize::from(row.multiples)].split_at(entries);
            mine.iter().enumerate().for_each(|(k, &column)| words[k * rows + place] = column);
            let behind = &mut words[after_entries..];
            multiples.iter().enumerate().for_each(|(k, &column)| behind[k * rows + place] = column);
        }
        words
    }

    /// Where a row of a stretch has its numbers in the matrix.
    pub fn place(&self, stretch: usize, row: u32) -> RowNumbers {
        let row = self.firsts[stretch] + self.places[stretch][row as usize];
        let Slice { numbers, entries, .. } = self.slices[(row / self.rows) as usize];
        let entries_at = numbers + row % self.rows;
        let of_entry = self.rows * self.of_entry;
        RowNumbers { entries: entries_at, of_entry, multiples: entries_at + entries * of_entry, apart: self.rows }
    }
}

/// Where the numbers of a row stand in the matrix.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct RowNumbers {
    /// The first number of the first entry, and from an entry to the next.
    entries: u32,
    of_entry: u32,
    /// That of the first multiple.
    multiples: u32,
    /// From a number to the next.
    pub apart: u32,
}

impl RowNumbers {
    /// The first number of an entry.
    pub fn entry(&self, number: u16) -> u32 {
        self.entries + u32::from(number) * self.of_entry
    }

    /// That of a multiple.
    pub fn multiple(&self, number: u16) -> u32 {
        self.multiples + u32::from(number) * self.apart
    }
}
