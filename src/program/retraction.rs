//! Steps on a manifold: the program of x ⊞ δ, and its derivative in δ at δ = 0.
//!
//! A residual of a block on a manifold is differentiated in δ, not in the numbers x that represent the point: J = ∂r/∂x · P(x) with
//! P(x) = ∂(x ⊞ δ)/∂δ at δ = 0 (Absil, Mahony, Sepulchre, *Optimization Algorithms on Matrix Manifolds*, 2008, §4.1). P comes from the
//! traced x ⊞ δ by the same differentiation as everything else, with δ = 0 folded in.

use super::{Builder, Node, Program};
use crate::value::op::Op;

/// A retraction x ⊞ δ with its derivative at δ = 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Retraction {
    /// x ⊞ δ, of the blocks x and δ.
    pub plus: Program,
    /// P(x): one output an entry of ∂(x ⊞ δ)/∂δ at δ = 0, row by row, of the block x.
    pub differential: Program,
}

impl Retraction {
    /// The retraction that a program of the blocks x and δ computes.
    ///
    /// # Panics
    /// If the program has not two blocks.
    pub fn new(plus: Program) -> Self {
        let [ambient, tangent] = plus.block_sizes[..] else { panic!("x ⊞ δ is a function of two blocks") };
        let derivative = plus.differentiate();
        let mut builder = Builder::default();
        let values = builder.inline(&derivative.program, |builder, leaf| match leaf {
            Node::Parameter { block: 1, .. } => builder.literal(0.0),
            leaf => builder.leaf(leaf),
        });
        let zero = builder.literal(0.0);
        let mut outputs = vec![zero; plus.outputs.len() * tangent as usize];
        for entry in derivative.entries.iter().filter(|entry| entry.block == 1) {
            let factor = builder.literal(entry.factor);
            let value = entry.stored.map(|k| values[derivative.residuals + k as usize]);
            let place = &mut outputs[(entry.residual * tangent + entry.component) as usize];
            *place = value.map_or(factor, |value| builder.two(Op::Mul, factor, value));
        }
        let differential = builder.finish(vec![ambient], 0, &outputs);
        Retraction { plus, differential }
    }

    /// Numbers that represent a point.
    pub fn ambient_size(&self) -> usize {
        self.plus.block_sizes[0] as usize
    }

    /// Components of δ.
    pub fn tangent_size(&self) -> usize {
        self.plus.block_sizes[1] as usize
    }
}
