//! The blocks that are eliminated and those that are kept, and how they are coupled.

use std::ops::Range;
use std::sync::Arc;

use super::super::elimination::neighbours;
use super::super::{Block, BlockMatrix, BlockStructure, LinearError};
use super::coupling_block::CouplingBlock;
use super::elimination_set::elimination_set;

/// Stands for the place among the kept blocks of one that is not kept.
const GONE: u32 = u32::MAX;

/// Eliminated blocks of one size that are coupled to the same kept blocks.
///
/// In a bundle adjustment these are the points that the same cameras see. What they take from the reduced system
/// goes to the same places, so that it is summed before it goes there.
pub struct Pattern {
    /// Size of each of the eliminated blocks.
    pub size: usize,
    /// Its kept blocks, as a range of [`Partition::pattern_blocks`].
    pub blocks: Range<usize>,
    /// Scalar rows of the kept blocks.
    pub rows: usize,
    /// Its eliminated blocks, as a range of [`Partition::eliminated`].
    pub members: Range<usize>,
    /// Coupling of the first member with the first kept block; the others follow, member by member.
    pub couplings: usize,
}

/// Where the block of E for an eliminated and a kept block stands: its place, times two; odd if its transpose is stored, because the
/// eliminated block has the higher number.
#[derive(Debug, Clone, Copy)]
pub struct Coupling(u64);

impl Coupling {
    /// The block, of so many numbers.
    #[inline(always)]
    pub fn block(self, matrix: &BlockMatrix, numbers: usize) -> CouplingBlock<'_> {
        match matrix.block((self.0 >> 1) as u32, numbers) {
            Block::Full(block) if self.0 & 1 == 1 => CouplingBlock::Transposed(block),
            Block::Full(block) => CouplingBlock::Upright(block),
            Block::Multiple(number) => CouplingBlock::Multiple(number),
        }
    }
}

/// The split of a block structure.
pub struct Partition {
    /// The structure that is split.
    pub structure: Arc<BlockStructure>,
    /// The blocks that are kept and have unknowns, ascending: their places here are their numbers in the reduced system.
    pub kept: Vec<u32>,
    /// First scalar of each kept block in the reduced system; one entry more than there are blocks.
    pub offsets: Vec<usize>,
    /// The eliminated blocks, pattern by pattern.
    pub eliminated: Vec<u32>,
    /// First scalar of each eliminated block, if they are laid out in that order; one more than there are.
    pub eliminated_offsets: Vec<usize>,
    /// First number of the factor of each eliminated diagonal block; one more than there are.
    pub factor_offsets: Vec<usize>,
    /// The patterns, in lexicographic order.
    pub patterns: Vec<Pattern>,
    /// The kept blocks of the patterns, by their numbers in the reduced system.
    pub pattern_blocks: Vec<u32>,
    /// The couplings of each eliminated block, in the order of the kept blocks of its pattern.
    pub couplings: Vec<Coupling>,
    /// Place of each block of the structure among the kept ones.
    place: Vec<u32>,
}

impl Partition {
    /// Finds the blocks to eliminate and sorts them by pattern.
    pub fn new(structure: &Arc<BlockStructure>) -> Self {
        Self::with_set(structure, &elimination_set(structure))
    }

    /// Sorts the blocks of an elimination set by pattern.
    pub fn with_set(structure: &Arc<BlockStructure>, set: &[bool]) -> Self {
        let (all, mut kept) = (0..structure.blocks() as u32, Vec::new());
        let mut place = vec![GONE; structure.blocks()];
        let mut offsets = vec![0];
        // A block without unknowns, which the set leaves, has no part in the reduced system.
        for j in all.clone().filter(|&j| !set[j as usize] && structure.size(j as usize) > 0) {
            place[j as usize] = kept.len() as u32;
            kept.push(j);
            offsets.push(offsets[offsets.len() - 1] + structure.size(j as usize));
        }
        // The kept neighbours of every eliminated block, ascending because `neighbours` ascends.
        let found: Vec<u32> = all.filter(|&j| set[j as usize]).collect();
        let (mut ptr, mut list) = (vec![0], Vec::new());
        for &j in &found {
            list.extend(coupled(structure, j).map(|(other, _, _)| place[other as usize]));
            ptr.push(list.len());
        }
        let blocks_of = |k: u32| &list[ptr[k as usize]..ptr[k as usize + 1]];
        let key = |k: u32| (structure.size(found[k as usize] as usize), blocks_of(k));
        let mut sorted: Vec<u32> = (0..found.len() as u32).collect();
        sorted.sort_unstable_by(|&a, &b| key(a).cmp(&key(b)).then(a.cmp(&b)));

        let mut partition = Self {
            structure: Arc::clone(structure),
            kept,
            offsets,
            eliminated: Vec::with_capacity(found.len()),
            eliminated_offsets: vec![0],
            factor_offsets: vec![0],
            patterns: Vec::new(),
            pattern_blocks: Vec::new(),
            couplings: Vec::with_capacity(list.len()),
            place,
        };
        for alike in sorted.chunk_by(|&a, &b| key(a) == key(b)) {
            let (size, blocks) = key(alike[0]);
            let members = alike.iter().map(|&k| found[k as usize]);
            partition.push_pattern(size, blocks, members);
        }
        partition
    }

    fn push_pattern(&mut self, size: usize, blocks: &[u32], members: impl Iterator<Item = u32>) {
        let (first_block, first_member) = (self.pattern_blocks.len(), self.eliminated.len());
        self.pattern_blocks.extend_from_slice(blocks);
        let couplings = self.couplings.len();
        for member in members {
            self.eliminated.push(member);
            self.eliminated_offsets.push(self.eliminated_offsets[self.eliminated_offsets.len() - 1] + size);
            self.factor_offsets.push(self.factor_offsets[self.factor_offsets.len() - 1] + size * size);
            for (_, place, is_row) in coupled(&self.structure, member) {
                self.couplings.push(Coupling(u64::from(place) << 1 | u64::from(!is_row)));
            }
        }
        self.patterns.push(Pattern {
            size,
            blocks: first_block..self.pattern_blocks.len(),
            rows: blocks.iter().map(|&b| self.size(b)).sum(),
            members: first_member..self.eliminated.len(),
            couplings,
        });
    }

    /// Scalar size of a kept block.
    pub fn size(&self, kept: u32) -> usize {
        self.offsets[kept as usize + 1] - self.offsets[kept as usize]
    }

    /// Scalars of the reduced system.
    pub fn scalars(&self) -> usize {
        self.offsets[self.kept.len()]
    }

    /// The kept blocks of a pattern.
    pub fn blocks(&self, pattern: &Pattern) -> &[u32] {
        &self.pattern_blocks[pattern.blocks.clone()]
    }

    /// The couplings of a member of a pattern.
    pub fn couplings(&self, pattern: &Pattern, member: usize) -> &[Coupling] {
        let count = pattern.blocks.len();
        &self.couplings[pattern.couplings + (member - pattern.members.start) * count..][..count]
    }

    /// Scalars of the whole system that a kept block covers.
    pub fn range_of_kept(&self, kept: usize) -> Range<usize> {
        let old = self.kept[kept] as usize;
        self.structure.range(old)
    }

    /// Scalars of the whole system that an eliminated block covers.
    pub fn range_of_eliminated(&self, member: usize) -> Range<usize> {
        let old = self.eliminated[member] as usize;
        self.structure.range(old)
    }

    /// The couplings of kept blocks among each other (both below and on the diagonal): row, column, place.
    pub fn kept_blocks(&self) -> impl Iterator<Item = (u32, u32, u32)> + Clone {
        self.kept.iter().enumerate().flat_map(move |(column, &old)| {
            let positions = self.structure.column(old as usize);
            positions.filter_map(move |k| {
                let row = self.place[self.structure.row_idx()[k] as usize];
                (row != GONE).then(|| (row, column as u32, self.structure.place(k)))
            })
        })
    }

    /// The structure of B, the part of the matrix that the kept blocks make up.
    pub fn kept_structure(&self) -> Result<BlockStructure, LinearError> {
        let pairs = self.kept_blocks().map(|(row, column, _)| (row, column));
        BlockStructure::from_pairs(&self.sizes(), pairs)
    }

    /// The structure of S: two kept blocks are coupled if they were, or if an eliminated block couples them.
    pub fn reduced_structure(&self) -> Result<BlockStructure, LinearError> {
        let pairs = self.kept_blocks().map(|(row, column, _)| (row, column));
        let fill = self.patterns.iter().flat_map(|pattern| {
            let blocks = self.blocks(pattern);
            blocks.iter().enumerate().flat_map(move |(k, &b)| blocks[k + 1..].iter().map(move |&a| (a, b)))
        });
        BlockStructure::from_pairs(&self.sizes(), pairs.chain(fill))
    }

    /// An upper bound of the numbers of S, found without its structure.
    pub fn reduced_values(&self) -> usize {
        let kept = self.kept_blocks().map(|(row, column, _)| self.size(row) * self.size(column)).sum::<usize>();
        let fill = self.patterns.iter().map(|pattern| pattern.rows.saturating_mul(pattern.rows + 1) / 2);
        let full = self.scalars().saturating_mul(self.scalars() + 1) / 2;
        fill.fold(kept, usize::saturating_add).min(full)
    }

    /// The structure of the diagonal blocks of S.
    pub fn diagonal_structure(&self) -> Result<BlockStructure, LinearError> {
        BlockStructure::from_pairs(&self.sizes(), [])
    }

    fn sizes(&self) -> Vec<usize> {
        self.offsets.windows(2).map(|pair| pair[1] - pair[0]).collect()
    }

    /// Multiply-add pairs of the elimination, counted as two operations.
    pub fn flops(&self) -> f64 {
        self.patterns.iter().map(|p| p.members.len() as f64 * flops(p)).sum()
    }

    /// Bytes of the index lists.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.couplings[..])
            + size_of_val(&self.pattern_blocks[..])
            + size_of_val(&self.patterns[..])
            + size_of_val(&self.eliminated[..])
            + size_of_val(&self.eliminated_offsets[..])
            + size_of_val(&self.factor_offsets[..])
            + size_of_val(&self.place[..])
            + self.structure.row_bytes()
    }

    /// "22106 blocks of 3 eliminated, 144 unknowns left".
    pub fn describe(&self) -> String {
        let mut sizes: Vec<usize> = self.patterns.iter().map(|p| p.size).collect();
        sizes.dedup();
        let (first, last) = (sizes.first().copied().unwrap_or(0), sizes.last().copied().unwrap_or(0));
        let of = if first == last { format!("{first}") } else { format!("{first} to {last}") };
        format!("{} blocks of {of} eliminated, {} unknowns left", self.eliminated.len(), self.scalars())
    }
}

/// The neighbours of a block that have unknowns, as [`neighbours`] lists them.
fn coupled(structure: &BlockStructure, block: u32) -> impl Iterator<Item = (u32, u32, bool)> {
    neighbours(structure, block as usize).filter(|&(other, _, _)| structure.size(other as usize) > 0)
}

/// Operations for one member of a pattern: the triangular solve with its columns of E and the lower triangle of
/// their product.
pub fn flops(pattern: &Pattern) -> f64 {
    let (rows, size) = (pattern.rows as f64, pattern.size as f64);
    rows * size * size + rows * (rows + 1.0) * size
}
