//! Columns of any size.

use super::{AGAIN, INSTANCE, Targets, Walk, signed};

impl Walk<'_> {
    /// Goes through the columns with sums in place.
    pub(super) fn any(self) {
        let Walk { share, instances, pass, mut weighted, numbers, gradient } = self;
        let (width, height) = (share.width, share.height);
        let (own, size) = (share.is_own(), height * width);
        let mut sources = pass.sources.iter();
        let (mut end, mut listed, mut target) = (0, 0, 0);
        // Where the next block begins.
        let mut next = |size: usize| {
            let start = match &pass.targets {
                Targets::Streamed => end,
                Targets::Listed { blocks, .. } => blocks[listed] as usize,
            };
            (end, listed) = (start + size, listed + 1);
            start
        };
        for (k, step) in pass.steps().enumerate() {
            let place = if own { next(width * width) } else { 0 };
            let start = match &pass.targets {
                Targets::Streamed => k * width,
                Targets::Listed { gradient, .. } => gradient.get(k).map_or(0, |&start| start as usize),
            };
            if own {
                pass.diagonal.write_alone(k, &mut numbers[place..place + width * width]);
                if let Some(sums) = &mut weighted {
                    sums.write(&mut gradient[start..start + width]);
                }
            }
            let mut block = 0;
            for (index, &source) in sources.by_ref().take((step.below + step.alone) as usize).enumerate() {
                let row = &instances.jacobian[(source >> INSTANCE) as usize * instances.stride..];
                let residuals = &instances.residuals[(source >> INSTANCE) as usize * instances.width..];
                let below = index < step.below as usize;
                if below && source & AGAIN == 0 {
                    block = next(size);
                    pass.below.write_alone(target, &mut numbers[block..block + size]);
                    target += 1;
                }
                for square in &share.squares {
                    let a = &row[square.left as usize..][..width];
                    add_product(&mut numbers[place..place + width * width], a, a, square.scale);
                }
                for product in &share.gradient {
                    let a = &row[product.row as usize..][..width];
                    let residual = product.scale * signed(residuals[product.residual as usize], source);
                    gradient[start..start + width].iter_mut().zip(a).for_each(|(number, a)| *number += a * residual);
                }
                for outer in share.below.iter().filter(|_| below) {
                    let (a, b) = (&row[outer.left as usize..][..height], &row[outer.right as usize..][..width]);
                    add_product(&mut numbers[block..block + size], a, b, outer.scale);
                }
            }
        }
    }
}

/// Adds a bᵀ times a factor to a block, column-major.
fn add_product(block: &mut [f64], a: &[f64], b: &[f64], factor: f64) {
    for (column, b) in block.chunks_exact_mut(a.len()).zip(b) {
        column.iter_mut().zip(a).for_each(|(number, a)| *number += a * (factor * b));
    }
}
