//! The interpreter against the program it came from, to the last bit but where it has functions of its own.

use super::*;
use crate::backend::Column;
use crate::program::{Builder, Id, Node, Program};
use crate::value::op::Op;

fn operations() -> impl Iterator<Item = Op> {
    Op::ALL.iter().copied().filter(|op| !op.is_leaf()).chain([Op::Powi(70), Op::Powi(-70)])
}

/// Every operation on two parameters and a datum, each an output.
fn every_operation() -> Program {
    let mut builder = Builder::default();
    let a = builder.leaf(Node::Parameter { block: 0, component: 1 });
    let b = builder.leaf(Node::Parameter { block: 1, component: 0 });
    let c = builder.leaf(Node::Datum(0));
    let d = builder.leaf(Node::Datum(1));
    let mut outputs: Vec<Id> = operations().map(|op| builder.apply_op(op, [a, b, c])).collect();
    outputs.push(d);
    builder.finish(vec![2, 1], 2, &outputs)
}

/// A table of instances that share blocks, with a column that varies and one that does not.
fn table(count: usize) -> (InstanceTable, Vec<f64>) {
    let x: Vec<f64> = (0..60).map(|k| f64::from(k % 17) * 0.37 - 2.9).collect();
    let blocks =
        vec![(0..count).map(|k| (k * 7 % 58) as u32).collect(), (0..count).map(|k| (k * 11 % 59) as u32).collect()];
    let varying = (0..count).map(|k| (k % 23) as f64 * 0.21 - 1.0).collect();
    (InstanceTable { count, blocks, data: vec![Column::Varying(varying), Column::Uniform(4.5)] }, x)
}

#[test]
fn lanes_compute_the_program_to_the_last_bit() {
    let program = every_operation();
    // Sine and cosine are our own and the program's the platform's: either may be the one that is rounded rightly.
    let own: Vec<bool> = operations().map(|op| matches!(op, Op::Sin | Op::Cos)).chain([false]).collect();
    assert_eq!(own.len(), program.outputs.len());
    let code = LaneCode::new(&program);
    for count in [1, LANES - 1, LANES, LANES + 1, 3 * LANES + 5, 2 * TASK + 5] {
        let (table, x) = table(count);
        let found = evaluate_code(&code, &table, &x);
        assert_eq!(found.len(), count * program.outputs.len());
        for (instance, found) in found.chunks(program.outputs.len()).enumerate() {
            let [p, q] = [0, 1].map(|block: usize| table.blocks[block][instance] as usize);
            let data = [table.data[0].get(instance), table.data[1].get(instance)];
            let expected = program.evaluate(&[&x[p..p + 2], &x[q..q + 1]], &data);
            for (k, (f, e)) in found.iter().zip(&expected).enumerate() {
                let ulps = f.to_bits().abs_diff(e.to_bits());
                let same = ulps <= u64::from(own[k]) || (f.is_nan() && e.is_nan());
                assert!(same, "instance {instance} of {count}, output {k}: {f} for {e}");
            }
        }
    }
}

/// Instances that share block 0 for a while, then for less than a chunk, then not at all: what is kept of it is never a former one's.
#[test]
fn what_is_kept_is_that_of_the_block() {
    let mut builder = Builder::default();
    let [p, q, r] = [0, 1, 2].map(|component| builder.leaf(Node::Parameter { block: 0, component }));
    let other = builder.leaf(Node::Parameter { block: 1, component: 0 });
    let (mut chain, mut outputs) = (p, Vec::new());
    for k in 0..10 {
        chain = builder.apply_op([Op::Exp, Op::Atan][k % 2], [chain; 3]);
        let mixed = builder.apply_op(Op::Mul, [chain, [q, r][k % 2], chain]);
        outputs.push(builder.apply_op(Op::Sub, [mixed, other, mixed]));
    }
    outputs.push(chain);
    let program = builder.finish(vec![3, 1], 0, &outputs);
    let code = LaneCode::new(&program);
    assert!(code.kept.is_some_and(|(block, _)| block == 0));
    let runs =
        [4 * LANES, LANES / 2, 2 * LANES, 3 * LANES + 7, TASK + 3].into_iter().chain([1; LANES]).chain([2 * LANES]);
    let starts: Vec<u32> = runs.zip(0..).flat_map(|(length, start)| vec![start % 7; length]).collect();
    let x: Vec<f64> = (0..60).map(|k| f64::from(k % 17) * 0.037 - 0.29).collect();
    let count = starts.len();
    let table =
        InstanceTable { count, blocks: vec![starts, (0..count as u32).map(|k| k % 59).collect()], data: vec![] };
    let found = evaluate_code(&code, &table, &x);
    for (instance, found) in found.chunks(outputs.len()).enumerate() {
        let [a, b] = [0, 1].map(|block: usize| table.blocks[block][instance] as usize);
        let expected = program.evaluate(&[&x[a..a + 3], &x[b..b + 1]], &[]);
        let bits = |numbers: &[f64]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(found), bits(&expected), "instance {instance}");
    }
}

#[test]
fn no_instances_give_nothing() {
    let (table, x) = table(0);
    assert!(evaluate_code(&LaneCode::new(&every_operation()), &table, &x).is_empty());
}

#[test]
fn no_outputs_give_nothing() {
    let program = Builder::default().finish(vec![2, 1], 2, &[]);
    let (table, x) = table(2 * TASK);
    assert!(evaluate_code(&LaneCode::new(&program), &table, &x).is_empty());
}

/// What stands in lanes past the last instance never shows: a partial chunk after a full one equals the same instances alone.
#[test]
fn a_partial_chunk_knows_nothing_of_the_one_before() {
    let program = every_operation();
    let code = LaneCode::new(&program);
    let (table, x) = table(LANES + 3);
    let all = evaluate_code(&code, &table, &x);
    let last = |column: &Column| match column {
        Column::Varying(numbers) => Column::Varying(numbers[LANES..].to_vec()),
        uniform => uniform.clone(),
    };
    let tail = InstanceTable {
        count: 3,
        blocks: table.blocks.iter().map(|column| column[LANES..].to_vec()).collect(),
        data: table.data.iter().map(last).collect(),
    };
    let alone = evaluate_code(&code, &tail, &x);
    let bits = |numbers: &[f64]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&all[LANES * program.outputs.len()..]), bits(&alone));
}

#[test]
fn the_device_says_what_it_is() {
    let name = device_name();
    assert!(name.starts_with("CPU (") && name.contains(" thread"), "{name}");
}
