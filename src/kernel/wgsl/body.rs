//! Programs as flat WGSL statements.

use super::format::{Format, OutOfRange};
use crate::program::{Node, Program};
use crate::value::op::Op;
use std::fmt::Write;

/// Writes statements, each of which names one number: nesting would overflow the stack of the shader's parser, and a `var` for
/// each number costs it five times the time.
pub(super) struct Body {
    format: Format,
    pub text: String,
    numbers: usize,
    /// What all names begin with.
    prefix: String,
    /// Statements written.
    pub statements: usize,
}

impl Body {
    pub fn new(format: Format) -> Self {
        Body::with_prefix(format, String::new())
    }

    /// With names of its own, for text that stands around others'.
    pub fn with_prefix(format: Format, prefix: String) -> Self {
        Body { format, text: String::new(), numbers: 0, prefix, statements: 0 }
    }

    pub fn line(&mut self, line: impl AsRef<str>) {
        self.statements += 1;
        let _ = writeln!(self.text, "    {}", line.as_ref());
    }

    /// Names the value of an expression.
    pub fn name(&mut self, prefix: &str, expression: &str) -> String {
        self.numbers += 1;
        let name = format!("{}{prefix}{}", self.prefix, self.numbers);
        self.line(format!("let {name} = {expression};"));
        name
    }

    pub fn apply(&mut self, op: Op, args: &[&str]) -> String {
        let expression = self.format.operation(op, args);
        self.name("t", &expression)
    }

    pub fn literal(&self, number: f64) -> Result<String, OutOfRange> {
        self.format.literal(number)
    }

    /// `factor · a`, without the product where the factor is 1 or -1.
    pub fn scaled(&mut self, factor: f64, a: &str) -> Result<String, OutOfRange> {
        Ok(if factor == 1.0 {
            a.to_owned()
        } else if factor == -1.0 {
            self.apply(Op::Neg, &[a])
        } else {
            let factor = self.literal(factor)?;
            self.apply(Op::Mul, &[&factor, a])
        })
    }

    /// The sum of terms; `None` if there are none.
    pub fn sum(&mut self, terms: &[String]) -> Option<String> {
        let (first, rest) = terms.split_first()?;
        Some(rest.iter().fold(first.clone(), |sum, term| self.apply(Op::Add, &[&sum, term])))
    }

    /// Evaluates `program`; returns the name of each node that occurs, and of each output.
    ///
    /// `parameter(block, component)` and `datum(column)` are expressions for the leaves.
    pub fn program(
        &mut self,
        program: &Program,
        parameter: impl Fn(u32, u32) -> String,
        datum: impl Fn(u32) -> String,
    ) -> Result<Vec<String>, OutOfRange> {
        let mut names = vec![None; program.nodes.len()];
        self.nodes(program, &mut names, |_| true, parameter, datum)?;
        Ok(program.outputs.iter().map(|&output| names[output as usize].clone().expect("all have names")).collect())
    }

    /// Evaluates the nodes of `program` that are `wanted` and have no name yet.
    pub fn nodes(
        &mut self,
        program: &Program,
        names: &mut [Option<String>],
        wanted: impl Fn(usize) -> bool,
        parameter: impl Fn(u32, u32) -> String,
        datum: impl Fn(u32) -> String,
    ) -> Result<(), OutOfRange> {
        for (id, node) in program.nodes.iter().enumerate() {
            if names[id].is_some() || !wanted(id) {
                continue;
            }
            let argument = |k: u32| names[k as usize].as_deref().expect("an argument comes before");
            let expression = match *node {
                Node::Literal(number) => {
                    names[id] = Some(self.literal(number)?);
                    continue;
                }
                Node::Parameter { block, component } => parameter(block, component),
                Node::Datum(column) => datum(column),
                Node::Apply { op: Op::Powi(n), args } => {
                    let base = argument(args[0]).to_owned();
                    names[id] = Some(self.power(&base, n)?);
                    continue;
                }
                Node::Apply { op, .. } => {
                    let args: Vec<&str> = node.arguments().iter().map(|&a| argument(a)).collect();
                    self.format.operation(op, &args)
                }
            };
            let name = format!("{}v{id}", self.prefix);
            self.line(format!("let {name} = {expression};"));
            names[id] = Some(name);
        }
        Ok(())
    }

    /// A whole power by repeated squaring, with the products of [`crate::value::op::powi`] in the same order.
    fn power(&mut self, base: &str, n: i32) -> Result<String, OutOfRange> {
        let one = self.literal(1.0)?;
        let mut exponent = n.unsigned_abs();
        let mut base = base.to_owned();
        let mut result: Option<String> = None;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = Some(match result {
                    None => base.clone(),
                    Some(result) => self.apply(Op::Mul, &[&result, &base]),
                });
            }
            exponent >>= 1;
            if exponent > 0 {
                base = self.apply(Op::Mul, &[&base, &base]);
            }
        }
        let result = result.unwrap_or_else(|| one.clone());
        Ok(if n < 0 { self.apply(Op::Div, &[&one, &result]) } else { result })
    }
}
