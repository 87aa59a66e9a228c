//! Blocks of JᵀJ that are sums of squares of one row.

use super::{Bases, Begin, Sign, Summation, chunk};
use crate::solver::contribution::Outer;
use pulp::{Simd, WithSimd};

/// Sums of squares of a row of `H` numbers: what one residual adds to the diagonal, or across to a block that it reads alike. All
/// sources of a sum count with one sign. The squares are symmetric, so only the triangle is summed, in `P` places.
pub(super) struct Squares<'a, const H: usize, const P: usize>(pub &'a Outer, pub Summation<'a>);

impl<const H: usize, const P: usize> Squares<'_, H, P> {
    /// Row and column of each place.
    const PLACES: [(usize, usize); P] = {
        let mut places = [(0, 0); P];
        let (mut place, mut column) = (0, 0);
        while column < H {
            let mut row = column;
            while row < H {
                places[place] = (row, column);
                (place, row) = (place + 1, row + 1);
            }
            column += 1;
        }
        places
    };

    /// The place of an entry of the block, column-major.
    const fn place(entry: usize) -> usize {
        let (i, j) = (entry % H, entry / H);
        let (row, column) = if i > j { (i, j) } else { (j, i) };
        column * H - column * column.saturating_sub(1) / 2 + row - column
    }

    /// Carries out the sums; `row` is the row of an instance.
    #[inline(always)]
    fn sum(self, scale: f64, row: impl Fn(usize) -> [f64; H]) {
        let Squares(_, Summation { sums, begin, numbers, .. }) = self;
        for (k, (target, sources)) in sums.iter().enumerate() {
            let Some(target) = numbers.get_mut(target..target + H * H) else { continue };
            let mut sum = [0.0; P];
            for &source in sources {
                let row = row(source as usize >> 1);
                sum = std::array::from_fn(|p| sum[p] + row[Self::PLACES[p].0] * row[Self::PLACES[p].1]);
            }
            let number = |entry: usize| scale * sum[Self::place(entry)];
            // Each kind of base is added where it is written: a sum that began with one of several kinds would go through memory.
            match begin {
                Begin::At(Bases::Multiples(multiples)) => {
                    let multiple = multiples.get(k).copied().unwrap_or_default();
                    for (entry, target) in target.iter_mut().enumerate() {
                        *target = if entry % (H + 1) == 0 { number(entry) + multiple } else { number(entry) };
                    }
                }
                Begin::At(Bases::Zero) => target.iter_mut().enumerate().for_each(|(e, target)| *target = number(e)),
                Begin::At(Bases::Blocks(blocks)) => {
                    let base = blocks.get(k * H * H..(k + 1) * H * H).unwrap_or_default();
                    target.iter_mut().zip(base).enumerate().for_each(|(e, (target, base))| *target = base + number(e));
                }
                Begin::Present => target.iter_mut().enumerate().for_each(|(e, target)| *target += number(e)),
            }
        }
    }
}

impl<const H: usize, const P: usize> WithSimd for Squares<'_, H, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Squares(outer, Summation { instances, sums, .. }) = self;
        let scale = if sums.sign == Sign::Negative { -outer.scale } else { outer.scale };
        let first = outer.left as usize;
        match instances.rows::<H>(first) {
            Some(rows) => self.sum(scale, |instance| rows[instance]),
            None => self.sum(scale, |instance| chunk(instances.jacobian, instance * instances.stride + first)),
        }
    }
}
