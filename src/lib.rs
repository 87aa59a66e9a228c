//! Scalar automatic differentiation that batches residuals of one shape into one kernel, and nonlinear least squares on top.
//!
//! Write a residual as ordinary scalar Rust over [`Value`] (or nalgebra vectors of them). isograd records it as an expression graph,
//! recognises residuals of the same *topology*, differentiates and compiles each topology once to a kernel that runs over all its
//! instances, and minimises ½ Σ ‖rᵢ‖² by Levenberg-Marquardt.
//!
//! ```
//! use isograd::{Problem, SolverOptions};
//!
//! // A chain of points in the plane: neighbours 1 apart, both ends held.
//! let mut problem = Problem::new();
//! let points: Vec<_> =
//!     (0..5).map(|k| problem.add_parameter_block(&[0.5 * f64::from(k), 0.1 * f64::from(k * (4 - k))])).collect::<Result<_, _>>()?;
//! problem.fix(points[0])?;
//! problem.fix(points[4])?;
//! for pair in points.windows(2) {
//!     problem.add_residual(pair, |x| (x.vector::<2>(0) - x.vector::<2>(1)).norm() - 1.0)?;
//! }
//!
//! let report = problem.solve(&SolverOptions::default())?;
//! assert!(report.termination.is_converged() && report.final_cost < 1e-12);
//! assert_eq!(report.compile.kernels, 1);
//! println!("{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The stages
//!
//! Data flow one way: [`value`] → [`topology`] → [`program`] → [`kernel`] → [`backend`], and [`problem`] → [`solver`] with
//! [`linear`]. [`mesh`] has triangle meshes and ready-made energies, [`formula`] functions from text, [`io`] the files of
//! meshes and of other problems, and [`models`] makes problems of those. `docs/architecture.md` explains the design.

/// A browser has no threads and one instruction set: there everything goes one after the other, under these crates' names.
#[cfg(target_arch = "wasm32")]
extern crate isograd_serial as pulp;
#[cfg(target_arch = "wasm32")]
extern crate isograd_serial as rayon;

pub mod backend;
#[cfg(feature = "gpu")]
pub mod device;
pub mod formula;
pub mod io;
pub mod kernel;
pub mod linear;
pub mod mesh;
pub mod models;
pub mod problem;
pub mod program;
pub mod solver;
pub mod topology;
pub mod value;

pub use backend::Backend;
pub use problem::{BlockId, CompiledResiduals, Problem, ProblemError, Table, loss, manifold};
pub use solver::{IndependentReport, IterationRecord, Progress, SolverReport, Termination};
pub use solver::{LinearSolverKind, Precision, SolveError, SolverOptions};
pub use topology::{Blocks, Residuals};
pub use value::{Value, ValueError};

/// The example of the README is a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
