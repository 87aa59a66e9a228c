//! Steps on a manifold: the program of x ⊞ δ, and its derivative in δ at δ = 0.
//!
//! A residual of a block on a manifold is differentiated in δ, not in the numbers x that represent the point: J = ∂r/∂x · P(x) with
//! P(x) = ∂(x ⊞ δ)/∂δ at δ = 0 (Absil, Mahony, Sepulchre, *Optimization Algorithms on Matrix Manifolds*, 2008, §4.1). P comes from the
//! traced x ⊞ δ by the same rules as every derivative, applied where δ = 0.

use super::differentiate::product;
use super::{Builder, Id, Node, Program};
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
        let mut builder = Builder::default();
        let (zero, one) = (builder.literal(0.0), builder.literal(1.0));
        // Each node at δ = 0, and how it changes with each component of δ, `None` where it does not. Forward, for at δ = 0 most of what comes
        // of a node is a number, and is one at once.
        let mut values: Vec<Id> = Vec::with_capacity(plus.nodes.len());
        let width = tangent as usize;
        let mut changes: Vec<Option<Id>> = Vec::with_capacity(plus.nodes.len() * width);
        for &node in &plus.nodes {
            let first = changes.len();
            changes.resize(first + width, None);
            let (before, change) = changes.split_at_mut(first);
            values.push(match node {
                Node::Parameter { block: 1, component } => {
                    change[component as usize] = Some(one);
                    zero
                }
                Node::Apply { op, args } => {
                    let at_zero = args.map(|a| values[a as usize]);
                    let value = builder.apply_op(op, at_zero);
                    for (k, &argument) in args[..op.arity()].iter().enumerate() {
                        for (change, inner) in change.iter_mut().zip(&before[argument as usize * width..][..width]) {
                            let Some(inner) = *inner else { continue };
                            if let Some(term) = product(&mut builder, op, at_zero, value, k, inner) {
                                *change = Some(change.map_or(term, |sum| builder.two(Op::Add, sum, term)));
                            }
                        }
                    }
                    value
                }
                leaf => builder.leaf(leaf),
            });
        }
        let rows = plus.outputs.iter().flat_map(|&output| &changes[output as usize * width..][..width]);
        let outputs: Vec<Id> = rows.map(|change| change.unwrap_or(zero)).collect();
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
