//! From an energy and a mesh to a solved problem.

use isograd::mesh::Mesh;
use isograd::mesh::energy::{Energy, MeshProblem};
use isograd::{IterationRecord, SolverOptions, SolverReport};
use std::ops::ControlFlow;

/// A minimised energy.
pub struct Solved {
    /// The reference shape: faces, and the positions that lengths are compared with.
    pub shape: Mesh,
    /// Positions at the start.
    pub start: Vec<[f64; 3]>,
    /// Positions at the end.
    pub end: Vec<[f64; 3]>,
    /// What the solver did.
    pub report: SolverReport,
}

/// Minimises an energy of a mesh; `callback` sees each iteration.
///
/// # Errors
/// If the mesh has no such energy, or the solve fails.
pub fn drive(
    energy: Energy,
    mesh: &Mesh,
    options: &SolverOptions,
    callback: &mut (dyn FnMut(&IterationRecord) -> ControlFlow<()> + Send),
) -> anyhow::Result<Solved> {
    let mut stated = MeshProblem::new(energy, mesh)?;
    let start = stated.positions();
    let report = stated.problem.solve_with(options, callback)?;
    let end = stated.positions();
    Ok(Solved { shape: stated.shape, start, end, report })
}
