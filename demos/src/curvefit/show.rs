//! The data with the curve through them, and what remains.

use super::drive::Fit;
use crate::output::Folder;
use crate::picture::{Picture, PictureError, Plot, Rgb};
use isograd::io::NistProblem;

const DATA: Rgb = Rgb([90, 98, 110]);
const CURVE: Rgb = Rgb([31, 98, 168]);
const STARTS: [Rgb; 2] = [Rgb([217, 95, 14]), Rgb([196, 148, 0])];
const SIZE: (usize, usize) = (1200, 850);
/// Points of a curve.
const SAMPLES: usize = 800;

/// Writes the plot of the fit and the one of its residuals.
pub(super) fn write(
    folder: &mut Folder,
    title: &str,
    data: &NistProblem,
    fits: &[Fit],
    chosen: &Fit,
) -> anyhow::Result<()> {
    let plot = if data.columns.len() == 2 { curve(title, data, fits, chosen)? } else { observed(title, data, chosen)? };
    folder.write("fit.png", |path| Ok(plot.save_png(path)?))?;
    let plot = residuals(title, data, chosen)?;
    folder.write("residuals.png", |path| Ok(plot.save_png(path)?))
}

/// Name and model, cut where the picture ends.
fn headline(title: &str, data: &NistProblem) -> String {
    const LONGEST: usize = 68;
    let whole = format!("{title}: {}", data.model);
    if whole.chars().count() <= LONGEST {
        return whole;
    }
    whole.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// What the model says at these predictors.
fn model(data: &NistProblem, parameters: &[f64], predictors: &[f64]) -> f64 {
    data.model.evaluate(&[parameters, predictors].concat())
}

/// What the model is compared with: y, or what the file makes of it.
fn response(data: &NistProblem, row: &[f64]) -> f64 {
    data.response.evaluate(&row[..1])
}

/// Data and curves against the only predictor.
fn curve(title: &str, data: &NistProblem, fits: &[Fit], chosen: &Fit) -> Result<Picture, PictureError> {
    let points: Vec<[f64; 2]> = data.observations().map(|row| [row[1], response(data, row)]).collect();
    let range =
        |k: usize| points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), p| (l.min(p[k]), h.max(p[k])));
    let ((left, right), (low, high)) = (range(0), range(1));
    // A start that leads far off must not press the data flat.
    let room = 0.35 * (high - low);
    let line = |parameters: &[f64]| -> Vec<[f64; 2]> {
        let x = |k: usize| left + (right - left) * k as f64 / (SAMPLES - 1) as f64;
        let y = |x: f64| model(data, parameters, &[x]);
        let shown = |y: f64| if (low - room..=high + room).contains(&y) { y } else { f64::NAN };
        (0..SAMPLES).map(x).map(|x| [x, shown(y(x))]).collect()
    };
    let mut plot = Plot::new(headline(title, data)).labels("x", data.response.to_string());
    for fit in fits {
        let start = line(&data.start(fit.start));
        let seen = start.iter().any(|point| point[1].is_finite());
        let name = format!("start {}{}", fit.start + 1, if seen { "" } else { " (outside)" });
        plot = plot.line(name, start).color(STARTS[fit.start.min(1)]).scale(0.7);
    }
    plot = plot.dots("data", points.iter().copied()).color(DATA).scale(1.2);
    plot.line("fit", line(&chosen.parameters)).color(CURVE).render(SIZE.0, SIZE.1)
}

/// Observed against fitted values, where there are several predictors.
fn observed(title: &str, data: &NistProblem, chosen: &Fit) -> Result<Picture, PictureError> {
    let points: Vec<[f64; 2]> =
        data.observations().map(|row| [model(data, &chosen.parameters, &row[1..]), response(data, row)]).collect();
    let all = || points.iter().flatten().copied().filter(|x| x.is_finite());
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    Plot::new(headline(title, data))
        .labels("fitted", format!("observed {}", data.response))
        .line("fitted = observed", [[low, low], [high, high]])
        .color(CURVE)
        .dots("data", points)
        .color(DATA)
        .render(SIZE.0, SIZE.1)
}

/// Residuals against the only predictor, or else against the fitted value.
fn residuals(title: &str, data: &NistProblem, chosen: &Fit) -> Result<Picture, PictureError> {
    let single = data.columns.len() == 2;
    let points: Vec<[f64; 2]> = data
        .observations()
        .map(|row| {
            let fitted = model(data, &chosen.parameters, &row[1..]);
            [if single { row[1] } else { fitted }, response(data, row) - fitted]
        })
        .collect();
    let all = || points.iter().map(|point| point[0]).filter(|x| x.is_finite());
    let (left, right) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    Plot::new(format!("{title}: residuals"))
        .labels(if single { "x" } else { "fitted" }, "observed − fitted")
        .line("", [[left, 0.0], [right, 0.0]])
        .color(CURVE)
        .scale(0.6)
        .dots("", points)
        .color(DATA)
        .render(SIZE.0, SIZE.1)
}
