//! Places in the state of a solve on a device, the same for the kernels and for those who read it.

use std::fmt::Write;

/// Names the places of the state one after the other, in Rust and in WGSL.
macro_rules! places {
    ($($(#[$doc:meta])* $name:ident $(+ $extra:literal)?;)*) => {
        #[derive(Clone, Copy)]
        #[repr(usize)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, dead_code)]
        enum Place { $($name,)* }
        $($(#[$doc])* pub const $name: usize = Place::$name as usize * 2;)*
        const PLACES: &[(&str, usize)] = &[$((stringify!($name), $name),)*];
    };
}

places! {
    /// Cost at the accepted point.
    COST;
    /// Trust region radius.
    RADIUS;
    /// What a rejected step divides the radius by.
    SHRINK;
    /// rᵀz of the present and the last iteration of conjugate gradients, by parity.
    RZ;
    /// The model's decrease, likewise.
    MODEL;
    /// Squared norm of the right-hand side.
    RR_START;
    /// 1 once conjugate gradients have done enough.
    DONE;
    /// Iterations of conjugate gradients in the last step.
    LINEAR_ITERATIONS;
    /// 1 if the last step was accepted.
    ACCEPTED;
    /// Why the solve is over; 0 while it runs.
    TERMINATED;
    /// Why the solve is to end after the present step.
    PENDING;
    /// Steps in a row that could not be evaluated.
    INVALID;
    /// Cost at the last trial point.
    TRIAL_COST;
    /// Decrease that the linear model predicted.
    MODEL_CHANGE;
    /// Actual over predicted decrease.
    GAIN_RATIO;
    /// Length of the last step.
    STEP_NORM;
    /// Largest component of the gradient.
    GRADIENT_MAX;
    /// Steps taken.
    ITERATION;
    /// Decrease promised for the first step from the accepted point; negative if there was none.
    PROMISE;
    /// Always 0, which no compiler knows.
    GUARD;
}

/// Numbers of the state; the partial sums follow.
pub const STATE: usize = 64;

/// Quantities with partial sums.
const QUANTITIES: [&str; 9] = ["RZ", "RR", "CURVATURE", "GRADIENT", "STEP", "POINT", "OUTSIDE", "COST", "CHANGE"];

/// Number of quantities with partial sums.
pub const PARTIAL_SUMS: usize = QUANTITIES.len();

/// Reasons to stop, as the state holds them.
pub const REASONS: [&str; 6] = [
    "FUNCTION_TOLERANCE",
    "GRADIENT_TOLERANCE",
    "PARAMETER_TOLERANCE",
    "PRECISION_LIMIT",
    "TRUST_REGION_COLLAPSED",
    "INVALID_STEPS",
];

/// The constants as WGSL.
pub(super) fn constants() -> String {
    let mut text = format!("const STATE: u32 = {STATE}u;\nconst PARTIAL_SUMS: u32 = {PARTIAL_SUMS}u;\n");
    for (name, place) in PLACES {
        let _ = writeln!(text, "const {name}: u32 = {place}u;");
    }
    for (k, name) in QUANTITIES.iter().enumerate() {
        let _ = writeln!(text, "const {name}_PARTIALS: u32 = {k}u;");
    }
    for (k, name) in REASONS.iter().enumerate() {
        let _ = writeln!(text, "const {name}: f32 = {}.0f;", k + 1);
    }
    text
}
