//! The energy of developable surfaces, whose minimisation is a run of many solves.

use super::failure::Failure;
use super::object::set;
use super::progress::progress;
use super::report::report;
use super::solving::Listener;
use isograd::mesh::energy::developable::DevelopableIteration;
use isograd::mesh::energy::{Developable, DevelopableError, DevelopableOptions, DevelopableResult};
use isograd::mesh::{Mesh, subdivide};
use isograd::{IterationRecord, SolverOptions};
use js_sys::Object;
use wasm_bindgen::JsValue;

/// A run to come, and the mesh as it is now.
pub struct Developing {
    driver: Developable,
    pub mesh: Mesh,
}

impl Developing {
    /// From coarse to fine for an icosphere of a level, and at its own resolution for any other mesh.
    pub fn new(mesh: &Mesh, level: Option<u32>) -> Result<Self, Failure> {
        let options = DevelopableOptions::default();
        let driver = match level {
            Some(level) => Developable::icosphere(level, options),
            None => Developable::new(mesh, options),
        }?;
        let mesh = driver.levels[driver.levels.len() - 1].clone();
        Ok(Developing { driver, mesh })
    }

    pub fn defaults(&self) -> SolverOptions {
        self.driver.options.solver.clone()
    }

    /// The largest problem of the run.
    pub fn problem(&self) -> Result<isograd::Problem, Failure> {
        Ok(self.driver.finest_problem()?)
    }

    pub async fn solve(&mut self, options: &SolverOptions, listener: &mut Listener) -> Result<JsValue, Failure> {
        self.driver.options.solver = options.clone();
        let (driver, mut iterations) = (&self.driver, Vec::new());
        let result = driver.run_async(async |iteration| {
            let record = IterationRecord { iteration: iterations.len(), ..iteration.record.clone() };
            let told = listener.is_heard().then(|| finest(driver, iteration));
            let progress = match &told {
                Some(Ok(mesh)) => progress(&record, mesh.vertices().as_flattened()),
                // Without a listener nobody sees it; a mesh that subdivided once does so again.
                _ => progress(&record, iteration.positions),
            };
            iterations.push(record);
            set(&progress, "stage", stage(iteration));
            listener.hear(progress).await
        });
        let result = result.await?;
        let object = summary(&result, iterations)?;
        self.mesh = result.mesh;
        Ok(object)
    }
}

/// The mesh of an iteration, subdivided to the vertices of the last level.
fn finest(driver: &Developable, iteration: &DevelopableIteration<'_>) -> Result<Mesh, DevelopableError> {
    let vertices = iteration.positions.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    let level = &driver.levels[iteration.level];
    let mut mesh = level.with_vertices(vertices).unwrap_or_else(|_| level.clone());
    for _ in iteration.level + 1..iteration.levels {
        mesh = subdivide(&mesh)?.mesh;
    }
    Ok(mesh)
}

fn stage(iteration: &DevelopableIteration<'_>) -> JsValue {
    let object = Object::new().into();
    set(&object, "level", iteration.level as f64);
    set(&object, "levels", iteration.levels as f64);
    set(&object, "round", iteration.round as f64);
    set(&object, "exponent", iteration.exponent);
    object
}

/// The report of the last solve, with the iterations of all and how developable the mesh became.
fn summary(result: &DevelopableResult, iterations: Vec<IterationRecord>) -> Result<JsValue, Failure> {
    let Some((first, last)) = result.reports.first().zip(result.reports.last()) else {
        return Err(Failure::argument("no round was asked for"));
    };
    let mut whole = last.clone();
    whole.initial_cost = first.initial_cost;
    whole.iterations = iterations;
    let object = report(&whole)?;
    let developable = Object::new().into();
    set(&developable, "energyBefore", result.before.energy);
    set(&developable, "energyAfter", result.after.energy);
    set(&developable, "share", result.after.share);
    set(&developable, "hinges", result.hinges.len() as f64);
    set(&developable, "solves", result.reports.len() as f64);
    set(&object, "developable", developable);
    Ok(object)
}

impl From<DevelopableError> for Failure {
    fn from(error: DevelopableError) -> Failure {
        match error {
            DevelopableError::Problem(error) => error.into(),
            DevelopableError::Solve(error) => error.into(),
            DevelopableError::Icosphere(error) => error.into(),
            other => Failure::new("invalid-mesh", other),
        }
    }
}
