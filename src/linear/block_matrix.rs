//! A symmetric block matrix: a structure and its values.

use std::sync::Arc;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::{BlockStructure, LinearError};

/// Below this many stored scalars a product is over before a second thread has woken up.
const PARALLEL_VALUES: usize = 1 << 16;
/// Block rows that one parallel task handles.
const TASK_ROWS: usize = 512;

/// The numbers of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Block<'a> {
    /// All, column-major.
    Full(&'a [f64]),
    /// The identity times a number.
    Multiple(f64),
}

impl Block<'_> {
    /// Writes the block, of so many rows, to a column-major matrix with columns `stride` apart.
    pub(super) fn write(self, rows: usize, target: &mut [f64], stride: usize) {
        let columns = target.chunks_mut(stride.max(1));
        match self {
            Block::Full(numbers) => {
                let numbers = numbers.chunks_exact(rows.max(1));
                columns.zip(numbers).for_each(|(target, column)| target[..rows].copy_from_slice(column));
            }
            Block::Multiple(number) => {
                for (k, target) in columns.take(rows).enumerate() {
                    target[..rows].fill(0.0);
                    target[k] = number;
                }
            }
        }
    }
}

/// Symmetric matrix of which the lower triangle is stored by blocks; see [`BlockStructure`].
#[derive(Debug, Clone)]
pub struct BlockMatrix {
    structure: Arc<BlockStructure>,
    /// The numbers of the blocks, where the structure says.
    pub values: Vec<f64>,
}

impl BlockMatrix {
    /// A matrix of zeros.
    pub fn zeros(structure: Arc<BlockStructure>) -> Self {
        let values = vec![0.0; structure.value_count()];
        Self { structure, values }
    }

    /// The sparsity structure.
    pub fn structure(&self) -> &Arc<BlockStructure> {
        &self.structure
    }

    /// The block of so many numbers at a place that the structure names.
    pub fn block(&self, place: u32, numbers: usize) -> Block<'_> {
        let first = place as usize;
        if numbers > 1 && self.structure.is_multiple(place) {
            Block::Multiple(self.values[first])
        } else {
            Block::Full(&self.values[first..first + numbers])
        }
    }

    /// The diagonal block `j`, column-major.
    pub fn diagonal_block(&self, j: usize) -> &[f64] {
        let place = self.structure.diagonal_place(j) as usize;
        &self.values[place..place + self.structure.size(j).pow(2)]
    }

    /// The numbers that are stored of block (`row`, `col`) with `row >= col`, if it is stored.
    pub fn block_mut(&mut self, row: usize, col: usize) -> Option<&mut [f64]> {
        let place = self.structure.place(self.structure.find(row, col)?);
        let numbers = self.structure.size(row) * self.structure.size(col);
        let stored = if numbers > 1 && self.structure.is_multiple(place) { 1 } else { numbers };
        Some(&mut self.values[place as usize..place as usize + stored])
    }

    /// `y = (A + diag(damping)) x`; an empty `damping` stands for zeros. The result does not depend on the
    /// number of threads: each block row is summed by one thread, always in the same order.
    ///
    /// # Panics
    /// If `x` or `y` does not have one entry per scalar row, or if `damping` is neither empty nor that long.
    pub fn multiply(&self, damping: &[f64], x: &[f64], y: &mut [f64]) {
        let scalars = self.structure.scalars();
        assert_eq!((x.len(), y.len()), (scalars, scalars), "vector lengths");
        assert!(damping.is_empty() || damping.len() == scalars, "damping length");
        let blocks = self.structure.blocks();
        if self.values.len() < PARALLEL_VALUES {
            return self.multiply_rows(0, blocks, damping, x, y);
        }
        let mut tasks = Vec::with_capacity(blocks / TASK_ROWS + 1);
        let mut rest = y;
        for start in (0..blocks).step_by(TASK_ROWS) {
            let end = (start + TASK_ROWS).min(blocks);
            let (head, tail) = rest.split_at_mut(self.structure.ranges(start..end).len());
            tasks.push((start, end, head));
            rest = tail;
        }
        tasks.into_par_iter().for_each(|(start, end, y)| self.multiply_rows(start, end, damping, x, y));
    }

    /// The block rows `start..end` of the product.
    fn multiply_rows(&self, start: usize, end: usize, damping: &[f64], x: &[f64], y: &mut [f64]) {
        let structure = &*self.structure;
        let (rows, first) = (structure.rows(), structure.range(start).start);
        for i in start..end {
            let range = structure.range(i);
            let y = &mut y[range.start - first..range.end - first];
            if damping.is_empty() {
                y.fill(0.0);
            } else {
                for ((y, d), x) in y.iter_mut().zip(&damping[range.clone()]).zip(&x[range.clone()]) {
                    *y = d * x;
                }
            }
            for &(col, place) in rows.of(i) {
                let x = &x[structure.range(col as usize)];
                match self.block(place, x.len() * y.len()) {
                    Block::Full(block) => add_block(block, x, y),
                    Block::Multiple(number) => add_multiple(number, x, y),
                }
            }
            add_symmetric(self.diagonal_block(i), &x[range], y);
            for k in structure.below(i) {
                let row = structure.row_idx()[k] as usize;
                let x = &x[structure.range(row)];
                match self.block(structure.place(k), x.len() * y.len()) {
                    Block::Full(block) => add_transposed(block, x, y),
                    Block::Multiple(number) => add_multiple(number, x, y),
                }
            }
        }
    }

    /// The scalar diagonal.
    pub fn diagonal(&self) -> Vec<f64> {
        let mut diagonal = Vec::with_capacity(self.structure.scalars());
        self.write_diagonal(&mut diagonal);
        diagonal
    }

    /// Overwrites `diagonal` with the scalar diagonal.
    pub fn write_diagonal(&self, diagonal: &mut Vec<f64>) {
        let structure = &*self.structure;
        diagonal.resize(structure.scalars(), 0.0);
        for j in 0..structure.blocks() {
            let (block, numbers) = (self.diagonal_block(j), &mut diagonal[structure.range(j)]);
            let stride = numbers.len() + 1;
            numbers.iter_mut().enumerate().for_each(|(k, number)| *number = block[k * stride]);
        }
    }

    /// `S A S` for the diagonal matrix of `scales`, with all blocks in full.
    ///
    /// # Errors
    /// [`LinearError::TooLarge`] if it has too many numbers.
    ///
    /// # Panics
    /// If there is not one scale a scalar row.
    pub fn scaled(&self, scales: &[f64]) -> Result<Self, LinearError> {
        let mut scaled = Self::zeros(Arc::new(self.structure.in_full()?));
        let structure = scaled.structure.clone();
        assert_eq!(scales.len(), structure.scalars(), "number of scales");
        for j in 0..structure.blocks() {
            for position in structure.column(j) {
                let i = structure.row_idx()[position] as usize;
                let rows = &scales[structure.range(i)];
                let numbers = rows.len() * structure.size(j);
                let target = &mut scaled.values[structure.place(position) as usize..][..numbers];
                self.block(self.structure.place(position), numbers).write(rows.len(), target, rows.len());
                let columns = target.chunks_exact_mut(rows.len().max(1));
                for (column, right) in columns.zip(&scales[structure.range(j)]) {
                    column.iter_mut().zip(rows).for_each(|(number, left)| *number *= left * right);
                }
            }
        }
        Ok(scaled)
    }

    /// The full matrix, both triangles.
    pub fn to_dense(&self) -> DMatrix<f64> {
        let structure = &*self.structure;
        let mut dense = DMatrix::zeros(structure.scalars(), structure.scalars());
        for j in 0..structure.blocks() {
            for k in structure.column(j) {
                let i = structure.row_idx()[k] as usize;
                let (rows, columns) = (structure.size(i), structure.size(j));
                let mut block = DMatrix::zeros(rows, columns);
                self.block(structure.place(k), rows * columns).write(rows, block.as_mut_slice(), rows);
                if i == j {
                    block.fill_upper_triangle_with_lower_triangle();
                }
                let (i, j) = (structure.range(i).start, structure.range(j).start);
                dense.view_mut((i, j), (rows, columns)).copy_from(&block);
                dense.view_mut((j, i), (columns, rows)).tr_copy_from(&block);
            }
        }
        dense
    }

    /// Writes the blocks to the lower triangle of a dense matrix, column-major with columns `stride` apart. Zeros are left as they are, and above
    /// the diagonal stand parts of diagonal blocks.
    pub(super) fn write_lower(&self, dense: &mut [f64], stride: usize) {
        let structure = &*self.structure;
        for j in 0..structure.blocks() {
            for k in structure.column(j) {
                let i = structure.row_idx()[k] as usize;
                let start = structure.range(j).start * stride + structure.range(i).start;
                let (rows, target) = (structure.size(i), &mut dense[start..]);
                match (self.block(structure.place(k), rows * structure.size(j)), rows) {
                    (Block::Full(block), 3) => copy_columns::<3>(block, target, stride),
                    (Block::Full(block), 6) => copy_columns::<6>(block, target, stride),
                    (Block::Full(block), 9) => copy_columns::<9>(block, target, stride),
                    (block, _) => block.write(rows, target, stride),
                }
            }
        }
    }

    /// Bytes held by the values and the structure.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.values[..]) + self.structure.memory_bytes()
    }
}

/// Copies columns of `H` numbers to places `stride` apart.
fn copy_columns<const H: usize>(columns: &[f64], target: &mut [f64], stride: usize) {
    let mut place = 0;
    for column in columns.as_chunks::<H>().0 {
        target[place..place + H].copy_from_slice(column);
        place += stride;
    }
}

/// `y += B x`, with the size 3 of points and rotations unrolled.
fn add_block(block: &[f64], x: &[f64], y: &mut [f64]) {
    if let (Ok(b), Ok(x), Ok(y)) =
        (<&[f64; 9]>::try_from(block), <&[f64; 3]>::try_from(x), <&mut [f64; 3]>::try_from(&mut *y))
    {
        for i in 0..3 {
            y[i] += b[i] * x[0] + b[i + 3] * x[1] + b[i + 6] * x[2];
        }
        return;
    }
    for (column, x) in block.chunks_exact(y.len().max(1)).zip(x) {
        for (y, b) in y.iter_mut().zip(column) {
            *y += b * x;
        }
    }
}

/// `y += Bᵀ x`.
fn add_transposed(block: &[f64], x: &[f64], y: &mut [f64]) {
    if let (Ok(b), Ok(x), Ok(y)) =
        (<&[f64; 9]>::try_from(block), <&[f64; 3]>::try_from(x), <&mut [f64; 3]>::try_from(&mut *y))
    {
        for i in 0..3 {
            y[i] += b[3 * i] * x[0] + b[3 * i + 1] * x[1] + b[3 * i + 2] * x[2];
        }
        return;
    }
    for (column, y) in block.chunks_exact(x.len().max(1)).zip(y) {
        *y += column.iter().zip(x).map(|(b, x)| b * x).sum::<f64>();
    }
}

/// `y += number x`.
fn add_multiple(number: f64, x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += number * x);
}

/// `y += D x`, of which only the lower triangle of `D` is read.
fn add_symmetric(block: &[f64], x: &[f64], y: &mut [f64]) {
    let n = y.len();
    for j in 0..n {
        y[j] += block[j * n + j] * x[j];
        for i in j + 1..n {
            y[i] += block[j * n + i] * x[j];
            y[j] += block[j * n + i] * x[i];
        }
    }
}
