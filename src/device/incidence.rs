//! What touches each piece of a parameter block.

use super::pieces::Pieces;
use crate::backend::buckets::{self, Buckets, Deal, SHARE_BITS, Width};
use rayon::prelude::*;

/// Buckets that a thread takes at a time.
pub const STRETCH: usize = 1 << 3;

/// How the instances of a group touch a piece of their blocks in one slot.
pub struct Touch<'a> {
    /// Where the block of each instance starts on the device.
    pub column: &'a [u32],
    /// Position of the piece in its block.
    pub piece: u32,
}

/// What touches each piece, in buckets of pieces: the piece's place in its bucket, and below it, in [`SHARE_BITS`], which of its share an instance is.
/// Instances are numbered through all touches.
pub struct Incidence {
    buckets: Buckets<u32>,
    /// How many pieces go to a bucket.
    pub width: Width,
    pieces: usize,
    /// The number after the last instance of each touch.
    ends: Vec<usize>,
    /// Instances of a share.
    share: usize,
}

impl Incidence {
    pub fn new(pieces: &Pieces, touches: &[Touch<'_>]) -> Self {
        let mut end = 0;
        let ends = touches.iter().map(|touch| {
            end += touch.column.len();
            end
        });
        let (ends, width) = (ends.collect::<Vec<usize>>(), Width::of(pieces.len()));
        let share = buckets::share(end);
        let buckets = Buckets::new(&Touches { touches, ends: &ends, share, pieces, width }, width.buckets());
        Incidence { buckets, width, pieces: pieces.len(), ends, share }
    }

    /// Pieces of every bucket but the last, which may have fewer.
    pub fn stretch(&self) -> usize {
        self.width.keys(0).len().max(1)
    }

    /// Entries of the list of each piece.
    pub fn counts(&self) -> Vec<u32> {
        let mut counts = vec![0; self.pieces];
        let stretches = counts.par_chunks_mut(self.stretch()).enumerate().with_min_len(STRETCH);
        stretches.for_each(|(bucket, counts)| {
            let entries = self.buckets.of(bucket).flatten();
            entries.for_each(|entry| counts[(entry >> SHARE_BITS) as usize] += 1);
        });
        counts
    }

    /// Calls `f(touch, instance, place of the piece in the bucket)` for the entries of a bucket.
    pub fn each(&self, bucket: usize, mut f: impl FnMut(usize, u32, usize)) {
        for (share, mut entries) in self.buckets.of(bucket).enumerate() {
            let first = share * self.share;
            let item = |entry: &u32| first + (entry & ((1 << SHARE_BITS) - 1)) as usize;
            // They come in the order of touches.
            while let Some(entry) = entries.first() {
                let touch = self.ends.partition_point(|&end| end <= item(entry));
                let begin = touch.checked_sub(1).map_or(0, |before| self.ends[before]);
                let (mine, others) = entries.split_at(entries.partition_point(|entry| item(entry) < self.ends[touch]));
                for entry in mine {
                    f(touch, (item(entry) - begin) as u32, (entry >> SHARE_BITS) as usize);
                }
                entries = others;
            }
        }
    }
}

/// Instances as they are dealt out to the pieces that they touch.
struct Touches<'a> {
    touches: &'a [Touch<'a>],
    ends: &'a [usize],
    share: usize,
    pieces: &'a Pieces,
    width: Width,
}

impl Deal for Touches<'_> {
    type Entry = u32;

    fn shares(&self) -> usize {
        self.ends.last().map_or(0, |end| end.div_ceil(self.share))
    }

    fn each(&self, share: usize, mut f: impl FnMut(usize, u32)) {
        let (first, end) = (share * self.share, (share + 1) * self.share);
        let mut touch = self.ends.partition_point(|&end| end <= first);
        let mut item = first;
        while let Some(Touch { column, piece }) = self.touches.get(touch).filter(|_| item < end) {
            let begin = self.ends[touch] - column.len();
            let mine = &column[item - begin..(end - begin).min(column.len())];
            for (k, &start) in (item - first..).zip(mine) {
                if let Some(first) = self.pieces.first(start) {
                    let piece = first as u32 + piece;
                    f(self.width.bucket(piece), self.width.place(piece) << SHARE_BITS | k as u32);
                }
            }
            item += mine.len();
            touch += 1;
        }
    }
}
