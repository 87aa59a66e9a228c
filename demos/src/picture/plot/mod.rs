//! Plots: curves and points on linear or logarithmic axes.
//!
//! `axis` turns data into ranges and ticks, `draw` lets the crate `plotters` draw grid and series,
//! `words` sets the text, `convergence` is the one ready-made plot.

mod axis;
mod convergence;
mod draw;
mod words;

pub use convergence::{Run, Step, plot_convergence};

use super::{Picture, PictureError, Rgb};

/// Colours of series, in order; they stay apart for colour-blind readers and in grey.
const PALETTE: [Rgb; 6] = [
    Rgb([31, 98, 168]),
    Rgb([217, 95, 14]),
    Rgb([0, 140, 112]),
    Rgb([146, 74, 156]),
    Rgb([196, 148, 0]),
    Rgb([90, 98, 110]),
];

/// How the points of a series are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Line,
    Dots,
    Crosses,
}

#[derive(Debug, Clone)]
struct Series {
    /// Entry in the legend; none if empty.
    name: String,
    points: Vec<[f64; 2]>,
    mark: Mark,
    color: Rgb,
    /// Width of lines and size of marks, relative to the usual one.
    scale: f64,
}

/// A plot in the making: add series, then [`Plot::render`].
///
/// Points that are not finite, and negative ones on a logarithmic axis, are left out and interrupt their line. Zeros
/// on a logarithmic axis are drawn at its lower end.
#[derive(Debug, Clone, Default)]
pub struct Plot {
    title: String,
    x_label: String,
    y_label: String,
    x_log: bool,
    y_log: bool,
    equal_aspect: bool,
    whole_x_ticks: bool,
    /// Size of the text in pixels; from the picture's size if none. Plots under each other need the same.
    font: Option<f64>,
    /// Least room for the y axis' labels, in pixels.
    label_room: usize,
    /// Values that the x axis shows in any case.
    x_shown: Vec<f64>,
    series: Vec<Series>,
    /// Words at a place.
    labels: Vec<([f64; 2], String)>,
}

impl Plot {
    /// An empty plot.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }

    /// Names the axes.
    pub fn labels(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        (self.x_label, self.y_label) = (x.into(), y.into());
        self
    }

    /// Makes the x axis logarithmic.
    pub fn log_x(mut self) -> Self {
        self.x_log = true;
        self
    }

    /// Makes the y axis logarithmic.
    pub fn log_y(mut self) -> Self {
        self.y_log = true;
        self
    }

    /// Gives a unit the same length on both axes, for trajectories and point clouds.
    pub fn equal_aspect(mut self) -> Self {
        self.equal_aspect = true;
        self
    }

    /// Puts ticks of a linear x axis at whole numbers only, for counts.
    pub fn whole_x_ticks(mut self) -> Self {
        self.whole_x_ticks = true;
        self
    }

    /// Adds a curve through the points in their order.
    pub fn line(self, name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        self.add(name.into(), points, Mark::Line)
    }

    /// Adds dots.
    pub fn dots(self, name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        self.add(name.into(), points, Mark::Dots)
    }

    /// Adds crosses, for outliers and what failed.
    pub fn crosses(self, name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        self.add(name.into(), points, Mark::Crosses)
    }

    /// Changes the colour of the series added last.
    pub fn color(mut self, color: Rgb) -> Self {
        if let Some(series) = self.series.last_mut() {
            series.color = color;
        }
        self
    }

    /// Makes the lines and marks of the series added last this many times as wide; below 1 is thin.
    pub fn scale(mut self, scale: f64) -> Self {
        if let Some(series) = self.series.last_mut() {
            series.scale = scale;
        }
        self
    }

    /// Writes a word centred at a place, on a patch of white.
    pub fn word(mut self, at: [f64; 2], text: impl Into<String>) -> Self {
        self.labels.push((at, text.into()));
        self
    }

    /// Draws the plot.
    pub fn render(&self, width: usize, height: usize) -> Result<Picture, PictureError> {
        draw::draw(self, width, height)
    }

    fn add(mut self, name: String, points: impl IntoIterator<Item = [f64; 2]>, mark: Mark) -> Self {
        let color = PALETTE[self.series.len() % PALETTE.len()];
        let points = points.into_iter().collect();
        self.series.push(Series { name, points, mark, color, scale: 1.0 });
        self
    }
}

/// A number with three digits at most: plain if short, else with a power of ten.
pub(super) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value == 0.0 || !value.is_finite() {
        format!("{value:.0}").replace('-', "−")
    } else if (1e-2..1e4).contains(&magnitude) {
        let digits = (2 - magnitude.log10().floor() as i32).clamp(0, 4) as usize;
        let text = format!("{value:.digits$}");
        let text = if digits > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        text.replace('-', "−")
    } else {
        let text = format!("{value:.2e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.').replace('-', "−");
        let power = exponent.parse().map(power_of_ten).unwrap_or_default();
        match mantissa.as_str() {
            "1" => power,
            _ => format!("{mantissa}·{power}"),
        }
    }
}

/// `10` with a raised exponent.
fn power_of_ten(exponent: i32) -> String {
    let digits = exponent.to_string();
    let raised = digits.chars().map(|c| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        _ => char::from_u32(0x2070 + c.to_digit(10).unwrap_or(0)).unwrap_or('⁰'),
    });
    "10".chars().chain(raised).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let cases = [
            (0.0, "0"),
            (1.0, "1"),
            (-0.25, "−0.25"),
            (1234.5, "1234"),
            (0.0001, "10⁻⁴"),
            (-2.5e-11, "−2.5·10⁻¹¹"),
            (3.0e20, "3·10²⁰"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn awkward_data_still_gives_a_picture() {
        let nan = f64::NAN;
        let clouds: [Vec<[f64; 2]>; 7] = [
            vec![],
            vec![[1.0, 1.0]],
            vec![[0.0, 5.0], [1.0, 5.0]],
            vec![[nan, 1.0], [1.0, nan], [f64::INFINITY, 2.0]],
            vec![[0.0, 0.0], [1.0, -3.0], [2.0, 1e-300], [3.0, 1e300]],
            vec![[-1e308, 1.0], [1e308, 2.0]],
            vec![[1.0, 1.0], [1.0 + 1e-16, 1.0 + 2e-16]],
        ];
        for points in clouds {
            let plot = Plot::new("awkward")
                .labels("x", "y")
                .line("a", points.clone())
                .dots("b", points.clone())
                .crosses("", points);
            for plot in [plot.clone(), plot.clone().log_y(), plot.clone().log_x().log_y(), plot.equal_aspect()] {
                let picture = plot.render(160, 120).unwrap();
                assert_eq!((picture.width(), picture.height()), (160, 120));
                assert_eq!(picture, plot.render(160, 120).unwrap());
            }
        }
        assert!(Plot::new("tiny").line("x", [[0.0, 1.0]]).render(1, 1).is_ok());
        assert!(Plot::new("none").render(0, 1).is_err());
    }
}
