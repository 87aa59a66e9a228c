//! Instances in several dispatches and in several buffers.

use super::{on, precisions, same_optimum_in, solve, tight};
use crate::gpu_support::Test;
use isograd::backend::gpu::{GpuContext, GpuOptions};
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;
use isograd::{LinearSolverKind, Precision, Problem, SolveError, SolverOptions, SolverReport};

pub const TESTS: &[Test] = &[
    ("splits::batches_change_no_bit", batches_change_no_bit),
    ("splits::a_batch_of_nothing", a_batch_of_nothing),
    ("splits::buffers_larger_than_a_binding", buffers_larger_than_a_binding),
    ("splits::a_hybrid_in_parts", a_hybrid_in_parts),
];

fn energy(energy: Energy, level: u32) -> Problem {
    MeshProblem::new(energy, &icosphere(level).unwrap()).unwrap().problem
}

/// A device on the same adapter that no other test counts dispatches on.
fn alone(context: &GpuContext) -> GpuContext {
    let adapter = Some(context.info().name.clone());
    GpuContext::new(&GpuOptions { adapter, ..GpuOptions::default() }).unwrap()
}

/// The costs and the parameters as bits.
fn bits(report: &SolverReport, problem: &Problem) -> (Vec<u64>, Vec<u64>) {
    let bits = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(f64::to_bits).collect();
    let costs = bits(&mut report.iterations.iter().map(|record| record.cost));
    (costs, bits(&mut problem.parameters().values().iter().copied()))
}

fn batches_change_no_bit(context: &GpuContext) {
    let context = &alone(context);
    for precision in precisions(context).into_iter().filter(|&precision| precision != Precision::DoubleF32) {
        let run = |batch_size| {
            let mut problem = energy(Energy::Smooth, 2);
            let options = SolverOptions { max_iterations: 4, batch_size, ..SolverOptions::default() };
            let report = solve(context, &mut problem, &on(context, precision, &options));
            (bits(&report, &problem), report.device.unwrap().dispatches)
        };
        let (whole, fewest) = run(None);
        assert!(whole.0.len() == 5);
        // A group whole, parts of groups, parts that are no multiple of a workgroup.
        for batch_size in [100_000, 480, 128, 77] {
            let (parts, dispatches) = run(Some(batch_size));
            assert!(parts == whole, "{precision:?}, {batch_size}");
            assert_eq!(dispatches > fewest, batch_size < 642, "{dispatches} dispatches, {fewest} for all at once");
        }
    }
}

fn a_batch_of_nothing(context: &GpuContext) {
    let options = SolverOptions { batch_size: Some(0), ..SolverOptions::default() };
    let error = energy(Energy::Smooth, 0).solve(&on(context, Precision::Auto, &options)).unwrap_err();
    assert!(matches!(error, SolveError::Option { option: "batch_size", .. }), "{error}");
}

/// A device on the same adapter with small bindings.
fn with_limit(context: &GpuContext, bytes: u64) -> GpuContext {
    let adapter = Some(context.info().name.clone());
    GpuContext::new(&GpuOptions { adapter, max_binding_bytes: Some(bytes), ..GpuOptions::default() }).unwrap()
}

fn buffers_larger_than_a_binding(context: &GpuContext) {
    let context = &alone(context);
    let small = with_limit(context, 8 << 10);
    for precision in precisions(context).into_iter().filter(|&precision| precision != Precision::DoubleF32) {
        // 162 vertices: vectors of 3,888 bytes and diagonal blocks of 7,776 in double precision, but 11,520 bytes of derivatives.
        let state = || energy(Energy::Smooth, 2);
        let mut problem = state();
        let report = solve(&small, &mut problem, &on(&small, precision, &tight()));
        let larger = problem.compile().unwrap().stored() * if precision == Precision::F64 { 8 } else { 4 };
        assert!(precision == Precision::F32 || larger > 8 << 10, "{larger} bytes");
        let mut whole = state();
        let once = solve(context, &mut whole, &on(context, precision, &tight()));
        assert!(report.device.unwrap().dispatches != once.device.unwrap().dispatches, "nothing was split");
        let tolerance = if precision == Precision::F64 { 1e-9 } else { 1e-4 };
        let difference = (report.final_cost - once.final_cost).abs();
        assert!(difference <= tolerance * once.final_cost, "{} and {}", report.final_cost, once.final_cost);
        same_optimum_in(&small, &[precision], "smooth in parts", &tight(), 1e-4, state);
    }
}

/// The CPU solves, the device evaluates in parts.
fn a_hybrid_in_parts(context: &GpuContext) {
    let small = with_limit(context, 4 << 10);
    let options = SolverOptions { linear_solver: LinearSolverKind::SparseCholesky, ..tight() };
    let mut on_cpu = energy(Energy::Smooth, 2);
    on_cpu.solve(&options).unwrap();
    for batch_size in [None, Some(50)] {
        let mut problem = energy(Energy::Smooth, 2);
        let options = SolverOptions { batch_size, ..on(&small, Precision::Auto, &options) };
        let report = problem.solve(&options).unwrap();
        assert!(report.device.is_some_and(|device| device.dispatches > 0), "the CPU did it all");
        let pairs = problem.parameters().values().iter().zip(on_cpu.parameters().values());
        let furthest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(furthest < 1e-6, "{furthest:e} apart");
    }
}
