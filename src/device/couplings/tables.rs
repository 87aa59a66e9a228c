//! The words of an assembled JᵀJ on the device: tables of its rows with their columns, tables of pairs with what they sum over.

use super::super::lists::ROW;
use super::slices::{RowNumbers, Slices};
use crate::kernel::wgsl::{ROW_WORDS, SLICE_WORDS};
use std::borrow::Cow;
use std::ops::Range;

/// What a section has.
#[derive(Clone, Copy)]
enum Part {
    /// The table of the slices of a class.
    Slices,
    /// The rows of a stretch.
    Rows(usize),
    /// The columns of a slice.
    Columns(usize),
    /// Of a stretch, the table of a class of pairs.
    Pairs(usize, usize),
    /// Of a stretch, what the pairs of a class sum over.
    Lists(usize, usize),
}

/// Words that follow each other, of the rows of a class.
#[derive(Clone, Copy)]
struct Section {
    class: usize,
    part: Part,
    end: usize,
}

/// What is written to [`Slot::Columns`](crate::kernel::wgsl::Slot::Columns) and to [`Slot::Pairs`](crate::kernel::wgsl::Slot::Pairs).
#[derive(Default)]
pub struct Tables {
    /// The rows of each class.
    rows: Vec<Slices>,
    /// Whether each class of pairs is one of multiples of the identity.
    multiples: Vec<bool>,
    columns: Sections,
    pairs: Sections,
    /// Where the lists of each stretch begin among the words of pairs, class by class of rows.
    lists: Vec<Vec<u32>>,
    numbers: usize,
}

/// Sections one after the other.
#[derive(Default)]
struct Sections(Vec<Section>);

impl Sections {
    fn push(&mut self, class: usize, part: Part, words: usize) {
        let end = self.len() + words;
        self.0.push(Section { class, part, end });
    }

    fn len(&self) -> usize {
        self.0.last().map_or(0, |section| section.end)
    }
}

impl Tables {
    /// Of the rows of all classes; `multiples` tells classes of pairs that are multiples of the identity.
    pub(super) fn new(mut rows: Vec<Slices>, multiples: Vec<bool>) -> Self {
        let mut columns = Sections::default();
        let words = |rows: &Slices| SLICE_WORDS as usize * rows.len();
        rows.iter().enumerate().for_each(|(class, rows)| columns.push(class, Part::Slices, words(rows)));
        for (class, rows) in rows.iter().enumerate() {
            let stretches = rows.stretches().iter().enumerate();
            stretches.for_each(|(index, stretch)| {
                columns.push(class, Part::Rows(index), ROW_WORDS as usize * stretch.rows.len());
            });
        }
        let (mut begin, mut numbers) = (columns.len() as u32, 0);
        for (class, rows) in rows.iter_mut().enumerate() {
            rows.begin_at(&mut begin, &mut numbers);
            (0..rows.len()).for_each(|slice| columns.push(class, Part::Columns(slice), rows.columns_len(slice)));
        }
        let each = || {
            let stretches = |(class, rows): (usize, &Slices)| (0..rows.stretches().len()).map(move |k| (class, k));
            rows.iter().enumerate().flat_map(stretches).collect::<Vec<_>>()
        };
        let mut pairs = Sections::default();
        for pair in 0..multiples.len() {
            for (class, index) in each() {
                let count = rows[class].stretches()[index].pairs[pair].len();
                pairs.push(class, Part::Pairs(index, pair), ROW as usize * count);
            }
        }
        let mut lists = vec![Vec::new(); rows.len()];
        for (class, index) in each() {
            lists[class].push(pairs.len() as u32);
            let of_pairs = rows[class].stretches()[index].lists.iter().enumerate();
            of_pairs.for_each(|(pair, list)| pairs.push(class, Part::Lists(index, pair), list.len()));
        }
        Tables { rows, multiples, columns, pairs, lists, numbers: numbers as usize }
    }

    /// Numbers of the matrix.
    pub fn numbers(&self) -> usize {
        self.numbers
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
        let rows = &self.rows[section.class];
        match section.part {
            Part::Slices => rows.table().into(),
            Part::Rows(stretch) => rows.rows_table(stretch).into(),
            Part::Columns(slice) => rows.columns(slice).into(),
            Part::Lists(stretch, pair) => Cow::Borrowed(&rows.stretches()[stretch].lists[pair]),
            Part::Pairs(index, pair) => {
                let stretch = &rows.stretches()[index];
                let before: usize = stretch.lists[..pair].iter().map(Vec::len).sum();
                let mut end = self.lists[section.class][index] + before as u32;
                let (is_multiple, mut known) = (self.multiples[pair], (u32::MAX, RowNumbers::default()));
                let row = |&(row, number, length): &(u32, u16, u16)| {
                    end += u32::from(length);
                    // Pairs of a row follow each other.
                    if known.0 != row {
                        known = (row, rows.place(index, row));
                    }
                    let place = if is_multiple { known.1.multiple(number) } else { known.1.entry(number) };
                    [place, known.1.apart, end - u32::from(length), end]
                };
                stretch.pairs[pair].iter().flat_map(row).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::{Row, Stretch};
    use super::*;
    use crate::kernel::wgsl::RowShape;
    use std::cmp::Reverse;

    #[test]
    fn shares_are_parts_of_the_whole() {
        // Rows of blocks of two components: `longer` of them have sixteen entries, the others one, and two multiples each.
        let stretch = |seed: u32, rows: u32, longer: u32| {
            let row = |row: u32| Row {
                start: seed + row,
                held: row as u16 % 2,
                entries: if row < rows - longer { 1 } else { 16 },
                multiples: 2,
                first: 0,
            };
            let mut rows: Vec<Row> = (0..rows).map(row).collect();
            let (mut columns, mut pairs) = (Vec::new(), vec![Vec::new(); 2]);
            for (number, row) in (0..).zip(&mut rows) {
                row.first = columns.len() as u32;
                columns.extend((0..row.entries + 2).map(|k| 100 * (seed + number) + u32::from(k)));
                (0..row.entries).for_each(|k| pairs[0].push((number, k, 1)));
                (0..2).for_each(|k| pairs[1].push((number, k, k)));
            }
            let mut order: Vec<u32> = (0..rows.len() as u32).collect();
            order.sort_by_key(|&row| Reverse(rows[row as usize].entries));
            let lists =
                pairs.iter().map(|pairs| pairs.iter().flat_map(|&(row, _, n)| (0..n).map(move |_| row)).collect());
            Stretch { rows, order, columns, lists: lists.collect(), pairs }
        };
        let shape = RowShape { lanes: 64, width: 2, multiples: true };
        let stretches = vec![stretch(10, 4, 0), stretch(20, 0, 0), stretch(30, 5, 1)];
        let tables = Tables::new(vec![Slices::new(stretches, shape, 2)], vec![false, true]);
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
        let made = |words: Range<usize>, make: Make| {
            let mut all = vec![u32::MAX; words.len()];
            make(&tables, words, &mut |place, some| all[place..place + some.len()].copy_from_slice(some));
            all
        };
        let columns = made(0..tables.columns_len(), both[0].1);
        // Nine rows in slices of four: start, held components and number; the longer one of its stretch comes first.
        let (slices, rows) = columns[..12 + 27].split_at(12);
        assert_eq!(rows[12..18], [34, 0, 8, 30, 0, 4]);
        // Where columns and numbers begin, and what the longest row has.
        assert_eq!(slices, [39, 0, 1, 2, 51, 24, 16, 2, 123, 288, 1, 2]);
        assert_eq!(columns[39..51], [1000, 1100, 1200, 1300, 1001, 1101, 1201, 1301, 1002, 1102, 1202, 1302]);
        assert_eq!(columns[51..57], [3400, 3000, 3100, 3200, 3401, 0]);
        assert_eq!(tables.numbers(), 312);
        // A pair: the place of its first number, how far they are apart, and its list; every number of a row is somebody's.
        let pairs = made(0..tables.pairs_len(), both[1].1);
        let entries = 4 + 4 + 16;
        assert_eq!(pairs[4..8], [1, 4, 169, 170]);
        let mut places: Vec<u32> =
            pairs[..4 * entries].chunks(4).flat_map(|row| (0..4).map(|k| row[0] + 4 * k)).collect();
        places.extend(pairs[4 * entries..4 * (entries + 18)].chunks(4).map(|row| row[0]));
        places.sort_unstable();
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]) && places.len() == 4 * entries + 18);
        assert!(places.iter().all(|&place| place < 312));
    }
}
