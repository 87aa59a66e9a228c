//! Dots and lines in space, drawn from far to near and paler with the distance.

use super::backdrop;
use super::canvas::check_size;
use super::vector::{Vector, direction, dot, is_finite};
use super::{Camera, Picture, PictureError, Rgb, Stroke};

/// How much of its colour what is furthest away loses to the background.
const HAZE: f64 = 0.62;
/// The light that shades dots, in picture coordinates: from the upper left, and from before.
const LIGHT: Vector = [-0.45, 0.60, 0.66];
/// Share of the depths that the haze spans; the rest lies at one of its ends.
const SPANNED: [f64; 2] = [0.02, 0.98];

#[derive(Debug, Clone, Copy)]
enum Shape {
    /// A small ball: centre, radius in pixels where the haze is half.
    Dot(Vector, f64),
    Line([Vector; 2], f64, f64),
}

/// Dots and lines in space.
#[derive(Debug, Clone, Default)]
pub struct Cloud {
    shapes: Vec<(Shape, Rgb)>,
}

/// A shape on the screen.
struct Projected {
    depth: f64,
    shape: Shape,
    color: Rgb,
    ends: [[f64; 2]; 2],
}

impl Cloud {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds balls of a radius in pixels, halfway into the picture; nearer ones are larger. As many as there are colours.
    pub fn dots<'a>(
        mut self,
        points: impl IntoIterator<Item = &'a [f64; 3]>,
        colors: impl IntoIterator<Item = Rgb>,
        radius: f64,
    ) -> Self {
        let points = points.into_iter().zip(colors).filter(|(point, _)| is_finite(**point));
        self.shapes.extend(points.map(|(point, color)| (Shape::Dot(*point, radius), color)));
        self
    }

    /// Adds straight lines.
    pub fn lines(mut self, lines: impl IntoIterator<Item = [[f64; 3]; 2]>, stroke: Stroke) -> Self {
        let lines = lines.into_iter().filter(|ends| ends.iter().all(|end| is_finite(*end)));
        self.shapes.extend(lines.map(|ends| (Shape::Line(ends, stroke.width, stroke.opacity), stroke.color)));
        self
    }

    /// A radius for this many dots that leaves room between them in a picture of this size.
    pub fn radius_for(dots: usize, width: usize, height: usize) -> f64 {
        (0.10 * (width * height) as f64 / dots.max(1) as f64).sqrt().clamp(1.4, 7.0)
    }

    /// Draws all that is in front of the camera.
    ///
    /// # Errors
    /// If a picture of this size cannot be made.
    pub fn render(&self, camera: &Camera, width: usize, height: usize) -> Result<Picture, PictureError> {
        check_size(width, height)?;
        let rows = backdrop::rows(height);
        let bytes = rows.iter().flat_map(|color| color.0.repeat(width)).collect();
        let mut picture = Picture::from_bytes(width, height, bytes)?;

        let half = width.min(height) as f64 / 2.0;
        let place = |point: Vector| {
            let ([x, y], depth) = camera.project(point)?;
            Some(([width as f64 / 2.0 + x * half, height as f64 / 2.0 - y * half], depth))
        };
        let projected = |(shape, color): &(Shape, Rgb)| {
            let (ends, depth) = match *shape {
                Shape::Dot(center, _) => place(center).map(|(at, depth)| ([at, at], depth))?,
                Shape::Line([a, b], ..) => {
                    let ((a, near), (b, far)) = (place(a)?, place(b)?);
                    ([a, b], 0.5 * (near + far))
                }
            };
            Some(Projected { depth, shape: *shape, color: *color, ends })
        };
        let mut shapes: Vec<Projected> = self.shapes.iter().filter_map(projected).collect();
        shapes.sort_by(|a, b| b.depth.total_cmp(&a.depth));
        let [near, far] = SPANNED.map(|share| quantile_from_far(&shapes, 1.0 - share));
        let middle = 0.5 * (near + far);
        for Projected { depth, shape, color, ends } in &shapes {
            let haze = if far > near { HAZE * ((depth - near) / (far - near)).clamp(0.0, 1.0) } else { 0.0 };
            let pale = |row: f64, color: Rgb| {
                let behind = rows[(row.max(0.0) as usize).min(height - 1)];
                mixed(color, behind, haze)
            };
            match *shape {
                Shape::Dot(_, radius) => {
                    let radius = radius * (middle / depth).clamp(0.4, 3.0);
                    draw_dot(&mut picture, ends[0], radius, |color| pale(ends[0][1], color), *color);
                }
                Shape::Line(_, width, opacity) => {
                    let color = pale(0.5 * (ends[0][1] + ends[1][1]), *color);
                    draw_line(&mut picture, *ends, width, color, opacity);
                }
            }
        }
        Ok(picture)
    }
}

/// The depth that this share of the shapes, which stand from far to near, is further than.
fn quantile_from_far(shapes: &[Projected], share: f64) -> f64 {
    let last = shapes.len().saturating_sub(1);
    shapes.get((share * last as f64) as usize).map_or(1.0, |shape| shape.depth)
}

fn mixed(a: Rgb, b: Rgb, share: f64) -> Rgb {
    Rgb(std::array::from_fn(|k| (f64::from(a.0[k]) * (1.0 - share) + f64::from(b.0[k]) * share).round() as u8))
}

/// A ball as a shaded disc.
fn draw_dot(picture: &mut Picture, [x, y]: [f64; 2], radius: f64, pale: impl Fn(Rgb) -> Rgb, color: Rgb) {
    let light = direction(LIGHT).unwrap_or(LIGHT);
    let reach = radius + 1.0;
    let Some([columns, rows]) = covered(picture, [x - reach, y - reach], [x + reach, y + reach]) else { return };
    for row in rows {
        for column in columns.clone() {
            let (dx, dy) = (column as f64 + 0.5 - x, row as f64 + 0.5 - y);
            let distance = dx.hypot(dy);
            let coverage = (radius - distance + 0.5).clamp(0.0, 1.0);
            if coverage > 0.0 {
                let (nx, ny) = (dx / radius, -dy / radius);
                let normal = [nx, ny, (1.0 - nx * nx - ny * ny).max(0.0).sqrt()];
                let lit = 0.50 + 0.55 * dot(normal, light).max(0.0);
                let shaded = Rgb(color.0.map(|c| (f64::from(c) * lit).clamp(0.0, 255.0) as u8));
                picture.blend(column, row, pale(shaded), coverage);
            }
        }
    }
}

/// A line with round ends. One thinner than a pixel is a fainter line of a pixel.
pub(super) fn draw_line(picture: &mut Picture, [a, b]: [[f64; 2]; 2], width: f64, color: Rgb, opacity: f64) {
    let opacity = opacity * width.min(1.0);
    let reach = 0.5 * width.max(1.0);
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length_squared = dx * dx + dy * dy;
    let room = reach + 1.0;
    let low = [a[0].min(b[0]) - room, a[1].min(b[1]) - room];
    let high = [a[0].max(b[0]) + room, a[1].max(b[1]) + room];
    let Some([columns, rows]) = covered(picture, low, high) else { return };
    for row in rows {
        // Only where the line crosses this row: a diagonal's box is mostly empty.
        let y = row as f64 + 0.5;
        let slack = room * (1.0 + dx.abs() / dy.abs().max(1e-9));
        let at_row = if dy.abs() > 1e-9 { a[0] + (y - a[1]) / dy * dx } else { 0.5 * (a[0] + b[0]) };
        let slack = if dy.abs() > 1e-9 { slack } else { f64::INFINITY };
        let first = (columns.start as f64).max(at_row - slack) as i64;
        let last = (columns.end as f64).min(at_row + slack + 1.0) as i64;
        for column in first..last {
            let x = column as f64 + 0.5;
            let along = if length_squared > 0.0 {
                (((x - a[0]) * dx + (y - a[1]) * dy) / length_squared).clamp(0.0, 1.0)
            } else {
                0.0
            };
            let distance = (x - a[0] - along * dx).hypot(y - a[1] - along * dy);
            let coverage = (reach - distance + 0.5).clamp(0.0, 1.0);
            if coverage > 0.0 {
                picture.blend(column, row, color, opacity * coverage);
            }
        }
    }
}

/// Columns and rows of the picture that a box covers, if any.
fn covered(picture: &Picture, low: [f64; 2], high: [f64; 2]) -> Option<[std::ops::Range<i64>; 2]> {
    let size = [picture.width() as f64, picture.height() as f64];
    let range = |k: usize| {
        let (first, end) = (low[k].max(0.0).floor(), high[k].min(size[k]).ceil());
        // Written so that a NaN is nothing.
        (first < end).then_some(first as i64..end as i64)
    };
    Some([range(0)?, range(1)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::View;

    #[test]
    fn the_nearer_dot_covers_the_other() {
        let view = View { azimuth: 0.0, elevation: 0.0, ..View::default() };
        let ends = [[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]];
        let camera = Camera::framing(&[&ends], view).unwrap();
        let colors = [Rgb([255, 0, 0]), Rgb([0, 0, 255])];
        for (points, colors) in [(ends, colors), ([ends[1], ends[0]], [colors[1], colors[0]])] {
            let picture = Cloud::new().dots(&points, colors, 9.0).render(&camera, 60, 60).unwrap();
            let Rgb([red, _, blue]) = picture.pixel(30, 30);
            assert!(blue > red, "the camera stands at positive x");
        }
    }

    #[test]
    fn lines_are_drawn_where_they_are() {
        for ends in
            [[[5.0, 5.0], [25.0, 15.0]], [[5.0, 20.0], [25.0, 20.0]], [[12.0, 2.0], [12.0, 28.0]], [[4.0; 2]; 2]]
        {
            let mut picture = Picture::filled(30, 30, Rgb::WHITE).unwrap();
            draw_line(&mut picture, ends, 2.0, Rgb::INK, 1.0);
            for end in ends {
                assert_ne!(picture.pixel(end[0] as usize, end[1] as usize), Rgb::WHITE, "{ends:?}");
            }
            assert_eq!(picture.pixel(29, 29), Rgb::WHITE);
        }
    }

    #[test]
    fn awkward_shapes_are_left_out() {
        let camera = Camera::framing(&[&[[0.0; 3], [1.0; 3]]], View::default()).unwrap();
        let points = [[f64::NAN; 3], [1e300; 3], [f64::INFINITY, 0.0, 0.0]];
        let lines = [[points[0], points[1]], [[0.0; 3], [1e200, 0.0, 0.0]]];
        let cloud = Cloud::new().dots(&points, [Rgb::INK; 3], 3.0).lines(lines, Stroke::new(Rgb::INK, 1.0));
        assert!(cloud.render(&camera, 40, 30).is_ok() && Cloud::new().render(&camera, 40, 30).is_ok());
    }
}
