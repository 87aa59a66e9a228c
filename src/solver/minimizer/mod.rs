//! The trust region loop, after Ceres's `TrustRegionMinimizer`.

mod stopping;
#[cfg(test)]
mod tests;

use super::beginning::{Beginning, Earlier};
use super::bounds::Bounds;
use super::evaluator::Evaluator;
use super::finite::check_finite;
use super::report::{IterationRecord, Progress, SolverReport, StageTimes, Termination, summaries};
use super::step::StepSolver;
use super::trust_region::TrustRegion;
use super::{NormalEquations, Precision, SolveError, SolverOptions};
use crate::backend::Selection;
use crate::linear::{LinearError, all_finite};
use crate::problem::{CompiledProblem, Evaluation, Problem, half_square_sum};
use std::ops::ControlFlow;
use web_time::Instant;

/// Changes of the cost below this many rounding errors, relative, drown in the rounding of the cost itself.
pub(super) const ROUNDING: f64 = 4.0;
/// A full step that is rejected although it promises more than this many of those changes is not lost to rounding.
pub(super) const SMALL_PROMISE: f64 = 1e4;

/// Rounding errors by which the cost may seem to rise over such a step: residuals that are differences of large numbers carry more
/// than their own.
pub(super) const NOISE: f64 = 1e4;
/// How much shorter the gradient must be for a step to be taken on its account: more than its own rounding, and no more than steps that
/// converge linearly bring.
pub(super) const POLISHED: f64 = 0.9;

/// Numbers in a Jacobian that fits a cache beside the one it may replace.
const SMALL_JACOBIAN: usize = 1 << 15;

/// Solves `problem` in place on the CPU. On every way out, errors included, the parameters are at the best accepted point.
pub(super) async fn minimize(
    problem: &mut Problem,
    compiled: &CompiledProblem,
    options: &SolverOptions,
    beginning: Beginning,
    start: Instant,
    callback: impl AsyncFnMut(Progress<'_>) -> ControlFlow<()>,
) -> Result<SolverReport, SolveError> {
    let Beginning { selection, threads, notes, precision, evaluator, earlier } = beginning;
    let mut minimizer =
        Minimizer::start(problem, compiled, options, (evaluator, notes), earlier, start, callback).await?;
    let (termination, message) = minimizer.run().await?;
    let report = minimizer.report(selection, termination, message);
    Ok(SolverReport { precision, threads, ..report })
}

/// The state of a solve.
struct Minimizer<'a, C> {
    /// Whose parameters are the accepted point, so that they are whatever becomes of the solve.
    problem: &'a mut Problem,
    compiled: &'a CompiledProblem,
    evaluator: Evaluator,
    notes: Vec<String>,
    options: &'a SolverOptions,
    callback: C,
    start: Instant,
    /// When the clock was last looked at, which takes a hundredth of an iteration on a handful of blocks.
    looked: Instant,
    initial_cost: f64,
    cost: f64,
    evaluation: Evaluation,
    equations: NormalEquations,
    bounds: Bounds,
    trust_region: TrustRegion,
    solver: StepSolver,
    /// The linear solver, and why this one.
    linear_solver: (String, String),
    factor_bytes: usize,
    factorizations: usize,
    /// The largest component of the gradient at the accepted point.
    gradient_norm: f64,
    /// The diagonal of JᵀJ.
    diagonal: Vec<f64>,
    damping: Vec<f64>,
    step: Vec<f64>,
    trial_x: Vec<f64>,
    trial: Evaluation,
    /// Whether the Jacobian is so small that one at the trial point costs less than to evaluate an accepted point twice. Then nothing is linearized
    /// without the objective, and one code serves.
    small: bool,
    /// Whether the trial was linearized.
    ahead: bool,
    full_step: Vec<f64>,
    iterations: Vec<IterationRecord>,
    invalid_steps: usize,
    /// Why there was no last step, if the linear system was to blame.
    unsolved: Option<LinearError>,
    /// Decrease that the model promised for the first step from the accepted point.
    promise: Option<f64>,
    times: StageTimes,
}

/// What came of one step.
struct Trial {
    cost: f64,
    model_change: f64,
    /// Whether bounds cut the step short.
    projected: bool,
    linear_iterations: usize,
}

impl<'a, C: AsyncFnMut(Progress<'_>) -> ControlFlow<()>> Minimizer<'a, C> {
    async fn start(
        problem: &'a mut Problem,
        compiled: &'a CompiledProblem,
        options: &'a SolverOptions,
        (mut evaluator, mut notes): (Evaluator, Vec<String>),
        earlier: Option<Earlier>,
        start: Instant,
        callback: C,
    ) -> Result<Self, SolveError> {
        let mut times = StageTimes {
            trace: problem.trace_time().as_secs_f64(),
            compile: compiled.compile_time.as_secs_f64(),
            ..StageTimes::default()
        };
        let x = problem.parameters().values();
        let mut evaluation = compiled.new_evaluation();
        let mut trial = Evaluation::default();
        let began = Instant::now();
        evaluator.linearize(compiled, x, &mut evaluation, true, &mut notes).await?;
        let mut cost = evaluation.cost();
        // A device linearizes without the objective.
        if compiled.has_losses() && evaluation.objective.is_empty() {
            evaluator.objective(compiled, x, &mut trial, &mut notes).await?;
            cost = trial.cost();
        }
        times.evaluate += began.elapsed().as_secs_f64();
        let done = earlier.as_ref().map_or(0, |earlier| earlier.iterations.len().saturating_sub(1));
        check_finite(compiled, x, &evaluation, cost, done)?;
        let Earlier { initial_cost, iterations } =
            earlier.unwrap_or(Earlier { initial_cost: cost, iterations: Vec::new() });

        let began = Instant::now();
        let mut equations = NormalEquations::new(compiled, problem.parameters())?;
        let bounds = Bounds::new(problem.parameters(), &equations);
        let (mut solver, reason) = StepSolver::choose(options, compiled.residuals(), &equations)?;
        let (name, factor_bytes) = solver.analyze(&equations, compiled.residuals(), options.max_memory)?;
        times.analyse = began.elapsed().as_secs_f64();
        timed(&mut times.normal_equations, || equations.refill(compiled, &evaluation));
        let mut trust_region = TrustRegion::new(options, &equations.matrix.diagonal());
        if let Some(last) = iterations.last() {
            trust_region.resume(last.trust_region_radius);
        }
        let on_cpu = matches!(evaluator, Evaluator::Cpu);
        let small = on_cpu && compiled.stored() <= SMALL_JACOBIAN;
        Ok(Minimizer {
            bounds,
            trust_region,
            evaluator,
            notes,
            initial_cost,
            gradient_norm: 0.0,
            diagonal: Vec::new(),
            damping: Vec::new(),
            step: vec![0.0; equations.scalars()],
            trial_x: x.to_vec(),
            small,
            ahead: false,
            trial,
            full_step: vec![0.0; compiled.steps().tangent()],
            iterations,
            invalid_steps: 0,
            unsolved: None,
            promise: None,
            compiled,
            options,
            callback,
            start,
            looked: start,
            problem,
            cost,
            evaluation,
            equations,
            solver,
            linear_solver: (name, reason),
            factor_bytes,
            factorizations: 0,
            times,
        })
    }

    async fn run(&mut self) -> Result<(Termination, String), SolveError> {
        let stationary = self.gradient_tolerance_reached();
        if self.iterations.is_empty()
            && let ControlFlow::Break(outcome) = self.record_start().await
        {
            return Ok(outcome);
        }
        if self.equations.scalars() == 0 {
            return Ok((Termination::GradientTolerance, "Every parameter is fixed".to_owned()));
        }
        if let Some(outcome) = stationary {
            return Ok(outcome);
        }
        loop {
            if let Some(outcome) = self.limit_reached() {
                return Ok(outcome);
            }
            if let ControlFlow::Break(outcome) = self.iterate().await? {
                return Ok(outcome);
            }
        }
    }

    async fn record_start(&mut self) -> ControlFlow<(Termination, String)> {
        let start = IterationRecord {
            iteration: 0,
            cost: self.cost,
            cost_change: 0.0,
            gradient_max_norm: self.gradient_norm,
            step_norm: 0.0,
            gain_ratio: 0.0,
            trust_region_radius: self.trust_region.radius(),
            linear_iterations: 0,
            accepted: true,
            elapsed_s: self.start.elapsed().as_secs_f64(),
        };
        self.record(start).await
    }

    /// One iteration: a step, and what follows from it.
    async fn iterate(&mut self) -> Result<ControlFlow<(Termination, String)>, SolveError> {
        let trial = self.try_step().await?;
        let step_norm = norm(&self.full_step);
        let mut gain_ratio = 0.0;
        let mut outcome;
        let (trial_cost, linear_iterations) =
            trial.as_ref().map_or((f64::NAN, 0), |trial| (trial.cost, trial.linear_iterations));
        let cost_change = self.cost - trial_cost;
        // A projected step may promise nothing, and wants more damping like any that is rejected.
        let bounded = !self.bounds.is_empty();
        let valid = trial.filter(|trial| trial.cost.is_finite() && (trial.model_change > 0.0 || bounded));
        let mut accepted = match &valid {
            Some(trial) => {
                self.invalid_steps = 0;
                gain_ratio = (self.cost - trial.cost) / trial.model_change;
                trial.model_change > 0.0 && gain_ratio >= self.options.min_gain_ratio
            }
            None => {
                self.invalid_steps += 1;
                false
            }
        };
        if accepted {
            outcome = self.accept(trial_cost, step_norm, gain_ratio).await?;
        } else {
            // Below 0 without a projection it is 0 to rounding.
            let promised = valid.filter(|trial| trial.model_change > 0.0 || !trial.projected);
            let promised = promised.map(|trial| trial.model_change.max(0.0));
            let small = promised.is_some_and(|change| change <= NOISE * self.evaluator.rounding() * self.cost);
            let polished = small && self.polish(trial_cost).await?;
            self.looked = if small { Instant::now() } else { self.looked };
            if polished {
                accepted = true;
                outcome = self.gradient_tolerance_reached();
            } else {
                self.trust_region.reject();
                outcome = match promised {
                    Some(change) => self.lost_in_rounding(change).await,
                    None => None,
                };
                outcome = outcome.or_else(|| self.too_many_failures());
            }
        }
        let record = IterationRecord {
            iteration: self.iterations.len(),
            cost: self.cost,
            cost_change,
            gradient_max_norm: self.gradient_norm,
            step_norm,
            gain_ratio,
            trust_region_radius: self.trust_region.radius(),
            linear_iterations,
            accepted,
            elapsed_s: (self.looked - self.start).as_secs_f64(),
        };
        let recorded = self.record(record).await;
        Ok(match outcome {
            Some(outcome) => ControlFlow::Break(outcome),
            None => recorded,
        })
    }

    /// Takes a step whose promise is lost in the rounding of the cost, if it shortens the gradient: that tells points apart which the
    /// cost does not, and is worth half of the digits of the parameters.
    async fn polish(&mut self, trial_cost: f64) -> Result<bool, SolveError> {
        if trial_cost > self.cost * (1.0 + NOISE * self.evaluator.rounding()) {
            return Ok(false);
        }
        let diagonal = self.equations.matrix.diagonal();
        let scaled = |gradient: &[f64]| -> f64 {
            let terms = gradient.iter().zip(&diagonal).filter(|(_, d)| **d > 0.0);
            terms.map(|(g, d)| g * g / d).sum()
        };
        let before = scaled(&self.equations.gradient);
        let mut there = self.compiled.new_evaluation();
        self.evaluator.linearize(self.compiled, &self.trial_x, &mut there, self.small, &mut self.notes).await?;
        self.equations.refill(self.compiled, &there);
        if scaled(&self.equations.gradient) < POLISHED * POLISHED * before {
            self.problem.parameters.swap_values(&mut self.trial_x);
            self.evaluation = there;
            self.cost = trial_cost;
            self.promise = None;
            return Ok(true);
        }
        self.equations.refill(self.compiled, &self.evaluation);
        Ok(false)
    }

    /// Solves for a step and evaluates where it leads; `None` if there is no step.
    ///
    /// # Errors
    /// A [`LinearError`] that more damping would not help.
    async fn try_step(&mut self) -> Result<Option<Trial>, SolveError> {
        self.equations.matrix.write_diagonal(&mut self.diagonal);
        self.trust_region.damping(&self.diagonal, &mut self.damping);
        let active = self.bounds.active(self.problem.parameters.values(), &self.equations);
        let began = Instant::now();
        let summary = self.solver.solve(
            self.compiled,
            &self.equations,
            &self.evaluation,
            (&mut self.damping, &active),
            self.options,
            &mut self.step,
        );
        let solved = Instant::now();
        self.looked = solved;
        self.times.linear_solve += (solved - began).as_secs_f64();
        self.unsolved = None;
        let summary = match summary {
            Ok(summary) => summary,
            Err(error) if error.is_numerical() => {
                self.unsolved = Some(error);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        self.factorizations += usize::from(summary.factored);
        if !all_finite(&self.step) {
            self.unsolved = Some(LinearError::NonFinite { what: "the step" });
            return Ok(None);
        }
        self.equations.hold_step(&mut self.step);
        self.equations.scatter(&self.step, &mut self.full_step);
        let x = self.problem.parameters.values();
        self.compiled.steps().take(x, &self.full_step, &mut self.trial_x);
        let projected = self.bounds.project(x, &mut self.full_step, &mut self.trial_x);
        let model_change = if self.solver.is_direct() && self.bounds.is_empty() {
            TrustRegion::model_decrease(&self.equations.gradient, &self.damping, &self.step)
        } else {
            self.compiled.model_cost_change(&self.evaluation, &self.full_step)
        };
        // After a step that was accepted the next one is likely to be.
        self.ahead = self.small && self.iterations.last().is_none_or(|last| last.accepted);
        let evaluated = if self.ahead {
            self.evaluator.linearize(self.compiled, &self.trial_x, &mut self.trial, true, &mut self.notes).await
        } else {
            self.trial.stored.clear();
            self.evaluator.objective(self.compiled, &self.trial_x, &mut self.trial, &mut self.notes).await
        };
        self.looked = Instant::now();
        self.times.evaluate += (self.looked - solved).as_secs_f64();
        if evaluated.is_err() {
            return Ok(None);
        }
        let cost = self.trial.cost();
        Ok(Some(Trial { cost, model_change, projected, linear_iterations: summary.iterations }))
    }

    /// Moves to the trial point.
    async fn accept(
        &mut self,
        trial_cost: f64,
        step_norm: f64,
        gain_ratio: f64,
    ) -> Result<Option<(Termination, String)>, SolveError> {
        let function = self.function_tolerance_reached(trial_cost);
        let parameter = self.parameter_tolerance_reached(step_norm);
        self.problem.parameters.swap_values(&mut self.trial_x);
        self.cost = trial_cost;
        self.promise = None;
        self.trust_region.accept(gain_ratio);
        if self.ahead {
            std::mem::swap(&mut self.evaluation, &mut self.trial);
        } else {
            let began = self.looked;
            let x = self.problem.parameters.values();
            self.evaluator.linearize(self.compiled, x, &mut self.evaluation, self.small, &mut self.notes).await?;
            self.looked = Instant::now();
            self.times.evaluate += (self.looked - began).as_secs_f64();
        }
        check_finite(
            self.compiled,
            self.problem.parameters.values(),
            &self.evaluation,
            self.cost,
            self.iterations.len(),
        )?;
        let began = if self.small { self.looked } else { Instant::now() };
        self.equations.refill(self.compiled, &self.evaluation);
        self.looked = Instant::now();
        self.times.normal_equations += (self.looked - began).as_secs_f64();
        Ok(self.gradient_tolerance_reached().or(function).or(parameter))
    }

    async fn record(&mut self, record: IterationRecord) -> ControlFlow<(Termination, String)> {
        let asked = (self.callback)(Progress { record: &record, parameters: self.problem.parameters.values() }).await;
        self.iterations.push(record);
        match asked {
            ControlFlow::Continue(()) => ControlFlow::Continue(()),
            ControlFlow::Break(()) => {
                ControlFlow::Break((Termination::Cancelled, "Cancelled by the callback".to_owned()))
            }
        }
    }

    fn report(&mut self, backend: Selection, termination: Termination, message: String) -> SolverReport {
        self.times.total = self.start.elapsed().as_secs_f64() + self.times.trace;
        let (linear_solver, linear_solver_reason) = std::mem::take(&mut self.linear_solver);
        let parameters = self.problem.parameters();
        let free_blocks = (0..parameters.blocks()).filter(|&block| !parameters.is_fixed(block)).count();
        SolverReport {
            termination,
            message,
            initial_cost: self.initial_cost,
            final_cost: self.cost,
            iterations: std::mem::take(&mut self.iterations),
            parameter_blocks: (parameters.blocks(), free_blocks),
            parameters: (parameters.values().len(), self.equations.free_scalars()),
            residual_blocks: self.problem.residual_blocks(),
            residuals: self.compiled.residuals(),
            groups: summaries(self.compiled),
            compile: self.compiled.statistics,
            backend,
            notes: std::mem::take(&mut self.notes),
            precision: Precision::F64,
            threads: 1,
            linear_solver,
            linear_solver_reason,
            problem_bytes: self.problem.bytes_with(self.compiled),
            normal_equations_bytes: self.equations.bytes(),
            factor_bytes: self.factor_bytes,
            factorizations: self.factorizations,
            device: None,
            times_s: self.times,
        }
    }
}

fn norm(v: &[f64]) -> f64 {
    (2.0 * half_square_sum(v)).sqrt()
}

fn timed<R>(total: &mut f64, f: impl FnOnce() -> R) -> R {
    let start = Instant::now();
    let result = f();
    *total += start.elapsed().as_secs_f64();
    result
}
