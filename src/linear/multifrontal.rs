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

use faer::{Accum, MatMut, MatRef};
use rayon::prelude::*;

use super::assembly::{Assembly, FrontColumns, Update};
use super::climb::{Climb, Fronts};
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
    pub assembly: Assembly,
    /// First scalar of each panel in the factor; one entry more than there are supernodes.
    panel_ptr: Vec<usize>,
    /// Children of each supernode.
    child_count: Vec<u32>,
    /// Which thread does what.
    pub schedule: Schedule,
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
        let step = Step { matrix, damping, pool };
        Climb::run(self, step, factor, parallel)
    }
}

/// One factorisation in progress.
struct Step<'a> {
    matrix: &'a BlockMatrix,
    damping: &'a [f64],
    pool: &'a UpdatePool,
}

impl Fronts for Step<'_> {
    fn len(&self, plan: &Multifrontal, s: usize) -> usize {
        plan.supernodes.panel_len(s)
    }

    /// Assembles and factorises one front; replaces the updates of its children on the stack by its own.
    fn front(
        &self,
        plan: &Multifrontal,
        s: usize,
        panel: &mut [f64],
        stack: &mut Vec<Update>,
        parallel: bool,
    ) -> Result<(), usize> {
        let supernodes = &plan.supernodes;
        let (width, height) = (supernodes.width[s], supernodes.height[s]);
        let rows = width + height;
        let children = plan.take_children(s, stack);

        panel.fill(0.0);
        plan.assembly.scatter_matrix(supernodes, s, self.matrix, self.damping, panel);
        plan.add_children(&children, panel, rows, 0, parallel);
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
            plan.add_children(&children, used, height, width, parallel);
            stack.push(Update { supernode: s, values });
        }
        for child in children {
            self.pool.give_back(child.values);
        }
        Ok(())
    }
}

impl Multifrontal {
    /// The updates of the children of supernode `s`, which are the last ones.
    pub fn take_children(&self, s: usize, stack: &mut Vec<Update>) -> Vec<Update> {
        stack.split_off(stack.len() - self.child_count[s] as usize)
    }

    /// Adds the updates of the children to the part of a front that begins at row and column `first`.
    fn add_children(&self, children: &[Update], values: &mut [f64], rows: usize, first: usize, parallel: bool) {
        let add = |(tile, values): (usize, &mut [f64])| {
            let mut target =
                FrontColumns { values, rows, first_row: first, first_column: first + tile * ASSEMBLY_TILE };
            for child in children {
                self.assembly.add_update(&self.supernodes, child, &mut target);
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
