//! Incidence lists: for each piece of a parameter block, what touches it, in a fixed order.

use super::incidence::{Incidence, STRETCH};
use super::pieces::{Piece, Pieces};
use crate::backend::gpu::{GpuBuffer, GpuError};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

/// Words that a thread makes at a time: what a bucket has may be made for two of them.
const SHARE: usize = 1 << 16;

/// A list longer than this is sorted by several threads.
const LONG: usize = 1 << 16;

/// Words of a row of a table: start, held components as bits, first and end of the list.
pub const ROW: u32 = 4;

/// Most bytes of lists that are made where the device reads them: it has as much memory of the kind again until they are copied.
const MOST_STAGED: usize = 128 << 20;

/// Pieces in no class have no row.
pub const UNLISTED: u8 = u8::MAX;

/// What the instances of a touch are called in lists.
pub struct Numbers {
    /// The entry of instance 0, for each class of pieces.
    pub bases: Vec<u32>,
    /// What the entries of an instance and the next differ by.
    pub step: u32,
}

/// A table of rows for each class, and then all lists, laid out but not made.
pub struct Lists {
    incidence: Incidence,
    /// Entries of the list of each piece.
    counts: Vec<u32>,
    /// One a touch.
    numbers: Vec<Numbers>,
    /// Where the table of each class begins, and then the lists.
    tables: Vec<u32>,
    /// Where each bucket begins in the tables and in the lists, bucket by bucket; those at the end too.
    begins: Vec<u32>,
    /// The lists of each bucket, one after the other, where somebody wanted them before they are written.
    made: Vec<OnceLock<Vec<u32>>>,
}

impl Lists {
    /// `counts`: those of the incidence; `classes`: the class of each piece, or [`UNLISTED`].
    pub fn new(
        incidence: Incidence,
        counts: Vec<u32>,
        (classes, class_count): (&[u8], usize),
        numbers: Vec<Numbers>,
    ) -> Self {
        let stretches = classes.par_chunks(incidence.stretch()).zip(counts.par_chunks(incidence.stretch()));
        let sums = stretches.with_min_len(STRETCH).flat_map_iter(|(classes, counts)| {
            let mut sums = vec![0; class_count + 1];
            classes.iter().filter(|class| **class != UNLISTED).for_each(|&class| sums[usize::from(class)] += ROW);
            sums[class_count] = counts.iter().sum();
            sums
        });
        let mut begins: Vec<u32> = sums.collect();
        begins.extend(vec![0; class_count + 1]);
        let mut before = vec![0; class_count + 1];
        for sums in begins.chunks_exact_mut(class_count + 1) {
            for (before, sum) in before.iter_mut().zip(sums) {
                *before += std::mem::replace(sum, *before);
            }
        }
        let mut end = 0;
        let table = |words: &u32| {
            end += words;
            end - words
        };
        let tables: Vec<u32> = before.iter().map(table).collect();
        for begins in begins.chunks_exact_mut(class_count + 1) {
            begins.iter_mut().zip(&tables).for_each(|(begin, table)| *begin += table);
        }
        let made = (0..incidence.width.buckets()).map(|_| OnceLock::new()).collect();
        Lists { incidence, counts, numbers, tables, begins, made }
    }

    fn class_count(&self) -> usize {
        self.tables.len() - 1
    }

    /// Where each bucket begins: in the table of each class, and in the lists.
    fn begins(&self, bucket: usize) -> &[u32] {
        &self.begins[bucket * self.tables.len()..][..self.tables.len()]
    }

    fn ends(&self) -> &[u32] {
        self.begins(self.incidence.width.buckets())
    }

    /// Words of all.
    pub fn len(&self) -> usize {
        self.ends()[self.class_count()] as usize
    }

    /// Where the table of each class begins, and how many rows it has.
    pub fn tables(&self) -> impl Iterator<Item = (u32, u32)> {
        let ends = &self.ends()[..self.class_count()];
        self.tables.iter().zip(ends).map(|(table, end)| (*table, (end - table) / ROW))
    }

    /// The tables and lists; `classes`: see [`new`](Self::new).
    pub fn words(&self, pieces: &Pieces, classes: &[u8]) -> Vec<u32> {
        let mut words = vec![0; self.len()];
        words.par_chunks_mut(SHARE).enumerate().for_each(|(share, words)| {
            let range = share * SHARE..share * SHARE + words.len();
            self.make(range, pieces, classes, &mut |place, made| {
                words[place..place + made.len()].copy_from_slice(made);
            });
        });
        words
    }

    /// Makes some of the words; calls `f(place among them, words)` until all were there.
    pub fn make(&self, words: Range<usize>, pieces: &Pieces, classes: &[u8], f: &mut dyn FnMut(usize, &[u32])) {
        let buckets = self.incidence.width.buckets();
        let begin = |bucket: usize, part: usize| self.begins(bucket)[part] as usize;
        for part in 0..self.tables.len() {
            let (mut low, mut high) = (0, buckets);
            // The first bucket that ends behind the first word.
            while low < high {
                let middle = low.midpoint(high);
                if begin(middle + 1, part) > words.start { high = middle } else { low = middle + 1 }
            }
            for bucket in (low..buckets).take_while(|&bucket| begin(bucket, part) < words.end) {
                let made = self.part(bucket, part, pieces, classes);
                let first = begin(bucket, part);
                let mine = words.start.max(first)..words.end.min(first + made.len());
                if !mine.is_empty() {
                    f(mine.start - words.start, &made[mine.start - first..mine.end - first]);
                }
            }
        }
    }

    /// What a bucket has of the table of a class, or of the lists, which follow the last class.
    fn part(&self, bucket: usize, part: usize, pieces: &Pieces, classes: &[u8]) -> Cow<'_, [u32]> {
        if part == self.class_count() {
            return match self.made[bucket].get() {
                Some(made) => Cow::Borrowed(made),
                None => Cow::Owned(self.lists_of(bucket, classes)),
            };
        }
        let first = self.begins(bucket)[self.class_count()];
        let rows = self.rows(bucket, part, pieces, classes);
        rows.flat_map(|(piece, list)| {
            [piece.start, u32::from(piece.held), first + list.start as u32, first + list.end as u32]
        })
        .collect()
    }

    /// The pieces of a bucket that are in a class, and where the list of each is among those of the bucket.
    fn rows<'l>(
        &'l self,
        bucket: usize,
        class: usize,
        pieces: &'l Pieces,
        classes: &'l [u8],
    ) -> impl Iterator<Item = (&'l Piece, Range<usize>)> {
        let keys = self.incidence.width.keys(bucket);
        let mut end = 0;
        let listed = pieces.all[keys.clone()].iter().zip(&classes[keys.clone()]).zip(&self.counts[keys]);
        listed.filter_map(move |((piece, of), &count)| {
            end += count as usize;
            (usize::from(*of) == class).then_some((piece, end - count as usize..end))
        })
    }

    /// Makes the lists of a bucket.
    fn lists_of(&self, bucket: usize, classes: &[u8]) -> Vec<u32> {
        let keys = self.incidence.width.keys(bucket);
        let (classes, counts) = (&classes[keys.clone()], &self.counts[keys]);
        let mut end = 0;
        let mut next: Vec<u32> = Vec::with_capacity(counts.len());
        for count in counts {
            next.push(end);
            end += count;
        }
        let mut lists = vec![0; end as usize];
        self.incidence.each(bucket, |touch, instance, piece| {
            let Numbers { bases, step } = &self.numbers[touch];
            lists[next[piece] as usize] = bases[usize::from(classes[piece])] + instance * step;
            next[piece] += 1;
        });
        let mut rest = &mut lists[..];
        for &count in counts {
            let (list, others) = rest.split_at_mut(count as usize);
            rest = others;
            if list.len() > LONG { list.par_sort_unstable() } else { list.sort_unstable() }
        }
        lists
    }

    /// Number of buckets.
    pub fn buckets(&self) -> usize {
        self.made.len()
    }

    /// The pieces of a bucket that are in a class, with their lists, which are kept to be written; `classes`: see [`new`](Self::new).
    pub fn listed<'l>(
        &'l self,
        bucket: usize,
        class: usize,
        pieces: &'l Pieces,
        classes: &'l [u8],
    ) -> impl Iterator<Item = (&'l Piece, &'l [u32])> {
        let lists = self.made[bucket].get_or_init(|| self.lists_of(bucket, classes));
        self.rows(bucket, class, pieces, classes).map(|(piece, list)| (piece, &lists[list]))
    }

    /// The list of the piece in a row of the table of a class; `classes`: see [`new`](Self::new).
    pub fn list(&self, row: usize, class: usize, classes: &[u8]) -> Vec<u32> {
        let (width, place) = (self.incidence.width, self.tables[class] + ROW * row as u32);
        let begins: Vec<u32> = (0..width.buckets()).map(|bucket| self.begins(bucket)[class]).collect();
        let bucket = begins.partition_point(|&begin| begin <= place) - 1;
        let before = ((place - begins[bucket]) / ROW) as usize;
        let mine = classes[width.keys(bucket)].iter().enumerate().filter(|(_, of)| usize::from(**of) == class);
        let piece = mine.map(|(piece, _)| piece).nth(before).expect("the row is in the bucket");
        let mut list = Vec::new();
        self.incidence.each(bucket, |touch, instance, other| {
            if other == piece {
                list.push(self.numbers[touch].bases[class] + instance * self.numbers[touch].step);
            }
        });
        list.sort_unstable();
        list
    }

    /// Makes tables and lists in a buffer of the device; `classes`: see [`new`](Self::new).
    pub fn write(&self, pieces: &Pieces, classes: &[u8], to: &GpuBuffer<u8>) -> Result<(), GpuError> {
        if 4 * self.len() > MOST_STAGED {
            return to.write(0, bytemuck::cast_slice(&self.words(pieces, classes)));
        }
        write_words(to, &|words, f| self.make(words, pieces, classes, f))
    }
}

/// Makes some words: `make(some of them, f)` calls `f(place among these, words)` until all were there.
type MakeWords<'m> = dyn Fn(Range<usize>, &mut dyn FnMut(usize, &[u32])) + Sync + 'm;

/// Fills a buffer with words, on all threads: `make(some of them, f)` calls `f(place among these, words)` until all were there.
pub fn write_words(to: &GpuBuffer<u8>, make: &MakeWords<'_>) -> Result<(), GpuError> {
    // In a browser memory of the device cannot be written to.
    if cfg!(target_arch = "wasm32") {
        let mut all = vec![0; to.len() / 4];
        make(0..all.len(), &mut |place, made| all[place..place + made.len()].copy_from_slice(made));
        return to.write(0, bytemuck::cast_slice(&all));
    }
    to.fill(|first, mut to| {
        make(first / 4..(first + to.len()) / 4, &mut |place, made| {
            to.slice(4 * place..4 * (place + made.len())).copy_from_slice(bytemuck::cast_slice(made));
        });
    })
}

#[cfg(test)]
mod tests {
    use super::super::incidence::Touch;
    use super::*;
    use crate::problem::Problem;

    #[test]
    fn lists_tell_who_touches_a_piece_in_the_order_of_instances() {
        let (blocks, size) = (1500, 2);
        let mut problem = Problem::new();
        let ids = problem.add_parameter_blocks(size, &vec![0.0; blocks * size]).unwrap();
        (0..blocks).filter(|block| block % 7 == 0).for_each(|block| problem.fix(ids[block]).unwrap());
        let order: Vec<u32> = (0..blocks as u32).rev().collect();
        let pieces = Pieces::new(problem.parameters(), &order);
        let mut state = 1u32;
        let mut start = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Some blocks are touched more often, others never.
            (state >> 8) % (blocks as u32 / 2) * ((state >> 5) % 3).min(1) * size as u32
        };
        let columns = [70_000, 0, 3, 80_000].map(|count| (0..count).map(|_| start()).collect::<Vec<u32>>());
        let touches: Vec<Touch<'_>> = columns.iter().map(|column| Touch { column, piece: 0 }).collect();
        let incidence = Incidence::new(&pieces, &touches);
        let mut expected = vec![Vec::new(); pieces.len()];
        let numbers = [(0, 1), (0, 1), (200_000, 3), (70_000, 1)];
        for ((column, (base, step)), instance) in columns
            .iter()
            .zip(numbers)
            .flat_map(|(column, number)| (0..column.len()).map(move |k| ((column, number), k)))
        {
            if let Some(piece) = pieces.first(column[instance]) {
                expected[piece].push(base + instance as u32 * step);
            }
        }
        let counts = incidence.counts();
        assert!(counts.iter().zip(&expected).all(|(&count, list)| count as usize == list.len()));
        // Entries of the second class are others.
        let classes: Vec<u8> = expected
            .iter()
            .enumerate()
            .map(|(k, list)| if list.is_empty() { UNLISTED } else { (k % 2) as u8 })
            .collect();
        let numbers = numbers.map(|(base, step)| Numbers { bases: vec![base, base + 1_000_000], step });
        let lists = Lists::new(incidence, counts, (&classes, 2), numbers.into());
        let words = lists.words(&pieces, &classes);
        assert_eq!(words.len(), lists.len());
        for (class, (table, rows)) in lists.tables().enumerate() {
            let mine = (0..pieces.len()).filter(|&piece| usize::from(classes[piece]) == class);
            assert_eq!(mine.clone().count(), rows as usize);
            for (row, piece) in mine.enumerate() {
                let mut list: Vec<u32> = expected[piece].iter().map(|entry| entry + 1_000_000 * class as u32).collect();
                list.sort_unstable();
                let place = table as usize + ROW as usize * row;
                let [start, held, first, end] = [0, 1, 2, 3].map(|k| words[place + k]);
                assert_eq!((start, held), (pieces.all[piece].start, 0));
                assert_eq!(words[first as usize..end as usize], list);
                if row % 50 == 0 {
                    assert_eq!(lists.list(row, class, &classes), list);
                }
            }
        }
    }
}
