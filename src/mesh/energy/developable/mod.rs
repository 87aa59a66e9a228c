//! Developable surfaces: meshes that fall into patches which unroll without stretching, with creases between them.
//!
//! In: a [`Mesh`]. Out: the [`DevelopableResult`] with the mesh it became and [how developable](Developability) that is.
//!
//! The energy is the covariance energy of Stein, Grinspun and Crane, "Developability of Triangle Meshes" (2018). With N the unit
//! normals of the triangles about a vertex v and θ their angles there,
//!
//! A(v) = Σ θ N Nᵀ,  E = Σ λ(v),  λ(v) the smallest eigenvalue of A(v).
//!
//! λ(v) = 0 means that the normals about v lie in a plane: the star bends along one line only. As λ = min uᵀAu over unit vectors
//! u, an unknown u(v) lifts E to least squares: a residual √θ ⟨u, N⟩ for each corner, and the smallest value over all u is E.
//! The residuals know nothing of the valence, so one template serves every mesh.
//!
//! Around it, [`Developable`] goes from coarse to fine, and at each level in rounds; a round starts with u at the eigenvectors, which
//! never raises the cost, and is a solve by Levenberg-Marquardt:
//!
//! * an anchor to the shape given holds scale and place. Without it the sphere goes flat: a coin has energy 0;
//! * triangle quality and a barrier against edges that fold over keep the mesh a mesh;
//! * at the last levels Σ λ becomes Σ λ^(p/2) by [reweighting](DevelopableOptions::exponent): what is nearly developable becomes
//!   so, and curvature moves to the creases.

mod measure;
mod residuals;
mod round;

pub use measure::{Developability, hinges};

use super::super::{IcosphereLevelTooHigh, Mesh, SubdivideError, icosphere, subdivide};
use crate::problem::{Problem, ProblemError};
use crate::{IterationRecord, Progress, SolveError, SolverOptions, SolverReport, Termination};
use round::{Round, Weights};
use std::ops::ControlFlow;
use web_time::Instant;

/// How a mesh is made developable. The defaults were found by trial on the icosphere; `docs/developable.md` has the trials.
#[derive(Debug, Clone)]
pub struct DevelopableOptions {
    /// The level that [`Developable::icosphere`] starts from. Default: 1.
    pub coarsest_level: u32,
    /// How often [`Developable::new`] splits each triangle in four on the way. Default: 0.
    pub subdivisions: u32,
    /// How many of the last levels are sharpened, that is, use `exponent` and `sharp_anchor`. Default: 3.
    pub sharp_levels: usize,
    /// Rounds at a level; u starts each at the eigenvectors. Default: 6.
    pub rounds: usize,
    /// The solver of a round. Its `max_time` is for the whole run. Default: 12 iterations, function tolerance 1e-4.
    pub solver: SolverOptions,
    /// Weight of the squared distance to the given shape, in radii of a sphere of its area, as the mean over its area: the larger,
    /// the closer to the shape and the more patches. Default: 100.
    pub anchor: f64,
    /// The same at sharpened levels. Default: 30.
    pub sharp_anchor: f64,
    /// p in Σ λ^(p/2) at sharpened levels; 2 is the plain energy, and smaller is sparser. Default: 1.
    pub exponent: f64,
    /// λ from which a vertex counts as on a seam, where p is 2; in mean λ of the given shape. Default: 0.5.
    pub seam: f64,
    /// Weight of the mean squared distortion of the triangles. Default: 3.
    pub quality: f64,
    /// Weight of edges that fold over. Default: 1.
    pub fold: f64,
    /// Size of the random displacement at the start that breaks symmetry, in mean edge lengths. Default: 0.02.
    pub perturbation: f64,
    /// Seed of the displacement. Default: 1.
    pub seed: u64,
    /// Angle in degrees between triangles from which on an edge is reported as a hinge. Default: 15.
    pub hinge_angle: f64,
}

impl Default for DevelopableOptions {
    fn default() -> Self {
        DevelopableOptions {
            coarsest_level: 1,
            subdivisions: 0,
            sharp_levels: 3,
            rounds: 6,
            solver: SolverOptions { max_iterations: 12, function_tolerance: 1e-4, ..SolverOptions::default() },
            anchor: 100.0,
            sharp_anchor: 30.0,
            exponent: 1.0,
            seam: 0.5,
            quality: 3.0,
            fold: 1.0,
            perturbation: 0.02,
            seed: 1,
            hinge_angle: 15.0,
        }
    }
}

/// Why a mesh could not be made developable.
#[derive(Debug, thiserror::Error)]
pub enum DevelopableError {
    /// The energy has no term.
    #[error(
        "no vertex lies inside the surface, between four triangles or more with an area, so there is nothing to bend"
    )]
    NothingInside,
    /// The level is too high.
    #[error(transparent)]
    Icosphere(#[from] IcosphereLevelTooHigh),
    /// The mesh does not subdivide.
    #[error(transparent)]
    Subdivide(#[from] SubdivideError),
    /// A round could not be stated.
    #[error(transparent)]
    Problem(#[from] ProblemError),
    /// A round could not be solved.
    #[error(transparent)]
    Solve(#[from] SolveError),
}

/// An iteration, and where in the run it is.
#[derive(Debug, Clone, Copy)]
pub struct DevelopableIteration<'a> {
    /// The level, from 0, the coarsest, to `levels` − 1.
    pub level: usize,
    /// Number of levels.
    pub levels: usize,
    /// The round within the level.
    pub round: usize,
    /// The exponent p in force.
    pub exponent: f64,
    /// Vertices at this level.
    pub vertices: usize,
    /// The iteration within the round.
    pub record: &'a IterationRecord,
    /// The mesh of this level at the accepted point: x, y and z of each vertex.
    pub positions: &'a [f64],
}

/// What became of a mesh.
#[derive(Debug, Clone)]
pub struct DevelopableResult {
    /// The mesh at the end; of triangles.
    pub mesh: Mesh,
    /// The given shape with the same vertices and faces.
    pub start_mesh: Mesh,
    /// The given shape, measured.
    pub before: Developability,
    /// The mesh, measured.
    pub after: Developability,
    /// Edges of the mesh at which it turns by more than the hinge angle.
    pub hinges: Vec<[u32; 2]>,
    /// The solves, one a round.
    pub reports: Vec<SolverReport>,
    /// Whether the callback, the cancel flag or the time limit ended it. The mesh is then the best so far, subdivided to the end.
    pub stopped: bool,
}

/// The way of a mesh to developability.
pub struct Developable {
    /// The given shape from coarse to fine; the vertices of each level are the first of the next.
    pub levels: Vec<Mesh>,
    /// How to go.
    pub options: DevelopableOptions,
}

impl Developable {
    /// From a mesh, over its subdivisions. Vertices that no face uses are dropped, and larger polygons become triangles.
    ///
    /// # Errors
    /// If no vertex lies inside the surface, or the mesh cannot be subdivided as often as the options say.
    pub fn new(mesh: &Mesh, options: DevelopableOptions) -> Result<Self, DevelopableError> {
        let mut levels = vec![measure::triangulated(&mesh.without_unused_vertices().mesh)];
        for level in 0..options.subdivisions as usize {
            levels.push(subdivide(&levels[level])?.mesh);
        }
        if !Developability::of(&levels[0]).in_energy.contains(&true) {
            return Err(DevelopableError::NothingInside);
        }
        Ok(Developable { levels, options })
    }

    /// From a coarse icosphere to one of the given level.
    ///
    /// # Errors
    /// If the level is too high.
    pub fn icosphere(level: u32, options: DevelopableOptions) -> Result<Self, DevelopableError> {
        let coarsest = options.coarsest_level.min(level);
        // The finest first: a level too high is refused before anything is built.
        let mut levels = (coarsest..=level).rev().map(icosphere).collect::<Result<Vec<_>, _>>()?;
        levels.reverse();
        Ok(Developable { levels, options })
    }

    /// The problem of the first round at the last level, about the given shape itself: what the largest solve of a run is like.
    ///
    /// # Errors
    /// If the shape has a vertex that is not finite.
    pub fn finest_problem(&self) -> Result<Problem, ProblemError> {
        let (level, rest) = (self.levels.len() - 1, &self.levels[self.levels.len() - 1]);
        let state = Developability::of(rest);
        // A level has at least one round, unless the options say none: then there is no problem either.
        match self.rounds(level, state.mean_lambda()).first() {
            Some(weights) => Ok(Round::new(rest, rest, &state, weights)?.problem),
            None => Ok(Problem::new()),
        }
    }

    /// Goes all the way; `callback` sees every iteration of every solve, and may stop the run.
    ///
    /// # Errors
    /// If a round cannot be solved; see [`Problem::solve`](crate::Problem::solve).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn run(
        &self,
        mut callback: impl FnMut(&DevelopableIteration) -> ControlFlow<()> + Send,
    ) -> Result<DevelopableResult, DevelopableError> {
        let callback = async |iteration: &DevelopableIteration<'_>| callback(iteration);
        crate::solver::on_threads(&self.options.solver, || pollster::block_on(self.run_async(callback)))?
    }

    /// [`Developable::run`] for the browser: `callback` is awaited. See [`Problem::solve_async`](crate::Problem::solve_async).
    ///
    /// # Errors
    /// As [`Developable::run`].
    pub async fn run_async(
        &self,
        mut callback: impl AsyncFnMut(&DevelopableIteration) -> ControlFlow<()>,
    ) -> Result<DevelopableResult, DevelopableError> {
        let start = Instant::now();
        let mut reports = Vec::new();
        let mut stopped = false;
        let mut mesh = self.perturbed_start();
        for (level, rest) in self.levels.iter().enumerate() {
            if level > 0 {
                mesh = subdivide(&mesh)?.mesh;
            }
            let mean_lambda = Developability::of(rest).mean_lambda();
            for (round, weights) in self.rounds(level, mean_lambda).into_iter().enumerate() {
                if stopped {
                    break;
                }
                let mut options = self.options.solver.clone();
                options.max_time = options.max_time.map(|limit| limit.saturating_sub(start.elapsed()));
                let mut state = Round::new(&mesh, rest, &Developability::of(&mesh), &weights)?;
                let report = state.problem.solve_async(&options, async |Progress { record, parameters }| {
                    let (levels, exponent) = (self.levels.len(), weights.exponent);
                    let vertices = rest.vertex_count();
                    // Vertices come first.
                    let positions = &parameters[..3 * vertices];
                    let iteration =
                        DevelopableIteration { level, levels, round, exponent, vertices, record, positions };
                    callback(&iteration).await
                });
                let report = report.await?;
                mesh.vertices = state.positions();
                stopped = matches!(report.termination, Termination::Cancelled | Termination::TimeLimit);
                reports.push(report);
            }
        }
        let start_mesh = self.levels[self.levels.len() - 1].clone();
        Ok(DevelopableResult {
            before: Developability::of(&start_mesh),
            after: Developability::of(&mesh),
            hinges: hinges(&mesh, self.options.hinge_angle),
            mesh,
            start_mesh,
            reports,
            stopped,
        })
    }

    /// The weights of each round at a level. The coarsest level is never only sharpened: it has no shape yet to sharpen.
    fn rounds(&self, level: usize, mean_lambda: f64) -> Vec<Weights> {
        let options = &self.options;
        let plain = Weights {
            exponent: 2.0,
            seam_lambda: options.seam * mean_lambda.max(f64::MIN_POSITIVE),
            anchor: options.anchor,
            quality: options.quality,
            fold: options.fold,
        };
        let sharp = Weights { exponent: options.exponent, anchor: options.sharp_anchor, ..plain };
        let is_sharp = level + options.sharp_levels >= self.levels.len();
        let mut rounds = Vec::new();
        if level == 0 || !is_sharp {
            rounds.extend(vec![plain; options.rounds]);
        }
        if is_sharp {
            rounds.extend(vec![sharp; options.rounds]);
        }
        rounds
    }

    /// The coarsest level, each coordinate moved a little.
    fn perturbed_start(&self) -> Mesh {
        let mut mesh = self.levels[0].clone();
        let size = self.options.perturbation * mesh.mean_edge_length().unwrap_or(0.0);
        let mut state = self.options.seed;
        for coordinate in mesh.vertices.as_flattened_mut() {
            *coordinate += size * (uniform(&mut state) - 0.5);
        }
        mesh
    }
}

impl DevelopableResult {
    /// How much of the energy is gone, as a share of what there was.
    pub fn energy_drop(&self) -> f64 {
        if self.before.energy > 0.0 { 1.0 - self.after.energy / self.before.energy } else { 0.0 }
    }

    /// Iterations of all solves.
    pub fn iterations(&self) -> usize {
        self.reports.iter().map(SolverReport::iteration_count).sum()
    }
}

impl Developability {
    fn mean_lambda(&self) -> f64 {
        let count = self.in_energy.iter().filter(|&&counts| counts).count();
        self.energy / count.max(1) as f64
    }
}

/// The next number in [0, 1) of SplitMix64 (Steele, Lea and Flood 2014).
fn uniform(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
