//! What the solve of many independent problems did.

use crate::backend::Selection;
use crate::kernel::CompileStatistics;
use crate::solver::{DeviceSummary, Precision, Termination};
use serde::Serialize;
use std::fmt;

/// How a component ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The minimiser stopped for this reason.
    Stopped(Termination),
    /// A residual or derivative is not finite, at the start or at an accepted point.
    NotFinite,
}

impl Outcome {
    /// Whether the minimiser found what it was looking for.
    pub fn is_converged(self) -> bool {
        matches!(self, Outcome::Stopped(termination) if termination.is_converged())
    }

    /// The outcome in words.
    pub fn describe(self) -> &'static str {
        match self {
            Outcome::Stopped(termination) => termination.describe(),
            Outcome::NotFinite => "A residual or derivative is not finite",
        }
    }
}

/// What became of one component.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ComponentRecord {
    /// How it ended.
    pub outcome: Outcome,
    /// What it ran into, where it failed.
    pub reason: Option<String>,
    /// Iterations, rejected ones counted.
    pub iterations: usize,
    /// Cost ½ Σ ρ at the start.
    pub initial_cost: f64,
    /// Cost at the best accepted point, where its parameters are.
    pub final_cost: f64,
    /// Indices of its free parameter blocks.
    pub parameter_blocks: Vec<usize>,
    /// Indices of its residual blocks.
    pub residual_blocks: Vec<usize>,
}

impl ComponentRecord {
    /// Whether the minimiser found what it was looking for.
    pub fn is_converged(&self) -> bool {
        self.outcome.is_converged()
    }
}

/// Where the time went, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct IndependentTimes {
    /// Recording and grouping the residuals, when they were added.
    pub trace: f64,
    /// Programs, derivatives and code.
    pub compile: f64,
    /// Finding the components.
    pub analyse: f64,
    /// All iterations of all components.
    pub solve: f64,
    /// The whole solve, with tracing.
    pub total: f64,
}

/// What the solve of many independent problems did.
///
/// Prints as a short table with the number of components that ended each way, and serialises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IndependentReport {
    /// One record a component, in the order of their first parameter blocks.
    pub components: Vec<ComponentRecord>,
    /// Components that converged.
    pub converged: usize,
    /// Iterations of the component that took most.
    pub max_iterations: usize,
    /// Iterations of a component on average.
    pub mean_iterations: f64,
    /// Sum of the costs at the start, of the components whose cost is finite there, and [`fixed_cost`](Self::fixed_cost).
    pub initial_cost: f64,
    /// Sum of the costs of the same components at the end, and [`fixed_cost`](Self::fixed_cost).
    pub final_cost: f64,
    /// Cost of the residual blocks whose parameter blocks are all fixed; they belong to no component.
    pub fixed_cost: f64,
    /// Kernels and cache hits.
    pub compile: CompileStatistics,
    /// Where it ran, and why there.
    pub backend: Selection,
    /// What else there is to say about where it ran.
    pub notes: Vec<String>,
    /// Number format of the iterations. Costs are always in double precision.
    pub precision: Precision,
    /// Threads.
    pub threads: usize,
    /// What it took of a GPU, if one was used.
    pub device: Option<DeviceSummary>,
    /// Where the time went.
    pub times_s: IndependentTimes,
}

impl IndependentReport {
    /// The outcomes that occur, with the number of components of each, most frequent first.
    pub fn outcomes(&self) -> Vec<(Outcome, usize)> {
        let mut counts: Vec<(Outcome, usize)> = Vec::new();
        for record in &self.components {
            match counts.iter_mut().find(|(outcome, _)| *outcome == record.outcome) {
                Some((_, count)) => *count += 1,
                None => counts.push((record.outcome, 1)),
            }
        }
        counts.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        counts
    }

    /// The components that did not converge, with their positions.
    pub fn unconverged(&self) -> impl Iterator<Item = (usize, &ComponentRecord)> {
        self.components.iter().enumerate().filter(|(_, record)| !record.is_converged())
    }

    /// Sums up the records.
    pub(super) fn summed(mut self) -> Self {
        let records = &self.components;
        self.converged = records.iter().filter(|record| record.is_converged()).count();
        self.max_iterations = records.iter().map(|record| record.iterations).max().unwrap_or(0);
        let iterations: usize = records.iter().map(|record| record.iterations).sum();
        self.mean_iterations = iterations as f64 / records.len().max(1) as f64;
        let finite = || records.iter().filter(|record| record.initial_cost.is_finite());
        self.initial_cost = self.fixed_cost + finite().map(|record| record.initial_cost).sum::<f64>();
        self.final_cost = self.fixed_cost + finite().map(|record| record.final_cost).sum::<f64>();
        self
    }
}

/// Failures that are printed one by one.
const SHOWN: usize = 5;

impl fmt::Display for IndependentReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: String| writeln!(f, "{name:<34}{value:>14}");
        writeln!(f, "isograd report of independent problems\n")?;
        row(f, "Components", self.components.len().to_string())?;
        row(f, "Converged", self.converged.to_string())?;
        row(f, "Residual blocks", self.compile.instances.to_string())?;
        row(f, "Kernels", self.compile.kernels.to_string())?;
        writeln!(f, "{:<34}{} ({})", "Backend", self.backend.device, self.backend.reason)?;
        for note in &self.notes {
            writeln!(f, "{:<34}{note}", "")?;
        }
        row(f, "Precision", format!("{:?}", self.precision))?;
        row(f, "Threads", self.threads.to_string())?;
        writeln!(f)?;
        row(f, "Cost: initial", format!("{:.8e}", self.initial_cost))?;
        row(f, "Cost: final", format!("{:.8e}", self.final_cost))?;
        row(f, "Iterations: mean", format!("{:.1}", self.mean_iterations))?;
        row(f, "Iterations: most", self.max_iterations.to_string())?;
        let times = &self.times_s;
        row(f, "Seconds: components found in", format!("{:.6}", times.analyse))?;
        row(f, "Seconds: iterations", format!("{:.6}", times.solve))?;
        row(f, "Seconds: total", format!("{:.6}", times.total))?;
        writeln!(f, "\nTerminations")?;
        for (outcome, count) in self.outcomes() {
            let percent = 100.0 * count as f64 / self.components.len() as f64;
            writeln!(f, "{count:>10} {percent:>5.1} %  {}", outcome.describe())?;
        }
        for (index, record) in self.unconverged().filter(|(_, record)| record.reason.is_some()).take(SHOWN) {
            let reason = record.reason.as_deref().unwrap_or_default();
            writeln!(f, "  component {index} after {} iterations: {reason}", record.iterations)?;
        }
        let failed = self.unconverged().filter(|(_, record)| record.reason.is_some()).count();
        if failed > SHOWN {
            writeln!(f, "  … and {} more", failed - SHOWN)?;
        }
        Ok(())
    }
}
