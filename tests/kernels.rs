//! Compiled kernels compute what eager evaluation computes, at any point, for any number of instances, on any number of threads.

mod expressions;

use expressions::{Recipe, Shape, apply, close, operations, recipe};
use isograd::problem::{CompiledProblem, Evaluation};
use isograd::value::op::Op;
use isograd::{BlockId, CompiledResiduals, Problem, SolverOptions, Value};
use proptest::prelude::*;

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Between −2 and 2, and not too near 0.
    fn signed(&mut self) -> f64 {
        let number = 4.0 * self.next() - 2.0;
        number + 0.1_f64.copysign(number)
    }

    fn below(&mut self, size: usize) -> usize {
        (self.next() * size as f64) as usize
    }
}

/// Many instances of a recipe; blocks are shared between instances.
struct Batch {
    problem: Problem,
    blocks: Vec<Vec<BlockId>>,
    data: Vec<Vec<f64>>,
}

impl Batch {
    fn new(recipe: &Recipe, instances: usize, numbers: &mut Numbers) -> Batch {
        let mut problem = Problem::new();
        let pools: Vec<Vec<BlockId>> = recipe
            .block_sizes
            .iter()
            .map(|&size| {
                let count = 1 + numbers.below(instances.min(40));
                let start: Vec<f64> = (0..count * size).map(|_| numbers.signed()).collect();
                problem.add_parameter_blocks(size, &start).unwrap()
            })
            .collect();
        let blocks: Vec<Vec<BlockId>> =
            (0..instances).map(|_| pools.iter().map(|pool| pool[numbers.below(pool.len())]).collect()).collect();
        // Some columns are the same number in all rows, and become literals.
        let shared: Vec<Option<f64>> =
            (0..recipe.data).map(|_| (numbers.next() < 0.5).then(|| numbers.signed())).collect();
        let row = |numbers: &mut Numbers| shared.iter().map(|s| s.unwrap_or_else(|| numbers.signed())).collect();
        let data: Vec<Vec<f64>> = (0..instances).map(|_| row(numbers)).collect();
        recipe.add_to(&mut problem, &blocks.concat(), &data.concat()).unwrap();
        Batch { problem, blocks, data }
    }

    /// Parameters of an instance in `x`.
    fn parameters<'x>(&self, instance: usize, x: &'x [f64]) -> Vec<&'x [f64]> {
        let offsets = self.problem.parameters().offsets();
        let slice = |b: &BlockId| &x[offsets[b.index()] as usize..offsets[b.index() + 1] as usize];
        self.blocks[instance].iter().map(slice).collect()
    }
}

/// Residuals and Jacobian rows at `x`.
fn linearize(compiled: &CompiledProblem, x: &[f64]) -> (Evaluation, Vec<Vec<(usize, f64)>>) {
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(x, &mut evaluation).unwrap();
    let mut rows = vec![Vec::new(); compiled.residuals()];
    compiled.for_each_entry(&evaluation, |row, parameter, derivative| rows[row].push((parameter, derivative)));
    (evaluation, rows)
}

/// Compares every instance at `x` with eager evaluation.
fn compare(recipe: &Recipe, batch: &Batch, x: &[f64]) -> Result<(), TestCaseError> {
    let compiled = batch.problem.compile().unwrap();
    prop_assert_eq!(compiled.residuals(), batch.blocks.len() * recipe.outputs.len());
    let (evaluation, rows) = linearize(&compiled, x);
    let mut alone = Evaluation::default();
    compiled.evaluate_residuals(x, &mut alone).unwrap();

    let offsets = batch.problem.parameters().offsets();
    for (instance, blocks) in batch.blocks.iter().enumerate() {
        let first = compiled.row_of(instance).expect("the residual block is there");
        let eager = recipe.eager(&batch.parameters(instance, x), &batch.data[instance]);
        for (k, (value, gradient)) in eager.into_iter().enumerate() {
            let (found, row) = (evaluation.residuals[first + k], &rows[first + k]);
            prop_assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "not tame");
            prop_assert!(close(found, value, 1e-10, 1.0), "instance {}: {} for {}", instance, found, value);
            prop_assert!(close(alone.residuals[first + k], value, 1e-10, 1.0));
            let mut dense = vec![0.0; x.len()];
            row.iter().for_each(|&(parameter, derivative)| dense[parameter] += derivative);
            let scale = gradient.iter().fold(1.0, |scale: f64, g| scale.max(g.abs()));
            let mut expected = gradient.iter();
            for (block, &size) in blocks.iter().zip(&recipe.block_sizes) {
                for found in &mut dense[offsets[block.index()] as usize..][..size] {
                    let expected = expected.next().unwrap();
                    prop_assert!(
                        close(*found, *expected, 1e-10, scale),
                        "instance {}: {} for {}",
                        instance,
                        found,
                        expected
                    );
                    *found = 0.0;
                }
            }
            prop_assert!(dense.iter().all(|&d| d == 0.0), "an entry of a block that is not the instance's");
        }
    }
    Ok(())
}

const TAME: Shape = Shape { blocks: 3, largest_block: 3, data: 3, steps: 10, outputs: 3, tame: true, smooth: false };

proptest! {
    #[test]
    fn kernels_agree_with_eager_backward(recipe in recipe(TAME), instances in 1..300_usize, seed in any::<u64>()) {
        let mut numbers = Numbers(seed);
        let batch = Batch::new(&recipe, instances, &mut numbers);
        compare(&recipe, &batch, batch.problem.parameters().values())?;
        // Anywhere else than where it was traced.
        let elsewhere: Vec<f64> = batch.problem.parameters().values().iter().map(|_| numbers.signed()).collect();
        compare(&recipe, &batch, &elsewhere)?;
    }
}

/// Numbers between two of one sign.
fn ulps(a: f64, b: f64) -> u64 {
    a.to_bits().abs_diff(b.to_bits())
}

/// One less, as many and one more than a chunk of lanes, and than a task of chunks.
#[test]
fn chunks_begin_and_end_where_they_should() {
    let mut numbers = Numbers(7);
    for instances in [1, 2, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2049] {
        let mut problem = Problem::new();
        let start: Vec<f64> = (0..2 * instances).map(|_| numbers.signed()).collect();
        let blocks = problem.add_parameter_blocks(1, &start).unwrap();
        let rows: Vec<[BlockId; 2]> = (0..instances).map(|k| [blocks[k], blocks[2 * instances - 1 - k]]).collect();
        let data: Vec<[f64; 1]> = (0..instances).map(|k| [k as f64]).collect();
        let function = |x: isograd::Blocks<'_>, d: &[Value]| [x[0][0] * x[1][0] + d[0], x[0][0].sin()];
        problem.add_residual_batch(&rows, &data, function).unwrap();
        let compiled = problem.compile().unwrap();
        let x: Vec<f64> = start.iter().map(|s| s + 0.25).collect();
        let (evaluation, rows) = linearize(&compiled, &x);
        assert_eq!(evaluation.residuals.len(), 2 * instances);
        for k in 0..instances {
            let (a, b) = (x[k], x[2 * instances - 1 - k]);
            let row = compiled.row_of(k).unwrap();
            assert_eq!(evaluation.residuals[row], a * b + k as f64, "instance {k} of {instances}");
            assert!(ulps(evaluation.residuals[row + 1], a.sin()) <= 1, "instance {k} of {instances}");
            let mut entries = rows[row].clone();
            entries.sort_by_key(|&(parameter, _)| parameter);
            assert_eq!(entries, [(k, b), (2 * instances - 1 - k, a)], "instance {k} of {instances}");
            let [(parameter, derivative)] = rows[row + 1][..] else { panic!("{:?}", rows[row + 1]) };
            assert!(parameter == k && ulps(derivative, a.cos()) <= 1, "instance {k} of {instances}");
        }
    }
}

/// Every operation as a compiled kernel: the numbers of `Op::evaluate` to the last bit (sine and cosine to one unit there), the derivatives of eager `backward`, on a
/// grid that has ties, zeros and points outside the domain.
#[test]
fn every_operation_is_compiled() {
    const AXIS: [f64; 7] = [-2.0, -1.0, -0.3, 0.0, 0.25, 1.0, 1.7];
    let grid: Vec<[f64; 3]> =
        AXIS.iter().flat_map(|&a| AXIS.iter().flat_map(move |&b| AXIS.iter().map(move |&c| [a, b, c]))).collect();
    let all = operations();
    for leafless in Op::ALL.iter().filter(|op| !op.is_leaf()) {
        assert!(all.iter().any(|op| op.name() == leafless.name()), "{leafless:?} is not tested");
    }
    for op in all {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(3, grid.as_flattened()).unwrap();
        let rows: Vec<[BlockId; 1]> = blocks.iter().map(|&b| [b]).collect();
        let arguments = op.arity();
        problem.add_residual_batch(&rows, &(), |x, _| apply(op, &x[0][..arguments])).unwrap();
        let compiled = problem.compile().unwrap();
        let (evaluation, entries) = linearize(&compiled, grid.as_flattened());
        for (k, &[a, b, c]) in grid.iter().enumerate() {
            let (found, expected) = (evaluation.residuals[k], op.evaluate(a, b, c));
            let own = matches!(op, Op::Sin | Op::Cos);
            let same = ulps(found, expected) <= u64::from(own) || (found.is_nan() && expected.is_nan());
            // Whole powers are written as multiplications, in the order of `powi`; −0 and 0 are one number.
            assert!(same || (found == expected), "{op:?} of {a}, {b}, {c}: {found} for {expected}");
            if !expected.is_finite() {
                // A pole: the solver never accepts such a point, and 0 · ∞ may stand for ∞.
                continue;
            }
            let gradient = Value::scope(|| {
                let leaves = [a, b, c].map(Value::variable);
                apply(op, &leaves[..arguments]).gradient(&leaves).unwrap()
            });
            let mut dense = [0.0; 3];
            entries[k].iter().for_each(|&(parameter, derivative)| dense[parameter - 3 * k] += derivative);
            for (found, expected) in dense.iter().zip(gradient) {
                assert!(close(*found, expected, 1e-14, 0.0), "{op:?}' at {a}, {b}, {c}: {found} for {expected}");
            }
        }
    }
}

fn on_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|n| n.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn threads_change_no_bit_of_an_evaluation(recipe in recipe(TAME), instances in 1000..9000_usize, seed in any::<u64>()) {
        let batch = Batch::new(&recipe, instances, &mut Numbers(seed));
        let compiled = batch.problem.compile().unwrap();
        let x = batch.problem.parameters().values();
        let step: Vec<f64> = x.iter().map(|x| 1e-3 * x).collect();
        let work = || {
            let (evaluation, _) = linearize(&compiled, x);
            let scalars = [evaluation.cost(), compiled.model_cost_change(&evaluation, &step)];
            (bits(&evaluation.residuals), bits(&evaluation.stored), bits(&scalars))
        };
        let one = on_threads(1, work);
        prop_assert!(one == on_threads(2, work) && one == on_threads(5, work));
    }
}

/// A whole solve, with every linear solver: the same parameters, costs and iterations to the last bit.
#[test]
fn threads_change_no_bit_of_a_solve() {
    use isograd::LinearSolverKind::{Auto, DenseCholesky, DenseQr, Pcg, SparseCholesky};
    use isograd::mesh::energy::{Energy, MeshProblem};
    // More than one piece of work (`tests/one_piece.rs`).
    let mesh = isograd::mesh::icosphere(2).unwrap();
    for linear_solver in [Auto, DenseCholesky, DenseQr, Pcg, SparseCholesky] {
        let solve = |threads: usize| {
            let mut stated = MeshProblem::new(Energy::Smooth, &mesh).unwrap();
            let options = SolverOptions { threads, linear_solver, max_iterations: 5, ..SolverOptions::default() };
            let report = stated.problem.solve(&options).unwrap();
            assert_eq!(report.threads, threads);
            let costs: Vec<f64> = report.iterations.iter().map(|i| i.cost).collect();
            (bits(stated.problem.parameters().values()), bits(&costs))
        };
        let one = solve(1);
        assert!(one == solve(2), "{linear_solver:?}: 2 threads");
        assert!(one == solve(5), "{linear_solver:?}: 5 threads");
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// Composites that the prior implementation was tested with.

/// Compares a whole function, compiled, with eager evaluation at several points.
fn check(name: &str, points: &[&[f64]], function: fn(&[Value]) -> Vec<Value>) {
    let compiled = CompiledResiduals::compile(points[0], function).unwrap();
    for point in points {
        let (values, jacobian) = compiled.evaluate_dense(point).unwrap();
        let (sum, gradient) = compiled.evaluate_sum_with_gradient(point).unwrap();
        Value::scope(|| {
            let leaves: Vec<Value> = point.iter().map(|&x| Value::variable(x)).collect();
            let outputs = function(&leaves);
            assert_eq!(outputs.len(), values.len());
            for (k, output) in outputs.iter().enumerate() {
                assert!(close(values[k], output.primal(), 1e-10, 0.0), "{name} at {point:?}");
                for (found, expected) in jacobian[k].iter().zip(output.gradient(&leaves).unwrap()) {
                    assert!(close(*found, expected, 1e-10, 1e-300), "{name} at {point:?}: {found} for {expected}");
                }
            }
            let total = Value::sum_of(&outputs);
            let size = outputs.iter().fold(0.0, |size: f64, o| size.max(o.primal().abs()));
            assert!(close(sum, total.primal(), 1e-10, size), "{name} at {point:?}");
            for (found, expected) in gradient.iter().zip(total.gradient(&leaves).unwrap()) {
                let size = jacobian.concat().iter().fold(0.0, |size: f64, d| size.max(d.abs()));
                assert!(close(*found, expected, 1e-10, size), "{name} at {point:?}: {found} for {expected}");
            }
        });
    }
}

#[test]
fn composites_agree_with_eager_backward() {
    check("distance", &[&[0.0, 0.0, 3.0, 4.0], &[1.0, -1.0, 2.0, 7.0]], |x| {
        vec![((x[2] - x[0]).square() + (x[3] - x[1]).square()).sqrt() - 5.0]
    });
    check("normalised component", &[&[1.0, 2.0, 3.0], &[-0.1, 0.2, 0.05]], |x| {
        let length = (x[0].square() + x[1].square() + x[2].square()).sqrt();
        vec![x[0] / length, x[2] / length]
    });
    check("cross and dot", &[&[1.0, 2.0, 3.0, -4.0, 5.0, 6.0]], |x| {
        let (a, b) = (nalgebra::Vector3::from_column_slice(&x[..3]), nalgebra::Vector3::from_column_slice(&x[3..]));
        vec![a.cross(&b).norm() + a.dot(&b)]
    });
    check("exponential", &[&[2.0, 0.5], &[-1.0, -0.3]], |x| vec![x[0] * (3.0 * x[1]).exp() - 10.0]);
    check("ten levels", &[&[0.3], &[1.2]], |x| vec![(0..10).fold(x[0], |y, k| (y * 1.1 + f64::from(k)).sin() + y)]);
    check("small inputs", &[&[1e-8, 2e-8], &[-3e-8, 1e-9]], |x| {
        vec![x[0] * x[1], (x[0].square() + x[1].square()).sqrt(), x[0] / x[1], x[0].exp_m1()]
    });
    check("scales far apart", &[&[1e6, 1e-6], &[-2e6, 3e-6]], |x| {
        vec![x[0] * x[1], x[0].atan2(x[1]), x[0] + x[1], x[0] / x[1]]
    });
    check("shared sub-expressions", &[&[0.5, 0.7]], |x| {
        let shared = (x[0] * x[1]).sin();
        vec![shared * shared + shared, shared.exp() / shared]
    });
    check("sums, means, comparisons, choices", &[&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0], &[2.0, 2.0, 2.0]], |x| {
        let chosen = Value::select(x[0].less(x[2]), x[0] * 2.0, x[2] * x[1]);
        vec![Value::sum_of(x), Value::mean_of(x), chosen, x[0].greater_equal(x[1]) * x[2], x[0].equal(x[1]) + x[2]]
    });
    check("clamp", &[&[5.0], &[-1.0], &[1.5]], |x| vec![x[0].clamp(0.0, 3.0), x[0].clamp(7.0, 9.0)]);
}

/// The smallest eigenvalue of a symmetric matrix in closed form, once wrong when compiled.
#[test]
fn the_smallest_eigenvalue_is_right_when_compiled() {
    fn smallest(c: &[Value]) -> Vec<Value> {
        let [c00, c01, c02, c11, c12, c22] = [c[0], c[1], c[2], c[3], c[4], c[5]];
        let mean = (c00 + c11 + c22) / 3.0;
        let (a, b, d) = (c00 - mean, c11 - mean, c22 - mean);
        let spread = a.square() + b.square() + d.square() + 2.0 * (c01.square() + c02.square() + c12.square());
        let p = (spread / 6.0).sqrt();
        let det = a * (b * d - c12 * c12) - c01 * (c01 * d - c12 * c02) + c02 * (c01 * c12 - b * c02);
        let angle = (det / (2.0 * p.cube())).acos() / 3.0;
        vec![mean + 2.0 * p * (angle + 2.0 * std::f64::consts::FRAC_PI_3).cos()]
    }
    let matrices: [&[f64]; 3] =
        [&[2.0, 0.3, -0.1, 1.0, 0.2, 0.5], &[4.0, 1.0, 2.0, 3.0, -1.0, 5.0], &[1.01, 0.02, -0.01, 0.99, 0.03, 1.0]];
    check("smallest eigenvalue", &matrices, smallest);
    let compiled = CompiledResiduals::compile(matrices[0], smallest).unwrap();
    for m in matrices {
        let matrix = nalgebra::Matrix3::new(m[0], m[1], m[2], m[1], m[3], m[4], m[2], m[4], m[5]);
        let expected = matrix.symmetric_eigenvalues().min();
        assert!((compiled.evaluate(m).unwrap()[0] - expected).abs() < 1e-10);
    }
}
