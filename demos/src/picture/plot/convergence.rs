//! The convergence plot: cost, and gradient norm if known, against the iteration.

use super::super::compose::stack;
use super::draw::font_size;
use super::{PALETTE, Picture, PictureError, Plot, Rgb};

/// One iteration of a solve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Iteration number; 0 is the start.
    pub iteration: usize,
    /// Cost at this step's trial point.
    pub cost: f64,
    /// Norm of the gradient, if known.
    pub gradient_norm: Option<f64>,
    /// Whether the step was taken. Rejected steps are crosses, and do not bend the curve.
    pub accepted: bool,
}

/// A solve with its name in the legend.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Name in the legend.
    pub name: &'a str,
    /// Its iterations, in order.
    pub steps: &'a [Step],
}

/// Plots the cost of each run on a logarithmic axis, with the gradient norm in a second plot below if any run has it.
///
/// Rejected steps whose cost is not finite or far above all accepted ones are drawn at the upper end of the axis.
pub fn plot_convergence(title: &str, runs: &[Run], width: usize, height: usize) -> Result<Picture, PictureError> {
    let has_gradient = runs.iter().flat_map(|run| run.steps).any(|step| step.gradient_norm.is_some());
    if !has_gradient {
        return cost_plot(title, runs).render(width, height);
    }
    // One text size, one label width and one x range, so that iterations stand under each other.
    let font = font_size(width, height);
    let align = |plot: Plot| Plot {
        font: Some(font),
        label_room: (5.5 * font) as usize,
        x_shown: runs.iter().flat_map(|run| run.steps).map(|step| step.iteration as f64).collect(),
        ..plot
    };
    let upper = height * 11 / 20;
    let cost = align(cost_plot(title, runs)).labels("", "cost").render(width, upper)?;
    let gradient = align(gradient_plot(runs)).render(width, height - upper)?;
    stack(&[cost, gradient])
}

fn axes(title: &str, label: &str) -> Plot {
    Plot::new(title).labels("iteration", label).log_y().whole_x_ticks()
}

fn cost_plot(title: &str, runs: &[Run]) -> Plot {
    let accepted_costs = || {
        let steps = runs.iter().flat_map(|run| run.steps);
        steps.filter(|step| step.accepted && step.cost > 0.0 && step.cost.is_finite()).map(|step| step.cost)
    };
    let (low, high) = accepted_costs().fold((f64::INFINITY, 0.0f64), |(l, h), c| (l.min(c), h.max(c)));
    // A tenth of the axis above the accepted costs, but at least half a decade.
    let ceiling = if high > 0.0 { high * (high / low).powf(0.1).max(3.0) } else { 1.0 };

    let mut plot = axes(title, "cost");
    for (index, run) in runs.iter().enumerate() {
        let color = PALETTE[index % PALETTE.len()];
        let points = |accepted: bool| {
            let steps = run.steps.iter().filter(move |step| step.accepted == accepted);
            steps.map(|step| [step.iteration as f64, step.cost])
        };
        let rejected: Vec<_> =
            points(false).map(|[x, cost]| [x, if cost < ceiling { cost } else { ceiling }]).collect();
        plot = plot.line(run.name, points(true)).color(color).dots("", points(true)).color(color);
        if !rejected.is_empty() {
            let name = if runs.len() == 1 { "rejected step".to_owned() } else { format!("{}, rejected", run.name) };
            plot = plot.crosses(name, rejected).color(rejected_color(runs.len(), color));
        }
    }
    plot
}

/// With one run a signal colour; with several the run's own, or they could not be told apart.
fn rejected_color(runs: usize, own: Rgb) -> Rgb {
    if runs == 1 { Rgb::VERMILION } else { own }
}

fn gradient_plot(runs: &[Run]) -> Plot {
    let mut plot = axes("", "gradient norm");
    for (index, run) in runs.iter().enumerate() {
        let color = PALETTE[index % PALETTE.len()];
        let taken = run.steps.iter().filter(|step| step.accepted);
        let points = taken.filter_map(|step| Some([step.iteration as f64, step.gradient_norm?]));
        let points: Vec<_> = points.collect();
        plot = plot.line("", points.clone()).color(color).dots("", points).color(color);
    }
    plot
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(iteration: usize, cost: f64, gradient_norm: Option<f64>, accepted: bool) -> Step {
        Step { iteration, cost, gradient_norm, accepted }
    }

    #[test]
    fn any_history_can_be_plotted() {
        let histories = [
            vec![],
            vec![step(0, 1.0, None, true)],
            vec![step(0, 0.0, Some(0.0), true), step(1, f64::NAN, None, false)],
            vec![step(0, f64::INFINITY, Some(f64::NAN), true), step(1, -1.0, Some(-1.0), true)],
            vec![step(0, 2.0, Some(1.0), true), step(1, 1e300, None, false), step(2, 2.0, Some(1.0), true)],
        ];
        for steps in &histories {
            let runs = [Run { name: "a", steps }, Run { name: "b", steps }];
            for runs in [&runs[..], &runs[..1]] {
                let picture = plot_convergence("title", runs, 320, 240).unwrap();
                assert_eq!((picture.width(), picture.height()), (320, 240));
            }
        }
    }

    #[test]
    fn wild_rejected_costs_do_not_flatten_the_curve() {
        let steps = [step(0, 10.0, None, true), step(1, 1e200, None, false), step(2, 1.0, None, true)];
        let plot = cost_plot("", &[Run { name: "lm", steps: &steps }]);
        let highest = plot.series.iter().flat_map(|s| &s.points).fold(0.0f64, |h, p| h.max(p[1]));
        assert!(highest <= 30.0, "{highest}");
    }
}
