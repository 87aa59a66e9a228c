//! Every operation, and random graphs of operations, against central differences.

mod differences;
mod expressions;

use differences::slopes;
use expressions::apply;
use isograd::Value;
use isograd::value::op::Op;
use nalgebra::{RealField, convert};
use proptest::prelude::*;

/// Brings three numbers from [−1, 1] into the domain of `op`, short of its poles.
fn into_domain(op: Op, unit: [f64; 3]) -> [f64; 3] {
    let [a, b, c] = unit;
    let positive = |u: f64| (3.0 * u).exp();
    let nonzero = |u: f64| (3.0 * u.abs()).exp().copysign(u) / 5.0;
    match op {
        Op::Sqrt | Op::Ln | Op::Log2 | Op::Log10 => [positive(a), b, c],
        Op::Ln1p => [positive(a) - 1.0, b, c],
        Op::Asin | Op::Acos | Op::Atanh => [0.95 * a, b, c],
        Op::Acosh => [1.05 + positive(a), b, c],
        Op::Tan => [1.4 * a, b, c],
        Op::Recip | Op::Cbrt | Op::Powi(_) => [nonzero(a), b, c],
        Op::Div => [5.0 * a, nonzero(b), c],
        Op::Rem => [5.0 * a, 2.5 * nonzero(b), c],
        Op::Powf => [positive(a), 3.0 * b, c],
        _ => unit.map(|u| 4.0 * u),
    }
}

/// Whether the operation is smooth for a few difference steps around the point.
fn is_smooth(op: Op, [a, b, c]: [f64; 3]) -> bool {
    let apart = |x: f64, y: f64| (x - y).abs() > 0.02;
    let between_integers = |x: f64| apart(x, x.round());
    match op {
        Op::Abs | Op::Sign | Op::Trunc if !apart(a, 0.0) => false,
        Op::Floor | Op::Ceil | Op::Trunc => between_integers(a),
        Op::Round => between_integers(a + 0.5),
        Op::Rem => between_integers(a / b),
        Op::Min | Op::Max | Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge => apart(a, b),
        Op::Copysign => apart(a, 0.0) && apart(b, 0.0),
        Op::Atan2 => a.hypot(b) > 0.1 && (b > 0.0 || apart(a, 0.0)),
        Op::Hypot => a.hypot(b) > 0.1,
        Op::Select => apart(a, 0.0),
        Op::Clamp => apart(a, b) && apart(a, c) && apart(b, c),
        _ => true,
    }
}

/// Compares value and derivatives of one operation; false where there was nothing to compare.
fn compare(op: Op, unit: [f64; 3]) -> bool {
    let point = into_domain(op, unit);
    if op.is_leaf() || !is_smooth(op, point) {
        return false;
    }
    Value::scope(|| {
        let inputs = point.map(Value::variable);
        let value = apply(op, &inputs);
        let evaluate = |x: &[f64]| op.evaluate(x[0], x[1], x[2]);
        assert_eq!(value.check(), Ok(evaluate(&point)), "{op:?} at {point:?}");
        assert!(value.to_text().unwrap().contains(&format!(" = {}", op.name())), "{op:?} is recorded under its name");

        let gradient = value.gradient(&inputs).unwrap();
        for (grad, slope) in gradient.iter().zip(slopes(evaluate, &point)) {
            assert!(slope.agrees(*grad, 1e-6), "{op:?} at {point:?}: derivative {grad} for {slope:?}");
        }
        true
    })
}

#[test]
fn every_operation_is_compared() {
    let grid = [-0.93, -0.61, -0.27, 0.18, 0.44, 0.86];
    for &op in Op::ALL {
        let mut compared = 0;
        for a in grid {
            for b in grid {
                for c in grid {
                    compared += usize::from(compare(op, [a, b, c]));
                }
            }
        }
        assert!(compared > 50 || op.is_leaf(), "{op:?} was compared at {compared} points");
    }
}

proptest! {
    #[test]
    fn operations_agree_with_differences(unit in [-1.0..1.0, -1.0..1.0, -1.0..1.0_f64]) {
        for &op in Op::ALL {
            compare(op, unit);
        }
    }

    #[test]
    fn integer_powers_agree_with_differences(unit in -1.0..1.0_f64, n in -6..=9_i32) {
        compare(Op::Powi(n), [unit, 0.0, 0.0]);
    }

    #[test]
    fn graphs_agree_with_differences(
        point in prop::collection::vec(-2.0..2.0_f64, 1..=4),
        steps in prop::collection::vec((0..STEPS, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..16),
    ) {
        let on_f64 = |x: &[f64]| graph(x, &steps);
        Value::scope(|| {
            let inputs: Vec<Value> = point.iter().map(|&number| Value::variable(number)).collect();
            let output = graph(&inputs, &steps);
            let expected = on_f64(&point);
            prop_assert!((output.primal() - expected).abs() <= 1e-13 * expected.abs().max(1.0));

            Value::zero_grad();
            output.backward();
            prop_assert_eq!(output.gradient(&inputs).unwrap(), inputs.iter().map(|x| x.grad()).collect::<Vec<_>>());
            for (input, slope) in inputs.iter().zip(slopes(on_f64, &point)) {
                // Where the differences themselves are in doubt they judge nobody.
                prop_assume!(slope.error < 1e-6 * slope.value.abs().max(1.0));
                prop_assert!(slope.agrees(input.grad(), 1e-6), "derivative {} for {:?}", input.grad(), slope);
            }
            Ok(())
        })?;
    }
}

const STEPS: usize = 20;

/// One operation of a random graph, smooth and finite everywhere and slow to grow.
fn step<T: RealField + Copy>(kind: usize, a: T, b: T) -> T {
    let one = T::one();
    match kind {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => a / (b * b + one),
        4 => -a,
        5 => a.sin(),
        6 => a.cos() * b,
        7 => a.atan(),
        8 => a.tanh(),
        9 => a.asinh(),
        10 => (a * a + one).sqrt(),
        11 => (a * a + one).ln(),
        12 => a.tanh().exp(),
        13 => a.hypot(b.hypot(one)),
        14 => a.atan2(b.sin() + convert(2.0)),
        15 => (b.cos() + convert(1.5)).powf(a.sin()),
        16 => (a.sin() + convert(2.0)).powi(-2),
        17 => (a.sin() * convert(0.9)).asin(),
        18 => (a * a + one).cbrt() - (b.cos() + convert(2.0)).recip(),
        19 => (a.cos() + convert(2.0)).log2() + b.tanh().exp_m1(),
        _ => unreachable!("{STEPS} kinds of steps"),
    }
}

/// A graph over the inputs: every step picks its arguments among all that is there, the last one is the output.
fn graph<T: RealField + Copy>(inputs: &[T], steps: &[(usize, prop::sample::Index, prop::sample::Index)]) -> T {
    let mut values = inputs.to_vec();
    for (kind, a, b) in steps {
        values.push(step(*kind, *a.get(&values), *b.get(&values)));
    }
    values[values.len() - 1]
}
