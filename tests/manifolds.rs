//! Manifolds: ⊞ and ⊟, derivatives in the tangent space, and solves that stay on the manifold.

mod differences;

use differences::slopes;
use isograd::manifold::{Angle, Euclidean, Manifold, Product, Se2, Se3, Sim3, So2, So3, Subset, UnitSphere};
use isograd::problem::Evaluation;
use isograd::{Problem, ProblemError, SolverOptions, Value};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use proptest::prelude::*;

/// A manifold, and a way to make a point of it from numbers between −1 and 1.
type Case = (Box<dyn Manifold>, fn(&[f64]) -> Vec<f64>);

fn unit(x: &[f64]) -> Vec<f64> {
    let shifted: Vec<f64> = x.iter().enumerate().map(|(k, x)| x + if k == 0 { 1e-3 } else { 0.0 }).collect();
    let norm = shifted.iter().map(|a| a * a).sum::<f64>().sqrt();
    shifted.iter().map(|a| a / norm).collect()
}

fn pose(x: &[f64]) -> Vec<f64> {
    [&x[..3], &unit(&x[3..7])].concat()
}

fn similarity(x: &[f64]) -> Vec<f64> {
    let mut point = pose(x);
    point.push(1.5 + x[7]);
    point
}

fn cases() -> Vec<Case> {
    vec![
        (Box::new(Euclidean(3)), |x| x[..3].to_vec()),
        (Box::new(Angle), |x| vec![3.1 * x[0]]),
        (Box::new(So2), |x| unit(&x[..2])),
        (Box::new(So3), |x| unit(&x[..4])),
        (Box::new(Se2), |x| vec![x[0], x[1], 3.1 * x[2]]),
        (Box::new(Se3), pose),
        (Box::new(Sim3), similarity),
        (Box::new(UnitSphere(2)), |x| unit(&x[..2])),
        (Box::new(UnitSphere(3)), |x| unit(&x[..3])),
        (Box::new(UnitSphere(5)), |x| unit(&x[..5])),
        (Box::new(Product(So3, Euclidean(2))), |x| [unit(&x[..4]), x[4..6].to_vec()].concat()),
        (Box::new(Subset::new(Se3, &[0, 4])), pose),
    ]
}

fn constants(x: &[f64]) -> Vec<Value> {
    x.iter().map(|&x| Value::constant(x)).collect()
}

fn plus(manifold: &dyn Manifold, x: &[f64], delta: &[f64]) -> Vec<f64> {
    manifold.plus(&constants(x), &constants(delta)).iter().map(|v| v.primal()).collect()
}

fn minus(manifold: &dyn Manifold, y: &[f64], x: &[f64]) -> Vec<f64> {
    manifold.minus(&constants(y), &constants(x)).iter().map(|v| v.primal()).collect()
}

fn near(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= tolerance), "{found:?} for {expected:?}");
}

fn numbers(size: usize) -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.0..1.0, size)
}

proptest! {
    #[test]
    fn a_step_is_what_lies_between(x in numbers(8), delta in numbers(8), shrink in 0i32..12) {
        for (manifold, point) in cases() {
            let x = point(&x);
            prop_assert_eq!(manifold.check(&x), Ok(()), "{}", manifold.name());
            // From steps of a radian down to those for which sines are angles.
            let factor = 10f64.powi(-shrink);
            let delta: Vec<f64> = delta[..manifold.tangent_size()].iter().map(|d| factor * d).collect();
            let y = plus(&*manifold, &x, &delta);
            prop_assert_eq!(manifold.check(&y), Ok(()), "{}", manifold.name());
            near(&minus(&*manifold, &y, &x), &delta, 1e-14);
            near(&plus(&*manifold, &x, &minus(&*manifold, &y, &x)), &y, 1e-14);
            near(&plus(&*manifold, &x, &vec![0.0; delta.len()]), &x, 1e-15);
            near(&minus(&*manifold, &x, &x), &vec![0.0; delta.len()], 1e-15);
        }
    }

    /// The kernel's derivative is that of r(x ⊞ δ) in δ, for a residual that weighs all numbers differently, of two blocks.
    #[test]
    fn jacobians_are_those_of_the_tangent_space(x in numbers(8), y in numbers(8), w in numbers(8)) {
        for (index, (manifold, point)) in cases().into_iter().enumerate() {
            let (other, _) = cases().swap_remove(index);
            let (x, y) = (point(&x), point(&y));
            let residual = |a: &[Value], b: &[Value]| {
                let sums = a.iter().zip(b).zip(&w).map(|((&a, &b), &w)| (a - b * w) * (1.0 + a * b));
                let sum: Value = sums.sum();
                [sum, sum.sin() * a[0], b[b.len() - 1] * 2.0]
            };
            let mut problem = Problem::new();
            let blocks = [problem.add_parameter_block(&x).unwrap(), problem.add_parameter_block(&y).unwrap()];
            let (tangent, name) = (manifold.tangent_size(), manifold.name());
            problem.set_manifold(&blocks, manifold).unwrap();
            problem.add_residual(&blocks, |x| residual(&x[0], &x[1])).unwrap();
            let compiled = problem.compile().unwrap();
            let mut evaluation = Evaluation::default();
            compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
            let mut jacobian = vec![vec![0.0; 2 * tangent]; 3];
            compiled.for_each_entry(&evaluation, |row, component, d| jacobian[row][component] += d);
            for (row, derivatives) in jacobian.iter().enumerate() {
                let f = |delta: &[f64]| {
                    let (a, b) = (plus(&*other, &x, &delta[..tangent]), plus(&*other, &y, &delta[tangent..]));
                    residual(&constants(&a), &constants(&b))[row].primal()
                };
                for (slope, &derivative) in slopes(f, &vec![0.0; 2 * tangent]).iter().zip(derivatives) {
                    prop_assert!(slope.agrees(derivative, 1e-8), "{name}: {slope:?} for {derivative}");
                }
            }
        }
    }
}

/// A rotation that takes known vectors to known others is found, from far away, and comes out with norm 1.
#[test]
fn a_rotation_is_found() {
    let truth = UnitQuaternion::from_euler_angles(0.4, -1.1, 2.5);
    let vectors = [Vector3::x(), Vector3::y(), Vector3::new(0.3, -2.0, 1.0)];
    let mut problem = Problem::new();
    let q = problem.add_parameter_block(&[0.0, 0.0, 0.0, 1.0]).unwrap();
    problem.set_manifold(&[q], So3).unwrap();
    let data: Vec<[f64; 6]> = vectors
        .iter()
        .map(|v| {
            let t = truth * v;
            [v.x, v.y, v.z, t.x, t.y, t.z]
        })
        .collect();
    problem
        .add_residual_batch(&vec![[q]; 3], &data, |x, d| {
            let q = UnitQuaternion::new_unchecked(Quaternion::from_vector(x.vector::<4>(0)));
            q * Vector3::new(d[0], d[1], d[2]) - Vector3::new(d[3], d[4], d[5])
        })
        .unwrap();
    let report = problem.solve(&SolverOptions::default()).unwrap();
    assert!(report.termination.is_converged() && report.final_cost < 1e-20, "{report}");
    assert_eq!(report.parameters, (4, 3));
    let found = problem.parameter_block(q);
    let sign = found[3].signum() * truth.w.signum();
    near(&found.iter().map(|c| sign * c).collect::<Vec<_>>(), truth.coords.as_slice(), 1e-9);
    assert!((found.iter().map(|c| c * c).sum::<f64>() - 1.0).abs() < 1e-12);
}

/// Plain, curved and fixed blocks side by side; the fixed ones keep their numbers to the bit.
#[test]
fn blocks_of_all_kinds_mix() {
    let mut problem = Problem::new();
    let plain = problem.add_parameter_block(&[0.1, 0.2, 0.3]).unwrap();
    let free = problem.add_parameter_block(&unit(&[0.3, 0.5, -0.7])).unwrap();
    let fixed_numbers = unit(&[-0.6, 0.1, 0.33]);
    let fixed = problem.add_parameter_block(&fixed_numbers).unwrap();
    problem.set_manifold(&[free, fixed], UnitSphere(3)).unwrap();
    problem.fix(fixed).unwrap();
    problem.add_residual(&[plain, free], |x| x.vector::<3>(0) - x.vector::<3>(1) * Value::constant(2.0)).unwrap();
    problem.add_residual(&[free, fixed], |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm_squared()).unwrap();
    problem.add_residual(&[plain], |x| x[0][0] - 1.0).unwrap();
    let report = problem.solve(&SolverOptions { gradient_tolerance: 1e-12, ..Default::default() }).unwrap();
    assert!(report.termination.is_converged(), "{report}");
    assert_eq!(problem.parameter_block(fixed), fixed_numbers);
    assert!((problem.parameter_block(free).iter().map(|c| c * c).sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(report.parameters, (9, 5));
    // The plain block and a sphere are one topology but two kernels where both take part.
    let kernels = problem.compile().unwrap();
    assert_eq!(kernels.groups.len(), 3);
}

#[test]
fn one_topology_on_two_manifolds_is_two_kernels() {
    let mut problem = Problem::new();
    let blocks: Vec<_> =
        (0..4).map(|k| problem.add_parameter_block(&unit(&[1.0, 0.2 * f64::from(k)])).unwrap()).collect();
    problem.set_manifold(&blocks[..2], So2).unwrap();
    for &block in &blocks {
        problem.add_residual(&[block], |x| x[0][0] * x[0][1] - 0.25).unwrap();
    }
    let compiled = problem.compile().unwrap();
    assert_eq!((problem.topologies(), compiled.groups.len()), (1, 2));
    assert_eq!(compiled.steps().tangent(), 2 + 4);
    let report = problem.solve(&SolverOptions::default()).unwrap();
    assert!(report.final_cost < 1e-15, "{report}");
}

#[test]
fn what_is_no_manifold_is_refused() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[2.0, 0.0, 0.0]).unwrap();
    let error = problem.set_manifold(&[x], UnitSphere(3)).unwrap_err();
    assert!(error.to_string().contains("norm is 2"), "{error}");
    let error = problem.set_manifold(&[x], So3).unwrap_err();
    assert!(matches!(error, ProblemError::ManifoldSize { expected: 4, found: 3, .. }), "{error}");
    problem.set_bounds(x, 1, -1.0, 1.0).unwrap();
    assert!(matches!(problem.set_manifold(&[x], Euclidean(3)), Err(ProblemError::BoundOnManifold { .. })));
    problem.set_bounds(x, 1, f64::NEG_INFINITY, f64::INFINITY).unwrap();
    problem.fix_component(x, 0).unwrap();
    assert!(matches!(problem.set_manifold(&[x], Euclidean(3)), Err(ProblemError::ComponentOnManifold { .. })));
    problem.unfix(x).unwrap();
    problem.set_manifold(&[x], Euclidean(3)).unwrap();
    assert!(matches!(problem.fix_component(x, 0), Err(ProblemError::ComponentOnManifold { .. })));
    assert!(matches!(problem.set_bounds(x, 0, 0.0, 1.0), Err(ProblemError::BoundOnManifold { .. })));

    let u = problem.add_parameter_block(&[0.0, 1.0]).unwrap();
    problem.set_manifold(&[u], So2).unwrap();
    assert!(matches!(problem.set_parameter_block(u, &[3.0, 4.0]), Err(ProblemError::OffManifold { .. })));
    problem.set_parameter_block(u, &[0.6, 0.8]).unwrap();
    let all_held = problem.set_manifold(&[u], Subset::new(So2, &[0])).unwrap_err();
    assert!(all_held.to_string().contains("fix the block"), "{all_held}");
}

/// Manifolds whose functions are wrong.
#[derive(Debug)]
struct Wrong(fn(&[Value], &[Value]) -> Vec<Value>);

impl Manifold for Wrong {
    fn name(&self) -> String {
        "wrong".to_owned()
    }
    fn ambient_size(&self) -> usize {
        2
    }
    fn tangent_size(&self) -> usize {
        2
    }
    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        (self.0)(x, delta)
    }
    fn minus(&self, y: &[Value], _: &[Value]) -> Vec<Value> {
        y.to_vec()
    }
}

#[test]
fn wrong_steps_are_named() {
    let mut problem = Problem::new();
    let x = problem.add_parameter_block(&[1.0, 2.0]).unwrap();
    type Step = fn(&[Value], &[Value]) -> Vec<Value>;
    let cases: [(Step, &str); 4] = [
        (|x, d| vec![x[0] + d[0]], "returned 1 numbers for a point of 2"),
        (|x, d| if x[0] < x[1] { vec![x[0] + d[0], x[1] + d[1]] } else { x.to_vec() }, "Value::select"),
        (|x, d| vec![x[0] + d[0] + 1.0, x[1] + d[1]], "component 0 = 2, but x has 1"),
        (|_, _| Vec::new(), "returned no residual"),
    ];
    for (plus, message) in cases {
        let error = problem.set_manifold(&[x], Wrong(plus)).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}
