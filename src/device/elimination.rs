//! Which parameter blocks are eliminated before the linear system is solved.
//!
//! As on the CPU ([`crate::linear`]) these are blocks of which no residual couples two, so that their part of JᵀJ is block-diagonal: the points
//! of a bundle adjustment. Here only all blocks of one size are tried, the most numerous, since to look at all couplings
//! would take longer than many a solve.

use super::layout::Layout;
use super::pieces::Pieces;
use rayon::prelude::*;

/// Largest share of the parameters that may be left for the elimination to pay.
const LEFT: f64 = 1.0 / 3.0;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// The size of the blocks to eliminate, if there are any worth it.
pub fn find(layout: &Layout, pieces: &Pieces) -> Option<u8> {
    let mut scalars = [0usize; 256];
    pieces.all.iter().for_each(|piece| scalars[usize::from(piece.size)] += usize::from(piece.size));
    let (size, &most) = scalars.iter().enumerate().max_by_key(|&(_, &count)| count)?;
    let all: usize = scalars.iter().sum();
    let worthwhile = most < all && (all - most) as f64 <= LEFT * all as f64;
    (worthwhile && is_independent(layout, pieces, size as u8)).then_some(size as u8)
}

/// Whether no instance touches two pieces of the size.
fn is_independent(layout: &Layout, pieces: &Pieces, size: u8) -> bool {
    layout.shards.iter().all(|shard| {
        layout.shapes.iter().enumerate().all(|(group, shape)| {
            let parts = shape.parts.iter().filter(|part| part.size == u32::from(size));
            let columns: Vec<_> = parts.map(|part| shard.touch(group, part)).collect();
            if columns.len() < 2 {
                return true;
            }
            let count = columns[0].column.len();
            (0..count).into_par_iter().with_min_len(STRETCH).all(|instance| {
                let touched = columns.iter().filter(|touch| pieces.first(touch.column[instance]).is_some());
                touched.count() < 2
            })
        })
    })
}
