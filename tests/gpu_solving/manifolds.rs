//! The less common manifolds on the device, one of the user's own included.

use super::{cost, noise, on, precisions, solve, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::GpuContext;
use isograd::manifold::{Euclidean, Manifold, Product, Se2, Sim3, So2, So3, UnitSphere};
use isograd::{BlockId, Precision, Problem, Value};

pub const TESTS: &[Test] = &[("manifolds::all_end_where_the_cpu_ends", all_end_where_the_cpu_ends)];

/// Positive numbers, which move by factors.
#[derive(Debug)]
struct Positive;

impl Manifold for Positive {
    fn name(&self) -> String {
        "positive number".to_owned()
    }
    fn ambient_size(&self) -> usize {
        1
    }
    fn tangent_size(&self) -> usize {
        1
    }
    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        vec![x[0] * delta[0].exp()]
    }
    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        vec![(y[0] / x[0]).ln()]
    }
}

/// Makes a point of numbers between −1 and 1.
type Point = fn(&[f64]) -> Vec<f64>;

fn unit(x: &[f64]) -> Vec<f64> {
    let norm = x.iter().map(|a| a * a).sum::<f64>().sqrt();
    x.iter().map(|a| a / norm).collect()
}

/// Blocks on the manifolds that other tests here do not have, with what these are called. Each number is pulled to where it is not.
fn one_block_on_each() -> (Problem, Vec<(BlockId, String)>) {
    let mut problem = Problem::new();
    let numbers = noise(200);
    let mut blocks = Vec::new();
    let mut add = |manifold: Box<dyn Manifold>, point: Point| {
        let first = 16 * blocks.len();
        let block = problem.add_parameter_block(&point(&numbers[first..])).unwrap();
        let targets: Vec<f64> = point(&numbers[first + 4..]).iter().zip(&numbers).map(|(p, n)| p + 0.2 * n).collect();
        problem
            .add_residual(&[block], |x| {
                let pulls = x[0].iter().zip(&targets).enumerate();
                pulls.map(|(k, (&x, &target))| (1.0 + 0.1 * k as f64) * (x - target)).collect::<Vec<_>>()
            })
            .unwrap();
        blocks.push((block, manifold.name()));
        problem.set_manifold(&[block], manifold).unwrap();
    };
    add(Box::new(So2), |x| unit(&x[..2]));
    add(Box::new(Se2), |x| vec![x[0], x[1], 3.1 * x[2]]);
    add(Box::new(Sim3), |x| [&x[..3], &unit(&x[3..7]), &[1.5 + x[7]]].concat());
    add(Box::new(UnitSphere(2)), |x| unit(&x[..2]));
    add(Box::new(UnitSphere(5)), |x| unit(&x[..5]));
    add(Box::new(Product(So3, Euclidean(2))), |x| [&unit(&x[..4]), &x[4..6]].concat());
    add(Box::new(Positive), |x| vec![1.5 + x[0]]);
    (problem, blocks)
}

fn all_end_where_the_cpu_ends(context: &GpuContext) {
    let (mut on_cpu, _) = one_block_on_each();
    on_cpu.solve(&tight()).unwrap();
    let optimum = cost(&on_cpu, on_cpu.parameters().values());
    // Costs are flat where points are best: they agree to twice as many digits.
    for (precision, of_points, of_cost) in [(precisions(context)[0], 1e-6, 1e-11), (Precision::F32, 3e-3, 1e-6)] {
        let (mut problem, blocks) = one_block_on_each();
        let report = solve(context, &mut problem, &on(context, precision, &tight()));
        assert!(report.iterations.len() > 3, "{report}");
        assert!((report.final_cost - optimum).abs() <= of_cost * optimum, "{report}");
        for (block, name) in blocks {
            let (found, expected) = (problem.parameter_block(block), on_cpu.parameter_block(block));
            let near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= of_points);
            assert!(near, "{name}, {precision:?}: {found:?} for {expected:?}");
        }
    }
}
