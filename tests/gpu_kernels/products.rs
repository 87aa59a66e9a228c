//! The two ways to multiply by JᵀJ + D: by J and its transpose, and with the assembled matrix.

use super::reference::{F32, F64};
use isograd::backend::gpu::GpuContext;
use isograd::device::{DeviceProblem, Settings};
use isograd::kernel::wgsl::{Formats, Slot};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{Problem, Value};

fn device(context: &GpuContext, problem: &Problem, formats: Formats, assembled: bool) -> DeviceProblem {
    let settings = Settings {
        jacobi_scaling: true,
        max_diagonal: 1e32,
        min_diagonal: 1e-6,
        initial_radius: 1e4,
        max_radius: 1e16,
        max_linear_iterations: 4,
        matrix_bytes: Some(if assembled { 1 << 24 } else { 0 }),
        ..Settings::default()
    };
    let compiled = problem.compile().unwrap();
    let device = DeviceProblem::new(context, &compiled, problem.parameters(), formats, &settings).unwrap();
    assert_eq!(device.is_assembled(), assembled);
    device
}

/// The product with the first direction of conjugate gradients, in the order of the device.
fn product(context: &GpuContext, problem: &Problem, formats: Formats, assembled: bool) -> Vec<f64> {
    let device = device(context, problem, formats, assembled);
    let mut commands = context.commands("product");
    device.record_start(&mut commands).unwrap();
    device.record_linear_start(&mut commands).unwrap();
    device.record_normal_product(&mut commands).unwrap();
    commands.submit().wait(context).unwrap();
    if !assembled {
        return device.read(Slot::Image).unwrap();
    }
    // s stands beside r, D and δ, behind the two sets of z, M s and p.
    let numbers = device.read(Slot::Krylov).unwrap();
    numbers[8 * problem.parameters().values().len()..].chunks_exact(4).map(|own| own[1]).collect()
}

fn compare(context: &GpuContext, problem: &Problem) {
    for (formats, tolerance) in [(F64, 1e-12), (F32, 1e-5)] {
        let [expected, found] = [false, true].map(|assembled| product(context, problem, formats, assembled));
        let largest = expected.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
        assert!(largest > 0.0);
        for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = (found - expected).abs();
            assert!(error <= tolerance * largest, "{formats:?}, place {place}: {found} and {expected}");
        }
        assert_eq!(product(context, problem, formats, true), found, "other bits the second time");
    }
}

pub fn assembled_and_not_agree_on_meshes(context: &GpuContext) {
    for energy in Energy::ALL {
        compare(context, &MeshProblem::new(energy, &icosphere(2).unwrap()).unwrap().problem);
    }
}

/// A ring of second differences, whose blocks are a number each; then with pairs that are coupled in other ways too, a block that meets many
/// others, blocks of another size, and some that are held in whole or in part.
pub fn assembled_and_not_agree_on_multiples_of_the_identity(context: &GpuContext) {
    let mut problem = Problem::new();
    let numbers: Vec<f64> = (0..300).map(|k| (f64::from(k) + 0.4).sin() + 1.5).collect();
    let blocks = problem.add_parameter_blocks(3, &numbers).unwrap();
    for k in 0..100 {
        problem
            .add_residual(&[blocks[k], blocks[(k + 1) % 100], blocks[(k + 2) % 100]], |x| {
                [0, 1, 2].map(|c| x[0][c] - 2.0 * x[1][c] + x[2][c])
            })
            .unwrap();
    }
    compare(context, &problem);
    // Five a row, which workgroups take 64 at a time.
    assert_eq!(device(context, &problem, F64, true).read(Slot::Matrix).unwrap().len(), 5 * 128);
    for k in (0..90).step_by(7) {
        problem
            .add_residual(&[blocks[k], blocks[k + 1 + k % 3]], |x| {
                (0..3).map(|c| (x[0][c] - x[1][c]).powi(2)).sum::<Value>()
            })
            .unwrap();
    }
    for &other in &blocks[51..71] {
        problem.add_residual(&[blocks[50], other], |x| [0, 1, 2].map(|c| 0.2 * x[0][c] - 0.1 * x[1][c])).unwrap();
    }
    compare(context, &problem);
    // Multiples by a number that is stored.
    let scales = problem.add_parameter_blocks(1, &numbers[..10]).unwrap();
    for (k, &scale) in scales.iter().cycle().take(60).enumerate() {
        let ends = [scale, blocks[k], blocks[(k + 7) % 100]];
        problem.add_residual(&ends, |x| [0, 1, 2].map(|c| x[0][0] * (x[1][c] - 0.4 * x[2][c]))).unwrap();
    }
    let pair = problem.add_parameter_block(&[0.3, 0.7]).unwrap();
    problem.add_residual(&[pair, blocks[20]], |x| [x[0][0] * x[1][2], x[0][1] + x[1][0]]).unwrap();
    problem.add_residual(&[pair], |x| [0, 1].map(|c| 0.5 * x[0][c])).unwrap();
    problem.fix(blocks[31]).unwrap();
    problem.fix_component(blocks[50], 1).unwrap();
    problem.fix_component(blocks[71], 2).unwrap();
    compare(context, &problem);
}

/// Blocks of several sizes, one in pieces, some held in whole or in part; residuals with several outputs.
pub fn assembled_and_not_agree_on_blocks_of_all_sizes(context: &GpuContext) {
    let mut problem = Problem::new();
    let numbers =
        |count: usize, shift: f64| -> Vec<f64> { (0..count).map(|k| (k as f64 + shift).sin() + 1.5).collect() };
    let small = problem.add_parameter_blocks(2, &numbers(14, 0.1)).unwrap();
    let middle = problem.add_parameter_blocks(6, &numbers(24, 0.2)).unwrap();
    let large = problem.add_parameter_block(&numbers(23, 0.3)).unwrap();
    for (k, &block) in middle.iter().enumerate() {
        for &other in &small[k..k + 4] {
            problem
                .add_residual(&[block, other], |x| {
                    [x[0][0] * x[1][0] - x[0][5], x[0][3].sin() + x[1][1], x[0][1] * x[0][2] * x[1][0]]
                })
                .unwrap();
        }
        problem.add_residual(&[large, block], |x| x[0][9] * x[1][4] + x[0][22] * x[0][10 * (k % 2)]).unwrap();
        problem.add_residual(&[block], |x| (0..6).map(|c| 0.5 * x[0][c]).collect::<Vec<_>>()).unwrap();
    }
    for &block in &small {
        problem.add_residual(&[block, large], |x| [x[0][0] + 0.3 * x[1][7], x[0][1] * x[1][21]]).unwrap();
    }
    problem.fix(small[2]).unwrap();
    problem.fix_component(middle[1], 4).unwrap();
    problem.fix_component(large, 21).unwrap();
    compare(context, &problem);
}
