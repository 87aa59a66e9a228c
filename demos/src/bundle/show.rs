//! Cameras and points as pictures, the distribution of their errors, and files of both.

use super::Solved;
use super::project::{Pose, Reprojection};
use super::view::{Scene, quantile};
use crate::output::{Folder, PICTURE_SIZE};
use crate::picture::{
    Camera, Cloud, ColorMap, Panel, Picture, PictureError, Plot, Rgb, Stroke, color_bar, side_by_side,
};
use isograd::io::{BalProblem, PlyEncoding, write_bal, write_ply};
use isograd::mesh::Mesh;

const CAMERAS: Rgb = Rgb::VERMILION;
const BEFORE: Rgb = Rgb([217, 95, 14]);
const AFTER: Rgb = Rgb([31, 98, 168]);
/// Errors below this many pixels are nobody's concern; an exact solution has 10⁻¹².
const LEAST_PIXELS: f64 = 1e-2;
/// Bars of the histogram.
const BINS: usize = 48;

/// Writes pictures, the histogram, points and the adjusted problem.
pub(super) fn write(folder: &mut Folder, title: &str, solved: &Solved, azimuth: f64) -> anyhow::Result<()> {
    let scene = Scene::of(&solved.states[1]);
    let camera = scene.camera(&solved.states, azimuth)?;
    let logs = |errors: &Reprojection| errors.points.iter().map(|e| e.max(LEAST_PIXELS).log10()).collect::<Vec<_>>();
    let logs = [logs(&solved.errors[0]), logs(&solved.errors[1])];
    let low = quantile(logs[1].iter().copied(), 0.02).min(quantile(logs[0].iter().copied(), 0.02));
    let high = quantile(logs[0].iter().copied(), 0.98).max(low + 1.0);
    let range = (low.floor(), high.ceil());
    let captions = [format!("{title}: start"), format!("after {} iterations", solved.report.iteration_count())];

    let mut pictures = Vec::new();
    for (k, name) in ["before", "after"].into_iter().enumerate() {
        let (state, errors) = (&solved.states[k], &solved.errors[k]);
        let colors = ColorMap::Sequential.map(&logs[k], range);
        let hidden = state.points.iter().filter(|point| !scene.shows(point)).count();
        let hidden = if hidden > 0 { format!(", {hidden} points far out not shown") } else { String::new() };
        let note = format!("reprojection error {} pixels rms{hidden}", short(errors.rms()));
        let picture = draw(state, &scene, &camera, &colors)?;
        let mut picture = side_by_side(&[Panel { picture: &picture, caption: &captions[k], note: &note }])?;
        color_bar(&mut picture, ColorMap::Sequential, range, "log₁₀ of a point's error in pixels");
        folder.write(&format!("{name}.png"), |path| Ok(picture.save_png(path)?))?;
        pictures.push(picture);
        write_points(folder, &format!("{name}.ply"), state, &colors)?;
    }
    let panels: Vec<Panel> = pictures.iter().map(|picture| Panel { picture, caption: "", note: "" }).collect();
    let pair = side_by_side(&panels)?;
    folder.write("pair.png", |path| Ok(pair.save_png(path)?))?;
    let histogram = histogram(title, &solved.errors)?;
    folder.write("errors.png", |path| Ok(histogram.save_png(path)?))?;
    folder.write("adjusted.txt", |path| Ok(write_bal(path, &solved.states[1])?))
}

/// Points as dots and cameras as small pyramids.
fn draw(data: &BalProblem, scene: &Scene, camera: &Camera, colors: &[Rgb]) -> Result<Picture, PictureError> {
    let (width, height) = PICTURE_SIZE;
    let shown = data.points.iter().zip(colors).filter(|(point, _)| scene.shows(point));
    let (points, colors): (Vec<[f64; 3]>, Vec<Rgb>) = shown.unzip();
    let radius = Cloud::radius_for(points.len(), width, height);
    let size = scene.radius * (0.24 / (data.cameras.len() as f64).cbrt()).clamp(0.03, 0.16);
    let stroke = Stroke::new(CAMERAS, 1.6);
    let cloud = Cloud::new().dots(&points, colors, radius).lines(frusta(data, size), stroke);
    cloud.render(camera, width, height)
}

/// The edges of a pyramid a camera, as wide as the pixels that it saw.
fn frusta(data: &BalProblem, size: f64) -> Vec<[[f64; 3]; 2]> {
    let mut reach = vec![[0.0f64; 2]; data.cameras.len()];
    for observation in &data.observations {
        let reach = &mut reach[observation.camera as usize];
        *reach = [0, 1].map(|k| reach[k].max(observation.pixel[k].abs()));
    }
    let mut lines = Vec::with_capacity(8 * reach.len());
    for (camera, reach) in data.cameras.iter().zip(reach) {
        let pose = Pose::of(camera);
        // A focal length gone astray must not make a wall of it.
        let [x, y] = reach.map(|pixels| (pixels / camera[6].abs()).clamp(0.15, 0.8));
        let corner = |x: f64, y: f64| -> [f64; 3] { (pose.center + size * pose.to_world([x, y, -1.0])).into() };
        let corners = [corner(x, y), corner(-x, y), corner(-x, -y), corner(x, -y)];
        for k in 0..4 {
            lines.push([pose.center.into(), corners[k]]);
            lines.push([corners[k], corners[(k + 1) % 4]]);
        }
    }
    lines
}

/// How many observations are how far off.
fn histogram(title: &str, errors: &[Reprojection; 2]) -> Result<Picture, PictureError> {
    let logs = |errors: &Reprojection| -> Vec<f64> {
        errors.observations.iter().map(|e| e.max(1e-4 * LEAST_PIXELS).log10()).filter(|e| e.is_finite()).collect()
    };
    let logs = [logs(&errors[0]), logs(&errors[1])];
    let all = || logs.iter().flatten().copied();
    // The least and the largest few would leave the rest a spike.
    let low = quantile(all(), 0.002).floor();
    let high = quantile(all(), 0.998).ceil().max(low + 1.0);
    let bars = |logs: &[f64]| {
        let mut counts = [0u32; BINS];
        for log in logs {
            let bin = (log.clamp(low, high) - low) / (high - low) * BINS as f64;
            counts[(bin as usize).min(BINS - 1)] += 1;
        }
        let edge = |bin: usize| 10f64.powf(low + (high - low) * bin as f64 / BINS as f64);
        let mut steps = vec![[edge(0), 0.0]];
        for (bin, &count) in counts.iter().enumerate() {
            steps.extend([[edge(bin), f64::from(count)], [edge(bin + 1), f64::from(count)]]);
        }
        steps.push([edge(BINS), 0.0]);
        steps
    };
    let name = |state: &str, errors: &Reprojection| format!("{state}, {} rms", short(errors.rms()));
    Plot::new(format!("{title}: reprojection errors"))
        .labels("error in pixels", "observations")
        .log_x()
        .line(name("before", &errors[0]), bars(&logs[0]))
        .color(BEFORE)
        .line(name("after", &errors[1]), bars(&logs[1]))
        .color(AFTER)
        .render(1200, 800)
}

/// Three decimals, or as many as it takes to see that it is not zero.
fn short(pixels: f64) -> String {
    if pixels >= 1e-3 || pixels == 0.0 { format!("{pixels:.3}") } else { format!("{pixels:.1e}") }
}

/// Points, coloured by their errors, and the centres of the cameras as a PLY file without faces.
fn write_points(folder: &mut Folder, name: &str, data: &BalProblem, colors: &[Rgb]) -> anyhow::Result<()> {
    let centers = data.cameras.iter().map(|camera| <[f64; 3]>::from(Pose::of(camera).center));
    let vertices: Vec<[f64; 3]> = data.points.iter().copied().chain(centers).collect();
    let mut colors: Vec<[u8; 3]> = colors.iter().map(|color| color.0).collect();
    colors.resize(vertices.len(), CAMERAS.0);
    let mesh = Mesh::from_triangles(vertices, &[])?;
    folder.write(name, |path| Ok(write_ply(path, &mesh, Some(&colors), PlyEncoding::BinaryLittleEndian)?))
}
