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
