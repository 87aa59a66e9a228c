//! Columns to which instances add by any number of rows.

use super::{INSTANCE, Instances, Places, Terms, Walk, chunk, signed};
use crate::solver::contribution::Share;
use pulp::{Simd, WithSimd};

/// Blocks of so many rows are added to column by column: in one go over all entries the compiler makes gathers of them.
const TALL: usize = 6;

/// Columns of `W` components, with diagonal blocks of `N` numbers, and blocks of `H` by `W` numbers below it, `B` in all.
pub(super) struct Lines<'a, const H: usize, const W: usize, const N: usize, const B: usize>(pub Walk<'a>);

impl<const H: usize, const W: usize, const N: usize, const B: usize> WithSimd for Lines<'_, H, W, N, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Lines(walk) = self;
        let terms = Rows::<H, N, B> { share: walk.share, instances: walk.instances };
        walk.columns::<W>(terms);
    }
}

/// Rows of instances that are added up one after the other.
struct Rows<'a, const H: usize, const N: usize, const B: usize> {
    share: &'a Share,
    instances: Instances<'a>,
}

impl<const H: usize, const W: usize, const N: usize, const B: usize> Terms<W> for Rows<'_, H, N, B> {
    /// A loop for each kind of sum, which then has the registers to itself; the rows stay in the first-level cache meanwhile.
    #[inline(always)]
    fn column(&self, sources: &[u32], below: usize, own: bool, places: &mut impl Places) -> Option<[f64; W]> {
        let Rows { share, instances: Instances { jacobian, stride, residuals, width } } = *self;
        let row = |source: u32, place: u32| (source >> INSTANCE) as usize * stride + place as usize;
        if own {
            let place = places.diagonal::<N>()?;
            let mut block = places.begin(&place);
            for &source in sources {
                for square in &share.squares {
                    let a: [f64; W] = chunk(jacobian, row(source, square.left));
                    add_product(&mut block, a, a.map(|a| square.scale * a));
                }
            }
            places.put(place, block);
        }
        let mut gradient = [0.0; W];
        for &source in sources {
            for product in &share.gradient {
                let a: [f64; W] = chunk(jacobian, row(source, product.row));
                let residual = residuals[(source >> INSTANCE) as usize * width + product.residual as usize];
                let residual = product.scale * signed(residual, source);
                gradient = std::array::from_fn(|k| gradient[k] + a[k] * residual);
            }
        }
        for &source in sources.iter().take(below) {
            let place = places.below::<B>(source)?;
            let mut block = places.begin(&place);
            for outer in &share.below {
                let a: [f64; H] = chunk(jacobian, row(source, outer.left));
                let b: [f64; W] = chunk(jacobian, row(source, outer.right));
                add_product(&mut block, a, b.map(|b| outer.scale * b));
            }
            places.put(place, block);
        }
        Some(gradient)
    }
}

/// Adds a bᵀ to a block, column-major.
#[inline(always)]
fn add_product<const H: usize, const W: usize, const N: usize>(block: &mut [f64; N], a: [f64; H], b: [f64; W]) {
    if H < TALL {
        *block = std::array::from_fn(|k| block[k] + a[k % H] * b[k / H]);
        return;
    }
    let columns = block.as_chunks_mut::<H>().0;
    for (column, b) in columns.iter_mut().zip(b) {
        *column = std::array::from_fn(|k| column[k] + a[k] * b);
    }
}
