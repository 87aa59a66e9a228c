//! Canonical forms as Graphviz DOT.

use isograd::problem::CompiledProblem;
use isograd::topology::{Expression, Ref};
use isograd::value::op::Op;
use std::collections::BTreeSet;
use std::fmt::Write;

/// One cluster a group: parameters as boxes, data as plain text, operations as ellipses, edges from arguments to users.
pub fn topologies_to_dot(compiled: &CompiledProblem) -> String {
    let mut dot = String::from("digraph topologies {\n  rankdir = BT;\n  node [fontname = \"sans-serif\"];\n");
    for (index, group) in compiled.groups.iter().enumerate() {
        let topology = &group.kernel.topology;
        let name = compiled.name(index).unwrap_or("no name").replace('"', "'");
        let label = format!("group {index}, {name}: {} instances\\n{:032x}", group.table.count, topology.hash);
        // Writing to a string cannot fail.
        let _ = writeln!(dot, "  subgraph cluster_{index} {{\n    label = \"{label}\";");
        cluster(&mut dot, index, &topology.expression);
        dot.push_str("  }\n");
    }
    dot.push_str("}\n");
    dot
}

fn cluster(dot: &mut String, index: usize, expression: &Expression) {
    let identifier = |r: &Ref| match *r {
        Ref::Node(k) => format!("g{index}_n{k}"),
        Ref::Parameter { block, component } => format!("g{index}_x{block}_{component}"),
        Ref::Datum(k) => format!("g{index}_d{k}"),
    };
    let arguments = expression.nodes.iter().flat_map(|node| node.arguments());
    let leaves: BTreeSet<&Ref> = arguments.chain(&expression.outputs).filter(|r| !matches!(r, Ref::Node(_))).collect();
    for leaf in leaves {
        let shape = if matches!(leaf, Ref::Datum(_)) { "plaintext" } else { "box" };
        let _ = writeln!(dot, "    {} [label = \"{leaf}\", shape = {shape}];", identifier(leaf));
    }
    for (k, node) in expression.nodes.iter().enumerate() {
        let name = match node.op {
            Op::Powi(n) => format!("powi {n}"),
            op => op.name().to_owned(),
        };
        let _ = writeln!(dot, "    g{index}_n{k} [label = \"{name}\"];");
        for argument in node.arguments() {
            let _ = writeln!(dot, "    {} -> g{index}_n{k};", identifier(argument));
        }
    }
    for (k, output) in expression.outputs.iter().enumerate() {
        let _ = writeln!(dot, "    g{index}_r{k} [label = \"r{k}\", shape = doublecircle];");
        let _ = writeln!(dot, "    {} -> g{index}_r{k};", identifier(output));
    }
}
