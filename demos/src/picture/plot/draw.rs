//! Draws a plot: the crate `plotters` draws grid and series at a multiple of the size, which is then averaged down so
//! that all lines are antialiased; `words` sets the text afterwards, at full quality.

use plotters::prelude::*;
use plotters::style::RGBColor;

use super::super::text::text_width;
use super::super::{Picture, PictureError, Rgb};
use super::axis::Axis;
use super::words::{legend_rows, write_labels, write_ticks, write_words};
use super::{Mark, Plot, Series};

/// Oversampling in each direction.
const SAMPLES: usize = 3;
const GRID: Rgb = Rgb([229, 233, 238]);
const FRAME: Rgb = Rgb([150, 158, 168]);

/// Where things are, in pixels.
pub(super) struct Layout {
    pub font: f64,
    pub left: usize,
    pub right: usize,
    pub top: usize,
    pub bottom: usize,
    pub width: usize,
    pub height: usize,
}

pub(super) fn draw(plot: &Plot, width: usize, height: usize) -> Result<Picture, PictureError> {
    let words = |k: usize| plot.labels.iter().map(move |(at, _)| at[k]);
    let coordinate =
        |k: usize| plot.series.iter().flat_map(move |s| s.points.iter().map(move |p| p[k])).chain(words(k));
    let mut x = Axis::fit(coordinate(0).chain(plot.x_shown.iter().copied()), plot.x_log, plot.whole_x_ticks);
    let mut y = Axis::fit(coordinate(1), plot.y_log, false);
    let layout = Layout::of(plot, &y, width, height);
    if plot.equal_aspect {
        let (across, down) = (layout.inner_width() as f64, layout.inner_height() as f64);
        let unit = (x.width() / across).max(y.width() / down);
        x.widen(unit * across);
        y.widen(unit * down);
    }
    let mut picture = draw_series(plot, &x, &y, &layout)?;
    write_ticks(&mut picture, &x, &y, &layout);
    write_labels(&mut picture, plot, &x, &y, &layout);
    write_words(&mut picture, plot, &layout);
    Ok(picture)
}

/// Text size that suits a picture.
pub(super) fn font_size(width: usize, height: usize) -> f64 {
    (width.min(2 * height) as f64 / 48.0).clamp(9.0, 30.0)
}

impl Layout {
    fn of(plot: &Plot, y: &Axis, width: usize, height: usize) -> Self {
        let font = plot.font.unwrap_or_else(|| font_size(width, height));
        let widest = y.ticks.iter().map(|tick| text_width(&tick.1, font)).fold(0.0, f64::max);
        let title = if plot.title.is_empty() { 0.0 } else { 1.9 * font };
        let rows = legend_rows(plot, font, width).len().max(1);
        let top = title + (0.9 + 1.5 * rows as f64) * font;
        let bottom = if plot.x_label.is_empty() { 2.0 } else { 3.4 } * font;
        Self {
            font,
            // Never more than leaves a pixel to draw on.
            left: ((widest + 1.9 * font) as usize).max(plot.label_room).min(width / 2),
            right: ((1.6 * font) as usize).min(width / 4),
            top: (top as usize).min(height / 2),
            bottom: (bottom as usize).min(height / 4),
            width,
            height,
        }
    }

    pub fn inner_width(&self) -> usize {
        self.width - self.left - self.right
    }

    pub fn inner_height(&self) -> usize {
        self.height - self.top - self.bottom
    }

    /// Unit of line widths: 1 for a picture about 900 wide.
    fn line(&self, width: f64) -> u32 {
        ((width * self.font / 18.0 * SAMPLES as f64).round() as u32).max(1)
    }
}

fn rgb(color: Rgb) -> RGBColor {
    RGBColor(color.0[0], color.0[1], color.0[2])
}

/// Grid, frame and series, without text.
fn draw_series(plot: &Plot, x: &Axis, y: &Axis, layout: &Layout) -> Result<Picture, PictureError> {
    super::super::canvas::check_size(layout.width, layout.height)?;
    let (width, height) = (layout.width * SAMPLES, layout.height * SAMPLES);
    let mut bytes = vec![255; 3 * width * height];
    draw_samples(plot, x, y, layout, &mut bytes).map_err(|e| PictureError::Plot(e.to_string()))?;
    let mut pixels = Vec::with_capacity(3 * layout.width * layout.height);
    for row in 0..layout.height {
        for at in 0..3 * layout.width {
            let (column, channel) = (at / 3, at % 3);
            let sample = |k: usize| {
                let (i, j) = (column * SAMPLES + k % SAMPLES, row * SAMPLES + k / SAMPLES);
                u32::from(bytes[3 * (j * width + i) + channel])
            };
            let count = SAMPLES * SAMPLES;
            pixels.push(((0..count).map(sample).sum::<u32>() / count as u32) as u8);
        }
    }
    Picture::from_bytes(layout.width, layout.height, pixels)
}

type DrawError = Box<dyn std::error::Error>;

fn draw_samples(plot: &Plot, x: &Axis, y: &Axis, layout: &Layout, bytes: &mut [u8]) -> Result<(), DrawError> {
    let size = ((layout.width * SAMPLES) as u32, (layout.height * SAMPLES) as u32);
    let margin = |pixels: usize| (pixels * SAMPLES) as u32;
    let area = BitMapBackend::with_buffer(bytes, size).into_drawing_area();
    let mut chart = ChartBuilder::on(&area)
        .margin_left(margin(layout.left))
        .margin_right(margin(layout.right))
        .margin_top(margin(layout.top))
        .margin_bottom(margin(layout.bottom))
        .build_cartesian_2d(x.low..x.high, y.low..y.high)?;

    let vertical = x.ticks.iter().map(|tick| vec![(tick.0, y.low), (tick.0, y.high)]);
    let horizontal = y.ticks.iter().map(|tick| vec![(x.low, tick.0), (x.high, tick.0)]);
    let grid = rgb(GRID).stroke_width(layout.line(1.0));
    chart.draw_series(vertical.chain(horizontal).map(|line| PathElement::new(line, grid)))?;
    let frame = vec![(x.low, y.high), (x.low, y.low), (x.high, y.low)];
    let frame_style = rgb(FRAME).stroke_width(layout.line(1.2));
    chart.draw_series([PathElement::new(frame, frame_style)])?;

    for series in &plot.series {
        let color = rgb(series.color);
        match series.mark {
            Mark::Line => {
                let style = color.stroke_width(layout.line(2.2 * series.scale));
                let joint = layout.line(2.2 * series.scale) / 2;
                for run in unbroken(series, x, y) {
                    // Piece by piece: the backend fills a thick curve as one polygon, with holes where it meets itself.
                    let pieces = run.windows(2).map(|ends| PathElement::new(ends.to_vec(), style));
                    chart.draw_series(pieces)?;
                    chart.draw_series(run.iter().map(|p| Circle::new(*p, joint, color.filled())))?;
                }
            }
            Mark::Dots => {
                let dots = unbroken(series, x, y).into_iter().flatten();
                chart.draw_series(dots.map(|p| Circle::new(p, layout.line(3.4 * series.scale), color.filled())))?;
            }
            Mark::Crosses => {
                let style = color.stroke_width(layout.line(2.0 * series.scale));
                let marks = unbroken(series, x, y).into_iter().flatten();
                chart.draw_series(marks.map(|p| Cross::new(p, layout.line(4.6 * series.scale), style)))?;
            }
        }
    }
    area.present()?;
    Ok(())
}

/// Runs of drawable points, in axis coordinates.
fn unbroken(series: &Series, x: &Axis, y: &Axis) -> Vec<Vec<(f64, f64)>> {
    let places = series.points.iter().map(|p| Some((x.place(p[0])?, y.place(p[1])?)));
    let places: Vec<Option<(f64, f64)>> = places.collect();
    let runs = places.split(|place| place.is_none());
    runs.filter(|run| !run.is_empty()).map(|run| run.iter().copied().flatten().collect()).collect()
}
