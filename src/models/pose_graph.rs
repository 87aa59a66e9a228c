//! Pose graphs: poses from measurements between them.

use crate::io::{PoseGraph, PoseGraph2, PoseGraph3, PoseGraphError};
use crate::problem::manifold::{Angle, Euclidean, Product, So3, wrapped};
use crate::topology::Blocks;
use crate::{BlockId, Problem, ProblemError, Table, Value};
use nalgebra::{Quaternion, UnitQuaternion, Vector3};
use std::ops::Range;

/// Why a pose graph makes no problem.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PoseGraphProblemError {
    /// The graph is at fault.
    #[error(transparent)]
    Graph(#[from] PoseGraphError),
    /// A number in it is.
    #[error(transparent)]
    Problem(#[from] ProblemError),
}

/// A pose graph as a problem: a block a pose and a residual block an edge, whitened by its information matrix.
///
/// For an edge from a to b with measurement m, in the plane: r = (Rₐᵀ(p_b − pₐ) − p_m, wrap(θ_b − θₐ − θ_m)); in space: r = (qₐ⁻¹(t_b − tₐ) − t_m,
/// 2 vec(q_m (qₐ⁻¹ q_b)⁻¹)) with the sign of the quaternion such that its w ≥ 0. These are the residuals of Ceres's pose graph
/// examples (<http://ceres-solver.org/nnls_tutorial.html#other-examples>) but for their weights: the cost of an edge is ½ rᵀ I r. The poses
/// that the file fixes are held, and the first one if it fixes none.
pub struct PoseGraphProblem {
    /// The problem.
    pub problem: Problem,
    /// The blocks of the poses, of three numbers in the plane and seven in space.
    pub poses: Vec<BlockId>,
    /// The residual blocks: one an edge, in its order.
    pub edges: Range<usize>,
}

impl PoseGraphProblem {
    /// States the problem, at the poses as they are given.
    ///
    /// # Errors
    /// If an information matrix is not positive definite, a number not finite, or a quaternion not of norm 1.
    ///
    /// # Panics
    /// If an edge is of a pose that is not there; the reader sees to it.
    pub fn new(graph: &PoseGraph) -> Result<Self, PoseGraphProblemError> {
        match graph {
            PoseGraph::Se2(graph) => Self::planar(graph),
            PoseGraph::Se3(graph) => Self::spatial(graph),
        }
    }

    fn planar(graph: &PoseGraph2) -> Result<Self, PoseGraphProblemError> {
        let mut problem = Problem::new();
        let angle = |[x, y, angle]: [f64; 3]| [x, y, wrapped(Value::constant(angle)).primal()];
        let start: Vec<[f64; 3]> = graph.poses.iter().copied().map(angle).collect();
        let poses = problem.add_parameter_blocks(3, start.as_flattened())?;
        problem.set_manifold(&poses, Product(Euclidean(2), Angle))?;
        let data = rows(graph.edges.iter().map(|edge| &edge.measurement[..]), &graph.square_root_information()?, 9);
        let edges = Self::edges(&mut problem, &poses, &pairs(graph), &data, 12, planar_residual)?;
        Self::held(problem, poses, edges, &graph.fixed)
    }

    fn spatial(graph: &PoseGraph3) -> Result<Self, PoseGraphProblemError> {
        let mut problem = Problem::new();
        let poses = problem.add_parameter_blocks(7, graph.poses.as_flattened())?;
        problem.set_manifold(&poses, Product(Euclidean(3), So3))?;
        let data = rows(graph.edges.iter().map(|edge| &edge.measurement[..]), &graph.square_root_information()?, 36);
        let edges = Self::edges(&mut problem, &poses, &pairs(graph), &data, 43, spatial_residual)?;
        Self::held(problem, poses, edges, &graph.fixed)
    }

    fn edges(
        problem: &mut Problem,
        poses: &[BlockId],
        pairs: &[[u32; 2]],
        data: &[f64],
        width: usize,
        residual: fn(Blocks<'_>, &[Value]) -> Vec<Value>,
    ) -> Result<Range<usize>, ProblemError> {
        let blocks: Vec<[BlockId; 2]> = pairs.iter().map(|pair| pair.map(|pose| poses[pose as usize])).collect();
        let edges = problem.add_residual_batch(&blocks, &Table { width, entries: data }, residual)?;
        problem.set_name(edges.clone(), "edge");
        Ok(edges)
    }

    fn held(
        mut problem: Problem,
        poses: Vec<BlockId>,
        edges: Range<usize>,
        fixed: &[u32],
    ) -> Result<Self, PoseGraphProblemError> {
        let first = [0];
        let fixed = if fixed.is_empty() { &first[..poses.len().min(1)] } else { fixed };
        for &pose in fixed {
            problem.fix(poses[pose as usize])?;
        }
        Ok(PoseGraphProblem { problem, poses, edges })
    }

    /// Copies the present poses back.
    pub fn copy_to(&self, graph: &mut PoseGraph) {
        let numbers = self.poses.iter().map(|&block| self.problem.parameter_block(block));
        match graph {
            PoseGraph::Se2(graph) => graph.poses.iter_mut().zip(numbers).for_each(|(pose, n)| pose.copy_from_slice(n)),
            PoseGraph::Se3(graph) => graph.poses.iter_mut().zip(numbers).for_each(|(pose, n)| pose.copy_from_slice(n)),
        }
    }
}

fn pairs<const N: usize, const D: usize>(graph: &crate::io::Poses<N, D>) -> Vec<[u32; 2]> {
    graph.edges.iter().map(|edge| [edge.from, edge.to]).collect()
}

/// The data of the edges: the measurement, then the square root of the information, row by row.
fn rows<'m>(measurements: impl Iterator<Item = &'m [f64]>, roots: &[f64], size: usize) -> Vec<f64> {
    measurements.zip(roots.chunks_exact(size)).flat_map(|(m, root)| m.iter().chain(root)).copied().collect()
}

/// Lᵀ r, of whose matrix only the upper triangle is not 0.
fn whitened(root: &[Value], r: &[Value]) -> Vec<Value> {
    let n = r.len();
    (0..n).map(|i| (i..n).map(|j| root[i * n + j] * r[j]).sum()).collect()
}

fn planar_residual(x: Blocks<'_>, data: &[Value]) -> Vec<Value> {
    let (a, b) = (&x[0], &x[1]);
    let (sin, cos) = a[2].sin_cos();
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let r = [cos * dx + sin * dy - data[0], cos * dy - sin * dx - data[1], wrapped(b[2] - a[2] - data[2])];
    whitened(&data[3..], &r)
}

fn spatial_residual(x: Blocks<'_>, data: &[Value]) -> Vec<Value> {
    let quaternion = |q: &[Value]| UnitQuaternion::new_unchecked(Quaternion::new(q[3], q[0], q[1], q[2]));
    let position = |x: &[Value]| Vector3::new(x[0], x[1], x[2]);
    let (a, b) = (&x[0], &x[1]);
    let back = quaternion(&a[3..]).conjugate();
    let shift = back * (position(b) - position(a)) - position(data);
    let turn = quaternion(&data[3..7]) * (back * quaternion(&b[3..])).conjugate();
    let sign = Value::select(turn.w.less(0.0), -2.0, 2.0);
    let r = [shift.x, shift.y, shift.z, sign * turn.i, sign * turn.j, sign * turn.k];
    whitened(&data[7..], &r)
}
