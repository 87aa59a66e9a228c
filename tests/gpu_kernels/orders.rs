//! Orders of blocks and instances that the device finds, and those that the host finds.

use super::reference::{DOUBLE_F32, F32, F64};
use super::scattered_grid::scattered_grid;
use isograd::Problem;
use isograd::backend::gpu::GpuContext;
use isograd::device::{DeviceProblem, DeviceStart, Settings};
use isograd::kernel::wgsl::{Formats, Slot};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;

/// Bytes of what is in the order of blocks: the point, the gradient there, and where a step leads. Then whether the device found the order.
fn outcome(context: &GpuContext, problem: &Problem, formats: Formats, device_order: bool) -> (Vec<Vec<u8>>, bool) {
    let settings = Settings {
        jacobi_scaling: true,
        min_diagonal: 1e-6,
        max_diagonal: 1e32,
        max_radius: 1e16,
        initial_radius: 1e4,
        max_linear_iterations: 4,
        eliminate: true,
        matrix_bytes: Some(0),
        device_lists: Some(true),
        device_order: Some(device_order),
        ..Settings::default()
    };
    let evaluate = |start: &DeviceStart| {
        let mut commands = context.commands("start");
        start.record(&mut commands)?;
        commands.submit().wait(context)
    };
    let (_, device) = DeviceProblem::compile(context, problem, formats, &settings, evaluate).unwrap();
    let (device, ()) = device.unwrap();
    let bytes = |slot| device.buffer(slot).read_blocking().unwrap();
    let mut found = vec![bytes(Slot::Point), bytes(Slot::Gradient)];
    // Read back where the host thinks that it is.
    let point = device.decode_parameters(&found[0]);
    let is_there = |(read, stated): (&f64, &f64)| (read - stated).abs() <= 1e-7 * stated.abs();
    assert!(point.iter().zip(problem.parameters().values()).all(is_there), "{formats:?}");
    let mut commands = context.commands("step");
    device.record_step(&mut commands, 4).unwrap();
    commands.submit().wait(context).unwrap();
    found.push(bytes(Slot::TrialPoint));
    assert_ne!(found[0], found[2], "{formats:?}: no step");
    (found, device.orders_itself())
}

fn compare(context: &GpuContext, problem: &Problem, orders_itself: bool) {
    for formats in [F32, F64, DOUBLE_F32] {
        let (expected, never) = outcome(context, problem, formats, false);
        let (found, itself) = outcome(context, problem, formats, true);
        assert_eq!((never, itself), (false, orders_itself), "{formats:?}");
        assert!(expected == found, "{formats:?}: other bits");
    }
}

/// Stars and edges; those with data of their own too.
pub fn orders_of_a_mesh_are_the_same_from_the_device(context: &GpuContext) {
    for energy in [Energy::Smooth, Energy::Stretch] {
        compare(context, &MeshProblem::new(energy, &icosphere(6).unwrap()).unwrap().problem, true);
    }
}

/// Pairs of anything: rings have more blocks than a workgroup has lanes.
pub fn orders_of_a_tangle_are_the_same_from_the_device(context: &GpuContext) {
    let mut problem = Problem::new();
    let count = 70_000;
    let start: Vec<f64> = (0..count).map(|k| f64::from(k).sin() + 2.0).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    let mut state = 1u64;
    // Another one in the half of them that follows a block at some distance.
    let mut other = |block: usize, distance: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        blocks[(block + distance + (state >> 33) as usize % (blocks.len() / 2 - 1)) % blocks.len()]
    };
    for (k, &block) in blocks.iter().enumerate() {
        for _ in 0..2 {
            problem.add_residual(&[block, other(k, 1)], |x| x[0][0] * x[1][0] - 1.0).unwrap();
        }
        let three = [other(k, 1), block, other(k, blocks.len() / 2)];
        problem.add_residual(&three, |x| x[0][0] - x[1][0] * x[2][0]).unwrap();
    }
    compare(context, &problem, true);
}

/// Blocks that are eliminated, as most of them are coupled to a few.
pub fn orders_are_left_to_the_host_where_blocks_are_eliminated(context: &GpuContext) {
    let mut problem = Problem::new();
    let count = 20_000;
    let start: Vec<f64> = (0..count).map(|k| (k as f64).sin() + 2.0).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    for (k, &block) in blocks.iter().enumerate() {
        let hub = if k % 4 == 0 { (k + 4) % count } else { k - k % 4 };
        problem.add_residual(&[block, blocks[hub]], |x| x[0][0] * x[1][0] - 1.0).unwrap();
    }
    compare(context, &problem, false);
}

/// Regions of a chain reach far, and a block that nothing touches, or a great many pairs, is in none.
pub fn orders_that_the_device_does_not_find_are_left_to_the_host(context: &GpuContext) {
    let mut problem = Problem::new();
    let start: Vec<f64> = (0..20_000).map(|k| f64::from(k).sin() + 2.0).collect();
    let blocks = problem.add_parameter_blocks(1, &start).unwrap();
    for pair in blocks.windows(2) {
        problem.add_residual(pair, |x| x[0][0] * x[1][0] - 1.0).unwrap();
    }
    compare(context, &problem, false);
    let (mut grid, _) = scattered_grid();
    compare(context, &grid, true);
    grid.add_parameter_blocks(1, &[1.0]).unwrap();
    compare(context, &grid, false);
}
