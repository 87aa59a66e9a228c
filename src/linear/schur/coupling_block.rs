//! Products with one block of E, in loops unrolled for the sizes of cameras, poses and points.

/// A block of E as it is stored.
#[derive(Debug, Clone, Copy)]
pub enum CouplingBlock<'a> {
    /// Column-major.
    Upright(&'a [f64]),
    /// Its transpose, column-major.
    Transposed(&'a [f64]),
    /// The identity times a number.
    Multiple(f64),
}

impl CouplingBlock<'_> {
    fn transpose(self) -> Self {
        match self {
            CouplingBlock::Upright(block) => CouplingBlock::Transposed(block),
            CouplingBlock::Transposed(block) => CouplingBlock::Upright(block),
            CouplingBlock::Multiple(_) => self,
        }
    }
}

/// Copies a block of E, `rows` × `columns`, to row `row` of a column-major matrix with columns of length `stride`.
#[inline(always)]
pub fn gather(
    block: CouplingBlock<'_>,
    (rows, columns): (usize, usize),
    target: &mut [f64],
    stride: usize,
    row: usize,
) {
    let (block, transposed) = match block {
        CouplingBlock::Upright(block) => (block, false),
        CouplingBlock::Transposed(block) => (block, true),
        CouplingBlock::Multiple(number) => {
            for column in 0..columns {
                let target = &mut target[column * stride + row..][..rows];
                target.fill(0.0);
                target[column] = number;
            }
            return;
        }
    };
    match (rows, columns) {
        (9, 3) => gather_fixed::<9, 3>(block, transposed, target, stride, row),
        (6, 3) => gather_fixed::<6, 3>(block, transposed, target, stride, row),
        (3, 3) => gather_fixed::<3, 3>(block, transposed, target, stride, row),
        (6, 6) => gather_fixed::<6, 6>(block, transposed, target, stride, row),
        (3, 2) => gather_fixed::<3, 2>(block, transposed, target, stride, row),
        _ => {
            for column in 0..columns {
                let target = &mut target[column * stride + row..][..rows];
                if transposed {
                    let source = block[column..].iter().step_by(columns);
                    target.iter_mut().zip(source).for_each(|(t, v)| *t = *v);
                } else {
                    target.copy_from_slice(&block[column * rows..][..rows]);
                }
            }
        }
    }
}

#[inline(always)]
fn gather_fixed<const H: usize, const D: usize>(
    block: &[f64],
    transposed: bool,
    target: &mut [f64],
    stride: usize,
    row: usize,
) {
    let numbers = &block[..H * D];
    for column in 0..D {
        let Some(target) = target[column * stride + row..].first_chunk_mut::<H>() else { return };
        if transposed {
            *target = std::array::from_fn(|k| numbers[k * D + column]);
        } else {
            *target = std::array::from_fn(|k| numbers[column * H + k]);
        }
    }
}

/// `t += Eᵀ x` for one block of E, with `rows` × `columns` = `x.len()` × `t.len()`.
#[inline(always)]
pub fn add_transposed_product(block: CouplingBlock<'_>, x: &[f64], t: &mut [f64]) {
    match (x.len(), t.len(), block) {
        (_, _, CouplingBlock::Multiple(number)) => t.iter_mut().zip(x).for_each(|(t, x)| *t += number * x),
        (9, 3, CouplingBlock::Upright(block)) => columns_dot::<9, 3>(block, x, t),
        (9, 3, CouplingBlock::Transposed(block)) => columns_axpy::<3, 9>(block, x, t),
        (6, 3, CouplingBlock::Upright(block)) => columns_dot::<6, 3>(block, x, t),
        (6, 3, CouplingBlock::Transposed(block)) => columns_axpy::<3, 6>(block, x, t),
        (rows, _, CouplingBlock::Upright(block)) => {
            for (t, column) in t.iter_mut().zip(block.chunks_exact(rows.max(1))) {
                *t += column.iter().zip(x).map(|(e, x)| e * x).sum::<f64>();
            }
        }
        (_, columns, CouplingBlock::Transposed(block)) => {
            for (x, row) in x.iter().zip(block.chunks_exact(columns.max(1))) {
                t.iter_mut().zip(row).for_each(|(t, e)| *t += e * x);
            }
        }
    }
}

/// `y += E t` for one block of E, with `y.len()` × `t.len()` entries.
#[inline(always)]
pub fn add_product(block: CouplingBlock<'_>, t: &[f64], y: &mut [f64]) {
    add_transposed_product(block.transpose(), t, y);
}

/// `y[c] += (column c) · x` for W columns of H numbers.
#[inline(always)]
fn columns_dot<const H: usize, const W: usize>(block: &[f64], x: &[f64], y: &mut [f64]) {
    let (Some(x), Some(y)) = (x.first_chunk::<H>(), y.first_chunk_mut::<W>()) else { return };
    for (y, column) in y.iter_mut().zip(block.chunks_exact(H)) {
        *y += (0..H).map(|k| column[k] * x[k]).sum::<f64>();
    }
}

/// `y += Σ (column c) x[c]` for W columns of H numbers.
#[inline(always)]
fn columns_axpy<const H: usize, const W: usize>(block: &[f64], x: &[f64], y: &mut [f64]) {
    let (Some(x), Some(y)) = (x.first_chunk::<W>(), y.first_chunk_mut::<H>()) else { return };
    for (x, column) in x.iter().zip(block.chunks_exact(H)) {
        *y = std::array::from_fn(|k| y[k] + column[k] * x);
    }
}
