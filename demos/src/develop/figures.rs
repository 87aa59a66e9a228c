//! A run in figures: JSON for programs, a small table for a person.

use super::Task;
use crate::output::{Summary, SummaryTimes};
use isograd::SolverReport;
use isograd::mesh::energy::DevelopableResult;
use isograd::mesh::energy::developable::hinges;
use serde::Serialize;
use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// What there is to say about a run.
pub(super) struct Figures<'a> {
    pub(super) summary: DevelopSummary<'a>,
    hinges_before: usize,
    smallest_angle_before: f64,
    hinge_angle: f64,
}

/// A run in one JSON object: the fields of a solve, over all rounds, and how developable the mesh became.
#[derive(Debug, Serialize)]
pub(super) struct DevelopSummary<'a> {
    /// Iterations and times are sums over the rounds, costs are the energy Σ λ; the rest is the last round's.
    #[serde(flatten)]
    solve: Summary<'a>,
    /// Σ λ of the given shape; `initial_cost` says the same.
    energy_before: f64,
    /// Σ λ at the end; `final_cost` says the same.
    energy_after: f64,
    /// By which share of itself the energy fell.
    energy_drop: f64,
    /// Shares of vertices inside the surface with next to no angle defect.
    developable_share_before: f64,
    developable_share_after: f64,
    /// Edges at which the mesh turns by more than the hinge angle.
    hinges: usize,
    /// In degrees.
    smallest_angle: f64,
    /// Solves.
    rounds: usize,
    /// Cost of the last round, with its weights and all its terms.
    last_round_cost: f64,
    /// Seconds of the whole run, also between the solves.
    wall_s: f64,
}

impl<'a> Figures<'a> {
    pub(super) fn new(task: &'a Task, result: &DevelopableResult, last: &'a SolverReport, wall: Duration) -> Self {
        let DevelopableResult { before, after, reports, .. } = result;
        let mut solve = Summary::new(task.names.demo, &task.names.problem, last);
        solve.iterations = result.iterations();
        solve.accepted_steps = reports.iter().map(SolverReport::accepted_steps).sum();
        (solve.initial_cost, solve.final_cost) = (before.energy, after.energy);
        solve.times_s = times(reports);
        let hinge_angle = task.driver.options.hinge_angle;
        let summary = DevelopSummary {
            solve,
            energy_before: before.energy,
            energy_after: after.energy,
            energy_drop: result.energy_drop(),
            developable_share_before: before.share,
            developable_share_after: after.share,
            hinges: result.hinges.len(),
            smallest_angle: after.smallest_angle,
            rounds: reports.len(),
            last_round_cost: last.final_cost,
            wall_s: wall.as_secs_f64(),
        };
        let hinges_before = hinges(&result.start_mesh, hinge_angle).len();
        Figures { summary, hinges_before, smallest_angle_before: before.smallest_angle, hinge_angle }
    }
}

/// The times of all rounds.
fn times(reports: &[SolverReport]) -> SummaryTimes {
    let sum = |stage: fn(&SummaryTimes) -> f64| reports.iter().map(|r| stage(&SummaryTimes::from(&r.times_s))).sum();
    let sum_of_some = |stage: fn(&SummaryTimes) -> Option<f64>| {
        reports.iter().filter_map(|r| stage(&SummaryTimes::from(&r.times_s))).reduce(f64::add)
    };
    SummaryTimes {
        trace: sum(|times| times.trace),
        compile: sum(|times| times.compile),
        evaluate: sum(|times| times.evaluate),
        linear_solve: sum(|times| times.linear_solve),
        total: sum(|times| times.total),
        analyse: sum_of_some(|times| times.analyse),
        normal_equations: sum_of_some(|times| times.normal_equations),
        device_loop: sum_of_some(|times| times.device_loop),
    }
}

impl fmt::Display for Figures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = &self.summary;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, before: String, after: String| {
            writeln!(f, "{name:<32}{before:>12}{after:>12}")
        };
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let degrees = |angle: f64| format!("{angle:.1}°");
        row(f, "", "before".into(), "after".into())?;
        let (before, after) = (format!("{:.4}", s.energy_before), format!("{:.4}", s.energy_after));
        row(f, "energy Σλ", before, after)?;
        row(f, "drop of the energy", String::new(), percent(s.energy_drop))?;
        let shares = [s.developable_share_before, s.developable_share_after].map(percent);
        let [before, after] = shares;
        row(f, "developable vertices", before, after)?;
        let name = format!("hinges (edges over {})", degrees(self.hinge_angle));
        row(f, &name, self.hinges_before.to_string(), s.hinges.to_string())?;
        row(f, "smallest angle", degrees(self.smallest_angle_before), degrees(s.smallest_angle))?;
        writeln!(f, "\nA vertex is developable if its angle defect is below 0.1 · 4π/V.\n")?;
        let times = &s.solve.times_s;
        let rest = s.wall_s - times.total;
        writeln!(f, "Time in seconds, all rounds:")?;
        let stages = [
            ("trace", Some(times.trace)),
            ("compile", Some(times.compile)),
            ("analyse", times.analyse),
            ("evaluate", Some(times.evaluate)),
            ("normal equations", times.normal_equations),
            ("linear solve", Some(times.linear_solve)),
            ("on the device", times.device_loop),
            ("all of the solves", Some(times.total)),
            ("between the solves", Some(rest)),
        ];
        for (name, seconds) in stages.into_iter().filter_map(|(name, seconds)| Some((name, seconds?))) {
            writeln!(f, "  {name:<20}{seconds:10.3}")?;
        }
        write!(f, "  {:<20}{:10.3}", "whole run", s.wall_s)
    }
}
