//! Where the entries of the matrix and of the children's updates go in a front.

use super::elimination::{NONE, neighbours};
use super::supernodes::Supernodes;
use super::{Block, BlockMatrix, BlockStructure};

/// A stored block and the front row at which it goes.
struct Entry {
    place: u32,
    row: u32,
    /// Rows of the block in the front, times two; odd if the stored block is the mirror image of the one that the factor needs.
    rows: u32,
}

/// Rows of a child's update that are neighbours in the parent's front as well.
struct Run {
    child: u32,
    parent: u32,
    len: u32,
}

/// What a finished front hands to its parent: in a factorisation a square matrix, column-major, of which the lower triangle is
/// meaningful; in a substitution a vector.
pub struct Update {
    /// The supernode it comes from.
    pub supernode: usize,
    /// The entries, and perhaps some unused space behind them.
    pub values: Vec<f64>,
}

/// Some columns of a front, with all their rows from `first_row` on.
pub struct FrontColumns<'a> {
    /// Column-major entries.
    pub values: &'a mut [f64],
    /// Rows that are stored of each column.
    pub rows: usize,
    /// Front row of the first stored row.
    pub first_row: usize,
    /// Front column of the first column.
    pub first_column: usize,
}

/// The index lists of the assembly, computed once per structure.
pub struct Assembly {
    /// First entry of each new block column; one more than there are blocks.
    entry_ptr: Vec<usize>,
    entries: Vec<Entry>,
    /// First run of each supernode; one more than there are supernodes.
    run_ptr: Vec<usize>,
    runs: Vec<Run>,
}

impl Assembly {
    /// Finds the place of every block and of every row of an update.
    pub fn new(structure: &BlockStructure, supernodes: &Supernodes) -> Self {
        let mut assembly = Self {
            entry_ptr: vec![0],
            entries: Vec::with_capacity(structure.row_idx().len()),
            run_ptr: vec![0],
            runs: Vec::new(),
        };
        let mut children = vec![Vec::new(); supernodes.count()];
        for (s, &p) in supernodes.parent.iter().enumerate() {
            if p != NONE {
                children[p as usize].push(s);
            }
        }
        // Front row of each new block, valid for the blocks of the supernode at hand.
        let mut front_row = vec![0u32; structure.blocks()];
        let mut runs: Vec<Vec<Run>> = Vec::new();
        runs.resize_with(supernodes.count(), Vec::new);
        for (s, children) in children.iter().enumerate() {
            let columns = supernodes.first[s]..supernodes.first[s + 1];
            let mut row = 0;
            for b in columns.clone().chain(supernodes.rows(s).iter().copied()) {
                front_row[b as usize] = row;
                row += supernodes.size(b) as u32;
            }
            for b in columns {
                assembly.list_entries(structure, supernodes, b, &front_row);
            }
            for &child in children {
                let width = supernodes.width[s] as u32;
                runs[child] = list_runs(supernodes, child, width, &front_row);
            }
        }
        for runs in runs {
            assembly.runs.extend(runs);
            assembly.run_ptr.push(assembly.runs.len());
        }
        assembly
    }

    /// The blocks on and below the diagonal of the new block column `b`.
    fn list_entries(&mut self, structure: &BlockStructure, supernodes: &Supernodes, b: u32, front_row: &[u32]) {
        let old = supernodes.order[b as usize] as usize;
        let rows = |block: usize| (structure.size(block) as u32) << 1;
        let diagonal = structure.diagonal_place(old);
        self.entries.push(Entry { place: diagonal, row: front_row[b as usize], rows: rows(old) });
        for (other, place, is_row) in neighbours(structure, old) {
            let new = supernodes.place[other as usize];
            if new > b {
                let rows = rows(other as usize) | u32::from(!is_row);
                self.entries.push(Entry { place, row: front_row[new as usize], rows });
            }
        }
        self.entry_ptr.push(self.entries.len());
    }

    /// Bytes held by the lists.
    pub fn memory_bytes(&self) -> usize {
        size_of_val(&self.entries[..])
            + size_of_val(&self.runs[..])
            + size_of_val(&self.entry_ptr[..])
            + size_of_val(&self.run_ptr[..])
    }

    /// Writes the columns of `A + diag(damping)` that belong to supernode `s` into its (zeroed) panel.
    pub fn scatter_matrix(
        &self,
        supernodes: &Supernodes,
        s: usize,
        matrix: &BlockMatrix,
        damping: &[f64],
        panel: &mut [f64],
    ) {
        let ld = supernodes.width[s] + supernodes.height[s];
        let structure = &**matrix.structure();
        let mut column = 0;
        for b in supernodes.first[s]..supernodes.first[s + 1] {
            let columns = supernodes.size(b);
            let target = &mut panel[column * ld..(column + columns) * ld];
            let entries = self.entry_ptr[b as usize]..self.entry_ptr[b as usize + 1];
            for entry in &self.entries[entries] {
                let (row, rows, transposed) = (entry.row as usize, entry.rows as usize >> 1, entry.rows & 1 == 1);
                let block = matrix.block(entry.place, rows * columns);
                for (c, target) in target.chunks_exact_mut(ld).enumerate() {
                    let target = &mut target[row..row + rows];
                    match block {
                        Block::Multiple(number) => target[c] = number,
                        Block::Full(numbers) if transposed => {
                            let source = numbers[c..].iter().step_by(columns);
                            target.iter_mut().zip(source).for_each(|(t, v)| *t = *v);
                        }
                        Block::Full(numbers) => target.copy_from_slice(&numbers[c * rows..(c + 1) * rows]),
                    }
                }
            }
            let old = supernodes.order[b as usize] as usize;
            for (c, damping) in damping[structure.range(old)].iter().enumerate() {
                target[c * ld + column + c] += damping;
            }
            column += columns;
        }
    }

    /// Adds the rows of a child to those of its parent: what the parent eliminates, and what is below.
    pub fn add_rows(&self, child: &Update, own: &mut [f64], below: &mut [f64]) {
        for run in self.runs(child.supernode) {
            let source = &child.values[run.child as usize..][..run.len as usize];
            let target = match (run.parent as usize).checked_sub(own.len()) {
                None => &mut own[run.parent as usize..],
                Some(row) => &mut below[row..],
            };
            target.iter_mut().zip(source).for_each(|(t, v)| *t += v);
        }
    }

    /// Takes the rows of a child from the front of its parent.
    pub fn take_rows(&self, child: usize, parent: &[f64], rows: &mut [f64]) {
        for run in self.runs(child) {
            let source = &parent[run.parent as usize..][..run.len as usize];
            rows[run.child as usize..][..source.len()].copy_from_slice(source);
        }
    }

    /// The rows of a supernode in the front of its parent.
    fn runs(&self, child: usize) -> &[Run] {
        &self.runs[self.run_ptr[child]..self.run_ptr[child + 1]]
    }

    /// Adds the part of a child's update that falls into the given columns of its parent's front.
    pub fn add_update(&self, supernodes: &Supernodes, update: &Update, target: &mut FrontColumns) {
        let ld = supernodes.height[update.supernode];
        let runs = self.runs(update.supernode);
        let begin = target.first_column;
        let end = begin + target.values.len() / target.rows.max(1);
        let first = runs.partition_point(|r| (r.parent + r.len) as usize <= begin);
        for (k, run) in runs.iter().enumerate().skip(first) {
            let columns = run.parent as usize..(run.parent + run.len) as usize;
            if columns.start >= end {
                break;
            }
            for column in columns.start.max(begin)..columns.end.min(end) {
                let skip = (column - columns.start) as u32;
                let source = &update.values[(run.child + skip) as usize * ld..][..ld];
                let target_column = &mut target.values[(column - begin) * target.rows..];
                let first_row = target.first_row as u32;
                // The update is symmetric and only its lower triangle is there: start at the diagonal.
                let diagonal = Run { child: run.child + skip, parent: run.parent + skip, len: run.len - skip };
                for run in std::iter::once(&diagonal).chain(&runs[k + 1..]) {
                    let source = &source[run.child as usize..][..run.len as usize];
                    let target = &mut target_column[(run.parent - first_row) as usize..];
                    target.iter_mut().zip(source).for_each(|(t, v)| *t += v);
                }
            }
        }
    }
}

/// The rows of a child as runs in the front of its parent. No run crosses from the columns that the parent
/// eliminates (the first `width`) to the rows below.
fn list_runs(supernodes: &Supernodes, child: usize, width: u32, front_row: &[u32]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut child_row = 0;
    for &b in supernodes.rows(child) {
        let (row, len) = (front_row[b as usize], supernodes.size(b) as u32);
        match runs.last_mut() {
            Some(run) if run.parent + run.len == row && row != width => run.len += len,
            _ => runs.push(Run { child: child_row, parent: row, len }),
        }
        child_row += len;
    }
    runs
}
