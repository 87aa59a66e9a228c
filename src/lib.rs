//! Scalar automatic differentiation that batches residuals of one shape into one kernel, and nonlinear least squares on top.

pub mod backend;
pub mod io;
pub mod kernel;
pub mod linear;
pub mod mesh;
pub mod problem;
pub mod program;
pub mod solver;
pub mod topology;
pub mod value;

pub use backend::Backend;
pub use problem::{BlockId, CompiledResiduals, Problem, ProblemError, Table};
pub use solver::{IterationRecord, LinearSolverKind, Precision, SolveError, SolverOptions, SolverReport, Termination};
pub use topology::{Blocks, Residuals};
pub use value::{Value, ValueError};
