//! Dense arithmetic on fronts so small that calling a library costs more than the arithmetic: those of chains, of pose graphs and of
//! the leaves of every other tree.
//!
//! Plain loops over columns, compiled for each instruction set; structs for the reason that `backend/cpu` gives.

use pulp::{Arch, Simd, WithSimd};

/// Most columns of a small front.
const COLUMNS: usize = 16;
/// Most rows of a small front, the columns included.
const ROWS: usize = 64;

/// Whether a front of so many columns and rows is small.
pub fn is_small(width: usize, rows: usize) -> bool {
    (1..=COLUMNS).contains(&width) && rows <= ROWS
}

/// Factorises a column-major panel with columns of `rows` numbers in place, as
/// [`factorize_panel`](super::front::factorize_panel).
pub fn factorize_panel(panel: &mut [f64], rows: usize) -> Result<(), usize> {
    Arch::new().dispatch(Factorize { panel, rows })
}

/// Columns that are taken off those after them together, so that these are read and written once for all: the order of the
/// subtractions stays.
const TOGETHER: usize = 4;

struct Factorize<'a> {
    panel: &'a mut [f64],
    rows: usize,
}

impl WithSimd for Factorize<'_> {
    type Output = Result<(), usize>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Result<(), usize> {
        let Self { panel, rows } = self;
        let width = panel.len() / rows;
        let mut first = 0;
        while first < width {
            let together = TOGETHER.min(width - first);
            let (done, right) = panel[first * rows..].split_at_mut(together * rows);
            for k in 0..together {
                let (left, others) = done.split_at_mut((k + 1) * rows);
                let column = &mut left[k * rows + first + k..];
                let pivot = column[0];
                if pivot <= 0.0 || pivot.is_nan() {
                    return Err(first + k);
                }
                let inverse = pivot.sqrt().recip();
                column.iter_mut().for_each(|v| *v *= inverse);
                for (ahead, target) in others.chunks_exact_mut(rows).enumerate() {
                    let source = &column[ahead + 1..];
                    let factor = source[0];
                    target[first + k + ahead + 1..].iter_mut().zip(source).for_each(|(t, s)| *t -= factor * s);
                }
            }
            first += together;
            for (k, target) in right.chunks_exact_mut(rows).enumerate() {
                let top = first + k;
                let target = &mut target[top..];
                // There are columns to the right only of a full block.
                let [a, b, c, d] = std::array::from_fn(|k| &done[k * rows + top..(k + 1) * rows]);
                let [p, q, r, s] = [a[0], b[0], c[0], d[0]];
                for ((((t, a), b), c), d) in target.iter_mut().zip(a).zip(b).zip(c).zip(d) {
                    *t = *t - p * a - q * b - r * c - s * d;
                }
            }
        }
        Ok(())
    }
}

/// Sets the lower triangle of a square column-major matrix to `-L Lᵀ`, with L the rows of a panel from `width` on.
pub fn write_update(panel: &[f64], rows: usize, width: usize, update: &mut [f64]) {
    Arch::new().dispatch(Update { panel, rows, width, update });
}

struct Update<'a> {
    panel: &'a [f64],
    rows: usize,
    width: usize,
    update: &'a mut [f64],
}

impl WithSimd for Update<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { panel, rows, width, update } = self;
        let height = rows - width;
        for (j, target) in update.chunks_exact_mut(height.max(1)).enumerate() {
            let target = &mut target[j..];
            target.fill(0.0);
            for column in panel.chunks_exact(rows) {
                let source = &column[width + j..];
                let factor = source[0];
                target.iter_mut().zip(source).for_each(|(t, s)| *t -= factor * s);
            }
        }
    }
}

/// Overwrites `own` by `L₁₁⁻¹ own`, and takes `L₂₁` times that off `below`.
pub fn solve_forward(panel: &[f64], rows: usize, own: &mut [f64], below: &mut [f64]) {
    Arch::new().dispatch(Forward { panel, rows, own, below });
}

struct Forward<'a> {
    panel: &'a [f64],
    rows: usize,
    own: &'a mut [f64],
    below: &'a mut [f64],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { panel, rows, own, below } = self;
        let width = own.len();
        for (j, column) in panel.chunks_exact(rows).enumerate() {
            let x = own[j] / column[j];
            own[j] = x;
            own[j + 1..].iter_mut().zip(&column[j + 1..width]).for_each(|(t, l)| *t -= l * x);
            below.iter_mut().zip(&column[width..]).for_each(|(t, l)| *t -= l * x);
        }
    }
}

/// Overwrites `own` by `L₁₁⁻ᵀ (own - L₂₁ᵀ below)`.
pub fn solve_backward(panel: &[f64], rows: usize, own: &mut [f64], below: &[f64]) {
    Arch::new().dispatch(Backward { panel, rows, own, below });
}

struct Backward<'a> {
    panel: &'a [f64],
    rows: usize,
    own: &'a mut [f64],
    below: &'a [f64],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { panel, rows, own, below } = self;
        for (j, column) in panel.chunks_exact(rows).enumerate().rev() {
            let (beside, under) = column.split_at(own.len());
            let sum = dot(&own[j + 1..], &beside[j + 1..]) + dot(below, under);
            own[j] = (own[j] - sum) / column[j];
        }
    }
}

/// In eight partial sums, which need not wait for each other.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h)) + rest
}
