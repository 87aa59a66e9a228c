//! The drawing before and after.

use super::drawing::Shape;
use super::freedom::Freedom;
use crate::output::Folder;
use crate::picture::{Panel, Picture, PictureError, Plot, Rgb, side_by_side};
use std::f64::consts::TAU;

const LINES: Rgb = Rgb([31, 98, 168]);
const POINTS: Rgb = Rgb::INK;
const MOTION: Rgb = Rgb([0, 140, 112]);
const SIZE: (usize, usize) = (1000, 900);
/// Length of the longest arrow of a motion, in units of the drawing.
const ARROW: f64 = 14.0;

/// Writes the pictures.
pub(super) fn write(folder: &mut Folder, name: &str, shapes: [&Shape; 2], freedom: &Freedom) -> anyhow::Result<()> {
    let (free, redundant) = (freedom.motions.len(), freedom.residuals.len() - freedom.rank);
    let degrees = if free == 1 { "degree" } else { "degrees" };
    let end = format!("solved: {free} {degrees} of freedom, {redundant} redundant");
    let before = draw(shapes[0], &format!("{name}: start"), None)?;
    let after = draw(shapes[1], &end, Some(freedom))?;
    folder.write("before.png", |path| Ok(before.save_png(path)?))?;
    folder.write("after.png", |path| Ok(after.save_png(path)?))?;
    let panels = [&before, &after].map(|picture| Panel { picture, caption: "", note: "" });
    let pair = side_by_side(&panels)?;
    folder.write("pair.png", |path| Ok(pair.save_png(path)?))
}

/// With the freedom of the result also its dimensions, conflicts and motions.
fn draw(shape: &Shape, title: &str, freedom: Option<&Freedom>) -> Result<Picture, PictureError> {
    let mut plot = Plot::new(title).labels("x", "y").equal_aspect();
    for line in &shape.lines {
        plot = plot.line("", *line).color(LINES);
    }
    for &(center, radius) in &shape.circles {
        plot = plot.line("", arc(center, radius, 0.0, TAU)).color(LINES);
    }
    for &(center, [from, to]) in &shape.arcs {
        let angle = |p: [f64; 2]| (p[1] - center[1]).atan2(p[0] - center[0]);
        let mut turn = angle(to) - angle(from);
        turn -= (turn / TAU).round() * TAU;
        let radius = (from[0] - center[0]).hypot(from[1] - center[1]);
        plot = plot.line("", arc(center, radius, angle(from), turn)).color(LINES);
    }
    let mut told = [false; 2];
    if let Some(freedom) = freedom {
        for (ends, constraint) in &shape.dimensions {
            if freedom.conflicting.contains(constraint) {
                plot = plot.line(once(&mut told[0], "in conflict"), *ends).color(Rgb::VERMILION);
            }
        }
        for motion in &freedom.motions {
            let moved = |at: usize| [motion[at], motion[at + 1]];
            let largest = shape.points.iter().map(|p| moved(p.2)).fold(0.0f64, |m, [x, y]| m.max(x.hypot(y)));
            for &(_, at, offset) in &shape.points {
                let [dx, dy] = moved(offset).map(|d| if largest > 0.0 { d / largest * ARROW } else { 0.0 });
                if dx.hypot(dy) > 0.05 * ARROW {
                    let name = once(&mut told[1], "free motion");
                    plot = plot.line(name, arrow(at, [at[0] + dx, at[1] + dy])).color(MOTION);
                }
            }
        }
    }
    plot = plot.dots("", shape.points.iter().map(|point| point.1)).color(POINTS);
    let middle = shape.middle();
    for &(name, at, _) in &shape.points {
        plot = plot.word(outward(at, middle, 5.0), name.to_string());
    }
    if freedom.is_some() {
        for ([a, b], _) in &shape.dimensions {
            let length = (b[0] - a[0]).hypot(b[1] - a[1]);
            plot = plot.word([0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])], format!("{length:.1}"));
        }
    }
    plot.render(SIZE.0, SIZE.1)
}

/// The name the first time, so that the legend has it once.
fn once(told: &mut bool, name: &'static str) -> &'static str {
    if std::mem::replace(told, true) { "" } else { name }
}

fn arc(center: [f64; 2], radius: f64, from: f64, turn: f64) -> Vec<[f64; 2]> {
    const PIECES: u32 = 72;
    let angle = |k: u32| from + turn * f64::from(k) / f64::from(PIECES);
    (0..=PIECES).map(|k| [center[0] + radius * angle(k).cos(), center[1] + radius * angle(k).sin()]).collect()
}

/// A line with two barbs at its end.
fn arrow(from: [f64; 2], to: [f64; 2]) -> Vec<[f64; 2]> {
    let (dx, dy) = (from[0] - to[0], from[1] - to[1]);
    let barb = |side: f64| [to[0] + 0.25 * (dx - side * dy), to[1] + 0.25 * (dy + side * dx)];
    vec![from, to, barb(0.6), to, barb(-0.6)]
}

/// A place next to a point, on the side away from the middle.
fn outward(at: [f64; 2], middle: [f64; 2], distance: f64) -> [f64; 2] {
    let (dx, dy) = (at[0] - middle[0], at[1] - middle[1]);
    let size = dx.hypot(dy).max(1e-9);
    [at[0] + distance * dx / size, at[1] + distance * dy / size]
}

impl Shape {
    /// Mean of the points.
    fn middle(&self) -> [f64; 2] {
        let count = self.points.len().max(1) as f64;
        [0, 1].map(|k| self.points.iter().map(|point| point.1[k]).sum::<f64>() / count)
    }
}
