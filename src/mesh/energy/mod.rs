//! Ready-made energies of triangle meshes, as least-squares problems over the vertices.
//!
//! In: a [`Mesh`]. Out: a [`Problem`] whose blocks are the vertices (and for some energies more), and a way back to positions.
//! Each energy is a file of residual functions; they are the library's own examples of how to write them.
//!
//! Every mesh is first brought to its [reference shape](crate::mesh::reference_shape) p, with unused vertices left out and mean
//! edge length 1, and all but `arap` start from a [deformed](crate::mesh::deformed_start) copy of it. Then, with N(v) the
//! neighbours of vertex v along edges:
//!
//! | energy | per edge (i, j) | per vertex v |
//! |---|---|---|
//! | `smooth` | \|xi − xj\| − \|pi − pj\| | ½ (xv − mean of N(v)) |
//! | `stretch` | \|xi − xj\| − 1.2 \|pi − pj\| | (xv − mean x of N(v)) − (pv − mean p of N(v)) |
//! | `sphere` | \|xi − xj\| − 1 | \|xv\| − 1.1 · mean of \|p\| |
//! | `arap` | both ways: (xi − xj) − R(ai)(pi − pj) | at the handles: 10 (xv − target) |
//!
//! The energy [`developable`] is minimised by a run of many solves from coarse to fine, and has a driver of its own.

mod arap;
pub mod developable;
mod edges;
mod laplacian;
mod sphere;

pub use developable::{Developable, DevelopableError, DevelopableOptions, DevelopableResult};

use super::{Mesh, NoReferenceShape, deformed_start, reference_shape};
use crate::problem::{BlockId, Problem, ProblemError};
use crate::{Blocks, Residuals, Table, Value};
use std::fmt;
use std::str::FromStr;

/// An energy by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Energy {
    /// Keep edge lengths, flatten the Laplacian.
    Smooth,
    /// Lengthen edges by a fifth, keep the Laplacian.
    Stretch,
    /// Unit edges on a sphere.
    Sphere,
    /// As rigid as possible, under a twist by 45° about the y axis (Sorkine and Alexa 2007).
    Arap,
}

impl Energy {
    /// All energies.
    pub const ALL: [Energy; 4] = [Energy::Smooth, Energy::Stretch, Energy::Sphere, Energy::Arap];

    /// The name as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Energy::Smooth => "smooth",
            Energy::Stretch => "stretch",
            Energy::Sphere => "sphere",
            Energy::Arap => "arap",
        }
    }
}

impl fmt::Display for Energy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No energy has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no mesh energy {0:?}; choose one of smooth, stretch, sphere, arap")]
pub struct UnknownEnergy(pub String);

impl FromStr for Energy {
    type Err = UnknownEnergy;

    fn from_str(name: &str) -> Result<Self, UnknownEnergy> {
        Energy::ALL.into_iter().find(|energy| energy.name() == name).ok_or_else(|| UnknownEnergy(name.to_owned()))
    }
}

/// Why a mesh has no energy.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EnergyError {
    /// The mesh has no edges to measure by.
    #[error(transparent)]
    Shape(#[from] NoReferenceShape),
    /// Two ends of an edge are one point, where the length of the edge has no derivative.
    #[error(
        "vertices {0} and {1} of the mesh (counted from 0) are ends of an edge and lie at the same point, where its length has no \
         derivative; merge them, move one, or take the energy arap, which does not ask for lengths", ends[0], ends[1]
    )]
    ZeroLength {
        /// The ends, by their index in the mesh as it was given.
        ends: [u32; 2],
    },
    /// The problem could not be stated.
    #[error(transparent)]
    Problem(#[from] ProblemError),
}

/// How residual blocks are put into the problem; the result is the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tracing {
    /// One trace a residual function.
    #[default]
    Template,
    /// One trace a residual block.
    EachBlock,
}

/// An energy of a mesh as a problem.
pub struct MeshProblem {
    /// The problem.
    pub problem: Problem,
    /// The reference shape p.
    pub shape: Mesh,
    /// The block of each vertex of the shape.
    pub vertices: Vec<BlockId>,
}

impl MeshProblem {
    /// States the energy of a mesh, its residuals traced by template.
    ///
    /// Faces may have any number of corners, and edges any number of faces; edges count once. Faces that name a vertex twice
    /// make no edge there, and vertices of no face are left out.
    ///
    /// # Errors
    /// If the mesh has no edges, or (all energies but `arap`) one whose ends are at the same point.
    pub fn new(energy: Energy, mesh: &Mesh) -> Result<Self, EnergyError> {
        Self::with_tracing(energy, mesh, Tracing::Template)
    }

    /// States the energy of a mesh.
    ///
    /// # Errors
    /// As [`MeshProblem::new`].
    pub fn with_tracing(energy: Energy, mesh: &Mesh, tracing: Tracing) -> Result<Self, EnergyError> {
        let shape = reference_shape(mesh)?;
        let start = match energy {
            Energy::Arap => shape.vertices().to_vec(),
            _ => deformed_start(shape.vertices()),
        };
        let mut problem = Problem::new();
        let vertices = problem.add_parameter_blocks(3, start.as_flattened())?;
        let mut stated = MeshProblem { problem, shape, vertices };
        match stated.add_energy(energy, tracing) {
            Ok(()) => Ok(stated),
            Err(EnergyError::ZeroLength { ends }) => {
                let numbers = mesh.without_unused_vertices().old_index;
                Err(EnergyError::ZeroLength { ends: ends.map(|end| numbers[end as usize]) })
            }
            Err(error) => Err(error),
        }
    }

    /// Adds the residuals; errors name vertices of the shape.
    fn add_energy(&mut self, energy: Energy, tracing: Tracing) -> Result<(), EnergyError> {
        match energy {
            Energy::Smooth => {
                self.add_edge_lengths(1.0, tracing)?;
                self.add_flat_laplacian(tracing)?;
            }
            Energy::Stretch => {
                self.add_edge_lengths(1.2, tracing)?;
                self.add_kept_laplacian(tracing)?;
            }
            Energy::Sphere => {
                self.add_unit_edges(tracing)?;
                self.add_sphere(tracing)?;
            }
            Energy::Arap => self.add_arap(tracing)?,
        }
        Ok(())
    }

    /// The present positions of the vertices of [`MeshProblem::shape`].
    pub fn positions(&self) -> Vec<[f64; 3]> {
        let position = |block: &BlockId| {
            let x = self.problem.parameter_block(*block);
            [x[0], x[1], x[2]]
        };
        self.vertices.iter().map(position).collect()
    }

    /// Adds one residual block a row of blocks and data, and names them.
    fn add<R: Residuals>(
        &mut self,
        name: &str,
        tracing: Tracing,
        (width, blocks): (usize, &[BlockId]),
        (columns, data): (usize, &[f64]),
        function: impl Fn(Blocks<'_>, &[Value]) -> R,
    ) -> Result<(), ProblemError> {
        let first = self.problem.residual_blocks();
        match tracing {
            Tracing::Template if columns == 0 => {
                self.problem.add_residual_batch(&Table { width, entries: blocks }, &(), function)?;
            }
            Tracing::Template => {
                let data = Table { width: columns, entries: data };
                self.problem.add_residual_batch(&Table { width, entries: blocks }, &data, function)?;
            }
            Tracing::EachBlock => {
                let mut constants = Vec::with_capacity(columns);
                for (row, blocks) in blocks.chunks(width).enumerate() {
                    constants.clear();
                    constants.extend(data[row * columns..(row + 1) * columns].iter().map(|&d| Value::constant(d)));
                    self.problem.add_residual(blocks, |x| function(x, &constants))?;
                }
            }
        }
        self.problem.set_name(first..self.problem.residual_blocks(), name);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
