//! Free parameter blocks, cut into pieces small enough for a lane.

use crate::backend::Divisor;
use crate::kernel::wgsl;
use crate::problem::Parameters;
use rayon::prelude::*;

/// Blocks that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// A free block, or a part of one that is too large to be treated as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Place of its first component on the device.
    pub start: u32,
    /// Held components as bits.
    pub held: u16,
    /// Number of components.
    pub size: u8,
}

/// The pieces of all free blocks, in the order of the device.
pub struct Pieces {
    pub all: Vec<Piece>,
    first: First,
}

/// The first piece of each block.
enum First {
    /// Each block is a piece, and all have as many components.
    Alike(Divisor),
    /// 1 + the first piece of the block that starts at each place; 0 where the block is fixed.
    At(Vec<u32>),
}

impl Pieces {
    /// `block_order`: the order of the blocks on the device.
    pub fn new(parameters: &Parameters, block_order: &[u32]) -> Self {
        Self::in_any_order(parameters).unwrap_or_else(|| Self::of_blocks(parameters, block_order))
    }

    /// If each block is a piece, and all have as many components: pieces are then the same in any order of the blocks.
    pub fn in_any_order(parameters: &Parameters) -> Option<Self> {
        let size = parameters.common_free_size().filter(|&size| wgsl::pieces(size).len() == 1)?;
        Some(Self::alike(size, parameters.blocks()))
    }

    /// So many free blocks of a size.
    fn alike(size: usize, blocks: usize) -> Self {
        let piece = |block: usize| Piece { start: (block * size) as u32, held: 0, size: size as u8 };
        let all = (0..blocks).into_par_iter().with_min_len(STRETCH).map(piece).collect();
        Pieces { all, first: First::Alike(Divisor::new(size as u32)) }
    }

    fn of_blocks(parameters: &Parameters, block_order: &[u32]) -> Self {
        let sizes = |block: usize| {
            let pieces =
                if parameters.is_fixed(block) { 0 } else { wgsl::pieces(parameters.tangent_size(block)).len() };
            (parameters.size(block), pieces)
        };
        let sum = |blocks: &[u32]| {
            let sizes = blocks.iter().map(|&block| sizes(block as usize));
            sizes.fold((0, 0), |(scalars, pieces), (size, more)| (scalars + size, pieces + more))
        };
        let sums: Vec<(usize, usize)> = block_order.par_chunks(STRETCH).map(sum).collect();
        // By all threads: who touches a page first waits for it.
        let count = sums.iter().map(|(_, pieces)| pieces).sum::<usize>();
        let none = Piece { start: 0, held: 0, size: 0 };
        let mut all: Vec<Piece> = (0..count).into_par_iter().with_min_len(STRETCH).map(|_| none).collect();
        let mut first = vec![0; parameters.values().len()];
        let (mut rest, mut rest_first) = (&mut all[..], &mut first[..]);
        let mut tasks = Vec::with_capacity(sums.len());
        let (mut start, mut number) = (0, 0);
        for (blocks, (scalars, pieces)) in block_order.chunks(STRETCH).zip(sums) {
            let (mine, others) = rest.split_at_mut(pieces);
            let (my_first, other_first) = rest_first.split_at_mut(scalars);
            (rest, rest_first) = (others, other_first);
            tasks.push((blocks, start, number, mine, my_first));
            (start, number) = (start + scalars as u32, number + pieces as u32);
        }
        tasks.into_par_iter().for_each(|(blocks, start, number, all, first)| {
            let (mut place, mut made) = (0, 0);
            for block in blocks.iter().map(|&block| block as usize) {
                let (size, pieces) = sizes(block);
                if pieces > 0 {
                    // Steps on a manifold have fewer components than points: they fill the first places of the block.
                    let tangent = parameters.tangent_size(block);
                    let cut = cut(start + place as u32, tangent, parameters.fixed(block).unwrap_or(&[]));
                    all[made..made + pieces].iter_mut().zip(cut).for_each(|(to, piece)| *to = piece);
                    first[place] = number + made as u32 + 1;
                }
                (place, made) = (place + size, made + pieces);
            }
        });
        Pieces { all, first: First::At(first) }
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// 1 + the first piece of the block that starts at each place; 0 where the block is fixed. `None` if each block is a piece, and all have as many
    /// components.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn firsts(&self) -> Option<&[u32]> {
        match &self.first {
            First::Alike(_) => None,
            First::At(first) => Some(first),
        }
    }

    /// Number of the first piece of the block at a place, unless it is fixed.
    pub fn first(&self, place: u32) -> Option<usize> {
        match &self.first {
            First::Alike(size) => Some(size.quotient(place) as usize),
            First::At(first) => first[place as usize].checked_sub(1).map(|first| first as usize),
        }
    }

    /// A number for each free block, by where it starts on the host, among as many as there are pieces.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn number(&self, start: u32, places: &[u32]) -> Option<usize> {
        match &self.first {
            // Any order does, and that of the host is at hand.
            First::Alike(_) => self.first(start),
            First::At(_) => self.first(places[start as usize]),
        }
    }
}

/// The pieces of a block; `held` says for each component whether it is, or is empty.
fn cut(start: u32, size: usize, held: &[bool]) -> impl Iterator<Item = Piece> {
    wgsl::pieces(size).map(move |range| {
        let held = held.iter().skip(range.start as usize).take(range.len()).enumerate();
        Piece {
            start: start + range.start,
            held: held.fold(0, |bits, (k, &held)| bits | u16::from(held) << k),
            size: range.len() as u8,
        }
    })
}
