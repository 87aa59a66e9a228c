//! Which triangle and which line each sample of the picture sees: a z-buffer over a band of rows.

use std::ops::Range;

use super::Camera;
use super::vector::Vector;

/// Samples along a pixel's side; each pixel is the mean of the square of this.
pub(super) const SAMPLES: usize = 3;

/// Marks a sample that sees nothing.
pub(super) const NOTHING: u32 = u32::MAX;

/// A projected point, in samples from the picture's top left corner.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScreenPoint {
    pub x: f64,
    pub y: f64,
    /// One over the distance along the view axis: linear on the screen, and larger is nearer.
    pub nearness: f64,
}

/// A piece of a line on the screen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    pub ends: [ScreenPoint; 2],
    /// Half of the width, in samples.
    pub reach: f64,
    /// Distance by which the line is lifted off the surface towards the eye.
    pub lift: f64,
    /// Index of its stroke.
    pub stroke: u32,
}

/// Maps between scene, samples and pixels for one size of picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Viewport<'a> {
    pub camera: &'a Camera,
    pub width: usize,
    pub height: usize,
}

impl Viewport<'_> {
    fn half_side(&self) -> f64 {
        self.width.min(self.height) as f64 / 2.0
    }

    pub fn project(&self, point: Vector) -> Option<ScreenPoint> {
        let ([x, y], depth) = self.camera.project(point)?;
        let samples = SAMPLES as f64;
        Some(ScreenPoint {
            x: (self.width as f64 / 2.0 + x * self.half_side()) * samples,
            y: (self.height as f64 / 2.0 - y * self.half_side()) * samples,
            nearness: 1.0 / depth,
        })
    }

    /// Ray through a position given in pixels.
    pub fn ray(&self, x: f64, y: f64) -> Vector {
        let [dx, dy] = [x - self.width as f64 / 2.0, self.height as f64 / 2.0 - y];
        self.camera.ray([dx / self.half_side(), dy / self.half_side()])
    }
}

/// Barycentric weights on the screen as linear functions of the sample's position.
pub(super) struct ScreenTriangle {
    corners: [ScreenPoint; 3],
    scale: f64,
}

impl ScreenTriangle {
    /// None if it is seen edge-on.
    pub fn new(corners: [ScreenPoint; 3]) -> Option<Self> {
        let [a, b, c] = corners;
        let area = (b.x - a.x) * (c.y - a.y) - (b.y - a.y) * (c.x - a.x);
        (area.abs() > 1e-9).then(|| Self { corners, scale: 1.0 / area })
    }

    /// Weights at a position; all are non-negative inside.
    pub fn weights(&self, x: f64, y: f64) -> [f64; 3] {
        let [a, b, c] = self.corners;
        let opposite =
            |p: ScreenPoint, q: ScreenPoint| ((q.x - p.x) * (y - p.y) - (q.y - p.y) * (x - p.x)) * self.scale;
        [opposite(b, c), opposite(c, a), opposite(a, b)]
    }

    fn nearness(&self, weights: [f64; 3]) -> f64 {
        (0..3).map(|k| weights[k] * self.corners[k].nearness).sum()
    }

    /// Weights on the triangle in space that belong to weights on the screen.
    pub fn perspective(&self, weights: [f64; 3]) -> [f64; 3] {
        let total = self.nearness(weights);
        std::array::from_fn(|k| weights[k] * self.corners[k].nearness / total)
    }
}

/// The z-buffer of a band of sample rows.
pub(super) struct Band {
    columns: usize,
    rows: Range<usize>,
    nearness: Vec<f64>,
    /// Index of the nearest triangle, or [`NOTHING`].
    pub triangle: Vec<u32>,
    /// Index of the stroke that covers the sample, or [`NOTHING`].
    pub stroke: Vec<u32>,
}

impl Band {
    pub fn new(columns: usize, rows: Range<usize>) -> Self {
        let count = columns * rows.len();
        Self { columns, rows, nearness: vec![0.0; count], triangle: vec![NOTHING; count], stroke: vec![NOTHING; count] }
    }

    /// Samples whose centres may lie within `reach` of the box of some points.
    fn covered(&self, points: &[ScreenPoint], reach: f64) -> (Range<usize>, Range<usize>) {
        let bounds = |coordinate: fn(&ScreenPoint) -> f64, low: usize, high: usize| {
            let all = points.iter().map(coordinate);
            let (least, most) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, m), v| (l.min(v), m.max(v)));
            // Casts saturate, so far-off points are harmless.
            let first = ((least - reach - 0.5).ceil().max(0.0) as usize).max(low);
            let end = ((most + reach - 0.5).floor() + 1.0).max(0.0) as usize;
            first..end.min(high).max(first)
        };
        (bounds(|p| p.x, 0, self.columns), bounds(|p| p.y, self.rows.start, self.rows.end))
    }

    /// Draws a triangle where it is the nearest so far.
    pub fn fill(&mut self, id: u32, corners: [ScreenPoint; 3]) {
        let Some(triangle) = ScreenTriangle::new(corners) else {
            return;
        };
        let (columns, rows) = self.covered(&corners, 0.0);
        for row in rows {
            let y = row as f64 + 0.5;
            let start = (row - self.rows.start) * self.columns;
            for column in columns.clone() {
                let weights = triangle.weights(column as f64 + 0.5, y);
                if weights[0] < 0.0 || weights[1] < 0.0 || weights[2] < 0.0 {
                    continue;
                }
                let nearness = triangle.nearness(weights);
                let at = start + column;
                if nearness > self.nearness[at] {
                    self.nearness[at] = nearness;
                    self.triangle[at] = id;
                }
            }
        }
    }

    /// Draws a line with round ends over the triangles that do not hide it.
    pub fn trace(&mut self, segment: &Segment) {
        let [a, b] = segment.ends;
        let (dx, dy) = (b.x - a.x, b.y - a.y);
        let length_squared = dx * dx + dy * dy;
        let (columns, rows) = self.covered(&segment.ends, segment.reach);
        for row in rows {
            for column in columns.clone() {
                let (px, py) = (column as f64 + 0.5 - a.x, row as f64 + 0.5 - a.y);
                let t = if length_squared > 0.0 { ((px * dx + py * dy) / length_squared).clamp(0.0, 1.0) } else { 0.0 };
                let (ox, oy) = (px - t * dx, py - t * dy);
                if ox * ox + oy * oy > segment.reach * segment.reach {
                    continue;
                }
                let on_line = a.nearness + t * (b.nearness - a.nearness);
                // d(1/z) = dz / z^2.
                let lifted = on_line + segment.lift * on_line * on_line;
                let at = (row - self.rows.start) * self.columns + column;
                if lifted >= self.nearness[at] {
                    self.stroke[at] = segment.stroke;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(x: f64, y: f64, nearness: f64) -> ScreenPoint {
        ScreenPoint { x, y, nearness }
    }

    #[test]
    fn nearest_triangle_wins_in_any_order() {
        let near = [point(0.0, 0.0, 1.0), point(8.0, 0.0, 1.0), point(0.0, 8.0, 1.0)];
        let far = near.map(|p| point(p.x, p.y, 0.5));
        for order in [[0, 1], [1, 0]] {
            let mut band = Band::new(8, 0..8);
            for id in order {
                band.fill(id, if id == 0 { near } else { far });
            }
            assert_eq!(band.triangle[0], 0);
            assert_eq!(band.triangle[63], NOTHING);
        }
    }

    #[test]
    fn two_halves_cover_a_square_without_holes() {
        let [a, b, c, d] = [(0.3, 0.2), (9.7, 0.1), (9.9, 9.8), (0.1, 9.9)].map(|(x, y)| point(x, y, 1.0));
        let mut band = Band::new(10, 0..10);
        band.fill(0, [a, b, c]);
        band.fill(1, [a, c, d]);
        assert!(band.triangle.iter().all(|&t| t != NOTHING));
    }

    #[test]
    fn lines_hide_behind_triangles() {
        let wall = [point(0.0, 0.0, 1.0), point(20.0, 0.0, 1.0), point(0.0, 20.0, 1.0)];
        let line = |nearness| Segment {
            ends: [point(1.0, 1.0, nearness), point(5.0, 1.0, nearness)],
            reach: 1.0,
            lift: 0.01,
            stroke: 0,
        };
        let seen = |nearness| {
            let mut band = Band::new(8, 0..8);
            band.fill(0, wall);
            band.trace(&line(nearness));
            band.stroke.contains(&0)
        };
        assert!(seen(1.0) && seen(2.0) && !seen(0.5));
    }

    #[test]
    fn far_off_and_edge_on_shapes_are_harmless() {
        let mut band = Band::new(4, 2..4);
        band.fill(0, [point(-1e300, 0.0, 1.0), point(-1e299, 5.0, 1.0), point(-1e300, 9.0, 1.0)]);
        band.fill(1, [point(0.0, 0.0, 1.0), point(2.0, 2.0, 1.0), point(4.0, 4.0, 1.0)]);
        assert!(band.triangle.iter().all(|&t| t == NOTHING));
    }
}
