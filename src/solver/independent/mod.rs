//! Many independent problems stated as one: each connected component is minimised by itself.
//!
//! A thousand curve fits in one [`Problem`] share their kernels, but a joint solve would give them one damping, one gain ratio and one
//! end: the slowest fit sets the pace and a bad one stops all. Here two residual blocks belong together only if they share a free
//! parameter block, directly or through others, and every such component has its own Levenberg-Marquardt, by the rules of
//! [`Problem::solve`]: Ceres's `TrustRegionMinimizer` with Nielsen's damping (Madsen, Nielsen, Tingleff, *Methods for non-linear
//! least squares problems*, 2004), its step by Cholesky factorisation of the dense damped normal equations.
//!
//! * `partition` finds the components;
//! * `batch` takes many of them from start to end, evaluated by one run of the group kernels over the `tables` of its own, whose lanes
//!   are full although each component has few residuals; batches go to threads (`whole` says which are which), and an instance's numbers depend on nothing but the instance, so neither threads nor batches show in the results;
//! * `derivatives` and `normal` sum up and solve the normal equations of one, `motion` takes its step;
//! * `component` decides about it, `report` tells.

mod batch;
mod component;
mod derivatives;
mod motion;
mod normal;
mod partition;
mod report;
mod tables;
mod whole;

pub use report::{ComponentRecord, IndependentReport, IndependentTimes, Outcome};

use super::run::on_threads;
use super::{SolveError, SolverOptions};
use crate::backend::Selection;
use crate::problem::{CompiledProblem, Evaluation, Problem, ProblemError};
use batch::{Batch, Solved};
use partition::Partition;
use rayon::prelude::*;
use web_time::Instant;
use whole::Whole;

/// Most free scalar parameters of a component: its normal equations are dense.
pub const MOST_PARAMETERS: usize = 512;

impl Problem {
    /// Minimises each connected component of the problem by itself, and leaves the parameters of each at its best accepted point.
    ///
    /// Residual blocks belong to one component if they share a parameter block that is not fixed, directly or through others. A
    /// component that fails, because a residual is not finite at its start or its steps come to nothing, is reported and does not
    /// stop the others. Results are equal bit for bit whatever the number of threads.
    ///
    /// Of the options `max_iterations`, the tolerances and the trust region hold for each component; `max_time` and `cancel` for
    /// all. `linear_solver` and `max_memory` are not looked at: every component is solved by dense Cholesky factorisation. All of it
    /// runs on the CPU; a GPU asked for is answered with a note in the report.
    ///
    /// ```
    /// use isograd::{Problem, SolverOptions};
    ///
    /// // Fifty decays y = a exp(−b t), each with its own two parameters.
    /// let mut problem = Problem::new();
    /// let fits = problem.add_parameter_blocks(2, &[1.0; 100])?;
    /// let (mut blocks, mut data) = (Vec::new(), Vec::new());
    /// for (k, &fit) in fits.iter().enumerate() {
    ///     for i in 0..8 {
    ///         let (a, b, t) = (1.0 + 0.1 * k as f64, 0.5 + 0.02 * k as f64, 0.3 * f64::from(i));
    ///         blocks.push([fit]);
    ///         data.push([t, a * (-b * t).exp()]);
    ///     }
    /// }
    /// problem.add_residual_batch(&blocks, &data, |x, d| x[0][0] * (-x[0][1] * d[0]).exp() - d[1])?;
    /// let report = problem.solve_independent(&SolverOptions::default())?;
    /// assert_eq!((report.components.len(), report.converged), (50, 50));
    /// assert!((problem.parameter_block(fits[9])[0] - 1.9).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// If there is nothing to solve, an option is out of range, the backend cannot be had, the threads cannot be started, or a
    /// component has more than [`MOST_PARAMETERS`] free parameters.
    pub fn solve_independent(&mut self, options: &SolverOptions) -> Result<IndependentReport, SolveError> {
        options.check()?;
        if self.parameters().blocks() == 0 {
            return Err(ProblemError::Empty { what: "parameters" }.into());
        }
        on_threads(options, || solve(self, options))?
    }
}

fn solve(problem: &mut Problem, options: &SolverOptions) -> Result<IndependentReport, SolveError> {
    let start = Instant::now();
    let compiled = problem.compile()?;
    let began = Instant::now();
    let partition = Partition::new(&compiled, problem.parameters());
    check_sizes(problem, &partition)?;
    let fixed_cost = fixed_cost(problem, &compiled, &partition)?;
    let (backend, notes) = place(options)?;
    let whole = Whole::new(&compiled, problem.parameters(), &partition, options, start);
    let analyse = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let batches = whole.batches().par_iter();
    let solved: Vec<Solved> = batches.map(|numbers| Batch::new(&whole, numbers.clone()).solve()).collect();
    let solve = began.elapsed().as_secs_f64();

    let mut components = Vec::with_capacity(partition.components());
    for Solved { x, records } in solved {
        let mut x = &x[..];
        for &block in records.iter().flat_map(|record| &record.parameter_blocks) {
            let (numbers, rest) = x.split_at(problem.parameters().size(block));
            let start = problem.parameters().offsets()[block] as usize;
            problem.parameters.values_mut()[start..start + numbers.len()].copy_from_slice(numbers);
            x = rest;
        }
        components.extend(records);
    }
    let trace = problem.trace_time().as_secs_f64();
    let report = IndependentReport {
        components,
        converged: 0,
        max_iterations: 0,
        mean_iterations: 0.0,
        initial_cost: 0.0,
        final_cost: 0.0,
        fixed_cost,
        compile: compiled.statistics,
        backend,
        notes,
        threads: rayon::current_num_threads(),
        times_s: IndependentTimes {
            trace,
            compile: compiled.compile_time.as_secs_f64(),
            analyse,
            solve,
            total: start.elapsed().as_secs_f64() + trace,
        },
    };
    Ok(report.summed())
}

/// Where the components are solved.
#[cfg(feature = "gpu")]
fn place(options: &SolverOptions) -> Result<(Selection, Vec<String>), SolveError> {
    use crate::backend::Backend;
    let reason =
        if options.backend == Backend::Cpu { "asked for" } else { "independent problems are solved on the CPU" };
    let mut notes = Vec::new();
    if options.backend == Backend::Gpu {
        notes.push("a GPU was asked for, but no part of solve_independent runs on one".to_owned());
    }
    Ok((Selection::cpu(reason), notes))
}

/// Where the components are solved: without a GPU backend, `Backend::Gpu` is an error.
#[cfg(not(feature = "gpu"))]
fn place(options: &SolverOptions) -> Result<(Selection, Vec<String>), SolveError> {
    Ok((options.backend.select()?, Vec::new()))
}

fn check_sizes(problem: &Problem, partition: &Partition) -> Result<(), SolveError> {
    let parameters = problem.parameters();
    let free = |block: &u32| {
        let held = parameters.fixed(*block as usize).map_or(0, |flags| flags.iter().filter(|&&held| held).count());
        parameters.tangent_size(*block as usize) - held
    };
    for component in 0..partition.components() {
        let blocks = partition.blocks(component);
        let scalars: usize = blocks.iter().map(free).sum();
        if scalars > MOST_PARAMETERS {
            let (first_block, allowed) = (blocks[0] as usize, MOST_PARAMETERS);
            return Err(SolveError::ComponentTooLarge { component, first_block, parameters: scalars, allowed });
        }
    }
    Ok(())
}

/// The cost of what nothing can change.
fn fixed_cost(problem: &Problem, compiled: &CompiledProblem, partition: &Partition) -> Result<f64, SolveError> {
    if partition.unattached.is_empty() {
        return Ok(0.0);
    }
    let mut evaluation = Evaluation::default();
    compiled.evaluate_objective(problem.parameters().values(), &mut evaluation)?;
    let square_sum = |&(group, instance): &(u32, u32)| -> f64 {
        let group = &compiled.groups[group as usize];
        let width = group.kernel.residuals();
        let rows = &evaluation.residuals[group.rows.start + instance as usize * width..][..width];
        rows.iter().map(|r| r * r).sum()
    };
    Ok(0.5 * partition.unattached.iter().map(square_sum).sum::<f64>())
}
