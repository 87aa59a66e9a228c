//! A graph as a plan or in perspective, before and after, and the optimised graph as a file.

use super::Solved;
use super::graph::Shape;
use crate::output::{Folder, PICTURE_SIZE};
use crate::picture::{Camera, Cloud, Panel, Picture, PictureError, Plot, Rgb, Stroke, View, side_by_side};
use isograd::io::write_g2o;
use nalgebra::{Matrix3, SymmetricEigen, Vector3};

const WAY: Rgb = Rgb([31, 98, 168]);
const CLOSURES: Rgb = Rgb([232, 134, 60]);
const FIRST: Rgb = Rgb([0, 140, 112]);
/// How far a graph in space reaches to the side and up.
const REACH: [f64; 2] = [0.94, 0.78];
/// A graph is flat, and seen with its flat side down, if it is less thick than this share of its width.
const FLAT: f64 = 0.5;

/// Writes pictures of both states, and the optimised graph.
pub(super) fn write(folder: &mut Folder, title: &str, solved: &Solved, azimuth: f64) -> anyhow::Result<()> {
    let shapes = [Shape::of(&solved.states[0]), Shape::of(&solved.states[1])];
    let report = &solved.report;
    let iterations = report.iteration_count();
    let captions = [
        (format!("{title}: start"), format!("cost {:.5e}", report.initial_cost)),
        (format!("{title}: after {iterations} iterations"), format!("cost {:.5e}", report.final_cost)),
    ];
    // One direction for both, so that they can be compared.
    let view = view(&shapes[1].positions, azimuth);
    let mut pictures = Vec::new();
    for (k, name) in ["before", "after"].into_iter().enumerate() {
        let (caption, note) = &captions[k];
        let picture = if shapes[k].dimension == 2 {
            plan(&shapes[k], &format!("{caption}, {note}"))?
        } else {
            let picture = perspective(&shapes[k], view)?;
            side_by_side(&[Panel { picture: &picture, caption, note }])?
        };
        folder.write(&format!("{name}.png"), |path| Ok(picture.save_png(path)?))?;
        pictures.push(picture);
    }
    let panels: Vec<Panel> = pictures.iter().map(|picture| Panel { picture, caption: "", note: "" }).collect();
    let pair = side_by_side(&panels)?;
    folder.write("pair.png", |path| Ok(pair.save_png(path)?))?;
    folder.write("optimized.g2o", |path| Ok(write_g2o(path, &solved.states[1])?))
}

/// The view from above.
fn plan(shape: &Shape, title: &str) -> Result<Picture, PictureError> {
    // What is not finite interrupts a line.
    let pieces = |ends: &mut dyn Iterator<Item = [[f64; 3]; 2]>| -> Vec<[f64; 2]> {
        ends.flat_map(|[a, b]| [[a[0], a[1]], [b[0], b[1]], [f64::NAN; 2]]).collect()
    };
    let (closures, way) = (pieces(&mut shape.closures()), pieces(&mut shape.odometry()));
    let (width, height) = PICTURE_SIZE;
    let mut plot = Plot::new(title).labels("x", "y").equal_aspect();
    if !closures.is_empty() {
        plot = plot.line("loop closures", closures).color(CLOSURES).scale(0.42);
    }
    plot = plot.line("way", way).color(WAY).scale(0.55);
    if let Some(first) = shape.positions.first() {
        plot = plot.dots("first pose", [[first[0], first[1]]]).color(FIRST).scale(1.5);
    }
    plot.render(width, height)
}

fn perspective(shape: &Shape, view: View) -> Result<Picture, PictureError> {
    let framed: [&[[f64; 3]]; 1] = [&shape.positions];
    let camera = Camera::framing(&framed, view)?.fill(&framed, REACH);
    let (width, height) = PICTURE_SIZE;
    // Few poses are beads on their way; many would hide it.
    let dots = if shape.positions.len() <= 400 { shape.positions.as_slice() } else { &shape.positions[..1] };
    let colors = (0..dots.len()).map(|pose| if pose == 0 { FIRST } else { WAY });
    let radius = if dots.len() > 1 { Cloud::radius_for(40 * dots.len(), width, height).max(3.0) } else { 7.0 };
    let thin = if shape.positions.len() > 1000 { 1.0 } else { 2.2 };
    Cloud::new()
        .lines(shape.closures(), Stroke { color: CLOSURES, width: thin, opacity: 0.75 })
        .lines(shape.odometry(), Stroke { color: WAY, width: 1.3 * thin, opacity: 1.0 })
        .dots(dots, colors, radius)
        .render(&camera, width, height)
}

/// A view with the flat side of the points down, or z up if they have none, of their widest side.
fn view(positions: &[[f64; 3]], azimuth: f64) -> View {
    let points = positions.iter().map(|p| Vector3::from(*p)).filter(|p| p.norm().is_finite());
    let points: Vec<Vector3<f64>> = points.collect();
    let mean = points.iter().sum::<Vector3<f64>>() / points.len().max(1) as f64;
    let spread = points.iter().map(|p| (p - mean) * (p - mean).transpose()).sum::<Matrix3<f64>>();
    let spread = SymmetricEigen::new(spread);
    let mut order = [0, 1, 2];
    order.sort_by(|&a, &b| spread.eigenvalues[a].total_cmp(&spread.eigenvalues[b]));
    let axis = |k: usize| spread.eigenvectors.column(order[k]).into_owned();
    let thick = |k: usize| spread.eigenvalues[order[k]].max(0.0).sqrt();
    let down = axis(0) * if axis(0).sum() < 0.0 { -1.0 } else { 1.0 };
    let up = if thick(0) < FLAT * thick(1) { down } else { Vector3::z() };
    let view = View { elevation: 30.0, up: up.into(), field_of_view: 34.0, ..View::default() };
    view.facing(axis(2).cross(&up).into(), azimuth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graphs_of_any_extent_have_a_picture() {
        let line: Vec<[f64; 3]> = (0..5).map(|k| [f64::from(k), 0.0, 0.0]).collect();
        for positions in [vec![[1.0; 3]], line, vec![[0.0; 3], [f64::NAN; 3], [0.0, 0.0, 2.0]]] {
            let edges = (1..positions.len() as u32).map(|k| [k - 1, k]).collect();
            let shape = Shape { dimension: 3, positions, edges };
            perspective(&shape, view(&shape.positions, 20.0)).unwrap();
            plan(&shape, "plan").unwrap();
        }
    }
}
