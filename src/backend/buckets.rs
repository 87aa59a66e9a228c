//! Sorting by numbers that are dense, such as those of blocks, on all threads.
//!
//! What is to be sorted comes in shares, each of which one thread puts in the order of its buckets, within memory that its cache holds. Whoever
//! works on a bucket then goes through the shares in their order. So nothing is written by several threads, and what
//! comes out is the same on any number of them.

use rayon::prelude::*;
use std::ops::Range;

/// Keys of a bucket, in bits, unless there would be too many buckets: as many counters as stay in the first-level cache.
const BITS: u32 = 9;
/// Most buckets: each share counts how many go to each of them.
const MOST_BUCKETS: usize = 1 << 13;
/// Items of a share, about.
const SHARE: usize = 1 << 16;
/// Lists that a thread takes at a time.
const STRETCH: usize = 1 << 12;

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
        Width { bits: least.max(BITS), keys }
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
    /// Items, as many as the lengths say, in groups; each has some pairs.
    fn lengths(&self) -> Vec<usize>;

    /// Calls `f(key, value)` for the pairs of some items of a group.
    fn each(&self, group: usize, items: Range<usize>, f: impl FnMut(u32, u32));
}

impl Lists {
    /// The values of each of so many keys, in the order in which they come.
    pub fn new(pairs: &impl Pairs, keys: usize) -> Self {
        let width = Width::of(keys);
        let dealt = Dealt { shares: shares(&pairs.lengths()), pairs, width };
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
            let pairs = || buckets.of(bucket).flatten().map(|&pair| ((pair >> 32) as usize, pair as u32));
            pairs().for_each(|(key, _)| ends[key] += 1);
            let mut end = 0;
            for next in &mut *ends {
                end += std::mem::replace(next, end);
            }
            for (key, value) in pairs() {
                all[ends[key] as usize] = value;
                ends[key] += 1;
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

    /// How long each list is.
    pub fn lengths(&self) -> Vec<u32> {
        let ends = self.ends.par_iter().zip(&self.ends[1..]).with_min_len(STRETCH);
        ends.map(|(start, end)| end - start).collect()
    }

    /// Sorts each list.
    pub fn sort_each(&mut self) {
        let mut rest = &mut self.all[..];
        let mut tasks = Vec::with_capacity(self.ends.len() / STRETCH + 1);
        for first in (0..self.ends.len() - 1).step_by(STRETCH) {
            let ends = &self.ends[first..(first + STRETCH + 1).min(self.ends.len())];
            let (mine, others) = rest.split_at_mut((ends[ends.len() - 1] - ends[0]) as usize);
            rest = others;
            tasks.push((mine, ends));
        }
        tasks.into_par_iter().for_each(|(lists, ends)| {
            for list in ends.windows(2) {
                lists[(list[0] - ends[0]) as usize..(list[1] - ends[0]) as usize].sort_unstable();
            }
        });
    }
}

/// Items of several groups, cut into shares: the group of each, and which of it.
fn shares(lengths: &[usize]) -> Vec<(usize, Range<usize>)> {
    let stretches = |(group, &length): (usize, &usize)| {
        (0..length).step_by(SHARE).map(move |first| (group, first..(first + SHARE).min(length)))
    };
    lengths.iter().enumerate().flat_map(stretches).collect()
}

/// Pairs as they are dealt out: the place of the key in its bucket, and the value in the lower half.
struct Dealt<'p, P> {
    pairs: &'p P,
    shares: Vec<(usize, Range<usize>)>,
    width: Width,
}

impl<P: Pairs> Deal for Dealt<'_, P> {
    type Entry = u64;

    fn shares(&self) -> usize {
        self.shares.len()
    }

    fn each(&self, share: usize, mut f: impl FnMut(usize, u64)) {
        let (group, items) = self.shares[share].clone();
        let width = self.width;
        self.pairs.each(group, items, |key, value| {
            f(width.bucket(key), u64::from(width.place(key)) << 32 | u64::from(value));
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

        fn each(&self, group: usize, items: Range<usize>, mut f: impl FnMut(u32, u32)) {
            let first: usize = self.0[..group].iter().map(Vec::len).sum();
            items.for_each(|item| f(self.0[group][item], (first + item) as u32));
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
                assert_eq!((lists.keys(), lists.lengths().len(), lists.ends[keys]), (keys, keys, 150_003));
                for key in [0, keys as u32 / 2, keys as u32 - 1] {
                    let mine = expected.iter().copied().filter(|&item| of[item as usize] == key);
                    assert!(lists.of(key).iter().copied().eq(mine));
                }
            }
        }
        assert!(Lists::new(&Numbered(&[]), 0).all.is_empty());
    }
}
