//! What a piece takes from the reduced system: `Σ Z Zᵀ` with `Z = E L⁻ᵀ` and `C = L Lᵀ`, and `Σ Z L⁻¹ b`.
//!
//! The columns of several members stand side by side, so that each block of the sum is a product with a long inner
//! dimension; b is one more row below E, which turns into `(L⁻¹ b)ᵀ` by the same operations. The sum for the columns of one
//! kept block stays in registers and then in the first-level cache until it is added to the chunk's memory.

use pulp::{Simd, WithSimd};

use super::super::BlockMatrix;
use super::chunks::{Chunks, Coverage, Piece};
use super::coupling_block::gather;
use super::partition::Partition;

/// Numbers of Z that are worked on together: a share of the second-level cache.
const BATCH: usize = 1 << 14;
/// Numbers past the last column of Z that a vector may read, and past the last row of the sum that it may write.
const SLACK: usize = 64;

/// Memory of a task.
#[derive(Default)]
pub struct Scratch {
    /// Columns of Z, of all rows of the pattern and the row of the right-hand side.
    columns: Vec<f64>,
    /// The sum for the columns of one kept block.
    strip: Vec<f64>,
}

/// Where a chunk sums.
pub struct Target<'a> {
    /// Blocks of the reduced system.
    pub blocks: &'a mut [f64],
    /// Segments of its right-hand side.
    pub vector: &'a mut [f64],
}

/// Eliminates a piece; a struct so that it is compiled as a whole for each instruction set.
pub struct Eliminate<'a> {
    pub partition: &'a Partition,
    pub chunks: &'a Chunks,
    pub piece: &'a Piece,
    pub coverage: Coverage,
    pub matrix: &'a BlockMatrix,
    pub rhs: &'a [f64],
    /// Factors of the diagonal blocks of the piece's members, one after the other, with inverted pivots.
    pub factors: &'a [f64],
    pub target: Target<'a>,
    pub scratch: &'a mut Scratch,
}

impl WithSimd for Eliminate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Eliminate { partition, chunks, piece, coverage, matrix, rhs, factors, target, scratch } = self;
        let pattern = &partition.patterns[piece.pattern as usize];
        let (blocks, size) = (partition.blocks(pattern), pattern.size);
        let rows = pattern.rows + 1;
        let batch = (BATCH / (rows * size)).max(1);
        let numbers = batch.min(piece.members.len()) * size * rows + SLACK;
        if scratch.columns.len() < numbers {
            scratch.columns.resize(numbers, 0.0);
        }
        let mut start = piece.members.start;
        let mut factors = factors;
        while start < piece.members.end {
            let members = start..piece.members.end.min(start + batch);
            start = members.end;
            let depth = members.len() * size;
            for (member, columns) in members.zip(scratch.columns.chunks_exact_mut(size * rows)) {
                let mut row = 0;
                for (&block, coupling) in blocks.iter().zip(partition.couplings(pattern, member)) {
                    let height = partition.size(block);
                    gather(coupling.block(matrix, height * size), (height, size), columns, rows, row);
                    row += height;
                }
                for (column, b) in columns.chunks_exact_mut(rows).zip(&rhs[partition.range_of_eliminated(member)]) {
                    column[row] = *b;
                }
                let (factor, others) = factors.split_at(size * size);
                solve_rows(factor, size, columns, rows);
                factors = others;
            }
            let (mut block_targets, mut row) = (&chunks.block_targets[piece.block_targets.clone()], 0);
            for (k, &column) in blocks.iter().enumerate() {
                let width = partition.size(column);
                let below = match coverage {
                    Coverage::All => &blocks[k..],
                    _ => &blocks[k..k + 1],
                };
                let (targets, others) = block_targets.split_at(below.len());
                block_targets = others;
                let used = match coverage {
                    Coverage::All => rows - row,
                    _ => width,
                };
                let stride = used + SLACK;
                if scratch.strip.len() < stride * width {
                    scratch.strip.resize(stride * width, 0.0);
                }
                let product =
                    Product { columns: &scratch.columns, stride: rows, depth, row, used, strip: &mut scratch.strip };
                product.strip(simd, stride, width);
                let mut place = 0;
                for (&block, &first) in below.iter().zip(targets) {
                    let height = partition.size(block);
                    let sum = &mut target.blocks[first as usize..][..height * width];
                    add_block(&scratch.strip[place..], stride, height, sum);
                    place += height;
                }
                if coverage == Coverage::All {
                    let first = chunks.vector_targets[piece.vector_targets.start + k] as usize;
                    let sum = &mut target.vector[first..first + width];
                    sum.iter_mut().zip(scratch.strip[place..].iter().step_by(stride)).for_each(|(s, v)| *s += v);
                }
                row += width;
            }
        }
    }
}

/// `Z ← Z L⁻ᵀ`, column by column.
#[inline(always)]
fn solve_rows(factor: &[f64], size: usize, columns: &mut [f64], rows: usize) {
    for c in 0..size {
        let (done, rest) = columns.split_at_mut(c * rows);
        let column = &mut rest[..rows];
        for (j, known) in done.chunks_exact(rows).enumerate() {
            let l = factor[j * size + c];
            column.iter_mut().zip(known).for_each(|(z, known)| *z -= l * known);
        }
        let inverse = factor[c * size + c];
        column.iter_mut().for_each(|z| *z *= inverse);
    }
}

/// Adds the upper left part of a matrix to a block with `height` rows.
#[inline(always)]
fn add_block(source: &[f64], stride: usize, height: usize, target: &mut [f64]) {
    match height {
        9 => add_columns::<9>(source, stride, target),
        6 => add_columns::<6>(source, stride, target),
        3 => add_columns::<3>(source, stride, target),
        _ => {
            for (target, source) in target.chunks_exact_mut(height.max(1)).zip(source.chunks(stride)) {
                target.iter_mut().zip(source).for_each(|(t, s)| *t += s);
            }
        }
    }
}

#[inline(always)]
fn add_columns<const H: usize>(source: &[f64], stride: usize, target: &mut [f64]) {
    for (target, source) in target.chunks_exact_mut(H).zip(source.chunks(stride)) {
        let (Some(target), Some(source)) = (target.first_chunk_mut::<H>(), source.first_chunk::<H>()) else { return };
        *target = std::array::from_fn(|k| target[k] + source[k]);
    }
}

/// The product of some rows of Z with some others.
struct Product<'a> {
    columns: &'a [f64],
    stride: usize,
    /// Columns of Z.
    depth: usize,
    /// First row of either factor.
    row: usize,
    /// Rows of the left factor.
    used: usize,
    strip: &'a mut [f64],
}

impl Product<'_> {
    /// All rows times the first `width`.
    #[inline(always)]
    fn strip<S: Simd>(mut self, simd: S, strip_stride: usize, width: usize) {
        let mut done = 0;
        while done < width {
            done += match width - done {
                9.. => self.tiles::<S, 9>(simd, strip_stride, done),
                6..9 => self.tiles::<S, 6>(simd, strip_stride, done),
                3..6 => self.tiles::<S, 3>(simd, strip_stride, done),
                2 => self.tiles::<S, 2>(simd, strip_stride, done),
                _ => self.tiles::<S, 1>(simd, strip_stride, done),
            };
        }
    }

    /// W columns, in tiles of two vectors and at last of one; returns W.
    #[inline(always)]
    fn tiles<S: Simd, const W: usize>(&mut self, simd: S, strip_stride: usize, first: usize) -> usize {
        let mut start = 0;
        while start < self.used {
            if start + S::F64_LANES < self.used {
                self.tile::<S, W, 2>(simd, strip_stride, first, start);
                start += 2 * S::F64_LANES;
            } else {
                self.tile::<S, W, 1>(simd, strip_stride, first, start);
                start += S::F64_LANES;
            }
        }
        W
    }

    #[inline(always)]
    fn tile<S: Simd, const W: usize, const V: usize>(&mut self, simd: S, strip_stride: usize, first: usize, at: usize) {
        let lanes = S::F64_LANES;
        let mut sums = [[simd.splat_f64s(0.0); V]; W];
        for column in 0..self.depth {
            let column = &self.columns[column * self.stride + self.row..];
            let (left, _) = S::as_simd_f64s(&column[at..at + V * lanes]);
            let (Some(left), Some(right)) = (left.first_chunk::<V>(), column[first..].first_chunk::<W>()) else {
                return;
            };
            for c in 0..W {
                let right = simd.splat_f64s(right[c]);
                for v in 0..V {
                    sums[c][v] = simd.mul_add_f64s(left[v], right, sums[c][v]);
                }
            }
        }
        for (c, sum) in sums.into_iter().enumerate() {
            let target = &mut self.strip[(first + c) * strip_stride + at..][..V * lanes];
            let (target, _) = S::as_mut_simd_f64s(target);
            if let Some(target) = target.first_chunk_mut::<V>() {
                *target = sum;
            }
        }
    }
}
