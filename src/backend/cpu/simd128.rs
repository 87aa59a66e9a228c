//! Arithmetic on two lanes at once, in browsers. A module for them is compiled for size, and then no loop becomes vector instructions by
//! itself.

use super::lanes::Lane;
use crate::kernel::Pair;
use crate::value::op::Op;
use std::arch::wasm32::{
    f64x2_abs, f64x2_add, f64x2_div, f64x2_mul, f64x2_neg, f64x2_splat, f64x2_sqrt, f64x2_sub, v128,
};

/// Applies the operation if there is an instruction for it. (These functions are no `Fn` themselves, hence the closures.)
pub(super) fn apply<const N: usize>(lanes: &mut [Lane<N>], op: Op, to: u32, args: [u32; 3]) -> bool {
    match op {
        Op::Add => by_two(lanes, to, args, |a, b, _| f64x2_add(a, b)),
        Op::Sub => by_two(lanes, to, args, |a, b, _| f64x2_sub(a, b)),
        Op::Mul => by_two(lanes, to, args, |a, b, _| f64x2_mul(a, b)),
        Op::Div => by_two(lanes, to, args, |a, b, _| f64x2_div(a, b)),
        Op::Neg => by_two(lanes, to, args, |a, _, _| f64x2_neg(a)),
        Op::Abs => by_two(lanes, to, args, |a, _, _| f64x2_abs(a)),
        Op::Sqrt => by_two(lanes, to, args, |a, _, _| f64x2_sqrt(a)),
        Op::Recip => by_two(lanes, to, args, |a, _, _| f64x2_div(f64x2_splat(1.0), a)),
        _ => return false,
    }
    true
}

/// The same for two operations at once.
pub(super) fn apply_pair<const N: usize>(lanes: &mut [Lane<N>], pair: Pair, to: u32, args: [u32; 3]) {
    match pair {
        Pair::AddAdd => by_two(lanes, to, args, |a, b, c| f64x2_add(f64x2_add(a, b), c)),
        Pair::AddSub => by_two(lanes, to, args, |a, b, c| f64x2_sub(f64x2_add(a, b), c)),
        Pair::AddFrom => by_two(lanes, to, args, |a, b, c| f64x2_sub(c, f64x2_add(a, b))),
        Pair::AddMul => by_two(lanes, to, args, |a, b, c| f64x2_mul(f64x2_add(a, b), c)),
        Pair::SubAdd => by_two(lanes, to, args, |a, b, c| f64x2_add(f64x2_sub(a, b), c)),
        Pair::SubSub => by_two(lanes, to, args, |a, b, c| f64x2_sub(f64x2_sub(a, b), c)),
        Pair::SubFrom => by_two(lanes, to, args, |a, b, c| f64x2_sub(c, f64x2_sub(a, b))),
        Pair::SubMul => by_two(lanes, to, args, |a, b, c| f64x2_mul(f64x2_sub(a, b), c)),
        Pair::MulAdd => by_two(lanes, to, args, |a, b, c| f64x2_add(f64x2_mul(a, b), c)),
        Pair::MulSub => by_two(lanes, to, args, |a, b, c| f64x2_sub(f64x2_mul(a, b), c)),
        Pair::MulFrom => by_two(lanes, to, args, |a, b, c| f64x2_sub(c, f64x2_mul(a, b))),
        Pair::MulMul => by_two(lanes, to, args, |a, b, c| f64x2_mul(f64x2_mul(a, b), c)),
    }
}

#[inline(always)]
fn by_two<const N: usize>(lanes: &mut [Lane<N>], to: u32, args: [u32; 3], f: impl Fn(v128, v128, v128) -> v128) {
    let (to, [a, b, c]) = (to as usize, args.map(|a| a as usize));
    assert!(to < lanes.len() && a < lanes.len() && b < lanes.len() && c < lanes.len());
    for k in 0..N / 2 {
        let [a, b, c] = [a, b, c].map(|lane| bytemuck::cast(lanes[lane].0.as_chunks::<2>().0[k]));
        lanes[to].0.as_chunks_mut::<2>().0[k] = bytemuck::cast(f(a, b, c));
    }
}
