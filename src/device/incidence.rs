//! Incidence lists: for each piece of a parameter block, what touches it, in a fixed order.
//!
//! Threads put entries where there is room, by counters that they share; sorting each list then makes it the same whatever they did.

use super::pieces::Pieces;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Instances, or pieces, that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// Entries that a thread takes at a time.
const SHARE: usize = 1 << 15;

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

/// Calls `f(touch, first instance, instances, piece)` for every run of instances with the same block. A run that many instances make is
/// one turn for a counter, not one an instance.
///
/// Threads share the work. Each has the same share of all columns: as instances stand in the order of their blocks, these
/// touch about the same pieces, whose numbers then stay with the thread.
fn for_each_run(touches: &[&Touch<'_>], pieces: &Pieces, f: impl Fn(usize, usize, usize, usize) + Sync) {
    let entries: usize = touches.iter().map(|touch| touch.column.len()).sum();
    let shares = entries.div_ceil(SHARE).max(1);
    let bound = |length: usize, share: usize| (length as u64 * share as u64 / shares as u64) as usize;
    (0..shares).into_par_iter().for_each(|share| {
        for (number, touch) in touches.iter().enumerate() {
            let length = touch.column.len();
            let mut begin = bound(length, share);
            for run in touch.column[begin..bound(length, share + 1)].chunk_by(|a, b| a == b) {
                if let Some(first) = pieces.first(run[0]) {
                    f(number, begin, run.len(), first + touch.piece as usize);
                }
                begin += run.len();
            }
        }
    });
}

/// Entries of the list of each piece.
pub fn counts<'a>(pieces: &Pieces, touches: impl Iterator<Item = Touch<'a>>) -> Vec<u32> {
    let counts = zeros(pieces.len());
    let touches: Vec<Touch<'_>> = touches.collect();
    for_each_run(&touches.iter().collect::<Vec<_>>(), pieces, |_, _, run, piece| {
        counts[piece].fetch_add(run as u32, Relaxed);
    });
    numbers(counts)
}

fn zeros(count: usize) -> Vec<AtomicU32> {
    // By all threads: who touches a page first waits for it.
    (0..count).into_par_iter().with_min_len(STRETCH).map(|_| AtomicU32::new(0)).collect()
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
    let touches: Vec<&Touch<'_>> = entries.iter().map(|entries| &entries.touch).collect();
    for_each_run(&touches, pieces, |touch, begin, run, piece| {
        let Entries { bases, step, .. } = &entries[touch];
        let to = next[piece].fetch_add(run as u32, Relaxed) as usize;
        let first = bases[usize::from(classes[piece])] + begin as u32 * step;
        for (k, word) in (0..run as u32).zip(&words[to..]) {
            word.store(first + k * step, Relaxed);
        }
    });
    let mut sorted = vec![0; words.len()];
    let (rows, lists) = sorted.split_at_mut(first_list as usize);
    let (row_words, list_words) = words.split_at(first_list as usize);
    rayon::join(|| take(row_words, rows), || sort(list_words, lists, counts));
    (sorted, tables)
}

/// Copies what threads wrote.
fn take(words: &[AtomicU32], to: &mut [u32]) {
    to.iter_mut().zip(words).for_each(|(to, word)| *to = word.load(Relaxed));
}

/// Copies lists, which follow each other, and sorts each.
fn sort(mut words: &[AtomicU32], mut lists: &mut [u32], counts: &[u32]) {
    let mut tasks = Vec::with_capacity(counts.len() / STRETCH + 1);
    for counts in counts.chunks(STRETCH) {
        let length: usize = counts.iter().map(|&count| count as usize).sum();
        let (mine, rest) = std::mem::take(&mut lists).split_at_mut(length);
        let (my_words, other_words) = words.split_at(length);
        (lists, words) = (rest, other_words);
        tasks.push((my_words, mine, counts));
    }
    tasks.into_par_iter().for_each(|(words, mut lists, counts)| {
        take(words, lists);
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
