//! Bundle adjustment: cameras and points from where the cameras saw the points.

use crate::io::BalProblem;
use crate::value::rotate;
use crate::{BlockId, Problem, ProblemError, Value};
use nalgebra::{Vector2, Vector3};
use std::ops::Range;

/// Where a camera sees a point, in pixels.
///
/// P = R(w) X + t; p = −(P.x, P.y)/P.z; f (1 + k₁ p·p + k₂ (p·p)²) p, for a camera (w, t, f, k₁, k₂): Agarwal, Snavely, Seitz, Szeliski,
/// *Bundle Adjustment in the Large*, 2010.
///
/// # Panics
/// If there are fewer than nine numbers for the camera.
pub fn reprojection(camera: &[Value], point: Vector3<Value>) -> Vector2<Value> {
    let [turn, shift] = [0, 3].map(|k| Vector3::new(camera[k], camera[k + 1], camera[k + 2]));
    let (focal, k1, k2) = (camera[6], camera[7], camera[8]);
    let seen = rotate(turn, point) + shift;
    let scale = -1.0 / seen.z;
    let p = Vector2::new(seen.x * scale, seen.y * scale);
    let n = p.norm_squared();
    p * (focal * (1.0 + n * (k1 + k2 * n)))
}

/// A bundle adjustment as a problem: a block of nine a camera, one of three a point, and two residuals an observation, none of them fixed.
pub struct BundleProblem {
    /// The problem.
    pub problem: Problem,
    /// The blocks of the cameras.
    pub cameras: Vec<BlockId>,
    /// The blocks of the points.
    pub points: Vec<BlockId>,
    /// The residual blocks: one an observation, in its order.
    pub observations: Range<usize>,
}

impl BundleProblem {
    /// States the problem, at the cameras and points as they are given.
    ///
    /// ```
    /// use isograd::io::BalProblem;
    /// use isograd::loss::Huber;
    /// use isograd::models::BundleProblem;
    ///
    /// let mut data = BalProblem::synthetic(4, 30, 3, 1)?;
    /// let mut bundle = BundleProblem::new(&data)?;
    /// bundle.problem.set_loss(bundle.observations.clone(), Huber(1.0))?;
    /// let report = bundle.problem.solve(&Default::default())?;
    /// assert!(report.final_cost < 0.1 * report.initial_cost);
    /// bundle.copy_to(&mut data);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If a camera, a point or a pixel is not finite.
    ///
    /// # Panics
    /// If an observation is of a camera or point that is not there; the reader sees to it.
    pub fn new(data: &BalProblem) -> Result<Self, ProblemError> {
        let mut problem = Problem::new();
        let cameras = problem.add_parameter_blocks(9, data.cameras.as_flattened())?;
        let points = problem.add_parameter_blocks(3, data.points.as_flattened())?;
        let seen = &data.observations;
        let blocks: Vec<[BlockId; 2]> =
            seen.iter().map(|o| [cameras[o.camera as usize], points[o.point as usize]]).collect();
        let pixels: Vec<[f64; 2]> = seen.iter().map(|o| o.pixel).collect();
        let observations = problem.add_residual_batch(&blocks, &pixels, |x, pixel| {
            reprojection(&x[0], x.vector(1)) - Vector2::new(pixel[0], pixel[1])
        })?;
        problem.set_name(observations.clone(), "reprojection");
        Ok(BundleProblem { problem, cameras, points, observations })
    }

    /// Copies the present cameras and points back.
    pub fn copy_to(&self, data: &mut BalProblem) {
        for (camera, &block) in data.cameras.iter_mut().zip(&self.cameras) {
            camera.copy_from_slice(self.problem.parameter_block(block));
        }
        for (point, &block) in data.points.iter_mut().zip(&self.points) {
            point.copy_from_slice(self.problem.parameter_block(block));
        }
    }
}
