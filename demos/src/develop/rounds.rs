//! The rounds of a run: which solve was at which level, as a table and as a plot.

use super::Task;
use crate::picture::{Picture, PictureError, Run, Step, plot_convergence};
use isograd::SolverReport;
use isograd::mesh::energy::developable::DevelopableIteration;
use serde::Serialize;
use std::fmt::Write;

const SIZE: (usize, usize) = (1200, 900);

/// Where a round is in the run.
#[derive(Debug, Clone, Copy, Serialize)]
struct Place {
    level: usize,
    vertices: usize,
    round: usize,
    exponent: f64,
}

/// A round in figures.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    #[serde(flatten)]
    place: Place,
    /// Cost with the weights of the round.
    initial_cost: f64,
    final_cost: f64,
    iterations: usize,
    total_s: f64,
}

/// The rounds seen so far.
pub(super) struct Rounds {
    places: Vec<Place>,
    first_level: usize,
    most_rounds: usize,
    iterations_each: usize,
}

impl Rounds {
    pub(super) fn new(task: &Task) -> Rounds {
        let (levels, options) = (task.driver.levels.len(), &task.driver.options);
        // A coarsest level that is sharpened takes its rounds twice.
        let twice = usize::from(options.sharp_levels >= levels);
        Rounds {
            places: Vec::new(),
            first_level: task.first_level,
            most_rounds: options.rounds * (levels + twice),
            iterations_each: options.solver.max_iterations,
        }
    }

    /// The most iterations that all rounds can take.
    pub(super) fn most_iterations(&self) -> u64 {
        (self.most_rounds * self.iterations_each) as u64
    }

    /// Takes note of a round that begins.
    pub(super) fn see(&mut self, iteration: &DevelopableIteration) {
        if iteration.record.iteration == 0 {
            let &DevelopableIteration { level, vertices, round, exponent, .. } = iteration;
            self.places.push(Place { level: self.first_level + level, vertices, round: round + 1, exponent });
        }
    }

    /// How far the run is, where each round has the most iterations it can take.
    pub(super) fn position(&self, iteration: &DevelopableIteration) -> u64 {
        (self.places.len().saturating_sub(1) * self.iterations_each + iteration.record.iteration) as u64
    }

    /// The rounds with their solves.
    pub(super) fn rows(&self, reports: &[SolverReport]) -> Vec<Row> {
        let row = |(&place, report): (&Place, &SolverReport)| Row {
            place,
            initial_cost: report.initial_cost,
            final_cost: report.final_cost,
            iterations: report.iteration_count(),
            total_s: report.times_s.total,
        };
        self.places.iter().zip(reports).map(row).collect()
    }
}

/// A line a round, and the totals.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text = String::from("level  vertices  round     p   cost before    cost after  iterations    time\n");
    for Row { place: Place { level, vertices, round, exponent }, initial_cost, final_cost, iterations, total_s } in rows
    {
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{level:5} {vertices:9} {round:6} {exponent:5} {initial_cost:13.6} {final_cost:13.6} {iterations:11} {total_s:5.2} s"
        );
    }
    let iterations: usize = rows.iter().map(|row| row.iterations).sum();
    let seconds: f64 = rows.iter().map(|row| row.total_s).sum();
    text + &format!("total {:16} {:44} {seconds:5.2} s", format!("{} rounds", rows.len()), iterations)
}

/// The cost over all rounds, a colour for each level and exponent. It jumps between rounds, as the weights change.
pub(super) fn convergence(title: &str, rows: &[Row], reports: &[SolverReport]) -> Result<Picture, PictureError> {
    let mut curves: Vec<(String, Vec<Step>)> = Vec::new();
    let mut before = 0;
    for (Row { place, .. }, report) in rows.iter().zip(reports) {
        let name = format!("level {}, p = {}", place.level, place.exponent);
        if curves.last().is_none_or(|(last, _)| *last != name) {
            curves.push((name, Vec::new()));
        }
        let accepted = report.iterations.iter().filter(|record| record.accepted);
        let steps = accepted.map(|record| Step {
            iteration: before + record.iteration,
            cost: record.cost,
            gradient_norm: None,
            accepted: true,
        });
        if let Some((_, curve)) = curves.last_mut() {
            curve.extend(steps);
        }
        before += report.iteration_count();
    }
    let runs: Vec<Run> = curves.iter().map(|(name, steps)| Run { name, steps }).collect();
    plot_convergence(&format!("{title}: cost of each round"), &runs, SIZE.0, SIZE.1)
}
