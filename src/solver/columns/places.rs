//! Where a pass writes its blocks.

use super::begin::{NextMultiple, write_on};
use super::{AGAIN, Begin};
use std::slice::Iter;

/// The blocks of a pass, in the order in which it comes to them.
pub(super) trait Places {
    /// A block of `N` numbers that has been come to.
    type Place<const N: usize>;
    /// Comes to the next diagonal block.
    fn diagonal<const N: usize>(&mut self) -> Option<Self::Place<N>>;
    /// Comes to the next block below the diagonal, or to the same again if the source says so.
    fn below<const N: usize>(&mut self, source: u32) -> Option<Self::Place<N>>;
    /// What the block begins with.
    fn begin<const N: usize>(&self, place: &Self::Place<N>) -> [f64; N];
    /// Writes the block.
    fn put<const N: usize>(&mut self, place: Self::Place<N>, block: [f64; N]);
    /// Writes what the block begins with and `add`: for small blocks, whose sums would go through memory if they began with one of
    /// several kinds.
    fn write<const N: usize>(&mut self, place: Self::Place<N>, add: [f64; N]);
    /// The next block of Jᵀr.
    fn gradient<const N: usize>(&mut self) -> Option<&mut [f64; N]>;
}

/// Blocks that lie one behind the other, each of one source, and begin with multiples of the identity.
pub(super) struct Streamed<'a> {
    pub numbers: &'a mut [f64],
    pub gradient: &'a mut [f64],
    pub diagonal: NextMultiple<'a>,
    pub below: NextMultiple<'a>,
}

impl<'a> Places for Streamed<'a> {
    /// The numbers and the multiple.
    type Place<const N: usize> = (&'a mut [f64; N], f64);

    #[inline(always)]
    fn diagonal<const N: usize>(&mut self) -> Option<(&'a mut [f64; N], f64)> {
        let numbers = self.numbers.split_off_mut(..N)?.first_chunk_mut()?;
        Some((numbers, self.diagonal.next()))
    }

    #[inline(always)]
    fn below<const N: usize>(&mut self, _: u32) -> Option<(&'a mut [f64; N], f64)> {
        let numbers = self.numbers.split_off_mut(..N)?.first_chunk_mut()?;
        Some((numbers, self.below.next()))
    }

    #[inline(always)]
    fn begin<const N: usize>(&self, &(_, multiple): &(&'a mut [f64; N], f64)) -> [f64; N] {
        let mut block = [0.0; N];
        write_on(multiple, &mut block, [0.0; N]);
        block
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, (numbers, _): (&'a mut [f64; N], f64), block: [f64; N]) {
        *numbers = block;
    }

    #[inline(always)]
    fn write<const N: usize>(&mut self, (numbers, multiple): (&'a mut [f64; N], f64), add: [f64; N]) {
        write_on(multiple, numbers, add);
    }

    #[inline(always)]
    fn gradient<const N: usize>(&mut self) -> Option<&mut [f64; N]> {
        self.gradient.split_off_mut(..N)?.first_chunk_mut()
    }
}

/// Blocks whose first numbers are listed.
pub(super) struct Listed<'a> {
    pub blocks: Iter<'a, u32>,
    pub starts: Iter<'a, u32>,
    pub numbers: &'a mut [f64],
    pub gradient: &'a mut [f64],
    /// What diagonal blocks begin with, and how many have been come to.
    pub diagonal: (&'a Begin, usize),
    /// What blocks below begin with, how many have been come to, and where the last is.
    pub below: (&'a Begin, usize, usize),
}

impl<'a> Listed<'a> {
    #[inline(always)]
    fn at<const N: usize>(&mut self, start: usize) -> Option<&mut [f64; N]> {
        self.numbers.get_mut(start..start + N)?.first_chunk_mut()
    }
}

impl<'a> Places for Listed<'a> {
    /// Its first number, what it begins with, and the index among what begins so.
    type Place<const N: usize> = (usize, &'a Begin, usize);

    #[inline(always)]
    fn diagonal<const N: usize>(&mut self) -> Option<Self::Place<N>> {
        let (begin, index) = self.diagonal;
        self.diagonal.1 += 1;
        Some((*self.blocks.next()? as usize, begin, index))
    }

    #[inline(always)]
    fn below<const N: usize>(&mut self, source: u32) -> Option<Self::Place<N>> {
        let (begin, index, last) = self.below;
        if source & AGAIN != 0 {
            return Some((last, &Begin::Present, 0));
        }
        let start = *self.blocks.next()? as usize;
        self.below = (begin, index + 1, start);
        Some((start, begin, index))
    }

    #[inline(always)]
    fn begin<const N: usize>(&self, &(start, begin, index): &Self::Place<N>) -> [f64; N] {
        match begin {
            Begin::Present => {
                let numbers = self.numbers.get(start..start + N).and_then(|numbers| numbers.first_chunk());
                numbers.copied().unwrap_or([0.0; N])
            }
            begin => begin.get(index),
        }
    }

    #[inline(always)]
    fn put<const N: usize>(&mut self, (start, ..): Self::Place<N>, block: [f64; N]) {
        if let Some(numbers) = self.at(start) {
            *numbers = block;
        }
    }

    #[inline(always)]
    fn write<const N: usize>(&mut self, (start, begin, index): Self::Place<N>, add: [f64; N]) {
        if let Some(numbers) = self.at(start) {
            begin.write(index, numbers, add);
        }
    }

    #[inline(always)]
    fn gradient<const N: usize>(&mut self) -> Option<&mut [f64; N]> {
        let start = *self.starts.next()? as usize;
        self.gradient.get_mut(start..start + N)?.first_chunk_mut()
    }
}
