//! Shapes that are known to be one, or not, and how many kernels they make.

use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{Blocks, CompiledResiduals, Problem, Residuals, Value};

// ---------------------------------------------------------------------------------------------------------------------
// What the prior implementation was tested for, and where it failed.

/// Number of topologies of functions of four scalar blocks (those that are used).
macro_rules! topologies {
    ($([$($block:literal),+] $function:expr),+ $(,)?) => {{
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(1, &[1.5, 2.5, 3.5, 4.5]).unwrap();
        $(add(&mut problem, &[$(blocks[$block]),+], $function);)+
        problem.topologies()
    }};
}

fn add<R: Residuals>(problem: &mut Problem, blocks: &[isograd::BlockId], function: impl FnOnce(Blocks<'_>) -> R) {
    problem.add_residual(blocks, function).unwrap();
}

#[test]
fn other_variables_and_constants_are_the_same_shape() {
    assert_eq!(topologies!([0, 1] | x | x[0][0] * x[1][0] + 3.0, [2, 3] | x | x[0][0] * x[1][0] + 4.0), 1);
    assert_eq!(topologies!([0] | x | x[0][0] - 5.0, [1] | x | x[0][0] - 5.0, [0] | x | x[0][0] - 10.0), 1);
    assert_eq!(topologies!([0, 1] | x | x[0][0] - x[1][0], [0, 1] | x | x[1][0] - x[0][0]), 1, "only the names differ");
    assert_eq!(
        topologies!([0] | x | x[0][0].clamp(0.0, 1.0), [0] | x | x[0][0].clamp(-7.0, 9.0)),
        1,
        "bounds are data"
    );
    assert_eq!(topologies!([0] | x | x[0][0].powf(2.5), [0] | x | x[0][0].powf(3.5)), 1, "as is a fractional exponent");
}

#[test]
fn squares_are_squares_however_written() {
    assert_eq!(topologies!([0] | x | x[0][0].square(), [0] | x | x[0][0].powi(2), [0] | x | x[0][0].powf(2.0)), 1);
    assert_eq!(topologies!([0] | x | x[0][0].cube(), [0] | x | x[0][0].powi(3)), 1);
    // An exponent that is a value is not folded, whatever its number.
    assert_eq!(topologies!([0] | x | x[0][0].square(), [0] | x | x[0][0].powv(2.0)), 2);
    assert_eq!(topologies!([0] | x | x[0][0].powi(2), [0] | x | x[0][0].powi(3)), 2, "the exponent is in the shape");
    assert_eq!(topologies!([0] | x | x[0][0].powi(2), [0] | x | x[0][0].powi(-2)), 2);
}

#[test]
fn other_operations_and_links_are_other_shapes() {
    let pairs = [
        topologies!([0, 1] | x | x[0][0] + x[1][0], [0, 1] | x | x[0][0] * x[1][0]),
        topologies!([0, 1, 2] | x | (x[0][0] + x[1][0]) * x[2][0], [0, 1, 2] | x | x[0][0] * x[1][0] + x[2][0]),
        topologies!([0, 1, 2] | x | (x[0][0] - x[1][0]) - x[2][0], [0, 1, 2] | x | x[0][0] - (x[1][0] - x[2][0])),
        topologies!([0] | x | x[0][0] / 2.0, [0] | x | 2.0 / x[0][0]),
        topologies!([0] | x | x[0][0] - 2.0, [0] | x | 2.0 - x[0][0]),
        topologies!([0, 1] | x | (x[0][0] - 1.0) + (x[1][0] - 2.0), [0, 1] | x | (x[0][0] + x[1][0]) - 3.0),
        topologies!([0, 1] | x | x[0][0] * x[1][0], [0] | x | x[0][0] * 2.0),
        topologies!([0, 1] | x | x[0][0].square() + x[1][0].square(), [0, 1] | x | x[0][0].square() * x[1][0].square()),
        topologies!([0] | x | x[0][0] * x[0][0], [0, 1] | x | x[0][0] * x[1][0]),
        topologies!([0, 1] | x | x[0][0] + x[1][0] * x[0][0], [0, 1, 2] | x | x[0][0] + x[1][0] * x[2][0]),
        topologies!([0, 1] | x | x[0][0].min(x[1][0]), [0, 1] | x | x[0][0].max(x[1][0])),
        topologies!([0] | x | x[0][0].sin(), [0] | x | [x[0][0].sin(), x[0][0].sin()]),
        topologies!([0] | x | [x[0][0].sin(), x[0][0]], [0] | x | [x[0][0], x[0][0].sin()]),
    ];
    assert!(pairs.iter().all(|&count| count == 2), "{pairs:?}");
}

/// `min` and `max` are no commutative operations: at a tie the derivative goes to the first argument.
#[test]
fn arguments_of_max_keep_their_places() {
    assert_eq!(topologies!([0] | x | x[0][0].max(2.0), [0] | x | Value::constant(2.0).max(x[0][0])), 2);
    assert_eq!(topologies!([0] | x | x[0][0].hypot(2.0), [0] | x | Value::constant(2.0).hypot(x[0][0])), 1);
}

/// The prior implementation hashed `sum` like `+` and forgot that a chain has a length.
#[test]
fn sums_have_the_length_they_have() {
    let sum = |x: Blocks<'_>| Value::sum_of(&x.iter().map(|b| b[0]).collect::<Vec<_>>());
    assert_eq!(topologies!([0, 1] sum, [2, 3] | x | x[0][0] + x[1][0]), 1);
    assert_eq!(topologies!([0, 1, 2] sum, [0, 1] sum, [0, 1, 2, 3] sum), 3);
    let mean = |x: Blocks<'_>| Value::mean_of(&x.iter().map(|b| b[0]).collect::<Vec<_>>());
    assert_eq!(topologies!([0, 1] sum, [0, 1] mean, [0, 1] | x | x[0][0] * x[1][0]), 3);
}

#[test]
fn a_bare_parameter_is_a_shape() {
    assert_eq!(topologies!([0] | x | x[0][0], [1] | x | x[0][0], [0, 1] | x | [x[0][0], x[1][0]]), 2);
    assert_eq!(topologies!([0, 1] | x | [x[0][0], x[1][0]], [2, 3] | x | [x[1][0], x[0][0]]), 1);
}

#[test]
fn sizes_and_components_are_in_the_shape() {
    let mut problem = Problem::new();
    let pair = problem.add_parameter_block(&[1.0, 2.0]).unwrap();
    let triple = problem.add_parameter_block(&[1.0, 2.0, 3.0]).unwrap();
    add(&mut problem, &[pair], |x| x[0][0].sin());
    add(&mut problem, &[pair], |x| x[0][1].sin());
    add(&mut problem, &[triple], |x| x[0][0].sin());
    assert_eq!(problem.topologies(), 3);
    add(&mut problem, &[triple], |x| x[0][0].sin());
    assert_eq!(problem.topologies(), 3);
    add(&mut problem, &[pair, triple], |x| x[0][0] - x[1][0]);
    add(&mut problem, &[triple, pair], |x| x[1][0] - x[0][0]);
    assert_eq!(problem.topologies(), 4, "blocks of two sizes, in either order");
    add(&mut problem, &[triple, pair], |x| x[0][0] - x[1][0]);
    assert_eq!(problem.topologies(), 5);
}

#[test]
fn a_branch_taken_is_another_shape_and_a_select_is_not() {
    let branch = |x: Blocks<'_>| if x[0][0] > 2.0 { x[0][0].sin() } else { x[0][0].cos() };
    assert_eq!(topologies!([0] branch, [1] branch, [2] branch), 2);
    let select = |x: Blocks<'_>| Value::select(x[0][0].greater(2.0), x[0][0].sin(), x[0][0].cos());
    assert_eq!(topologies!([0] select, [1] select, [2] select), 1);
}

#[test]
fn kernel_counts() {
    // Ten distances over disjoint points.
    let mut problem = Problem::new();
    let points = problem.add_parameter_blocks(2, &(0..40).map(|k| f64::from(k * k % 17)).collect::<Vec<_>>()).unwrap();
    for (k, pair) in points.chunks(2).enumerate() {
        let target = k as f64;
        problem.add_residual(pair, |x| (x.vector::<2>(0) - x.vector::<2>(1)).norm() - target).unwrap();
    }
    let statistics = problem.compile().unwrap().statistics;
    assert_eq!((statistics.kernels, statistics.instances, statistics.reuse_factor()), (1, 10, 10.0));

    let five = |x: &[Value]| vec![x[0] + x[1], x[1] + x[2], x[0] * x[2], x[0] + x[2], x[1] * x[2]];
    assert_eq!(CompiledResiduals::compile(&[1.0, 2.0, 3.0], five).unwrap().kernels(), 2);

    let three = |x: &[Value]| vec![x[0] - 5.0, x[1] - 5.0, x[0] - 10.0];
    assert_eq!(CompiledResiduals::compile(&[1.0, 2.0], three).unwrap().kernels(), 1);

    // Directions of a hundred pairs of lines.
    let numbers: Vec<f64> = (0..408).map(|k| f64::from(k * 37 % 101)).collect();
    let parallel = |x: &[Value]| -> Vec<Value> {
        let cross = |k: usize| {
            let at = |p: usize| (x[4 * k + 2 * p], x[4 * k + 2 * p + 1]);
            let ((ax, ay), (bx, by), (cx, cy), (dx, dy)) = (at(0), at(1), at(2), at(3));
            (bx - ax) * (dy - cy) - (by - ay) * (dx - cx)
        };
        (0..100).map(cross).collect()
    };
    assert_eq!(CompiledResiduals::compile(&numbers, parallel).unwrap().kernels(), 1);

    let fit = |x: &[Value]| (0..6).map(|k| x[0] * (x[1] * f64::from(k)).exp() - f64::from(k * k)).collect();
    assert_eq!(CompiledResiduals::compile(&[1.0, 0.1], fit).unwrap().kernels(), 1);

    let squares = |x: &[Value]| x.iter().enumerate().map(|(k, &p)| (p - k as f64).square()).collect();
    let squares = CompiledResiduals::compile(&[0.5; 100], squares).unwrap();
    assert_eq!((squares.kernels(), squares.compiled().statistics.reuse_factor()), (1, 100.0));
}

/// Upstream the order of the operands made this two kernels.
#[test]
fn a_triangle_of_squared_distances_is_one_kernel() {
    let triangle = |x: &[Value]| {
        let squared = |a: usize, b: usize, target: f64| {
            (x[2 * b] - x[2 * a]).square() + (x[2 * b + 1] - x[2 * a + 1]).square() - target * target
        };
        vec![squared(0, 1, 5.0), squared(1, 2, 6.0), squared(2, 0, 6.0)]
    };
    let point = [0.0, 0.0, 3.0, 4.0, 6.0, 0.0];
    let residuals = CompiledResiduals::compile(&point, triangle).unwrap();
    assert_eq!(residuals.kernels(), 1);
    let (sum, _) = residuals.evaluate_sum_with_gradient(&point).unwrap();
    assert!((sum + 11.0).abs() < 1e-12, "{sum}");
}

/// What the registry of the prior implementation counted: leaves, each once.
#[test]
fn only_leaves_are_stored() {
    let of = |function: fn(&[Value]) -> Vec<Value>| {
        let residuals = CompiledResiduals::compile(&[1.0, 2.0], function).unwrap();
        let groups = residuals.compiled().groups.iter();
        groups.map(|g| (g.table.blocks.len(), g.table.data.len(), g.table.count)).collect::<Vec<_>>()
    };
    assert_eq!(of(|x| vec![(x[0] - x[1]).square() + 5.0]), [(2, 1, 1)], "two parameters and a number");
    assert_eq!(of(|x| vec![x[0] * 2.0, x[1] * 3.0]), [(1, 1, 2)], "one column for 2 and 3");
    assert_eq!(of(|x| vec![x[0] - x[1], x[0] - x[1]]), [(2, 0, 2)]);
    // Parameters with equal numbers stay two parameters.
    let equal = CompiledResiduals::compile(&[1.0, 1.0], |x| vec![x[0] * x[1]]).unwrap();
    assert_eq!(equal.evaluate(&[2.0, 5.0]).unwrap(), [10.0]);
}

#[test]
fn a_second_compile_takes_kernels_from_the_cache() {
    // Numbers that no other test of this process states.
    let build = |target: f64| {
        let mut problem = Problem::new();
        let blocks = problem.add_parameter_blocks(1, &[1.0, 2.0, 3.0]).unwrap();
        for &block in &blocks {
            problem.add_residual(&[block], |x| (x[0][0].cos() * 0.123_456).exp_m1() - target).unwrap();
        }
        problem.compile().unwrap()
    };
    let (first, second, third) = (build(4.0), build(4.0), build(5.0));
    assert_eq!((first.statistics.kernels, first.statistics.cache_hits), (1, 0));
    assert_eq!((second.statistics.kernels, second.statistics.cache_hits), (1, 1));
    assert!(std::sync::Arc::ptr_eq(&first.groups[0].kernel, &second.groups[0].kernel));
    // A number that all instances share is a literal of the kernel, and then another one is another kernel.
    assert_eq!(third.statistics.cache_hits, 0);
    assert_eq!(third.groups[0].kernel.topology.hash, first.groups[0].kernel.topology.hash);
}

// ---------------------------------------------------------------------------------------------------------------------
// Meshes.

/// Number of instances of each group, most first.
fn instances(problem: &Problem) -> Vec<usize> {
    let mut counts: Vec<usize> = problem.compile().unwrap().groups.iter().map(|g| g.table.count).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts
}

#[test]
fn an_icosphere_has_a_group_of_edges_and_one_a_valence() {
    for level in 0..=3 {
        let mesh = icosphere(level).unwrap();
        let quads = 4_usize.pow(level);
        let edges = 30 * quads;
        let laplacians = if level == 0 { vec![12] } else { vec![10 * quads - 10, 12] };
        for energy in [Energy::Smooth, Energy::Stretch] {
            let stated = MeshProblem::new(energy, &mesh).unwrap();
            let mut expected = vec![edges];
            expected.extend(&laplacians);
            expected.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(instances(&stated.problem), expected, "{energy}, level {level}");
        }
        let sphere = MeshProblem::new(Energy::Sphere, &mesh).unwrap();
        assert_eq!(instances(&sphere.problem), [edges, 10 * quads + 2]);
    }
}

#[test]
fn the_direction_of_an_edge_does_not_matter() {
    let mut problem = Problem::new();
    let points = problem.add_parameter_blocks(3, &(0..12).map(f64::from).collect::<Vec<_>>()).unwrap();
    let length = |x: Blocks<'_>| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - 1.0;
    let backward = |x: Blocks<'_>| (x.vector::<3>(1) - x.vector::<3>(0)).norm() - 1.0;
    for (a, b) in [(0, 1), (1, 0), (2, 3), (3, 1)] {
        problem.add_residual(&[points[a], points[b]], length).unwrap();
        problem.add_residual(&[points[a], points[b]], backward).unwrap();
    }
    assert_eq!(problem.topologies(), 1);
}

/// Neighbours are a set: a Laplacian that sums them in another order is the same shape, up to how the sum is bracketed.
#[test]
fn neighbours_may_come_in_any_order() {
    let mut problem = Problem::new();
    let points = problem.add_parameter_blocks(3, &(0..21).map(f64::from).collect::<Vec<_>>()).unwrap();
    let laplacian = |x: Blocks<'_>| {
        let sum = (2..x.len()).fold(x.vector::<3>(1), |sum, k| sum + x.vector::<3>(k));
        x.vector::<3>(0) - sum / Value::constant((x.len() - 1) as f64)
    };
    for order in [[0, 1, 2, 3, 4, 5, 6], [3, 6, 5, 4, 0, 1, 2], [6, 0, 5, 1, 4, 2, 3]] {
        problem.add_residual(&order.map(|k| points[k]), laplacian).unwrap();
    }
    assert_eq!(problem.topologies(), 1);
}
