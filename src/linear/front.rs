//! Dense arithmetic on one front, cut into fixed tiles that threads may share.
//!
//! The tiles depend on the size of the front only and each is computed by one thread, so the result is the
//! same, bit for bit, for any number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{self, LltError, LltParams};
use faer::linalg::matmul::triangular::{self, BlockStructure::*};
use faer::linalg::{matmul::matmul, triangular_solve::solve_lower_triangular_in_place};
use faer::reborrow::{Reborrow, ReborrowMut};
use faer::{Accum, MatMut, MatRef, Par, Spec};
use rayon::prelude::*;

/// Columns that are eliminated together.
const PIVOT_TILE: usize = 128;
/// Columns of a trailing update that one thread computes.
const UPDATE_TILE: usize = 128;
/// Rows of a triangular solve that one thread computes.
const SOLVE_TILE: usize = 256;

/// Factorises a panel in place: `[A₁₁; A₂₁]` becomes `[L₁₁; L₂₁]` with `L₁₁ L₁₁ᵀ = A₁₁` and
/// `L₂₁ L₁₁ᵀ = A₂₁`. Only the lower triangle of `A₁₁` is read; above it the result is undefined.
/// The error is the column whose pivot is not positive.
pub fn factorize_panel(mut panel: MatMut<'_, f64>, parallel: bool) -> Result<(), usize> {
    let width = panel.ncols();
    for start in (0..width).step_by(PIVOT_TILE) {
        let tile = PIVOT_TILE.min(width - start);
        let (_, rest) = panel.rb_mut().split_at_row_mut(start);
        let (_, rest) = rest.split_at_col_mut(start);
        let (mut left, right) = rest.split_at_col_mut(tile);
        let (mut top, bottom) = left.rb_mut().split_at_row_mut(tile);
        cholesky(top.rb_mut()).map_err(|pivot| start + pivot)?;
        solve_rows(top.rb(), bottom, parallel);
        let (_, left) = left.rb().split_at_row(tile);
        let (_, right) = right.split_at_row_mut(tile);
        subtract_product(right, left, Accum::Add, parallel);
    }
    Ok(())
}

/// `U -= L Lᵀ` (or `U = -L Lᵀ` with [`Accum::Replace`]) for the first columns of a lower trapezoid `U`.
pub fn subtract_product(target: MatMut<'_, f64>, factor: MatRef<'_, f64>, accum: Accum, parallel: bool) {
    let update = |(start, target): (usize, MatMut<'_, f64>)| {
        let columns = target.ncols();
        let (_, target) = target.split_at_row_mut(start);
        let (_, factor) = factor.split_at_row(start);
        let (triangle, below) = target.split_at_row_mut(columns);
        let (top, bottom) = factor.split_at_row(columns);
        let seq = Par::Seq;
        triangular::matmul(triangle, TriangularLower, accum, top, Rectangular, top.transpose(), Rectangular, -1.0, seq);
        matmul(below, accum, bottom, top.transpose(), -1.0, seq);
    };
    let tiles = column_tiles(target, UPDATE_TILE);
    if parallel && tiles.len() > 1 {
        tiles.into_par_iter().for_each(update);
    } else {
        tiles.into_iter().for_each(update);
    }
}

/// Cuts a matrix into groups of columns, each with the index of its first column.
fn column_tiles(matrix: MatMut<'_, f64>, width: usize) -> Vec<(usize, MatMut<'_, f64>)> {
    let mut tiles = Vec::with_capacity(matrix.ncols() / width + 1);
    let mut rest = matrix;
    let mut start = 0;
    while rest.ncols() > 0 {
        let (head, tail) = {
            let at = width.min(rest.ncols());
            rest.split_at_col_mut(at)
        };
        let columns = head.ncols();
        tiles.push((start, head));
        start += columns;
        rest = tail;
    }
    tiles
}

fn cholesky(block: MatMut<'_, f64>) -> Result<(), usize> {
    let params: Spec<LltParams, f64> = Spec::default();
    let request = factor::cholesky_in_place_scratch::<f64>(block.nrows(), Par::Seq, params);
    let mut memory = MemBuffer::new(request);
    let stack = MemStack::new(&mut memory);
    match factor::cholesky_in_place(block, Default::default(), Par::Seq, stack, params) {
        Ok(_) => Ok(()),
        Err(LltError::NonPositivePivot { index }) => Err(index),
    }
}

/// `B ← B L⁻ᵀ`, by rows of `B`.
fn solve_rows(lower: MatRef<'_, f64>, rows: MatMut<'_, f64>, parallel: bool) {
    let solve = |rows: MatMut<'_, f64>| {
        solve_lower_triangular_in_place(lower, rows.transpose_mut(), Par::Seq);
    };
    let mut tiles = Vec::with_capacity(rows.nrows() / SOLVE_TILE + 1);
    let mut rest = rows;
    while rest.nrows() > 0 {
        let at = SOLVE_TILE.min(rest.nrows());
        let (head, tail) = rest.split_at_row_mut(at);
        tiles.push(head);
        rest = tail;
    }
    if parallel && tiles.len() > 1 {
        tiles.into_par_iter().for_each(solve);
    } else {
        tiles.into_iter().for_each(solve);
    }
}
