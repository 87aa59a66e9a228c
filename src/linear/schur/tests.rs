//! Every solver by Schur complement on the same problems.

use super::super::test_problems::{bits_with_threads, bundle_pairs, check_against_dense, grid, matrix};
use super::super::{
    BlockMatrix, DenseCholesky, DenseSchur, ImplicitSchur, LinearError, LinearSolver, SchurPreconditioner, SparseSchur,
    Stopping,
};
use super::choose_schur;

const EXACT: Stopping = Stopping { relative_tolerance: 1e-13, max_iterations: 1000 };

fn solvers() -> [Box<dyn LinearSolver>; 4] {
    [
        Box::new(DenseSchur::default()),
        Box::new(SparseSchur::default()),
        Box::new(ImplicitSchur::new(SchurPreconditioner::BlockJacobi)),
        Box::new(ImplicitSchur::new(SchurPreconditioner::SchurJacobi)),
    ]
}

/// JᵀJ of a bundle adjustment whose residuals have pseudo-random derivatives, with the points before or after the cameras.
fn bundle(cameras: usize, points: usize, views: usize, points_first: bool) -> BlockMatrix {
    let (mut sizes, mut pairs) = bundle_pairs(cameras, points, views);
    if points_first {
        let last = sizes.len() as u32 - 1;
        sizes.reverse();
        pairs.iter_mut().for_each(|(a, b)| (*a, *b) = (last - *a, last - *b));
    }
    let noise = |k: u32| {
        let mixed = (k + 1).wrapping_mul(2_654_435_761).rotate_left(13).wrapping_mul(2_246_822_519);
        f64::from((mixed ^ mixed >> 15).wrapping_mul(3_266_489_917) >> 8) / f64::from(1 << 24) - 0.5
    };
    let mut a = matrix(&sizes, &pairs, |_, _, _, _| 0.0);
    for (observation, &(p, q)) in pairs.iter().enumerate() {
        let (row, column) = (p.max(q) as usize, p.min(q) as usize);
        for residual in 0..2u32 {
            let derivative = |block: usize, k: usize| {
                noise(observation as u32 * 64 + residual * 32 + k as u32 + if block == row { 0 } else { 16 })
            };
            for (i, j) in [(row, row), (row, column), (column, column)] {
                let height = sizes[i];
                let block = a.block_mut(i, j).unwrap();
                for (at, number) in block.iter_mut().enumerate() {
                    *number += derivative(i, at % height) * derivative(j, at / height);
                }
            }
        }
    }
    a
}

fn solve(solver: &mut dyn LinearSolver, a: &BlockMatrix, damping: f64) -> Result<Vec<f64>, LinearError> {
    let n = a.structure().scalars();
    let mut x = vec![f64::NAN; n];
    solver.analyze(a.structure())?;
    let rhs: Vec<f64> = (0..n).map(|i| (i as f64).sin()).collect();
    solver.solve(a, &vec![damping; n], &rhs, &mut x, &EXACT)?;
    Ok(x)
}

#[test]
fn they_solve_the_test_problems() {
    check_against_dense(|| Box::new(DenseSchur::default()));
    check_against_dense(|| Box::new(SparseSchur::default()));
    check_against_dense(|| Box::new(ImplicitSchur::new(SchurPreconditioner::BlockJacobi)));
    check_against_dense(|| Box::new(ImplicitSchur::new(SchurPreconditioner::SchurJacobi)));
}

#[test]
fn bundle_adjustments_agree_with_dense_cholesky() {
    for points_first in [false, true] {
        let a = bundle(7, 90, 4, points_first);
        let expected = solve(&mut DenseCholesky::default(), &a, 0.3).unwrap();
        let norm = expected.iter().map(|x| x * x).sum::<f64>().sqrt();
        for mut solver in solvers() {
            let x = solve(&mut *solver, &a, 0.3).unwrap();
            let error = x.iter().zip(&expected).map(|(x, e)| (x - e).powi(2)).sum::<f64>().sqrt();
            assert!(error <= 1e-10 * norm, "{}: {error}", solver.name());
            assert_eq!(solver.detail(), "90 blocks of 3 eliminated, 63 unknowns left");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_matter() {
    // Enough work for several chunks.
    let a = bundle(30, 4000, 9, true);
    for which in 0..4 {
        let with = |threads| bits_with_threads(threads, &a, || solvers().into_iter().nth(which).unwrap());
        let one = with(1);
        assert_eq!(one, with(2));
        assert_eq!(one, with(5));
    }
}

#[test]
fn nothing_left_nothing_eliminated_and_blocks_without_unknowns() {
    let value = |i: usize, j: usize, r: usize, c: usize| if i == j && r == c { 4.0 } else { 0.25 };
    let apart = matrix(&[3, 2, 9, 1], &[], value);
    let hollow = matrix(&[0, 3, 0, 2, 3], &[(0, 1), (1, 3), (2, 3), (3, 4), (0, 2)], value);
    let only_hollow = matrix(&[0, 0], &[(0, 1)], value);
    for a in [apart, hollow, only_hollow, matrix(&[4], &[], value)] {
        for mut solver in solvers() {
            let x = solve(&mut *solver, &a, 0.5).unwrap();
            let (mut y, n) = (vec![0.0; x.len()], x.len());
            a.multiply(&vec![0.5; n], &x, &mut y);
            assert!((0..n).all(|i| (y[i] - (i as f64).sin()).abs() < 1e-12), "{}", solver.name());
        }
    }
}

#[test]
fn what_is_not_positive_definite_is_named_and_solved_once_damped() {
    // Two views of 4 residuals cannot fix a point and a camera: C has full rank, S has not.
    let deficient = bundle(3, 8, 2, false);
    // The last unknown of point 1 has no derivative.
    let mut flat = bundle(3, 40, 3, false);
    let block = flat.block_mut(4, 4).unwrap();
    (0..9).filter(|k| k % 3 == 2 || k / 3 == 2).for_each(|k| block[k] = 0.0);
    let index = flat.structure().range(4).start + 2;
    for mut solver in solvers().into_iter().take(2) {
        let error = solve(&mut *solver, &flat, 0.0).unwrap_err();
        assert_eq!(error, LinearError::NotPositiveDefinite { index }, "{}", solver.name());
        let error = solve(&mut *solver, &deficient, -1e-9).unwrap_err();
        assert!(matches!(error, LinearError::NotPositiveDefinite { index } if index < 27), "{error}");
    }
    for mut solver in solvers() {
        assert!(solve(&mut *solver, &flat, 0.0).is_err(), "{}", solver.name());
        assert!(solve(&mut *solver, &deficient, 1.0).is_ok(), "{}", solver.name());
    }
}

#[test]
fn bad_input_is_an_error() {
    let mut a = bundle(3, 20, 3, false);
    let n = a.structure().scalars();
    let (zeros, mut x) = (vec![0.0; n], vec![0.0; n]);
    for mut solver in solvers() {
        let error = solver.solve(&a, &zeros, &zeros, &mut x, &EXACT).unwrap_err();
        assert_eq!(error, LinearError::NotAnalyzed);
        solver.analyze(a.structure()).unwrap();
        let error = solver.solve(&a, &zeros[1..], &zeros, &mut x, &EXACT).unwrap_err();
        assert!(matches!(error, LinearError::DimensionMismatch { .. }));
    }
    // In E, where no pivot is.
    a.block_mut(3, 0).unwrap()[4] = f64::NAN;
    for mut solver in solvers() {
        let error = solve(&mut *solver, &a, 1.0).unwrap_err();
        assert_eq!(error, LinearError::NonFinite { what: "the matrix" }, "{}", solver.name());
    }
}

#[test]
fn the_choice_follows_the_structure() {
    let choose = |a: &BlockMatrix, limit: usize| {
        let solver = choose_schur(a.structure(), SchurPreconditioner::SchurJacobi, limit).unwrap();
        solver.map(|(solver, _)| solver.name())
    };
    let zeros = |(sizes, pairs): (Vec<usize>, Vec<(u32, u32)>)| matrix(&sizes, &pairs, |_, _, _, _| 0.0);
    assert_eq!(choose(&grid(20), usize::MAX), None);
    assert_eq!(choose(&zeros(bundle_pairs(20, 2000, 6)), usize::MAX), Some("dense Schur complement"));
    // Far more cameras than any point sees, on a ring: S is banded.
    let long = zeros(bundle_pairs(300, 30_000, 4));
    assert_eq!(choose(&long, usize::MAX), Some("sparse Schur complement"));
    assert_eq!(choose(&long, 100_000), Some("conjugate gradients on the Schur complement, Schur-Jacobi"));
    // Points that see any two cameras: S is full.
    let (cameras, mut pairs) = (60, Vec::new());
    let twos = (0..cameras).flat_map(|i| (0..i).map(move |j| [i, j]));
    for (point, two) in twos.enumerate() {
        pairs.extend(two.map(|camera| (camera, cameras + point as u32)));
    }
    let sizes: Vec<usize> = std::iter::repeat_n(9, 60).chain(std::iter::repeat_n(3, 60 * 59 / 2)).collect();
    assert_eq!(choose(&zeros((sizes, pairs)), usize::MAX), Some("dense Schur complement"));
}
