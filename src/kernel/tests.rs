//! Schedule and register allocation: every order is right, and few registers are live.

use super::fusion::Fusion;
use super::kept::Kept;
use super::lanes::Register;
use super::schedule::{Step, WRITTEN_TOGETHER, schedule};
use super::*;
use crate::program::{Builder, Id, Node};
use crate::value::op::Op;
use proptest::prelude::*;

/// A program of the given steps over four parameters and a literal; each step names its operation and two earlier values.
fn program(steps: &[(u8, usize, usize)], outputs: &[usize]) -> Program {
    const OPS: [Op; 8] = [Op::Add, Op::Mul, Op::Sub, Op::Div, Op::Sin, Op::Exp, Op::Max, Op::Select];
    let mut builder = Builder::default();
    let mut ids: Vec<Id> = (0..4).map(|component| builder.leaf(Node::Parameter { block: 0, component })).collect();
    ids.push(builder.literal(0.75));
    ids.push(builder.leaf(Node::Datum(0)));
    for &(op, a, b) in steps {
        let [a, b] = [a, b].map(|k| ids[k % ids.len()]);
        ids.push(builder.apply_op(OPS[op as usize % OPS.len()], [a, b, ids[0]]));
    }
    let mut all: Vec<Id> = outputs.iter().map(|k| ids[k % ids.len()]).collect();
    all.push(ids[ids.len() - 1]);
    builder.finish(vec![4], 1, &all)
}

/// Runs the code as the CPU would, one lane wide, and checks that it never reads what is not there.
fn run(code: &LaneCode, x: &[f64], data: &[f64]) -> Vec<f64> {
    let mut registers: Vec<Option<f64>> = vec![None; code.registers];
    for (register, &literal) in registers.iter_mut().zip(&code.literals) {
        *register = Some(literal);
    }
    let mut outputs = vec![None; code.outputs.len()];
    let is_free = |to: Register| assert!(to as usize >= code.literals.len(), "a literal is overwritten");
    for instruction in &code.instructions {
        match *instruction {
            Instruction::Parameter { to, component, .. } => {
                is_free(to);
                registers[to as usize] = Some(x[component as usize]);
            }
            Instruction::ThreeParameters { to, component, .. } => {
                for (to, component) in to.into_iter().zip(component..) {
                    is_free(to);
                    registers[to as usize] = Some(x[component as usize]);
                }
            }
            Instruction::Datum { to, column } => {
                is_free(to);
                registers[to as usize] = Some(data[column as usize]);
            }
            Instruction::Apply { op, to, args } => {
                is_free(to);
                let args = args.map(|a| registers[a as usize]);
                assert!(args[..op.arity()].iter().all(Option::is_some), "an argument is not there yet");
                let [a, b, c] = args.map(|a| a.unwrap_or(f64::NAN));
                registers[to as usize] = Some(op.evaluate(a, b, c));
            }
            Instruction::Pair { pair, to, args } => {
                is_free(to);
                let [a, b, c] = args.map(|a| registers[a as usize].expect("an argument that is there"));
                registers[to as usize] = Some(pair.evaluate(a, b, c));
            }
            Instruction::Write { first, count } => {
                for output in first as usize..(first + count) as usize {
                    let place: &mut Option<f64> = &mut outputs[output];
                    assert!(place.is_none(), "output {output} is written twice");
                    *place = Some(registers[code.outputs[output] as usize].expect("an output that is there"));
                }
            }
        }
    }
    outputs.into_iter().map(|o| o.expect("every output is written")).collect()
}

fn steps() -> impl Strategy<Value = Vec<(u8, usize, usize)>> {
    prop::collection::vec((any::<u8>(), 0..1000_usize, 0..1000_usize), 1..40)
}

proptest! {
    #[test]
    fn a_schedule_computes_each_node_once_and_after_its_arguments(
        steps in steps(),
        outputs in prop::collection::vec(0..1000_usize, 0..20),
        boundaries in [0..20_usize, 0..20_usize],
    ) {
        let program = program(&steps, &outputs);
        let mut done = vec![false; program.nodes.len()];
        let mut written = vec![false; program.outputs.len()];
        let mut boundaries = boundaries.map(|boundary| boundary % (program.outputs.len() + 1));
        boundaries.sort_unstable();
        for step in schedule(&program, &boundaries) {
            match step {
                Step::Compute(id) => {
                    prop_assert!(!done[id as usize]);
                    prop_assert!(program.nodes[id as usize].arguments().iter().all(|&a| done[a as usize]));
                    done[id as usize] = true;
                }
                Step::Write { first, count } => {
                    let range = first as usize..(first + count) as usize;
                    prop_assert!(range.len() <= WRITTEN_TOGETHER);
                    prop_assert!(boundaries.iter().all(|&boundary| range.end <= boundary || range.start >= boundary));
                    for output in range {
                        prop_assert!(done[program.outputs[output] as usize] && !written[output]);
                        written[output] = true;
                    }
                }
            }
        }
        prop_assert!(done.iter().all(|&d| d) && written.iter().all(|&w| w));
    }

    #[test]
    fn code_computes_what_the_program_computes(
        steps in steps(),
        outputs in prop::collection::vec(0..1000_usize, 0..20),
        x in [-2.0..2.0_f64, -2.0..2.0_f64, -2.0..2.0_f64, -2.0..2.0_f64],
    ) {
        let program = program(&steps, &outputs);
        for program in [&program, &program.differentiate().program] {
            let code = LaneCode::new(program);
            let (found, expected) = (run(&code, &x, &[1.5]), program.evaluate(&[&x], &[1.5]));
            prop_assert_eq!(found.iter().map(|f| f.to_bits()).collect::<Vec<_>>().len(), expected.len());
            for (f, e) in found.iter().zip(&expected) {
                prop_assert!(f.to_bits() == e.to_bits() || (f.is_nan() && e.is_nan()), "{} for {}\n{}", f, e, program);
            }
            prop_assert!(code.registers <= program.nodes.len());
        }
    }
}

#[test]
fn a_long_chain_needs_few_registers() {
    // x ← sin(x) + x, a thousand times.
    let steps: Vec<(u8, usize, usize)> =
        (0..1000).flat_map(|k| [(4, 5 + 2 * k, 0), (0, 6 + 2 * k, 5 + 2 * k)]).collect();
    let code = LaneCode::new(&program(&steps, &[]));
    assert!(code.instructions.len() > 1500 && code.registers <= 8, "{} registers", code.registers);
}

/// A balanced tree of 2ⁿ leaves needs n + 1 registers (Sethi and Ullman).
#[test]
fn a_balanced_tree_needs_as_many_registers_as_it_is_high() {
    let mut builder = Builder::default();
    let mut level: Vec<Id> = (0..64).map(|column| builder.leaf(Node::Datum(column))).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| builder.apply_op(Op::Atan2, [pair[0], pair[1], pair[0]])).collect();
    }
    let code = LaneCode::new(&builder.finish(vec![], 64, &level));
    assert_eq!(code.registers, 7);
}

#[test]
fn outputs_leave_as_soon_as_they_are_known() {
    // Thirty outputs, each from the one before: with all of them held to the end there would be thirty registers.
    let steps: Vec<(u8, usize, usize)> = (0..30).map(|k| (4, 5 + k, 0)).collect();
    let all: Vec<usize> = (6..36).collect();
    let code = LaneCode::new(&program(&steps, &all));
    assert_eq!(code.outputs.len(), 31);
    assert!(code.registers <= WRITTEN_TOGETHER + 3, "{} registers", code.registers);
}

#[test]
fn an_output_may_be_a_leaf_or_a_literal_or_come_twice() {
    let mut builder = Builder::default();
    let x = builder.leaf(Node::Parameter { block: 0, component: 0 });
    let literal = builder.literal(3.0);
    let square = builder.apply_op(Op::Mul, [x; 3]);
    let program = builder.finish(vec![1], 0, &[literal, x, square, literal, x, square]);
    assert_eq!(run(&LaneCode::new(&program), &[5.0], &[]), [3.0, 5.0, 25.0, 3.0, 5.0, 25.0]);
}

/// (x y + z) (x − y): two pairs of the four operations, as nobody else reads the product and the difference.
#[test]
fn operations_are_taken_in_pairs() {
    let mut builder = Builder::default();
    let [x, y, z] = [0, 1, 2].map(|component| builder.leaf(Node::Parameter { block: 0, component }));
    let product = builder.apply_op(Op::Mul, [x, y, x]);
    let sum = builder.apply_op(Op::Add, [product, z, z]);
    let difference = builder.apply_op(Op::Sub, [x, y, x]);
    let last = builder.apply_op(Op::Mul, [sum, difference, sum]);
    let code = LaneCode::new(&builder.finish(vec![3], 0, &[last]));
    let pairs: Vec<Pair> = code
        .instructions
        .iter()
        .filter_map(|i| if let Instruction::Pair { pair, .. } = i { Some(*pair) } else { None })
        .collect();
    assert_eq!(pairs, [Pair::MulAdd, Pair::SubMul]);
    assert_eq!(code.instructions.len(), 4, "three parameters at once, two pairs, one output");
    assert_eq!(run(&code, &[5.0, 3.0, 1.0], &[]), [32.0]);
    // Whoever is read twice, or is an output, keeps its register.
    let code = LaneCode::new(&builder.finish(vec![3], 0, &[last, sum, difference]));
    assert_eq!(run(&code, &[5.0, 3.0, 1.0], &[]), [32.0, 16.0, 2.0]);
}

#[test]
fn a_pair_computes_its_two_operations_to_the_last_bit() {
    let ops = [Op::Add, Op::Sub, Op::Mul];
    let numbers = [0.1, -3.7, 1e16 / 3.0, -1.0 / 3.0, 0.0, 1e-300];
    let mut seen = Vec::new();
    for (inner, outer, reversed) in
        ops.iter().flat_map(|&i| ops.iter().flat_map(move |&o| [(i, o, false), (i, o, true)]))
    {
        let pair = Pair::new(inner, outer, reversed).expect("a pair of any two");
        seen.push(pair);
        for (k, &a) in numbers.iter().enumerate() {
            let (b, c) = (numbers[(k + 1) % 6], numbers[(k + 3) % 6]);
            let first = inner.evaluate(a, b, b);
            let expected = if reversed { outer.evaluate(c, first, c) } else { outer.evaluate(first, c, c) };
            assert_eq!(pair.evaluate(a, b, c).to_bits(), expected.to_bits(), "{pair:?} of {a}, {b}, {c}");
        }
    }
    assert!(Pair::ALL.iter().all(|pair| seen.contains(pair)));
    assert_eq!(Pair::new(Op::Div, Op::Add, false), None);
}

/// Ten sines of block 1, each times a parameter of block 0: the sines are kept, and none becomes half of a pair with what is not.
#[test]
fn what_depends_on_one_block_alone_comes_first() {
    let mut builder = Builder::default();
    let a = builder.leaf(Node::Parameter { block: 0, component: 0 });
    let b = builder.leaf(Node::Parameter { block: 1, component: 0 });
    let datum = builder.leaf(Node::Datum(0));
    let (mut chain, mut outputs) = (b, Vec::new());
    for _ in 0..10 {
        chain = builder.apply_op(Op::Sin, [chain; 3]);
        let square = builder.apply_op(Op::Mul, [chain; 3]);
        outputs.push(builder.apply_op(Op::Add, [square, a, a]));
    }
    outputs.push(builder.apply_op(Op::Mul, [a, datum, a]));
    let program = builder.finish(vec![1, 1], 1, &outputs);
    let kept = Kept::new(&program);
    assert_eq!((kept.block, kept.nodes.iter().filter(|&&kept| kept).count()), (Some(1), 21));
    let fusion = Fusion::new(&program, &kept.nodes);
    assert!(fusion.pairs.iter().all(Option::is_none), "squares are kept, sums are not");
    let (block, count) = LaneCode::new(&program).kept.expect("a block");
    assert_eq!((block, count), (1, 21), "a parameter, ten sines, ten squares");

    let few = builder.finish(vec![1, 1], 1, &outputs[..3]);
    assert_eq!(Kept::new(&few).block, None, "six operations are not worth ten registers");
}

#[test]
fn the_cache_tells_literals_apart() {
    use crate::topology::{Expression, ExpressionNode, Ref, Topology};
    let x = Ref::Parameter { block: 0, component: 0 };
    let expression = Expression {
        block_sizes: vec![1],
        data: 1,
        nodes: vec![ExpressionNode { op: Op::Rem, args: [x, Ref::Datum(0), x] }],
        outputs: vec![Ref::Node(0)],
    };
    let hash = expression.hash();
    let topology = Topology { expression: expression.clone().into(), hash };
    let literals = [None, Some(0.0), Some(-0.0), Some(2.5)];
    let with = |literal| super::Specialization { literals: vec![literal], ..Default::default() };
    let kernels: Vec<_> = literals.iter().map(|&l| compile(&topology, &with(l))).collect();
    for (k, (kernel, hit)) in kernels.iter().enumerate() {
        assert!(!hit);
        let (again, hit) = compile(&topology, &with(literals[k]));
        assert!(hit && std::sync::Arc::ptr_eq(kernel, &again));
    }
    // Another shape under the same hash is another kernel.
    let nodes = vec![ExpressionNode { op: Op::Copysign, args: [x, Ref::Datum(0), x] }];
    let collision = Topology { expression: Expression { nodes, ..expression }.into(), hash };
    let (kernel, hit) = compile(&collision, &with(None));
    assert!(!hit);
    assert_eq!(kernel.program.evaluate(&[&[3.0]], &[-1.0]), [-3.0]);
    assert_eq!(kernels[0].0.program.evaluate(&[&[3.0]], &[2.0]), [1.0]);
}
