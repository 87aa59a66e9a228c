//! The words of a plot: tick labels, title, axis names and legend.

use super::super::text::{Anchor, Type, draw_text, text_width};
use super::super::{Picture, Rgb};
use super::axis::Axis;
use super::draw::Layout;
use super::{Mark, Plot, Series};

pub(super) fn write_ticks(picture: &mut Picture, x: &Axis, y: &Axis, layout: &Layout) {
    let style = Type { size: layout.font, color: Rgb::GRAY };
    let baseline = (layout.height - layout.bottom) as f64 + 1.25 * layout.font;
    for (at, label) in &x.ticks {
        let column = layout.left as f64 + (at - x.low) / x.width() * layout.inner_width() as f64;
        draw_text(picture, label, column, baseline, Anchor::Middle, style);
    }
    for (at, label) in &y.ticks {
        let row = layout.top as f64 + (y.high - at) / y.width() * layout.inner_height() as f64;
        let (right, middle) = (layout.left as f64 - 0.5 * layout.font, row + 0.32 * layout.font);
        draw_text(picture, label, right, middle, Anchor::Right, style);
    }
}

/// The words that stand at places of the data.
pub(super) fn write_labels(picture: &mut Picture, plot: &Plot, x: &Axis, y: &Axis, layout: &Layout) {
    let style = Type { size: layout.font, color: Rgb::INK };
    for (at, text) in &plot.labels {
        let (Some(across), Some(up)) = (x.place(at[0]), y.place(at[1])) else { continue };
        let column = layout.left as f64 + (across - x.low) / x.width() * layout.inner_width() as f64;
        let row = layout.top as f64 + (y.high - up) / y.width() * layout.inner_height() as f64;
        let half = 0.5 * text_width(text, layout.font) + 0.25 * layout.font;
        let (left, top) = ((column - half).max(0.0) as usize, (row - 0.6 * layout.font).max(0.0) as usize);
        picture.fill_rectangle(left, top, (2.0 * half) as usize, (1.2 * layout.font) as usize, Rgb::WHITE);
        draw_text(picture, text, column, row + 0.36 * layout.font, Anchor::Middle, style);
    }
}

/// Title, axis names and legend.
pub(super) fn write_words(picture: &mut Picture, plot: &Plot, layout: &Layout) {
    let font = layout.font;
    let quiet = Type { size: font, color: Rgb::GRAY };
    let title = Type { size: 1.3 * font, color: Rgb::INK };
    let inset = 0.9 * font;
    draw_text(picture, &plot.title, inset, 1.9 * font, Anchor::Left, title);
    let above = layout.top as f64 - 0.85 * font;
    draw_text(picture, &plot.y_label, inset, above, Anchor::Left, quiet);
    let middle = layout.left as f64 + 0.5 * layout.inner_width() as f64;
    draw_text(picture, &plot.x_label, middle, layout.height as f64 - 0.8 * font, Anchor::Middle, quiet);

    let rows = legend_rows(plot, font, layout.width);
    for (row, entries) in rows.iter().rev().enumerate() {
        let baseline = above - 1.5 * font * row as f64;
        let mut right = (layout.width - layout.right) as f64;
        for series in entries.iter().rev() {
            draw_text(picture, &series.name, right, baseline, Anchor::Right, Type { size: font, color: Rgb::INK });
            right -= text_width(&series.name, font) + 0.5 * font;
            let sign = Type { size: font, color: series.color };
            draw_text(picture, sign_of(series), right, baseline, Anchor::Right, sign);
            right -= text_width(sign_of(series), font) + ENTRY_GAP * font;
        }
    }
}

/// Space between entries of the legend, in text sizes.
const ENTRY_GAP: f64 = 1.2;

fn sign_of(series: &Series) -> &'static str {
    match series.mark {
        Mark::Line => "━━",
        Mark::Dots => "●",
        Mark::Crosses => "✕",
    }
}

/// Named series, in as many rows as are needed beside the y axis' name.
pub(super) fn legend_rows(plot: &Plot, font: f64, width: usize) -> Vec<Vec<&Series>> {
    let free = width as f64 - text_width(&plot.y_label, font) - 5.0 * font;
    let mut rows: Vec<Vec<&Series>> = Vec::new();
    let mut used = f64::INFINITY;
    for series in plot.series.iter().filter(|series| !series.name.is_empty()) {
        let entry = text_width(&series.name, font) + text_width(sign_of(series), font) + (0.5 + ENTRY_GAP) * font;
        if used + entry > free {
            rows.push(Vec::new());
            used = 0.0;
        }
        used += entry;
        if let Some(row) = rows.last_mut() {
            row.push(series);
        }
    }
    rows
}
