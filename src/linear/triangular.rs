//! Solving with a supernodal factor.

use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{solve_lower_triangular_in_place, solve_upper_triangular_in_place};
use faer::{Accum, ColMut, ColRef, MatRef, Par};

use super::multifrontal::Multifrontal;
use super::small_front;

/// Overwrites `x` (in elimination order) by the solution of `L Lᵀ x = b`. `below` is scratch space.
pub fn solve_in_place(plan: &Multifrontal, factor: &[f64], x: &mut [f64], below: &mut Vec<f64>) {
    let supernodes = &plan.supernodes;
    for s in 0..supernodes.count() {
        below.clear();
        below.resize(supernodes.height[s], 0.0);
        let (width, rows, place) = plan.panel(s);
        if small_front::is_small(width, rows) {
            let first = supernodes.offsets[supernodes.first[s] as usize];
            small_front::solve_forward(&factor[place], rows, &mut x[first..first + width], below);
        } else {
            let (top, bottom, own) = split(plan, factor, x, s);
            solve_lower_triangular_in_place(top, ColMut::from_slice_mut(own).as_mat_mut(), Par::Seq);
            let product = ColMut::from_slice_mut(below);
            matmul(product, Accum::Replace, bottom, ColRef::from_slice(own), -1.0, Par::Seq);
        }
        let mut at = 0;
        for &b in supernodes.rows(s) {
            for x in &mut x[supernodes.offsets[b as usize]..supernodes.offsets[b as usize + 1]] {
                *x += below[at];
                at += 1;
            }
        }
    }
    for s in (0..supernodes.count()).rev() {
        below.clear();
        for &b in supernodes.rows(s) {
            let rows = supernodes.offsets[b as usize]..supernodes.offsets[b as usize + 1];
            below.extend_from_slice(&x[rows]);
        }
        let (width, rows, place) = plan.panel(s);
        if small_front::is_small(width, rows) {
            let first = supernodes.offsets[supernodes.first[s] as usize];
            small_front::solve_backward(&factor[place], rows, &mut x[first..first + width], below);
            continue;
        }
        let (top, bottom, own) = split(plan, factor, x, s);
        let target = ColMut::from_slice_mut(own);
        let known = ColRef::from_slice(below);
        matmul(target, Accum::Add, bottom.transpose(), known, -1.0, Par::Seq);
        let target = ColMut::from_slice_mut(own).as_mat_mut();
        solve_upper_triangular_in_place(top.transpose(), target, Par::Seq);
    }
}

/// The diagonal block and the rows below it of a supernode, and its own part of `x`.
fn split<'a>(
    plan: &Multifrontal,
    factor: &'a [f64],
    x: &'a mut [f64],
    s: usize,
) -> (MatRef<'a, f64>, MatRef<'a, f64>, &'a mut [f64]) {
    let (width, rows, place) = plan.panel(s);
    let first = plan.supernodes.offsets[plan.supernodes.first[s] as usize];
    let panel = MatRef::from_column_major_slice(&factor[place], rows, width);
    let (top, bottom) = panel.split_at_row(width);
    (top, bottom, &mut x[first..first + width])
}
