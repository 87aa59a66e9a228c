//! What blocks of JᵀJ begin with.

use crate::solver::distinct::Distinct;
use std::slice::Iter;

/// Blocks of so many numbers are kept in registers to the end: loops over their entries are unrolled.
const UNROLLED: usize = 9;

/// What the sums of a pass are added to.
#[derive(Debug)]
pub(in crate::solver) enum Begin {
    /// What stands there.
    Present,
    /// Nothing.
    Zero,
    /// The identity times a number for each block: what rows of constants leave where components do not mix.
    Multiples(Multiples),
    /// Blocks, column-major.
    Blocks(Vec<f64>),
}

impl Begin {
    /// With blocks of one size.
    pub fn with<'a>(blocks: impl Iterator<Item = &'a [f64]> + Clone) -> Self {
        let is_multiple = |block: &[f64]| {
            let side = block.len().isqrt();
            let expected = |k: usize| if k % side == k / side { block[0] } else { 0.0 };
            side * side == block.len() && block.iter().enumerate().all(|(k, &number)| number == expected(k))
        };
        if blocks.clone().flatten().all(|&number| number == 0.0) {
            return Begin::Zero;
        }
        let multiples = blocks.clone().all(is_multiple).then(|| Multiples::new(blocks.clone().map(|block| block[0])));
        match multiples.flatten() {
            Some(multiples) => Begin::Multiples(multiples),
            None => Begin::Blocks(blocks.flatten().copied().collect()),
        }
    }

    /// Writes block `k`: what it begins with, and `add`. Each kind is added where it is written: a sum that began with one of several
    /// kinds would go through memory.
    #[inline(always)]
    pub fn write<const N: usize>(&self, k: usize, block: &mut [f64; N], add: [f64; N]) {
        let numbers = block.iter_mut().zip(add);
        match self {
            Begin::Present => numbers.for_each(|(number, add)| *number += add),
            Begin::Zero => *block = add,
            Begin::Multiples(multiples) => write_on(multiples.get(k), block, add),
            Begin::Blocks(blocks) => {
                let Some(begin) = blocks.get(k * N..).and_then(|blocks| blocks.first_chunk::<N>()) else { return };
                numbers.zip(begin).for_each(|((number, add), begin)| *number = begin + add);
            }
        }
    }

    /// What block `k` begins with, if that is not what stands there.
    #[inline(always)]
    pub fn get<const N: usize>(&self, k: usize) -> [f64; N] {
        let mut begin = [0.0; N];
        match self {
            Begin::Present | Begin::Zero => {}
            Begin::Multiples(multiples) => {
                write_on(multiples.get(k), &mut begin, [0.0; N]);
            }
            Begin::Blocks(blocks) => {
                begin = blocks.get(k * N..).and_then(|blocks| blocks.first_chunk()).copied().unwrap_or(begin);
            }
        }
        begin
    }

    /// Writes what block `k` begins with, of any size.
    pub fn write_alone(&self, k: usize, block: &mut [f64]) {
        match self {
            Begin::Present => {}
            Begin::Zero => block.fill(0.0),
            Begin::Multiples(multiples) => {
                block.fill(0.0);
                let side = block.len().isqrt();
                block.iter_mut().step_by(side + 1).for_each(|number| *number = multiples.get(k));
            }
            Begin::Blocks(blocks) => block.copy_from_slice(&blocks[k * block.len()..][..block.len()]),
        }
    }

    /// The multiples of the identity, if any.
    #[inline(always)]
    pub fn multiples(&self) -> NextMultiple<'_> {
        let (numbers, of) = match self {
            Begin::Multiples(multiples) => (&multiples.numbers[..], &multiples.of[..]),
            _ => Default::default(),
        };
        NextMultiple { numbers, of: of.iter() }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Begin::Present | Begin::Zero => 0,
            Begin::Multiples(multiples) => size_of_val(&multiples.numbers[..]) + size_of_val(&multiples.of[..]),
            Begin::Blocks(numbers) => size_of_val(&numbers[..]),
        }
    }
}

/// Numbers of which there are not more different ones than an index tells apart.
#[derive(Debug)]
pub(in crate::solver) struct Multiples {
    numbers: Vec<f64>,
    of: Vec<u16>,
}

impl Multiples {
    /// `None` if there are too many.
    fn new(list: impl Iterator<Item = f64>) -> Option<Self> {
        let Distinct { numbers, of } = Distinct::new(list);
        // One by one into their own memory: collected, they would stay in that of the longer indices.
        let mut short = Vec::with_capacity(of.len());
        for index in of {
            short.push(u16::try_from(index).ok()?);
        }
        Some(Multiples { numbers, of: short })
    }

    #[inline(always)]
    fn get(&self, k: usize) -> f64 {
        let index = self.of.get(k).map_or(usize::MAX, |&index| usize::from(index));
        self.numbers.get(index).copied().unwrap_or_default()
    }
}

/// The numbers one after the other, and zeros where there are none.
pub(in crate::solver) struct NextMultiple<'a> {
    numbers: &'a [f64],
    of: Iter<'a, u16>,
}

impl NextMultiple<'_> {
    #[inline(always)]
    pub fn next(&mut self) -> f64 {
        let index = self.of.next().map_or(usize::MAX, |&index| usize::from(index));
        self.numbers.get(index).copied().unwrap_or_default()
    }
}

/// Writes `add` and a multiple of the identity.
#[inline(always)]
pub(super) fn write_on<const N: usize>(multiple: f64, block: &mut [f64; N], add: [f64; N]) {
    let side = const { N.isqrt() };
    if N <= UNROLLED {
        for (entry, (number, add)) in block.iter_mut().zip(add).enumerate() {
            *number = if side * side == N && entry % (side + 1) == 0 { add + multiple } else { add };
        }
        return;
    }
    *block = add;
    if side * side == N && multiple != 0.0 {
        block.iter_mut().step_by(side + 1).for_each(|number| *number += multiple);
    }
}
