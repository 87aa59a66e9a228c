//! Matrices for the tests of every solver.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{BlockMatrix, BlockStructure, LinearSolver, Stopping, Storage};

/// A matrix with the values `value(row block, column block, row, column)`, the last two inside the block.
pub fn matrix(sizes: &[usize], pairs: &[(u32, u32)], value: impl Fn(usize, usize, usize, usize) -> f64) -> BlockMatrix {
    let structure = BlockStructure::from_pairs(sizes, pairs.iter().copied()).unwrap();
    let mut matrix = BlockMatrix::zeros(structure.into());
    let structure = matrix.structure().clone();
    for j in 0..structure.blocks() {
        for k in structure.column(j) {
            let i = structure.row_idx()[k] as usize;
            let rows = structure.size(i);
            for (at, v) in matrix.block_mut(i, j).unwrap().iter_mut().enumerate() {
                *v = value(i, j, at % rows, at / rows);
            }
        }
    }
    matrix
}

/// A positive definite matrix on a square grid of 3×3 blocks.
pub fn grid(side: u32) -> BlockMatrix {
    let mut pairs = Vec::new();
    for y in 0..side {
        for x in 0..side {
            let here = y * side + x;
            let right = (x + 1 < side).then_some((here, here + 1));
            let down = (y + 1 < side).then_some((here, here + side));
            pairs.extend(right.into_iter().chain(down));
        }
    }
    let sizes = vec![3; (side * side) as usize];
    matrix(&sizes, &pairs, |i, j, r, c| match (i == j, r == c) {
        (true, true) => 5.0 + (i % 7) as f64,
        (true, false) => 0.25,
        (false, true) => -1.0,
        (false, false) => 0.1 * (r as f64 - c as f64),
    })
}

/// Block sizes and couplings of a bundle adjustment: cameras of 9 first, then points of 3, each seen by `views` cameras in a
/// row, round a ring.
pub fn bundle_pairs(cameras: usize, points: usize, views: usize) -> (Vec<usize>, Vec<(u32, u32)>) {
    let sizes = std::iter::repeat_n(9, cameras).chain(std::iter::repeat_n(3, points)).collect();
    let seen =
        (0..points).flat_map(|p| (0..views).map(move |v| (((p * 11 + v) % cameras) as u32, (cameras + p) as u32)));
    (sizes, seen.collect())
}

/// A diagonally dominant matrix with blocks of mixed sizes, a damping and a right-hand side.
fn systems() -> impl Strategy<Value = (BlockMatrix, Vec<f64>, Vec<f64>)> {
    let sizes = proptest::collection::vec(1usize..=7, 1..12);
    let pairs = proptest::collection::vec((any::<u32>(), any::<u32>()), 0..40);
    (sizes, pairs, any::<u32>()).prop_map(|(sizes, pairs, seed)| {
        let blocks = sizes.len() as u32;
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| (a % blocks, b % blocks)).collect();
        let noise = |a: usize, b: usize| {
            let mixed = (a as u32).wrapping_mul(2_654_435_761) ^ (b as u32).wrapping_mul(40_503);
            let mixed = (mixed ^ seed).wrapping_mul(2_246_822_519);
            f64::from(mixed >> 8) / f64::from(1 << 24) - 0.5
        };
        let a = matrix(&sizes, &pairs, |i, j, r, c| match (i == j, r == c) {
            (true, true) => 45.0 + noise(i, r),
            (true, false) => noise(10 * i + r.max(c), r.min(c)),
            _ => noise(10 * i + r, 10 * j + c),
        });
        let n = a.structure().scalars();
        let damping = (0..n).map(|i| noise(i, 7) + 0.5).collect();
        let rhs = (0..n).map(|i| noise(i, 8)).collect();
        (a, damping, rhs)
    })
}

/// Compares a solver with nalgebra's dense LU on random systems, and on the smallest ones.
pub fn check_against_dense(solver: impl Fn() -> Box<dyn LinearSolver>) {
    let stop = Stopping { relative_tolerance: 1e-13, max_iterations: 1000 };
    let check = |(a, damping, rhs): (BlockMatrix, Vec<f64>, Vec<f64>)| {
        let mut solver = solver();
        solver.analyze(a.structure()).unwrap();
        let mut x = vec![f64::NAN; rhs.len()];
        // Twice, for the second one reuses the memory of the first.
        for _ in 0..2 {
            solver.solve(&a, &damping, &rhs, &mut x, &stop).unwrap();
        }
        if rhs.is_empty() {
            return;
        }
        let damped = a.to_dense() + DMatrix::from_diagonal(&DVector::from_vec(damping.clone()));
        let expected = damped.lu().solve(&DVector::from_vec(rhs.clone())).unwrap();
        let error = (DVector::from_vec(x.clone()) - &expected).norm();
        assert!(error <= 1e-10 * expected.norm(), "error {error}");
        let mut product = vec![0.0; rhs.len()];
        a.multiply(&damping, &x, &mut product);
        let residual = DVector::from_vec(product) - DVector::from_vec(rhs);
        assert!(residual.amax() < 1e-10);
    };
    let config = Config { cases: 64, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let tested = runner.run(&systems(), |system| {
        check(system);
        Ok(())
    });
    tested.unwrap();
    check((matrix(&[1], &[], |_, _, _, _| 4.0), vec![0.0], vec![1.0]));
    check((matrix(&[], &[], |_, _, _, _| 0.0), vec![], vec![]));
    let a = grid(12);
    let n = a.structure().scalars();
    let rhs: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
    check((a, vec![0.1; n], rhs.clone()));
    // Blocks that are stored as multiples of the identity are what they are in full.
    let a = grid_of_multiples(12);
    let full = a.scaled(&vec![1.0; n]).unwrap();
    assert_eq!((a.values.len() < full.values.len(), a.to_dense()), (true, full.to_dense()));
    check((a.clone(), vec![0.1; n], rhs.clone()));
    let [one, other] = [a, full].map(|a| {
        let (mut solver, mut x) = (solver(), vec![f64::NAN; n]);
        solver.analyze(a.structure()).unwrap();
        solver.solve(&a, &vec![0.1; n], &rhs, &mut x, &stop).unwrap();
        x
    });
    assert_eq!(one, other);
}

/// The grid with some of its blocks replaced by multiples of the identity, and stored as such.
fn grid_of_multiples(side: u32) -> BlockMatrix {
    let full = grid(side);
    let pattern = full.structure();
    let (col_ptr, row_idx) = (pattern.col_ptr().to_vec(), pattern.row_idx().to_vec());
    let is_diagonal = |position: usize| pattern.col_ptr().binary_search(&(position as u32)).is_ok();
    let storage = |position: usize| match position % 3 {
        _ if is_diagonal(position) => Storage::Full,
        0 => Storage::Ahead,
        1 => Storage::Full,
        _ => Storage::Multiple,
    };
    let multiples = (0..row_idx.len()).filter(|&position| storage(position) == Storage::Multiple).count() as u32;
    let multiples: Vec<u32> = (0..multiples).collect();
    let sizes = vec![3; pattern.blocks()];
    let structure = BlockStructure::from_columns(&sizes, col_ptr, row_idx, storage, &multiples).unwrap();
    let mut matrix = BlockMatrix::zeros(structure.into());
    for j in 0..pattern.blocks() {
        for k in pattern.column(j) {
            let i = pattern.row_idx()[k] as usize;
            let place = pattern.place(k) as usize;
            let block = matrix.block_mut(i, j).unwrap();
            block.copy_from_slice(&full.values[place..place + block.len()]);
        }
    }
    matrix
}

/// The bits of a solution that was computed with the given number of threads.
pub fn bits_with_threads(threads: usize, a: &BlockMatrix, solver: impl Fn() -> Box<dyn LinearSolver>) -> Vec<u64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let mut solver = solver();
    let n = a.structure().scalars();
    let mut x = vec![0.0; n];
    let rhs: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
    pool.install(|| {
        solver.analyze(a.structure()).unwrap();
        let stop = Stopping { relative_tolerance: 1e-6, max_iterations: 40 };
        solver.solve(a, &vec![0.01; n], &rhs, &mut x, &stop).unwrap();
    });
    x.iter().map(|v| v.to_bits()).collect()
}
