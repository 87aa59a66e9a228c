//! Problems of any size, made up: a ring of cameras round a cloud of points.
//!
//! The truth is drawn first and projected, with noise, to observations; then it is moved away from itself for a start. Lengths are in
//! units of which the cloud measures about one.

use std::f64::consts::TAU;

use nalgebra::{Matrix3, Rotation3, UnitQuaternion, Vector3};

use super::random::Random;
use super::{BalProblem, Observation};

/// Distance of the cameras from the middle of the cloud.
const RING: f64 = 6.0;
/// Standard deviation of the points from the middle, along each axis.
const CLOUD: f64 = 0.8;
/// No point is further out: all are well in front of every camera.
const CLOUD_END: f64 = 3.2;
/// Of the measured pixels, along each axis.
const NOISE: f64 = 0.5;

/// Focal length, k1 and k2.
const LENS: [f64; 3] = [1000.0, -0.01, 0.001];

/// Standard deviations by which the start is away from the truth.
mod start {
    /// Radians about each axis.
    pub(super) const ROTATION: f64 = 0.002;
    pub(super) const TRANSLATION: f64 = 0.02;
    /// Pixels of focal length.
    pub(super) const FOCAL: f64 = 10.0;
    pub(super) const POINT: f64 = 0.03;
}

/// Why there is no synthetic problem of such a size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no problem with {cameras} cameras and {points} points, each seen by {per_point} cameras: there must be cameras and points, a \
     point is seen by at least one camera and at most all of them, and 9 numbers a camera, 3 a point and 2 an observation must be \
     fewer than 2^32 parameters and residuals, and fit the memory"
)]
pub struct SyntheticBalError {
    /// Cameras asked for.
    pub cameras: usize,
    /// Points asked for.
    pub points: usize,
    /// Observations a point asked for.
    pub per_point: usize,
}

impl BalProblem {
    /// Makes up a problem: `cameras` cameras stand on a circle of radius 6 and look at its centre, round which `points` points lie in
    /// a Gaussian cloud of standard deviation 0.8. Each point is seen by `per_point` cameras, neighbours on the circle, the first drawn
    /// evenly; so `points * per_point` observations, ordered by point. Pixels have Gaussian noise of half a pixel (standard deviation
    /// along each axis); focal lengths are near 1000 pixels, k1 = -0.01 and k2 = 0.001. Cameras (but for k1 and k2) and points are moved
    /// from the truth by Gaussian numbers, for a start from which the optimum has to be found.
    ///
    /// Where the optimum is found, the cost ½ Σ r² is near ⅛ (2 `observations` - 9 `cameras` - 3 `points` + 7): a quarter of a
    /// pixel² for each residual beyond the unknowns, which 7 numbers of position, direction and size leave open. Where `per_point` is
    /// so small that there are no such residuals, so is the cost.
    ///
    /// One seed makes one problem, whenever and wherever, up to rounding in the last bits of `sin`, `cos` and `ln`. The largest problem
    /// of the original collection has 1,778 cameras and a million points; one of that size takes seconds.
    ///
    /// ```
    /// use isograd::io::BalProblem;
    ///
    /// let problem = BalProblem::synthetic(12, 300, 4, 1)?;
    /// assert_eq!((problem.cameras.len(), problem.points.len(), problem.observations.len()), (12, 300, 1200));
    /// # Ok::<(), isograd::io::SyntheticBalError>(())
    /// ```
    ///
    /// # Errors
    /// [`SyntheticBalError`] where `cameras`, `points` or `per_point` is 0, `per_point` exceeds `cameras`, or indices do not fit into
    /// 32 bits.
    pub fn synthetic(
        cameras: usize,
        points: usize,
        per_point: usize,
        seed: u64,
    ) -> Result<BalProblem, SyntheticBalError> {
        let mut random = Random::new(seed);
        let mut problem = truth(cameras, points, per_point, &mut random)?;
        for camera in &mut problem.cameras {
            let [w1, w2, w3, t1, t2, t3, f] = random.gaussian();
            let (rotation, translation) = ([w1, w2, w3], [t1, t2, t3]);
            for axis in 0..3 {
                camera[axis] += start::ROTATION * rotation[axis];
                camera[3 + axis] += start::TRANSLATION * translation[axis];
            }
            camera[6] += start::FOCAL * f;
        }
        for coordinate in problem.points.as_flattened_mut() {
            let [x] = random.gaussian();
            *coordinate += start::POINT * x;
        }
        Ok(problem)
    }
}

/// The problem at the true cameras and points; only the pixels have noise.
pub(super) fn truth(
    cameras: usize,
    points: usize,
    per_point: usize,
    random: &mut Random,
) -> Result<BalProblem, SyntheticBalError> {
    let too_many = SyntheticBalError { cameras, points, per_point };
    let fits = |numbers: usize| u32::try_from(numbers).is_ok_and(|numbers| numbers < u32::MAX);
    let parameters = cameras.saturating_mul(9).saturating_add(points.saturating_mul(3));
    let total = points.saturating_mul(per_point);
    let seen = cameras > 0 && points > 0 && (1..=cameras).contains(&per_point);
    if !(seen && fits(parameters) && fits(total.saturating_mul(2))) {
        return Err(too_many);
    }
    let mut observations = Vec::new();
    observations.try_reserve_exact(total).map_err(|_| too_many)?;
    let cameras: Vec<[f64; 9]> = (0..cameras).map(|k| camera(k as f64 / cameras as f64, random)).collect();
    let points: Vec<[f64; 3]> = (0..points).map(|_| point(random)).collect();

    let rotations: Vec<Rotation3<f64>> =
        cameras.iter().map(|c| Rotation3::new(Vector3::new(c[0], c[1], c[2]))).collect();
    for (k, point) in points.iter().enumerate() {
        let first = random.below(cameras.len());
        for step in 0..per_point {
            let camera = (first + step) % cameras.len();
            let [x, y] = project(&rotations[camera], &cameras[camera], point);
            let [noise_x, noise_y] = random.gaussian();
            let pixel = [x + NOISE * noise_x, y + NOISE * noise_y];
            observations.push(Observation { camera: camera as u32, point: k as u32, pixel });
        }
    }
    Ok(BalProblem { cameras, points, observations })
}

/// The camera at that part of the circle in the xy plane, its upward direction z.
fn camera(part: f64, random: &mut Random) -> [f64; 9] {
    let (sin, cos) = (TAU * part).sin_cos();
    // Its axes in the world: to the right, upward, and backward, away from what it looks at.
    let (right, up, back) = (Vector3::new(-sin, cos, 0.0), Vector3::z(), Vector3::new(cos, sin, 0.0));
    let matrix = Matrix3::from_rows(&[right.transpose(), up.transpose(), back.transpose()]);
    // Through a quaternion: the logarithm of a matrix loses its digits where the angle is near half a turn.
    let turn = UnitQuaternion::from_rotation_matrix(&Rotation3::from_matrix_unchecked(matrix)).scaled_axis();
    let [f] = random.gaussian();
    [turn.x, turn.y, turn.z, 0.0, 0.0, -RING, LENS[0] + start::FOCAL * f, LENS[1], LENS[2]]
}

fn point(random: &mut Random) -> [f64; 3] {
    loop {
        let point = random.gaussian().map(|x: f64| CLOUD * x);
        if point.iter().map(|x| x * x).sum::<f64>() < CLOUD_END * CLOUD_END {
            return point;
        }
    }
}

/// Where a camera sees a point, in pixels.
pub(super) fn project(rotation: &Rotation3<f64>, camera: &[f64; 9], point: &[f64; 3]) -> [f64; 2] {
    let seen = rotation * Vector3::from(*point) + Vector3::new(camera[3], camera[4], camera[5]);
    let (x, y) = (-seen.x / seen.z, -seen.y / seen.z);
    let n = x * x + y * y;
    let scale = camera[6] * (1.0 + camera[7] * n + camera[8] * n * n);
    [scale * x, scale * y]
}
