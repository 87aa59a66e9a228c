//! `Problem`: blocks in, residual blocks one by one or by template, and what is known of them afterwards.

mod expressions;

use expressions::{Shape, recipe};
use isograd::backend::Column;
use isograd::{BlockId, Blocks, Problem, SolverOptions, Table, Value};
use nalgebra::{UnitQuaternion, Vector3};
use proptest::prelude::*;

fn residuals(problem: &Problem) -> Vec<f64> {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.evaluate_residuals(problem.parameters().values(), &mut evaluation).unwrap();
    evaluation.residuals
}

#[test]
fn blocks_lie_one_after_the_other() {
    let mut problem = Problem::new();
    let a = problem.add_parameter_block(&[1.0, 2.0]).unwrap();
    let rest = problem.add_parameter_blocks(3, &[3.0, 4.0, 5.0, 6.0, 7.0, 8.0]).unwrap();
    assert_eq!([a.index(), rest[0].index(), rest[1].index()], [0, 1, 2]);
    let parameters = problem.parameters();
    assert_eq!((parameters.blocks(), parameters.offsets()), (3, &[0, 2, 5, 8][..]));
    assert_eq!(parameters.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    assert_eq!((parameters.size(0), parameters.size(2)), (2, 3));
    assert_eq!(problem.parameter_block(rest[1]), [6.0, 7.0, 8.0]);
    problem.set_parameter_block(rest[0], &[-3.0, -4.0, -5.0]).unwrap();
    assert_eq!(problem.parameters().values(), [1.0, 2.0, -3.0, -4.0, -5.0, 6.0, 7.0, 8.0]);
}

/// Everything a residual function may return.
#[test]
fn residuals_come_in_many_types() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[1.0, 2.0, 3.0]).unwrap();
    let q = problem.add_parameter_block(&[10.0]).unwrap();
    assert_eq!(problem.add_residual(&[p], |x| x[0][0]).unwrap(), 0);
    assert_eq!(problem.add_residual(&[p], |x| [x[0][0], x[0][1]]).unwrap(), 1);
    assert_eq!(problem.add_residual(&[p], |x| x[0].iter().map(|&v| v * 2.0).collect::<Vec<_>>()).unwrap(), 2);
    assert_eq!(problem.add_residual(&[p], |x| x.vector::<3>(0)).unwrap(), 3);
    assert_eq!(problem.add_residual(&[p, q], |x| (x[1][0], x.vector::<2>(0))).unwrap(), 4);
    assert_eq!((problem.residual_blocks(), problem.residuals()), (5, 12));
    let compiled = problem.compile().unwrap();
    let all = residuals(&problem);
    let expected: [&[f64]; 5] = [&[1.0], &[1.0, 2.0], &[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0], &[10.0, 1.0, 2.0]];
    for (block, expected) in expected.iter().enumerate() {
        let row = compiled.row_of(block).unwrap();
        assert_eq!(&all[row..row + expected.len()], *expected);
    }
    assert_eq!(compiled.row_of(5), None);
}

#[test]
fn blocks_are_seen_in_the_order_given() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(2, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    problem
        .add_residual(&[blocks[2], blocks[0]], |x| {
            assert_eq!((x.len(), x.is_empty(), x.iter().len()), (2, false, 2));
            assert_eq!([x[0][0].primal(), x[0][1].primal(), x[1][0].primal(), x[1][1].primal()], [5.0, 6.0, 1.0, 2.0]);
            assert_eq!(x.vector::<2>(1)[1].primal(), 2.0);
            x[0][0] - 10.0 * x[1][1]
        })
        .unwrap();
    assert_eq!(residuals(&problem), [5.0 - 20.0]);
}

/// nalgebra's types over `Value`, against the same code on numbers.
#[test]
fn geometry_compiles() {
    fn turned<T: nalgebra::RealField + Copy>(a: Vector3<T>, p: Vector3<T>) -> Vector3<T> {
        UnitQuaternion::from_scaled_axis(a) * p
    }
    let (a, p) = ([0.3, -0.7, 0.2], [1.0, 2.0, 3.0]);
    let mut problem = Problem::new();
    let blocks = [problem.add_parameter_block(&a).unwrap(), problem.add_parameter_block(&p).unwrap()];
    problem.add_residual(&blocks, |x| turned(x.vector::<3>(0), x.vector::<3>(1))).unwrap();
    let expected = turned(Vector3::from(a), Vector3::from(p));
    for (found, expected) in residuals(&problem).iter().zip(expected.iter()) {
        assert!((found - expected).abs() < 1e-14);
    }
}

const SHAPE: Shape = Shape { blocks: 3, largest_block: 2, data: 2, steps: 8, outputs: 3, tame: true, smooth: false };

proptest! {
    /// Ways in: a template over many rows, and a closure call for each row.
    #[test]
    fn templates_and_single_blocks_are_one_problem(recipe in recipe(SHAPE), rows in 1..20_usize) {
        let build = |by_template: bool| {
            let mut problem = Problem::new();
            let mut next = 0.3;
            let mut number = || {
                next = (next * 7.31_f64 + 0.77) % 1.9;
                next - 0.95
            };
            let mut blocks: Vec<BlockId> = Vec::new();
            for _ in 0..rows {
                for &size in &recipe.block_sizes {
                    let start: Vec<f64> = (0..size).map(|_| number()).collect();
                    blocks.push(problem.add_parameter_block(&start).unwrap());
                }
            }
            let data: Vec<f64> = (0..rows * recipe.data).map(|_| number()).collect();
            if by_template {
                assert_eq!(recipe.add_to(&mut problem, &blocks, &data).unwrap(), 0..rows);
            } else {
                for (row, blocks) in blocks.chunks(recipe.block_sizes.len()).enumerate() {
                    let data: Vec<Value> =
                        data[row * recipe.data..][..recipe.data].iter().map(|&d| Value::constant(d)).collect();
                    problem.add_residual(blocks, |x| recipe.residuals(x, &data)).unwrap();
                }
            }
            problem
        };
        let (batch, single) = (build(true), build(false));
        prop_assert_eq!(batch.residual_blocks(), single.residual_blocks());
        prop_assert_eq!(batch.residuals(), single.residuals());
        prop_assert_eq!(batch.topologies(), 1);
        prop_assert_eq!(single.topologies(), 1);
        for (a, b) in residuals(&batch).iter().zip(residuals(&single)) {
            prop_assert!((a - b).abs() <= 1e-13 * a.abs().max(1.0), "{} and {}", a, b);
        }
    }
}

#[test]
fn a_template_is_called_three_times_whatever_the_rows() {
    for rows in [1, 3, 1000] {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(1, &vec![1.0; rows]).unwrap();
        let table: Vec<[BlockId; 1]> = blocks.iter().map(|&b| [b]).collect();
        let calls = std::cell::Cell::new(0);
        let added = problem.add_residual_batch(&table, &(), |x, data| {
            calls.set(calls.get() + 1);
            assert!(data.is_empty());
            x[0][0] - 3.0
        });
        assert_eq!((added.unwrap(), calls.get()), (0..rows, 3));
    }
}

#[test]
fn batches_append_to_groups() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    let [a, b, c, d] = [blocks[0], blocks[1], blocks[2], blocks[3]];
    let residual = |x: Blocks<'_>, data: &[Value]| x[0][0] * data[0] - data[1];
    assert_eq!(problem.add_residual_batch(&[[a], [b]], &[[2.0, 1.0], [3.0, 1.0]], residual).unwrap(), 0..2);
    assert_eq!(problem.add_residual(&[c], |x| x[0][0] * 5.0 - 1.0).unwrap(), 2);
    assert_eq!(problem.add_residual(&[c], |x| x[0][0].exp()).unwrap(), 3);
    assert_eq!(problem.add_residual_batch(&vec![[d]], &vec![[7.0, 2.0]], residual).unwrap(), 4..5);
    let flat = Table { width: 1, entries: &blocks };
    let data = Table { width: 2, entries: &[1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0] };
    assert_eq!(problem.add_residual_batch(&flat, &data, residual).unwrap(), 5..9);
    assert_eq!((problem.topologies(), problem.residual_blocks()), (2, 9));

    let compiled = problem.compile().unwrap();
    assert_eq!((compiled.groups[0].table.count, compiled.groups[1].table.count), (8, 1));
    let all = residuals(&problem);
    let expected = [1.0, 5.0, 14.0, 3_f64.exp(), 26.0, 1.0, 2.0, 3.0, 4.0];
    for (block, expected) in expected.iter().enumerate() {
        assert_eq!(all[compiled.row_of(block).unwrap()], *expected, "residual block {block}");
    }
}

/// A column all instances agree in is kept once, until one differs.
#[test]
fn equal_data_are_kept_once() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[1.0, 2.0, 3.0]).unwrap();
    for &block in &blocks[..2] {
        problem.add_residual(&[block], |x| (x[0][0] * 2.0).sin() - 1.0).unwrap();
    }
    let columns = |problem: &Problem| {
        let group = &problem.compile().unwrap().groups[0];
        let mut uniform: Vec<Option<f64>> = group.table.data.iter().map(Column::uniform).collect();
        uniform.sort_by(|a, b| a.partial_cmp(b).unwrap());
        (uniform, group.kernel.specialization.literals.iter().flatten().count())
    };
    assert_eq!(columns(&problem), (vec![Some(1.0), Some(2.0)], 2));
    problem.add_residual(&[blocks[2]], |x| (x[0][0] * 4.0).sin() - 1.0).unwrap();
    assert_eq!(columns(&problem), (vec![None, Some(1.0)], 1));
    let expected = [2_f64.sin() - 1.0, 4_f64.sin() - 1.0, 12_f64.sin() - 1.0];
    assert_eq!(residuals(&problem), expected);
    // −0 and 0 are not the same datum.
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[1.0]).unwrap();
    for zero in [0.0, -0.0] {
        problem.add_residual(&[p], |x| x[0][0].copysign(zero)).unwrap();
    }
    assert_eq!(residuals(&problem), [1.0, -1.0]);
}

#[test]
fn names_are_found_by_residual_block() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[1.0]).unwrap();
    for _ in 0..4 {
        problem.add_residual(&[p], |x| x[0][0]).unwrap();
    }
    problem.set_name(0..2, "first");
    problem.set_name(1..3, "second");
    let names: Vec<Option<&str>> = (0..4).map(|block| problem.name(block)).collect();
    assert_eq!(names, [Some("first"), Some("second"), Some("second"), None]);
    assert_eq!(problem.compile().unwrap().name(0), Some("first"));
}

#[test]
fn a_problem_can_grow_after_a_solve() {
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[0.0]).unwrap();
    problem.add_residual(&[p], |x| x[0][0] - 1.0).unwrap();
    problem.solve(&SolverOptions::default()).unwrap();
    assert!((problem.parameter_block(p)[0] - 1.0).abs() < 1e-9);
    let q = problem.add_parameter_block(&[0.0]).unwrap();
    problem.add_residual(&[p, q], |x| x[0][0] + x[1][0] - 3.0).unwrap();
    problem.solve(&SolverOptions::default()).unwrap();
    assert!((problem.parameter_block(q)[0] - 2.0).abs() < 1e-9);
}

#[test]
fn tracing_leaves_no_nodes() {
    let before = Value::live_nodes();
    let kept = Value::variable(2.0);
    let mut problem = Problem::new();
    let p = problem.add_parameter_block(&[1.0]).unwrap();
    for _ in 0..100 {
        problem.add_residual(&[p], |x| (x[0][0] + 2.0).sqrt().sin()).unwrap();
    }
    problem.add_residual_batch(&[[p]], &[[1.0]], |x, d| x[0][0] * d[0]).unwrap();
    assert_eq!(Value::live_nodes(), before + 1);
    assert_eq!((kept * kept).primal(), 4.0);
}

/// A residual function may itself state and solve a problem.
#[test]
fn problems_nest() {
    let mut outer = Problem::new();
    let p = outer.add_parameter_block(&[4.0]).unwrap();
    outer
        .add_residual(&[p], |x| {
            let mut inner = Problem::new();
            let q = inner.add_parameter_block(&[1.0]).unwrap();
            let target = x[0][0].primal();
            inner.add_residual(&[q], |y| y[0][0].square() - target).unwrap();
            inner.solve(&SolverOptions::default()).unwrap();
            x[0][0] - inner.parameter_block(q)[0]
        })
        .unwrap();
    assert!((residuals(&outer)[0] - 2.0).abs() < 1e-6);
}

/// Large problems are laid out anew when they are compiled; residual blocks are found all the same, and told apart in errors.
#[test]
fn instances_are_ordered_for_locality_and_found_again() {
    let count = 6000;
    let mut problem = Problem::new();
    let start: Vec<f64> = (0..count).map(|k| 1.0 + f64::from(k)).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    // A chain through all blocks in a scattered order, and a root of every third.
    let at = |k: usize| k * 2741 % count as usize;
    let chain: Vec<[BlockId; 2]> = (0..count as usize - 1).map(|k| [blocks[at(k)], blocks[at(k + 1)]]).collect();
    let data: Vec<[f64; 1]> = (0..chain.len()).map(|k| [k as f64]).collect();
    problem.add_residual_batch(&chain, &data, |x, d| [x[0][0] - x[1][0], x[1][0] * d[0]]).unwrap();
    let roots: Vec<[BlockId; 1]> = blocks.iter().step_by(3).map(|&b| [b]).collect();
    let roots = problem.add_residual_batch(&roots, &(), |x, _| x[0][0].sqrt()).unwrap();
    problem.set_name(roots.clone(), "root");

    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
    for k in 0..chain.len() {
        let row = compiled.row_of(k).unwrap();
        let (a, b) = (start[at(k)], start[at(k + 1)]);
        assert_eq!(evaluation.residuals[row..row + 2], [a - b, b * k as f64], "residual block {k}");
    }
    for (k, block) in roots.clone().enumerate() {
        assert_eq!(evaluation.residuals[compiled.row_of(block).unwrap()], start[3 * k].sqrt());
    }
    let mut order = compiled.block_order().to_vec();
    assert_ne!(order, (0..count as u32).collect::<Vec<_>>(), "the chain wants another order");
    order.sort_unstable();
    assert_eq!(order, (0..count as u32).collect::<Vec<_>>());

    problem.set_parameter_block(blocks[3 * 123], &[-4.0]).unwrap();
    match problem.solve(&SolverOptions::default()).unwrap_err() {
        isograd::SolveError::NonFinite { residual, .. } => {
            assert_eq!(residual.residual_block, roots.start + 123);
            assert_eq!(residual.name.as_deref(), Some("root"));
            assert!(residual.reason.contains("sqrt of -4"), "{residual}");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn bytes_grow_with_the_problem() {
    let build = |count: usize| {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(1, &vec![1.0; count]).unwrap();
        let table: Vec<[BlockId; 1]> = blocks.iter().map(|&b| [b]).collect();
        let data: Vec<[f64; 1]> = (0..count).map(|k| [k as f64]).collect();
        problem.add_residual_batch(&table, &data, |x, d| x[0][0] - d[0]).unwrap();
        problem.bytes()
    };
    // A parameter, its offset, a block index, a datum, a row number.
    let each = (build(2000) - build(1000)) / 1000;
    assert!((8 + 4 + 4 + 8 + 4..64).contains(&each), "{each} bytes a residual block");
}
