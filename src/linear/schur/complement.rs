//! The elimination itself: what every solver by Schur complement does before and after it solves the reduced system.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::super::error::check_values;
use super::super::{BlockMatrix, BlockStructure, LinearError};
use super::chunks::{Chunk, Chunks, Coverage};
use super::coupling_block::{add_product, add_transposed_product};
use super::diagonal_block::{factorize, solve};
use super::partition::Partition;
use super::rank_update::{Eliminate, Scratch, Target};

/// Stands for the place of a block that the matrix does not have.
const NONE: u32 = u32::MAX;

/// Memory of a chunk.
struct Room {
    blocks: Vec<f64>,
    vector: Vec<f64>,
    scratch: Scratch,
}

/// A structure that is split, with the memory to eliminate one part of it again and again.
pub struct Complement {
    /// The split.
    pub partition: Partition,
    /// The blocks of the reduced system that are covered.
    pub reduced: Arc<BlockStructure>,
    coverage: Coverage,
    chunks: Chunks,
    rooms: Vec<Room>,
    /// The factors of the eliminated diagonal blocks, in the order of the eliminated blocks.
    factors: Vec<f64>,
    /// Place in the matrix of each position in the reduced structure.
    places: Vec<u32>,
    /// Solution of the eliminated blocks, in their order.
    eliminated: Vec<f64>,
}

impl Complement {
    /// Plans the elimination.
    pub fn new(partition: Partition, coverage: Coverage) -> Result<Self, LinearError> {
        let reduced = match coverage {
            Coverage::All => partition.reduced_structure()?,
            Coverage::Diagonal | Coverage::Vectors => partition.diagonal_structure()?,
        };
        if u32::try_from(reduced.value_count() + reduced.scalars()).is_err() {
            return Err(LinearError::OutOfMemory { bytes: reduced.value_count() * size_of::<f64>() });
        }
        let chunks = Chunks::new(&partition, &reduced, coverage);
        let room = |chunk: &Chunk| Room {
            blocks: vec![0.0; chunk.block_numbers],
            vector: vec![0.0; chunk.vector_numbers],
            scratch: Scratch::default(),
        };
        let mut places = vec![NONE; reduced.row_idx().len()];
        for (row, column, place) in partition.kept_blocks() {
            if let Some(position) = reduced.find(row as usize, column as usize) {
                places[position] = place;
            }
        }
        Ok(Self {
            reduced: Arc::new(reduced),
            coverage,
            rooms: chunks.chunks.iter().map(room).collect(),
            factors: vec![0.0; partition.factor_offsets[partition.eliminated.len()]],
            places,
            eliminated: vec![0.0; partition.eliminated_offsets[partition.eliminated.len()]],
            chunks,
            partition,
        })
    }

    /// Whether it was made for a structure.
    pub fn is_for(&self, structure: &Arc<BlockStructure>) -> bool {
        Arc::ptr_eq(&self.partition.structure, structure)
    }

    /// The error in terms of the whole system, given one in terms of the reduced system. A value that is not finite shows as a
    /// pivot that is not positive; looking for it beforehand would cost as much as a pass over E.
    pub fn explain(&self, error: LinearError, matrix: &BlockMatrix, damping: &[f64], rhs: &[f64]) -> LinearError {
        match (check_values(matrix, damping, rhs), error) {
            (Err(not_finite), _) => not_finite,
            (Ok(()), LinearError::NotPositiveDefinite { index }) => {
                LinearError::NotPositiveDefinite { index: self.unknown(index) }
            }
            (Ok(()), error) => error,
        }
    }

    /// Bytes of lists and memory.
    pub fn memory_bytes(&self) -> usize {
        self.partition.memory_bytes()
            + self.chunks.memory_bytes()
            + size_of_val(&self.factors[..])
            + size_of_val(&self.places[..])
            + size_of_val(&self.eliminated[..])
    }

    /// Factorises the diagonal blocks `C` of `matrix + diag(damping)` and sums what the elimination takes from the
    /// blocks that are covered, and from the right-hand side if all are.
    pub fn eliminate(&mut self, matrix: &BlockMatrix, damping: &[f64], rhs: &[f64]) -> Result<(), LinearError> {
        let Self { partition, chunks, rooms, factors, coverage, .. } = self;
        let (partition, chunks, coverage) = (&*partition, &*chunks, *coverage);
        let lengths = chunks
            .chunks
            .iter()
            .map(|chunk| partition.factor_offsets[chunk.members.end] - partition.factor_offsets[chunk.members.start]);
        let tasks: Vec<_> = chunks.chunks.iter().zip(rooms).zip(split(factors, lengths)).collect();
        let run = |((chunk, room), factors): ((&Chunk, &mut Room), &mut [f64])| -> Result<(), LinearError> {
            factorize_members(partition, chunk, matrix, damping, factors)?;
            if coverage == Coverage::Vectors {
                return Ok(());
            }
            room.blocks.fill(0.0);
            room.vector.fill(0.0);
            let first = partition.factor_offsets[chunk.members.start];
            for piece in &chunks.pieces[chunk.pieces.clone()] {
                let place = partition.factor_offsets[piece.members.start] - first;
                Arch::new().dispatch(Eliminate {
                    partition,
                    chunks,
                    piece,
                    coverage,
                    matrix,
                    rhs,
                    factors: &factors[place..],
                    target: Target { blocks: &mut room.blocks, vector: &mut room.vector },
                    scratch: &mut room.scratch,
                });
            }
            Ok(())
        };
        // All run to the end, so that of several errors it is always the first that is returned.
        let outcomes: Vec<Result<(), LinearError>> = tasks.into_par_iter().map(run).collect();
        let outcome: Result<(), LinearError> = outcomes.into_iter().collect();
        outcome.map_err(|error| check_values(matrix, damping, rhs).err().unwrap_or(error))
    }

    /// Writes one block of the reduced matrix, `B + diag(damping) - Σ Z Zᵀ`, to a column-major matrix.
    pub fn write_block(
        &self,
        matrix: &BlockMatrix,
        damping: &[f64],
        (row, column): (usize, usize),
        position: usize,
        target: &mut [f64],
        stride: usize,
    ) {
        let (height, width) = (self.reduced.size(row), self.reduced.size(column));
        if height == 0 {
            return;
        }
        let columns = || (0..width).map(|c| c * stride..c * stride + height);
        match self.places[position] {
            NONE => columns().for_each(|range| target[range].fill(0.0)),
            place => matrix.block(place, height * width).write(height, target, stride),
        }
        if row == column {
            let damping = &damping[self.partition.range_of_kept(row)];
            damping.iter().enumerate().for_each(|(k, d)| target[k * stride + k] += d);
        }
        for &(chunk, first) in self.chunks.block_sources.at(position) {
            let sum = &self.rooms[chunk as usize].blocks[first as usize..][..height * width];
            for (range, sum) in columns().zip(sum.chunks_exact(height)) {
                target[range].iter_mut().zip(sum).for_each(|(t, s)| *t -= s);
            }
        }
    }

    /// The blocks of the reduced matrix that are covered.
    pub fn write_matrix(&self, matrix: &BlockMatrix, damping: &[f64], target: &mut BlockMatrix) {
        let structure = &*self.reduced;
        let length = |j: usize, k: usize| structure.size(structure.row_idx()[k] as usize) * structure.size(j);
        let lengths = (0..structure.blocks()).map(|j| structure.column(j).map(|k| length(j, k)).sum());
        let columns = split(&mut target.values, lengths);
        columns.into_par_iter().enumerate().for_each(|(j, values)| {
            let mut rest = values;
            for k in structure.column(j) {
                let row = structure.row_idx()[k] as usize;
                let (block, others) = rest.split_at_mut(length(j, k));
                self.write_block(matrix, damping, (row, j), k, block, structure.size(row));
                rest = others;
            }
        });
    }

    /// The right-hand side of the reduced system, `b - E C⁻¹ b'`, of which the latter part was summed by
    /// [`Complement::eliminate`] or by [`Complement::multiply`].
    pub fn write_rhs(&self, rhs: &[f64], target: &mut [f64]) {
        for block in 0..self.partition.kept.len() {
            let range = self.partition.offsets[block]..self.partition.offsets[block + 1];
            target[range.clone()].copy_from_slice(&rhs[self.partition.range_of_kept(block)]);
            self.subtract_vectors(block, &mut target[range]);
        }
    }

    /// Takes what the chunks summed from a segment.
    pub fn subtract_vectors(&self, block: usize, target: &mut [f64]) {
        for &(chunk, first) in self.chunks.vector_sources.at(block) {
            let sum = &self.rooms[chunk as usize].vector[first as usize..];
            target.iter_mut().zip(sum).for_each(|(t, s)| *t -= s);
        }
    }

    /// Sums `E C⁻¹ (b + Eᵀ x)` in the chunks, where `b` is `rhs` or zero and an empty `x` stands for zeros.
    pub fn multiply(&mut self, matrix: &BlockMatrix, rhs: Option<&[f64]>, x: &[f64]) {
        let Self { partition, chunks, rooms, factors, .. } = self;
        let tasks: Vec<_> = chunks.chunks.iter().zip(rooms).collect();
        tasks.into_par_iter().for_each(|(chunk, room)| {
            room.vector.fill(0.0);
            let output = Output::Kept(&mut room.vector);
            Arch::new().dispatch(Pass { partition, chunks, chunk, matrix, factors, rhs, x, sign: 1.0, output });
        });
    }

    /// Puts the solution together: the reduced one, and `C⁻¹ (b' - Eᵀ x)` of the eliminated blocks.
    pub fn back_substitute(&mut self, matrix: &BlockMatrix, rhs: &[f64], x: &[f64], solution: &mut [f64]) {
        let Self { partition, chunks, factors, eliminated, .. } = self;
        let offsets = &partition.eliminated_offsets;
        let lengths = chunks.chunks.iter().map(|chunk| offsets[chunk.members.end] - offsets[chunk.members.start]);
        let tasks: Vec<_> = chunks.chunks.iter().zip(split(eliminated, lengths)).collect();
        tasks.into_par_iter().for_each(|(chunk, values)| {
            let (rhs, output) = (Some(rhs), Output::Eliminated(values));
            Arch::new().dispatch(Pass { partition, chunks, chunk, matrix, factors, rhs, x, sign: -1.0, output });
        });
        for block in 0..partition.kept.len() {
            let range = partition.offsets[block]..partition.offsets[block + 1];
            solution[partition.range_of_kept(block)].copy_from_slice(&x[range]);
        }
        for (member, range) in offsets.windows(2).enumerate() {
            solution[partition.range_of_eliminated(member)].copy_from_slice(&eliminated[range[0]..range[1]]);
        }
    }

    /// The unknown of the whole system that an unknown of the reduced system is.
    fn unknown(&self, reduced: usize) -> usize {
        let block = self.partition.offsets.partition_point(|&o| o <= reduced) - 1;
        self.partition.range_of_kept(block).start + reduced - self.partition.offsets[block]
    }
}

/// Cuts a slice into consecutive parts.
pub fn split(slice: &mut [f64], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f64]> {
    let mut rest = slice;
    let cut = |len| {
        let (head, tail) = std::mem::take(&mut rest).split_at_mut(len);
        rest = tail;
        head
    };
    lengths.map(cut).collect()
}

/// Factorises the diagonal blocks of a chunk's members.
fn factorize_members(
    partition: &Partition,
    chunk: &Chunk,
    matrix: &BlockMatrix,
    damping: &[f64],
    factors: &mut [f64],
) -> Result<(), LinearError> {
    let mut rest = factors;
    for member in chunk.members.clone() {
        let range = partition.range_of_eliminated(member);
        let (first, size) = (range.start, range.len());
        let (factor, others) = rest.split_at_mut(size * size);
        factor.copy_from_slice(matrix.diagonal_block(partition.eliminated[member] as usize));
        damping[range].iter().enumerate().for_each(|(k, d)| factor[k * size + k] += d);
        factorize(factor, size).map_err(|pivot| LinearError::NotPositiveDefinite { index: first + pivot })?;
        rest = others;
    }
    Ok(())
}

/// What a pass over the eliminated blocks leaves.
enum Output<'a> {
    /// `E t`, summed by kept block.
    Kept(&'a mut [f64]),
    /// `t` itself.
    Eliminated(&'a mut [f64]),
}

/// Computes `t = C⁻¹ (b ± Eᵀ x)` for the members of a chunk; a struct so that it is compiled as a whole for each
/// instruction set.
struct Pass<'a> {
    partition: &'a Partition,
    chunks: &'a Chunks,
    chunk: &'a Chunk,
    matrix: &'a BlockMatrix,
    factors: &'a [f64],
    rhs: Option<&'a [f64]>,
    x: &'a [f64],
    sign: f64,
    output: Output<'a>,
}

impl WithSimd for Pass<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Pass { partition, chunks, chunk, matrix, factors, rhs, x, sign, mut output } = self;
        let first = partition.eliminated_offsets[chunk.members.start];
        let mut room = Vec::new();
        for piece in &chunks.pieces[chunk.pieces.clone()] {
            let pattern = &partition.patterns[piece.pattern as usize];
            let (blocks, size) = (partition.blocks(pattern), pattern.size);
            room.resize(size, 0.0);
            for member in piece.members.clone() {
                let couplings = || {
                    blocks.iter().zip(partition.couplings(pattern, member)).map(|(&block, coupling)| {
                        let range = partition.offsets[block as usize]..partition.offsets[block as usize + 1];
                        (coupling.block(matrix, range.len() * size), range)
                    })
                };
                let t: &mut [f64] = match &mut output {
                    Output::Eliminated(values) => &mut values[partition.eliminated_offsets[member] - first..][..size],
                    Output::Kept(_) => &mut room,
                };
                t.fill(0.0);
                if !x.is_empty() {
                    for (block, range) in couplings() {
                        add_transposed_product(block, &x[range], t);
                    }
                }
                match rhs {
                    Some(rhs) => {
                        let rhs = &rhs[partition.range_of_eliminated(member)];
                        t.iter_mut().zip(rhs).for_each(|(t, b)| *t = b + sign * *t);
                    }
                    None => t.iter_mut().for_each(|t| *t *= sign),
                }
                solve(&factors[partition.factor_offsets[member]..][..size * size], t);
                if let Output::Kept(sums) = &mut output {
                    let targets = &chunks.vector_targets[piece.vector_targets.clone()];
                    for ((block, range), &target) in couplings().zip(targets) {
                        let sum = &mut sums[target as usize..][..range.len()];
                        add_product(block, &room, sum);
                    }
                }
            }
        }
    }
}
