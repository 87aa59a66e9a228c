//! Expression graphs as text and as Graphviz DOT.

use super::{
    Repr, Value, ValueError,
    graph::{NodeKey, with_graph},
    op::Op,
};
use slotmap::SecondaryMap;
use std::fmt::{self, Write};

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.primal(), f)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Repr::Constant(number) => write!(f, "Value({number:?})"),
            Repr::Node { .. } => match with_graph(|graph| graph.node(*self).map(|node| (node.op, node.primal))) {
                Ok((op, primal)) => write!(f, "Value({primal:?}, {})", op.name()),
                Err(_) => write!(f, "Value(cleared)"),
            },
        }
    }
}

/// One line of a listing: the operation, and its arguments by line number or as constants.
struct Line {
    op: Op,
    arguments: Vec<Argument>,
    primal: f64,
}

enum Argument {
    Line(usize),
    Constant(f64),
}

/// The graph below `outputs`, arguments before users, and where the outputs stand.
fn lines(outputs: &[Value]) -> Result<(Vec<Line>, Vec<Argument>), ValueError> {
    with_graph(|graph| {
        let mut numbers: SecondaryMap<NodeKey, usize> = SecondaryMap::new();
        let mut lines = Vec::new();
        let argument = |value: &Value, numbers: &SecondaryMap<NodeKey, usize>| match value.0 {
            Repr::Constant(number) => Argument::Constant(number),
            Repr::Node { key, .. } => Argument::Line(numbers[key]),
        };
        for (key, _) in graph.ancestors(outputs)?.into_iter().rev() {
            let node = graph.nodes[key];
            let arguments = node.arguments().iter().map(|a| argument(a, &numbers)).collect();
            numbers.insert(key, lines.len());
            lines.push(Line { op: node.op, arguments, primal: node.primal });
        }
        let outputs = outputs.iter().map(|o| argument(o, &numbers)).collect();
        Ok((lines, outputs))
    })
}

fn name(op: Op) -> String {
    if let Op::Powi(n) = op { format!("powi[{n}]") } else { op.name().to_owned() }
}

impl Value {
    /// The graph of this value as text, one operation a line, each with its number in brackets behind it.
    ///
    /// # Errors
    /// [`ValueError::Cleared`] or [`ValueError::OtherThread`].
    pub fn to_text(self) -> Result<String, ValueError> {
        let (lines, outputs) = lines(&[self])?;
        let show = |argument: &Argument| match argument {
            Argument::Line(k) => format!("v{k}"),
            Argument::Constant(number) => format!("{number:?}"),
        };
        let mut text = String::new();
        for (k, line) in lines.iter().enumerate() {
            let arguments: Vec<String> = line.arguments.iter().map(show).collect();
            let _ = writeln!(text, "v{k} = {}({})  [{}]", name(line.op), arguments.join(", "), line.primal);
        }
        let _ = writeln!(text, "return {}", show(&outputs[0]));
        Ok(text)
    }

    /// The graph of this value in Graphviz DOT; edges point from arguments to users.
    ///
    /// # Errors
    /// [`ValueError::Cleared`] or [`ValueError::OtherThread`].
    pub fn to_dot(self) -> Result<String, ValueError> {
        let (lines, outputs) = lines(&[self])?;
        let mut text = String::from("digraph value {\n  rankdir = BT;\n");
        let mut constants = 0;
        let mut edge = |text: &mut String, from: &Argument, to: &str| match from {
            Argument::Line(k) => {
                let _ = writeln!(text, "  v{k} -> {to};");
            }
            Argument::Constant(number) => {
                let _ = writeln!(text, "  c{constants} [label = \"{number:?}\", shape = plaintext];");
                let _ = writeln!(text, "  c{constants} -> {to};");
                constants += 1;
            }
        };
        for (k, line) in lines.iter().enumerate() {
            let shape = if line.op.is_leaf() { "box" } else { "ellipse" };
            let _ = writeln!(text, "  v{k} [label = \"{}\\n{}\", shape = {shape}];", name(line.op), line.primal);
            for argument in &line.arguments {
                edge(&mut text, argument, &format!("v{k}"));
            }
        }
        let _ = writeln!(text, "  out [label = \"output\", shape = plaintext];");
        edge(&mut text, &outputs[0], "out");
        text.push_str("}\n");
        Ok(text)
    }
}
