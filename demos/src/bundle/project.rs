//! Where cameras stand, and how far from where they saw a point they would see it.

use isograd::io::{BalProblem, Observation};
use nalgebra::{Rotation3, Vector3};

/// Where a camera of nine numbers stands and how it is turned: P = R X + t, so that its centre is −Rᵀ t.
pub(super) struct Pose {
    turn: Rotation3<f64>,
    pub center: Vector3<f64>,
}

impl Pose {
    pub fn of(camera: &[f64; 9]) -> Pose {
        let turn = Rotation3::new(Vector3::new(camera[0], camera[1], camera[2]));
        let shift = Vector3::new(camera[3], camera[4], camera[5]);
        Pose { turn, center: -(turn.inverse() * shift) }
    }

    /// A direction of the camera (x right, y up, −z ahead) in the world.
    pub fn to_world(&self, direction: [f64; 3]) -> Vector3<f64> {
        self.turn.inverse() * Vector3::from(direction)
    }

    /// Where the camera sees a point, in pixels; see [`isograd::models::reprojection`].
    fn sees(&self, camera: &[f64; 9], point: [f64; 3]) -> [f64; 2] {
        let seen = self.turn * (Vector3::from(point) - self.center);
        let (x, y) = (-seen.x / seen.z, -seen.y / seen.z);
        let n = x * x + y * y;
        let scale = camera[6] * (1.0 + n * (camera[7] + n * camera[8]));
        [scale * x, scale * y]
    }
}

/// Distances between pixels seen and pixels expected.
pub(super) struct Reprojection {
    /// Of each observation.
    pub observations: Vec<f64>,
    /// Root mean square over those of each point; 0 for a point that nobody saw.
    pub points: Vec<f64>,
}

impl Reprojection {
    pub fn of(data: &BalProblem) -> Reprojection {
        let poses: Vec<Pose> = data.cameras.iter().map(Pose::of).collect();
        let mut sums = vec![(0.0, 0u32); data.points.len()];
        let error = |&Observation { camera, point, pixel }: &Observation| {
            let (camera, point) = (camera as usize, point as usize);
            let [x, y] = poses[camera].sees(&data.cameras[camera], data.points[point]);
            let error = (x - pixel[0]).hypot(y - pixel[1]);
            sums[point].0 += error * error;
            sums[point].1 += 1;
            error
        };
        let observations = data.observations.iter().map(error).collect();
        let points = sums.into_iter().map(|(sum, count): (f64, u32)| (sum / f64::from(count.max(1))).sqrt()).collect();
        Reprojection { observations, points }
    }

    /// Root mean square over all observations.
    pub fn rms(&self) -> f64 {
        let sum: f64 = self.observations.iter().map(|error| error * error).sum();
        (sum / self.observations.len().max(1) as f64).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isograd::Value;
    use isograd::models::reprojection;

    #[test]
    fn pixels_are_those_of_the_model() {
        let data = BalProblem::synthetic(4, 20, 3, 5).unwrap();
        let errors = Reprojection::of(&data);
        for (Observation { camera, point, pixel }, found) in data.observations.iter().zip(&errors.observations) {
            let camera: Vec<Value> = data.cameras[*camera as usize].iter().map(|&x| Value::constant(x)).collect();
            let [x, y, z] = data.points[*point as usize].map(Value::constant);
            let seen = reprojection(&camera, Vector3::new(x, y, z));
            let expected = (seen.x.primal() - pixel[0]).hypot(seen.y.primal() - pixel[1]);
            assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
        }
        let cost: f64 = errors.observations.iter().map(|e| 0.5 * e * e).sum();
        assert!((errors.rms() - (2.0 * cost / 60.0).sqrt()).abs() < 1e-9);
    }

    #[test]
    fn a_camera_stands_at_its_centre() {
        let camera = [0.1, -0.4, 0.3, 1.0, 2.0, -3.0, 500.0, 0.0, 0.0];
        let pose = Pose::of(&camera);
        let ahead = pose.center + 7.0 * pose.to_world([0.0, 0.0, -1.0]);
        let [x, y] = pose.sees(&camera, ahead.into());
        assert!(x.abs() < 1e-9 && y.abs() < 1e-9, "({x}, {y})");
    }
}
