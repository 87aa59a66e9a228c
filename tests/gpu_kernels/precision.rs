//! How far every operation of one or two arguments is from its value, over the whole range of its arguments.
//!
//! `ISOGRAD_SWEEP_POINTS` says how many points an operation is to have, and has the largest errors printed:
//!
//! ```text
//! ISOGRAD_SWEEP_POINTS=4194304 cargo test --test gpu_kernels -- precision
//! ```

use super::accurate::{Pair, evaluate, exponent};
use super::expressions::{apply, operations};
use super::samples::{Range, Samples};
use isograd::backend::gpu::GpuContext;
use isograd::device::{Accumulation, GpuDerivatives};
use isograd::kernel::wgsl::Format;
use isograd::value::op::Op;
use isograd::{BlockId, Problem};
use rayon::prelude::*;

/// Points of an operation that are evaluated together.
const CHUNK: usize = 1 << 13;

/// Points of an operation unless the environment says otherwise.
const POINTS: usize = 1 << 16;

/// What of a format's error is bounded, and how.
#[derive(Clone, Copy)]
enum Bound {
    Exact,
    /// Units in the last place.
    Ulps(f64),
    /// Relative to the value, but for what is flushed.
    Relative(f64),
}

fn bound(op: Op, format: Format) -> Bound {
    use Op::*;
    let exact = matches!(
        op,
        Neg | Abs | Sign | Floor | Ceil | Round | Trunc | Rem | Min | Max | Copysign | Eq | Ne | Lt | Le | Gt | Ge
    );
    let arithmetic = matches!(op, Add | Sub | Mul | Div | Recip | Sqrt);
    match format {
        _ if exact => Bound::Exact,
        Format::F64 | Format::F32 if matches!(op, Add | Sub | Mul) => Bound::Ulps(0.5),
        Format::F64 => Bound::Ulps(2.0),
        // Vulkan leaves a division 2.5 units, and some functions divide last.
        Format::F32 => Bound::Ulps(5.0),
        Format::DoubleF32 if arithmetic => Bound::Relative(1e-13),
        Format::DoubleF32 => Bound::Relative(1e-12),
    }
}

/// The largest error that was found, in the unit of its bound.
#[derive(Debug, Clone, Copy)]
struct Worst {
    error: f64,
    point: [f64; 2],
    found: f64,
    value: Pair,
    /// The largest error of the platform's function.
    platform: f64,
}

impl Worst {
    const NONE: Worst =
        Worst { error: 0.0, point: [0.0; 2], found: 0.0, value: Pair { hi: 0.0, lo: 0.0 }, platform: 0.0 };

    fn or(self, other: Worst) -> Worst {
        // What is not a number is the worst.
        let worse = other.error.is_nan() || other.error > self.error;
        Worst { platform: self.platform.max(other.platform), ..if worse { other } else { self } }
    }
}

/// |found − value| in units of the last of `digits` places of the value.
fn ulps(found: f64, value: Pair, digits: i32) -> f64 {
    if value.hi == 0.0 {
        return if found == 0.0 { 0.0 } else { f64::INFINITY };
    }
    ((found - value.hi) - value.lo).abs() / f64::from((exponent(value.hi) + 1 - digits).max(-1074)).exp2()
}

fn error(op: Op, format: Format, found: f64, value: Pair) -> f64 {
    match (bound(op, format), format) {
        (Bound::Exact, _) => f64::from(found != value.hi),
        (Bound::Relative(_), _) => {
            let off = ((found - value.hi) - value.lo).abs();
            // The second number of a pair may be flushed to 0, and so may what it is summed of.
            let rest = off - 2f64.powi(-123);
            if rest <= 0.0 { 0.0 } else { rest / value.hi.abs() }
        }
        (Bound::Ulps(_), Format::F32) => ulps(found, value, 24),
        (Bound::Ulps(_), _) => ulps(found, value, 53),
    }
}

fn is_swept(op: &Op) -> bool {
    // Powers by multiplication are rounded as often as they multiply: the operations of arithmetic are what is to be tested.
    op.arity() <= 2 && (!matches!(op, Op::Powi(_)) || *op == Op::Powi(2))
}

fn check(context: &GpuContext, range: Range) {
    let asked = std::env::var("ISOGRAD_SWEEP_POINTS").ok();
    let points: usize = asked.as_ref().map_or(POINTS, |points| points.parse().expect("a number of points"));
    let rounds = points.div_ceil(CHUNK);
    let ops: Vec<Op> = operations().into_iter().filter(is_swept).collect();
    let format = range.formats.real;
    let sample = |round: usize| -> Vec<[f64; 2]> {
        let of_op = |(k, &op): (usize, &Op)| {
            let mut samples = Samples::new(range, op, (round * ops.len() + k) as u64);
            (0..CHUNK).map(|_| samples.point()).collect::<Vec<_>>()
        };
        ops.par_iter().enumerate().map(|(k, op)| of_op((k, op))).flatten().collect()
    };
    let mut all = sample(0);
    let mut problem = Problem::new();
    let blocks = problem.add_parameter_blocks(2, all.as_flattened()).unwrap();
    for (op, blocks) in ops.iter().zip(blocks.chunks(CHUNK)) {
        let rows: Vec<[BlockId; 1]> = blocks.iter().map(|&block| [block]).collect();
        problem.add_residual_batch(&rows, &(), |x, _| apply(*op, &x[0][..op.arity()])).unwrap();
    }
    let compiled = problem.compile().unwrap();
    let parameters = problem.parameters();
    let device = GpuDerivatives::new(context, &compiled, parameters, range.formats, Accumulation::Auto).unwrap();
    let mut worst = vec![Worst::NONE; ops.len()];
    for round in 0..rounds {
        let residuals = device.residuals(all.as_flattened()).unwrap_or_else(|error| panic!("{format:?}: {error}"));
        let measure = |k: usize| {
            let op = ops[k / CHUNK];
            let (point, found) = (all[k], residuals[compiled.row_of(k).unwrap()]);
            let platform = op.evaluate(point[0], point[1], 0.0);
            let value = evaluate(op, point[0], point[1]);
            let platform = ulps(platform, value, 53);
            Worst { error: error(op, format, found, value), point, found, value, platform }
        };
        worst.par_iter_mut().enumerate().for_each(|(op, worst)| {
            *worst = (op * CHUNK..(op + 1) * CHUNK).map(measure).fold(*worst, Worst::or);
        });
        if round + 1 < rounds {
            all = sample(round + 1);
        }
    }
    let mut off = Vec::new();
    for (op, worst) in ops.iter().zip(&worst) {
        let Worst { error, point, found, value, platform } = worst;
        let (limit, unit) = match bound(*op, format) {
            Bound::Exact => (0.0, " times"),
            Bound::Ulps(limit) => (limit, " ulp"),
            Bound::Relative(limit) => (limit, ""),
        };
        let arguments = &point[..op.arity()];
        if asked.is_some() {
            eprintln!("{format:?} {op:?}: {error:.3e}{unit} at {arguments:?} (platform {platform:.2} ulp)");
        }
        if error.is_nan() || *error > limit {
            let value = value.hi;
            off.push(format!("{op:?} at {arguments:?}: {found:e} for {value:e}, off by {error:e}{unit}"));
        }
        // Else the values that devices are measured by are wrong.
        assert!(*platform < 5.0, "{op:?} of the platform is off by {platform} ulp");
    }
    assert!(off.is_empty(), "{format:?}, {points} points an operation:\n{}", off.join("\n"));
}

pub fn of_f64(context: &GpuContext) {
    check(context, Range::F64);
}

pub fn of_double_f32(context: &GpuContext) {
    check(context, Range::DOUBLE_F32);
}

pub fn of_f32(context: &GpuContext) {
    check(context, Range::F32);
}
