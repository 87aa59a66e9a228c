//! From a surface and a camera to pixels, band by band.
//!
//! Vertices are projected once. Each band of rows finds out what its samples see, shades those samples, and averages
//! them to pixels. Bands share nothing, so they run in parallel and the picture does not depend on the schedule.

use rayon::prelude::*;

use super::backdrop::Backdrop;
use super::canvas::check_size;
use super::light::Lights;
use super::raster::{Band, NOTHING, SAMPLES, ScreenPoint, ScreenTriangle, Segment, Viewport};
use super::surface::Surface;
use super::vector::{Vector, add, combine, is_finite, mix, scale};
use super::{Camera, Picture, PictureError, Rgb, Scene, Stroke};

/// Rows of pixels in a band: small for an even load, large enough to amortise the search for a band's triangles.
const BAND_ROWS: usize = 16;
/// How far lines are lifted off the surface, in radii of the scene. Less for the wireframe, which is everywhere.
const POLYLINE_LIFT: f64 = 0.02;
const WIREFRAME_LIFT: f64 = 0.006;

/// All that the bands read.
struct Frame<'a> {
    viewport: Viewport<'a>,
    positions: &'a [[f64; 3]],
    surface: &'a Surface,
    screen: Vec<Option<ScreenPoint>>,
    strokes: Vec<Stroke>,
    segments: Vec<Segment>,
    lights: Lights,
    backdrop: Backdrop,
}

pub(super) fn render(
    scene: &Scene,
    surface: &Surface,
    camera: &Camera,
    width: usize,
    height: usize,
) -> Result<Picture, PictureError> {
    check_size(width, height)?;
    let viewport = Viewport { camera, width, height };
    let project = |p: &[f64; 3]| is_finite(*p).then(|| viewport.project(*p)).flatten();
    let mut frame = Frame {
        viewport,
        positions: scene.positions,
        surface,
        screen: scene.positions.par_iter().map(project).collect(),
        strokes: Vec::new(),
        segments: Vec::new(),
        lights: Lights::at(camera),
        backdrop: Backdrop::of(scene, surface, camera),
    };
    frame.add_lines(scene, project);

    let bands = height.div_ceil(BAND_ROWS);
    let triangles = in_bands(bands, surface.facets.iter().map(|f| frame.corners(f.vertices)), 0.0);
    let segments = in_bands(bands, frame.segments.iter().map(|s| Some(s.ends)), frame.widest());
    let rows: Vec<Vec<u8>> =
        (0..bands).into_par_iter().map(|band| frame.render_band(band, &triangles[band], &segments[band])).collect();
    Picture::from_bytes(width, height, rows.concat())
}

/// For each band, the shapes that may touch it.
fn in_bands<const N: usize>(
    bands: usize,
    shapes: impl Iterator<Item = Option<[ScreenPoint; N]>>,
    reach: f64,
) -> Vec<Vec<u32>> {
    let mut lists = vec![Vec::new(); bands];
    let band_of = |y: f64| (y / (SAMPLES * BAND_ROWS) as f64).floor();
    for (index, shape) in shapes.enumerate() {
        let Some(points) = shape else { continue };
        let low = points.iter().fold(f64::INFINITY, |y, p| y.min(p.y)) - reach;
        let high = points.iter().fold(f64::NEG_INFINITY, |y, p| y.max(p.y)) + reach;
        let (first, last) = (band_of(low).max(0.0), band_of(high).min(bands as f64 - 1.0));
        if first <= last {
            for list in &mut lists[first as usize..=last as usize] {
                list.push(index as u32);
            }
        }
    }
    lists
}

impl Frame<'_> {
    fn corners(&self, vertices: [u32; 3]) -> Option<[ScreenPoint; 3]> {
        let [a, b, c] = vertices.map(|v| self.screen[v as usize]);
        Some([a?, b?, c?])
    }

    fn widest(&self) -> f64 {
        self.segments.iter().fold(0.0, |widest, s| s.reach.max(widest))
    }

    fn add_lines(&mut self, scene: &Scene, project: impl Fn(&[f64; 3]) -> Option<ScreenPoint>) {
        if let Some(stroke) = scene.wireframe {
            let ends = self.surface.edges().into_iter().map(|edge| edge.map(|v| self.screen[v as usize]));
            self.add_segments(stroke, WIREFRAME_LIFT, ends.collect());
        }
        for (polylines, stroke) in &scene.polylines {
            let ends =
                polylines.iter().flat_map(|line| line.windows(2)).map(|pair| [project(&pair[0]), project(&pair[1])]);
            self.add_segments(*stroke, POLYLINE_LIFT, ends.collect());
        }
    }

    fn add_segments(&mut self, stroke: Stroke, lift: f64, ends: Vec<[Option<ScreenPoint>; 2]>) {
        let index = self.strokes.len() as u32;
        self.strokes.push(stroke);
        let reach = 0.5 * stroke.width.clamp(0.0, 100.0) * SAMPLES as f64;
        let lift = lift * self.viewport.camera.radius;
        self.segments
            .extend(ends.into_iter().filter_map(|[a, b]| Some(Segment { ends: [a?, b?], reach, lift, stroke: index })));
    }

    /// RGB bytes of a band of pixel rows.
    fn render_band(&self, band: usize, triangles: &[u32], segments: &[u32]) -> Vec<u8> {
        let Viewport { width, height, .. } = self.viewport;
        let rows = band * BAND_ROWS..((band + 1) * BAND_ROWS).min(height);
        let mut seen = Band::new(width * SAMPLES, rows.start * SAMPLES..rows.end * SAMPLES);
        for &t in triangles {
            if let Some(corners) = self.corners(self.surface.facets[t as usize].vertices) {
                seen.fill(t, corners);
            }
        }
        for &s in segments {
            seen.trace(&self.segments[s as usize]);
        }
        let mut bytes = Vec::with_capacity(3 * width * rows.len());
        for y in rows.clone() {
            for x in 0..width {
                bytes.extend(self.pixel(&seen, rows.start, x, y).0);
            }
        }
        bytes
    }

    /// Mean colour of a pixel's samples.
    fn pixel(&self, seen: &Band, first_row: usize, x: usize, y: usize) -> Rgb {
        let mut sum = [0.0; 3];
        let mut behind = None;
        for row in y * SAMPLES..(y + 1) * SAMPLES {
            for column in x * SAMPLES..(x + 1) * SAMPLES {
                let at = (row - first_row * SAMPLES) * self.viewport.width * SAMPLES + column;
                let mut color = match seen.triangle[at] {
                    NOTHING => *behind.get_or_insert_with(|| self.backdrop.color(&self.viewport, x, y)),
                    triangle => self.surface_color(triangle, column as f64 + 0.5, row as f64 + 0.5),
                };
                if let Some(stroke) = self.strokes.get(seen.stroke[at] as usize) {
                    color = mix(color, stroke.color.to_linear(), stroke.opacity.clamp(0.0, 1.0));
                }
                sum = add(sum, color);
            }
        }
        Rgb::from_linear(scale(sum, 1.0 / (SAMPLES * SAMPLES) as f64))
    }

    fn surface_color(&self, triangle: u32, x: f64, y: f64) -> Vector {
        let facet = &self.surface.facets[triangle as usize];
        let on_screen = self.corners(facet.vertices).and_then(ScreenTriangle::new);
        let weights = on_screen.map_or([1.0 / 3.0; 3], |t| t.perspective(t.weights(x, y)));
        let point = combine(weights, facet.vertices.map(|v| self.positions[v as usize]));
        let normal = combine(weights, self.surface.corner_normals[triangle as usize]);
        let normal = super::vector::direction(normal).unwrap_or(facet.normal);
        self.lights.shade(self.surface.color(facet, weights), point, facet.normal, normal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{Paint, Shading, View};

    const POSITIONS: [[f64; 3]; 5] =
        [[1.0, 0.0, 0.0], [-0.5, 0.9, 0.0], [-0.5, -0.9, 0.0], [0.0, 0.0, 1.2], [f64::NAN, 0.0, f64::INFINITY]];
    const TRIANGLES: [[u32; 3]; 6] = [[0, 1, 3], [1, 2, 3], [2, 0, 3], [0, 2, 1], [0, 1, 4], [2, 2, 3]];

    fn draw(scene: &Scene) -> Picture {
        let camera = Camera::framing(&[&POSITIONS], View::default()).unwrap();
        scene.render(&camera, 90, 61).unwrap()
    }

    #[test]
    fn same_input_gives_same_bytes() {
        let lines = [vec![POSITIONS[0], POSITIONS[3], POSITIONS[4]]];
        let scene = Scene::new(&POSITIONS, &TRIANGLES)
            .shading(Shading::Creased(30.0))
            .paint(Paint::PerFace(&[Rgb::CLAY; 6]))
            .wireframe(Stroke::wireframe())
            .polylines(&lines, Stroke::new(Rgb::VERMILION, 2.0));
        let first = draw(&scene);
        assert_eq!((first.width(), first.height()), (90, 61));
        assert_eq!(first, draw(&scene));
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        assert_eq!(first, one_thread.install(|| draw(&scene)));
    }

    #[test]
    fn broken_parts_change_nothing() {
        let whole = draw(&Scene::new(&POSITIONS, &TRIANGLES));
        assert_eq!(whole, draw(&Scene::new(&POSITIONS[..4], &TRIANGLES[..4])));
        assert_ne!(whole, draw(&Scene::new(&POSITIONS, &[])));
    }

    #[test]
    fn polylines_are_drawn_over_the_surface() {
        let line = [vec![POSITIONS[0], POSITIONS[3]]];
        let plain = Scene::new(&POSITIONS, &TRIANGLES);
        let lined = plain.clone().polylines(&line, Stroke::new(Rgb::VERMILION, 3.0));
        assert_ne!(draw(&plain), draw(&lined));
    }
}
