//! The two ways to multiply by JᵀJ + D: by J and its transpose, and with the assembled matrix.

use super::reference::{F32, F64};
use isograd::Problem;
use isograd::backend::gpu::GpuContext;
use isograd::device::{DeviceProblem, Settings};
use isograd::kernel::wgsl::{Formats, Slot};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;

/// The product with the first direction of conjugate gradients, in the order of the device.
fn product(context: &GpuContext, problem: &Problem, formats: Formats, assembled: bool) -> Vec<f64> {
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
