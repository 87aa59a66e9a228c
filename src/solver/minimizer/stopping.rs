//! When to stop.

use super::{Minimizer, Progress, ROUNDING, SMALL_PROMISE, Termination};
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

/// Why a solve is over, and that in words.
type Outcome = (Termination, String);

impl<C: AsyncFnMut(Progress<'_>) -> ControlFlow<()>> Minimizer<'_, C> {
    /// Looks at the gradient of a new point.
    pub(super) fn gradient_tolerance_reached(&mut self) -> Option<Outcome> {
        let norm = self.bounds.gradient_max_norm(self.problem.parameters.values(), &self.equations.gradient);
        self.gradient_norm = norm;
        (norm <= self.options.gradient_tolerance).then(|| {
            let message = format!("{}: |gradient| {norm:.2e}", Termination::GradientTolerance.describe());
            (Termination::GradientTolerance, message)
        })
    }

    pub(super) fn parameter_tolerance_reached(&self, step_norm: f64) -> Option<Outcome> {
        let (length, tolerance) =
            (self.equations.length(self.problem.parameters.values()), self.options.parameter_tolerance);
        (step_norm <= tolerance * (length + tolerance)).then(|| {
            let message = format!("{}: step {step_norm:.2e}", Termination::ParameterTolerance.describe());
            (Termination::ParameterTolerance, message)
        })
    }

    pub(super) fn function_tolerance_reached(&self, trial_cost: f64) -> Option<Outcome> {
        let change = (self.cost - trial_cost).abs();
        (change <= self.options.function_tolerance * self.cost).then(|| {
            let relative = change / self.cost;
            let message = format!("{}: relative change {relative:.2e}", Termination::FunctionTolerance.describe());
            (Termination::FunctionTolerance, message)
        })
    }

    /// Why not to try again after a rejected step that promised this change, if rounding is to blame.
    pub(super) async fn lost_in_rounding(&mut self, change: f64) -> Option<Outcome> {
        let rounding = ROUNDING * self.evaluator.rounding();
        let is_first = self.promise.is_none();
        // A short step promises little wherever it is taken; only the first one from a point says how good the point is.
        let promise = *self.promise.get_or_insert(change);
        let is_lost = change <= rounding * self.cost;
        // Of a cost that fell so far, what is left may be the rounding of residuals that fit exactly.
        let may_be_exact = is_first && self.cost <= rounding * self.initial_cost;
        let small = self.options.function_tolerance.max(SMALL_PROMISE * rounding);
        let reason = if is_lost && promise <= small * self.cost
            || (is_lost || may_be_exact) && promise <= self.change_by_last_bits().await
        {
            Termination::PrecisionLimit
        } else if is_lost {
            Termination::TrustRegionCollapsed
        } else {
            return None;
        };
        Some((reason, reason.describe().to_owned()))
    }

    /// How much the cost changes when parameters move by their last bits. Residuals that are differences of large numbers, as those of an
    /// exact fit, are not told more precisely, whatever the rounding of the cost itself.
    async fn change_by_last_bits(&mut self) -> f64 {
        let mut most = 0.0f64;
        for ways in [[true, true], [false, false], [true, false], [false, true]] {
            for (k, (trial, &x)) in self.trial_x.iter_mut().zip(self.problem.parameters.values()).enumerate() {
                *trial = if ways[k % 2] { x.next_up() } else { x.next_down() };
            }
            let evaluated =
                self.evaluator.objective(self.compiled, &self.trial_x, &mut self.trial, &mut self.notes).await;
            if evaluated.is_ok() {
                most = most.max((self.trial.cost() - self.cost).abs());
            }
        }
        most
    }

    pub(super) fn limit_reached(&self) -> Option<Outcome> {
        let done = self.iterations.len() - 1;
        if done >= self.options.max_iterations {
            let message = format!("{} ({done})", Termination::MaxIterations.describe());
            return Some((Termination::MaxIterations, message));
        }
        if self.options.max_time.is_some_and(|limit| self.start.elapsed() >= limit) {
            let message =
                format!("{} ({:.3} s)", Termination::TimeLimit.describe(), self.start.elapsed().as_secs_f64());
            return Some((Termination::TimeLimit, message));
        }
        let cancelled = self.options.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
        cancelled.then(|| (Termination::Cancelled, "Cancelled by its flag".to_owned()))
    }

    /// Why not to try again after a rejected step.
    pub(super) fn too_many_failures(&self) -> Option<Outcome> {
        if self.invalid_steps > self.options.max_consecutive_invalid_steps {
            return Some((Termination::InvalidSteps, self.describe_invalid_steps()));
        }
        let radius = self.trust_region.radius();
        (radius < self.options.min_trust_region_radius)
            .then(|| (Termination::TrustRegionCollapsed, format!("The trust region radius fell to {radius:.1e}")))
    }

    /// The message of too many invalid steps names what the last of them ran into.
    fn describe_invalid_steps(&self) -> String {
        let what = match &self.unsolved {
            Some(error) => format!("the linear system could not be solved: {error}"),
            None => match self.compiled.find_non_finite(&self.trial_x, &self.trial) {
                Some(residual) => residual.to_string(),
                None if !self.trial.cost().is_finite() => "the squares of the residuals overflow".to_owned(),
                None => "the step promises no decrease of the cost".to_owned(),
            },
        };
        format!("{}: {what}", Termination::InvalidSteps.describe())
    }
}
