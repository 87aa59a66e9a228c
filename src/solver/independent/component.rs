//! One component's Levenberg-Marquardt: its state, and what follows from a trial point.
//!
//! The conventions are those of the minimiser of a whole problem, which is after Ceres's `TrustRegionMinimizer`.

use super::normal::Normal;
use super::report::Outcome;
use crate::solver::minimizer::{NOISE, POLISHED, ROUNDING, SMALL_PROMISE};
use crate::solver::trust_region::TrustRegion;
use crate::solver::{SolverOptions, Termination};
use std::ops::Range;

/// A free scalar with a bound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounded {
    /// Column of J.
    pub column: u32,
    /// In the parameters of the batch.
    pub place: u32,
    /// In a step of the batch.
    pub component: u32,
    pub lower: f64,
    pub upper: f64,
}

impl Bounded {
    /// At a bound, and the cost falls further out (Bertsekas 1982).
    fn is_active(&self, x: &[f64], gradient: &[f64]) -> bool {
        let (x, g) = (x[self.place as usize], gradient[self.column as usize]);
        (x <= self.lower && g > 0.0) || (x >= self.upper && g < 0.0)
    }
}

/// What is known of a component at a point where its residuals and Jacobian have been evaluated.
pub(super) trait Linearized {
    /// ½ Σ ρ.
    fn cost(&self) -> f64;
    /// Whether all stored numbers are finite.
    fn has_finite_derivatives(&self) -> bool;
    /// JᵀJ and Jᵀr.
    fn fill(&self, normal: &mut Normal, row: &mut Vec<(u32, f64)>);
}

/// Room that the components of a batch use one after the other.
#[derive(Debug, Default)]
pub(super) struct Room {
    diagonal: Vec<f64>,
    damping: Vec<f64>,
    factor: Vec<f64>,
    held: Vec<bool>,
    step: Vec<f64>,
    normal: Normal,
    row: Vec<(u32, f64)>,
}

impl Room {
    /// For components of up to `size` scalars, and rows of up to `row` entries.
    pub fn new(size: usize, row: usize) -> Self {
        Room {
            diagonal: Vec::with_capacity(size),
            damping: Vec::with_capacity(size),
            factor: vec![0.0; size * size],
            held: vec![false; size],
            step: vec![0.0; size],
            normal: Normal::zeros(size),
            row: Vec::with_capacity(row),
        }
    }
}

/// Where a component stands in its batch.
#[derive(Debug, Clone)]
pub(super) struct Extent {
    /// Its numbers in the parameters.
    pub places: Range<usize>,
    /// Its components in a step.
    pub components: Range<usize>,
    /// Its free scalars.
    pub scalars: usize,
    pub bounded: Range<usize>,
}

/// The state of a component's solve.
#[derive(Debug)]
pub(super) struct Component {
    pub extent: Extent,
    pub initial_cost: f64,
    pub cost: f64,
    pub iterations: usize,
    /// Why it stopped, once it did.
    pub outcome: Option<Outcome>,
    normal: Normal,
    trust_region: TrustRegion,
    invalid_steps: usize,
    promise: Option<f64>,
    /// The step under way: decrease that the model promises, `None` if there is no step, and its length.
    model_change: Option<f64>,
    step_norm: f64,
    /// Whether bounds cut the step short.
    projected: bool,
}

impl Component {
    /// The component at its start point.
    pub fn new(
        extent: Extent,
        there: &impl Linearized,
        (x, bounds): (&[f64], &[Bounded]),
        room: &mut Room,
        options: &SolverOptions,
    ) -> Self {
        let cost = there.cost();
        let mut normal = Normal::zeros(extent.scalars);
        there.fill(&mut normal, &mut room.row);
        normal.diagonal(&mut room.diagonal);
        let mut component = Component {
            trust_region: TrustRegion::new(options, &room.diagonal),
            extent,
            initial_cost: cost,
            cost,
            iterations: 0,
            outcome: None,
            normal,
            invalid_steps: 0,
            promise: None,
            model_change: None,
            projected: false,
            step_norm: 0.0,
        };
        component.outcome = if cost.is_finite() && there.has_finite_derivatives() {
            component.gradient_tolerance_reached(x, bounds, options)
        } else {
            Some(Outcome::NotFinite)
        };
        component
    }

    /// Solves for a step, `step` over the batch; 0 if there is none.
    pub fn solve(&mut self, x: &[f64], bounds: &[Bounded], columns: &[u32], room: &mut Room, step: &mut [f64]) {
        let n = self.extent.scalars;
        let Room { diagonal, damping, factor, held, step: reduced, .. } = room;
        self.normal.diagonal(diagonal);
        self.trust_region.damping(diagonal, damping);
        let bounds = &bounds[self.extent.bounded.clone()];
        held[..n].fill(false);
        for bounded in bounds.iter().filter(|b| b.is_active(x, &self.normal.gradient)) {
            held[bounded.column as usize] = true;
        }
        let solved = self.normal.solve(damping, |k| held[k], &mut factor[..n * n], &mut reduced[..n]);
        self.model_change = solved.then_some(0.0);
        for component in self.extent.components.clone() {
            let number = reduced[..n].get(columns[component] as usize).filter(|_| solved);
            step[component] = number.copied().unwrap_or(0.0);
        }
    }

    /// Projects the trial point onto the box, shortens the step accordingly, and asks the model what it promises.
    pub fn project(
        &mut self,
        (x, trial): (&[f64], &mut [f64]),
        bounds: &[Bounded],
        columns: &[u32],
        room: &mut Room,
        step: &mut [f64],
    ) {
        self.projected = false;
        for b in &bounds[self.extent.bounded.clone()] {
            let place = b.place as usize;
            let inside = trial[place].clamp(b.lower, b.upper);
            if inside != trial[place] {
                self.projected = true;
                trial[place] = inside;
                step[b.component as usize] = inside - x[place];
            }
        }
        let n = self.extent.scalars;
        let components = self.extent.components.clone();
        for component in components.clone() {
            if let Some(number) = room.step[..n].get_mut(columns[component] as usize) {
                *number = step[component];
            }
        }
        self.step_norm = norm(&step[components]);
        self.model_change = self.model_change.map(|_| self.normal.model_cost_change(&room.step[..n]));
    }

    /// Takes the trial point or not; true if it does. `x` and `trial` are of the batch.
    pub fn decide(
        &mut self,
        there: &impl Linearized,
        (x, trial): (&[f64], &[f64]),
        bounds: &[Bounded],
        room: &mut Room,
        options: &SolverOptions,
    ) -> bool {
        self.iterations += 1;
        let cost = there.cost();
        // A projected step may promise nothing, and wants more damping like any that is rejected.
        let bounded = !self.extent.bounded.is_empty();
        let valid = self.model_change.filter(|&change| cost.is_finite() && (change > 0.0 || bounded));
        self.invalid_steps = if valid.is_some() { 0 } else { self.invalid_steps + 1 };
        // Below 0 without a projection it is 0 to rounding.
        let promised = valid.filter(|&change| change > 0.0 || !self.projected).map(|change| change.max(0.0));
        let gain_ratio = promised.filter(|&change| change > 0.0).map(|change| (self.cost - cost) / change);
        if let Some(gain_ratio) = gain_ratio.filter(|&ratio| ratio >= options.min_gain_ratio) {
            self.accept(there, gain_ratio, (x, trial), bounds, room, options);
            return true;
        }
        let rounding = ROUNDING * f64::EPSILON;
        let small = promised.is_some_and(|change| change <= NOISE * f64::EPSILON * self.cost);
        if small && self.polish(there, cost, room) {
            self.outcome = self.gradient_tolerance_reached(trial, bounds, options);
            return true;
        }
        self.trust_region.reject();
        let Some(change) = promised else {
            self.outcome = self.too_many_failures(options);
            return false;
        };
        // A short step promises little wherever it is taken; only the first one from a point says how good the point is.
        let promise = *self.promise.get_or_insert(change);
        self.outcome = if change > rounding * self.cost {
            self.too_many_failures(options)
        } else if promise <= options.function_tolerance.max(SMALL_PROMISE * rounding) * self.cost {
            Some(Outcome::Stopped(Termination::PrecisionLimit))
        } else {
            Some(Outcome::Stopped(Termination::TrustRegionCollapsed))
        };
        false
    }

    fn too_many_failures(&self, options: &SolverOptions) -> Option<Outcome> {
        if self.invalid_steps > options.max_consecutive_invalid_steps {
            return Some(Outcome::Stopped(Termination::InvalidSteps));
        }
        let collapsed = self.trust_region.radius() < options.min_trust_region_radius;
        collapsed.then_some(Outcome::Stopped(Termination::TrustRegionCollapsed))
    }

    fn accept(
        &mut self,
        there: &impl Linearized,
        gain_ratio: f64,
        (x, trial): (&[f64], &[f64]),
        bounds: &[Bounded],
        room: &mut Room,
        options: &SolverOptions,
    ) {
        let cost = there.cost();
        let function = (self.cost - cost).abs() <= options.function_tolerance * self.cost;
        let tolerance = options.parameter_tolerance;
        let parameter = self.step_norm <= tolerance * (norm(&x[self.extent.places.clone()]) + tolerance);
        self.cost = cost;
        self.promise = None;
        self.trust_region.accept(gain_ratio);
        if !there.has_finite_derivatives() {
            self.outcome = Some(Outcome::NotFinite);
            return;
        }
        self.normal.clear();
        there.fill(&mut self.normal, &mut room.row);
        self.outcome = self
            .gradient_tolerance_reached(trial, bounds, options)
            .or(function.then_some(Outcome::Stopped(Termination::FunctionTolerance)))
            .or(parameter.then_some(Outcome::Stopped(Termination::ParameterTolerance)));
    }

    /// Takes a step whose promise is lost in the rounding of the cost, if it shortens the gradient.
    fn polish(&mut self, there: &impl Linearized, cost: f64, room: &mut Room) -> bool {
        if cost > self.cost * (1.0 + NOISE * f64::EPSILON) {
            return false;
        }
        let Room { diagonal, normal, row, .. } = room;
        self.normal.diagonal(diagonal);
        let scaled = |gradient: &[f64]| -> f64 {
            let terms = gradient.iter().zip(&*diagonal).filter(|(_, d)| **d > 0.0);
            terms.map(|(g, d)| g * g / d).sum()
        };
        normal.reset(self.extent.scalars);
        there.fill(normal, row);
        // A NaN is not less.
        let shorter = scaled(&normal.gradient) < POLISHED * POLISHED * scaled(&self.normal.gradient);
        if shorter {
            self.normal.copy_from(normal);
            self.cost = cost;
            self.promise = None;
        }
        shorter
    }

    /// Compares the largest component of x − Π(x − g), which is the gradient but for what leads out of the box.
    fn gradient_tolerance_reached(&self, x: &[f64], bounds: &[Bounded], options: &SolverOptions) -> Option<Outcome> {
        let gradient = &self.normal.gradient;
        let bounds = &bounds[self.extent.bounded.clone()];
        let projected = |k: usize| {
            let bounded = bounds.iter().find(|b| b.column as usize == k);
            bounded.map_or(gradient[k], |b| {
                let x = x[b.place as usize];
                x - (x - gradient[k]).clamp(b.lower, b.upper)
            })
        };
        let largest = (0..gradient.len()).fold(0.0, |max: f64, k| max.max(projected(k).abs()));
        (largest <= options.gradient_tolerance).then_some(Outcome::Stopped(Termination::GradientTolerance))
    }
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|a| a * a).sum::<f64>().sqrt()
}
