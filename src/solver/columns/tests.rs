//! JᵀJ and Jᵀr against the dense product, for every way in which instances can share a column.

use super::Weights;
use crate::problem::{BlockId, Problem};
use crate::solver::tests::compare;
use crate::{Blocks, Value};

/// Numbers that look random, from 0 up to a limit.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Blocks of these sizes, anywhere.
fn with_blocks(sizes: &[usize]) -> (Problem, Vec<BlockId>) {
    let mut numbers = Numbers(sizes.len() as u64);
    let mut problem = Problem::new();
    let mut block = |&size: &usize| {
        let start: Vec<f64> = (0..size).map(|_| numbers.below(1000) as f64 / 500.0 - 1.0).collect();
        problem.add_parameter_block(&start).unwrap()
    };
    let blocks = sizes.iter().map(&mut block).collect();
    (problem, blocks)
}

/// The length of x₀ − `factor` x₁, as far as both have components: one residual, whose rows differ by a factor.
fn distance(x: &Blocks<'_>, factor: f64) -> Value {
    let square = |c: usize| (x[0][c] - factor * x[1][c]).powi(2);
    (0..x[0].len().min(x[1].len())).map(square).sum::<Value>().sqrt() + 0.1
}

/// Two residuals, one of them with constant rows.
fn mixed(x: &Blocks<'_>) -> [Value; 2] {
    let last = |block: usize| x[block][x[block].len() - 1];
    [x[0][0] * last(1) + last(0).sin(), 2.0 * x[0][0] - 3.0 * last(1)]
}

#[test]
fn blocks_of_all_sizes() {
    for height in 1..=9 {
        for width in 1..=9 {
            let (mut problem, blocks) = with_blocks(&[height, width, width, height]);
            for (p, q) in [(0, 1), (2, 1), (3, 2), (0, 3), (1, 3)] {
                problem.add_residual(&[blocks[p], blocks[q]], |x| mixed(&x)).unwrap();
            }
            compare(&problem, &[]);
        }
    }
}

/// Columns that all lie in a row and columns that do not; blocks of one source and of several; rows that differ by −1 and by
/// other factors; on constants of every kind.
#[test]
fn rows_that_differ_by_a_factor() {
    for size in 1..=4 {
        for factor in [1.0, -2.0] {
            for case in 0..6 {
                let count = 12;
                let (mut problem, blocks) = with_blocks(&vec![size; count]);
                // Case 1 leaves columns out, cases 2 and 3 come twice to a block.
                let last = if case == 1 { count - 3 } else { count };
                for k in 0..last {
                    let pair = [blocks[k], blocks[(k + 5) % last]];
                    problem.add_residual(&pair, |x| distance(&x, factor)).unwrap();
                    if case == 2 {
                        problem.add_residual(&[pair[1], pair[0]], |x| distance(&x, factor)).unwrap();
                    }
                    if case == 3 {
                        problem.add_residual(&pair, |x| distance(&x, factor)).unwrap();
                    }
                }
                for k in 0..count {
                    let triple = [blocks[k], blocks[(k + 5) % count], blocks[(k + 1) % count]];
                    let mean = |x: &Blocks<'_>, c: usize| x[0][c] - 0.5 * (x[1][c] + x[2][c]);
                    match case {
                        0 => problem.add_residual(&triple[..1], |x| x[0][0] - 0.3).map(|_| ()).unwrap(),
                        4 => {
                            problem.add_residual(&triple[..2], |x| x[0][0] - 0.5 * x[1][size - 1]).map(|_| ()).unwrap()
                        }
                        _ => problem
                            .add_residual(&triple, |x| (0..size).map(|c| mean(&x, c)).collect::<Vec<_>>())
                            .map(|_| ())
                            .unwrap(),
                    }
                }
                compare(&problem, &[]);
            }
        }
    }
}

/// Groups of one to four blocks on blocks of many sizes, with blocks and components fixed, and a block that everything reads.
#[test]
fn groups_that_meet_anyhow() {
    for seed in 0..40 {
        let mut numbers = Numbers(seed);
        let sizes: Vec<usize> = (0..14).map(|_| [1, 2, 3, 3, 3, 4, 5, 6, 9][numbers.below(9)]).collect();
        let (mut problem, blocks) = with_blocks(&sizes);
        for _ in 0..60 {
            let mut chosen: Vec<BlockId> = Vec::new();
            while chosen.len() < 4 {
                let block = blocks[if numbers.below(3) == 0 { 0 } else { numbers.below(blocks.len()) }];
                if !chosen.contains(&block) {
                    chosen.push(block);
                }
            }
            match numbers.below(6) {
                0 => problem.add_residual(&chosen[..2], |x| distance(&x, 1.0)).map(|_| ()).unwrap(),
                1 => problem.add_residual(&chosen[..2], |x| distance(&x, 0.25)).map(|_| ()).unwrap(),
                2 => problem.add_residual(&chosen[..2], |x| mixed(&x)).map(|_| ()).unwrap(),
                3 => problem
                    .add_residual(&chosen[..1], |x| x[0].iter().map(|x| *x * 0.7).collect::<Vec<_>>())
                    .map(|_| ())
                    .unwrap(),
                4 => problem
                    .add_residual(&chosen[..3], |x| [x[0][0] * x[1][0] - x[2][0], x[1][0].cos() - 2.0 * x[0][0]])
                    .map(|_| ())
                    .unwrap(),
                _ => problem.add_residual(&chosen, |x| x[0][0] * x[1][0] + x[2][0] * x[3][0]).map(|_| ()).unwrap(),
            }
        }
        compare(&problem, &[]);
        problem.fix(blocks[3]).unwrap();
        problem.fix(blocks[7]).unwrap();
        compare(&problem, &[]);
        let mut held = Vec::new();
        for block in [0, 5, 6] {
            problem.fix_component(blocks[block], sizes[block] - 1).unwrap();
            // A block of one component is fixed then.
            if sizes[block] > 1 {
                held.push(sizes[..=block].iter().sum::<usize>() - 1);
            }
        }
        compare(&problem, &held);
    }
}

/// Constant rows of more different weights than have a place each: the rest is added up as any rows are.
#[test]
fn more_weights_than_there_is_room_for() {
    let (mut problem, blocks) = with_blocks(&[2; 70]);
    for count in 1..70 {
        let weight = 1.0 / count as f64;
        let mean = |x: &Blocks<'_>, c: usize| (1..=count).fold(x[0][c], |sum, k| sum - weight * x[k][c]);
        problem.add_residual(&blocks[..=count], |x| [mean(&x, 0), mean(&x, 1)]).unwrap();
    }
    compare(&problem, &[]);

    let compiled = problem.compile().unwrap();
    let (group, mut weights) = (&compiled.groups[0], Weights::default());
    let found: Vec<Option<u32>> = (1..=66).map(|k| weights.find(group, f64::from(k))).collect();
    assert_eq!((found[0], found[63], found[64], found[65]), (Some(0), Some(63), None, None));
    assert_eq!(weights.find(group, 7.0), Some(6));
}
