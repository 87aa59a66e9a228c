//! Problems whose kernels compile before they are in order, and which are evaluated before they are ready for steps.

use super::reference::{F32, F64};
use isograd::Problem;
use isograd::backend::gpu::{GpuContext, GpuError};
use isograd::device::{DeviceProblem, DeviceStart, Settings};
use isograd::kernel::wgsl::{Formats, Slot};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;

fn settings() -> Settings {
    Settings {
        jacobi_scaling: true,
        max_diagonal: 1e32,
        max_radius: 1e16,
        initial_radius: 1e4,
        max_linear_iterations: 4,
        ..Settings::default()
    }
}

/// Gradient at the start and the point after two steps.
fn outcome(context: &GpuContext, device: &DeviceProblem) -> [Vec<f64>; 2] {
    let gradient = device.read(Slot::Gradient).unwrap();
    let mut commands = context.commands("steps");
    (0..2).for_each(|_| device.record_step(&mut commands, 4).unwrap());
    commands.submit().wait(context).unwrap();
    [gradient, device.read(Slot::Point).unwrap()]
}

/// As a solve does it.
fn begun(context: &GpuContext, problem: &Problem, formats: Formats, settings: &Settings) -> [Vec<f64>; 2] {
    let evaluate = |start: &DeviceStart| -> Result<(), GpuError> {
        let mut commands = context.commands("start");
        start.record(&mut commands)?;
        commands.submit().wait(context)
    };
    let (_, device) = DeviceProblem::compile(context, problem, formats, settings, evaluate).unwrap();
    outcome(context, &device.unwrap().0)
}

fn one_after_the_other(context: &GpuContext, problem: &Problem, formats: Formats) -> [Vec<f64>; 2] {
    let compiled = problem.compile().unwrap();
    let device = DeviceProblem::new(context, &compiled, problem.parameters(), formats, &settings()).unwrap();
    let mut commands = context.commands("start");
    device.record_start(&mut commands).unwrap();
    commands.submit().wait(context).unwrap();
    outcome(context, &device)
}

pub fn begun_early_are_the_same_bits(context: &GpuContext) {
    for formats in [F32, F64] {
        let problem = MeshProblem::new(Energy::Stretch, &icosphere(3).unwrap()).unwrap().problem;
        let found = begun(context, &problem, formats, &settings());
        assert_eq!(found, one_after_the_other(context, &problem, formats));
    }
}

/// Blocks of several sizes, bounds and held components: nothing is known of the classes before they are sorted.
pub fn mixed_blocks_begun_early_are_the_same_bits(context: &GpuContext) {
    let mut problem = Problem::new();
    let points = problem.add_parameter_blocks(3, &(0..90).map(|k| f64::from(k) * 0.01).collect::<Vec<_>>()).unwrap();
    let scale = problem.add_parameter_block(&[2.0]).unwrap();
    for pair in points.windows(2) {
        problem.add_residual(&[pair[0], pair[1], scale], |x| x[2][0] * (x[0][0] - x[1][1]) + x[1][2] - 0.3).unwrap();
    }
    problem.fix_component(points[4], 1).unwrap();
    problem.fix(points[7]).unwrap();
    problem.set_bounds(scale, 0, 1.5, f64::INFINITY).unwrap();
    for formats in [F32, F64] {
        assert_eq!(begun(context, &problem, formats, &settings()), one_after_the_other(context, &problem, formats));
    }
}
