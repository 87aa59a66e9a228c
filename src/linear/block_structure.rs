//! The sparsity structure of a symmetric matrix made of small dense blocks.

use std::ops::Range;
use std::sync::OnceLock;

use super::LinearError;

/// Lower triangle of a symmetric block matrix, by block columns.
///
/// Block `j` covers the scalars `offsets[j]..offsets[j + 1]`. The blocks of column `j` are the positions
/// `col_ptr[j]..col_ptr[j + 1]`, with ascending rows in `row_idx`; the first one is the diagonal block, which
/// is always there. The block at position `k` is stored dense and column-major in the scalars `values(k)` of
/// [`BlockMatrix::values`](super::BlockMatrix::values), in the order of the positions unless
/// [`BlockStructure::storing_first`] says otherwise. Diagonal blocks are stored in full; only their lower triangle
/// is read by the solvers.
#[derive(Debug)]
pub struct BlockStructure {
    offsets: Vec<usize>,
    col_ptr: Vec<usize>,
    row_idx: Vec<u32>,
    /// First scalar of each position, and how many it has.
    value_ptr: Vec<usize>,
    value_len: Vec<u32>,
    /// Scalars of all positions.
    value_count: usize,
    /// The blocks left of the diagonal by rows, built at the first matrix-vector product.
    rows: OnceLock<RowIndex>,
}

/// The strictly lower blocks row by row: what a column-wise structure cannot list by itself.
#[derive(Debug)]
pub(super) struct RowIndex {
    /// Row `i` has the entries `row_ptr[i]..row_ptr[i + 1]`.
    pub row_ptr: Vec<usize>,
    /// Block column and position, by ascending column.
    pub entries: Vec<(u32, u32)>,
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
        if u32::try_from(row_idx.len()).is_err() {
            return Err(LinearError::TooLarge { entries: row_idx.len() });
        }
        Ok(Self::with_layout(sizes, col_ptr, row_idx))
    }

    /// Adds the scalar offsets and the places of the values to a sorted block pattern.
    fn with_layout(sizes: &[usize], col_ptr: Vec<usize>, row_idx: Vec<u32>) -> Self {
        let mut offsets = Vec::with_capacity(sizes.len() + 1);
        let mut scalars = 0;
        offsets.push(0);
        for size in sizes {
            scalars += size;
            offsets.push(scalars);
        }
        let columns = sizes.iter().enumerate().map(|(j, size)| (size, &row_idx[col_ptr[j]..col_ptr[j + 1]]));
        let value_len =
            columns.flat_map(|(size, rows)| rows.iter().map(move |&row| (size * sizes[row as usize]) as u32));
        let value_len: Vec<u32> = value_len.collect();
        let value_ptr = vec![0; row_idx.len()];
        let structure = Self { offsets, col_ptr, row_idx, value_ptr, value_len, value_count: 0, rows: OnceLock::new() };
        structure.storing_first(|_| true)
    }

    /// The same structure with the scalars of some positions before those of all others: what is written together then lies
    /// together.
    pub fn storing_first(mut self, first: impl Fn(usize) -> bool) -> Self {
        let mut count = 0;
        for turn in [true, false] {
            for position in (0..self.row_idx.len()).filter(|&position| first(position) == turn) {
                self.value_ptr[position] = count;
                count += self.value_len[position] as usize;
            }
        }
        self.value_count = count;
        self
    }

    /// Number of block rows (and block columns).
    pub fn blocks(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Number of scalar rows (and columns).
    pub fn scalars(&self) -> usize {
        self.offsets[self.blocks()]
    }

    /// Number of stored scalars.
    pub fn value_count(&self) -> usize {
        self.value_count
    }

    /// First scalar of each block; one entry more than there are blocks.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// First position of each block column; one entry more than there are blocks.
    pub fn col_ptr(&self) -> &[usize] {
        &self.col_ptr
    }

    /// Block row of each position.
    pub fn row_idx(&self) -> &[u32] {
        &self.row_idx
    }

    /// The scalars of a position in the values.
    pub fn values(&self, position: usize) -> Range<usize> {
        let start = self.value_ptr[position];
        start..start + self.value_len[position] as usize
    }

    /// Scalar size of block `j`.
    pub fn size(&self, j: usize) -> usize {
        self.offsets[j + 1] - self.offsets[j]
    }

    /// Position of block (`row`, `col`) with `row >= col`, if it is stored.
    pub fn find(&self, row: usize, col: usize) -> Option<usize> {
        let start = *self.col_ptr.get(col)?;
        let end = *self.col_ptr.get(col + 1)?;
        let row = u32::try_from(row).ok()?;
        let found = self.row_idx[start..end].binary_search(&row).ok()?;
        Some(start + found)
    }

    /// Bytes held by the index arrays.
    pub fn memory_bytes(&self) -> usize {
        let rows = self.rows.get().map_or(0, |r| size_of_val(&r.row_ptr[..]) + size_of_val(&r.entries[..]));
        size_of_val(&self.offsets[..])
            + size_of_val(&self.col_ptr[..])
            + size_of_val(&self.row_idx[..])
            + size_of_val(&self.value_ptr[..])
            + size_of_val(&self.value_len[..])
            + rows
    }

    /// The strictly lower blocks by rows.
    pub(super) fn rows(&self) -> &RowIndex {
        self.rows.get_or_init(|| RowIndex::new(self))
    }
}

impl RowIndex {
    fn new(structure: &BlockStructure) -> Self {
        let blocks = structure.blocks();
        let strictly_lower = |j: usize| structure.col_ptr[j] + 1..structure.col_ptr[j + 1];
        let mut row_ptr = vec![0usize; blocks + 1];
        for j in 0..blocks {
            for &row in &structure.row_idx[strictly_lower(j)] {
                row_ptr[row as usize + 1] += 1;
            }
        }
        for i in 0..blocks {
            row_ptr[i + 1] += row_ptr[i];
        }
        let mut next = row_ptr[..blocks].to_vec();
        let mut entries = vec![(0, 0); row_ptr[blocks]];
        for j in 0..blocks {
            for k in strictly_lower(j) {
                let slot = &mut next[structure.row_idx[k] as usize];
                entries[*slot] = (j as u32, k as u32);
                *slot += 1;
            }
        }
        Self { row_ptr, entries }
    }
}

/// Sorts each column, drops duplicates and puts the diagonal first.
///
/// Duplicates go before the sort: in a Gauss-Newton matrix each pair comes once for every residual that
/// holds it, and a marker per row is much cheaper than sorting them.
fn sort_columns(col_ptr: &[usize], row_idx: &[u32]) -> (Vec<usize>, Vec<u32>) {
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
        sorted_ptr.push(sorted_idx.len());
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
        assert_eq!(s.offsets(), [0, 1, 3, 6]);
        assert_eq!(s.col_ptr(), [0, 2, 4, 5]);
        assert_eq!(s.row_idx(), [0, 2, 1, 2, 2]);
        assert_eq!((0..5).map(|k| s.values(k)).collect::<Vec<_>>(), [0..1, 1..4, 4..8, 8..14, 14..23]);
        assert_eq!(s.find(2, 0), Some(1));
        assert_eq!(s.find(1, 0), None);
        assert_eq!(s.find(7, 9), None);
        assert_eq!((s.blocks(), s.scalars(), s.value_count()), (3, 6, 23));
        assert_eq!(s.rows().entries, [(0, 1), (1, 3)]);
        let s = s.storing_first(|k| k % 2 == 1);
        assert_eq!((0..5).map(|k| s.values(k)).collect::<Vec<_>>(), [9..10, 0..3, 10..14, 3..9, 14..23]);
        assert_eq!(s.value_count(), 23);
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
