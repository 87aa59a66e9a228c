//! Normal equations against JᵀJ and Jᵀr written out, and the damping against its formulas.

use super::trust_region::TrustRegion;
use super::*;
use crate::problem::{BlockId, CompiledProblem, Evaluation};
use nalgebra::{DMatrix, DVector};

/// Blocks of several sizes, residuals of several shapes: with constant, linear and quadratic terms in the stored numbers.
fn problem() -> (Problem, Vec<BlockId>) {
    let mut problem = Problem::new();
    let mut blocks = Vec::new();
    for (k, size) in [2, 3, 1, 3, 2, 1, 3].into_iter().enumerate() {
        let start: Vec<f64> = (0..size).map(|c| 0.3 * (k as f64 + 1.0) - 0.7 * c as f64).collect();
        blocks.push(problem.add_parameter_block(&start).unwrap());
    }
    let b = blocks.clone();
    for (p, q) in [(1, 3), (3, 6), (6, 1)] {
        problem.add_residual(&[b[p], b[q]], |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - 1.0).unwrap();
        problem
            .add_residual(&[b[q], b[p]], |x| x.vector::<3>(0) * crate::Value::constant(0.5) - x.vector::<3>(1))
            .unwrap();
    }
    for (p, q) in [(0, 2), (4, 5), (4, 2)] {
        problem.add_residual(&[b[p], b[q]], |x| [x[0][0] * x[1][0], x[0][1].sin() + 2.0 * x[1][0]]).unwrap();
    }
    problem.add_residual(&[b[5], b[0], b[3]], |x| x[0][0] * x[1][1] * x[2][2] - 1.0).unwrap();
    (problem, blocks)
}

fn evaluated(problem: &Problem) -> (CompiledProblem, Evaluation) {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
    (compiled, evaluation)
}

/// The parameter behind each scalar of the reduced system, which numbers the blocks as it likes.
fn reduced_parameters(equations: &NormalEquations) -> Vec<usize> {
    let mut parameters = vec![usize::MAX; equations.scalars()];
    for (reduced, start, _) in equations.blocks() {
        for (k, scalar) in reduced.enumerate() {
            parameters[scalar] = start + k;
        }
    }
    parameters
}

/// Compares with the dense product over the columns that are free; a held component is a row of the identity.
pub(super) fn compare(problem: &Problem, held: &[usize]) {
    let (compiled, evaluation) = evaluated(problem);
    let mut jacobian = DMatrix::zeros(compiled.residuals(), compiled.parameters());
    compiled.for_each_entry(&evaluation, |row, parameter, derivative| jacobian[(row, parameter)] += derivative);
    let residuals = DVector::from_column_slice(&evaluation.residuals);
    let mut equations = NormalEquations::new(&compiled, problem.parameters()).unwrap();
    let behind = reduced_parameters(&equations);

    let parameters = problem.parameters();
    let in_free_block = |parameter: &usize| {
        let block = parameters.offsets().partition_point(|&start| start as usize <= *parameter) - 1;
        !parameters.is_fixed(block)
    };
    let mut sorted = behind.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..compiled.parameters()).filter(in_free_block).collect::<Vec<_>>());
    assert_eq!(equations.free_scalars(), behind.len() - held.len());

    let column = |parameter: &usize| {
        if held.contains(parameter) {
            DVector::zeros(compiled.residuals())
        } else {
            jacobian.column(*parameter).into_owned()
        }
    };
    let reduced = DMatrix::from_columns(&behind.iter().map(column).collect::<Vec<_>>());
    let mut expected = reduced.transpose() * &reduced;
    for (k, _) in behind.iter().enumerate().filter(|(_, parameter)| held.contains(parameter)) {
        expected[(k, k)] = 1.0;
    }
    let gradient = reduced.transpose() * residuals;
    // Filled twice: what is left from the first time must not show.
    for _ in 0..2 {
        equations.refill(&compiled, &evaluation);
        let found = equations.matrix.to_dense();
        let tolerance = |expected: f64| 1e-13 * expected.max(1.0);
        assert!((&found - &expected).amax() < tolerance(expected.amax()), "{found} for {expected}");
        for (f, e) in equations.gradient.iter().zip(gradient.iter()) {
            assert!((f - e).abs() < tolerance(gradient.amax()), "{f} for {e}");
        }
    }
}

#[test]
fn normal_equations_are_the_products() {
    compare(&problem().0, &[]);
}

#[test]
fn fixed_blocks_are_left_out_and_fixed_components_held() {
    let (mut problem, blocks) = problem();
    problem.fix(blocks[3]).unwrap();
    problem.fix(blocks[5]).unwrap();
    compare(&problem, &[]);
    problem.fix_component(blocks[1], 1).unwrap();
    problem.fix_component(blocks[4], 0).unwrap();
    problem.fix_component(blocks[6], 0).unwrap();
    problem.fix_component(blocks[6], 2).unwrap();
    // Blocks 1, 4 and 6 start at 2, 9 and 12.
    compare(&problem, &[3, 9, 12, 14]);
}

#[test]
fn steps_go_to_the_free_parameters() {
    let (mut problem, blocks) = problem();
    problem.fix(blocks[0]).unwrap();
    problem.fix(blocks[3]).unwrap();
    let (compiled, _) = evaluated(&problem);
    let equations = NormalEquations::new(&compiled, problem.parameters()).unwrap();
    let x = problem.parameters().values();
    let step: Vec<f64> = (0..equations.scalars()).map(|k| 1.0 + k as f64).collect();
    let (mut full, mut moved) = (vec![9.0; x.len()], vec![9.0; x.len()]);
    equations.scatter(&step, &mut full);
    compiled.steps().take(x, &full, &mut moved);
    let behind = reduced_parameters(&equations);
    for (parameter, &number) in full.iter().enumerate() {
        let expected = behind.iter().position(|&p| p == parameter).map_or(0.0, |k| step[k]);
        assert_eq!(number, expected, "parameter {parameter}");
        assert_eq!(number == 0.0, [0, 1, 6, 7, 8].contains(&parameter));
    }
    assert!(x.iter().zip(&full).zip(&moved).all(|((x, d), m)| x + d == *m));
    let squares: f64 = behind.iter().map(|&p| x[p] * x[p]).sum();
    assert!((equations.length(x) - squares.sqrt()).abs() < 1e-14);
}

/// Distances, whose squares are summed as triangles, on blocks that begin with nothing, with multiples of the identity, with other
/// constants, and with what another group's distances left there.
#[test]
fn squares_are_added_to_whatever_is_constant() {
    for size in [2, 3] {
        for constant in 0..4 {
            let mut problem = Problem::new();
            let number = |k: usize| (k * 7919 % 1009) as f64 / 1009.0 - 0.5;
            let start = |block: usize| (0..size).map(|c| number(block * 10 + c)).collect::<Vec<_>>();
            let blocks: Vec<BlockId> =
                (0..20).map(|block| problem.add_parameter_block(&start(block)).unwrap()).collect();
            let distance = |x: &crate::Blocks<'_>| -> crate::Value {
                (0..size).map(|c| (x[0][c] - x[1][c]).powi(2)).sum::<crate::Value>().sqrt()
            };
            for k in 0..20 {
                let pair = [blocks[k], blocks[(k + 7) % 20]];
                problem.add_residual(&pair, |x| 3.0 * distance(&x) - 1.0).unwrap();
                match constant {
                    0 => {}
                    1 => problem
                        .add_residual(&pair, |x| (0..size).map(|c| x[0][c] + 2.0 * x[1][c]).collect::<Vec<_>>())
                        .map(|_| ())
                        .unwrap(),
                    2 => problem.add_residual(&pair, |x| x[0][0] - 0.5 * x[0][1] + x[1][1]).map(|_| ()).unwrap(),
                    // Rows of distances among other numbers.
                    _ => problem
                        .add_residual(&pair, |x| [distance(&x) + 0.1, x[0][0].sin() * x[1][1]])
                        .map(|_| ())
                        .unwrap(),
                }
            }
            compare(&problem, &[]);
        }
    }
}

/// More blocks than one task owns, coupled near and far, of the sizes that have code of their own and others.
#[test]
fn large_normal_equations_are_the_products() {
    let sizes = [1, 3, 6, 9, 2, 3];
    let count = 2600;
    let mut problem = Problem::new();
    let number = |k: usize| ((k * 7919 % 1009) as f64 / 1009.0 - 0.5) * 1.7;
    let start = |block: usize| (0..sizes[block % 6]).map(|c| number(block * 10 + c)).collect::<Vec<_>>();
    let blocks: Vec<BlockId> = (0..count).map(|block| problem.add_parameter_block(&start(block)).unwrap()).collect();
    for k in 0..count {
        for other in [(k + 1) % count, (k * 31 + 1300) % count] {
            if other != k {
                let residual = |x: crate::Blocks<'_>| {
                    let last = |block: usize| x[block][x[block].len() - 1];
                    [x[0][0] * last(1) - last(0), x[1][0].sin() + last(0) * 0.5]
                };
                problem.add_residual(&[blocks[k], blocks[other]], residual).unwrap();
            }
        }
    }
    for k in (0..count).step_by(97) {
        problem.fix(blocks[k]).unwrap();
    }
    let (compiled, evaluation) = evaluated(&problem);
    let mut equations = NormalEquations::new(&compiled, problem.parameters()).unwrap();
    let behind = reduced_parameters(&equations);
    let mut scalars = vec![None; compiled.parameters()];
    behind.iter().enumerate().for_each(|(scalar, &parameter)| scalars[parameter] = Some(scalar));

    let v: Vec<f64> = (0..equations.scalars()).map(|k| number(k + 3)).collect();
    let (mut gradient, mut product) = (vec![0.0; v.len()], vec![0.0; v.len()]);
    let mut moved = vec![0.0; compiled.residuals()];
    compiled.for_each_entry(&evaluation, |row, parameter, d| {
        if let Some(scalar) = scalars[parameter] {
            gradient[scalar] += d * evaluation.residuals[row];
            moved[row] += d * v[scalar];
        }
    });
    compiled.for_each_entry(&evaluation, |row, parameter, d| {
        if let Some(scalar) = scalars[parameter] {
            product[scalar] += d * moved[row];
        }
    });
    let close =
        |found: &[f64], expected: &[f64]| found.iter().zip(expected).all(|(f, e): (&f64, &f64)| (f - e).abs() < 1e-12);
    let on = |threads: usize, equations: &mut NormalEquations| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| equations.refill(&compiled, &evaluation));
        let bits = |numbers: &[f64]| numbers.iter().map(|n| n.to_bits()).collect::<Vec<_>>();
        (bits(&equations.matrix.values), bits(&equations.gradient))
    };
    let one = on(1, &mut equations);
    let mut found = vec![0.0; v.len()];
    equations.matrix.multiply(&vec![0.0; v.len()], &v, &mut found);
    assert!(close(&found, &product) && close(&equations.gradient, &gradient));
    assert!(one == on(2, &mut equations) && one == on(5, &mut equations), "the number of threads shows");
}

/// Nielsen's radius: r / max(1/3, 1 − (2ρ − 1)³) after a success, r/2, r/8, r/64 … after failures.
#[test]
fn the_radius_follows_nielsen() {
    let options =
        SolverOptions { initial_trust_region_radius: 100.0, max_trust_region_radius: 1000.0, ..Default::default() };
    let mut region = TrustRegion::new(&options, &[1.0]);
    assert_eq!(region.radius(), 100.0);
    region.accept(0.5);
    assert_eq!(region.radius(), 100.0);
    region.accept(1.0);
    assert!((region.radius() - 300.0).abs() < 1e-12);
    region.accept(5.0);
    assert!((region.radius() - 900.0).abs() < 1e-12, "at most three times");
    region.accept(1.0);
    assert_eq!(region.radius(), 1000.0, "and never past the limit");
    region.accept(0.0);
    assert_eq!(region.radius(), 500.0);
    for expected in [250.0, 62.5, 7.8125] {
        region.reject();
        assert_eq!(region.radius(), expected);
    }
    region.accept(0.5);
    region.reject();
    assert_eq!(region.radius(), 7.8125 / 2.0, "a success starts the count anew");
}

#[test]
fn the_damping_is_the_clipped_diagonal_over_the_radius() {
    let options = SolverOptions {
        initial_trust_region_radius: 10.0,
        min_diagonal: 0.5,
        max_diagonal: 4.0,
        jacobi_scaling: false,
        ..Default::default()
    };
    let mut damping = Vec::new();
    TrustRegion::new(&options, &[1.0; 4]).damping(&[0.0, 0.5, 2.0, 9.0], &mut damping);
    assert_eq!(damping, [0.05, 0.05, 0.2, 0.4]);

    // Scaled columns have s = 1/(1 + √d): D = clip(d s²)/(r s²).
    let scaled = SolverOptions { jacobi_scaling: true, ..options };
    TrustRegion::new(&scaled, &[0.0, 9.0, 1e6, 9.0]).damping(&[0.0, 9.0, 1e6, 1e-3], &mut damping);
    let s = |d: f64| 1.0 / (1.0 + d.sqrt());
    let expected = [
        0.5 / 10.0,
        (9.0 * s(9.0) * s(9.0)).max(0.5) / (10.0 * s(9.0) * s(9.0)),
        1e6 / 10.0,
        0.5 / (10.0 * s(9.0) * s(9.0)),
    ];
    for (found, expected) in damping.iter().zip(expected) {
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} for {expected}");
    }
}

#[test]
fn terminations_say_whether_they_are_convergence() {
    use Termination::*;
    let all = [
        (FunctionTolerance, true),
        (GradientTolerance, true),
        (ParameterTolerance, true),
        (PrecisionLimit, true),
        (MaxIterations, false),
        (TimeLimit, false),
        (Cancelled, false),
        (TrustRegionCollapsed, false),
        (InvalidSteps, false),
    ];
    for (termination, converged) in all {
        assert_eq!(termination.is_converged(), converged, "{termination:?}");
        assert!(!termination.describe().is_empty());
    }
}
