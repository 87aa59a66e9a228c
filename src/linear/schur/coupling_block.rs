//! Products with one block of E, in loops unrolled for the sizes of cameras, poses and points.

/// Copies a block of E, `rows` × `columns`, to row `row` of a column-major matrix with columns of length `stride`.
/// The block is column-major itself, or its transpose is.
#[inline(always)]
pub fn gather(
    block: &[f64],
    transposed: bool,
    (rows, columns): (usize, usize),
    target: &mut [f64],
    stride: usize,
    row: usize,
) {
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
pub fn add_transposed_product(block: &[f64], transposed: bool, x: &[f64], t: &mut [f64]) {
    match (x.len(), t.len(), transposed) {
        (9, 3, false) => columns_dot::<9, 3>(block, x, t),
        (9, 3, true) => columns_axpy::<3, 9>(block, x, t),
        (6, 3, false) => columns_dot::<6, 3>(block, x, t),
        (6, 3, true) => columns_axpy::<3, 6>(block, x, t),
        (rows, _, false) => {
            for (t, column) in t.iter_mut().zip(block.chunks_exact(rows.max(1))) {
                *t += column.iter().zip(x).map(|(e, x)| e * x).sum::<f64>();
            }
        }
        (_, columns, true) => {
            for (x, row) in x.iter().zip(block.chunks_exact(columns.max(1))) {
                t.iter_mut().zip(row).for_each(|(t, e)| *t += e * x);
            }
        }
    }
}

/// `y += E t` for one block of E, with `y.len()` × `t.len()` entries.
#[inline(always)]
pub fn add_product(block: &[f64], transposed: bool, t: &[f64], y: &mut [f64]) {
    // The transpose of the transpose.
    add_transposed_product(block, !transposed, t, y);
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
