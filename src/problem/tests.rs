//! Sums and columns.

use super::compiled::half_square_sum;
use super::*;
use crate::backend::Column;

#[test]
fn the_cost_is_the_same_for_any_number_of_threads() {
    let residuals: Vec<f64> = (0..50_001).map(|k| (k as f64 * 0.7).sin() * 1e3).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| half_square_sum(&residuals))
    };
    let one = on(1);
    assert!([2, 3, 5].iter().all(|&threads| on(threads).to_bits() == one.to_bits()));
    let plain: f64 = residuals.iter().map(|r| 0.5 * r * r).sum();
    assert!((one / plain - 1.0).abs() < 1e-12);
    for length in [0, 1, 7, 8, 9, 4095, 4096, 4097] {
        assert_eq!(half_square_sum(&vec![2.0; length]), 2.0 * length as f64);
    }
    assert!(half_square_sum(&[1.0, f64::NAN]).is_nan());
}

#[test]
fn columns_spread_when_a_number_differs() {
    let mut column = Column::Uniform(2.0);
    column.push(1, 2.0);
    column.push(2, 2.0);
    assert_eq!((column.uniform(), column.get(1)), (Some(2.0), 2.0));
    column.push(3, 5.0);
    column.push(4, 2.0);
    assert_eq!(column.uniform(), None);
    assert_eq!((0..5).map(|k| column.get(k)).collect::<Vec<_>>(), [2.0, 2.0, 2.0, 5.0, 2.0]);
    let mut nan = Column::Uniform(f64::NAN);
    nan.push(1, f64::NAN);
    assert!(nan.uniform().is_some(), "one NaN is like another");
}

/// A table grown by `push` and one filled by a batch are one.
#[test]
fn rows_of_the_problem_follow_residual_blocks() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[1.0, 2.0, 3.0]).unwrap();
    for &block in &blocks {
        problem.add_residual(&[block], |x| [x[0][0], x[0][0] * 2.0]).unwrap();
        problem.add_residual(&[block], |x| x[0][0].exp()).unwrap();
    }
    let compiled = problem.compile().unwrap();
    let rows: Vec<usize> = (0..6).map(|block| compiled.row_of(block).unwrap()).collect();
    assert_eq!(rows, [0, 6, 2, 7, 4, 8]);
    assert_eq!(compiled.rows().collect::<Vec<_>>(), rows);
}

/// The decrease the linear model promises, against ½‖r‖² − ½‖r + Jδ‖² computed in full.
#[test]
fn the_model_promises_what_it_says() {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(2, &[1.0, 2.0, -0.5, 3.0, 0.25, -1.0]).unwrap();
    for pair in blocks.windows(2) {
        problem
            .add_residual(pair, |x| [x[0][0] * x[1][1], (x[0][1] - x[1][0]).sin(), x[0][0] - 2.0 * x[1][0]])
            .unwrap();
    }
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
    let step = [0.1, -0.2, 0.3, 0.05, -0.4, 0.25];
    let mut moved = evaluation.residuals.clone();
    compiled.for_each_entry(&evaluation, |row, parameter, derivative| moved[row] += derivative * step[parameter]);
    let expected = half_square_sum(&evaluation.residuals) - half_square_sum(&moved);
    let found = compiled.model_cost_change(&evaluation, &step);
    assert!((found - expected).abs() < 1e-14 * expected.abs().max(1.0), "{found} for {expected}");
}

/// Forward and then reverse accumulation give what the entries of the Jacobian do: on manifolds, with losses that bend and that do not, in
/// blocks that J p leaves out.
#[test]
fn products_without_a_jacobian_are_those_with_one() {
    use crate::problem::loss::{Huber, Tolerant};
    use crate::problem::manifold::{Se3, So3};
    let mut problem = Problem::new();
    let rotation = problem.add_parameter_block(&[0.5, -0.5, 0.5, 0.5]).unwrap();
    let pose = problem.add_parameter_block(&[0.1, 0.2, 0.3, 0.5, 0.5, -0.5, 0.5]).unwrap();
    let plain = problem.add_parameter_block(&[0.4, -0.3]).unwrap();
    problem.set_manifold(&[rotation], So3).unwrap();
    problem.set_manifold(&[pose], Se3).unwrap();
    for _ in 0..3 {
        problem
            .add_residual(&[rotation, pose, plain], |x| {
                let turned = x[0][0] * x[1][3] - x[0][1] * x[1][4] + (x[0][2] * x[1][5]).sin();
                [turned + x[2][0], x[1][0] * x[2][1] - x[0][3] / x[1][6], x[1][1] + 2.0 * x[2][0], x[2][1].exp()]
            })
            .unwrap();
    }
    problem.set_loss(0..1, Huber(0.3)).unwrap();
    problem.set_loss(1..2, Tolerant { a: 0.4, b: 0.3 }).unwrap();
    let compiled = problem.compile().unwrap();
    assert_eq!(compiled.groups.len(), 3, "one without a loss, and one a loss");
    for group in &compiled.groups {
        let (kernel, table) = (&group.kernel, &group.table);
        let blocks: Vec<&[f64]> = (table.blocks.iter().zip(&kernel.program.block_sizes))
            .map(|(column, &size)| &problem.parameters().values()[column[0] as usize..][..size as usize])
            .collect();
        let data: Vec<f64> = table.data.iter().map(|column| column.get(0)).collect();
        let linearization = &kernel.linearization;
        let direction: Vec<Vec<f64>> = (linearization.tangent_sizes.iter().enumerate())
            .map(|(b, &size)| (0..size).map(|k| ((3 * b as u32 + k) as f64).cos()).collect())
            .collect();
        let numbers = linearization.program.evaluate(&blocks, &data);
        let value = |entry: &crate::program::JacobianEntry| {
            entry.factor * entry.stored.map_or(1.0, |k| numbers[linearization.residuals + k as usize])
        };
        let specialization = &kernel.specialization;
        let (retractions, loss) = (&specialization.retractions, specialization.loss.as_deref());
        let near = |found: &[f64], expected: &[f64]| {
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-12 * (1.0 + expected.abs()), "{found} for {expected}");
            }
        };
        let all: Vec<&[f64]> = blocks.iter().copied().chain(direction.iter().map(Vec::as_slice)).collect();
        for (to, left_out) in [(0, 3), (1, 3), (2, 3), (0, 0), (1, 1), (2, 2), (2, 0)] {
            let mut along = vec![0.0; linearization.residuals];
            for entry in linearization.entries.iter().filter(|entry| entry.block != left_out) {
                along[entry.residual as usize] +=
                    value(entry) * direction[entry.block as usize][entry.component as usize];
            }
            if left_out == 3 {
                let program = kernel.program.jacobian_product(retractions, loss);
                near(&program.evaluate(&all, &data), &along);
            }
            let mut expected = vec![0.0; linearization.tangent_sizes[to as usize] as usize];
            for entry in linearization.entries.iter().filter(|entry| entry.block == to) {
                expected[entry.component as usize] += value(entry) * along[entry.residual as usize];
            }
            // The last component alone as well: pieces of large blocks are such.
            for components in [0..expected.len(), expected.len() - 1..expected.len()] {
                let wanted = (to, components.start as u32..components.end as u32);
                let program = kernel.program.normal_product(retractions, loss, |block| block != left_out, wanted);
                near(&program.evaluate(&all, &data), &expected[components]);
            }
        }
    }
}

/// Solving puts the instances of a problem in another order; what is compiled from it later does not show that.
#[test]
fn a_problem_that_was_solved_compiles_as_one_that_was_not() {
    use crate::problem::loss::Huber;
    use crate::{Blocks, SolverOptions, Value, backend::Backend};
    fn distance(x: Blocks<'_>, data: &[Value]) -> Value {
        (x[0][0] - x[1][0]).hypot(x[0][1] - x[1][1]) - data[0]
    }
    let stated = || {
        let mut problem = Problem::new();
        let start: Vec<f64> = (0..120).map(|k| f64::from(k * 37 % 101) / 50.0).collect();
        let blocks = problem.add_parameter_blocks(2, &start).unwrap();
        // Neighbours of each other are far apart in the order in which they are stated.
        let pairs: Vec<[BlockId; 2]> = (0..59).map(|k| k * 23 % 59).map(|k| [blocks[k], blocks[k + 1]]).collect();
        let data: Vec<[f64; 1]> = (0..59).map(|k| [1.0 + f64::from(k) / 7.0]).collect();
        problem.add_residual_batch(&pairs, &data, distance).unwrap();
        for k in (0..60).map(|k| k * 17 % 60) {
            problem.add_residual(&[blocks[k]], |x| [x[0][0].sin() - 0.1, x[0][1] * 0.5]).unwrap();
        }
        problem.set_loss(70..80, Huber(0.5)).unwrap();
        (problem, blocks, pairs, data)
    };
    let described = |problem: &Problem| {
        let compiled = problem.compile().unwrap();
        let mut evaluation = compiled.new_evaluation();
        compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
        let groups: Vec<String> =
            compiled.groups.iter().map(|group| format!("{:?} {:?}", group.table, group.rows)).collect();
        let rows: Vec<usize> = compiled.rows().collect();
        (groups, rows, compiled.block_order().to_vec(), format!("{evaluation:?}"))
    };
    let (mut solved, blocks, pairs, data) = stated();
    let (mut fresh, ..) = stated();
    let options = SolverOptions { backend: Backend::Cpu, max_iterations: 3, ..SolverOptions::default() };
    for round in 0..3 {
        solved.solve(&options).unwrap();
        fresh.parameters.values_mut().copy_from_slice(solved.parameters().values());
        assert!(solved.groups[0].shared && !solved.groups[1].shared, "the loss takes the second apart");
        assert!(!solved.groups[0].residual_blocks.is_sorted());
        assert_eq!(described(&solved), described(&fresh), "after {} solves", round + 1);
        for problem in [&mut solved, &mut fresh] {
            match round {
                0 => drop(problem.add_residual(&[blocks[7]], |x| [x[0][0].sin() - 0.2, x[0][1] * 0.5]).unwrap()),
                1 => drop(problem.add_residual_batch(&pairs[3..9], &data[3..9], distance).unwrap()),
                _ => problem.fix(blocks[4]).unwrap(),
            }
        }
        assert_eq!(described(&solved), described(&fresh), "and changed after {}", round + 1);
    }
}
