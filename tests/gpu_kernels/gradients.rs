//! The gradient that a solve on a device begins with, beside the CPU's.

use isograd::Problem;
use isograd::backend::gpu::GpuContext;
use isograd::device::{DeviceProblem, Settings};
use isograd::kernel::wgsl::{Format, Formats, Slot};
use isograd::problem::{CompiledProblem, Evaluation};

/// Panics unless the gradient of every parameter agrees to 1e-10, relative to the sum of its terms' sizes and to 1e-6 of the largest
/// such sum: what is smaller is what rounding leaves where terms cancel. Compared where the problem starts, moved by up to `step` in
/// each component.
#[track_caller]
pub fn check(context: &GpuContext, name: &str, problem: &Problem, step: f64) {
    let compiled = problem.compile().unwrap();
    let parameters = problem.parameters();
    let groups = compiled.groups.len();
    let move_by: Vec<f64> = (0..compiled.steps().tangent()).map(|k| step * ((5 * k % 7) as f64 / 3.0 - 1.0)).collect();
    let mut x = parameters.values().to_vec();
    compiled.steps().take(parameters.values(), &move_by, &mut x);

    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(&x, &mut evaluation).unwrap();
    let (expected, sizes) = gradient(&compiled, &evaluation);
    let largest = sizes.iter().fold(0.0, |largest: f64, &size| largest.max(size));
    assert!(largest > 0.0, "{name} begins at its solution");

    let formats = Formats { real: Format::F64, sum: Format::F64 };
    let settings = Settings { max_linear_iterations: 1, ..Settings::default() };
    let device = DeviceProblem::new(context, &compiled, parameters, formats, &settings).unwrap();
    device.restart(&x, &settings).unwrap();
    let mut commands = context.commands("gradient");
    device.record_start(&mut commands).unwrap();
    commands.submit().wait(context).unwrap();
    let found = device.read(Slot::Gradient).unwrap();

    let tangents = parameters.tangent_offsets();
    let mut place = 0;
    let mut compared = 0;
    for &block in compiled.block_order() {
        let block = block as usize;
        let free = if parameters.is_fixed(block) { 0 } else { parameters.tangent_size(block) };
        for k in 0..free {
            let component = tangents[block] as usize + k;
            let (found, expected) = (found[place + k], expected[component]);
            let off = (found - expected).abs();
            let size = sizes[component].max(1e-6 * largest);
            assert!(
                off <= 1e-10 * size,
                "{name} ({groups} groups), block {block}, component {k}: {found:e} for {expected:e}, of terms of {size:e}"
            );
            compared += 1;
        }
        place += parameters.size(block);
    }
    assert!(compared > 0, "{name} has no free parameter");
}

/// Jᵀr, and the same of all sizes.
fn gradient(compiled: &CompiledProblem, evaluation: &Evaluation) -> (Vec<f64>, Vec<f64>) {
    let mut sum = vec![0.0; compiled.steps().tangent()];
    let mut sizes = sum.clone();
    compiled.for_each_entry(evaluation, |row, component, derivative| {
        let term = derivative * evaluation.residuals[row];
        sum[component] += term;
        sizes[component] += term.abs();
    });
    (sum, sizes)
}
