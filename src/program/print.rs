//! Programs as text that a person can read.

use super::{Id, Linearization, Node, Program};
use crate::value::op::Op;
use std::collections::BTreeMap;
use std::fmt;

impl Program {
    /// A node as an operand: leaves by what they are, operations by number.
    fn operand(&self, id: Id) -> String {
        match self.nodes[id as usize] {
            Node::Parameter { block, component } => format!("x{block}[{component}]"),
            Node::Datum(k) => format!("d{k}"),
            Node::Literal(number) => format!("{number:?}"),
            Node::Apply { .. } => format!("v{id}"),
        }
    }

    fn assignment(&self, op: Op, args: &[Id]) -> String {
        let operands: Vec<String> = args.iter().map(|&a| self.operand(a)).collect();
        match (op, operands.as_slice()) {
            (Op::Add, [a, b]) => format!("{a} + {b}"),
            (Op::Sub, [a, b]) => format!("{a} - {b}"),
            (Op::Mul, [a, b]) => format!("{a} * {b}"),
            (Op::Div, [a, b]) => format!("{a} / {b}"),
            (Op::Neg, [a]) => format!("-{a}"),
            (Op::Powi(n), [a]) => format!("{a}^{n}"),
            _ => format!("{}({})", op.name(), operands.join(", ")),
        }
    }

    /// How often each operation occurs, by name.
    pub fn operation_counts(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for node in &self.nodes {
            if let Node::Apply { op, .. } = node {
                *counts.entry(op.name()).or_default() += 1;
            }
        }
        counts
    }

    /// Number of operations.
    pub fn operations(&self) -> usize {
        self.nodes.iter().filter(|node| matches!(node, Node::Apply { .. })).count()
    }

    fn write_body(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (id, node) in self.nodes.iter().enumerate() {
            if let Node::Apply { op, .. } = node {
                writeln!(f, "v{id} = {}", self.assignment(*op, node.arguments()))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_body(f)?;
        for (k, &output) in self.outputs.iter().enumerate() {
            writeln!(f, "r{k} = {}", self.operand(output))?;
        }
        Ok(())
    }
}

impl fmt::Display for Linearization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let program = &self.program;
        program.write_body(f)?;
        for (k, &output) in program.outputs[..self.residuals].iter().enumerate() {
            writeln!(f, "r{k} = {}", program.operand(output))?;
        }
        for entry in &self.entries {
            let value = match entry.stored {
                None => format!("{:?}", entry.factor),
                Some(slot) => {
                    let number = program.operand(program.outputs[self.residuals + slot as usize]);
                    match entry.factor {
                        1.0 => number,
                        -1.0 => format!("-{number}"),
                        factor => format!("{factor:?} * {number}"),
                    }
                }
            };
            writeln!(f, "dr{}/dx{}[{}] = {value}", entry.residual, entry.block, entry.component)?;
        }
        Ok(())
    }
}
