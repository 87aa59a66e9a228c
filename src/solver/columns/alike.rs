//! Columns of blocks that an instance treats alike, by one row.

use super::{COPIES, INSTANCE, Instances, Places, Terms, Walk, chunk, signed};
use crate::solver::contribution::Share;
use pulp::{Simd, WithSimd};

/// Columns of `H` components, with blocks of `B` numbers, whose instances have one residual each and rows that differ by a factor at
/// most: what they add to the diagonal and below it are multiples of one square, which is computed once, together with the part of Jᵀr:
/// `D` numbers, those of (a, r) aᵀ.
pub(super) struct Alike<'a, const H: usize, const D: usize, const B: usize>(pub Walk<'a>);

/// Where the row is and its residual, and what their products are taken times.
#[derive(Clone, Copy)]
struct Line {
    row: usize,
    residual: usize,
    square: f64,
    gradient: f64,
    below: f64,
}

impl Line {
    fn of(share: &Share) -> Option<Self> {
        let (&[square], &[gradient]) = (&share.squares[..], &share.gradient[..]) else { return None };
        let below = match share.below[..] {
            [] => 0.0,
            [outer] if outer.is_square() && outer.left == square.left => outer.scale,
            _ => return None,
        };
        let (row, residual) = (square.left as usize, gradient.residual as usize);
        let line = Line { row, residual, square: square.scale, gradient: gradient.scale, below };
        (gradient.row == square.left).then_some(line)
    }
}

impl<const H: usize, const D: usize, const B: usize> Alike<'_, H, D, B> {
    pub fn fits(share: &Share) -> bool {
        Line::of(share).is_some() && share.width == H && (share.height == H || share.height == 0)
    }
}

impl<const H: usize, const D: usize, const B: usize> WithSimd for Alike<'_, H, D, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Alike(walk) = self;
        let Some(line) = Line::of(walk.share) else { return };
        let Instances { jacobian, stride, residuals, width } = walk.instances;
        let (rows, rest) = jacobian.as_chunks::<H>();
        if COPIES && (stride, width) == (H, 1) && rest.is_empty() && rows.len() == residuals.len() {
            // Row and residual are all there is: then it needs no multiplication to find them.
            let read = |instance: usize| (rows[instance], residuals[instance]);
            walk.columns::<H>(Squares::<D, B, _> { line, read });
        } else {
            let row = |instance: usize| chunk(jacobian, instance * stride + line.row);
            let read = |instance: usize| (row(instance), residuals[instance * width + line.residual]);
            walk.columns::<H>(Squares::<D, B, _> { line, read });
        }
    }
}

/// `read` gives row and residual of an instance.
struct Squares<const D: usize, const B: usize, R> {
    line: Line,
    read: R,
}

impl<const D: usize, const B: usize, R> Squares<D, B, R> {
    /// Adds (a, r) aᵀ of a source to the sum of its column.
    #[inline(always)]
    fn add<const H: usize>(&self, source: u32, sum: &mut [f64; D]) -> [f64; D]
    where
        R: Fn(usize) -> ([f64; H], f64),
    {
        let (row, residual) = (self.read)((source >> INSTANCE) as usize);
        let residual = signed(residual, source);
        let left = |i: usize| if i < H { row[i] } else { residual };
        let product = std::array::from_fn(|k| left(k % (H + 1)) * row[k / (H + 1)]);
        *sum = std::array::from_fn(|k| sum[k] + product[k]);
        product
    }
}

impl<const H: usize, const D: usize, const B: usize, R: Fn(usize) -> ([f64; H], f64)> Terms<H> for Squares<D, B, R> {
    #[inline(always)]
    fn column(&self, sources: &[u32], below: usize, _: bool, places: &mut impl Places) -> Option<[f64; H]> {
        let (below, alone) = sources.split_at_checked(below).unwrap_or_default();
        let block = |product: [f64; D], factor: f64| -> [f64; B] {
            std::array::from_fn(|entry| factor * product[entry % H + entry / H * (H + 1)])
        };
        let diagonal = places.diagonal()?;
        let mut sum = [0.0; D];
        for &source in below {
            let product = self.add(source, &mut sum);
            let place = places.below(source)?;
            places.write(place, block(product, self.line.below));
        }
        for &source in alone {
            self.add(source, &mut sum);
        }
        places.write(diagonal, block(sum, self.line.square));
        Some(std::array::from_fn(|k| self.line.gradient * sum[k * (H + 1) + H]))
    }
}
