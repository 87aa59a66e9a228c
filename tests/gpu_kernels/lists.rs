//! Incidence lists made on the device and on the host.

use super::reference::{F32, F64};
use isograd::Problem;
use isograd::backend::gpu::GpuContext;
use isograd::device::{DeviceProblem, Settings};
use isograd::kernel::wgsl::{Formats, Slot, state};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;

/// Gradient and diagonal blocks of JᵀJ at the start, the cost, and whether the device made the lists.
fn sums(context: &GpuContext, problem: &Problem, formats: Formats, device_lists: bool) -> (Vec<Vec<f64>>, f64, bool) {
    let settings = Settings {
        max_linear_iterations: 4,
        eliminate: true,
        matrix_bytes: Some(0),
        device_lists: Some(device_lists),
        ..Settings::default()
    };
    let compiled = problem.compile().unwrap();
    let device = DeviceProblem::new(context, &compiled, problem.parameters(), formats, &settings).unwrap();
    let mut commands = context.commands("sums");
    device.record_start(&mut commands).unwrap();
    commands.submit().wait(context).unwrap();
    let numbers = [Slot::Gradient, Slot::Diagonal].map(|slot| device.read(slot).unwrap());
    (numbers.into(), device.read(Slot::Scalars).unwrap()[state::COST], device.lists_itself())
}

fn compare(context: &GpuContext, problem: &Problem, lists_itself: bool) {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.evaluate_residuals(problem.parameters().values(), &mut evaluation).unwrap();
    for (formats, tolerance) in [(F32, 1e-4), (F64, 1e-12)] {
        let (expected, cost, never) = sums(context, problem, formats, false);
        let (found, same_cost, itself) = sums(context, problem, formats, true);
        assert_eq!((never, itself), (false, lists_itself), "{formats:?}");
        assert!(expected == found && cost == same_cost, "{formats:?}: other bits");
        let error = (cost - evaluation.cost()).abs();
        assert!(error <= tolerance * evaluation.cost(), "{formats:?}: {cost} and {}", evaluation.cost());
    }
}

/// Where no block is fixed, and where some are, in whole or in part.
pub fn lists_of_a_mesh_are_the_same_from_the_device(context: &GpuContext) {
    let mut problem = MeshProblem::new(Energy::Stretch, &icosphere(6).unwrap()).unwrap();
    compare(context, &problem.problem, true);
    for (k, &vertex) in problem.vertices.iter().enumerate().step_by(100) {
        if k % 200 == 0 {
            problem.problem.fix(vertex).unwrap();
        } else {
            problem.problem.fix_component(vertex, 1).unwrap();
        }
    }
    compare(context, &problem.problem, true);
}

/// One block that more instances touch than a lane is to sum.
pub fn long_lists_are_left_to_the_host(context: &GpuContext) {
    let mut problem = Problem::new();
    let count = 20_000;
    let start: Vec<f64> = (0..count).map(|k| (k as f64).sin() + 2.0).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    for pair in blocks.windows(2) {
        problem.add_residual(pair, |x| x[0][0] * x[1][0] - 1.0).unwrap();
    }
    compare(context, &problem, true);
    for &other in &blocks[100..140] {
        problem.add_residual(&[blocks[7], other], |x| x[0][0] - x[1][0]).unwrap();
    }
    compare(context, &problem, false);
}
