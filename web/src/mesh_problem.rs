//! An energy of a mesh.

use super::developing::Developing;
use super::failure::Failure;
use super::mesh::triangles;
use super::problem::{cost, set_parameters};
use super::solving::{self, Listener, Slot, Solve};
use isograd::SolverOptions;
use isograd::mesh::Mesh;
use isograd::mesh::energy::developable::Developability;
use isograd::mesh::energy::{self, Energy};
use js_sys::Promise;
use wasm_bindgen::prelude::*;

/// An energy of a mesh as a least-squares problem.
#[wasm_bindgen]
pub struct MeshProblem {
    slot: Slot<Task>,
    residuals: usize,
    parameters: usize,
    vertices: usize,
    triangles: Vec<u32>,
}

/// How the energy is minimised.
enum Task {
    /// By one solve.
    Energy(Box<energy::MeshProblem>),
    /// By many.
    Developable(Box<Developing>),
}

impl Task {
    fn state(mesh: &Mesh, level: Option<u32>, energy: &str) -> Result<Self, Failure> {
        if energy == "developable" {
            return Ok(Task::Developable(Box::new(Developing::new(mesh, level)?)));
        }
        let energy: Energy = energy.parse().map_err(|_| {
            let names: Vec<_> = Energy::ALL.iter().map(|energy| energy.name()).collect();
            Failure::argument(format!("there is no energy {energy:?}; it can be {}, developable", names.join(", ")))
        })?;
        Ok(Task::Energy(Box::new(energy::MeshProblem::new(energy, mesh)?)))
    }

    /// Scalar residuals and parameters.
    fn size(&self) -> Result<(usize, usize), Failure> {
        let size = |problem: &isograd::Problem| (problem.residuals(), problem.parameters().values().len());
        match self {
            Task::Energy(stated) => Ok(size(&stated.problem)),
            Task::Developable(developing) => Ok(size(&developing.problem()?)),
        }
    }

    fn shape(&self) -> &Mesh {
        match self {
            Task::Energy(stated) => &stated.shape,
            Task::Developable(developing) => &developing.mesh,
        }
    }
}

impl MeshProblem {
    /// `level` is that of an icosphere.
    pub fn state(mesh: &Mesh, level: Option<u32>, energy: &str) -> Result<Self, Failure> {
        let task = Task::state(mesh, level, energy)?;
        let ((residuals, parameters), shape) = (task.size()?, task.shape());
        let (vertices, triangles) = (shape.vertex_count(), triangles(shape));
        Ok(MeshProblem { slot: Slot::new(task), residuals, parameters, vertices, triangles })
    }
}

#[wasm_bindgen]
impl MeshProblem {
    /// Number of scalar residuals; for `developable`, of the largest solve.
    #[wasm_bindgen(getter)]
    pub fn residuals(&self) -> usize {
        self.residuals
    }

    /// Number of scalar parameters; for `developable`, of the largest solve.
    #[wasm_bindgen(getter)]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Number of vertices.
    #[wasm_bindgen(getter)]
    pub fn vertices(&self) -> usize {
        self.vertices
    }

    /// The triangles of the shape, three vertices each: a copy.
    pub fn triangles(&self) -> Vec<u32> {
        self.triangles.clone()
    }

    /// The present positions, three numbers a vertex: a copy.
    pub fn positions(&self) -> Result<Vec<f64>, JsValue> {
        Ok(match &*self.slot.get()? {
            // Vertices come first.
            Task::Energy(stated) => stated.problem.parameters().values()[..3 * self.vertices].to_vec(),
            Task::Developable(developing) => developing.mesh.vertices().as_flattened().to_vec(),
        })
    }

    /// Gives the vertices other positions. `developable` takes none: it starts from the mesh that it is given.
    #[wasm_bindgen(js_name = setPositions)]
    pub fn set_positions(&self, positions: &[f64]) -> Result<(), JsValue> {
        let mut task = self.slot.get_mut()?;
        let Task::Energy(stated) = &mut *task else {
            return Err(Failure::argument("developable starts from its mesh; make another problem").into());
        };
        let energy::MeshProblem { problem, vertices, .. } = &mut **stated;
        Ok(set_parameters(problem, vertices, positions)?)
    }

    /// The energy at the present positions; for `developable`, how far the mesh is from being so.
    pub fn cost(&self) -> Result<f64, JsValue> {
        Ok(match &*self.slot.get()? {
            Task::Energy(stated) => cost(&stated.problem)?,
            Task::Developable(developing) => Developability::of(&developing.mesh).energy,
        })
    }

    /// Minimises from the present positions. They are the best accepted ones after it, whether it resolves or rejects; a cancelled
    /// solve resolves, with termination `cancelled`.
    #[wasm_bindgen(unchecked_return_type = "Promise<Report>")]
    pub fn solve(&self, #[wasm_bindgen(unchecked_optional_param_type = "SolveOptions")] options: JsValue) -> Promise {
        solving::solve(&self.slot, options)
    }
}

impl Solve for Task {
    fn defaults(&self) -> SolverOptions {
        match self {
            Task::Energy(_) => SolverOptions::default(),
            Task::Developable(developing) => developing.defaults(),
        }
    }

    async fn solve(&mut self, options: &SolverOptions, listener: &mut Listener) -> Result<JsValue, Failure> {
        match self {
            Task::Energy(stated) => solving::solve_problem(&mut stated.problem, options, listener).await,
            Task::Developable(developing) => developing.solve(options, listener).await,
        }
    }
}
