//! Which parameter blocks are eliminated before the linear system is solved.
//!
//! As on the CPU ([`crate::linear`]) these are blocks of which no residual couples two, so that their part of JᵀJ is block-diagonal: the points
//! of a bundle adjustment. All blocks of one size, the most numerous, are tried first, since to look at all couplings
//! would take longer than many a solve. Where they are coupled here and there, the set is the one that the CPU finds, unless a matching of coupled
//! blocks shows that none is worth it: of each pair one is left.

use super::layout::Layout;
use super::pieces::{Piece, Pieces};
use crate::linear::{BlockStructure, elimination_set};
use rayon::prelude::*;

/// Largest share of the parameters that may be left for the elimination to pay.
const LEFT: f64 = 1.0 / 3.0;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// Most couplings among which a set is looked for.
const MOST_COUPLINGS: usize = 1 << 24;

/// The pieces of blocks that are eliminated.
#[derive(Debug, PartialEq)]
pub enum Eliminated {
    /// All of a size.
    Size(u8),
    /// Those that are marked.
    Set(Vec<bool>),
}

impl Eliminated {
    /// Whether piece `k` is.
    pub fn contains(&self, k: usize, piece: &Piece) -> bool {
        match self {
            Eliminated::Size(size) => piece.size == *size,
            Eliminated::Set(set) => set[k],
        }
    }
}

/// The blocks to eliminate, if there are any worth it.
pub fn find(layout: &Layout, pieces: &Pieces) -> Option<Eliminated> {
    let mut scalars = [0usize; 256];
    pieces.all.iter().for_each(|piece| scalars[usize::from(piece.size)] += usize::from(piece.size));
    let (size, &most) = scalars.iter().enumerate().max_by_key(|&(_, &count)| count)?;
    let all: usize = scalars.iter().sum();
    let allowed = LEFT * all as f64;
    if most < all && (all - most) as f64 <= allowed && is_independent(layout, pieces, size as u8) {
        return Some(Eliminated::Size(size as u8));
    }
    independent_set(layout, pieces, allowed)
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

/// A set of pieces of which no two are coupled, and which leaves as many scalars as are `allowed`; some, but not all of them.
fn independent_set(layout: &Layout, pieces: &Pieces, allowed: f64) -> Option<Eliminated> {
    let size = |piece: u32| usize::from(pieces.all[piece as usize].size);
    let (mut matched, mut left, mut couplings) = (vec![false; pieces.len()], 0, 0);
    for_each_instance(layout, pieces, |touched| {
        couplings += touched.len() * touched.len().saturating_sub(1) / 2;
        let mut open = None;
        for &piece in touched.iter().filter(|&&piece| !matched[piece as usize]).collect::<Vec<_>>() {
            match open.take() {
                None => open = Some(piece),
                Some(other) => {
                    [piece, other].iter().for_each(|&piece| matched[piece as usize] = true);
                    left += size(piece).min(size(other));
                }
            }
        }
        left as f64 <= allowed && couplings <= MOST_COUPLINGS
    })?;
    if left == 0 {
        // Nothing is coupled: conjugate gradients have nothing to do anyway.
        return None;
    }
    let mut pairs = Vec::with_capacity(couplings);
    for_each_instance(layout, pieces, |touched| {
        for (k, &a) in touched.iter().enumerate() {
            pairs.extend(touched[..k].iter().map(|&b| (a, b)));
        }
        true
    })?;
    let sizes: Vec<usize> = (0..pieces.len() as u32).map(size).collect();
    let structure = BlockStructure::from_pairs(&sizes, pairs.iter().copied()).ok()?;
    let set = elimination_set(&structure);
    let left: usize = sizes.iter().zip(&set).filter(|(_, is_in)| !**is_in).map(|(size, _)| size).sum();
    (left as f64 <= allowed).then_some(Eliminated::Set(set))
}

/// Calls `f` with the pieces that each instance touches, while it returns true; `None` if it did not always.
fn for_each_instance(layout: &Layout, pieces: &Pieces, mut f: impl FnMut(&[u32]) -> bool) -> Option<()> {
    let mut touched = Vec::new();
    for shard in &layout.shards {
        for (group, shape) in layout.shapes.iter().enumerate() {
            let columns: Vec<_> = shape.parts.iter().map(|part| shard.touch(group, part)).collect();
            for instance in 0..columns.first().map_or(0, |touch| touch.column.len()) {
                touched.clear();
                let piece = |touch: &super::incidence::Touch<'_>| {
                    pieces.first(touch.column[instance]).map(|first| first as u32 + touch.piece)
                };
                touched.extend(columns.iter().filter_map(piece));
                if !f(&touched) {
                    return None;
                }
            }
        }
    }
    Some(())
}
