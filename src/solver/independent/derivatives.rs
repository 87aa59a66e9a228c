//! What the instances of a group add to the normal equations of their component.

use super::normal::Normal;
use crate::kernel::Kernel;

/// No column: a parameter that is held.
pub(super) const HELD: u32 = u32::MAX;

/// An entry of an instance's Jacobian: `factor`, times a stored number if there is one.
#[derive(Debug)]
struct Entry {
    slot: u32,
    component: u32,
    factor: f64,
    stored: Option<u32>,
}

/// The Jacobian of an instance by rows, as it follows from the group's linearization.
#[derive(Debug)]
pub(super) struct Derivatives {
    entries: Vec<Entry>,
    /// Where the entries of each residual end.
    ends: Vec<usize>,
    slots: usize,
    stored: usize,
}

impl Derivatives {
    pub fn new(kernel: &Kernel) -> Self {
        let entries = &kernel.linearization.entries;
        let end = |residual: usize| entries.partition_point(|entry| entry.residual as usize <= residual);
        Derivatives {
            ends: (0..kernel.residuals()).map(end).collect(),
            entries: entries
                .iter()
                .map(|e| Entry { slot: e.block, component: e.component, factor: e.factor, stored: e.stored })
                .collect(),
            slots: kernel.linearization.tangent_sizes.len(),
            stored: kernel.stored(),
        }
    }

    /// Most entries of a row.
    pub fn widest(&self) -> usize {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(start, end)| end - start).max().unwrap_or(0)
    }

    /// Adds instances to `normal`, in order: of each its residuals, its stored numbers, and where the components of a step of each of
    /// its blocks begin in `columns`, which says what column of J each is. `row` is room.
    pub fn add(
        &self,
        (residuals, stored, starts): (&[f64], &[f64], &[u32]),
        columns: &[u32],
        row: &mut Vec<(u32, f64)>,
        normal: &mut Normal,
    ) {
        let mut numbers = stored;
        for (residuals, starts) in residuals.chunks_exact(self.ends.len()).zip(starts.chunks_exact(self.slots)) {
            let (mine, rest) = numbers.split_at(self.stored);
            numbers = rest;
            let mut first = 0;
            for (&residual, &end) in residuals.iter().zip(&self.ends) {
                row.clear();
                for entry in &self.entries[first..end] {
                    let column = columns[(starts[entry.slot as usize] + entry.component) as usize];
                    if column != HELD {
                        row.push((column, entry.factor * entry.stored.map_or(1.0, |k| mine[k as usize])));
                    }
                }
                normal.add_row(row, residual);
                first = end;
            }
        }
    }
}
