//! Instances cut into shards, so that no buffer outgrows a binding.
//!
//! A shard is a range of instances of every group, with indices, data, residuals and lists of its own. One compiled kernel serves all
//! shards: where things begin stands in the plan. Parameters and vectors like them are whole, so they have to fit.

use super::incidence::{Incidence, Touch};
use super::lists::ROW;
use super::pieces::Pieces;
use super::plans::GroupPlace;
use crate::backend::gpu::GpuError;
use crate::backend::{Column, Group};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Format, Part};
use rayon::prelude::*;
use std::ops::Range;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 12;

/// What sums over parameter blocks need of the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sums {
    /// Nothing: there are none, or they are added in place.
    None,
    /// Lists of the instances that touch a block.
    Lists,
    /// Such lists, and room for what each instance contributes.
    Contributions,
}

/// What an instance of a group needs.
#[derive(Clone)]
pub struct GroupShape {
    /// Parameter blocks.
    pub slots: usize,
    /// Data columns that kernels read.
    pub columns: Vec<u32>,
    /// Residuals.
    pub width: usize,
    /// Stored numbers of the Jacobian.
    pub stored: usize,
    /// Numbers it contributes to sums.
    pub contributions: usize,
    /// The pieces of blocks in whose lists it stands.
    pub parts: Vec<Part>,
}

impl GroupShape {
    pub fn new(kernel: &Kernel, sums: Sums) -> Self {
        let parts = if sums == Sums::None { Vec::new() } else { wgsl::parts(kernel) };
        let contributions = if sums == Sums::Contributions { wgsl::contributions(kernel) } else { 0 };
        GroupShape {
            slots: kernel.program.block_sizes.len(),
            columns: wgsl::data_columns(kernel),
            width: kernel.residuals(),
            stored: kernel.stored(),
            contributions,
            parts,
        }
    }

    /// Bytes that an instance takes in each buffer of a shard.
    fn bytes(&self, real: usize) -> [(&'static str, u64); 6] {
        let numbers = |count: usize| (count * real) as u64;
        [
            ("indices", 4 * self.slots as u64),
            ("data", numbers(self.columns.len())),
            ("residuals", numbers(self.width)),
            ("stored", numbers(self.stored)),
            ("contributions", numbers(self.contributions)),
            // With their table, which has a row for every parameter block in each shard.
            ("incidence lists with the table of all blocks", 4 * self.parts.len() as u64),
        ]
    }
}

/// Numbers that instances have side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Their residuals.
    Residuals,
    /// What they store for the Jacobian.
    Stored,
}

/// Numbers of instances side by side.
#[derive(Clone, Copy)]
pub enum DataColumn<'a> {
    /// The same for all.
    Uniform(f64),
    /// One each.
    Varying(&'a [f64]),
}

impl DataColumn<'_> {
    /// Encodes those of some instances.
    pub fn encode(self, instances: Range<usize>, format: Format, bytes: &mut [u8]) {
        match self {
            DataColumn::Varying(numbers) => format.encode_into(&numbers[instances], bytes),
            DataColumn::Uniform(number) => format.encode_into(&vec![number; instances.len()], bytes),
        }
    }
}

/// Instances of every group, by index.
pub type Instances = Vec<Range<usize>>;

/// Cuts the instances so that no buffer of a shard has more than `limit` bytes, `rows` of them for tables of lists.
pub fn cut(
    groups: &[Group],
    shapes: &[GroupShape],
    real: usize,
    rows: usize,
    limit: u64,
) -> Result<Vec<Instances>, GpuError> {
    let empty = || vec![0..0; groups.len()];
    let start = [0, 0, 0, 0, 0, 4 * u64::from(ROW) * rows as u64];
    let mut shards = vec![empty()];
    let mut used = start;
    for (index, (group, shape)) in groups.iter().zip(shapes).enumerate() {
        let bytes = shape.bytes(real);
        let mut next = 0;
        while next < group.table.count {
            let left = (group.table.count - next) as u64;
            let room = |(used, (_, bytes)): (&u64, &(_, u64))| match bytes {
                0 => left,
                _ => limit.saturating_sub(*used) / bytes,
            };
            let taken = used.iter().zip(&bytes).map(room).min().unwrap_or(left).min(left);
            if taken == 0 {
                if used == start {
                    let (&used, &(name, bytes)) =
                        used.iter().zip(&bytes).max_by_key(|(used, (_, bytes))| **used + bytes).expect("six buffers");
                    return Err(GpuError::TooLarge { label: name.to_owned(), bytes: used + bytes, limit });
                }
                shards.push(empty());
                used = start;
                continue;
            }
            let end = next + taken as usize;
            shards.last_mut().expect("there is one")[index] = next..end;
            used.iter_mut().zip(&bytes).for_each(|(used, (_, bytes))| *used += taken * bytes);
            next = end;
        }
    }
    Ok(shards)
}

/// Where the numbers of a shard stand in its buffers.
#[derive(Debug, Clone)]
pub struct Shard {
    /// Of each group.
    pub instances: Instances,
    /// One a group.
    pub groups: Vec<GroupPlace>,
    /// Parameter blocks of all instances.
    pub slots: usize,
    /// Where they start, slot by slot, instance by instance; none until they are [made](Self::make_indices).
    pub indices: Vec<u32>,
    /// Scalar residuals.
    pub residuals: usize,
    /// Stored numbers of the Jacobian.
    pub stored: usize,
    /// Numbers contributed to sums.
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "no derivatives without a stored Jacobian there"))]
    pub contributions: usize,
}

impl Shard {
    /// Without indices, which are yet to be [made](Self::make_indices).
    pub fn new(shapes: &[GroupShape], instances: Instances) -> Self {
        let (mut data, mut residuals, mut stored, mut contributions) = (0, 0, 0, 0);
        let mut blocks = 0;
        let mut group_places = Vec::with_capacity(shapes.len());
        for (range, shape) in instances.iter().zip(shapes) {
            group_places.push(GroupPlace {
                count: range.len() as u32,
                stride: range.len() as u32,
                blocks: blocks as u32,
                data: data as u32,
                residuals: residuals as u32,
                stored: stored as u32,
                contributions: contributions as u32,
            });
            blocks += range.len() * shape.slots;
            data += range.len() * shape.columns.len();
            residuals += range.len() * shape.width;
            stored += range.len() * shape.stored;
            contributions += range.len() * shape.contributions;
        }
        let indices = Vec::new();
        Shard { instances, groups: group_places, slots: blocks, indices, residuals, stored, contributions }
    }

    /// Makes the indices. `places`: where each parameter stands on the device.
    pub fn make_indices(&mut self, groups: &[Group], places: &[u32]) {
        let columns = self.index_columns(groups);
        let mut indices = vec![0; self.slots];
        let (mut rest, mut tasks) = (&mut indices[..], Vec::new());
        for starts in columns.into_iter().flat_map(|column| column.chunks(STRETCH)) {
            let (mine, others) = rest.split_at_mut(starts.len());
            rest = others;
            tasks.push((mine, starts));
        }
        tasks.into_par_iter().for_each(|(mine, starts)| {
            mine.iter_mut().zip(starts).for_each(|(place, &start)| *place = places[start as usize]);
        });
        self.indices = indices;
    }

    /// The indices as they are to be made.
    pub fn index_columns<'a>(&self, groups: &'a [Group]) -> Vec<&'a [u32]> {
        let columns = |(group, range): (&'a Group, &Range<usize>)| {
            let range = range.clone();
            group.table.blocks.iter().map(move |column| &column[range.clone()])
        };
        groups.iter().zip(&self.instances).flat_map(columns).collect()
    }

    /// The data, and how many numbers each column has.
    pub fn data_columns<'a>(&self, groups: &'a [Group], shapes: &[GroupShape]) -> Vec<(DataColumn<'a>, usize)> {
        let mut columns = Vec::new();
        for ((group, range), shape) in groups.iter().zip(&self.instances).zip(shapes) {
            for &column in &shape.columns {
                let numbers = match &group.table.data[column as usize] {
                    Column::Varying(numbers) => DataColumn::Varying(&numbers[range.clone()]),
                    Column::Uniform(number) => DataColumn::Uniform(*number),
                };
                columns.push((numbers, range.len()));
            }
        }
        columns
    }

    /// Puts numbers of the shard where they belong among those of the whole problem.
    pub fn spread(&self, kind: Numbers, groups: &[Group], shapes: &[GroupShape], numbers: &[f64], to: &mut [f64]) {
        for (((group, shape), instances), place) in groups.iter().zip(shapes).zip(&self.instances).zip(&self.groups) {
            let (first, width, from) = match kind {
                Numbers::Residuals => (group.rows.start, shape.width, place.residuals),
                Numbers::Stored => (group.stored.start, shape.stored, place.stored),
            };
            let mine = &numbers[from as usize..][..instances.len() * width];
            to[first + instances.start * width..][..mine.len()].copy_from_slice(mine);
        }
    }

    /// How the instances of a group touch a piece of a block.
    pub fn touch(&self, group: usize, part: &Part) -> Touch<'_> {
        let place = &self.groups[group];
        let count = place.count as usize;
        let first = place.blocks as usize + part.block as usize * count;
        Touch { column: &self.indices[first..first + count], piece: part.piece }
    }

    /// What touches each piece, by the parts of all shapes.
    pub fn incidence(&self, shapes: &[GroupShape], pieces: &Pieces) -> Incidence {
        let parts =
            shapes.iter().enumerate().flat_map(|(group, shape)| shape.parts.iter().map(move |part| (group, part)));
        Incidence::new(pieces, &parts.map(|(group, part)| self.touch(group, part)).collect::<Vec<_>>())
    }
}
