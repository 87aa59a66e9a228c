//! The builder's rewrites one by one, and that they are found again when built again.

use super::*;

/// A builder with two parameters and a datum.
fn leaves() -> (Builder, Id, Id, Id) {
    let mut builder = Builder::default();
    let x = builder.leaf(Node::Parameter { block: 0, component: 0 });
    let y = builder.leaf(Node::Parameter { block: 0, component: 1 });
    let d = builder.leaf(Node::Datum(0));
    (builder, x, y, d)
}

fn one(b: &mut Builder, op: Op, a: Id) -> Id {
    b.apply_op(op, [a; 3])
}

fn two(b: &mut Builder, op: Op, a: Id, c: Id) -> Id {
    b.apply_op(op, [a, c, a])
}

#[test]
fn leaves_are_there_once() {
    let (mut builder, x, _, d) = leaves();
    assert_eq!(builder.leaf(Node::Parameter { block: 0, component: 0 }), x);
    assert_eq!(builder.leaf(Node::Datum(0)), d);
    assert_ne!(builder.leaf(Node::Datum(1)), d);
    assert_eq!(builder.literal(0.5), builder.literal(0.5));
    assert_ne!(builder.literal(0.0), builder.literal(-0.0), "numbers are told apart by their bits");
}

#[test]
fn equal_applications_are_one_node() {
    let (mut b, x, y, _) = leaves();
    for op in Op::ALL.iter().copied().filter(|op| op.arity() == 2) {
        let (there, back) = (two(&mut b, op, x, y), two(&mut b, op, y, x));
        assert_eq!(there, two(&mut b, op, x, y));
        assert_eq!(there == back, op.is_commutative(), "{op:?}");
        assert_eq!(b.find(op, [x, y, y]), Some(there), "whatever stands past the arity");
    }
    assert_eq!(b.find(Op::Atan2, [x, x, x]), None);
}

#[test]
fn rewrites() {
    let (mut b, x, y, d) = leaves();
    let [zero, one_, minus, two_, half] = [0.0, 1.0, -1.0, 2.0, 0.5].map(|n| b.literal(n));
    let (neg_x, neg_y) = (one(&mut b, Op::Neg, x), one(&mut b, Op::Neg, y));
    let (sub_xy, sub_yx) = (two(&mut b, Op::Sub, x, y), two(&mut b, Op::Sub, y, x));
    let (mul_xy, twice_x) = (two(&mut b, Op::Mul, x, y), two(&mut b, Op::Mul, two_, x));
    let inverse = one(&mut b, Op::Recip, x);
    let half_over = two(&mut b, Op::Div, half, x);
    let neg_mul = one(&mut b, Op::Neg, mul_xy);
    let same: [(Op, [Id; 2], Id); 34] = [
        (Op::Add, [x, zero], x),
        (Op::Add, [zero, x], x),
        (Op::Add, [x, neg_y], sub_xy),
        (Op::Add, [neg_x, y], sub_yx),
        (Op::Add, [x, x], twice_x),
        (Op::Sub, [x, zero], x),
        (Op::Sub, [zero, x], neg_x),
        (Op::Sub, [x, x], zero),
        (Op::Mul, [x, zero], zero),
        (Op::Mul, [zero, d], zero),
        (Op::Mul, [one_, x], x),
        (Op::Mul, [x, one_], x),
        (Op::Mul, [minus, x], neg_x),
        (Op::Mul, [neg_x, neg_y], mul_xy),
        (Op::Mul, [neg_x, y], neg_mul),
        (Op::Mul, [y, neg_x], neg_mul),
        (Op::Mul, [half, twice_x], x),
        (Op::Mul, [two_, half_over], inverse),
        (Op::Div, [x, one_], x),
        (Op::Div, [x, minus], neg_x),
        (Op::Div, [zero, x], zero),
        (Op::Div, [one_, x], inverse),
        (Op::Neg, [neg_x, x], x),
        (Op::Neg, [sub_xy, x], sub_yx),
        (Op::Powi(0), [x, x], one_),
        (Op::Powi(1), [x, x], x),
        (Op::Powi(-1), [x, x], inverse),
        (Op::Min, [x, x], x),
        (Op::Max, [x, x], x),
        (Op::Add, [half, half], one_),
        (Op::Sub, [half, half], zero),
        (Op::Mul, [two_, half], one_),
        (Op::Exp, [zero, zero], one_),
        (Op::Neg, [one_, one_], minus),
    ];
    for (k, (op, [a, c], expected)) in same.into_iter().enumerate() {
        let found = two(&mut b, op, a, c);
        assert_eq!(found, expected, "rewrite {k}, {op:?}: {:?} for {:?}", b.node(found), b.node(expected));
    }
    let add_yx = two(&mut b, Op::Add, x, y);
    assert_eq!(two(&mut b, Op::Sub, x, neg_y), add_yx);
    let chosen = |b: &mut Builder, condition| b.apply_op(Op::Select, [condition, x, y]);
    assert_eq!((chosen(&mut b, one_), chosen(&mut b, zero), chosen(&mut b, minus)), (x, y, x));
    assert_eq!(b.apply_op(Op::Select, [d, x, x]), x);
}

/// (m/x)·(n·y) = (mn/x)·y: the ½ and the 2 in the derivative of a norm.
#[test]
fn factors_meet_across_a_quotient() {
    let (mut b, x, y, _) = leaves();
    let [half, two_] = [0.5, 2.0].map(|n| b.literal(n));
    let quotient = two(&mut b, Op::Div, half, x);
    let product = two(&mut b, Op::Mul, two_, y);
    let found = two(&mut b, Op::Mul, quotient, product);
    let inverse = one(&mut b, Op::Recip, x);
    assert_eq!(found, two(&mut b, Op::Mul, inverse, y));
    assert_eq!(two(&mut b, Op::Mul, product, quotient), found);
}

#[test]
fn factors_that_would_overflow_or_vanish_stay_apart() {
    let (mut b, x, _, _) = leaves();
    for number in [1e200, 1e-200] {
        let literal = b.literal(number);
        let once = two(&mut b, Op::Mul, literal, x);
        let twice = two(&mut b, Op::Mul, literal, once);
        assert!(matches!(b.node(twice), Node::Apply { op: Op::Mul, args } if args.contains(&once)), "{number:e}");
    }
}

/// What is not finite keeps the operation that made it, so that an error can name it.
#[test]
fn results_that_are_not_finite_are_not_folded() {
    let (mut b, ..) = leaves();
    let [minus, zero, large] = [-1.0, 0.0, 1e300].map(|n| b.literal(n));
    for (op, a, c) in
        [(Op::Sqrt, minus, minus), (Op::Ln, minus, minus), (Op::Recip, zero, zero), (Op::Mul, large, large)]
    {
        let id = two(&mut b, op, a, c);
        assert!(matches!(b.node(id), Node::Apply { op: kept, .. } if kept == op), "{op:?}: {:?}", b.node(id));
    }
}

#[test]
fn a_program_keeps_only_what_outputs_need() {
    let (mut b, x, y, d) = leaves();
    let sum = two(&mut b, Op::Add, x, d);
    let _unused = two(&mut b, Op::Mul, y, d);
    let program = b.finish(vec![2], 1, &[sum, sum, x]);
    assert_eq!(program.nodes.len(), 3, "{program}");
    assert_eq!(program.evaluate(&[&[2.0, 9.0]], &[5.0]), [7.0, 7.0, 2.0]);
    assert_eq!(program.parameters(), 2);
    // Going on from a program keeps its names.
    let mut again = Builder::from_program(&program);
    let known = again.find(Op::Add, [program.outputs[2], 1, 0]);
    assert!(
        known == Some(program.outputs[0])
            || again.find(Op::Add, [program.outputs[2], 2, 0]) == Some(program.outputs[0])
    );
    assert_eq!(again.leaf(Node::Parameter { block: 0, component: 0 }), program.outputs[2]);
}

#[test]
fn literals_are_folded_into_the_program() {
    use crate::topology::{Expression, ExpressionNode, Ref};
    let (x, d) = (Ref::Parameter { block: 0, component: 0 }, Ref::Datum(0));
    let node = |op, a, b| ExpressionNode { op, args: [a, b, a] };
    let expression = Expression {
        block_sizes: vec![1],
        data: 2,
        nodes: vec![node(Op::Mul, d, Ref::Datum(1)), node(Op::Mul, Ref::Node(0), x)],
        outputs: vec![Ref::Node(1)],
    };
    let operations = |literals: &[Option<f64>]| Program::new(&expression, literals).operations();
    assert_eq!(operations(&[]), 2);
    assert_eq!(operations(&[Some(3.0), None]), 2);
    assert_eq!(operations(&[Some(3.0), Some(2.0)]), 1);
    assert_eq!(operations(&[Some(0.5), Some(2.0)]), 0, "the factor is 1");
    let folded = Program::new(&expression, &[Some(3.0), Some(2.0)]);
    assert_eq!(folded.evaluate(&[&[7.0]], &[0.0, 0.0]), [42.0]);
}
