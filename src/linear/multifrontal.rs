//! Multifrontal Cholesky factorisation (Duff and Reid 1983; Liu 1992).
//!
//! Each supernode owns a dense front: its columns (the panel, which becomes part of the factor) and the
//! update matrix that eliminating them leaves on the rows below. A front is assembled from the entries of
//! the matrix and the updates of its children, then handed to dense kernels; nearly all arithmetic is in
//! matrix products.
//!
//! Threads share the work in two ways: small subtrees of the elimination tree go to one thread each, and the
//! few large fronts above them are cut into tiles. Neither changes what is computed or in which order it is
//! summed, so the factor is the same, bit for bit, for any number of threads.

use std::ops::Range;
use std::sync::Mutex;

use faer::{Accum, MatMut, MatRef};
use rayon::prelude::*;

use super::assembly::{Assembly, FrontColumns, Update};
use super::elimination::{Elimination, NONE};
use super::front::{factorize_panel, subtract_product};
use super::schedule::Schedule;
use super::small_front;
use super::supernodes::Supernodes;
use super::update_pool::UpdatePool;
use super::{BlockMatrix, BlockStructure};

/// Columns of a front that one thread assembles.
const ASSEMBLY_TILE: usize = 64;

/// What one structure needs: computed once, used by every factorisation.
pub struct Multifrontal {
    /// The columns and rows of the fronts.
    pub supernodes: Supernodes,
    assembly: Assembly,
    /// First scalar of each panel in the factor; one entry more than there are supernodes.
    panel_ptr: Vec<usize>,
    /// Children of each supernode.
    child_count: Vec<u32>,
    schedule: Schedule,
}

impl Multifrontal {
    /// Plans the factorisation.
    pub fn new(structure: &BlockStructure, elimination: &Elimination) -> Self {
        let supernodes = Supernodes::new(structure, elimination);
        let assembly = Assembly::new(structure, &supernodes);
        let mut panel_ptr = vec![0];
        let mut child_count = vec![0; supernodes.count()];
        for s in 0..supernodes.count() {
            panel_ptr.push(panel_ptr[s] + supernodes.panel_len(s));
            if supernodes.parent[s] != NONE {
                child_count[supernodes.parent[s] as usize] += 1;
            }
        }
        let schedule = Schedule::new(&supernodes);
        Self { supernodes, assembly, panel_ptr, child_count, schedule }
    }

    /// Scalars that the factor takes.
    pub fn factor_len(&self) -> usize {
        self.panel_ptr[self.supernodes.count()]
    }

    /// The panel of supernode `s`: its width, its rows including the diagonal block, and its place in the
    /// factor.
    pub fn panel(&self, s: usize) -> (usize, usize, Range<usize>) {
        let width = self.supernodes.width[s];
        let rows = width + self.supernodes.height[s];
        (width, rows, self.panel_ptr[s]..self.panel_ptr[s + 1])
    }

    /// Bytes held by the index lists.
    pub fn memory_bytes(&self) -> usize {
        self.assembly.memory_bytes() + size_of_val(&self.supernodes.rows[..])
    }

    /// Factorises `A + diag(damping)` into `factor`. The error is the place in the elimination order of the
    /// scalar column whose pivot is not positive.
    pub fn factorize(
        &self,
        matrix: &BlockMatrix,
        damping: &[f64],
        factor: &mut [f64],
        pool: &UpdatePool,
        parallel: bool,
    ) -> Result<(), usize> {
        let mut panels = Vec::with_capacity(self.schedule.units.len());
        let mut rest = factor;
        for unit in &self.schedule.units {
            let len = self.panel_ptr[unit.supernodes.end] - self.panel_ptr[unit.supernodes.start];
            let (head, tail) = rest.split_at_mut(len);
            panels.push(Mutex::new(head));
            rest = tail;
        }
        let step = Step { plan: self, matrix, damping, pool, parallel, panels };
        step.units(&self.schedule.roots).map(|_| ())
    }
}

/// One factorisation in progress.
struct Step<'a> {
    plan: &'a Multifrontal,
    matrix: &'a BlockMatrix,
    damping: &'a [f64],
    pool: &'a UpdatePool,
    parallel: bool,
    /// The panels of each unit, each taken by the one thread that computes it.
    panels: Vec<Mutex<&'a mut [f64]>>,
}

impl Step<'_> {
    /// Factorises units that do not depend on each other, and all they depend on. Returns the updates of
    /// their roots in order; of several failures, the first one in elimination order.
    fn units(&self, units: &[usize]) -> Result<Vec<Update>, usize> {
        let updates: Vec<Result<Vec<Update>, usize>> = if self.parallel && units.len() > 1 {
            units.par_iter().map(|&u| self.unit(u)).collect()
        } else {
            units.iter().map(|&u| self.unit(u)).collect()
        };
        let updates: Result<Vec<Vec<Update>>, usize> = updates.into_iter().collect();
        Ok(updates?.into_iter().flatten().collect())
    }

    /// Factorises a unit and all it depends on. Recurses only where the tree of units branches, which a tree
    /// of few units does rarely: a long path is walked in a loop.
    fn unit(&self, unit: usize) -> Result<Vec<Update>, usize> {
        let units = &self.plan.schedule.units;
        let mut path = vec![unit];
        let mut bottom = unit;
        while let Some(only) = units[bottom].only_branch {
            path.push(only);
            bottom = only;
        }
        let mut below = Vec::new();
        while let Some(unit) = path.pop() {
            let inputs = &units[unit].inputs;
            let at = units[unit].only_branch.and_then(|only| inputs.iter().position(|&u| u == only));
            let mut stack = match at {
                None => self.units(inputs)?,
                Some(at) => {
                    let mut stack = self.units(&inputs[..at])?;
                    stack.append(&mut below);
                    stack.append(&mut self.units(&inputs[at + 1..])?);
                    stack
                }
            };
            self.columns(unit, &mut stack)?;
            below = stack;
        }
        Ok(below)
    }

    /// Factorises the supernodes of one unit in order, given the updates of its inputs.
    fn columns(&self, unit: usize, stack: &mut Vec<Update>) -> Result<(), usize> {
        let piece = &self.plan.schedule.units[unit];
        let Ok(mut panels) = self.panels[unit].lock() else {
            return Ok(());
        };
        let mut rest = &mut **panels;
        for s in piece.supernodes.clone() {
            let (panel, tail) = rest.split_at_mut(self.plan.supernodes.panel_len(s));
            self.front(s, panel, stack, self.parallel && piece.large)?;
            rest = tail;
        }
        Ok(())
    }

    /// Assembles and factorises one front; replaces the updates of its children on the stack by its own.
    fn front(&self, s: usize, panel: &mut [f64], stack: &mut Vec<Update>, parallel: bool) -> Result<(), usize> {
        let supernodes = &self.plan.supernodes;
        let (width, height) = (supernodes.width[s], supernodes.height[s]);
        let rows = width + height;
        let children = stack.split_off(stack.len() - self.plan.child_count[s] as usize);

        panel.fill(0.0);
        self.plan.assembly.scatter_matrix(supernodes, s, self.matrix, self.damping, panel);
        self.add_children(&children, panel, rows, 0, parallel);
        let first_column = supernodes.offsets[supernodes.first[s] as usize];
        let small = small_front::is_small(width, rows);
        let outcome = if small {
            small_front::factorize_panel(panel, rows)
        } else {
            factorize_panel(MatMut::from_column_major_slice_mut(panel, rows, width), parallel)
        };
        outcome.map_err(|pivot| first_column + pivot)?;

        if supernodes.parent[s] != NONE {
            let mut values = self.pool.take(height * height);
            let used = &mut values[..height * height];
            // Replacing first and adding the children afterwards saves zeroing the update.
            if small {
                small_front::write_update(panel, rows, width, used);
            } else {
                let (_, below) = MatRef::from_column_major_slice(panel, rows, width).split_at_row(width);
                let target = MatMut::from_column_major_slice_mut(used, height, height);
                subtract_product(target, below, Accum::Replace, parallel);
            }
            self.add_children(&children, used, height, width, parallel);
            stack.push(Update { supernode: s, values });
        }
        for child in children {
            self.pool.give_back(child.values);
        }
        Ok(())
    }

    /// Adds the updates of the children to the part of a front that begins at row and column `first`.
    fn add_children(&self, children: &[Update], values: &mut [f64], rows: usize, first: usize, parallel: bool) {
        let add = |(tile, values): (usize, &mut [f64])| {
            let mut target =
                FrontColumns { values, rows, first_row: first, first_column: first + tile * ASSEMBLY_TILE };
            for child in children {
                let supernodes = &self.plan.supernodes;
                self.plan.assembly.add_update(supernodes, child, &mut target);
            }
        };
        if parallel {
            let tiles = values.par_chunks_mut((ASSEMBLY_TILE * rows).max(1));
            tiles.enumerate().for_each(add);
        } else {
            let tiles = values.chunks_mut((ASSEMBLY_TILE * rows).max(1));
            tiles.enumerate().for_each(add);
        }
    }
}
