//! Incidence lists: for each piece of a parameter block, what touches it, in a fixed order.
//!
//! Threads put entries where there is room, by counters that they share; sorting each list then makes it the same whatever they did.

use super::pieces::Pieces;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Instances, or pieces, that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// A list longer than this is sorted by several threads.
const LONG: usize = 1 << 16;

/// Words of a row of a table: start, held components as bits, first and end of the list.
pub const ROW: u32 = 4;

/// How the instances of a group touch a piece of their blocks in one slot.
pub struct Touch<'a> {
    /// Where the block of each instance starts on the device.
    pub column: &'a [u32],
    /// Position of the piece in its block.
    pub piece: u32,
}

impl Touch<'_> {
    /// Calls `f(first instance, instances, piece)` for every run of instances with the same block. Threads share the work, and a
    /// run that many instances make is one turn for a counter, not one an instance.
    fn for_each_run(&self, pieces: &Pieces, f: impl Fn(usize, usize, usize) + Sync) {
        self.column.par_chunks(STRETCH).enumerate().for_each(|(stretch, column)| {
            let mut begin = stretch * STRETCH;
            for run in column.chunk_by(|a, b| a == b) {
                if let Some(first) = pieces.first(run[0]) {
                    f(begin, run.len(), first + self.piece as usize);
                }
                begin += run.len();
            }
        });
    }
}

/// Entries of the list of each piece.
pub fn counts<'a>(pieces: &Pieces, touches: impl Iterator<Item = Touch<'a>>) -> Vec<u32> {
    let counts = zeros(pieces.len());
    for touch in touches {
        touch.for_each_run(pieces, |_, run, piece| {
            counts[piece].fetch_add(run as u32, Relaxed);
        });
    }
    numbers(counts)
}

fn zeros(count: usize) -> Vec<AtomicU32> {
    vec![0u32; count].into_iter().map(AtomicU32::new).collect()
}

fn numbers(atomics: Vec<AtomicU32>) -> Vec<u32> {
    atomics.into_iter().map(AtomicU32::into_inner).collect()
}

/// Pieces in no class have no row.
pub const UNLISTED: u8 = u8::MAX;

/// Pieces by class, with the lengths of their lists.
pub struct Listed<'a> {
    pub pieces: &'a Pieces,
    /// The class of each piece, or [`UNLISTED`].
    pub classes: &'a [u8],
    /// Entries of the list of each piece.
    pub counts: &'a [u32],
}

/// What a touch means to lists.
pub struct Entries<'a> {
    pub touch: Touch<'a>,
    /// The entry of instance 0, for each class of pieces.
    pub bases: Vec<u32>,
    /// What the entries of an instance and the next differ by.
    pub step: u32,
}

/// Where a stretch of pieces begins: rows of each class, and entries of lists.
struct Stretch {
    rows: Vec<u32>,
    entries: u32,
}

/// What comes before each stretch of pieces, and then before the end.
fn stretches(listed: &Listed<'_>, class_count: usize) -> Vec<Stretch> {
    let stretches = listed.classes.par_chunks(STRETCH).zip(listed.counts.par_chunks(STRETCH));
    let mut sums: Vec<Stretch> = stretches
        .map(|(classes, counts)| {
            let mut rows = vec![0; class_count];
            classes.iter().filter(|class| **class != UNLISTED).for_each(|&class| rows[usize::from(class)] += 1);
            Stretch { rows, entries: counts.iter().sum() }
        })
        .collect();
    sums.push(Stretch { rows: vec![0; class_count], entries: 0 });
    let mut before = Stretch { rows: vec![0; class_count], entries: 0 };
    for sum in &mut sums {
        let next = Stretch {
            rows: before.rows.iter().zip(&sum.rows).map(|(a, b)| a + b).collect(),
            entries: before.entries + sum.entries,
        };
        *sum = std::mem::replace(&mut before, next);
    }
    sums
}

/// A table of rows for each class, and then all lists; where the table of each class begins.
pub fn tables(listed: &Listed<'_>, class_count: usize, entries: &[Entries<'_>]) -> (Vec<u32>, Vec<u32>) {
    let &Listed { pieces, classes, counts } = listed;
    let stretches = stretches(listed, class_count);
    let total = &stretches[stretches.len() - 1];
    let mut first_list = 0;
    let mut tables = Vec::with_capacity(class_count);
    for rows in &total.rows {
        tables.push(first_list);
        first_list += ROW * rows;
    }
    let words = zeros((first_list + total.entries) as usize);
    // Where the next entry of each list goes.
    let next = zeros(pieces.len());
    stretches.par_iter().zip(pieces.all.par_chunks(STRETCH)).enumerate().for_each(|(stretch, (before, pieces))| {
        let mut row: Vec<u32> = tables.iter().zip(&before.rows).map(|(table, rows)| table + ROW * rows).collect();
        let mut end = first_list + before.entries;
        for (k, piece) in (stretch * STRETCH..).zip(pieces).filter(|(k, _)| classes[*k] != UNLISTED) {
            let place = &mut row[usize::from(classes[k])];
            let numbers = [piece.start, u32::from(piece.held), end, end + counts[k]];
            words[*place as usize..].iter().zip(numbers).for_each(|(word, number)| word.store(number, Relaxed));
            next[k].store(end, Relaxed);
            *place += ROW;
            end += counts[k];
        }
    });
    for Entries { touch, bases, step } in entries {
        touch.for_each_run(pieces, |begin, run, piece| {
            let to = next[piece].fetch_add(run as u32, Relaxed) as usize;
            let first = bases[usize::from(classes[piece])] + begin as u32 * step;
            for (k, word) in (0..run as u32).zip(&words[to..]) {
                word.store(first + k * step, Relaxed);
            }
        });
    }
    let mut words = numbers(words);
    sort(&mut words[first_list as usize..], counts);
    (words, tables)
}

/// Sorts each of the lists, which follow each other.
fn sort(mut lists: &mut [u32], counts: &[u32]) {
    let mut tasks = Vec::with_capacity(counts.len() / STRETCH + 1);
    for counts in counts.chunks(STRETCH) {
        let length: usize = counts.iter().map(|&count| count as usize).sum();
        let (mine, rest) = lists.split_at_mut(length);
        lists = rest;
        tasks.push((mine, counts));
    }
    tasks.into_par_iter().for_each(|(mut lists, counts)| {
        for &count in counts {
            let (list, rest) = lists.split_at_mut(count as usize);
            lists = rest;
            if list.is_sorted() {
                continue;
            }
            if list.len() > LONG { list.par_sort_unstable() } else { list.sort_unstable() }
        }
    });
}
