//! Ready-made problems of the files that [`io`](crate::io) reads.
//!
//! In: cameras and observations, poses and measurements, curves and data. Out: a [`Problem`](crate::Problem) with the conventions that
//! the field compares costs by, and the blocks in it. Each is one template and so one kernel, and short enough to start from for
//! a model of one's own.

mod bundle;
mod curve;
mod pose_graph;

pub use bundle::{BundleProblem, reprojection};
pub use curve::CurveProblem;
pub use pose_graph::{PoseGraphProblem, PoseGraphProblemError};
