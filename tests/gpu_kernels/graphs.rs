//! Random graphs: residuals, Jacobian, gradient and JᵀJ p against the CPU's lanes and against eager `backward`.

use super::expressions::{Recipe, Shape, recipe};
use super::reference::{DOUBLE_F32, F32, F64, Numbers, assert_close, compare_all};
use isograd::backend::gpu::GpuContext;
use isograd::device::{Accumulation, GpuDerivatives};
use isograd::kernel::wgsl::Formats;
use isograd::{BlockId, Problem};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const TAME: Shape = Shape { blocks: 3, largest_block: 3, data: 3, steps: 10, outputs: 3, tame: true, smooth: false };

/// Rounding decides on which side of a jump a number lies; where it is coarse, there must be none.
const SMOOTH: Shape = Shape { smooth: true, steps: 6, ..TAME };

/// Instances of a recipe, whose blocks are shared between them and partly held.
fn check(context: &GpuContext, recipe: &Recipe, instances: usize, seed: u64, formats: Formats, bounds: (f64, f64)) {
    let mut numbers = Numbers(seed);
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
    let shared: Vec<Option<f64>> = (0..recipe.data).map(|_| (numbers.next() < 0.5).then(|| numbers.signed())).collect();
    let row = |numbers: &mut Numbers| shared.iter().map(|s| s.unwrap_or_else(|| numbers.signed())).collect();
    let data: Vec<Vec<f64>> = (0..instances).map(|_| row(&mut numbers)).collect();
    recipe.add_to(&mut problem, &blocks.concat(), &data.concat()).unwrap();
    let mut free = vec![true; problem.parameters().values().len()];
    for &block in pools.iter().flatten() {
        let start = problem.parameters().offsets()[block.index()] as usize;
        let size = problem.parameters().size(block.index());
        match numbers.below(8) {
            0 => {
                problem.fix(block).unwrap();
                free[start..start + size].fill(false);
            }
            1 => {
                problem.fix_component(block, size - 1).unwrap();
                free[start + size - 1] = false;
            }
            _ => {}
        }
    }
    let x: Vec<f64> = problem.parameters().values().iter().map(|_| numbers.signed()).collect();
    let compiled = problem.compile().unwrap();
    let device = GpuDerivatives::new(context, &compiled, problem.parameters(), formats, Accumulation::Auto).unwrap();
    compare_all(&device, &problem, &compiled, &x, |parameter| free[parameter], bounds);

    // The gradient once more, without the CPU's kernels.
    let (mut expected, mut sizes) = (vec![0.0; x.len()], vec![bounds.1; x.len()]);
    let offsets = problem.parameters().offsets();
    for (blocks, data) in blocks.iter().zip(&data) {
        let slice = |b: &BlockId| &x[offsets[b.index()] as usize..offsets[b.index() + 1] as usize];
        let parameters: Vec<&[f64]> = blocks.iter().map(slice).collect();
        for (value, gradient) in recipe.eager(&parameters, data) {
            let mut numbers = gradient.into_iter();
            for block in blocks {
                for parameter in offsets[block.index()] as usize..offsets[block.index() + 1] as usize {
                    let term = value * numbers.next().unwrap();
                    if free[parameter] {
                        expected[parameter] += term;
                        sizes[parameter] += term.abs();
                    }
                }
            }
        }
    }
    assert_close("gradient, eagerly", &device.gradient(&x).unwrap(), &expected, &sizes, bounds.0);
}

fn run(context: &GpuContext, shape: Shape, cases: u32, formats: Formats, bounds: (f64, f64)) {
    // Always the same cases: a device is no place for surprises in continuous integration.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 100, ..Config::default() };
    let inputs = (recipe(shape), 1..200_usize, any::<u64>());
    let result = TestRunner::new_with_rng(config, rng).run(&inputs, |(recipe, instances, seed)| {
        check(context, &recipe, instances, seed, formats, bounds);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

pub fn in_f64(context: &GpuContext) {
    run(context, TAME, 40, F64, (1e-10, 1.0));
}

pub fn in_double_f32(context: &GpuContext) {
    run(context, SMOOTH, 10, DOUBLE_F32, (1e-8, 1.0));
}

pub fn in_f32(context: &GpuContext) {
    run(context, SMOOTH, 20, F32, (1e-2, 1.0));
}
