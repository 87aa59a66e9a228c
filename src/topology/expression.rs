//! An expression graph by itself: nodes that name their arguments by number, apart from any arena.

use crate::value::op::Op;
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// What an argument refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ref {
    /// Another node of the expression, with a smaller number than its user.
    Node(u32),
    /// A component of a parameter block of the residual.
    Parameter {
        /// Position of the block.
        block: u32,
        /// Index in the block.
        component: u32,
    },
    /// A number that may differ from instance to instance.
    Datum(u32),
}

/// An operation and its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpressionNode {
    /// The operation, never a leaf.
    pub op: Op,
    /// The arguments; those past the arity repeat the first one.
    pub args: [Ref; 3],
}

impl ExpressionNode {
    /// The arguments the operation has.
    pub fn arguments(&self) -> &[Ref] {
        &self.args[..self.op.arity()]
    }
}

/// Fills the places past the arity with the first argument, so that equal nodes are equal arrays.
pub(super) fn pad(args: &mut [Ref; 3], arity: usize) {
    let first = args[0];
    args[arity..].fill(first);
}

/// A residual block as a directed acyclic graph with several roots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expression {
    /// Number of components of each parameter block.
    pub block_sizes: Vec<u32>,
    /// Number of data.
    pub data: u32,
    /// Nodes, arguments before users.
    pub nodes: Vec<ExpressionNode>,
    /// The residuals.
    pub outputs: Vec<Ref>,
}

impl Expression {
    pub(crate) fn clear(&mut self) {
        self.block_sizes.clear();
        self.data = 0;
        self.nodes.clear();
        self.outputs.clear();
    }

    /// Appends words that determine the expression.
    pub(crate) fn encode(&self, words: &mut Vec<u32>) {
        // At most: two for an operation, and as many for each of its arguments.
        words.reserve(8 * self.nodes.len() + 2 * self.outputs.len() + self.block_sizes.len() + 4);
        let mut push = |r: &Ref| match *r {
            Ref::Node(k) => words.extend([0, k]),
            Ref::Parameter { block, component } => words.extend([1 | block << 2, component]),
            Ref::Datum(k) => words.extend([2, k]),
        };
        for node in &self.nodes {
            node.arguments().iter().for_each(&mut push);
        }
        self.outputs.iter().for_each(&mut push);
        for node in &self.nodes {
            words.extend(node.op.code());
        }
        words.extend(&self.block_sizes);
        words.extend([self.nodes.len() as u32, self.outputs.len() as u32, self.block_sizes.len() as u32, self.data]);
    }

    /// 128-bit hash of everything in the expression: operations, their constants, links, block sizes.
    pub fn hash(&self) -> u128 {
        let mut words = Vec::new();
        self.encode(&mut words);
        xxh3_128(bytemuck::cast_slice(&words))
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ref::Node(k) => write!(f, "n{k}"),
            Ref::Parameter { block, component } => write!(f, "x{block}[{component}]"),
            Ref::Datum(k) => write!(f, "d{k}"),
        }
    }
}

/// One node a line, then the outputs.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (k, node) in self.nodes.iter().enumerate() {
            write!(f, "n{k} = {}", node.op.name())?;
            if let Op::Powi(n) = node.op {
                write!(f, "[{n}]")?;
            }
            let arguments: Vec<String> = node.arguments().iter().map(Ref::to_string).collect();
            writeln!(f, "({})", arguments.join(", "))?;
        }
        for (k, output) in self.outputs.iter().enumerate() {
            writeln!(f, "r{k} = {output}")?;
        }
        Ok(())
    }
}
