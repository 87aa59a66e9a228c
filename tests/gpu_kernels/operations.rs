//! Every operation, each a group of one problem, on some hundred points inside its domain.

use super::expressions::{apply, operations};
use super::reference::{DOUBLE_F32, F32, F64, Numbers};
use isograd::backend::gpu::GpuContext;
use isograd::device::{Accumulation, GpuDerivatives};
use isograd::kernel::wgsl::Formats;
use isograd::value::op::Op;
use isograd::{BlockId, Problem, Value};

const POINTS: usize = 120;

/// Points with ties, zeros and whole numbers.
const AXIS: [f64; 7] = [-2.0, -1.0, -0.25, 0.0, 0.25, 1.0, 1.75];

/// Where the first two arguments are drawn from.
fn domain(op: Op) -> [(f64, f64); 2] {
    let first = match op {
        Op::Sqrt | Op::Ln | Op::Log2 | Op::Log10 | Op::Recip => (0.1, 8.0),
        Op::Powi(_) | Op::Powf => (0.2, 3.0),
        Op::Ln1p => (-0.9, 5.0),
        Op::Asin | Op::Acos | Op::Atanh => (-0.95, 0.95),
        Op::Acosh => (1.05, 6.0),
        Op::Tan => (-1.4, 1.4),
        _ => (-5.0, 5.0),
    };
    let second = match op {
        Op::Div | Op::Rem | Op::Hypot | Op::Atan2 => (0.3, 3.0),
        _ => (-3.0, 3.0),
    };
    [first, second]
}

/// A point of an operation with its value and gradient.
struct Case {
    op: Op,
    point: [f64; 3],
    value: f64,
    gradient: Vec<f64>,
}

fn cases() -> Vec<Case> {
    let mut numbers = Numbers(3);
    let mut cases = Vec::new();
    for op in operations() {
        let [first, second] = domain(op);
        let mut random =
            || [numbers.between(first.0, first.1), numbers.between(second.0, second.1), numbers.between(-3.0, 3.0)];
        let mut points: Vec<[f64; 3]> = (0..POINTS).map(|_| random()).collect();
        let axis = |used: bool| if used { &AXIS[..] } else { &AXIS[..1] };
        for &a in &AXIS {
            for &b in axis(op.arity() > 1) {
                points.extend(axis(op.arity() > 2).iter().map(|&c| [a, b, c]));
            }
        }
        for point in points {
            let value = op.evaluate(point[0], point[1], point[2]);
            let gradient = Value::scope(|| {
                let leaves = point.map(Value::variable);
                apply(op, &leaves[..op.arity()]).gradient(&leaves).unwrap()
            });
            if value.is_finite() && gradient.iter().all(|g| g.is_finite()) {
                cases.push(Case { op, point, value, gradient });
            }
        }
    }
    cases
}

fn check(context: &GpuContext, formats: Formats, tolerance: f64) {
    let cases = cases();
    let mut problem = Problem::new();
    let points: Vec<f64> = cases.iter().flat_map(|case| case.point).collect();
    let blocks = problem.add_parameter_blocks(3, &points).unwrap();
    for op in operations() {
        let mine = cases.iter().zip(&blocks).filter(|(case, _)| case.op == op);
        let rows: Vec<[BlockId; 1]> = mine.map(|(_, &block)| [block]).collect();
        assert!(rows.len() >= POINTS / 2, "{op:?} has {} points", rows.len());
        problem.add_residual_batch(&rows, &(), |x, _| apply(op, &x[0][..op.arity()])).unwrap();
    }
    let compiled = problem.compile().unwrap();
    let device = GpuDerivatives::new(context, &compiled, problem.parameters(), formats, Accumulation::Auto).unwrap();
    let evaluation = device.linearize(&points).unwrap();
    let mut gradients = vec![[0.0; 3]; cases.len()];
    let mut case_of = vec![0; cases.len()];
    for (case, row) in compiled.rows().enumerate() {
        case_of[row] = case;
    }
    compiled.for_each_entry(&evaluation, |row, parameter, derivative| {
        gradients[case_of[row]][parameter - 3 * case_of[row]] += derivative;
    });
    let mut worst: Vec<String> = Vec::new();
    for (k, (case, gradient)) in cases.iter().zip(&gradients).enumerate() {
        let found = evaluation.residuals[compiled.row_of(k).unwrap()];
        let numbers =
            std::iter::once((found, case.value)).chain(gradient.iter().copied().zip(case.gradient.iter().copied()));
        for (which, (found, expected)) in numbers.enumerate() {
            // What rounding leaves where terms cancel is relative to the terms, which are about 1.
            let scale = expected.abs().max(if formats == F64 { 1e-2 } else { 1.0 });
            let off = (found - expected).abs() / scale;
            if off.is_nan() || off > tolerance {
                let Case { op, point, .. } = case;
                worst.push(format!("{op:?} at {point:?}, number {which}: {found} for {expected}, off by {off:e}"));
            }
        }
    }
    assert!(
        worst.is_empty(),
        "{} of {} are off:\n{}",
        worst.len(),
        cases.len(),
        worst[..worst.len().min(20)].join("\n")
    );
}

pub fn in_f64(context: &GpuContext) {
    check(context, F64, 1e-14);
}

pub fn in_double_f32(context: &GpuContext) {
    check(context, DOUBLE_F32, 1e-11);
}

pub fn in_f32(context: &GpuContext) {
    check(context, F32, 1e-5);
}
