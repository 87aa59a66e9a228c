//! Sums over instances: in place or gathered.

use super::reference::{DOUBLE_F32, F32, F64, Numbers, compare, compare_all};
use isograd::backend::gpu::{GpuContext, GpuOptions, wgpu};
use isograd::device::{Accumulation, GpuDerivatives};
use isograd::kernel::wgsl::Addition;
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{BlockId, Problem, Value};

pub fn atomic_and_gathered_sums_agree(context: &GpuContext) {
    let without = wgpu::Features::SHADER_FLOAT32_ATOMIC;
    let portable = GpuContext::new(&GpuOptions { without, ..GpuOptions::default() }).unwrap();
    let native = context.features().contains(without);
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(2).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let new = |context: &GpuContext, accumulation| {
        GpuDerivatives::new(context, &compiled, problem.parameters(), F32, accumulation).unwrap()
    };
    let atomic = new(context, Accumulation::Atomic);
    assert_eq!(atomic.addition(), if native { Addition::Atomic } else { Addition::CompareExchange });
    let exchanged = new(&portable, Accumulation::Atomic);
    assert_eq!(exchanged.addition(), Addition::CompareExchange);
    let gathered = new(context, Accumulation::Gather);
    let x = problem.parameters().values();
    for device in [&atomic, &exchanged, &gathered, &new(&portable, Accumulation::Auto)] {
        // Twice: nothing is left from the first time.
        for _ in 0..2 {
            compare_all(device, &problem, &compiled, x, |_| true, (2e-6, 1.0));
        }
    }
}

pub fn atomic_sums_of_64_bits_exchange_or_gather(context: &GpuContext) {
    let exchanging = wgpu::Features::SHADER_INT64 | wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS;
    let without = wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS;
    let portable = GpuContext::new(&GpuOptions { without, ..GpuOptions::default() }).unwrap();
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(2).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let x = problem.parameters().values();
    for (formats, tolerance) in [(F64, 1e-13), (DOUBLE_F32, 1e-11)] {
        for device in [context, &portable] {
            let exchanges = device.features().contains(exchanging);
            let atomic =
                GpuDerivatives::new(device, &compiled, problem.parameters(), formats, Accumulation::Atomic).unwrap();
            let expected = if exchanges { Addition::CompareExchange } else { Addition::Gather };
            assert_eq!(atomic.addition(), expected);
            // Twice: nothing is left from the first time.
            for _ in 0..2 {
                compare_all(&atomic, &problem, &compiled, x, |_| true, (tolerance, 1.0));
            }
        }
        assert!(!portable.features().contains(without));
    }
}

pub fn gathered_sums_are_the_same_bits_every_time(context: &GpuContext) {
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(2).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let x = problem.parameters().values();
    for formats in [F32, F64] {
        let device =
            GpuDerivatives::new(context, &compiled, problem.parameters(), formats, Accumulation::Gather).unwrap();
        let bits = |numbers: Vec<f64>| numbers.into_iter().map(f64::to_bits).collect::<Vec<u64>>();
        let first = bits(device.gradient(x).unwrap());
        for run in 0..1000 {
            let mut commands = context.commands("again");
            device.record_gradient(&mut commands).unwrap();
            commands.submit();
            assert!(bits(device.read_gradient().unwrap()) == first, "run {run} in {formats:?}");
        }
    }
}

/// Blocks with more contributions than one invocation should sum, and with more components than one piece has.
pub fn long_lists_and_large_blocks(context: &GpuContext) {
    let mut numbers = Numbers(5);
    let mut problem = Problem::new();
    let mut block = |size: usize| {
        let start: Vec<f64> = (0..size).map(|_| numbers.signed()).collect();
        problem.add_parameter_block(&start).unwrap()
    };
    let (shared, large) = (block(2), block(25));
    let own: Vec<BlockId> = (0..700).map(|_| block(1)).collect();
    let rows: Vec<[BlockId; 3]> = own.iter().map(|&own| [shared, own, large]).collect();
    // Every block in two slots.
    let pairs: Vec<[BlockId; 2]> = (0..700).map(|k| [own[k], own[(k + 1) % 700]]).collect();
    let function = |x: isograd::Blocks<'_>, _: &[Value]| {
        [(x[0][0] * x[1][0]).sin() + x[0][1] * x[2][3], x[2][24] - x[1][0] * x[2][11]]
    };
    problem.add_residual_batch(&rows, &(), function).unwrap();
    problem.add_residual_batch(&pairs, &(), |x, _| x[0][0] * x[1][0]).unwrap();
    let x = problem.parameters().values().to_vec();
    compare(context, &problem, &x, F64, Accumulation::Gather, (1e-13, 1.0));
    compare(context, &problem, &x, DOUBLE_F32, Accumulation::Gather, (1e-11, 1.0));
    compare(context, &problem, &x, F32, Accumulation::Gather, (1e-5, 1.0));
    compare(context, &problem, &x, F32, Accumulation::Atomic, (1e-5, 1.0));
    compare(context, &problem, &x, F64, Accumulation::Atomic, (1e-13, 1.0));
}

pub fn held_parameters_have_no_sums(context: &GpuContext) {
    let mut stated = MeshProblem::new(Energy::Stretch, &icosphere(1).unwrap()).unwrap();
    let mut free = vec![true; stated.problem.parameters().values().len()];
    for (k, &vertex) in stated.vertices.iter().enumerate() {
        if k % 5 == 0 {
            stated.problem.fix(vertex).unwrap();
            free[3 * k..3 * k + 3].fill(false);
        } else if k % 5 == 1 {
            stated.problem.fix_component(vertex, 1).unwrap();
            free[3 * k + 1] = false;
        }
    }
    let problem = &stated.problem;
    let compiled = problem.compile().unwrap();
    let x = problem.parameters().values();
    for (formats, accumulation, tolerance) in [
        (F64, Accumulation::Gather, 1e-13),
        (F32, Accumulation::Gather, 1e-5),
        (F32, Accumulation::Atomic, 1e-5),
        (F64, Accumulation::Atomic, 1e-13),
    ] {
        let device = GpuDerivatives::new(context, &compiled, problem.parameters(), formats, accumulation).unwrap();
        compare_all(&device, problem, &compiled, x, |parameter| free[parameter], (tolerance, 1.0));
        let sums = [device.gradient(x).unwrap(), device.jtj_product(x, x).unwrap()];
        for (k, free) in free.iter().enumerate() {
            assert!(*free || sums.iter().all(|sum| sum[k] == 0.0), "component {k} is held");
        }
    }
}
