//! JᵀJ and Jᵀr over the free parameters: structure built once, numbers refilled in place.

use super::accumulation::Accumulation;
use super::columns::Weights;
use super::contribution::Contribution;
use super::planner;
use super::reduction::Reduction;
use crate::linear::{BlockMatrix, LinearError};
use crate::problem::{CompiledProblem, Evaluation, Parameters};
use std::ops::Range;

/// Normal equations of a compiled problem.
///
/// Blocks of JᵀJ off the diagonal that only constant derivatives contribute to are filled once and never touched again, so nobody but
/// [`NormalEquations::refill`] may write to the matrix.
pub struct NormalEquations {
    /// JᵀJ over the free blocks, without damping.
    pub matrix: BlockMatrix,
    /// Jᵀr.
    pub gradient: Vec<f64>,
    /// Start of each free block in the parameter vector.
    starts: Vec<u32>,
    /// See [`Reduction::curved`].
    curved: Vec<(u32, u32)>,
    accumulation: Accumulation,
    /// Fixed components of blocks that are otherwise free, as scalar indices of the reduced system.
    held: Vec<usize>,
}

impl NormalEquations {
    /// Works out the structure for the blocks of `parameters` that are not fixed.
    ///
    /// # Errors
    /// [`LinearError::TooLarge`] past 2³² numbers in JᵀJ, as many parameter blocks in all residual blocks together, or 2³⁰ residual blocks
    /// of a kind.
    pub fn new(problem: &CompiledProblem, parameters: &Parameters) -> Result<Self, LinearError> {
        let reduction = Reduction::new(problem, parameters);
        let mut weights = Weights::default();
        let contributions: Vec<Contribution> =
            problem.groups.iter().map(|group| Contribution::new(group, &mut weights)).collect();
        let (matrix, tasks) = planner::plan(&problem.groups, &contributions, &reduction)?;
        let held = reduction.held_scalars(parameters, matrix.structure());
        let accumulation = Accumulation::new(tasks, contributions, weights);
        // What only the plan needs goes before there is more: until a matrix is factored, this is where most memory is taken.
        let (starts, curved) = reduction.into_blocks();
        let gradient = vec![0.0; matrix.structure().scalars()];
        let mut equations = NormalEquations { matrix, gradient, starts, curved, accumulation, held };
        equations.hold();
        Ok(equations)
    }

    /// Number of free scalar parameters, held components included.
    pub fn scalars(&self) -> usize {
        self.gradient.len()
    }

    /// Bytes of structure, numbers and plan.
    pub fn bytes(&self) -> usize {
        let blocks = size_of_val(&self.starts[..]) + size_of_val(&self.curved[..]);
        self.matrix.memory_bytes() + size_of_val(&self.gradient[..]) + blocks + self.accumulation.bytes()
    }

    /// Bytes that [`NormalEquations::refill`] cannot but read and write: it reads residuals, the stored Jacobian, and the plan with the
    /// constants that sums begin with, and writes the numbers that vary and the gradient.
    pub fn refill_bytes(&self, problem: &CompiledProblem) -> (usize, usize) {
        let read = (problem.residuals() + problem.stored()) * size_of::<f64>() + self.accumulation.bytes();
        let written = (self.accumulation.variable_numbers() + self.gradient.len()) * size_of::<f64>();
        (read, written)
    }

    /// Fills JᵀJ and Jᵀr from residuals and Jacobian, on the threads of the present rayon pool.
    pub fn refill(&mut self, problem: &CompiledProblem, evaluation: &Evaluation) {
        self.accumulation.run(&problem.groups, evaluation, &mut self.matrix, &mut self.gradient);
        self.hold();
    }

    /// Turns the rows and columns of held components into those of the identity, and their gradient into 0.
    fn hold(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let structure = self.matrix.structure().clone();
        let mut held = vec![false; self.gradient.len()];
        for &scalar in &self.held {
            held[scalar] = true;
            self.gradient[scalar] = 0.0;
        }
        for column in 0..structure.blocks() {
            for position in structure.column(column) {
                let row = structure.row_idx()[position] as usize;
                let (height, width) = (structure.size(row), structure.size(column));
                let place = structure.place(position);
                if structure.is_multiple(place) {
                    // What is held touches no such block.
                    continue;
                }
                let block = &mut self.matrix.values[place as usize..][..height * width];
                for (k, number) in block.iter_mut().enumerate() {
                    let (i, j) = (structure.range(row).start + k % height, structure.range(column).start + k / height);
                    if held[i] || held[j] {
                        *number = if i == j { 1.0 } else { 0.0 };
                    }
                }
            }
        }
    }

    /// The Euclidean length of the free parameters in `x`.
    pub fn length(&self, x: &[f64]) -> f64 {
        let numbers = self.blocks().enumerate().flat_map(|(k, (reduced, start, _))| {
            let size = self.curved.get(k).map_or(reduced.len(), |&(size, _)| size as usize);
            &x[start..start + size]
        });
        numbers.map(|a| a * a).sum::<f64>().sqrt()
    }

    /// A step over all blocks, 0 where they are fixed.
    pub fn scatter(&self, step: &[f64], target: &mut [f64]) {
        target.fill(0.0);
        for (reduced, _, component) in self.blocks() {
            target[component..component + reduced.len()].copy_from_slice(&step[reduced]);
        }
    }

    /// Takes out of a step what rounding moved of the fixed components.
    pub(super) fn hold_step(&self, step: &mut [f64]) {
        self.held.iter().for_each(|&scalar| step[scalar] = 0.0);
    }

    /// Whether a scalar of the reduced system is a fixed component.
    pub(super) fn is_held(&self, scalar: usize) -> bool {
        self.held.contains(&scalar)
    }

    /// The scalars of the reduced system that are fixed components.
    pub(super) fn held(&self) -> &[usize] {
        &self.held
    }

    /// Number of scalar parameters that may move.
    pub(super) fn free_scalars(&self) -> usize {
        self.gradient.len() - self.held.len()
    }

    /// For each free block its scalars in the reduced system, its start in the parameter vector, and its start in a step over all
    /// blocks.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (Range<usize>, usize, usize)> {
        let structure = self.matrix.structure();
        self.starts.iter().enumerate().map(|(k, &start)| {
            let component = self.curved.get(k).map_or(start, |&(_, component)| component);
            (structure.range(k), start as usize, component as usize)
        })
    }
}
