//! The blocks that a row is coupled with. Each is met several times, so that it takes less time to sort them once they are told apart.

/// A block that a row is coupled with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Column {
    /// Number of the piece.
    pub piece: u32,
    /// Where it starts.
    pub place: u32,
    /// Class of the pair: where instances differ, that which has the kinds of all of them.
    pub pair: u32,
    /// Components.
    pub size: u32,
    /// How often it was met.
    pub count: u32,
}

/// The columns of a row after the other.
#[derive(Default)]
pub(super) struct Columns {
    /// What was met, as a column that was met 0 times, with an entry.
    met: Vec<(Column, u32)>,
    /// For each piece 1 + the number of its column in the present row, or 0. Rows that follow each other meet pieces that lie together.
    numbers: Vec<u32>,
    /// In the order in which they were met.
    found: Vec<Column>,
    /// Class of pairs, place and number of each column.
    sorted: Vec<u64>,
    /// Where the next entry of each column goes.
    next: Vec<u32>,
    /// The entries, column by column.
    entries: Vec<u32>,
}

impl Columns {
    /// For so many pieces.
    pub fn new(pieces: usize) -> Self {
        Columns { numbers: vec![0; pieces], ..Columns::default() }
    }

    /// Meets a piece.
    pub fn meet(&mut self, column: Column, entry: u32) {
        self.met.push((column, entry));
    }

    /// Ends the row: tells the pieces apart that were met.
    pub fn end(&mut self) {
        self.found.clear();
        // Whether a piece is new is anybody's guess: it is written as if it were, and then not counted.
        self.found.resize(self.met.len() + 1, Column::default());
        let (found, numbers, mut len) = (&mut self.found[..], &mut self.numbers[..], 0);
        for (column, _) in &self.met {
            found[len as usize] = *column;
            let number = &mut numbers[column.piece as usize];
            let is_new = *number == 0;
            len += u32::from(is_new);
            *number = if is_new { len } else { *number };
            let found = &mut found[*number as usize - 1];
            found.count += 1;
            // Those of all kinds come before those of multiples alone.
            found.pair = found.pair.min(column.pair);
        }
        self.found.truncate(len as usize);
    }

    /// All columns in the order of meeting, once the row is ended.
    pub fn found(&self) -> &[Column] {
        &self.found
    }

    /// Entries of the lists of all columns.
    pub fn entries(&self) -> usize {
        self.met.len()
    }

    /// Calls `f` with the columns by class of pairs and place, adds what was met of each to the list of its class, column by column, in the order of
    /// meeting, and makes ready for another row. There are no more than 65,535 entries.
    pub fn list(&mut self, lists: &mut [Vec<u32>], mut f: impl FnMut(&Column)) {
        self.sorted.clear();
        let key =
            |(number, column): (u64, &Column)| u64::from(column.pair) << 48 | u64::from(column.place) << 16 | number;
        self.sorted.extend((0..).zip(&self.found).map(key));
        self.sorted.sort_unstable();
        self.next.resize(self.found.len(), 0);
        let mut end = 0;
        for key in &self.sorted {
            let number = usize::from(*key as u16);
            self.next[number] = end;
            end += self.found[number].count;
            f(&self.found[number]);
        }
        self.entries.resize(self.met.len(), 0);
        let (numbers, next, entries) = (&self.numbers[..], &mut self.next[..], &mut self.entries[..]);
        for (column, entry) in &self.met {
            let next = &mut next[numbers[column.piece as usize] as usize - 1];
            entries[*next as usize] = *entry;
            *next += 1;
        }
        let mut begin = 0;
        for keys in self.sorted.chunk_by(|a, b| a >> 48 == b >> 48) {
            let count = |key: &u64| self.found[usize::from(*key as u16)].count as usize;
            let end = begin + keys.iter().map(count).sum::<usize>();
            lists[(keys[0] >> 48) as usize].extend_from_slice(&self.entries[begin..end]);
            begin = end;
        }
        self.clear();
    }

    /// Makes ready for another row.
    pub fn clear(&mut self) {
        self.found.iter().for_each(|column| self.numbers[column.piece as usize] = 0);
        self.met.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_by_class_and_place_and_their_entries_in_order() {
        let mut state = 1u32;
        let mut columns = Columns::new(40);
        for row in 0..200 {
            let met: Vec<(u32, u32)> = (0..row * row % 300)
                .map(|entry| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    ((state >> 20) % 40, entry)
                })
                .collect();
            // Places are not in the order of pieces.
            let column =
                |piece: u32, pair: u32, count: u32| Column { piece, place: 3 * (piece * 7 % 40), pair, size: 3, count };
            // A piece may be met in either class if one of its entries is odd, and then is in the first.
            let class = |piece: u32| u32::from(!met.iter().any(|&(other, entry)| other == piece && entry % 2 == 1));
            met.iter().for_each(|&(piece, entry)| columns.meet(column(piece, 1 - entry % 2, 0), entry));
            let mut sorted = met.clone();
            sorted.sort_by_key(|&(piece, _)| (class(piece), column(piece, 0, 0).place));
            let mut expected = [vec![7], vec![7, 7]];
            sorted.iter().for_each(|&(piece, entry)| expected[class(piece) as usize].push(entry));
            columns.end();
            let counts = (columns.found().len(), columns.entries());
            let (mut lists, mut found) = ([vec![7], vec![7, 7]], Vec::new());
            columns.list(&mut lists, |column| found.push(*column));
            assert_eq!(lists, expected);
            let runs = sorted.chunk_by(|a, b| a.0 == b.0);
            assert_eq!(found, runs.map(|run| column(run[0].0, class(run[0].0), run.len() as u32)).collect::<Vec<_>>());
            assert_eq!(counts, (found.len(), met.len()));
        }
    }
}
