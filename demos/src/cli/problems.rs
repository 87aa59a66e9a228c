//! The subcommands for files of problems other than meshes, and their options.

use super::{Files, Results, Solver};
use crate::loss::LossChoice;
use clap::{Args, ValueEnum};
use isograd::LinearSolverKind;
use std::path::PathBuf;

/// `bundle`
#[derive(Debug, Args)]
pub struct Bundle {
    /// A file in the format of Bundle Adjustment in the Large, also gzipped, or a folder of such
    #[arg(value_name = "FILE", required_unless_present = "synthetic")]
    pub file: Option<PathBuf>,
    /// Instead of a file: a ring of cameras round a cloud of points, each seen by so many cameras
    #[arg(long, value_names = ["CAMERAS", "POINTS", "PER_POINT"], num_args = 3, conflicts_with = "file")]
    pub synthetic: Option<Vec<usize>>,
    /// Seed of the made-up problem
    #[arg(long, value_name = "N", default_value_t = 1, requires = "synthetic")]
    pub seed: u64,
    /// How residuals are weighed and steps solved for.
    #[command(flatten)]
    pub method: Method,
    /// How to solve.
    #[command(flatten)]
    pub solver: Solver,
    /// Where results go.
    #[command(flatten)]
    pub results: Results,
}

/// `posegraph`
#[derive(Debug, Args)]
pub struct PoseGraph {
    /// A g2o file with poses in the plane or in space, also gzipped, or a folder of such
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How residuals are weighed and steps solved for.
    #[command(flatten)]
    pub method: Method,
    /// How to solve.
    #[command(flatten)]
    pub solver: Solver,
    /// Where results go.
    #[command(flatten)]
    pub results: Results,
}

/// `curvefit`
#[derive(Debug, Args)]
pub struct CurveFit {
    /// A nonlinear regression file of the NIST Statistical Reference Datasets, also gzipped, or a folder of such
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// One of the file's two starting points only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=2))]
    pub start: Option<u8>,
    /// How to solve.
    #[command(flatten)]
    pub solver: Solver,
    /// Where results go.
    #[command(flatten)]
    pub files: Files,
}

/// `sketch`
#[derive(Debug, Args)]
pub struct Sketch {
    /// What to draw
    #[arg(long, value_name = "NAME", value_enum, default_value = "bracket")]
    pub case: Case,
    /// How to solve.
    #[command(flatten)]
    pub solver: Solver,
    /// Where results go.
    #[command(flatten)]
    pub files: Files,
}

/// What `sketch` draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Case {
    /// A rounded bracket with a hole: wholly determined
    Bracket,
    /// Four bars on two pivots: one degree of freedom is left
    Linkage,
    /// The bracket with one dimension too many, which contradicts the others
    Conflict,
}

impl Case {
    /// As on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Case::Bracket => "bracket",
            Case::Linkage => "linkage",
            Case::Conflict => "conflict",
        }
    }
}

/// How residuals are weighed and steps solved for.
#[derive(Debug, Clone, Copy, Args)]
pub struct Method {
    /// Robust loss: none, huber, softl1, cauchy, arctan, tukey, geman-mcclure, welsch or fair, each with `:WIDTH` in units of the
    /// residual (default 1), or tolerant:A:B
    #[arg(long, value_name = "NAME[:WIDTH]", default_value = "none")]
    pub loss: LossChoice,
    /// How the normal equations are solved
    #[arg(long, value_name = "NAME", value_enum, default_value = "auto")]
    pub linear_solver: LinearSolverName,
}

/// [`LinearSolverKind`] by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LinearSolverName {
    /// By size and structure
    Auto,
    /// Householder QR of the dense Jacobian
    DenseQr,
    /// Dense Cholesky of JᵀJ
    DenseCholesky,
    /// Sparse Cholesky of JᵀJ
    SparseCholesky,
    /// Conjugate gradients with block-Jacobi preconditioning
    Pcg,
    /// Elimination of the points, dense Cholesky of the cameras
    DenseSchur,
    /// Elimination of the points, sparse Cholesky of the cameras
    SparseSchur,
    /// Elimination of the points, conjugate gradients on the cameras
    IterativeSchur,
}

impl From<LinearSolverName> for LinearSolverKind {
    fn from(name: LinearSolverName) -> LinearSolverKind {
        match name {
            LinearSolverName::Auto => LinearSolverKind::Auto,
            LinearSolverName::DenseQr => LinearSolverKind::DenseQr,
            LinearSolverName::DenseCholesky => LinearSolverKind::DenseCholesky,
            LinearSolverName::SparseCholesky => LinearSolverKind::SparseCholesky,
            LinearSolverName::Pcg => LinearSolverKind::Pcg,
            LinearSolverName::DenseSchur => LinearSolverKind::DenseSchur,
            LinearSolverName::SparseSchur => LinearSolverKind::SparseSchur,
            LinearSolverName::IterativeSchur => LinearSolverKind::IterativeSchur,
        }
    }
}
