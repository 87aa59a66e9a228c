//! Straight-line programs in static single assignment form, and their derivatives.
//!
//! In: the canonical form of a group ([`topology`](crate::topology)) and the data that are equal over all its instances. Out: a
//! [`Program`] for the residuals and a [`Linearization`] for residuals and Jacobian, which [`kernel`](crate::kernel) turns into
//! code for a backend.
//!
//! Programs are made only by the `Builder`, which merges equal nodes, folds constants and drops exact zeros as it goes, so that
//! differentiation need not be clever: it applies the rules of the operation table, and the builder keeps the result small.

mod builder;
mod differentiate;
mod loss;
mod print;
mod product;
mod retraction;

pub use differentiate::{JacobianEntry, Linearization};
pub use loss::LossProgram;
pub use retraction::Retraction;

pub(crate) use builder::Builder;

use crate::topology::{Expression, Ref};
use crate::value::op::Op;

/// Names a node of a program.
pub type Id = u32;

/// One assignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A component of a parameter block.
    Parameter {
        /// Position of the block in the instance.
        block: u32,
        /// Index in the block.
        component: u32,
    },
    /// A data column of the instance.
    Datum(u32),
    /// A number that is the same for all instances.
    Literal(f64),
    /// An operation on earlier nodes.
    Apply {
        /// The operation, never a leaf.
        op: Op,
        /// The arguments; those past the arity repeat the first.
        args: [Id; 3],
    },
}

impl Node {
    /// The nodes this one reads.
    #[inline]
    pub fn arguments(&self) -> &[Id] {
        match self {
            Node::Apply { op, args } => &args[..op.arity()],
            _ => &[],
        }
    }
}

/// A straight-line program over the parameters and data of one instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Number of components of each parameter block.
    pub block_sizes: Vec<u32>,
    /// Number of data columns.
    pub data: u32,
    /// Assignments, arguments before users; every one is needed by an output.
    pub nodes: Vec<Node>,
    /// What the program returns.
    pub outputs: Vec<Id>,
}

impl Program {
    /// The program of a canonical form; `literals[k]` is the number of data column `k` where all instances agree in it.
    pub fn new(expression: &Expression, literals: &[Option<f64>]) -> Self {
        let leaves = expression.block_sizes.iter().sum::<u32>() + expression.data;
        let mut builder = Builder::with_room(expression.nodes.len() + leaves as usize);
        let mut names: Vec<Id> = Vec::with_capacity(expression.nodes.len());
        for node in &expression.nodes {
            let args = node.args.map(|a| builder.reference(a, &names, literals));
            names.push(builder.apply_op(node.op, args));
        }
        let outputs: Vec<Id> = expression.outputs.iter().map(|&o| builder.reference(o, &names, literals)).collect();
        builder.finish(expression.block_sizes.clone(), expression.data, &outputs)
    }

    /// Number of scalar parameters over all blocks.
    pub fn parameters(&self) -> usize {
        self.block_sizes.iter().map(|&size| size as usize).sum()
    }

    /// Evaluates the program for one instance in plain numbers: the reference the kernels are tested against.
    ///
    /// # Panics
    /// If there are fewer parameters or data than the program reads.
    pub fn evaluate(&self, blocks: &[&[f64]], data: &[f64]) -> Vec<f64> {
        let values = self.evaluate_nodes(blocks, data);
        self.outputs.iter().map(|&o| values[o as usize]).collect()
    }

    /// The value of every node for one instance.
    pub(crate) fn evaluate_nodes(&self, blocks: &[&[f64]], data: &[f64]) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = match *node {
                Node::Parameter { block, component } => blocks[block as usize][component as usize],
                Node::Datum(k) => data[k as usize],
                Node::Literal(number) => number,
                Node::Apply { op, args: [a, b, c] } => {
                    op.evaluate(values[a as usize], values[b as usize], values[c as usize])
                }
            };
            values.push(value);
        }
        values
    }
}

impl Builder {
    fn reference(&mut self, reference: Ref, names: &[Id], literals: &[Option<f64>]) -> Id {
        match reference {
            Ref::Node(k) => names[k as usize],
            Ref::Parameter { block, component } => self.leaf(Node::Parameter { block, component }),
            Ref::Datum(k) => match literals.get(k as usize).copied().flatten() {
                Some(number) => self.literal(number),
                None => self.leaf(Node::Datum(k)),
            },
        }
    }
}

#[cfg(test)]
mod tests;
