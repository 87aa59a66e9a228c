//! Two operations in one instruction.
//!
//! Handing an instruction over costs as much as its arithmetic, and a result that only the next instruction reads need not be stored.
//! Each operation still rounds by itself: a fused pair computes what its two operations do, to the last bit.

use crate::program::{Id, Node, Program};
use crate::value::op::Op;

/// Makes the enumeration and its look-ups from the rows `variant, inner operation, outer operation, formula`.
macro_rules! pairs {
    ($($pair:ident, $inner:ident, $outer:ident, $reversed:literal, |$a:ident, $b:ident, $c:ident| $formula:expr, $doc:literal;)*) => {
        /// An operation on the result of another.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Pair {
            $(#[doc = $doc] $pair,)*
        }

        impl Pair {
            /// Every pair.
            #[cfg(test)]
            pub const ALL: &'static [Pair] = &[$(Pair::$pair,)*];

            /// The pair of `inner` of a and b, and then `outer` of that and c; `reversed`, of c and that.
            pub fn new(inner: Op, outer: Op, reversed: bool) -> Option<Pair> {
                match (inner, outer, reversed && !outer.is_commutative()) {
                    $((Op::$inner, Op::$outer, $reversed) => Some(Pair::$pair),)*
                    _ => None,
                }
            }

            /// What it computes.
            #[cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "there it is spelled in vector instructions"))]
            #[inline(always)]
            pub fn evaluate(self, a: f64, b: f64, c: f64) -> f64 {
                match self {
                    $(Pair::$pair => { let ($a, $b, $c) = (a, b, c); $formula })*
                }
            }
        }
    };
}

pairs! {
    AddAdd, Add, Add, false, |a, b, c| (a + b) + c, "(a + b) + c";
    AddSub, Add, Sub, false, |a, b, c| (a + b) - c, "(a + b) − c";
    AddFrom, Add, Sub, true, |a, b, c| c - (a + b), "c − (a + b)";
    AddMul, Add, Mul, false, |a, b, c| (a + b) * c, "(a + b) c";
    SubAdd, Sub, Add, false, |a, b, c| (a - b) + c, "(a − b) + c";
    SubSub, Sub, Sub, false, |a, b, c| (a - b) - c, "(a − b) − c";
    SubFrom, Sub, Sub, true, |a, b, c| c - (a - b), "c − (a − b)";
    SubMul, Sub, Mul, false, |a, b, c| (a - b) * c, "(a − b) c";
    MulAdd, Mul, Add, false, |a, b, c| a * b + c, "a b + c, rounded twice";
    MulSub, Mul, Sub, false, |a, b, c| a * b - c, "a b − c, rounded twice";
    MulFrom, Mul, Sub, true, |a, b, c| c - a * b, "c − a b, rounded twice";
    MulMul, Mul, Mul, false, |a, b, c| (a * b) * c, "(a b) c";
}

/// Which nodes of a program are computed together with the one that reads them.
pub(super) struct Fusion {
    /// For the outer node of a pair, the pair and the nodes it reads.
    pub pairs: Vec<Option<(Pair, [Id; 3])>>,
    /// The inner nodes, which have no instruction of their own.
    pub absorbed: Vec<bool>,
}

impl Fusion {
    /// Takes pairs from the leaves on, which makes as many as there can be in a tree. Both nodes of a pair are computed for each chunk,
    /// or both are among those that are `kept` from chunk to chunk.
    pub fn new(program: &Program, kept: &[bool]) -> Self {
        let count = program.nodes.len();
        let mut uses = vec![0u32; count];
        program.nodes.iter().for_each(|node| node.arguments().iter().for_each(|&a| uses[a as usize] += 1));
        program.outputs.iter().for_each(|&output| uses[output as usize] += 1);
        let (mut pairs, mut absorbed) = (vec![None; count], vec![false; count]);
        for (id, node) in program.nodes.iter().enumerate() {
            let Node::Apply { op, args } = *node else { continue };
            let mut found = None;
            for (k, &inner) in args[..op.arity().min(2)].iter().enumerate() {
                let inner = inner as usize;
                let Node::Apply { op: first, args: [a, b, _] } = program.nodes[inner] else { continue };
                let free = uses[inner] == 1 && pairs[inner].is_none() && kept[inner] == kept[id];
                if found.is_none() && free {
                    found = Pair::new(first, op, k == 1).map(|pair| (inner, pair, [a, b, args[1 - k]]));
                }
            }
            if let Some((inner, pair, sources)) = found {
                pairs[id] = Some((pair, sources));
                absorbed[inner] = true;
            }
        }
        Fusion { pairs, absorbed }
    }

    /// The nodes that the instruction of a node reads.
    pub fn sources<'a>(&'a self, program: &'a Program, id: Id) -> &'a [Id] {
        match &self.pairs[id as usize] {
            Some((_, sources)) => sources,
            None => program.nodes[id as usize].arguments(),
        }
    }
}
