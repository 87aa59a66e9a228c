//! Sorting by numbers that are dense, such as those of blocks, on all threads.
//!
//! What is to be sorted comes in shares, each of which one thread puts in the order of its buckets, within memory that its cache holds. Whoever
//! works on a bucket then goes through the shares in their order. So nothing is written by several threads, and what
//! comes out is the same on any number of them.

use rayon::prelude::*;
use std::ops::Range;

/// Keys of a bucket, in bits, unless there would be too many or too few buckets: as many counters as stay in the first-level cache.
const BITS: u32 = 9;
/// Least and most bits of a bucket.
const FEWEST_BITS: u32 = 5;
const MOST_BITS: u32 = u32::BITS - SHARE_BITS;
/// Most buckets: each share counts how many go to each of them.
const MOST_BUCKETS: usize = 1 << 13;
/// Buckets that occupy all threads, and shares likewise.
const ENOUGH: usize = 1 << 6;
/// Bits that tell which item of its share something is.
pub(crate) const SHARE_BITS: u32 = 16;
/// Items of a share: what it has of all buckets stays in a cache, and there are shares enough for all threads unless they would be tiny.
const SHARE: Range<usize> = 1 << 10..1 << SHARE_BITS;

/// How many keys go to a bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Width {
    bits: u32,
    keys: usize,
}

impl Width {
    /// For keys below `keys`.
    pub fn of(keys: usize) -> Self {
        let least = keys.div_ceil(MOST_BUCKETS).next_power_of_two().trailing_zeros();
        let enough = (keys / ENOUGH).checked_ilog2().unwrap_or(0);
        Width { bits: least.clamp(enough.clamp(FEWEST_BITS, BITS), MOST_BITS), keys }
    }

    /// Number of buckets.
    pub fn buckets(self) -> usize {
        self.keys.div_ceil(1 << self.bits)
    }

    /// The bucket of a key.
    pub fn bucket(self, key: u32) -> usize {
        (key >> self.bits) as usize
    }

    /// The place of a key among those of its bucket.
    pub fn place(self, key: u32) -> u32 {
        key & ((1 << self.bits) - 1)
    }

    /// The keys of a bucket.
    pub fn keys(self, bucket: usize) -> Range<usize> {
        bucket << self.bits..((bucket + 1) << self.bits).min(self.keys)
    }
}

/// What is dealt out to buckets.
pub(crate) trait Deal: Sync {
    type Entry: Copy + Default + Send + Sync;

    /// Parts of it.
    fn shares(&self) -> usize;

    /// Calls `f(bucket, entry)` for all that is in a share, the same at each call.
    fn each(&self, share: usize, f: impl FnMut(usize, Self::Entry));
}

/// Entries by bucket, share by share.
pub(crate) struct Buckets<T> {
    shares: Vec<Share<T>>,
}

struct Share<T> {
    entries: Vec<T>,
    /// Where the entries of each bucket end.
    ends: Vec<u32>,
}

impl<T: Copy + Default + Send + Sync> Buckets<T> {
    /// Deals out, to so many buckets.
    pub fn new(source: &impl Deal<Entry = T>, buckets: usize) -> Self {
        let share = |share: usize| {
            let mut next = vec![0u32; buckets];
            source.each(share, |bucket, _| next[bucket] += 1);
            let mut end = 0;
            for next in &mut next {
                end += std::mem::replace(next, end);
            }
            let mut entries = vec![T::default(); end as usize];
            source.each(share, |bucket, entry| {
                entries[next[bucket] as usize] = entry;
                next[bucket] += 1;
            });
            Share { entries, ends: next }
        };
        Buckets { shares: (0..source.shares()).into_par_iter().map(share).collect() }
    }

    /// The entries of a bucket, share by share.
    pub fn of(&self, bucket: usize) -> impl Iterator<Item = &[T]> + Clone {
        self.shares.iter().map(move |Share { entries, ends }| {
            let start = bucket.checked_sub(1).map_or(0, |before| ends[before]);
            &entries[start as usize..ends[bucket] as usize]
        })
    }

    /// Number of entries of a bucket.
    pub fn len(&self, bucket: usize) -> usize {
        self.of(bucket).map(<[T]>::len).sum()
    }
}

/// Values by key.
#[derive(Debug)]
pub(crate) struct Lists {
    /// Where the list of each key ends, and 0 before.
    pub ends: Vec<u32>,
    /// One list after the other.
    pub all: Vec<u32>,
}

/// Pairs of a key and a value.
pub(crate) trait Pairs: Sync {
    /// How many there are, in groups.
    fn lengths(&self) -> Vec<usize>;

    /// Calls `f` with the keys of some pairs of a group.
    fn keys(&self, group: usize, pairs: Range<usize>, f: impl FnMut(u32));

    /// The value of a pair, which is asked for in their order within a share.
    fn value(&self, group: usize, pair: usize) -> u32;
}

impl Lists {
    /// The values of each of so many keys, in the order in which they come.
    pub fn new(pairs: &impl Pairs, keys: usize) -> Self {
        let width = Width::of(keys);
        let dealt = Dealt { shares: shares(&pairs.lengths()), pairs, width };
        let shares = &dealt.shares;
        let buckets = Buckets::new(&dealt, width.buckets());
        let lengths: Vec<usize> =
            (0..width.buckets()).into_par_iter().with_min_len(1 << 6).map(|bucket| buckets.len(bucket)).collect();
        let (mut ends, mut all) = (vec![0; keys + 1], vec![0; lengths.iter().sum()]);
        let (mut rest_ends, mut rest, mut first) = (&mut ends[1..], &mut all[..], 0);
        let mut tasks = Vec::with_capacity(lengths.len());
        for (bucket, length) in lengths.into_iter().enumerate() {
            let (my_ends, other_ends) = rest_ends.split_at_mut(width.keys(bucket).len());
            let (mine, others) = rest.split_at_mut(length);
            tasks.push((bucket, first, my_ends, mine));
            (rest_ends, rest, first) = (other_ends, others, first + length as u32);
        }
        tasks.into_par_iter().for_each(|(bucket, first, ends, all)| {
            let key = |entry: u32| (entry >> SHARE_BITS) as usize;
            buckets.of(bucket).flatten().for_each(|&entry| ends[key(entry)] += 1);
            let mut end = 0;
            for next in &mut *ends {
                end += std::mem::replace(next, end);
            }
            for ((group, items), entries) in shares.iter().zip(buckets.of(bucket)) {
                for &entry in entries {
                    let next = &mut ends[key(entry)];
                    let item = entry & ((1 << SHARE_BITS) - 1);
                    all[*next as usize] = pairs.value(*group, items.start + item as usize);
                    *next += 1;
                }
            }
            ends.iter_mut().for_each(|end| *end += first);
        });
        Lists { ends, all }
    }

    /// Number of keys.
    pub fn keys(&self) -> usize {
        self.ends.len() - 1
    }

    /// The list of a key.
    pub fn of(&self, key: u32) -> &[u32] {
        &self.all[self.ends[key as usize] as usize..self.ends[key as usize + 1] as usize]
    }
}

/// Items of a share of so many: no more than [`SHARE_BITS`] tell apart.
pub(crate) fn share(items: usize) -> usize {
    (items / ENOUGH).clamp(SHARE.start, SHARE.end)
}

/// Items of several groups, cut into shares: the group of each, and which of it.
fn shares(lengths: &[usize]) -> Vec<(usize, Range<usize>)> {
    let share = share(lengths.iter().sum());
    let stretches = |(group, &length): (usize, &usize)| {
        (0..length).step_by(share).map(move |first| (group, first..(first + share).min(length)))
    };
    lengths.iter().enumerate().flat_map(stretches).collect()
}

/// Pairs as they are dealt out: the place of the key in its bucket, and in the lower bits which pair of its share it is.
struct Dealt<'p, P> {
    pairs: &'p P,
    shares: Vec<(usize, Range<usize>)>,
    width: Width,
}

impl<P: Pairs> Deal for Dealt<'_, P> {
    type Entry = u32;

    fn shares(&self) -> usize {
        self.shares.len()
    }

    fn each(&self, share: usize, mut f: impl FnMut(usize, u32)) {
        let (group, pairs) = self.shares[share].clone();
        let (width, mut pair) = (self.width, 0);
        self.pairs.keys(group, pairs, |key| {
            f(width.bucket(key), width.place(key) << SHARE_BITS | pair);
            pair += 1;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Items whose values are their numbers.
    struct Numbered<'a>(&'a [Vec<u32>]);

    impl Pairs for Numbered<'_> {
        fn lengths(&self) -> Vec<usize> {
            self.0.iter().map(Vec::len).collect()
        }

        fn keys(&self, group: usize, items: Range<usize>, f: impl FnMut(u32)) {
            self.0[group][items].iter().copied().for_each(f);
        }

        fn value(&self, group: usize, item: usize) -> u32 {
            let first: usize = self.0[..group].iter().map(Vec::len).sum();
            (first + item) as u32
        }
    }

    #[test]
    fn lists_are_in_the_order_of_items_on_any_number_of_threads() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for keys in [1, 511, 512, 513, 5000, 9_000_000] {
            // Half of all in one list, as with a hub.
            let mut key = |item: usize| if item.is_multiple_of(2) { 0 } else { next() % keys as u32 };
            let groups = [150_000, 0, 3].map(|count| (0..count).map(&mut key).collect::<Vec<u32>>());
            let mut expected: Vec<u32> = (0..150_003).collect();
            let of = groups.concat();
            expected.sort_by_key(|&item| of[item as usize]);
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let lists = pool.install(|| Lists::new(&Numbered(&groups), keys));
                assert_eq!(lists.all, expected);
                assert_eq!((lists.keys(), lists.ends[keys]), (keys, 150_003));
                for key in [0, keys as u32 / 2, keys as u32 - 1] {
                    let mine = expected.iter().copied().filter(|&item| of[item as usize] == key);
                    assert!(lists.of(key).iter().copied().eq(mine));
                }
            }
        }
        assert!(Lists::new(&Numbered(&[]), 0).all.is_empty());
    }
}
