//! Free parameter blocks, cut into pieces small enough for a lane.

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
    /// The first piece of the block that starts at each place; [`NONE`] where the block is fixed.
    first: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Pieces {
    /// `places`: of every parameter; `block_order`: the order of the places.
    pub fn new(parameters: &Parameters, block_order: &[u32], places: &[u32]) -> Self {
        let is_free = |block: usize| !parameters.is_fixed(block);
        let stretches: Vec<(usize, Vec<Piece>)> = block_order
            .par_chunks(STRETCH)
            .map(|blocks| {
                let mut pieces = Vec::with_capacity(blocks.len());
                let mut scalars = 0;
                for block in blocks.iter().map(|&block| block as usize) {
                    let size = parameters.size(block);
                    scalars += size;
                    if is_free(block) {
                        let start = places[parameters.offsets()[block] as usize];
                        // Steps on a manifold have fewer components than points: they fill the first places of the block.
                        let tangent = parameters.tangent_size(block);
                        pieces.extend(cut(start, tangent, parameters.fixed(block).unwrap_or(&[])));
                    }
                }
                (scalars, pieces)
            })
            .collect();
        // Blocks that follow each other in the order follow each other on the device.
        let mut first: Vec<u32> = (0..places.len()).into_par_iter().with_min_len(STRETCH).map(|_| NONE).collect();
        let mut rest = &mut first[..];
        let mut tasks = Vec::with_capacity(stretches.len());
        let mut number = 0;
        for ((scalars, pieces), blocks) in stretches.iter().zip(block_order.chunks(STRETCH)) {
            let (mine, others) = rest.split_at_mut(*scalars);
            rest = others;
            tasks.push((mine, blocks, number));
            number += pieces.len() as u32;
        }
        tasks.into_par_iter().for_each(|(first, blocks, mut number)| {
            let mut place = 0;
            for block in blocks.iter().map(|&block| block as usize) {
                let size = parameters.size(block);
                if is_free(block) {
                    first[place] = number;
                    number += wgsl::pieces(parameters.tangent_size(block)).len() as u32;
                }
                place += size;
            }
        });
        let mut all = Vec::with_capacity(number as usize);
        stretches.into_iter().for_each(|(_, pieces)| all.extend(pieces));
        Pieces { all, first }
    }

    /// Number of pieces.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Number of the first piece of the block at a place, unless it is fixed.
    pub fn first(&self, place: u32) -> Option<usize> {
        let first = self.first[place as usize];
        (first != NONE).then_some(first as usize)
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
