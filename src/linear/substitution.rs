//! Solving with a supernodal factor so large that threads share it.
//!
//! Forward, a front takes what its children have for its rows, as in the factorisation; backward, it gives its values to its children.
//! So units that do not depend on each other can go to different threads, and sums have the same order whatever their number.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, ColMut, ColRef, MatRef, Par};
use rayon::prelude::*;

use super::assembly::Update;
use super::climb::{Climb, Fronts, Parts, parts};
use super::elimination::NONE;
use super::multifrontal::Multifrontal;
use super::small_front;

/// Rows below the diagonal block whose products are one task.
const ROWS: usize = 256;
/// Columns whose products are one task.
const COLUMNS: usize = 64;
/// Numbers of a panel from which on its tasks go to several threads.
const SHARED: usize = 1 << 16;

/// Overwrites `x` (in elimination order) by the solution of `L Lᵀ x = b`.
pub fn solve_in_place(plan: &Multifrontal, factor: &[f64], x: &mut [f64], parallel: bool) {
    // Nothing here fails.
    let _ = Climb::run(plan, Forward { factor }, x, parallel);
    let parts = parts(plan, x, |s| plan.supernodes.width[s]);
    let descent = Descent { plan, factor, parallel, parts };
    descent.units(&plan.schedule.roots, &[]);
}

/// Whether threads share the work of a front.
fn is_shared(plan: &Multifrontal, s: usize, parallel: bool) -> bool {
    parallel && plan.supernodes.panel_len(s) >= SHARED
}

/// The way up: `L y = b`.
struct Forward<'a> {
    factor: &'a [f64],
}

impl Fronts for Forward<'_> {
    fn len(&self, plan: &Multifrontal, s: usize) -> usize {
        plan.supernodes.width[s]
    }

    fn front(
        &self,
        plan: &Multifrontal,
        s: usize,
        own: &mut [f64],
        updates: &mut Vec<Update>,
        parallel: bool,
    ) -> Result<(), usize> {
        let (width, rows, place) = plan.panel(s);
        let mut below = vec![0.0; rows - width];
        for child in plan.take_children(s, updates) {
            plan.assembly.add_rows(&child, own, &mut below);
        }
        let panel = &self.factor[place];
        if small_front::is_small(width, rows) {
            small_front::solve_forward(panel, rows, own, &mut below);
        } else {
            let (top, bottom) = MatRef::from_column_major_slice(panel, rows, width).split_at_row(width);
            solve_lower_triangular_in_place(top, ColMut::from_slice_mut(own).as_mat_mut(), Par::Seq);
            let own = ColRef::from_slice(own);
            let subtract = |(tile, below): (usize, &mut [f64])| {
                let rows = bottom.subrows(tile * ROWS, below.len());
                matmul(ColMut::from_slice_mut(below), Accum::Add, rows, own, -1.0, Par::Seq);
            };
            if is_shared(plan, s, parallel) {
                below.par_chunks_mut(ROWS).enumerate().for_each(subtract);
            } else {
                below.chunks_mut(ROWS).enumerate().for_each(subtract);
            }
        }
        if plan.supernodes.parent[s] != NONE {
            updates.push(Update { supernode: s, values: below });
        }
        Ok(())
    }
}

/// The way down: `Lᵀ x = y`.
struct Descent<'a> {
    plan: &'a Multifrontal,
    factor: &'a [f64],
    parallel: bool,
    parts: Parts<'a>,
}

impl Descent<'_> {
    /// Units whose fronts take values from one front, `above`, and all that depend on them.
    fn units(&self, units: &[usize], above: &[f64]) {
        if self.parallel && units.len() > 1 {
            units.par_iter().for_each(|&unit| self.unit(unit, above));
        } else {
            units.iter().for_each(|&unit| self.unit(unit, above));
        }
    }

    /// A unit and all that depend on it. As on the way up, a long path is walked in a loop.
    fn unit(&self, mut unit: usize, above: &[f64]) {
        let mut front = self.columns(unit, above);
        loop {
            let piece = &self.plan.schedule.units[unit];
            let Some(only) = piece.only_branch else { return self.units(&piece.inputs, &front) };
            let others: Vec<usize> = piece.inputs.iter().copied().filter(|&input| input != only).collect();
            self.units(&others, &front);
            front = self.columns(only, &front);
            unit = only;
        }
    }

    /// The supernodes of one unit, last one first; the values of the front that was the last.
    fn columns(&self, unit: usize, above: &[f64]) -> Vec<f64> {
        let piece = &self.plan.schedule.units[unit];
        let Ok(mut part) = self.parts[unit].lock() else { return Vec::new() };
        let supernodes = &self.plan.supernodes;
        let mut rest = &mut **part;
        // Fronts from the unit's root down to the one before, in which the parent of each is found.
        let mut path: Vec<(u32, Vec<f64>)> = Vec::new();
        let mut spare = Vec::new();
        for s in piece.supernodes.clone().rev() {
            let (head, own) = rest.split_at_mut(rest.len() - supernodes.width[s]);
            rest = head;
            while path.last().is_some_and(|&(last, _)| last != supernodes.parent[s]) {
                spare.extend(path.pop().map(|(_, front)| front));
            }
            let parent = path.last().map_or(above, |(_, front)| front);
            let mut front: Vec<f64> = spare.pop().unwrap_or_default();
            self.front(s, own, parent, &mut front, self.parallel && piece.large);
            path.push((s as u32, front));
        }
        path.pop().map(|(_, front)| front).unwrap_or_default()
    }

    /// Solves for the values of a supernode, and leaves them in `front` with those of the rows below.
    fn front(&self, s: usize, own: &mut [f64], parent: &[f64], front: &mut Vec<f64>, parallel: bool) {
        let (width, rows, place) = self.plan.panel(s);
        front.clear();
        front.resize(rows, 0.0);
        self.plan.assembly.take_rows(s, parent, &mut front[width..]);
        let (panel, below) = (&self.factor[place], &front[width..]);
        if small_front::is_small(width, rows) {
            small_front::solve_backward(panel, rows, own, below);
        } else {
            let (top, bottom) = MatRef::from_column_major_slice(panel, rows, width).split_at_row(width);
            let below = ColRef::from_slice(below);
            let subtract = |(tile, own): (usize, &mut [f64])| {
                let columns = bottom.subcols(tile * COLUMNS, own.len());
                matmul(ColMut::from_slice_mut(own), Accum::Add, columns.transpose(), below, -1.0, Par::Seq);
            };
            if is_shared(self.plan, s, parallel) {
                own.par_chunks_mut(COLUMNS).enumerate().for_each(subtract);
            } else {
                own.chunks_mut(COLUMNS).enumerate().for_each(subtract);
            }
            solve_upper_triangular_in_place(top.transpose(), ColMut::from_slice_mut(own).as_mat_mut(), Par::Seq);
        }
        front[..width].copy_from_slice(own);
    }
}

#[cfg(test)]
mod tests {
    use super::super::elimination::Elimination;
    use super::super::ordering::minimum_degree;
    use super::super::test_problems::{grid, matrix};
    use super::super::update_pool::UpdatePool;
    use super::super::{BlockMatrix, triangular};
    use super::*;

    /// Bits of the solutions by all threads and by one, in elimination order, and the largest difference from those of the other way to
    /// substitute.
    fn solve(a: &BlockMatrix, threads: usize) -> (Vec<u64>, f64) {
        let structure = a.structure();
        let n = structure.scalars();
        let order = minimum_degree(structure).unwrap();
        let plan = Multifrontal::new(structure, &Elimination::new(structure, &order));
        let mut factor = vec![0.0; plan.factor_len()];
        plan.factorize(a, &vec![0.01; n], &mut factor, &UpdatePool::default(), false).unwrap();
        let rhs: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
        let (mut x, mut expected) = (rhs.clone(), rhs);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| solve_in_place(&plan, &factor, &mut x, threads > 1));
        triangular::solve_in_place(&plan, &factor, &mut expected, &mut Vec::new());
        let difference = x.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        (x.iter().map(|x| x.to_bits()).collect(), difference)
    }

    #[test]
    fn trees_of_all_shapes_agree_with_one_thread_and_with_the_other_way() {
        let pairs = |count: u32, step: u32| (step..count).map(move |i| (i - step, i)).collect::<Vec<_>>();
        let value = |i: usize, j: usize, r: usize, c: usize| match (i == j, r == c) {
            (true, true) => 9.0,
            (false, true) => -1.0,
            _ => 0.0,
        };
        let all: Vec<(u32, u32)> = (0..20).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        let dense = matrix(
            &[30; 20],
            &all,
            |i, j, r, c| if (i, r) == (j, c) { 700.0 } else { ((i + j) * (r + c)) as f64 % 0.7 },
        );
        let chain = matrix(&vec![2; 3000], &pairs(3000, 1), value);
        let apart = matrix(&vec![1; 500], &[], value);
        for (name, a) in [("grid", grid(60)), ("dense", dense), ("chain", chain), ("apart", apart), ("none", grid(0))] {
            let (one, difference) = solve(&a, 1);
            assert!(difference < 1e-12, "{name}: {difference}");
            for threads in [2, 5] {
                assert_eq!(one, solve(&a, threads).0, "{name}");
            }
        }
    }
}
