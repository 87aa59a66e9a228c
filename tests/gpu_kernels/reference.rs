//! What the CPU says, and how far from it a device may be.

use isograd::Problem;
use isograd::backend::gpu::GpuContext;
use isograd::device::{Accumulation, GpuDerivatives};
use isograd::kernel::wgsl::{Format, Formats};
use isograd::problem::{CompiledProblem, Evaluation};

pub const F64: Formats = Formats { real: Format::F64, sum: Format::F64 };
pub const F32: Formats = Formats { real: Format::F32, sum: Format::DoubleF32 };
pub const DOUBLE_F32: Formats = Formats { real: Format::DoubleF32, sum: Format::DoubleF32 };

/// Numbers that look random, are the same every time, and are exact in single precision.
pub struct Numbers(pub u64);

impl Numbers {
    /// Between 0 and 1.
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }

    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        f64::from((low + (high - low) * self.next()) as f32)
    }

    /// Between −2 and 2, and not too near 0.
    pub fn signed(&mut self) -> f64 {
        let number = self.between(-2.0, 2.0);
        f64::from((number + 0.1_f64.copysign(number)) as f32)
    }

    pub fn below(&mut self, size: usize) -> usize {
        (self.next() * size as f64) as usize
    }
}

/// A sum over instances, and the sum of the terms' sizes, which rounding errors are relative to.
pub struct Sums {
    pub values: Vec<f64>,
    pub sizes: Vec<f64>,
}

/// Derivatives by the CPU.
pub struct Reference {
    pub evaluation: Evaluation,
    pub gradient: Sums,
    pub product: Sums,
    /// The direction of the product.
    pub direction: Vec<f64>,
}

impl Reference {
    pub fn new(problem: &Problem, compiled: &CompiledProblem, x: &[f64], free: impl Fn(usize) -> bool) -> Self {
        let mut numbers = Numbers(17);
        let direction: Vec<f64> = x.iter().map(|_| numbers.signed()).collect();
        assert_eq!(x.len(), problem.parameters().values().len());
        let mut evaluation = compiled.new_evaluation();
        compiled.linearize(x, &mut evaluation).unwrap();
        let mut rows = vec![0.0; compiled.residuals()];
        let mut row_sizes = rows.clone();
        compiled.for_each_entry(&evaluation, |row, parameter, derivative| {
            let term = if free(parameter) { derivative * direction[parameter] } else { 0.0 };
            rows[row] += term;
            row_sizes[row] += term.abs();
        });
        let transpose = |vector: &[f64], sizes: &[f64]| {
            let mut sums = Sums { values: vec![0.0; x.len()], sizes: vec![0.0; x.len()] };
            compiled.for_each_entry(&evaluation, |row, parameter, derivative| {
                if free(parameter) {
                    sums.values[parameter] += derivative * vector[row];
                    sums.sizes[parameter] += (derivative * sizes[row]).abs();
                }
            });
            sums
        };
        let gradient = transpose(&evaluation.residuals, &evaluation.residuals);
        let product = transpose(&rows, &row_sizes);
        Reference { gradient, product, direction, evaluation }
    }
}

/// Panics unless each number agrees to `tolerance`, relative to the larger of itself and its size.
#[track_caller]
pub fn assert_close(what: &str, found: &[f64], expected: &[f64], sizes: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (k, ((&found, &expected), &size)) in found.iter().zip(expected).zip(sizes).enumerate() {
        let scale = expected.abs().max(size.abs());
        assert!(
            (found - expected).abs() <= tolerance * scale,
            "{what} {k}: {found} for {expected}, of terms of {size}; off by {:e}",
            (found - expected).abs() / scale
        );
    }
}

/// Compares everything at `x` in a format; numbers are relative to their size, and to `scale` where that is more.
#[track_caller]
pub fn compare(
    context: &GpuContext,
    problem: &Problem,
    x: &[f64],
    formats: Formats,
    accumulation: Accumulation,
    (tolerance, scale): (f64, f64),
) {
    let compiled = problem.compile().unwrap();
    let device = GpuDerivatives::new(context, &compiled, problem.parameters(), formats, accumulation).unwrap();
    compare_all(&device, problem, &compiled, x, |_| true, (tolerance, scale));
}

#[track_caller]
pub fn compare_all(
    device: &GpuDerivatives,
    problem: &Problem,
    compiled: &CompiledProblem,
    x: &[f64],
    free: impl Fn(usize) -> bool,
    (tolerance, scale): (f64, f64),
) {
    let Reference { evaluation, gradient, product, direction } = Reference::new(problem, compiled, x, free);
    let at_least = |sizes: &[f64]| sizes.iter().map(|size| size.abs().max(scale)).collect::<Vec<f64>>();
    let residual_sizes = at_least(&evaluation.residuals);
    let residuals = device.residuals(x).unwrap();
    assert_close("residual", &residuals, &evaluation.residuals, &residual_sizes, tolerance);
    let found = device.linearize(x).unwrap();
    assert_close("residual of linearize", &found.residuals, &evaluation.residuals, &residual_sizes, tolerance);
    assert_close("stored", &found.stored, &evaluation.stored, &at_least(&evaluation.stored), tolerance);
    let found = device.gradient(x).unwrap();
    assert_close("gradient", &found, &gradient.values, &at_least(&gradient.sizes), tolerance);
    let found = device.jtj_product(x, &direction).unwrap();
    assert_close("product", &found, &product.values, &at_least(&product.sizes), tolerance);
}
