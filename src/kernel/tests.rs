//! Schedule and register allocation: every order is right, and few registers are live.

use super::lanes::Register;
use super::schedule::{Step, schedule};
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
    let mut outputs = vec![None; code.outputs];
    let is_free = |to: Register| assert!(to as usize >= code.literals.len(), "a literal is overwritten");
    for instruction in &code.instructions {
        match *instruction {
            Instruction::Parameter { to, component, .. } => {
                is_free(to);
                registers[to as usize] = Some(x[component as usize]);
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
            Instruction::Output { from, output } => {
                let place: &mut Option<f64> = &mut outputs[output as usize];
                assert!(place.is_none(), "output {output} is written twice");
                *place = Some(registers[from as usize].expect("an output that is there"));
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
        outputs in prop::collection::vec(0..1000_usize, 0..5),
    ) {
        let program = program(&steps, &outputs);
        let mut done = vec![false; program.nodes.len()];
        let mut written = vec![false; program.outputs.len()];
        for step in schedule(&program) {
            match step {
                Step::Compute(id) => {
                    prop_assert!(!done[id as usize]);
                    prop_assert!(program.nodes[id as usize].arguments().iter().all(|&a| done[a as usize]));
                    done[id as usize] = true;
                }
                Step::Output { node, output } => {
                    prop_assert!(done[node as usize] && !written[output] && program.outputs[output] == node);
                    written[output] = true;
                }
            }
        }
        prop_assert!(done.iter().all(|&d| d) && written.iter().all(|&w| w));
    }

    #[test]
    fn code_computes_what_the_program_computes(
        steps in steps(),
        outputs in prop::collection::vec(0..1000_usize, 0..5),
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
    let mut level: Vec<Id> = (0..64).map(|component| builder.leaf(Node::Parameter { block: 0, component })).collect();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| builder.apply_op(Op::Atan2, [pair[0], pair[1], pair[0]])).collect();
    }
    let code = LaneCode::new(&builder.finish(vec![64], 0, &level));
    assert_eq!(code.registers, 7);
}

#[test]
fn outputs_leave_as_soon_as_they_are_known() {
    // Thirty outputs, each from the one before: with all of them held to the end there would be thirty registers.
    let steps: Vec<(u8, usize, usize)> = (0..30).map(|k| (4, 5 + k, 0)).collect();
    let all: Vec<usize> = (6..36).collect();
    let code = LaneCode::new(&program(&steps, &all));
    assert_eq!(code.outputs, 31);
    assert!(code.registers <= 3, "{} registers", code.registers);
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
