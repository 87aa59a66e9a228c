//! Dense Cholesky factorisation of small systems, tile by tile.
//!
//! Below some hundred unknowns neither memory nor arithmetic counts but what waits for what: a square root for the column before it, a
//! sum for its last term, a loop for its remainder. So rows come in whole tiles of eight, a register's worth; eight columns are factored in one tile, as
//! L D Lᵀ, whose pivots wait for no square root, before the tiles below follow, which do not wait for each other; and what these take off the
//! right-hand side is taken off while they are in registers, beside the rest of the factorisation.
//!
//! Every number is computed by the same operations in the same order whatever the instruction set.

use pulp::{Arch, Simd, WithSimd};

/// Rows and columns of a tile.
const TILE: usize = 8;
/// Columns of a tile that are summed together: two halves, so that they fit the registers of every instruction set.
const HALF: usize = TILE / 2;

type Column = [f64; TILE];
type Tile = [Column; TILE];

/// A symmetric positive definite matrix and a right-hand side, overwritten by their factor and a solution.
#[derive(Debug, Default)]
pub struct TiledSystem {
    unknowns: usize,
    /// Numbers from one column to the next: whole tiles.
    stride: usize,
    /// Column-major from `start` on, where a line of the cache begins.
    numbers: Vec<f64>,
    start: usize,
    /// One over the diagonal of the factor.
    inverses: Vec<Column>,
    /// The right-hand side, then the solution.
    x: Vec<Column>,
}

impl TiledSystem {
    /// Makes room for as many unknowns, with zeros in it.
    pub fn clear(&mut self, unknowns: usize) {
        let stride = unknowns.next_multiple_of(TILE);
        self.numbers.clear();
        self.numbers.resize(stride * stride + TILE, 0.0);
        self.start = self.numbers.as_ptr().align_offset(TILE * size_of::<f64>()).min(TILE);
        self.inverses.resize(stride / TILE, [0.0; TILE]);
        self.x.clear();
        self.x.resize(stride / TILE, [0.0; TILE]);
        (self.unknowns, self.stride) = (unknowns, stride);
    }

    /// The columns, of which the first numbers are those of the matrix, and how far they are apart. Only the lower triangle is read.
    pub fn columns_mut(&mut self) -> (&mut [f64], usize) {
        (&mut self.numbers[self.start..], self.stride)
    }

    /// Solves for `rhs`; the error is the column whose pivot is not positive.
    pub fn solve(&mut self, rhs: &[f64], solution: &mut [f64]) -> Result<(), usize> {
        let (unknowns, stride) = (self.unknowns, self.stride);
        self.x.as_flattened_mut()[..unknowns].copy_from_slice(rhs);
        let tiles = self.numbers[self.start..].as_chunks_mut::<TILE>().0;
        let (inverses, x) = (&mut self.inverses[..], &mut self.x[..]);
        Arch::new().dispatch(Solve { tiles, rows: stride / TILE, unknowns, inverses, x })?;
        solution.copy_from_slice(&self.x.as_flattened()[..unknowns]);
        Ok(())
    }
}

/// Factors and solves; a struct for the reason that `backend/cpu` gives.
struct Solve<'a> {
    /// The tiles' columns: those of one column of the matrix one after the other.
    tiles: &'a mut [Column],
    /// Tiles of a column.
    rows: usize,
    unknowns: usize,
    inverses: &'a mut [Column],
    x: &'a mut [Column],
}

impl WithSimd for Solve<'_> {
    type Output = Result<(), usize>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Result<(), usize> {
        let Solve { tiles, rows, unknowns, inverses, x } = self;
        for (j, inverses) in inverses.iter_mut().enumerate() {
            let width = TILE.min(unknowns - j * TILE);
            let mut diagonal = reduced(tiles, rows, j, j);
            let multipliers = factorize(&mut diagonal, width, inverses).map_err(|k| j * TILE + k)?;
            write(tiles, rows, j, j, &diagonal);
            let y = substituted(x[j], &multipliers, inverses);
            x[j] = y;
            for (i, rest) in x.iter_mut().enumerate().skip(j + 1) {
                let mut below = reduced(tiles, rows, i, j);
                eliminate(&mut below, &multipliers, inverses);
                write(tiles, rows, i, j, &below);
                for (column, y) in below.iter().zip(y) {
                    for k in 0..TILE {
                        rest[k] -= column[k] * y;
                    }
                }
            }
        }
        solve_transposed(tiles, rows, unknowns, inverses, x);
        Ok(())
    }
}

/// Tile (i, j) of the matrix without what the columns before it take off.
#[inline(always)]
fn reduced(tiles: &[Column], rows: usize, i: usize, j: usize) -> Tile {
    let mut sums = [[0.0; TILE]; TILE];
    for half in 0..2 {
        let first = half * HALF;
        let mut sum: [Column; HALF] = std::array::from_fn(|c| tiles[(j * TILE + first + c) * rows + i]);
        for before in tiles[..j * TILE * rows].chunks_exact(rows) {
            let (left, right) = (&before[i], &before[j]);
            for c in 0..HALF {
                for k in 0..TILE {
                    sum[c][k] -= left[k] * right[first + c];
                }
            }
        }
        sums[first..first + HALF].copy_from_slice(&sum);
    }
    sums
}

#[inline(always)]
fn write(tiles: &mut [Column], rows: usize, i: usize, j: usize, tile: &Tile) {
    for (c, column) in tile.iter().enumerate() {
        tiles[(j * TILE + c) * rows + i] = *column;
    }
}

/// Factors the lower triangle of a tile, of which `width` columns are there. Leaves one over the diagonal in `inverses`, and returns by how much
/// of each column the later ones are reduced. The error is the column whose pivot is not positive.
#[inline(always)]
fn factorize(tile: &mut Tile, width: usize, inverses: &mut Column) -> Result<Tile, usize> {
    let mut multipliers = [[0.0; TILE]; TILE];
    let mut pivots = [1.0; TILE];
    macro_rules! columns {
        ($($column:literal)*) => {$(
            if $column < width {
                pivots[$column] = tile[$column][$column];
            }
            let inverse = pivots[$column].recip();
            multipliers[$column] = tile[$column].map(|number| number * inverse);
            take_off::<$column>(tile, &multipliers[$column]);
        )*};
    }
    columns!(0 1 2 3 4 5 6 7);
    // What follows a pivot that is not positive is no number or nonsense.
    if let Some(column) = pivots.iter().position(|&pivot| pivot <= 0.0 || pivot.is_nan()) {
        return Err(column);
    }
    *inverses = pivots.map(|pivot| pivot.sqrt().recip());
    scale(tile, inverses);
    Ok(multipliers)
}

/// Multiplies a tile from the right by the inverse transpose of the factored tile above it.
#[inline(always)]
fn eliminate(tile: &mut Tile, multipliers: &Tile, inverses: &Column) {
    macro_rules! columns {
        ($($column:literal)*) => { $(take_off::<$column>(tile, &multipliers[$column]);)* };
    }
    columns!(0 1 2 3 4 5 6);
    scale(tile, inverses);
}

/// Takes multiples of column `C` off the later ones; a constant, so that the tile stays in registers.
#[inline(always)]
fn take_off<const C: usize>(tile: &mut Tile, multipliers: &Column) {
    let column = tile[C];
    for d in C + 1..TILE {
        for k in 0..TILE {
            tile[d][k] -= column[k] * multipliers[d];
        }
    }
}

#[inline(always)]
fn scale(tile: &mut Tile, factors: &Column) {
    for (column, factor) in tile.iter_mut().zip(factors) {
        column.iter_mut().for_each(|number| *number *= factor);
    }
}

/// Solves with a factored tile for a part of the right-hand side.
#[inline(always)]
fn substituted(mut rest: Column, multipliers: &Tile, inverses: &Column) -> Column {
    let mut solution = [0.0; TILE];
    for c in 0..TILE {
        let number = rest[c];
        solution[c] = number * inverses[c];
        // All eight at once: those up to `c` have been read.
        for k in 0..TILE {
            rest[k] -= number * multipliers[c][k];
        }
    }
    solution
}

/// Solves Lᵀ x = y in place. What no unknown has a place in stays 0.
#[inline(always)]
fn solve_transposed(tiles: &[Column], rows: usize, unknowns: usize, inverses: &[Column], x: &mut [Column]) {
    for (j, inverses) in inverses.iter().enumerate().rev() {
        let columns = &tiles[j * TILE * rows..(j + 1) * TILE * rows];
        let mut taken = [0.0; TILE];
        for half in 0..2 {
            let first = half * HALF;
            let mut sums = [[0.0; TILE]; HALF];
            // The nearest last, which was found just now.
            for (i, x) in x.iter().enumerate().skip(j + 1).rev() {
                let below: [Column; HALF] = std::array::from_fn(|c| columns[(first + c) * rows + i]);
                for c in 0..HALF {
                    for k in 0..TILE {
                        sums[c][k] += below[c][k] * x[k];
                    }
                }
            }
            for c in 0..HALF {
                let [p, q, r, s, t, u, v, w] = sums[c];
                taken[first + c] = ((p + q) + (r + s)) + ((t + u) + (v + w));
            }
        }
        let width = TILE.min(unknowns - j * TILE);
        // All over the diagonal, so that a number waits for the ones after it but for no scale.
        let own: Tile = std::array::from_fn(|c| columns[c * rows + j].map(|number| number * inverses[c]));
        let y = x[j];
        let mut rest: Column = std::array::from_fn(|c| (y[c] - taken[c]) * inverses[c]);
        for c in (0..TILE).rev() {
            if c >= width {
                rest[c] = 0.0;
            }
            for d in 0..c {
                rest[d] -= own[d][c] * rest[c];
            }
        }
        x[j] = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Solves a system of `n` unknowns whose matrix is 1 / (1 + |i − j|), but for the last entry of the diagonal; also returns the residual.
    fn solve(n: usize, last: f64) -> Result<f64, usize> {
        let entry = |i: usize, j: usize| if i == j && i + 1 == n { last } else { 1.0 / (1 + i.abs_diff(j)) as f64 };
        let rhs: Vec<f64> = (0..n).map(|k| k as f64 - 2.5).collect();
        let (mut system, mut x) = (TiledSystem::default(), vec![0.0; n]);
        system.clear(n);
        let (columns, stride) = system.columns_mut();
        (0..n).for_each(|j| (j..n).for_each(|i| columns[j * stride + i] = entry(i, j)));
        system.solve(&rhs, &mut x)?;
        let residual = |i: usize| (0..n).map(|j| entry(i, j) * x[j]).sum::<f64>() - rhs[i];
        Ok((0..n).map(|i| residual(i).abs()).fold(0.0, f64::max))
    }

    #[test]
    fn systems_of_any_size_are_solved() {
        for n in 0..=4 * TILE + 1 {
            let residual = solve(n, 1.0).unwrap();
            assert!(residual < 1e-12 * (1 + n) as f64, "{n}: {residual}");
        }
    }

    #[test]
    fn a_pivot_that_is_not_positive_is_named_in_every_tile() {
        for n in 1..=3 * TILE {
            assert_eq!(solve(n, -1.0).unwrap_err(), n - 1);
            assert_eq!(solve(n, f64::NAN).unwrap_err(), n - 1);
        }
    }
}
