//! One round of the descent: the least-squares problem about a shape, solved.

use super::measure::{Developability, inner_edges, is_sound, positions, rotated};
use super::residuals::{anchor, corner, distortion, fold, quality};
use crate::mesh::Mesh;
use crate::problem::{BlockId, Problem, ProblemError};
use crate::{Blocks, Residuals, Table, Value};

/// λ below this share of the reference is not told apart from 0 by the weights.
const SMALLEST_LAMBDA: f64 = 1e-4;

/// The weights of a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// p in Σ λ^(p/2), with the λ from which on p is 2.
    pub exponent: f64,
    pub seam_lambda: f64,
    pub anchor: f64,
    pub quality: f64,
    pub fold: f64,
}

/// The problem of a round, its vertices and its directions.
pub(super) struct Round {
    pub problem: Problem,
    vertices: Vec<BlockId>,
}

impl Round {
    /// States the problem at `mesh`, a mesh of triangles, measured as `state`; `rest` is the shape that anchors it.
    pub fn new(mesh: &Mesh, rest: &Mesh, state: &Developability, weights: &Weights) -> Result<Self, ProblemError> {
        let mut problem = Problem::new();
        let vertices = problem.add_parameter_blocks(3, mesh.vertices().as_flattened())?;
        let mut round = Round { problem, vertices };
        round.add_corners(mesh, state, weights)?;
        round.add_anchors(rest, weights.anchor)?;
        round.add_quality(mesh, rest, weights.quality)?;
        round.add_folds(mesh, weights.fold)?;
        Ok(round)
    }

    /// The present positions.
    pub fn positions(&self) -> Vec<[f64; 3]> {
        let position = |&block: &BlockId| {
            let x = self.problem.parameter_block(block);
            [x[0], x[1], x[2]]
        };
        self.vertices.iter().map(position).collect()
    }

    fn add_corners(&mut self, mesh: &Mesh, state: &Developability, weights: &Weights) -> Result<(), ProblemError> {
        let mut directions = vec![None; self.vertices.len()];
        for (v, slot) in directions.iter_mut().enumerate().filter(|&(v, _)| state.in_energy[v]) {
            *slot = Some(self.problem.add_parameter_block(&state.direction[v])?);
        }
        let (mut blocks, mut data) = (Vec::new(), Vec::new());
        for corners in mesh.triangles() {
            for k in 0..3 {
                let [v, a, b] = rotated(corners, k);
                if let Some(direction) = directions[v] {
                    blocks.extend([self.vertices[v], self.vertices[a], self.vertices[b], direction]);
                    data.push(weights.of_lambda(state.lambda[v]).sqrt());
                }
            }
        }
        self.add("developable corner", (4, &blocks), (1, &data), corner)
    }

    fn add_anchors(&mut self, rest: &Mesh, weight: f64) -> Result<(), ProblemError> {
        if weight == 0.0 {
            return Ok(());
        }
        let mut areas = vec![0.0; rest.vertex_count()];
        for (corners, area) in rest.faces().zip(rest.face_areas()) {
            corners.iter().for_each(|&v| areas[v as usize] += area / 3.0);
        }
        // Lengths in radii of the sphere of the same area: R² = total / 4π.
        let total: f64 = areas.iter().sum();
        let scale = weight * 4.0 * std::f64::consts::PI / (total * total);
        let row = |(p, area): (&[f64; 3], &f64)| [p[0], p[1], p[2], (scale * area).sqrt()];
        let data: Vec<f64> = rest.vertices().iter().zip(&areas).flat_map(row).collect();
        let blocks = self.vertices.clone();
        self.add("anchor", (1, &blocks), (4, &data), anchor)
    }

    fn add_quality(&mut self, mesh: &Mesh, rest: &Mesh, weight: f64) -> Result<(), ProblemError> {
        let (points, resting) = (positions(mesh), positions(rest));
        let each = (weight / mesh.face_count() as f64).sqrt();
        let (mut blocks, mut data) = (Vec::new(), Vec::new());
        for corners in mesh.triangles().filter(|&t| weight > 0.0 && is_sound(&points, t) && is_sound(&resting, t)) {
            let corners = corners.map(|v| v as usize);
            blocks.extend(corners.map(|v| self.vertices[v]));
            data.extend([each, 1.0 / distortion(corners.map(|v| resting[v]))]);
        }
        self.add("triangle quality", (3, &blocks), (2, &data), quality)
    }

    fn add_folds(&mut self, mesh: &Mesh, weight: f64) -> Result<(), ProblemError> {
        let points = positions(mesh);
        let sound = |t: [usize; 3]| is_sound(&points, t.map(|v| v as u32));
        let mut edges = inner_edges(mesh);
        edges.retain(|&[a, b, left, right]| weight > 0.0 && sound([a, b, left]) && sound([b, a, right]));
        let blocks: Vec<BlockId> = edges.as_flattened().iter().map(|&v| self.vertices[v]).collect();
        self.add("fold", (4, &blocks), (1, &vec![weight.sqrt(); edges.len()]), fold)
    }

    fn add<R: Residuals>(
        &mut self,
        name: &str,
        (width, blocks): (usize, &[BlockId]),
        (columns, data): (usize, &[f64]),
        function: impl Fn(Blocks<'_>, &[Value]) -> R,
    ) -> Result<(), ProblemError> {
        let (blocks, data) = (Table { width, entries: blocks }, Table { width: columns, entries: data });
        let added = self.problem.add_residual_batch(&blocks, &data, function)?;
        self.problem.set_name(added, name);
        Ok(())
    }
}

impl Weights {
    /// The weight of λ that makes w λ, with w held, a model of λ^(p/2): (λ/seam)^(p/2 − 1), and 1 from the seam on.
    ///
    /// Iteratively reweighted least squares; that seams keep weight 1 lets them pay for their sharpness as in the plain energy.
    fn of_lambda(&self, lambda: f64) -> f64 {
        let relative = (lambda / self.seam_lambda).clamp(0.0, 1.0) + SMALLEST_LAMBDA;
        relative.powf(0.5 * self.exponent - 1.0)
    }
}
