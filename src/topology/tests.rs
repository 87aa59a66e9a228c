//! Canonical form and registry from the inside: what is cached, and that a collision of hashes merges nothing.

use super::canonical::canonicalize;
use super::*;
use crate::value::op::Op;

const X: [Ref; 3] = [scalar(0), scalar(1), scalar(2)];
const D: [Ref; 2] = [Ref::Datum(0), Ref::Datum(1)];

const fn scalar(block: u32) -> Ref {
    Ref::Parameter { block, component: 0 }
}

fn node(op: Op, args: &[Ref]) -> ExpressionNode {
    let arg = |k: usize| *args.get(k).unwrap_or(&args[0]);
    ExpressionNode { op, args: [arg(0), arg(1), arg(2)] }
}

/// An expression of three scalar blocks and two data whose last node is the output.
fn expression(nodes: &[ExpressionNode]) -> Expression {
    let output = Ref::Node(nodes.len() as u32 - 1);
    Expression { block_sizes: vec![1; 3], data: 2, nodes: nodes.to_vec(), outputs: vec![output] }
}

#[test]
fn equal_nodes_are_merged_and_unused_ones_dropped() {
    let n = [Ref::Node(0), Ref::Node(1), Ref::Node(2)];
    let form = canonicalize(&expression(&[
        node(Op::Add, &[X[0], X[1]]),
        node(Op::Exp, &[X[2]]),
        node(Op::Add, &[X[1], X[0]]),
        node(Op::Mul, &[n[0], n[2]]),
    ]))
    .expression;
    assert_eq!(form.nodes.len(), 2, "{form}");
    assert_eq!((form.block_sizes.len(), form.data), (2, 0), "x2 was used by nobody");
    assert_eq!(form.nodes[1].args[0], form.nodes[1].args[1]);
}

#[test]
fn the_canonical_form_is_its_own() {
    let expressions = [
        expression(&[
            node(Op::Sub, &[X[1], D[1]]),
            node(Op::Mul, &[Ref::Node(0), X[0]]),
            node(Op::Add, &[X[2], Ref::Node(1)]),
        ]),
        expression(&[node(Op::Select, &[X[2], X[0], X[1]])]),
        expression(&[
            node(Op::Powi(3), &[X[1]]),
            node(Op::Hypot, &[Ref::Node(0), X[1]]),
            node(Op::Max, &[D[0], Ref::Node(1)]),
        ]),
        Expression {
            block_sizes: vec![2, 3],
            data: 0,
            nodes: vec![],
            outputs: vec![Ref::Parameter { block: 1, component: 2 }],
        },
    ];
    for recorded in expressions {
        let once = canonicalize(&recorded);
        let twice = canonicalize(&once.expression);
        assert_eq!(once.expression, twice.expression, "{recorded}");
        let identity = |count: usize| (0..count as u32).collect::<Vec<_>>();
        assert_eq!(twice.blocks, identity(once.blocks.len()));
        assert_eq!(twice.data, identity(once.data.len()));
        assert_eq!(once.expression.hash(), twice.expression.hash());
    }
}

/// The placement says which recorded block and datum stands behind each of the topology: with it, the recorded residual and the
/// canonical one are one function.
#[test]
fn placements_lead_back_to_the_recording() {
    let recorded = expression(&[
        node(Op::Sub, &[X[2], D[1]]),
        node(Op::Div, &[Ref::Node(0), X[0]]),
        node(Op::Mul, &[D[0], X[1]]),
        node(Op::Sub, &[Ref::Node(1), Ref::Node(2)]),
    ]);
    let value = |e: &Expression, x: &[f64], d: &[f64]| {
        let mut values: Vec<f64> = Vec::new();
        for node in &e.nodes {
            let of = |r: Ref| match r {
                Ref::Node(k) => values[k as usize],
                Ref::Parameter { block, .. } => x[block as usize],
                Ref::Datum(k) => d[k as usize],
            };
            let [a, b, c] = node.args.map(of);
            values.push(node.op.evaluate(a, b, c));
        }
        values[values.len() - 1]
    };
    let (x, d) = ([2.0, 3.0, 7.0], [5.0, 11.0]);
    let mut registry = Registry::default();
    let placement = registry.place(&recorded);
    let form = &registry.topologies()[placement.topology].expression;
    let blocks: Vec<f64> = placement.blocks.iter().map(|&b| x[b as usize]).collect();
    let data: Vec<f64> = placement.data.iter().map(|&k| d[k as usize]).collect();
    assert_eq!(value(form, &blocks, &data), value(&recorded, &x, &d));
    assert_eq!(value(&recorded, &x, &d), (7.0 - 11.0) / 2.0 - 15.0);
}

#[test]
fn a_recording_seen_before_is_not_canonicalised_again() {
    let mut registry = Registry::default();
    let sum = expression(&[node(Op::Add, &[X[0], X[1]])]);
    let first = registry.place(&sum);
    assert!(Arc::ptr_eq(&first, &registry.place(&sum.clone())));
    let swapped = registry.place(&expression(&[node(Op::Add, &[X[1], X[0]])]));
    assert!(!Arc::ptr_eq(&first, &swapped));
    assert_eq!((first.topology, swapped.topology, registry.topologies().len()), (0, 0, 1));
}

/// Forged entries under the hash of another shape: found by the hash, refused by the comparison.
#[test]
fn a_collision_of_hashes_merges_nothing() {
    let sum = expression(&[node(Op::Add, &[X[0], X[1]])]);
    let product = expression(&[node(Op::Mul, &[X[0], X[1]])]);
    let mut registry = Registry::default();
    let of_sum = registry.place(&sum);

    let form_of_product = canonicalize(&product).expression;
    registry.by_form.entry(form_of_product.hash()).or_default().push(of_sum.topology);
    let mut words = Vec::new();
    product.encode(&mut words);
    let recording = xxh3_128(bytemuck::cast_slice(&words));
    let mut other = Vec::new();
    sum.encode(&mut other);
    registry.by_recording.entry(recording).or_default().push((other.into(), of_sum.clone()));

    let of_product = registry.place(&product);
    assert_ne!(of_product.topology, of_sum.topology);
    assert_eq!(*registry.topologies()[of_product.topology].expression, form_of_product);
    assert_eq!(registry.place(&product).topology, of_product.topology);
    assert_eq!(registry.place(&sum).topology, of_sum.topology);
}

/// Everything that makes a kernel another one is in the words that are hashed and compared.
#[test]
fn the_encoding_tells_expressions_apart() {
    let all = [
        expression(&[node(Op::Add, &[X[0], X[1]])]),
        expression(&[node(Op::Add, &[X[0], X[0]])]),
        expression(&[node(Op::Mul, &[X[0], X[1]])]),
        expression(&[node(Op::Add, &[X[0], D[0]])]),
        expression(&[node(Op::Add, &[X[0], D[1]])]),
        expression(&[node(Op::Powi(2), &[X[0]])]),
        expression(&[node(Op::Powi(-2), &[X[0]])]),
        expression(&[node(Op::Sin, &[X[0]])]),
        expression(&[node(Op::Sin, &[X[0]]), node(Op::Sin, &[Ref::Node(0)])]),
        Expression { data: 1, ..expression(&[node(Op::Sin, &[X[0]])]) },
        Expression { block_sizes: vec![1, 1, 2], ..expression(&[node(Op::Sin, &[X[0]])]) },
        Expression { outputs: vec![X[0]], ..expression(&[node(Op::Sin, &[X[0]])]) },
        Expression { outputs: vec![Ref::Node(0); 2], ..expression(&[node(Op::Sin, &[X[0]])]) },
        expression(&[node(Op::Sin, &[Ref::Parameter { block: 0, component: 1 }])]),
    ];
    let words = |e: &Expression| {
        let mut words = Vec::new();
        e.encode(&mut words);
        words
    };
    for (k, a) in all.iter().enumerate() {
        for b in &all[..k] {
            assert_ne!(words(a), words(b), "{a}\nand\n{b}");
            assert_ne!(a.hash(), b.hash());
        }
    }
}

#[test]
fn expressions_print() {
    let text = expression(&[node(Op::Powi(2), &[X[0]]), node(Op::Sub, &[Ref::Node(0), D[1]])]).to_string();
    assert_eq!(text, "n0 = powi[2](x0[0])\nn1 = sub(n0, d1)\nr0 = n1\n");
}

/// A chain of a hundred thousand nodes: no recursion, and time in proportion.
#[test]
fn long_chains_are_canonicalised() {
    let mut nodes = vec![node(Op::Sin, &[X[0]])];
    for k in 0..100_000 {
        nodes.push(node(if k % 3 == 0 { Op::Add } else { Op::Sub }, &[Ref::Node(k), X[k as usize % 3]]));
    }
    let long = expression(&nodes);
    let work = move || canonicalize(&long).expression.nodes.len();
    let small_stack = std::thread::Builder::new().stack_size(256 * 1024);
    assert_eq!(small_stack.spawn(work).unwrap().join().unwrap(), 100_001);
}
