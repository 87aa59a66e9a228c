//! From where to look at a cloud of points that has stray ones far out.

use super::project::Pose;
use crate::picture::{Camera, PictureError, View};
use isograd::io::BalProblem;
use nalgebra::{Matrix3, SymmetricEigen, Vector3};

/// What there is to see of a scene.
pub(super) struct Scene {
    center: Vector3<f64>,
    /// Twice the distance from the centre that three quarters of the points are within.
    pub radius: f64,
    up: Vector3<f64>,
    front: Vector3<f64>,
}

/// Stray points are further from the centre than so many radii.
const STRAY: f64 = 2.0;
/// Cameras up to so many radii away are framed.
const CAMERAS: f64 = 6.0;
/// How far the scene reaches to the side and up: words stand above and below.
const REACH: [f64; 2] = [0.96, 0.74];

impl Scene {
    pub fn of(data: &BalProblem) -> Scene {
        let center = Vector3::from(std::array::from_fn(|axis| median(data.points.iter().map(|p| p[axis]))));
        let distance = |p: &[f64; 3]| (Vector3::from(*p) - center).norm();
        let radius = 2.0 * quantile(data.points.iter().map(distance), 0.75);
        let radius = if radius > 0.0 { radius } else { 1.0 };

        // Axes of the points without the stray ones, from the shortest to the longest.
        let near = data.points.iter().map(|p| Vector3::from(*p) - center).filter(|d| d.norm() <= radius);
        let spread = SymmetricEigen::new(near.map(|d| d * d.transpose()).sum::<Matrix3<f64>>());
        let mut order = [0, 1, 2];
        order.sort_by(|&a, &b| spread.eigenvalues[a].total_cmp(&spread.eigenvalues[b]));
        let axes = order.map(|k| spread.eigenvectors.column(k).into_owned());

        // Cameras are held upright, unless they do not agree on it.
        let poses: Vec<Pose> =
            data.cameras.iter().map(Pose::of).filter(|pose| pose.center.norm().is_finite()).collect();
        let count = poses.len().max(1) as f64;
        let upright = poses.iter().map(|pose| pose.to_world([0.0, 1.0, 0.0])).sum::<Vector3<f64>>() / count;
        let up = if upright.norm() > 0.5 { upright.normalize() } else { axes[0] };
        // The front is where most cameras are; with cameras all round, across the longest level axis.
        let away =
            poses.iter().filter_map(|pose| (pose.center - center).try_normalize(0.0)).sum::<Vector3<f64>>() / count;
        let away = away - up * away.dot(&up);
        let front = if away.norm() > 0.3 { away } else { axes[2].cross(&up) };
        Scene { center, radius, up, front }
    }

    /// Whether a point is near enough to be drawn.
    pub fn shows(&self, point: &[f64; 3]) -> bool {
        (Vector3::from(*point) - self.center).norm() <= STRAY * self.radius
    }

    /// The camera that shows the points of all states that are not far out, and the cameras near them.
    pub fn camera(&self, states: &[BalProblem], azimuth: f64) -> Result<Camera, PictureError> {
        let within = |p: &Vector3<f64>, radii: f64| (p - self.center).norm() <= radii * self.radius;
        let points =
            states.iter().flat_map(|state| &state.points).map(|p| Vector3::from(*p)).filter(|p| within(p, STRAY));
        let cameras = states.iter().flat_map(|state| &state.cameras).map(|camera| Pose::of(camera).center);
        let mut framed: Vec<[f64; 3]> = points.map(Into::into).collect();
        framed.extend(cameras.filter(|p| within(p, CAMERAS)).map(<[f64; 3]>::from));
        let view = View { elevation: 24.0, up: self.up.into(), field_of_view: 34.0, ..View::default() };
        let view = view.facing(self.front.into(), azimuth);
        Ok(Camera::framing(&[&framed], view)?.fill(&[&framed], REACH))
    }
}

/// The value that this share of the finite values stays below; 0 if there are none.
pub(super) fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((share * last as f64).round() as usize).copied().unwrap_or(0.0)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stray_points_do_not_move_the_view() {
        let data = BalProblem::synthetic(12, 400, 3, 2).unwrap();
        let scene = Scene::of(&data);
        let mut stray = data.clone();
        for point in stray.points.iter_mut().take(20) {
            *point = [1e6, -3e5, 2e7];
        }
        let other = Scene::of(&stray);
        assert!(
            (scene.radius / other.radius - 1.0).abs() < 0.2
                && (scene.center - other.center).norm() < 0.2 * scene.radius
        );
        assert!(!other.shows(&stray.points[0]) && other.shows(&stray.points[30]));
        assert!(other.camera(&[data, stray], 30.0).is_ok());
    }

    #[test]
    fn odd_scenes_have_a_view() {
        let mut data = BalProblem::synthetic(2, 1, 2, 2).unwrap();
        assert!(Scene::of(&data).camera(&[data.clone()], 0.0).is_ok());
        data.points[0] = [f64::NAN; 3];
        assert!(Scene::of(&data).camera(&[data], 0.0).is_ok());
    }
}
