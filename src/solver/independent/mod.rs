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
//!
//! On a GPU the same is done by one lane a component: `placement` chooses, `shapes` sorts the components by what their kernels have in
//! common, `on_device` has them minimised.

mod batch;
mod component;
mod derivatives;
mod motion;
mod normal;
#[cfg(feature = "gpu")]
mod on_device;
mod partition;
#[cfg(feature = "gpu")]
mod placement;
mod report;
#[cfg(feature = "gpu")]
mod shapes;
mod tables;
mod whole;

pub use report::{ComponentRecord, IndependentReport, IndependentTimes, Outcome};

#[cfg(feature = "gpu")]
use super::on_device::summarised;
#[cfg(not(target_arch = "wasm32"))]
use super::threads::on_threads;
use super::{DeviceSummary, Precision, SolveError, SolverOptions};
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
    /// all. `linear_solver`, `max_memory` and `batch_size` are not looked at: every component is solved by dense Cholesky factorisation.
    ///
    /// A GPU takes components of up to 12 free parameters, of up to 8 shapes (blocks, manifolds, what is fixed), one a lane; if it
    /// cannot take them, the CPU solves, and the report says why. Costs in the report are the CPU's, in double precision, and components that
    /// fail on the GPU are solved again on the CPU. [`Backend::Auto`](crate::Backend::Auto) is the CPU here.
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
    #[cfg(not(target_arch = "wasm32"))]
    pub fn solve_independent(&mut self, options: &SolverOptions) -> Result<IndependentReport, SolveError> {
        on_threads(options, || pollster::block_on(self.solve_independent_async(options)))?
    }

    /// [`Problem::solve_independent`] for the browser. Outside browsers it computes on the thread that polls it and on the rayon pool it belongs
    /// to, whatever [`SolverOptions::threads`] says, and waits for a GPU there.
    ///
    /// # Errors
    /// As [`Problem::solve_independent`].
    pub async fn solve_independent_async(&mut self, options: &SolverOptions) -> Result<IndependentReport, SolveError> {
        options.check()?;
        if self.parameters().blocks() == 0 {
            return Err(ProblemError::Empty { what: "parameters" }.into());
        }
        solve(self, options).await
    }
}

async fn solve(problem: &mut Problem, options: &SolverOptions) -> Result<IndependentReport, SolveError> {
    let start = Instant::now();
    let compiled = problem.compile()?;
    let began = Instant::now();
    let partition = Partition::new(&compiled, problem.parameters());
    check_sizes(problem, &partition)?;
    let fixed_cost = fixed_cost(problem, &compiled, &partition)?;
    let analyse = began.elapsed().as_secs_f64();

    let began = Instant::now();
    let Solution { x, components, backend, notes, precision, device } =
        solution(problem, &compiled, &partition, options, start).await?;
    problem.parameters.values_mut().copy_from_slice(&x);
    let solve = began.elapsed().as_secs_f64();

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
        precision,
        threads: rayon::current_num_threads(),
        device,
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

/// All parameters at the best accepted points, and how they were found.
struct Solution {
    x: Vec<f64>,
    components: Vec<ComponentRecord>,
    backend: Selection,
    notes: Vec<String>,
    precision: Precision,
    device: Option<DeviceSummary>,
}

/// Solves on the CPU.
fn on_cpu(
    problem: &Problem,
    compiled: &CompiledProblem,
    partition: &Partition,
    options: &SolverOptions,
    start: Instant,
    backend: Selection,
) -> Solution {
    let whole = Whole::new(compiled, problem.parameters(), partition, options, start);
    let batches = whole.batches().par_iter();
    let solved: Vec<Solved> = batches.map(|numbers| Batch::new(&whole, numbers.clone()).solve()).collect();
    let mut values = problem.parameters().values().to_vec();
    let mut components = Vec::with_capacity(partition.components());
    for Solved { x, records } in solved {
        let mut x = &x[..];
        for &block in records.iter().flat_map(|record| &record.parameter_blocks) {
            let (numbers, rest) = x.split_at(problem.parameters().size(block));
            let start = problem.parameters().offsets()[block] as usize;
            values[start..start + numbers.len()].copy_from_slice(numbers);
            x = rest;
        }
        components.extend(records);
    }
    Solution { x: values, components, backend, notes: Vec::new(), precision: Precision::F64, device: None }
}

/// Solves on a device if one is asked for, or is worth it and there.
#[cfg(feature = "gpu")]
async fn solution(
    problem: &Problem,
    compiled: &CompiledProblem,
    partition: &Partition,
    options: &SolverOptions,
    start: Instant,
) -> Result<Solution, SolveError> {
    use super::placement::precision;
    use crate::backend::Backend;
    use on_device::{Failure, OnDevice, Task};
    use placement::Placement;
    let on_cpu = |reason: String| on_cpu(problem, compiled, partition, options, start, Selection::cpu(reason));
    let (context, formats, mut notes) = match placement::choose(compiled, partition, options).await? {
        Placement::Cpu(reason) => return Ok(on_cpu(reason)),
        Placement::Device { context, formats, notes } => (context, formats, notes),
    };
    let (name, before) = (context.info().name.clone(), context.statistics());
    let task = Task { compiled, parameters: problem.parameters(), partition, options, start };
    match on_device::solve(&task, &context, formats).await {
        Ok(OnDevice { x, records, notes: more, device_bytes }) => {
            notes.extend(more);
            let summary = DeviceSummary { memory_bytes: device_bytes, ..DeviceSummary::default() };
            Ok(Solution {
                x,
                components: records,
                backend: Selection { backend: Backend::Gpu, device: name, reason: "asked for".to_owned() },
                notes,
                precision: precision(formats.real),
                device: Some(summarised(context.statistics() - before, summary)),
            })
        }
        Err(Failure::Device(reason)) => Ok(on_cpu(format!("{name} cannot take the components: {reason}"))),
        Err(Failure::Solve(error)) => Err(error),
    }
}

/// Without a GPU backend, `Backend::Gpu` is an error.
#[cfg(not(feature = "gpu"))]
async fn solution(
    problem: &Problem,
    compiled: &CompiledProblem,
    partition: &Partition,
    options: &SolverOptions,
    start: Instant,
) -> Result<Solution, SolveError> {
    Ok(on_cpu(problem, compiled, partition, options, start, options.backend.select()?))
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
    let instances = partition.unattached.iter();
    Ok(0.5 * instances.map(|instance| square_sum(compiled, &evaluation, instance)).sum::<f64>())
}

/// Twice the cost of an instance.
fn square_sum(compiled: &CompiledProblem, evaluation: &Evaluation, &(group, instance): &(u32, u32)) -> f64 {
    let group = &compiled.groups[group as usize];
    let width = group.kernel.residuals();
    let rows = &evaluation.residuals[group.rows.start + instance as usize * width..][..width];
    rows.iter().map(|r| r * r).sum()
}
