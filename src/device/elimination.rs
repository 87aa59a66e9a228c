//! Which parameter blocks are eliminated before the linear system is solved.
//!
//! As on the CPU ([`crate::linear`]) these are blocks of which no residual couples two, so that their part of JᵀJ is block-diagonal: the points
//! of a bundle adjustment. All blocks of one size, the most numerous, are tried first, since to look at all couplings
//! would take longer than many a solve. Where they are coupled here and there, the set is the one that the CPU finds, unless a matching of coupled
//! blocks shows that none is worth it: of each pair one is left.

use super::layout::Layout;
use super::pieces::{Piece, Pieces};
#[cfg(not(target_arch = "wasm32"))]
use crate::backend::Group;
use crate::linear::{BlockStructure, elimination_set};
use rayon::prelude::*;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

/// Largest share of the parameters that may be left for the elimination to pay.
const LEFT: f64 = 1.0 / 3.0;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// Instances that are looked at in a pass are so many apart: those in between share blocks with them, so that they tell less.
#[cfg(not(target_arch = "wasm32"))]
const APART: usize = 8;

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

/// Scalars in pieces of each size.
fn scalars(pieces: &Pieces) -> [usize; 256] {
    let stretches = pieces.all.par_chunks(STRETCH).map(|pieces| {
        let mut scalars = [0usize; 256];
        pieces.iter().for_each(|piece| scalars[usize::from(piece.size)] += usize::from(piece.size));
        scalars
    });
    let sum = |mut all: [usize; 256], part: [usize; 256]| {
        all.iter_mut().zip(part).for_each(|(all, part)| *all += part);
        all
    };
    stretches.reduce(|| [0; 256], sum)
}

/// Whether [`find`] finds none, as a matching leaves too many; false says nothing. Needs no indices. There is one shard, and pieces are of one
/// size.
///
/// Threads match as they come, but whatever is matched, of each pair one is left.
#[cfg(not(target_arch = "wasm32"))]
pub fn is_hopeless(groups: &[Group], layout: &Layout, pieces: &Pieces) -> bool {
    let size = pieces.all.first().map_or(0, |piece| usize::from(piece.size));
    let allowed = (LEFT * (pieces.len() * size) as f64) as usize;
    let matched: Vec<AtomicBool> = (0..pieces.len()).map(|_| AtomicBool::new(false)).collect();
    let left = AtomicUsize::new(0);
    let mut shapes: Vec<usize> = (0..groups.len()).collect();
    // Those with most blocks have most pairs.
    shapes.sort_by_key(|&group| std::cmp::Reverse(layout.shapes[group].parts.len()));
    for group in shapes {
        let parts = &layout.shapes[group].parts;
        let columns: Vec<&[u32]> =
            parts.iter().map(|part| &groups[group].table.blocks[part.block as usize][..]).collect();
        let count = groups[group].table.count;
        for first in 0..APART {
            (0..count.div_ceil(STRETCH)).into_par_iter().for_each(|stretch| {
                if left.load(Relaxed) > allowed {
                    return;
                }
                let mut mine = 0;
                for instance in (stretch * STRETCH + first..((stretch + 1) * STRETCH).min(count)).step_by(APART) {
                    let mut open = None;
                    let pieces = columns.iter().filter_map(|column| pieces.number(column[instance], &layout.places));
                    for piece in pieces {
                        if matched[piece].load(Relaxed) || matched[piece].swap(true, Relaxed) {
                            continue;
                        }
                        match open.take() {
                            None => open = Some(piece),
                            Some(_) => mine += size,
                        }
                    }
                    if let Some(piece) = open {
                        matched[piece].store(false, Relaxed);
                    }
                }
                left.fetch_add(mine, Relaxed);
            });
            if left.load(Relaxed) > allowed {
                return true;
            }
        }
    }
    false
}

/// The blocks to eliminate, if there are any worth it.
pub fn find(layout: &Layout, pieces: &Pieces) -> Option<Eliminated> {
    let scalars = scalars(pieces);
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

#[cfg(test)]
mod tests {
    use super::super::layout::places;
    use super::super::shard::Sums;
    use super::*;
    use crate::kernel::wgsl::Format;
    use crate::mesh::energy::{Energy, MeshProblem};
    use crate::mesh::icosphere;
    use crate::problem::Problem;

    /// What a matching says, and what a search finds.
    fn both(problem: &Problem) -> (bool, Option<Eliminated>) {
        let (compiled, parameters) = (problem.compile().unwrap(), problem.parameters());
        let order = compiled.block_order();
        let pieces = Pieces::new(parameters, order);
        let sums = (Sums::Lists, pieces.len());
        let groups = &compiled.groups;
        let layout = Layout::new(groups, places(parameters, order), sums, Format::F32, u64::MAX).unwrap();
        (is_hopeless(groups, &layout, &pieces), find(&layout, &pieces))
    }

    #[test]
    fn a_matching_tells_that_a_mesh_has_none() {
        let mesh = MeshProblem::new(Energy::Smooth, &icosphere(4).unwrap()).unwrap();
        assert_eq!(both(&mesh.problem), (true, None));
    }

    #[test]
    fn a_matching_does_not_tell_where_there_are_some() {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(2, &[1.0; 2000]).unwrap();
        for star in blocks.chunks(5) {
            for leaf in &star[1..] {
                problem.add_residual(&[star[0], *leaf], |x| x[0][0] * x[1][1] - x[1][0]).unwrap();
            }
        }
        let (hopeless, found) = both(&problem);
        assert!(!hopeless && found.is_some());
    }
}
