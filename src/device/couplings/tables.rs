//! The words of an assembled JᵀJ on the device: tables of its rows with their columns, tables of pairs with what they sum over.

use super::WIDTH;
use super::rows::Stretch;
use std::borrow::Cow;
use std::ops::Range;

/// A stretch of rows, and where it stands.
pub(super) struct Placed {
    pub stretch: Stretch,
    /// Components of a row.
    pub size: u32,
    /// Where the numbers of its class begin in the matrix.
    pub numbers: u32,
    /// Columns of its class before it.
    pub entry: u32,
    /// Where its lists begin among the words of pairs.
    pub list: u32,
}

/// What a section has of a stretch.
#[derive(Clone, Copy)]
enum Part {
    Rows,
    Columns,
    /// The table of a class of pairs.
    Pairs(usize),
    /// What the pairs of a class sum over.
    Lists(usize),
}

/// Words of a stretch that follow each other.
#[derive(Clone, Copy)]
struct Section {
    stretch: usize,
    part: Part,
    end: usize,
}

/// What is written to [`Slot::Columns`](crate::kernel::wgsl::Slot::Columns) and to [`Slot::Pairs`](crate::kernel::wgsl::Slot::Pairs).
#[derive(Default)]
pub struct Tables {
    stretches: Vec<Placed>,
    columns: Sections,
    pairs: Sections,
}

/// Sections one after the other.
#[derive(Default)]
struct Sections(Vec<Section>);

impl Sections {
    fn push(&mut self, stretch: usize, part: Part, words: usize) {
        let end = self.len() + words;
        self.0.push(Section { stretch, part, end });
    }

    fn len(&self) -> usize {
        self.0.last().map_or(0, |section| section.end)
    }
}

impl Tables {
    /// Of the stretches of all classes, for so many classes of pairs.
    pub(super) fn new(stretches: Vec<Placed>, pair_classes: usize) -> Self {
        let (mut columns, mut pairs) = (Sections::default(), Sections::default());
        let each = || stretches.iter().map(|placed| &placed.stretch).enumerate();
        each().for_each(|(index, stretch)| columns.push(index, Part::Rows, WIDTH * stretch.rows.len()));
        each().for_each(|(index, stretch)| columns.push(index, Part::Columns, stretch.columns.len()));
        for class in 0..pair_classes {
            each()
                .for_each(|(index, stretch)| pairs.push(index, Part::Pairs(class), WIDTH * stretch.pairs[class].len()));
        }
        for (index, stretch) in each() {
            let lists = stretch.lists.iter().enumerate();
            lists.for_each(|(class, list)| pairs.push(index, Part::Lists(class), list.len()));
        }
        Tables { stretches, columns, pairs }
    }

    /// Words of rows and columns.
    pub fn columns_len(&self) -> usize {
        self.columns.len()
    }

    /// Words of pairs.
    pub fn pairs_len(&self) -> usize {
        self.pairs.len()
    }

    /// Makes some words of rows and columns; calls `f(place among them, words)` until all were there.
    pub fn make_columns(&self, words: Range<usize>, f: &mut dyn FnMut(usize, &[u32])) {
        self.make(&self.columns, words, f);
    }

    /// The same of pairs.
    pub fn make_pairs(&self, words: Range<usize>, f: &mut dyn FnMut(usize, &[u32])) {
        self.make(&self.pairs, words, f);
    }

    fn make(&self, Sections(sections): &Sections, words: Range<usize>, f: &mut dyn FnMut(usize, &[u32])) {
        let first = sections.partition_point(|section| section.end <= words.start);
        let mut begin = first.checked_sub(1).map_or(0, |before| sections[before].end);
        for section in &sections[first..] {
            if begin >= words.end {
                break;
            }
            let mine = words.start.max(begin)..words.end.min(section.end);
            if !mine.is_empty() {
                f(mine.start - words.start, &self.words(section)[mine.start - begin..mine.end - begin]);
            }
            begin = section.end;
        }
    }

    fn words(&self, section: &Section) -> Cow<'_, [u32]> {
        let Placed { stretch, size, numbers, entry, list } = &self.stretches[section.stretch];
        match section.part {
            Part::Columns => Cow::Borrowed(&stretch.columns),
            Part::Lists(class) => Cow::Borrowed(&stretch.lists[class]),
            Part::Rows => {
                let mut end = *entry;
                let row = |&[start, held, length]: &[u32; 3]| {
                    end += length;
                    [start, held, end - length, end]
                };
                stretch.rows.iter().flat_map(row).collect()
            }
            Part::Pairs(class) => {
                let before: usize = stretch.lists[..class].iter().map(Vec::len).sum();
                let mut end = list + before as u32;
                let row = |&(place, held, length): &(u32, u16, u16)| {
                    end += u32::from(length);
                    [numbers + size * (entry + place), u32::from(held), end - u32::from(length), end]
                };
                stretch.pairs[class].iter().flat_map(row).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_parts_of_the_whole() {
        let stretch = |seed: u32, rows: u32| Stretch {
            rows: (0..rows).map(|row| [seed + row, row % 2, 2 + row % 3]).collect(),
            columns: (0..rows).flat_map(|row| (0..2 + row % 3).map(move |column| 7 * column + row)).collect(),
            pairs: vec![
                (0..rows).map(|row| (row, row as u16 % 2, 1)).collect(),
                (0..seed).map(|k| (k, 0, k as u16 % 3)).collect(),
            ],
            lists: vec![(0..rows).collect(), (0..seed).flat_map(|k| 0..k % 3).collect()],
        };
        let mut placed = Vec::new();
        for (seed, rows) in [(5, 4), (0, 0), (9, 3)] {
            placed.push(Placed { stretch: stretch(seed, rows), size: 3, numbers: 100, entry: 10 * seed, list: 1000 });
        }
        let tables = Tables::new(placed, 2);
        type Make = fn(&Tables, Range<usize>, &mut dyn FnMut(usize, &[u32]));
        let both: [(usize, Make); 2] = [
            (tables.columns_len(), |tables, words, f| tables.make_columns(words, f)),
            (tables.pairs_len(), |tables, words, f| tables.make_pairs(words, f)),
        ];
        for (length, make) in both {
            let made = |words: Range<usize>| {
                let mut all = vec![u32::MAX; words.len()];
                make(&tables, words, &mut |place, some| all[place..place + some.len()].copy_from_slice(some));
                all
            };
            let whole = made(0..length);
            assert!(length > 0 && !whole.contains(&u32::MAX));
            for share in [1, 3, 16] {
                let shares = (0..length).step_by(share).map(|first| made(first..(first + share).min(length)));
                assert_eq!(shares.collect::<Vec<_>>().concat(), whole);
            }
        }
        // A row: start, held components, its first column of all, and the end.
        let mut row = [0; 4];
        tables.make_columns(4..8, &mut |place, words| row[place..place + words.len()].copy_from_slice(words));
        assert_eq!(row, [6, 1, 52, 55]);
    }
}
