//! A problem that has to be put in order.

use isograd::{BlockId, Problem};

/// Neighbours in a square, in an order that has nothing to do with where they are.
pub fn scattered_grid() -> (Problem, Vec<BlockId>) {
    let (side, mut problem) = (150, Problem::new());
    let count = side * side;
    let start: Vec<f64> = (0..count).map(|k| (k as f64).sin() + 2.0).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    let scattered = |k: usize| blocks[k * 7919 % count];
    for k in 0..count {
        if k % side + 1 < side {
            problem.add_residual(&[scattered(k), scattered(k + 1)], |x| x[0][0].ln() * x[1][0] - 0.5).unwrap();
        }
        if k + side < count {
            problem.add_residual(&[scattered(k + side), scattered(k)], |x| x[0][0] - x[1][0]).unwrap();
        }
    }
    (problem, blocks)
}
