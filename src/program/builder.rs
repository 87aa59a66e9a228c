//! Makes programs: merges equal nodes, folds constants, drops exact zeros.
//!
//! The rewrites keep a result to rounding: they use x·0 = 0 and x − x = 0, which hold for finite numbers. A residual that is not
//! finite is reported by evaluating it node by node, so nothing is hidden by them that matters.

use super::{Id, Node, Program};
use crate::topology::{Interner, hash_words};
use crate::value::{Algebra, op::Op};

/// A program under construction.
#[derive(Default)]
pub(crate) struct Builder {
    nodes: Vec<Node>,
    known: Interner,
}

/// So many times as many nodes as a program has come with its derivatives, at most in general.
const DERIVED: usize = 8;

/// Whole powers up to this are written as multiplications.
const LARGEST_EXPANDED_POWER: u32 = 64;

impl Builder {
    /// One with room for as many nodes.
    pub fn with_room(nodes: usize) -> Self {
        Builder { nodes: Vec::with_capacity(nodes), known: Interner::with_room(nodes) }
    }

    /// A builder that starts with the nodes of `program`, under their names.
    pub fn from_program(program: &Program) -> Self {
        let mut builder = Builder::with_room(DERIVED * program.nodes.len());
        program.nodes.iter().for_each(|&node| builder.push(node, hash(node)));
        builder
    }

    /// Adds the nodes of `program` with `leaf` in place of its parameters and data; returns its outputs.
    pub fn inline(&mut self, program: &Program, mut leaf: impl FnMut(&mut Self, Node) -> Id) -> Vec<Id> {
        let mut names: Vec<Id> = Vec::with_capacity(program.nodes.len());
        for &node in &program.nodes {
            let name = match node {
                Node::Apply { op, args } => self.apply_op(op, args.map(|a| names[a as usize])),
                Node::Literal(number) => self.literal(number),
                Node::Parameter { .. } | Node::Datum(_) => leaf(self, node),
            };
            names.push(name);
        }
        program.outputs.iter().map(|&o| names[o as usize]).collect()
    }

    /// The program of what the outputs need, in the order it was built.
    pub fn finish(&self, block_sizes: Vec<u32>, data: u32, outputs: &[Id]) -> Program {
        let mut needed = vec![false; self.nodes.len()];
        for &output in outputs {
            needed[output as usize] = true;
        }
        for k in (0..self.nodes.len()).rev() {
            if needed[k] {
                self.nodes[k].arguments().iter().for_each(|&a| needed[a as usize] = true);
            }
        }
        let mut names = vec![0; self.nodes.len()];
        // As many as there are: a list that grows touches several times its memory.
        let mut nodes = Vec::with_capacity(needed.iter().filter(|&&needed| needed).count());
        for (k, &node) in self.nodes.iter().enumerate().filter(|&(k, _)| needed[k]) {
            names[k] = nodes.len() as Id;
            nodes.push(match node {
                Node::Apply { op, args } => Node::Apply { op, args: args.map(|a| names[a as usize]) },
                leaf => leaf,
            });
        }
        Program { block_sizes, data, nodes, outputs: outputs.iter().map(|&o| names[o as usize]).collect() }
    }

    pub fn node(&self, id: Id) -> Node {
        self.nodes[id as usize]
    }

    /// The name of a node that was built before.
    pub fn find(&self, op: Op, args: [Id; 3]) -> Option<Id> {
        let node = Node::Apply { op, args: self.normal(op, args) };
        self.position(node, hash(node))
    }

    pub fn leaf(&mut self, node: Node) -> Id {
        self.intern(node)
    }

    pub fn literal(&mut self, number: f64) -> Id {
        self.intern(Node::Literal(number))
    }

    /// The number of a literal node.
    pub fn as_literal(&self, id: Id) -> Option<f64> {
        if let Node::Literal(number) = self.node(id) { Some(number) } else { None }
    }

    /// The node of `op` applied to `args`, simplified.
    pub fn apply_op(&mut self, op: Op, args: [Id; 3]) -> Id {
        let literals = args.map(|a| self.as_literal(a));
        if literals[..op.arity()].iter().all(Option::is_some) {
            let [a, b, c] = literals.map(|number| number.unwrap_or(0.0));
            let result = op.evaluate(a, b, c);
            // A literal that is not finite would lose the name of the operation that made it.
            if result.is_finite() {
                return self.literal(result);
            }
        }
        self.simplify(op, args).unwrap_or_else(|| {
            let args = self.normal(op, args);
            self.intern(Node::Apply { op, args })
        })
    }

    pub fn one(&mut self, op: Op, a: Id) -> Id {
        self.apply_op(op, [a; 3])
    }

    pub fn two(&mut self, op: Op, a: Id, b: Id) -> Id {
        self.apply_op(op, [a, b, a])
    }

    fn intern(&mut self, node: Node) -> Id {
        let hashed = hash(node);
        self.position(node, hashed).unwrap_or_else(|| {
            self.push(node, hashed);
            self.nodes.len() as Id - 1
        })
    }

    fn position(&self, node: Node, hashed: u64) -> Option<Id> {
        self.known.find(hashed, |id| is_same(self.nodes[id as usize], node))
    }

    fn push(&mut self, node: Node, hashed: u64) {
        let Builder { nodes, known } = self;
        nodes.push(node);
        known.insert(hashed, nodes.len() as Id - 1, |id| hash(nodes[id as usize]));
    }

    /// Arguments in the order under which equal nodes are found: commutative ones sorted, unused ones equal to the first.
    fn normal(&self, op: Op, mut args: [Id; 3]) -> [Id; 3] {
        if op.is_commutative() && args[1] < args[0] {
            args.swap(0, 1);
        }
        let first = args[0];
        args[op.arity()..].fill(first);
        args
    }

    fn negated(&self, id: Id) -> Option<Id> {
        if let Node::Apply { op: Op::Neg, args } = self.node(id) { Some(args[0]) } else { None }
    }

    /// (number, x) where the node is number·x.
    fn scaled(&self, id: Id) -> Option<(f64, Id)> {
        let Node::Apply { op: Op::Mul, args: [a, b, _] } = self.node(id) else { return None };
        self.as_literal(a).map(|n| (n, b)).or_else(|| self.as_literal(b).map(|n| (n, a)))
    }

    /// (number, x) where the node is number/x.
    fn inverse(&self, id: Id) -> Option<(f64, Id)> {
        match self.node(id) {
            Node::Apply { op: Op::Recip, args: [a, ..] } => Some((1.0, a)),
            Node::Apply { op: Op::Div, args: [a, b, _] } => self.as_literal(a).map(|n| (n, b)),
            _ => None,
        }
    }

    fn simplify(&mut self, op: Op, [a, b, c]: [Id; 3]) -> Option<Id> {
        let (left, right) = (self.as_literal(a), self.as_literal(b));
        match op {
            Op::Neg => self.simplify_neg(a),
            Op::Add => match (left, right) {
                (Some(0.0), _) => Some(b),
                (_, Some(0.0)) => Some(a),
                _ => match (self.negated(a), self.negated(b)) {
                    (_, Some(b)) => Some(self.two(Op::Sub, a, b)),
                    (Some(a), _) => Some(self.two(Op::Sub, b, a)),
                    _ if a == b => {
                        let two = self.literal(2.0);
                        Some(self.two(Op::Mul, two, a))
                    }
                    _ => None,
                },
            },
            Op::Sub => match (left, right) {
                (_, Some(0.0)) => Some(a),
                (Some(0.0), _) => Some(self.one(Op::Neg, b)),
                _ if a == b => Some(self.literal(0.0)),
                _ => self.negated(b).map(|b| self.two(Op::Add, a, b)),
            },
            Op::Mul => self.simplify_mul(a, b),
            Op::Div => match (left, right) {
                (_, Some(1.0)) => Some(a),
                (_, Some(-1.0)) => Some(self.one(Op::Neg, a)),
                (Some(0.0), _) => Some(a),
                (Some(1.0), _) => Some(self.one(Op::Recip, b)),
                _ => None,
            },
            Op::Powi(n) => self.expand_power(a, n),
            Op::Min | Op::Max if a == b => Some(a),
            Op::Select => match left {
                Some(condition) => Some(if condition != 0.0 { b } else { c }),
                None if b == c => Some(b),
                None => None,
            },
            _ => None,
        }
    }

    fn simplify_neg(&mut self, a: Id) -> Option<Id> {
        match self.node(a) {
            Node::Apply { op: Op::Neg, args } => Some(args[0]),
            Node::Apply { op: Op::Sub, args: [x, y, _] } => Some(self.two(Op::Sub, y, x)),
            _ => {
                let (number, x) = self.scaled(a)?;
                let number = self.literal(-number);
                Some(self.two(Op::Mul, number, x))
            }
        }
    }

    fn simplify_mul(&mut self, a: Id, b: Id) -> Option<Id> {
        let (a, b) = if self.as_literal(b).is_some() { (b, a) } else { (a, b) };
        if let Some(number) = self.as_literal(a) {
            if number == 0.0 {
                return Some(self.literal(0.0));
            } else if number == 1.0 {
                return Some(b);
            } else if number == -1.0 {
                return Some(self.one(Op::Neg, b));
            } else if let Some((inner, x)) = self.scaled(b).filter(|&(inner, _)| is_safe(number * inner)) {
                let number = self.literal(number * inner);
                return Some(self.two(Op::Mul, number, x));
            } else if let Some((inner, x)) = self.inverse(b).filter(|&(inner, _)| is_safe(number * inner)) {
                let number = self.literal(number * inner);
                return Some(self.two(Op::Div, number, x));
            } else if let Some(x) = self.negated(b) {
                let number = self.literal(-number);
                return Some(self.two(Op::Mul, number, x));
            }
            return None;
        }
        match (self.negated(a), self.negated(b)) {
            (Some(x), Some(y)) => return Some(self.two(Op::Mul, x, y)),
            (Some(x), None) => {
                let product = self.two(Op::Mul, x, b);
                return Some(self.one(Op::Neg, product));
            }
            (None, Some(y)) => {
                let product = self.two(Op::Mul, a, y);
                return Some(self.one(Op::Neg, product));
            }
            (None, None) => {}
        }
        // (m/x)·(n·y) = (mn/x)·y: in the derivative of a norm the factors ½ and 2 meet here and vanish.
        for (p, q) in [(a, b), (b, a)] {
            if let (Some((m, x)), Some((n, y))) = (self.inverse(p), self.scaled(q))
                && is_safe(m * n)
            {
                let number = self.literal(m * n);
                let quotient = self.two(Op::Div, number, x);
                return Some(self.two(Op::Mul, quotient, y));
            }
        }
        None
    }

    /// aⁿ by the multiplications of [`crate::value::op::powi`].
    fn expand_power(&mut self, a: Id, n: i32) -> Option<Id> {
        let mut exponent = n.unsigned_abs();
        if exponent > LARGEST_EXPANDED_POWER {
            return None;
        }
        let mut base = a;
        let mut result = None;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = Some(result.map_or(base, |r| self.two(Op::Mul, r, base)));
            }
            exponent >>= 1;
            if exponent > 0 {
                base = self.two(Op::Mul, base, base);
            }
        }
        let Some(result) = result else { return Some(self.literal(1.0)) };
        Some(if n < 0 { self.one(Op::Recip, result) } else { result })
    }
}

/// Whether factors may be gathered into this one: it lost nothing to overflow or underflow.
fn is_safe(product: f64) -> bool {
    product.is_normal()
}

/// Numbers by their bits.
fn is_same(a: Node, b: Node) -> bool {
    match (a, b) {
        (Node::Literal(a), Node::Literal(b)) => a.to_bits() == b.to_bits(),
        _ => a == b,
    }
}

fn hash(node: Node) -> u64 {
    let pair = |a: u32, b: u32| u64::from(a) << 32 | u64::from(b);
    match node {
        Node::Parameter { block, component } => hash_words([1, pair(block, component)]),
        Node::Datum(k) => hash_words([2, u64::from(k)]),
        Node::Literal(number) => hash_words([3, number.to_bits()]),
        Node::Apply { op, args: [a, b, c] } => {
            let [code, exponent] = op.code();
            hash_words([pair(code, exponent), pair(a, b), u64::from(c)])
        }
    }
}

/// The derivative rules build SSA through this.
impl Algebra for Builder {
    type Scalar = Id;

    fn constant(&mut self, value: f64) -> Id {
        self.literal(value)
    }

    fn apply(&mut self, op: Op, args: [Id; 3]) -> Id {
        self.apply_op(op, args)
    }
}
