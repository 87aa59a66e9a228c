//! What does not fit in one piece, and what goes wrong.

use super::reference::{F32, F64, compare_all};
use isograd::Problem;
use isograd::backend::gpu::{GpuContext, GpuError, GpuOptions};
use isograd::device::{Accumulation, DerivativesError, DeviceProblem, GpuDerivatives, Settings};
use isograd::kernel::wgsl::Slot;
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::mesh::icosphere;

pub fn double_f32_passes_its_self_test(context: &GpuContext) {
    assert!(context.double_f32_works().unwrap());
    let before = context.statistics().dispatches;
    assert!(context.double_f32_works().unwrap());
    assert_eq!(context.statistics().dispatches, before, "it is run once");
}

fn with_limit(bytes: u64) -> GpuContext {
    GpuContext::new(&GpuOptions { max_binding_bytes: Some(bytes), ..GpuOptions::default() }).unwrap()
}

pub fn small_bindings_make_shards(_: &GpuContext) {
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(2).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let x = problem.parameters().values();
    let context = with_limit(4 << 10);
    for (formats, accumulation, tolerance) in
        [(F64, Accumulation::Gather, 1e-12), (F32, Accumulation::Gather, 2e-6), (F32, Accumulation::Atomic, 2e-6)]
    {
        let device = GpuDerivatives::new(&context, &compiled, problem.parameters(), formats, accumulation).unwrap();
        assert!(device.shards() > 2, "{} shards", device.shards());
        compare_all(&device, &problem, &compiled, x, |_| true, (tolerance, 1.0));
        compare_all(&device, &problem, &compiled, x, |_| true, (tolerance, 1.0));
    }
    let whole =
        GpuDerivatives::new(&with_limit(1 << 20), &compiled, problem.parameters(), F64, Accumulation::Auto).unwrap();
    assert_eq!(whole.shards(), 1);
}

pub fn parameters_have_to_fit_a_binding(_: &GpuContext) {
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(2).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let error = GpuDerivatives::new(&with_limit(1 << 10), &compiled, problem.parameters(), F64, Accumulation::Auto);
    let error = error.unwrap_err();
    assert!(matches!(error, GpuError::TooLarge { limit: 1024, .. }), "{error}");
}

pub fn workgroups_fill_two_dimensions(context: &GpuContext) {
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(1).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let x = problem.parameters().values();
    let idle = 66_000;
    let device =
        GpuDerivatives::with_idle_workgroups(context, &compiled, problem.parameters(), F64, Accumulation::Auto, idle);
    compare_all(&device.unwrap(), &problem, &compiled, x, |_| true, (1e-12, 1.0));
}

/// A step of a solve with workgroups in front of each dispatch that do nothing, and in dispatches of few instances.
pub fn steps_fill_two_dimensions(context: &GpuContext) {
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(1).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let steps = |idle_workgroups: u32, batch_size: Option<usize>| {
        let settings = Settings {
            jacobi_scaling: true,
            max_diagonal: 1e32,
            min_diagonal: 1e-6,
            initial_radius: 1e4,
            max_radius: 1e16,
            max_linear_iterations: 1,
            idle_workgroups,
            batch_size,
            ..Settings::default()
        };
        let device = DeviceProblem::new(context, &compiled, problem.parameters(), F64, &settings).unwrap();
        let mut commands = context.commands("start");
        device.record_start(&mut commands).unwrap();
        commands.submit().wait(context).unwrap();
        let mut commands = context.commands("step");
        device.record_step(&mut commands, 1).unwrap();
        commands.submit().wait(context).unwrap();
        context.check().unwrap();
        device.read(Slot::Point).unwrap()
    };
    let once = steps(0, None);
    assert!(once.iter().zip(problem.parameters().values()).any(|(after, before)| after != before), "no step");
    assert_eq!(steps(66_000, None), once);
    assert_eq!(steps(1, Some(40)), once);
}

pub fn a_residual_that_is_not_finite_is_named(context: &GpuContext) {
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(1, &[9.0, 8.0, 7.0, 6.0]).unwrap();
    for &block in &blocks {
        problem.add_residual(&[block], |x| (x[0][0] - 2.0).sqrt()).unwrap();
    }
    problem.set_name(0..4, "root");
    let compiled = problem.compile().unwrap();
    for formats in [F64, F32] {
        let device =
            GpuDerivatives::new(context, &compiled, problem.parameters(), formats, Accumulation::Auto).unwrap();
        let bad = [9.0, 8.0, 1.0, 6.0];
        let outcomes = [
            device.residuals(&bad).map(|_| ()),
            device.linearize(&bad).map(|_| ()),
            device.gradient(&bad).map(|_| ()),
            device.jtj_product(&bad, &[1.0; 4]).map(|_| ()),
        ];
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            let DerivativesError::NonFinite(culprit) = &error else { panic!("{error}") };
            assert_eq!((culprit.name.as_deref(), culprit.residual_block), (Some("root"), 2), "{error}");
            assert!(error.to_string().contains("sqrt"), "{error}");
        }
        assert!(device.gradient(problem.parameters().values()).is_ok());
    }
}

pub fn points_of_the_wrong_length_are_refused(context: &GpuContext) {
    let problem = MeshProblem::new(Energy::Smooth, &icosphere(0).unwrap()).unwrap().problem;
    let compiled = problem.compile().unwrap();
    let device = GpuDerivatives::new(context, &compiled, problem.parameters(), F64, Accumulation::Auto).unwrap();
    assert!(matches!(device.residuals(&[1.0]), Err(DerivativesError::Problem(_))));
    let x = problem.parameters().values();
    assert!(matches!(device.jtj_product(x, &[1.0]), Err(DerivativesError::Problem(_))));
}
