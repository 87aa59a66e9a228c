//! The perspective camera, framed on the bounding sphere of the points it shall show.

use super::PictureError;
use super::vector::{Vector, add, cross, direction, dot, is_finite, norm, scale, subtract};

/// How much [`Camera::fill`] zooms in at most, so that a mesh that is a line from here stays a line.
const MOST_ZOOM: f64 = 2.5;

/// From where to look, and how wide.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct View {
    /// Turn about the up axis, in degrees.
    pub azimuth: f64,
    /// Height above the horizon, in degrees.
    pub elevation: f64,
    /// Direction that is up in the picture.
    pub up: [f64; 3],
    /// Full opening angle across the picture's shorter side, in degrees; small is flat, large is dramatic.
    pub field_of_view: f64,
    /// Room round the bounding sphere: 1 touches the picture's shorter sides.
    pub margin: f64,
}

impl Default for View {
    fn default() -> Self {
        Self { azimuth: 35.0, elevation: 22.0, up: [0.0, 0.0, 1.0], field_of_view: 28.0, margin: 1.18 }
    }
}

/// A perspective camera. Make one and use it for every picture that is to be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    pub(super) eye: Vector,
    pub(super) right: Vector,
    pub(super) up: Vector,
    pub(super) backward: Vector,
    /// The world's up axis, which lights and the ground follow.
    pub(super) zenith: Vector,
    /// Height of the lowest framed point along `zenith`.
    pub(super) floor: f64,
    pub(super) center: Vector,
    pub(super) radius: f64,
    focal: f64,
}

impl Camera {
    /// A camera that shows all finite points of all `point_sets` (for instance before and after).
    pub fn framing(point_sets: &[&[[f64; 3]]], view: View) -> Result<Self, PictureError> {
        let points = || {
            let all = point_sets.iter().flat_map(|set| set.iter().copied());
            all.filter(|p| is_finite(*p))
        };
        let mut low = [f64::INFINITY; 3];
        let mut high = [f64::NEG_INFINITY; 3];
        for p in points() {
            low = std::array::from_fn(|k| low[k].min(p[k]));
            high = std::array::from_fn(|k| high[k].max(p[k]));
        }
        let center = scale(add(low, high), 0.5);
        if !is_finite(center) {
            return Err(PictureError::NothingToFrame);
        }
        let farthest = points().fold(0.0, |r: f64, p| r.max(norm(subtract(p, center))));
        let radius = if farthest > 0.0 { farthest } else { 1.0 };

        let (zenith, backward) = view.axes()?;
        let right =
            direction(cross(zenith, backward)).ok_or(PictureError::View("it looks straight along its up axis"))?;
        let half_angle = (view.field_of_view / 2.0).to_radians();
        // The sphere's silhouette has sin(angle) = radius / distance; the margin widens the sphere.
        let distance = radius * view.margin.max(1.0) / half_angle.sin();
        Ok(Self {
            eye: add(center, scale(backward, distance)),
            right,
            up: cross(backward, right),
            backward,
            zenith,
            floor: points().fold(f64::INFINITY, |h, p| h.min(dot(p, zenith))),
            center,
            radius,
            focal: 1.0 / half_angle.tan(),
        })
    }

    /// The same view, moved sideways and zoomed so that the points fill the given share of the picture: `half_extents` are the
    /// largest distances from the middle, to the side and up, in halves of the picture's shorter side.
    ///
    /// A bounding sphere leaves a long or flat object small; this does not. Nearly flat views zoom in by a few times at most.
    pub fn fill(mut self, point_sets: &[&[[f64; 3]]], half_extents: [f64; 2]) -> Self {
        // Depths differ, so that one move does not quite centre the points; a second one does to the eye.
        for _ in 0..2 {
            let Some((low, high)) = self.bounds(point_sets) else { return self };
            let distance = dot(subtract(self.eye, self.center), self.backward);
            let move_by = |k: usize| 0.5 * (low[k] + high[k]) * distance / self.focal;
            self.eye = add(self.eye, add(scale(self.right, move_by(0)), scale(self.up, move_by(1))));
        }
        if let Some((low, high)) = self.bounds(point_sets) {
            let zoom = |k: usize| half_extents[k] / high[k].max(-low[k]);
            let zoom = zoom(0).min(zoom(1)).min(MOST_ZOOM);
            if zoom > 0.0 {
                self.focal *= zoom;
            }
        }
        self
    }

    /// Least and greatest picture position of all finite points.
    fn bounds(&self, point_sets: &[&[[f64; 3]]]) -> Option<([f64; 2], [f64; 2])> {
        let points = point_sets.iter().flat_map(|set| set.iter()).filter(|p| is_finite(**p));
        let positions = points.filter_map(|p| Some(self.project(*p)?.0));
        positions.fold(None, |bounds, [x, y]| {
            let ([x0, y0], [x1, y1]) = bounds.unwrap_or(([x, y], [x, y]));
            Some(([x0.min(x), y0.min(y)], [x1.max(x), y1.max(y)]))
        })
    }

    /// Position in the picture, in halves of its shorter side from the middle, and the distance along the view axis.
    ///
    /// None behind the camera.
    pub(super) fn project(&self, point: Vector) -> Option<([f64; 2], f64)> {
        let from_eye = subtract(point, self.eye);
        let depth = -dot(from_eye, self.backward);
        if !depth.is_finite() || depth < 1e-6 * self.radius {
            return None;
        }
        let factor = self.focal / depth;
        Some(([dot(from_eye, self.right) * factor, dot(from_eye, self.up) * factor], depth))
    }

    /// Direction of the ray through a picture position as given by [`Camera::project`].
    pub(super) fn ray(&self, position: [f64; 2]) -> Vector {
        let sideways = add(scale(self.right, position[0]), scale(self.up, position[1]));
        subtract(sideways, scale(self.backward, self.focal))
    }
}

impl View {
    /// The same view, but turned so that the camera stands `azimuth` degrees to the side of a direction from the scene. A direction
    /// that has no level part changes nothing.
    pub fn facing(self, front: [f64; 3], azimuth: f64) -> Self {
        let level = |degrees: f64| Some(View { azimuth: degrees, elevation: 0.0, ..self }.axes().ok()?.1);
        let (Some(north), Some(east)) = (level(0.0), level(90.0)) else { return self };
        let (x, y) = (dot(front, north), dot(front, east));
        // A NaN is no direction either.
        let is_level = x.hypot(y) > 1e-9 * norm(front);
        if is_level { View { azimuth: y.atan2(x).to_degrees() + azimuth, ..self } } else { self }
    }

    /// Unit vectors up and from the scene to the camera.
    fn axes(&self) -> Result<(Vector, Vector), PictureError> {
        let zenith = direction(self.up).ok_or(PictureError::View("its up vector has no direction"))?;
        if !(1.0..=150.0).contains(&self.field_of_view) || !self.margin.is_finite() {
            return Err(PictureError::View("its field of view or margin is out of range"));
        }
        if !self.azimuth.is_finite() || !self.elevation.is_finite() {
            return Err(PictureError::View("an angle is not finite"));
        }
        // Azimuth 0 lies along x where up is z; any other axis not along up would do as well.
        let start = if zenith[0].abs() < 0.9 { [1.0, 0.0, 0.0] } else { [0.0, 1.0, 0.0] };
        let east = direction(cross(zenith, start)).ok_or(PictureError::View("its up vector has no direction"))?;
        let north = cross(east, zenith);
        let (sin_a, cos_a) = self.azimuth.to_radians().sin_cos();
        // Straight down has no up; stop short of it.
        let (sin_e, cos_e) = self.elevation.clamp(-89.9, 89.9).to_radians().sin_cos();
        let level = add(scale(north, cos_a), scale(east, sin_a));
        Ok((zenith, add(scale(level, cos_e), scale(zenith, sin_e))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_every_point_from_everywhere() {
        let cloud: Vec<[f64; 3]> = (0..200)
            .map(f64::from)
            .map(|t| [3.0 * t.sin() + 10.0, 0.2 * (1.7 * t).cos(), 5.0 * (2.3 * t).sin() - 4.0])
            .collect();
        let other = [[f64::NAN, 0.0, 0.0], [14.0, 1.0, -4.0]];
        for azimuth in [0.0, 77.0, 200.0] {
            for elevation in [-90.0, -20.0, 0.0, 45.0, 90.0] {
                for up in [[0.0, 0.0, 1.0], [0.0, 2.0, 0.0], [1.0, 0.0, 0.0]] {
                    let view = View { azimuth, elevation, up, ..View::default() };
                    let camera = Camera::framing(&[&cloud, &other], view).unwrap();
                    for p in cloud.iter().chain(&other[1..]) {
                        let ([x, y], _) = camera.project(*p).unwrap();
                        assert!(x.abs() <= 1.0 && y.abs() <= 1.0, "{x} {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn filling_reaches_the_given_extents() {
        let stick = [[-5.0, 0.0, 0.0], [5.0, 0.3, 0.2], [1.0, 0.1, -0.4], [f64::NAN; 3]];
        let framed = Camera::framing(&[&stick], View::default()).unwrap();
        let (low, high) = framed.fill(&[&stick], [0.9, 0.6]).bounds(&[&stick]).unwrap();
        let reach = [high[0].max(-low[0]), high[1].max(-low[1])];
        assert!((reach[0] - 0.9).abs() < 1e-12 || (reach[1] - 0.6).abs() < 1e-12, "{reach:?}");
        assert!(reach[0] < 0.9 + 1e-12 && reach[1] < 0.6 + 1e-12, "{reach:?}");
        assert!((low[0] + high[0]).abs() < 0.02 && (low[1] + high[1]).abs() < 0.02);
        assert_eq!(framed.fill(&[], [0.9, 0.6]), framed);
    }

    #[test]
    fn rays_invert_the_projection() {
        let camera = Camera::framing(&[&[[-1.0, -1.0, -1.0], [1.0, 2.0, 1.0]]], View::default()).unwrap();
        let point = [0.3, -0.2, 0.7];
        let (position, depth) = camera.project(point).unwrap();
        let ray = camera.ray(position);
        let back = add(camera.eye, scale(ray, depth / -dot(ray, camera.backward)));
        assert!(norm(subtract(back, point)) < 1e-12);
    }

    #[test]
    fn views_face_where_they_should() {
        for front in [[1.0, 0.0, 0.0], [0.0, -2.0, 0.3], [-1.0, 1.0, 5.0]] {
            let view = View { elevation: 0.0, ..View::default() }.facing(front, 0.0);
            let level = direction([front[0], front[1], 0.0]).unwrap();
            assert!(norm(subtract(view.axes().unwrap().1, level)) < 1e-12);
        }
        assert_eq!(View::default().facing([0.0, 0.0, 1.0], 10.0), View::default());
    }

    #[test]
    fn hopeless_views_are_errors() {
        let nothing = Camera::framing(&[&[[f64::NAN; 3]]], View::default());
        assert!(matches!(nothing, Err(PictureError::NothingToFrame)));
        let flat = View { up: [0.0; 3], ..View::default() };
        assert!(matches!(Camera::framing(&[&[[0.0; 3]]], flat), Err(PictureError::View(_))));
        assert!(Camera::framing(&[&[[5.0; 3]]], View::default()).is_ok());
    }
}
