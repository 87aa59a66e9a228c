//! Where everything of a problem stands on a device.
//!
//! Parameters are laid out in the order of [`CompiledProblem::block_order`](crate::problem::CompiledProblem::block_order), so that what
//! is used together lies together; instances in shards, one where everything fits.

use super::shard::{GroupShape, Shard, Sums, cut};
use crate::backend::Group;
use crate::backend::gpu::GpuError;
use crate::kernel::wgsl::{Format, WORKGROUP};
use crate::problem::Parameters;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

/// Parameter blocks that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// Most workgroups over the instances of groups: each of them adds up the partial sums of the iteration before.
const MOST_GROUP_WORKGROUPS: usize = 4096;

/// Where parameters and instances stand.
#[derive(Clone)]
pub struct Layout {
    /// Place on the device of every parameter.
    pub places: Arc<Vec<u32>>,
    /// What an instance takes, one a group.
    pub shapes: Vec<GroupShape>,
    pub shards: Vec<Shard>,
}

impl Layout {
    /// Lays out `groups` in buffers of at most `limit` bytes, for sums over so many `pieces` of parameter blocks.
    pub fn new(
        groups: &[Group],
        places: Arc<Vec<u32>>,
        (sums, pieces): (Sums, usize),
        format: Format,
        limit: u64,
    ) -> Result<Self, GpuError> {
        let mut layout = Self::without_indices(groups, places, (sums, pieces), format, limit)?;
        layout.make_indices(groups);
        Ok(layout)
    }

    /// The same, with the indices yet to be [made](Self::make_indices).
    pub fn without_indices(
        groups: &[Group],
        places: Arc<Vec<u32>>,
        (sums, pieces): (Sums, usize),
        format: Format,
        limit: u64,
    ) -> Result<Self, GpuError> {
        let shapes: Vec<GroupShape> = groups.iter().map(|group| GroupShape::new(&group.kernel, sums)).collect();
        let shards = cut(groups, &shapes, format.bytes(), pieces, limit)?;
        let shards = shards.into_iter().map(|instances| Shard::new(&shapes, instances)).collect();
        Ok(Layout { places, shapes, shards })
    }

    /// Makes the indices of all shards.
    pub fn make_indices(&mut self, groups: &[Group]) {
        self.shards.iter_mut().for_each(|shard| shard.make_indices(groups, &self.places));
    }

    /// Where the blocks of instances of a group start on the device, without indices. There is one shard.
    pub fn starts<'a>(&'a self, group: &'a Group, block: u32) -> impl Fn(usize) -> u32 + Sync + 'a {
        let (column, places) = (&group.table.blocks[block as usize], &self.places);
        |instance| places[column[instance] as usize]
    }

    /// Parameters in the order of the device.
    pub fn point(&self, x: &[f64]) -> Vec<f64> {
        point(&self.places, x)
    }

    /// Gives away the indices, once they are on the device and in lists, to be freed.
    pub fn take_indices(&mut self) -> Vec<Vec<u32>> {
        self.shards.iter_mut().map(|shard| std::mem::take(&mut shard.indices)).collect()
    }

    /// Parameters as a user orders them.
    pub fn parameters(&self, point: &[f64]) -> Vec<f64> {
        self.places.par_iter().with_min_len(STRETCH).map(|&place| point[place as usize]).collect()
    }

    /// Instances a workgroup takes, in units of its size.
    pub fn tile(&self) -> u32 {
        let groups = self.shards.iter().flat_map(|shard| &shard.groups);
        let shares: usize = groups.map(|group| (group.count as usize).div_ceil(WORKGROUP as usize)).sum();
        shares.div_ceil(MOST_GROUP_WORKGROUPS).max(1) as u32
    }
}

/// Parameters in the order of the device.
pub fn point(places: &[u32], x: &[f64]) -> Vec<f64> {
    let zeros = (0..x.len()).into_par_iter().with_min_len(STRETCH);
    let point: Vec<AtomicU64> = zeros.map(|_| AtomicU64::new(0)).collect();
    x.par_iter().zip(places).with_min_len(STRETCH).for_each(|(number, &place)| {
        point[place as usize].store(number.to_bits(), Relaxed);
    });
    point.into_iter().map(|number| f64::from_bits(number.into_inner())).collect()
}

/// Lower and upper bound of every parameter in the order of the device; `most` stands for none.
pub fn bounds(places: &[u32], parameters: &Parameters, most: f64) -> Vec<f64> {
    let mut bounds = [-most, most].repeat(places.len());
    for block in 0..parameters.blocks() {
        let start = parameters.offsets()[block] as usize;
        for (k, &(lower, upper)) in parameters.bounds(block).unwrap_or(&[]).iter().enumerate() {
            let place = 2 * places[start + k] as usize;
            bounds[place..place + 2].copy_from_slice(&[lower, upper].map(|bound| bound.clamp(-most, most)));
        }
    }
    bounds
}

/// The place on the device of every parameter.
pub fn places(parameters: &Parameters, block_order: &[u32]) -> Arc<Vec<u32>> {
    let stretches = || block_order.par_chunks(STRETCH);
    let size = |&block: &u32| parameters.size(block as usize);
    let mut starts: Vec<usize> = stretches().map(|blocks| blocks.iter().map(size).sum()).collect();
    let mut end = 0;
    for start in &mut starts {
        end += std::mem::replace(start, end);
    }
    let zeros = (0..end).into_par_iter().with_min_len(STRETCH);
    let places: Vec<AtomicU32> = zeros.map(|_| AtomicU32::new(0)).collect();
    stretches().zip(starts).for_each(|(blocks, start)| {
        let mut next = start as u32;
        for &block in blocks {
            let first = parameters.offsets()[block as usize] as usize;
            for place in &places[first..first + size(&block)] {
                place.store(next, Relaxed);
                next += 1;
            }
        }
    });
    Arc::new(places.into_iter().map(AtomicU32::into_inner).collect())
}
