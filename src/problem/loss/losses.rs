//! The losses of the literature, each of a width a > 0 in the units of the residual.

use super::Loss;
use crate::Value;

/// Declares a loss of one width.
macro_rules! losses {
    ($($(#[$doc:meta])* $name:ident, $label:literal, |$a:ident, $s:ident| $rho:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq)]
            pub struct $name(
                /// The width a.
                pub f64,
            );

            impl Loss for $name {
                fn name(&self) -> String {
                    format!(concat!($label, "({})"), self.0)
                }

                fn rho(&self, $s: Value) -> Value {
                    let $a = self.0;
                    $rho
                }

                fn is_concave(&self) -> bool {
                    true
                }
            }
        )*
    };
}

losses! {
    /// ρ(s) = s for s ≤ a², else 2a√s − a²: linear in the size of an outlier.
    Huber, "Huber", |a, s| {
        let inside = s.less_equal(a * a);
        // The root is never taken near 0, where its derivative has no bound.
        let root = Value::select(inside, a * a, s).sqrt();
        Value::select(inside, s, 2.0 * a * root - a * a)
    };
    /// ρ(s) = 2a² (√(1 + s/a²) − 1): Huber's loss without the kink.
    SoftL1, "SoftL1", |a, s| {
        let t = s / (a * a);
        // √(1 + t) − 1 without the cancellation at small t.
        2.0 * a * a * (t / ((1.0 + t).sqrt() + 1.0))
    };
    /// ρ(s) = a² ln(1 + s/a²).
    Cauchy, "Cauchy", |a, s| a * a * (s / (a * a)).ln_1p();
    /// ρ(s) = a atan(s/a): an outlier costs at most πa/2.
    Arctan, "Arctan", |a, s| a * (s / a).atan();
    /// Tukey's biweight: ρ(s) = a²/3 (1 − (1 − s/a²)³) for s ≤ a², else a²/3.
    Tukey, "Tukey", |a, s| {
        let rest = (1.0 - s / (a * a)).max(0.0);
        let t = s / (a * a);
        let inside = s.less_equal(a * a);
        // 1 − (1 − t)³ without the cancellation at small t; both branches are 1 at t = 1.
        Value::select(inside, a * a / 3.0 * (t * (1.0 + rest + rest * rest)), a * a / 3.0)
    };
    /// ρ(s) = a² s / (a² + s).
    GemanMcClure, "GemanMcClure", |a, s| a * a * s / (a * a + s);
    /// ρ(s) = a² (1 − exp(−s/a²)).
    Welsch, "Welsch", |a, s| -a * a * (-s / (a * a)).exp_m1();
    /// ρ(s) = 2a² (√s/a − ln(1 + √s/a)).
    Fair, "Fair", |a, s| {
        // At s = 0 the root has no derivative; the loss has.
        let tiny = a * a * 1e-24;
        let t = Value::select(s.less(tiny), tiny, s).sqrt() / a;
        // Σ 2 (−t)ᵏ / (k + 2), where t − ln(1 + t) would cancel.
        let series = (0..8).rev().fold(Value::ZERO, |sum, k| 2.0 / f64::from(k + 2) - t * sum);
        let small = t.less(1e-2);
        Value::select(small, s * series, 2.0 * a * a * (t - t.ln_1p()))
    };
}

/// ρ(s) = s: no loss.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trivial;

impl Loss for Trivial {
    fn name(&self) -> String {
        "trivial".to_owned()
    }

    fn rho(&self, s: Value) -> Value {
        s
    }

    fn is_concave(&self) -> bool {
        true
    }
}

/// ρ(s) = b ln(1 + e^((s − a)/b)) − b ln(1 + e^(−a/b)): next to nothing up to s = a, which is in squared units of the residual, and linear
/// from there on, with a bend of width b.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerant {
    /// Where the loss bends.
    pub a: f64,
    /// How wide the bend is.
    pub b: f64,
}

impl Loss for Tolerant {
    fn name(&self) -> String {
        format!("Tolerant({}, {})", self.a, self.b)
    }

    fn rho(&self, s: Value) -> Value {
        let offset = self.b * (-self.a / self.b).exp().ln_1p();
        self.b * ((s - self.a) / self.b).softplus() - offset
    }
}
