//! Blocks of JᵀJ: sums of outer products.

use super::{Summation, chunk};
use crate::solver::contribution::Outer;
use pulp::{Simd, WithSimd};

/// Blocks of so many rows are added to column by column: in one go over all entries the compiler makes gathers of them.
const TALL: usize = 6;

/// Blocks of `H` by `W` numbers, `N` in all.
pub(super) struct Blocks<'a, const H: usize, const W: usize, const N: usize>(pub &'a [Outer], pub Summation<'a>);

impl<const H: usize, const W: usize, const N: usize> WithSimd for Blocks<'_, H, W, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Blocks(outers, summation) = self;
        let add = |a: [f64; H], b: [f64; W], sum: &mut [f64; N]| {
            if H < TALL {
                *sum = std::array::from_fn(|k| sum[k] + a[k % H] * b[k / H]);
                return;
            }
            let columns = sum.as_chunks_mut::<H>().0;
            for (column, b) in columns.iter_mut().zip(b) {
                *column = std::array::from_fn(|k| column[k] + a[k] * b);
            }
        };
        summation.sum::<N>(|instances, instance, sign, sum| {
            let row = instance * instances.stride;
            for outer in outers {
                let a: [f64; H] = chunk(instances.jacobian, row + outer.left as usize);
                let b: [f64; W] = chunk(instances.jacobian, row + outer.right as usize);
                let scale = sign * outer.scale;
                add(a, b.map(|b| scale * b), sum);
            }
        });
    }
}

/// Blocks of any size.
pub(super) fn any_blocks((height, width): (usize, usize), outers: &[Outer], summation: Summation<'_>) {
    summation.sum_any(height * width, |instances, instance, sign, sum| {
        let row = &instances.jacobian[instance * instances.stride..];
        for outer in outers {
            let (a, b) = (&row[outer.left as usize..][..height], &row[outer.right as usize..][..width]);
            for (column, b) in sum.chunks_exact_mut(height).zip(b) {
                let b = sign * outer.scale * b;
                column.iter_mut().zip(a).for_each(|(number, a)| *number += a * b);
            }
        }
    });
}
