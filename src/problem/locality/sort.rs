//! Sorting by numbers that are dense.

use super::STRETCH;
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Threads from which sorting in buckets, which all take part in, is faster than counting, which one does.
const MANY_THREADS: usize = 6;
/// Buckets, about.
const BUCKETS: u32 = 1 << 10;

/// Sorts instances by rank; those of one rank keep their order. Ranks are less than `ranks`.
pub(super) fn sort_by_rank(instances: Vec<u32>, rank: &[u32], ranks: usize) -> Vec<u32> {
    match rayon::current_num_threads() >= MANY_THREADS && instances.len() > STRETCH {
        true => in_buckets(&instances, rank, ranks),
        false => by_counting(&instances, rank, ranks),
    }
}

fn by_counting(instances: &[u32], rank: &[u32], ranks: usize) -> Vec<u32> {
    let mut next = vec![0u32; ranks + 1];
    instances.iter().for_each(|&instance| next[rank[instance as usize] as usize + 1] += 1);
    for rank in 0..ranks {
        next[rank + 1] += next[rank];
    }
    let mut order = vec![0; instances.len()];
    for &instance in instances {
        let slot = &mut next[rank[instance as usize] as usize];
        order[*slot as usize] = instance;
        *slot += 1;
    }
    order
}

/// Deals ranks and positions out to buckets by their first bits, and sorts each bucket.
fn in_buckets(instances: &[u32], rank: &[u32], ranks: usize) -> Vec<u32> {
    const CHUNK: usize = 4 * STRETCH;
    let shift = (ranks as u32 / BUCKETS + 1).next_power_of_two().trailing_zeros();
    let buckets = (ranks >> shift) + 1;
    let bucket_of = |instance: u32| (rank[instance as usize] >> shift) as usize;
    let mut starts: Vec<Vec<u32>> = instances
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut counts = vec![0; buckets];
            chunk.iter().for_each(|&instance| counts[bucket_of(instance)] += 1);
            counts
        })
        .collect();
    // Bucket by bucket, and in a bucket chunk by chunk.
    let mut end = 0;
    let mut ends = Vec::with_capacity(buckets);
    for bucket in 0..buckets {
        for counts in &mut starts {
            end += std::mem::replace(&mut counts[bucket], end);
        }
        ends.push(end);
    }
    let dealt: Vec<AtomicU64> =
        (0..instances.len()).into_par_iter().with_min_len(STRETCH).map(|_| AtomicU64::new(0)).collect();
    instances.par_chunks(CHUNK).enumerate().zip(starts).for_each(|((chunk, instances), mut next)| {
        for (position, &instance) in (chunk * CHUNK..).zip(instances) {
            let place = &mut next[bucket_of(instance)];
            let key = u64::from(rank[instance as usize]) << 32 | position as u64;
            dealt[*place as usize].store(key, Relaxed);
            *place += 1;
        }
    });
    let mut dealt: Vec<u64> = dealt.into_iter().map(AtomicU64::into_inner).collect();
    let (mut rest, mut tasks, mut begin) = (&mut dealt[..], Vec::with_capacity(buckets), 0);
    for end in ends {
        let (mine, others) = rest.split_at_mut((end - begin) as usize);
        (rest, begin) = (others, end);
        tasks.push(mine);
    }
    tasks.into_par_iter().for_each(<[u64]>::sort_unstable);
    dealt.par_iter().with_min_len(STRETCH).map(|&key| instances[key as u32 as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_keep_the_order_of_equal_ranks() {
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 8
        };
        for ranks in [1, 1000, 5000, 300_000] {
            let rank: Vec<u32> = (0..100_000).map(|_| next() % ranks as u32).collect();
            let instances: Vec<u32> = (0..100_000).rev().collect();
            let mut expected = instances.clone();
            expected.sort_by_key(|&instance| rank[instance as usize]);
            assert_eq!(by_counting(&instances, &rank, ranks), expected);
            assert_eq!(in_buckets(&instances, &rank, ranks), expected);
        }
    }
}
