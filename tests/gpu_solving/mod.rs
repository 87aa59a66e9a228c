//! What the tests of the solver on a device share.

pub mod bounds;
pub mod components;
pub mod conduct;
pub mod failures;
pub mod hybrid;
pub mod manifolds;
pub mod models;
pub mod optima;
pub mod orders;
pub mod splits;

use isograd::backend::gpu::GpuContext;
use isograd::{Backend, BlockId, LinearSolverKind, Precision, Problem, SolverOptions, SolverReport, Value};

/// Tolerances that leave nothing to gain.
pub fn tight() -> SolverOptions {
    SolverOptions {
        function_tolerance: 1e-14,
        gradient_tolerance: 1e-13,
        parameter_tolerance: 1e-14,
        max_iterations: 300,
        ..SolverOptions::default()
    }
}

/// The options, with conjugate gradients as on a device: it would leave small systems to a direct solver of the CPU.
pub fn by_gradients(options: &SolverOptions) -> SolverOptions {
    let linear_solver = match options.linear_solver {
        LinearSolverKind::Auto => LinearSolverKind::IterativeSchur,
        kind => kind,
    };
    SolverOptions { linear_solver, ..options.clone() }
}

/// The options, on a device.
pub fn on(context: &GpuContext, precision: Precision, options: &SolverOptions) -> SolverOptions {
    SolverOptions { backend: Backend::Gpu, precision, gpu: Some(context.clone()), ..by_gradients(options) }
}

/// The precisions of the device.
pub fn precisions(context: &GpuContext) -> Vec<Precision> {
    let all = [Precision::F64, Precision::DoubleF32, Precision::F32];
    all.into_iter().filter(|&precision| precision != Precision::F64 || context.has_f64()).collect()
}

/// Solves on the device, and checks that it was the device, and the rules that every report keeps.
pub fn solve(context: &GpuContext, problem: &mut Problem, options: &SolverOptions) -> SolverReport {
    let start = problem.parameters().values().to_vec();
    let report = problem.solve(options).unwrap();
    assert_eq!(report.backend.backend, Backend::Gpu, "{report}");
    assert_eq!(report.backend.device, context.info().name, "{report}");
    check_report(problem, &report, &start);
    report
}

/// The cost of a problem, evaluated on the CPU.
pub fn cost(problem: &Problem, x: &[f64]) -> f64 {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.evaluate_objective(x, &mut evaluation).unwrap();
    evaluation.cost()
}

/// What every report of a device keeps to.
pub fn check_report(problem: &Problem, report: &SolverReport, start: &[f64]) {
    assert_eq!(report.initial_cost, cost(problem, start), "{report}");
    assert_eq!(report.final_cost, cost(problem, problem.parameters().values()), "{report}");
    for (k, record) in report.iterations.iter().enumerate() {
        assert_eq!(record.iteration, k, "{}", report.iteration_table());
        let Some(before) = k.checked_sub(1).map(|before| &report.iterations[before]) else { continue };
        let right = if record.accepted { record.cost <= before.cost } else { record.cost == before.cost };
        assert!(right && record.elapsed_s >= before.elapsed_s, "{}", report.iteration_table());
    }
    let device = report.device.as_ref().unwrap();
    assert!(device.dispatches > 0 && device.bytes_down > 0 && device.bytes_up > 0 && device.memory_bytes > 0);
}

/// Checks that the device finds the CPU's optimum in every precision. `singles`: relative tolerance in single precision.
pub fn same_optimum(
    context: &GpuContext,
    name: &str,
    options: &SolverOptions,
    singles: f64,
    state: impl Fn() -> Problem,
) {
    same_optimum_in(context, &precisions(context), name, options, singles, state);
}

/// The same, in some precisions: kernels of pairs take a software adapter long.
pub fn same_optimum_in(
    context: &GpuContext,
    precisions: &[Precision],
    name: &str,
    options: &SolverOptions,
    singles: f64,
    state: impl Fn() -> Problem,
) {
    let mut problem = state();
    let on_cpu = problem.solve(options).unwrap();
    for &precision in precisions {
        let mut problem = state();
        let report = solve(context, &mut problem, &on(context, precision, options));
        // Of the start cost, single precision can say nothing below the rounding of the residuals.
        let (relative, floor) = if precision == Precision::F32 { (singles, 1e-11) } else { (1e-6, 1e-18) };
        let (found, expected) = (report.final_cost, on_cpu.final_cost);
        let allowed = relative * expected + floor * on_cpu.initial_cost.max(1e-6);
        let table = report.iteration_table();
        let name = format!("{name}, {precision:?}");
        assert!((found - expected).abs() <= allowed, "{name}: {found:e} for {expected:e}\n{report}\n{table}");
        assert!(report.termination.is_converged() || precision == Precision::F32, "{name}: {report}\n{table}");
        assert_eq!(report.precision, precision);
    }
}

/// A block of parameters, and a function of it.
pub fn of_block(start: &[f64], function: impl FnOnce(&[Value]) -> Vec<Value>) -> Problem {
    let mut problem = Problem::new();
    let block = problem.add_parameter_block(start).unwrap();
    problem.add_residual(&[block], |x| function(&x[0])).unwrap();
    problem
}

pub fn rosenbrock() -> Problem {
    of_block(&[-1.2, 1.0], |x| vec![10.0 * (x[1] - x[0].square()), 1.0 - x[0]])
}

/// Points in a chain whose neighbours are to be a little more than one apart, held to a line: `count` blocks of 3.
pub fn chain(count: usize) -> Problem {
    chain_of_blocks(count).0
}

/// The same, with its blocks.
pub fn chain_of_blocks(count: usize) -> (Problem, Vec<BlockId>) {
    let mut problem = Problem::new();
    let start: Vec<f64> = noise(3 * count).iter().enumerate().map(|(k, n)| (k / 3) as f64 * 0.7 + 0.4 * n).collect();
    let points = problem.add_parameter_blocks(3, &start).unwrap();
    for (k, &point) in points.iter().enumerate() {
        let target = k as f64;
        problem.add_residual(&[point], |x| [x[0][0] - target, 0.9 * x[0][1], 0.8 * x[0][2]]).unwrap();
    }
    for pair in points.windows(2) {
        problem.add_residual(pair, |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - 1.05).unwrap();
    }
    (problem, points)
}

/// Numbers between −1 and 1 that are the same every time.
pub fn noise(count: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    (0..count).map(|_| next()).collect()
}
