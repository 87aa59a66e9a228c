//! Instances cut into shards, so that no buffer outgrows a binding.
//!
//! A shard is a range of instances of every group, with indices, data, residuals and lists of its own. One compiled kernel serves all
//! shards: where things begin stands in the plan. Parameters and sums over them are whole, so they have to fit.

use super::layout::{GroupPlace, Layout};
use crate::backend::Group;
use crate::backend::gpu::GpuError;
use crate::kernel::wgsl::{self, Part};
use crate::problem::{CompiledProblem, Parameters};
use rustc_hash::FxHashMap;
use std::ops::Range;

/// A block with more contributions than this is summed by a whole workgroup.
const LONG: u32 = 96;

/// Bytes of a row of a table of lists.
const ROW: u64 = 16;

/// What an instance of a group needs.
pub struct GroupShape {
    /// Parameter blocks.
    pub slots: usize,
    /// Data columns that kernels read.
    pub columns: usize,
    /// Residuals.
    pub width: usize,
    /// Stored numbers of the Jacobian.
    pub stored: usize,
    /// Numbers it contributes to sums; none where they are added in place.
    pub contributions: usize,
    /// What they are contributed to.
    pub parts: Vec<Part>,
}

impl GroupShape {
    pub fn new(group: &Group, gathers: bool) -> Self {
        let kernel = &*group.kernel;
        let parts = if gathers { wgsl::parts(kernel) } else { Vec::new() };
        GroupShape {
            slots: kernel.program.block_sizes.len(),
            columns: wgsl::data_columns(kernel).len(),
            width: kernel.residuals(),
            stored: kernel.stored(),
            contributions: parts.iter().map(|part| part.size as usize).sum(),
            parts,
        }
    }

    /// Bytes that an instance takes in each buffer of a shard.
    fn bytes(&self, real: usize) -> [(&'static str, u64); 6] {
        let numbers = |count: usize| (count * real) as u64;
        [
            ("indices", 4 * self.slots as u64),
            ("data", numbers(self.columns)),
            ("residuals", numbers(self.width)),
            ("stored", numbers(self.stored)),
            ("contributions", numbers(self.contributions)),
            ("lists", 4 * self.parts.len() as u64),
        ]
    }
}

/// Instances of every group, by index.
pub type Instances = Vec<Range<usize>>;

/// Cuts the instances so that no buffer of a shard has more than `limit` bytes, `rows` of them for tables of lists.
pub fn cut(
    groups: &[Group],
    shapes: &[GroupShape],
    real: usize,
    rows: u64,
    limit: u64,
) -> Result<Vec<Instances>, GpuError> {
    let empty = || vec![0..0; groups.len()];
    let start = [0, 0, 0, 0, 0, ROW * rows];
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

/// The numbers of a shard before they are uploaded.
pub struct Shard {
    pub instances: Instances,
    pub groups: Vec<GroupPlace>,
    pub indices: Vec<u32>,
    pub data: Vec<f64>,
    /// Lengths of the buffers that kernels fill.
    pub residuals: usize,
    pub stored: usize,
    pub contributions: usize,
}

impl Shard {
    pub fn new(layout: &Layout, shapes: &[GroupShape], instances: Instances) -> Self {
        let mut shard = Shard {
            groups: Vec::new(),
            indices: Vec::new(),
            data: Vec::new(),
            residuals: 0,
            stored: 0,
            contributions: 0,
            instances,
        };
        for ((range, shape), place) in shard.instances.iter().zip(shapes).zip(&layout.groups) {
            shard.groups.push(GroupPlace {
                count: range.len() as u32,
                stride: range.len() as u32,
                blocks: shard.indices.len() as u32,
                data: shard.data.len() as u32,
                residuals: shard.residuals as u32,
                stored: shard.stored as u32,
                contributions: shard.contributions as u32,
            });
            let column = |first: u32, k: usize| {
                let first = first as usize + k * place.count as usize;
                first + range.start..first + range.end
            };
            for slot in 0..shape.slots {
                shard.indices.extend_from_slice(&layout.indices[column(place.blocks, slot)]);
            }
            for k in 0..shape.columns {
                shard.data.extend_from_slice(&layout.data[column(place.data, k)]);
            }
            shard.residuals += range.len() * shape.width;
            shard.stored += range.len() * shape.stored;
            shard.contributions += range.len() * shape.contributions;
        }
        shard
    }
}

/// The free parameter blocks, cut into pieces.
pub struct Pieces {
    /// Place on the device, held components as bits, number of components.
    pieces: Vec<(u32, u32, u32)>,
    /// The first piece of the block that starts at each place; `NONE` where the block is fixed.
    first: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Pieces {
    pub fn new(problem: &CompiledProblem, parameters: &Parameters, places: &[u32]) -> Self {
        let mut pieces = Vec::new();
        let mut first = vec![NONE; places.len()];
        for &block in problem.block_order() {
            let block = block as usize;
            if parameters.is_fixed(block) {
                continue;
            }
            let start = places[parameters.offsets()[block] as usize];
            first[start as usize] = pieces.len() as u32;
            for range in wgsl::pieces(parameters.size(block)) {
                let flags = parameters.fixed(block).unwrap_or(&[]);
                let held = flags.iter().skip(range.start as usize).take(range.len()).enumerate();
                let held = held.fold(0, |bits, (k, &held)| bits | u32::from(held) << k);
                pieces.push((start + range.start, held, range.len() as u32));
            }
        }
        Pieces { pieces, first }
    }

    pub fn len(&self) -> usize {
        self.pieces.len()
    }
}

/// The places on the device of components that are held.
pub fn held_places(parameters: &Parameters, places: &[u32]) -> Vec<u32> {
    let mut held = Vec::new();
    for block in 0..parameters.blocks() {
        let Some(flags) = parameters.fixed(block) else { continue };
        let start = parameters.offsets()[block] as usize;
        held.extend(flags.iter().zip(&places[start..]).filter(|(held, _)| **held).map(|(_, place)| *place));
    }
    held
}

/// Pieces of one size and sort in a table of lists.
#[derive(Debug, Clone, Copy)]
pub struct ListClass {
    pub count: u32,
    pub size: u32,
    /// Whether each piece has a workgroup of its own.
    pub long: bool,
    pub table: u32,
}

/// For each piece the places of what a shard's instances contribute to it.
pub struct Lists {
    /// Tables, then lists.
    pub words: Vec<u32>,
    pub classes: Vec<ListClass>,
}

impl Lists {
    /// `all` also lists pieces that nobody contributes to, so that their sums become 0.
    pub fn new(shard: &Shard, shapes: &[GroupShape], pieces: &Pieces, all: bool) -> Self {
        let mut counts = vec![0u32; pieces.len()];
        for_each_contribution(shard, shapes, pieces, |piece, _| counts[piece] += 1);
        let mut classes: Vec<ListClass> = Vec::new();
        let mut numbers: FxHashMap<(u32, bool), usize> = FxHashMap::default();
        let listed = |piece: usize| all || counts[piece] > 0;
        let mut class_of = vec![0; pieces.len()];
        for (piece, &(_, _, size)) in pieces.pieces.iter().enumerate().filter(|(piece, _)| listed(*piece)) {
            let long = counts[piece] > LONG;
            class_of[piece] = *numbers.entry((size, long)).or_insert_with(|| {
                classes.push(ListClass { count: 0, size, long, table: 0 });
                classes.len() - 1
            });
            classes[class_of[piece]].count += 1;
        }
        let mut end = 0;
        for class in &mut classes {
            class.table = end;
            end += 4 * class.count;
        }
        let mut words = vec![0; end as usize + counts.iter().map(|&count| count as usize).sum::<usize>()];
        let mut rows: Vec<u32> = classes.iter().map(|class| class.table).collect();
        // Where the next place of each list goes; its end once all are there.
        let mut next = vec![0; pieces.len()];
        for (piece, &(start, held, _)) in pieces.pieces.iter().enumerate().filter(|(piece, _)| listed(*piece)) {
            let row = rows[class_of[piece]];
            rows[class_of[piece]] += 4;
            words[row as usize..row as usize + 4].copy_from_slice(&[start, held, end, end + counts[piece]]);
            next[piece] = end;
            end += counts[piece];
        }
        for_each_contribution(shard, shapes, pieces, |piece, place| {
            words[next[piece] as usize] = place;
            next[piece] += 1;
        });
        Lists { words, classes }
    }
}

/// Calls `f(piece, place)` for everything that the instances of a shard contribute to free blocks, in the order of the places.
fn for_each_contribution(shard: &Shard, shapes: &[GroupShape], pieces: &Pieces, mut f: impl FnMut(usize, u32)) {
    for ((range, group), shape) in shard.instances.iter().zip(&shard.groups).zip(shapes) {
        for instance in 0..range.len() {
            let place = group.contributions + (instance * shape.contributions) as u32;
            for part in &shape.parts {
                let start = shard.indices[group.blocks as usize + part.block as usize * range.len() + instance];
                let first = pieces.first[start as usize];
                if first != NONE {
                    f((first + part.piece) as usize, place + part.place);
                }
            }
        }
    }
}
