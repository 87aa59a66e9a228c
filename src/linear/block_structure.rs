//! The sparsity structure of a symmetric matrix made of small dense blocks.

use std::ops::Range;
use std::sync::OnceLock;

use super::LinearError;

/// How the numbers of a block are kept, the later the more general.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Storage {
    /// One number, times the identity; for square blocks of more than one number. They come last, and blocks may share theirs.
    Multiple,
    /// All numbers, column-major.
    Full,
    /// All numbers, ahead of those of all other blocks: what is written together then lies together.
    Ahead,
}

/// Lower triangle of a symmetric block matrix, by block columns.
///
/// Block `j` covers the scalars `range(j)`. The blocks of column `j` are the positions `column(j)`, with ascending rows in `row_idx`; the
/// first one is the diagonal block, which is always there. The block at position `k` has its first number at `place(k)` of
/// [`BlockMatrix::values`](super::BlockMatrix::values): all of it, dense and column-major, or a multiple of the identity
/// ([`Storage`]), whose number other such blocks may share. Diagonal blocks are stored in full; only their lower triangle is read by the solvers.
#[derive(Debug)]
pub struct BlockStructure {
    /// First scalar of each block, and the end.
    offsets: Vec<u32>,
    /// First position of each column, and the end.
    col_ptr: Vec<u32>,
    /// Block row of each position.
    row_idx: Vec<u32>,
    /// Of each position the place of its first number.
    places: Vec<u32>,
    /// From which place on blocks are multiples of the identity.
    multiples: u32,
    /// Numbers of all positions.
    value_count: usize,
    /// The blocks left of the diagonal by rows, built at the first matrix-vector product.
    rows: OnceLock<RowIndex>,
}

/// The strictly lower blocks row by row: what a column-wise structure cannot list by itself.
#[derive(Debug)]
pub(super) struct RowIndex {
    /// Row `i` has the entries `row_ptr[i]..row_ptr[i + 1]`.
    row_ptr: Vec<u32>,
    /// Block column and place, by ascending column.
    entries: Vec<(u32, u32)>,
}

impl BlockStructure {
    /// Builds the structure from the sizes of the blocks and a list of (row block, column block) pairs.
    ///
    /// The pairs may come in any order, from either triangle and with duplicates; diagonal blocks need not
    /// be listed. The iterator runs twice, so that the pairs never have to be stored.
    pub fn from_pairs<I>(sizes: &[usize], pairs: I) -> Result<Self, LinearError>
    where
        I: IntoIterator<Item = (u32, u32)> + Clone,
    {
        let blocks = sizes.len();
        if u32::try_from(blocks).is_err() {
            return Err(LinearError::TooLarge { entries: blocks });
        }
        let mut col_ptr = vec![0usize; blocks + 1];
        for (a, b) in pairs.clone() {
            let (row, col) = (a.max(b) as usize, a.min(b) as usize);
            if row >= blocks {
                return Err(LinearError::BlockOutOfRange { row, col, blocks });
            }
            col_ptr[col + 1] += usize::from(row != col);
        }
        for j in 0..blocks {
            col_ptr[j + 1] += col_ptr[j];
        }
        let mut next = col_ptr[..blocks].to_vec();
        let mut row_idx = vec![0u32; col_ptr[blocks]];
        for (a, b) in pairs {
            if a != b {
                let slot = &mut next[a.min(b) as usize];
                row_idx[*slot] = a.max(b);
                *slot += 1;
            }
        }
        drop(next);
        let (col_ptr, row_idx) = sort_columns(&col_ptr, &row_idx);
        Self::from_columns(sizes, col_ptr, row_idx, |_| Storage::Full, &[])
    }

    /// Lays out the numbers of a pattern whose columns are sorted and begin with the diagonal, each position as `storage` says. What
    /// are multiples of the identity take one of `multiples` each, in their order: the index of their number among those.
    ///
    /// # Errors
    /// [`LinearError::TooLarge`] from 2³² - 1 numbers or positions on.
    pub(crate) fn from_columns(
        sizes: &[usize],
        col_ptr: Vec<u32>,
        row_idx: Vec<u32>,
        storage: impl Fn(usize) -> Storage,
        multiples: &[u32],
    ) -> Result<Self, LinearError> {
        let numbers = |column: usize, position: usize| sizes[column].saturating_mul(sizes[row_idx[position] as usize]);
        let positions = || (0..sizes.len()).flat_map(|j| (col_ptr[j]..col_ptr[j + 1]).map(move |k| (j, k as usize)));
        let (mut full, mut ahead) = (0usize, 0usize);
        for (column, position) in positions() {
            match storage(position) {
                Storage::Multiple => {}
                Storage::Full => full = full.saturating_add(numbers(column, position)),
                Storage::Ahead => ahead = ahead.saturating_add(numbers(column, position)),
            }
        }
        let first_multiple = ahead.saturating_add(full);
        let value_count = first_multiple.saturating_add(multiples.iter().max().map_or(0, |&last| last as usize + 1));
        let entries = value_count.max(row_idx.len());
        if u32::try_from(entries).map_or(true, |entries| entries == u32::MAX) {
            return Err(LinearError::TooLarge { entries });
        }
        let (mut next_ahead, mut next_full, mut next_multiple) = (0, ahead, multiples.iter());
        let mut places = Vec::with_capacity(row_idx.len());
        for (column, position) in positions() {
            let next = match storage(position) {
                Storage::Multiple => {
                    places.push(first_multiple as u32 + next_multiple.next().copied().unwrap_or_default());
                    continue;
                }
                Storage::Full => &mut next_full,
                Storage::Ahead => &mut next_ahead,
            };
            places.push(*next as u32);
            *next += numbers(column, position);
        }
        let mut offsets = Vec::with_capacity(sizes.len() + 1);
        let mut scalars = 0;
        offsets.push(0);
        for &size in sizes {
            // A diagonal block has no fewer numbers than scalars.
            scalars += size as u32;
            offsets.push(scalars);
        }
        let multiples = first_multiple as u32;
        Ok(Self { offsets, col_ptr, row_idx, places, multiples, value_count, rows: OnceLock::new() })
    }

    /// The same structure with all blocks stored in full.
    pub(super) fn in_full(&self) -> Result<Self, LinearError> {
        let sizes: Vec<usize> = (0..self.blocks()).map(|j| self.size(j)).collect();
        Self::from_columns(&sizes, self.col_ptr.clone(), self.row_idx.clone(), |_| Storage::Full, &[])
    }

    /// Number of block rows (and block columns).
    pub fn blocks(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of scalar rows (and columns).
    pub fn scalars(&self) -> usize {
        self.offsets[self.blocks()] as usize
    }

    /// Number of stored scalars.
    pub fn value_count(&self) -> usize {
        self.value_count
    }

    /// The scalars that block `j` covers.
    pub fn range(&self, j: usize) -> Range<usize> {
        self.ranges(j..j + 1)
    }

    /// The scalars that some blocks cover.
    pub fn ranges(&self, blocks: Range<usize>) -> Range<usize> {
        self.offsets[blocks.start] as usize..self.offsets[blocks.end] as usize
    }

    /// The positions of column `j`.
    pub fn column(&self, j: usize) -> Range<usize> {
        self.col_ptr[j] as usize..self.col_ptr[j + 1] as usize
    }

    /// The positions of column `j` below the diagonal.
    pub fn below(&self, j: usize) -> Range<usize> {
        self.col_ptr[j] as usize + 1..self.col_ptr[j + 1] as usize
    }

    /// First position of each block column; one entry more than there are blocks.
    pub fn col_ptr(&self) -> &[u32] {
        &self.col_ptr
    }

    /// Block row of each position.
    pub fn row_idx(&self) -> &[u32] {
        &self.row_idx
    }

    /// Where the first number of a position is in the values.
    pub fn place(&self, position: usize) -> u32 {
        self.places[position]
    }

    /// Where the first number of the diagonal block `j` is in the values.
    pub fn diagonal_place(&self, j: usize) -> u32 {
        self.places[self.col_ptr[j] as usize]
    }

    /// Whether the block at a place, of more than one number, is a multiple of the identity.
    pub fn is_multiple(&self, place: u32) -> bool {
        place >= self.multiples
    }

    /// Scalar size of block `j`.
    pub fn size(&self, j: usize) -> usize {
        self.range(j).len()
    }

    /// Position of block (`row`, `col`) with `row >= col`, if it is stored.
    pub fn find(&self, row: usize, col: usize) -> Option<usize> {
        let row = u32::try_from(row).ok()?;
        let column = (col < self.blocks()).then(|| self.column(col))?;
        let found = self.row_idx[column.clone()].binary_search(&row).ok()?;
        Some(column.start + found)
    }

    /// Bytes held by the index arrays, without those that linear solvers have built for themselves ([`LinearSolver`](super::LinearSolver)
    /// counts them).
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.offsets[..])
            + size_of_val(&self.col_ptr[..])
            + size_of_val(&self.row_idx[..])
            + size_of_val(&self.places[..])
    }

    /// Bytes of the blocks by rows.
    pub(super) fn row_bytes(&self) -> usize {
        let rows = self.rows();
        size_of_val(&rows.row_ptr[..]) + size_of_val(&rows.entries[..])
    }

    /// The strictly lower blocks by rows.
    pub(super) fn rows(&self) -> &RowIndex {
        self.rows.get_or_init(|| RowIndex::new(self))
    }
}

impl RowIndex {
    fn new(structure: &BlockStructure) -> Self {
        let blocks = structure.blocks();
        let mut row_ptr = vec![0; blocks + 1];
        for j in 0..blocks {
            for &row in &structure.row_idx[structure.below(j)] {
                row_ptr[row as usize + 1] += 1;
            }
        }
        for i in 0..blocks {
            row_ptr[i + 1] += row_ptr[i];
        }
        let mut next = row_ptr[..blocks].to_vec();
        let mut entries = vec![(0, 0); row_ptr[blocks] as usize];
        for j in 0..blocks {
            for k in structure.below(j) {
                let slot = &mut next[structure.row_idx[k] as usize];
                entries[*slot as usize] = (j as u32, structure.places[k]);
                *slot += 1;
            }
        }
        Self { row_ptr, entries }
    }

    /// Block column and place of the blocks of a row, by ascending column.
    pub fn of(&self, row: usize) -> &[(u32, u32)] {
        &self.entries[self.row_ptr[row] as usize..self.row_ptr[row + 1] as usize]
    }
}

/// Sorts each column, drops duplicates and puts the diagonal first.
///
/// Duplicates go before the sort: in a Gauss-Newton matrix each pair comes once for every residual that
/// holds it, and a marker per row is much cheaper than sorting them.
fn sort_columns(col_ptr: &[usize], row_idx: &[u32]) -> (Vec<u32>, Vec<u32>) {
    let blocks = col_ptr.len() - 1;
    let mut sorted_ptr = Vec::with_capacity(blocks + 1);
    let mut sorted_idx = Vec::new();
    let mut last_seen_in = vec![u32::MAX; blocks];
    sorted_ptr.push(0);
    for j in 0..blocks {
        sorted_idx.push(j as u32);
        let start = sorted_idx.len();
        for &row in &row_idx[col_ptr[j]..col_ptr[j + 1]] {
            let seen = &mut last_seen_in[row as usize];
            if *seen != j as u32 {
                *seen = j as u32;
                sorted_idx.push(row);
            }
        }
        sorted_idx[start..].sort_unstable();
        sorted_ptr.push(sorted_idx.len() as u32);
    }
    sorted_idx.shrink_to_fit();
    (sorted_ptr, sorted_idx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_sorted_mirrored_and_deduplicated() {
        let pairs = [(2, 0), (0, 2), (1, 2), (2, 2), (2, 0)];
        let s = BlockStructure::from_pairs(&[1, 2, 3], pairs).unwrap();
        assert_eq!((s.range(0), s.range(2), s.ranges(1..3)), (0..1, 3..6, 1..6));
        assert_eq!((s.col_ptr(), s.column(1), s.below(1)), (&[0, 2, 4, 5][..], 2..4, 3..4));
        assert_eq!(s.row_idx(), [0, 2, 1, 2, 2]);
        assert_eq!((0..5).map(|k| s.place(k)).collect::<Vec<_>>(), [0, 1, 4, 8, 14]);
        assert_eq!(s.find(2, 0), Some(1));
        assert_eq!(s.find(1, 0), None);
        assert_eq!(s.find(7, 9), None);
        assert_eq!((s.blocks(), s.scalars(), s.value_count()), (3, 6, 23));
        assert_eq!((s.rows().of(0), s.rows().of(1), s.rows().of(2)), (&[][..], &[][..], &[(0, 1), (1, 8)][..]));
    }

    #[test]
    fn numbers_lie_as_they_are_stored() {
        use Storage::{Ahead, Full, Multiple};
        let storage = [Full, Multiple, Ahead, Ahead, Multiple, Full];
        let columns = (vec![0, 3, 5, 6], vec![0, 1, 2, 1, 2, 2]);
        let with = |multiples: [u32; 2]| {
            let (col_ptr, row_idx) = columns.clone();
            BlockStructure::from_columns(&[2; 3], col_ptr, row_idx, |k| storage[k], &multiples).unwrap()
        };
        for (multiples, expected) in [([0, 1], [8, 16, 0, 4, 17, 12]), ([0, 0], [8, 16, 0, 4, 16, 12])] {
            let s = with(multiples);
            assert_eq!((0..6).map(|k| s.place(k)).collect::<Vec<_>>(), expected);
            assert_eq!((0..6).map(|k| s.is_multiple(s.place(k))).filter(|&multiple| multiple).count(), 2);
            assert_eq!((s.value_count(), s.in_full().unwrap().value_count()), (17 + multiples[1] as usize, 24));
        }
    }

    #[test]
    fn what_has_too_many_numbers_is_an_error() {
        let size = 1 << 16;
        let error = BlockStructure::from_pairs(&[size], []).unwrap_err();
        assert_eq!(error, LinearError::TooLarge { entries: 1 << 32 });
    }

    #[test]
    fn empty_structure() {
        let s = BlockStructure::from_pairs(&[], []).unwrap();
        assert_eq!((s.blocks(), s.scalars(), s.value_count()), (0, 0, 0));
    }

    #[test]
    fn a_pair_out_of_range_is_named() {
        let error = BlockStructure::from_pairs(&[1, 1], [(0, 2)]).unwrap_err();
        let expected = LinearError::BlockOutOfRange { row: 2, col: 0, blocks: 2 };
        assert_eq!(error, expected);
    }
}
