//! The elimination cut into chunks, and where in the reduced system the results of each chunk go.
//!
//! A chunk sums what its blocks take from the reduced system in memory of its own, whose blocks are those that it touches
//! and no others. When all are done, each block of the reduced system gathers its parts in the order of the chunks.
//! How many chunks there are depends on the structure only, so results do not depend on the number of threads.

use std::ops::Range;

use super::super::BlockStructure;
use super::partition::{Partition, flops};

/// Operations that make a chunk worth its overhead.
const CHUNK_FLOPS: f64 = 8e6;
/// Most chunks: enough for as many threads.
const MOST_CHUNKS: usize = 128;
/// Numbers that the chunks may hold in any case; beyond, they may hold this many times as many as the reduced system.
const FREE_NUMBERS: usize = 1 << 20;
const FACTOR: usize = 2;
/// Stands for a block that the chunk at hand does not touch yet.
const NONE: u32 = u32::MAX;

/// Which blocks of the reduced system are summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// All of the lower triangle.
    All,
    /// Those on the diagonal.
    Diagonal,
    /// None, only vectors.
    Vectors,
}

/// Members of one pattern that a chunk eliminates.
pub struct Piece {
    /// Index of the pattern.
    pub pattern: u32,
    /// Its members, as a range of the eliminated blocks.
    pub members: Range<usize>,
    /// Its targets among the blocks of the chunk, as a range of [`Chunks::block_targets`].
    pub block_targets: Range<usize>,
    /// The same among vectors, a target for each kept block of the pattern.
    pub vector_targets: Range<usize>,
}

/// Blocks that one task eliminates.
#[derive(Default)]
pub struct Chunk {
    /// Its pieces.
    pub pieces: Range<usize>,
    /// Its eliminated blocks.
    pub members: Range<usize>,
    /// Numbers of the blocks it touches.
    pub block_numbers: usize,
    /// Numbers of the vector segments it touches.
    pub vector_numbers: usize,
}

/// The numbers that come together at each of several places, as (chunk, first number in it).
#[derive(Default)]
pub struct Sources {
    ptr: Vec<usize>,
    list: Vec<(u32, u32)>,
}

impl Sources {
    fn new(count: usize, found: &[(u32, u32, u32)]) -> Self {
        let mut ptr = vec![0usize; count + 1];
        found.iter().for_each(|&(place, _, _)| ptr[place as usize + 1] += 1);
        for k in 0..count {
            ptr[k + 1] += ptr[k];
        }
        let mut next = ptr.clone();
        let mut list = vec![(0, 0); found.len()];
        for &(place, chunk, first) in found {
            list[next[place as usize]] = (chunk, first);
            next[place as usize] += 1;
        }
        Self { ptr, list }
    }

    /// What comes together at a place, in the order of the chunks.
    pub fn at(&self, place: usize) -> &[(u32, u32)] {
        &self.list[self.ptr[place]..self.ptr[place + 1]]
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&self.ptr[..]) + size_of_val(&self.list[..])
    }
}

/// The chunks of an elimination.
#[derive(Default)]
pub struct Chunks {
    /// The chunks, each with consecutive eliminated blocks.
    pub chunks: Vec<Chunk>,
    /// The pieces of all chunks.
    pub pieces: Vec<Piece>,
    /// First number of a target among the blocks of its chunk. The targets of a piece come column by column, each from
    /// the diagonal down.
    pub block_targets: Vec<u32>,
    /// First number of a target among the vector of its chunk.
    pub vector_targets: Vec<u32>,
    /// By position in the structure of the reduced system.
    pub block_sources: Sources,
    /// By kept block.
    pub vector_sources: Sources,
}

impl Chunks {
    /// Cuts the elimination. `reduced` has the blocks that are covered.
    pub fn new(partition: &Partition, reduced: &BlockStructure, coverage: Coverage) -> Self {
        let allowed = FREE_NUMBERS + FACTOR * (reduced.value_count() + reduced.scalars());
        let mut count = (partition.flops() / CHUNK_FLOPS).clamp(1.0, MOST_CHUNKS as f64) as usize;
        loop {
            let chunks = Self::cut(partition, reduced, coverage, count);
            let numbers: usize = chunks.chunks.iter().map(|c| c.block_numbers + c.vector_numbers).sum();
            if count == 1 || numbers <= allowed {
                return chunks;
            }
            count /= 2;
        }
    }

    fn cut(partition: &Partition, reduced: &BlockStructure, coverage: Coverage, count: usize) -> Self {
        let share = partition.flops() / count as f64;
        let mut places = Places::new(partition, reduced, coverage);
        let mut chunks = Self::default();
        let mut work = 0.0;
        for (index, pattern) in partition.patterns.iter().enumerate() {
            let each = flops(pattern).max(1.0);
            let mut members = pattern.members.clone();
            while !members.is_empty() {
                if chunks.chunks.is_empty() || work >= share {
                    let (pieces, first) = (chunks.pieces.len(), members.start);
                    chunks.chunks.push(Chunk { pieces: pieces..pieces, members: first..first, ..Chunk::default() });
                    places.next_chunk();
                    work = 0.0;
                }
                let fit = ((share - work) / each).ceil().max(1.0);
                let taken = if fit < members.len() as f64 { fit as usize } else { members.len() };
                let piece = members.start..members.start + taken;
                work += taken as f64 * each;
                members.start += taken;
                places.list(&mut chunks, index, piece);
            }
        }
        chunks.block_sources = Sources::new(reduced.row_idx().len(), &places.blocks_found);
        chunks.vector_sources = Sources::new(partition.kept.len(), &places.vectors_found);
        chunks
    }

    /// Bytes of the index lists and of the memory that the chunks sum in.
    pub fn memory_bytes(&self) -> usize {
        let numbers: usize = self.chunks.iter().map(|c| c.block_numbers + c.vector_numbers).sum();
        numbers * size_of::<f64>()
            + size_of_val(&self.pieces[..])
            + size_of_val(&self.block_targets[..])
            + size_of_val(&self.vector_targets[..])
            + self.block_sources.memory_bytes()
            + self.vector_sources.memory_bytes()
    }
}

/// Gives blocks and vector segments their places in the chunk at hand.
struct Places<'a> {
    partition: &'a Partition,
    reduced: &'a BlockStructure,
    coverage: Coverage,
    chunk: u32,
    /// Chunk that touched a position of the reduced system last, and the place it has there.
    blocks: Vec<(u32, u32)>,
    vectors: Vec<(u32, u32)>,
    /// (position, chunk, place) in the order of chunks.
    blocks_found: Vec<(u32, u32, u32)>,
    vectors_found: Vec<(u32, u32, u32)>,
}

impl<'a> Places<'a> {
    fn new(partition: &'a Partition, reduced: &'a BlockStructure, coverage: Coverage) -> Self {
        Self {
            partition,
            reduced,
            coverage,
            chunk: NONE,
            blocks: vec![(NONE, 0); reduced.row_idx().len()],
            vectors: vec![(NONE, 0); partition.kept.len()],
            blocks_found: Vec::new(),
            vectors_found: Vec::new(),
        }
    }

    fn next_chunk(&mut self) {
        self.chunk = self.chunk.wrapping_add(1);
    }

    /// Lists a piece and its targets.
    fn list(&mut self, chunks: &mut Chunks, index: usize, members: Range<usize>) {
        let Some(chunk) = chunks.chunks.last_mut() else { return };
        let blocks = self.partition.blocks(&self.partition.patterns[index]);
        let (first_block, first_vector) = (chunks.block_targets.len(), chunks.vector_targets.len());
        for (k, &column) in blocks.iter().enumerate() {
            let size = self.partition.size(column);
            let known = &mut self.vectors[column as usize];
            if known.0 != self.chunk {
                *known = (self.chunk, chunk.vector_numbers as u32);
                self.vectors_found.push((column, known.0, known.1));
                chunk.vector_numbers += size;
            }
            chunks.vector_targets.push(known.1);
            let rows = match self.coverage {
                Coverage::All => &blocks[k..],
                Coverage::Diagonal => &blocks[k..k + 1],
                Coverage::Vectors => &[],
            };
            // Rows ascend in the pattern and in the structure alike: what was passed need not be searched again.
            let Range { start: mut position, end } = self.reduced.column(column as usize);
            for &row in rows {
                position += self.reduced.row_idx()[position..end].partition_point(|&r| r < row);
                let known = &mut self.blocks[position];
                if known.0 != self.chunk {
                    *known = (self.chunk, chunk.block_numbers as u32);
                    self.blocks_found.push((position as u32, known.0, known.1));
                    chunk.block_numbers += size * self.partition.size(row);
                }
                chunks.block_targets.push(known.1);
            }
        }
        chunk.members.end = members.end;
        chunk.pieces.end += 1;
        chunks.pieces.push(Piece {
            pattern: index as u32,
            members,
            block_targets: first_block..chunks.block_targets.len(),
            vector_targets: first_vector..chunks.vector_targets.len(),
        });
    }
}
