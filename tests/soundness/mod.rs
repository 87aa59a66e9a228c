//! What tests of errors share.

use isograd::{BlockId, Problem};

/// Checks that the message has every part.
pub fn says(error: &impl std::fmt::Display, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

/// A small sound problem: two blocks of two, three residual blocks, two shapes.
pub fn sound() -> (Problem, Vec<BlockId>) {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(2, &[1.0, 2.0, 3.0, 4.0]).unwrap();
    problem.add_residual(&[blocks[0]], |x| x[0][0] - x[0][1].square()).unwrap();
    problem.add_residual(&[blocks[0], blocks[1]], |x| (x.vector::<2>(0) - x.vector::<2>(1)).norm() - 1.0).unwrap();
    problem.add_residual(&[blocks[1]], |x| x[0][0] - x[0][1].square()).unwrap();
    (problem, blocks)
}
