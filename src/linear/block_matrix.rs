//! A symmetric block matrix: a structure and its values.

use std::sync::Arc;

use nalgebra::DMatrix;
use rayon::prelude::*;

use super::BlockStructure;

/// Below this many stored scalars a product is over before a second thread has woken up.
const PARALLEL_VALUES: usize = 1 << 16;
/// Block rows that one parallel task handles.
const TASK_ROWS: usize = 512;

/// Symmetric matrix of which the lower triangle is stored by blocks; see [`BlockStructure`].
#[derive(Debug, Clone)]
pub struct BlockMatrix {
    structure: Arc<BlockStructure>,
    /// The blocks, each dense and column-major, in the order of the structure.
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

    /// The block at a position of the structure, column-major.
    pub fn block(&self, position: usize) -> &[f64] {
        &self.values[self.structure.values(position)]
    }

    /// The block at a position of the structure, column-major.
    pub fn block_mut(&mut self, position: usize) -> &mut [f64] {
        &mut self.values[self.structure.values(position)]
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
        let offsets = self.structure.offsets();
        let mut tasks = Vec::with_capacity(blocks / TASK_ROWS + 1);
        let mut rest = y;
        for start in (0..blocks).step_by(TASK_ROWS) {
            let end = (start + TASK_ROWS).min(blocks);
            let (head, tail) = rest.split_at_mut(offsets[end] - offsets[start]);
            tasks.push((start, end, head));
            rest = tail;
        }
        tasks.into_par_iter().for_each(|(start, end, y)| self.multiply_rows(start, end, damping, x, y));
    }

    /// The block rows `start..end` of the product.
    fn multiply_rows(&self, start: usize, end: usize, damping: &[f64], x: &[f64], y: &mut [f64]) {
        let structure = &*self.structure;
        let (offsets, col_ptr) = (structure.offsets(), structure.col_ptr());
        let rows = structure.rows();
        for i in start..end {
            let range = offsets[i]..offsets[i + 1];
            let y = &mut y[range.start - offsets[start]..range.end - offsets[start]];
            if damping.is_empty() {
                y.fill(0.0);
            } else {
                for ((y, d), x) in y.iter_mut().zip(&damping[range.clone()]).zip(&x[range]) {
                    *y = d * x;
                }
            }
            for &(col, position) in &rows.entries[rows.row_ptr[i]..rows.row_ptr[i + 1]] {
                let x = &x[offsets[col as usize]..offsets[col as usize + 1]];
                add_block(self.block(position as usize), x, y);
            }
            let diagonal = col_ptr[i];
            add_symmetric(self.block(diagonal), &x[offsets[i]..offsets[i + 1]], y);
            for k in diagonal + 1..col_ptr[i + 1] {
                let row = structure.row_idx()[k] as usize;
                add_transposed(self.block(k), &x[offsets[row]..offsets[row + 1]], y);
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
        diagonal.clear();
        for j in 0..structure.blocks() {
            let block = self.block(structure.col_ptr()[j]);
            diagonal.extend(block.iter().step_by(structure.size(j) + 1));
        }
    }

    /// `A = S A S` for the diagonal matrix of `scales`.
    ///
    /// # Panics
    /// If there is not one scale a scalar row.
    pub fn scale(&mut self, scales: &[f64]) {
        let structure = self.structure.clone();
        let offsets = structure.offsets();
        assert_eq!(scales.len(), structure.scalars(), "number of scales");
        for j in 0..structure.blocks() {
            for position in structure.col_ptr()[j]..structure.col_ptr()[j + 1] {
                let i = structure.row_idx()[position] as usize;
                let rows = &scales[offsets[i]..offsets[i + 1]];
                let columns = self.block_mut(position).chunks_exact_mut(rows.len().max(1));
                for (column, right) in columns.zip(&scales[offsets[j]..offsets[j + 1]]) {
                    column.iter_mut().zip(rows).for_each(|(number, left)| *number *= left * right);
                }
            }
        }
    }

    /// The full matrix, both triangles.
    pub fn to_dense(&self) -> DMatrix<f64> {
        let structure = &*self.structure;
        let offsets = structure.offsets();
        let mut dense = DMatrix::zeros(structure.scalars(), structure.scalars());
        for j in 0..structure.blocks() {
            for k in structure.col_ptr()[j]..structure.col_ptr()[j + 1] {
                let i = structure.row_idx()[k] as usize;
                let rows = structure.size(i);
                for (at, &value) in self.block(k).iter().enumerate() {
                    let (row, col) = (at % rows, at / rows);
                    if i != j || row >= col {
                        dense[(offsets[i] + row, offsets[j] + col)] = value;
                        dense[(offsets[j] + col, offsets[i] + row)] = value;
                    }
                }
            }
        }
        dense
    }

    /// Writes the blocks to the lower triangle of a dense matrix, column-major with columns `stride` apart. Zeros are left as they are, and above
    /// the diagonal stand parts of diagonal blocks.
    pub(super) fn write_lower(&self, dense: &mut [f64], stride: usize) {
        let structure = &*self.structure;
        let offsets = structure.offsets();
        for j in 0..structure.blocks() {
            for k in structure.col_ptr()[j]..structure.col_ptr()[j + 1] {
                let i = structure.row_idx()[k] as usize;
                let (block, target) = (self.block(k), &mut dense[offsets[j] * stride + offsets[i]..]);
                match structure.size(i) {
                    3 => copy_columns::<3>(block, target, stride),
                    6 => copy_columns::<6>(block, target, stride),
                    9 => copy_columns::<9>(block, target, stride),
                    rows => {
                        for (column, numbers) in block.chunks_exact(rows.max(1)).enumerate() {
                            target[column * stride..][..rows].copy_from_slice(numbers);
                        }
                    }
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
    for (column, target) in columns.as_chunks::<H>().0.iter().zip(target.chunks_mut(stride)) {
        if let Some(target) = target.first_chunk_mut() {
            *target = *column;
        }
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
