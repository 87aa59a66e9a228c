//! What a solve did.

use super::Precision;
use crate::backend::Selection;
use crate::kernel::CompileStatistics;
use crate::problem::CompiledProblem;
use serde::Serialize;

/// Why the minimiser stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Termination {
    /// An accepted step changed the cost by less than the function tolerance.
    FunctionTolerance,
    /// The gradient at an accepted point is below the gradient tolerance.
    GradientTolerance,
    /// An accepted step was shorter than the parameter tolerance.
    ParameterTolerance,
    /// The best step there is would change the cost by less than its rounding error, or than rounding of the parameters does.
    PrecisionLimit,
    /// The number of iterations is used up.
    MaxIterations,
    /// The time is used up.
    TimeLimit,
    /// The callback or the cancel flag asked for it.
    Cancelled,
    /// The trust region shrank to nothing without a step that lowers the cost.
    TrustRegionCollapsed,
    /// Too many steps in a row could not be computed or evaluated.
    InvalidSteps,
}

impl Termination {
    /// Whether the minimiser found what it was looking for, rather than being stopped.
    pub fn is_converged(self) -> bool {
        matches!(
            self,
            Termination::FunctionTolerance
                | Termination::GradientTolerance
                | Termination::ParameterTolerance
                | Termination::PrecisionLimit
        )
    }

    /// The reason in words.
    pub fn describe(self) -> &'static str {
        match self {
            Termination::FunctionTolerance => "Function tolerance reached",
            Termination::GradientTolerance => "Gradient tolerance reached",
            Termination::ParameterTolerance => "Parameter tolerance reached",
            Termination::PrecisionLimit => "The cost cannot be lowered beyond its rounding error",
            Termination::MaxIterations => "Maximum number of iterations reached",
            Termination::TimeLimit => "Time limit reached",
            Termination::Cancelled => "Cancelled",
            Termination::TrustRegionCollapsed => "The trust region collapsed",
            Termination::InvalidSteps => "Too many consecutive invalid steps",
        }
    }
}

/// One iteration; number 0 is the start point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IterationRecord {
    /// Number of the iteration.
    pub iteration: usize,
    /// Cost after it, at the accepted point.
    pub cost: f64,
    /// By how much the point that was tried lowers the cost; NaN where it could not be evaluated.
    pub cost_change: f64,
    /// Largest component of the gradient at the accepted point.
    pub gradient_max_norm: f64,
    /// Length of the step that was tried.
    pub step_norm: f64,
    /// Actual over predicted decrease of the cost.
    pub gain_ratio: f64,
    /// Trust region radius after it.
    pub trust_region_radius: f64,
    /// Iterations of the linear solver; 1 for a direct one, or those of conjugate gradients with an earlier factor.
    pub linear_iterations: usize,
    /// Whether the step was taken.
    pub accepted: bool,
    /// Seconds since the solve began.
    pub elapsed_s: f64,
}

/// How far a solve has come.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The last iteration.
    pub record: &'a IterationRecord,
    /// The accepted point, all parameters in the order in which they were added. On a device the latest one that was read back, see
    /// [`SolverOptions::checkpoint_interval`](super::SolverOptions::checkpoint_interval).
    pub parameters: &'a [f64],
}

/// Where the time went, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct StageTimes {
    /// Recording and grouping the residuals, when they were added.
    pub trace: f64,
    /// Programs, derivatives and code.
    pub compile: f64,
    /// Structure of JᵀJ and symbolic factorisation.
    pub analyse: f64,
    /// Residuals, and residuals with Jacobian. Of a solve that is wholly on a device, what its own clock says, and 0 where it was not
    /// read ([`SolverOptions::device_timing`](super::SolverOptions::device_timing)).
    pub evaluate: f64,
    /// Filling JᵀJ and Jᵀr; on a device part of `evaluate`.
    pub normal_equations: f64,
    /// Solving for the steps; on a device as `evaluate`.
    pub linear_solve: f64,
    /// All iterations of a solve that is wholly on a device, as the host saw them: what the device did, and waiting for it. Else 0.
    pub device_loop: f64,
    /// The whole solve, with tracing.
    pub total: f64,
}

/// A group in the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupSummary {
    /// Name of its residual blocks, if they have one.
    pub name: Option<String>,
    /// Residual blocks.
    pub instances: usize,
    /// Residuals of each.
    pub residuals: usize,
    /// Parameters of each.
    pub parameters: usize,
    /// Operations of the program for residuals and Jacobian.
    pub operations: usize,
    /// Numbers stored for the Jacobian of each.
    pub stored: usize,
    /// First half of the topology's hash, hexadecimal.
    pub topology: String,
}

/// What a solve took of a GPU.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DeviceSummary {
    /// Kernels that went through the shader compiler.
    pub kernels_compiled: u64,
    /// Kernels that the process had compiled before.
    pub kernel_cache_hits: u64,
    /// Bytes written to the device.
    pub bytes_up: u64,
    /// Bytes read from the device.
    pub bytes_down: u64,
    /// Dispatches.
    pub dispatches: u64,
    /// Bytes of the device's memory in use.
    pub memory_bytes: u64,
    /// Device time by stage, in seconds, in the order of the stages; empty unless [`SolverOptions::device_timing`](super::SolverOptions::device_timing) asks
    /// for it and the device has timestamps.
    pub stage_times_s: Vec<(String, f64)>,
}

/// What a solve did, iteration by iteration.
///
/// Prints like Ceres's full report, and serialises.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SolverReport {
    /// Why it stopped.
    pub termination: Termination,
    /// Why it stopped, with numbers.
    pub message: String,
    /// Cost ½ Σ ‖rᵢ‖² at the start.
    pub initial_cost: f64,
    /// Cost at the end, evaluated on the CPU in double precision.
    pub final_cost: f64,
    /// Iterations, with the start as number 0.
    pub iterations: Vec<IterationRecord>,
    /// Parameter blocks, and how many of them are not wholly fixed.
    pub parameter_blocks: (usize, usize),
    /// Scalar parameters, and how many of them are free.
    pub parameters: (usize, usize),
    /// Residual blocks.
    pub residual_blocks: usize,
    /// Scalar residuals.
    pub residuals: usize,
    /// Groups.
    pub groups: Vec<GroupSummary>,
    /// Kernels and cache hits.
    pub compile: CompileStatistics,
    /// Where it ran, and why there.
    pub backend: Selection,
    /// What else there is to say about where it ran: groups that a device could not take, a device that failed.
    pub notes: Vec<String>,
    /// Number format of the kernels.
    pub precision: Precision,
    /// Threads: 1 where the problem is so small that there is nothing for others to do.
    pub threads: usize,
    /// The linear solver, with what it chose.
    pub linear_solver: String,
    /// Why this one.
    pub linear_solver_reason: String,
    /// Bytes of problem, residuals and Jacobian.
    pub problem_bytes: usize,
    /// Bytes of JᵀJ and what is needed to refill it.
    pub normal_equations_bytes: usize,
    /// Bytes of the factor.
    pub factor_bytes: usize,
    /// How often a matrix was factored: once a step, or less often where an earlier factor served as preconditioner.
    pub factorizations: usize,
    /// What a GPU had to do with it.
    pub device: Option<DeviceSummary>,
    /// Where the time went.
    pub times_s: StageTimes,
}

impl SolverReport {
    /// Number of iterations, rejected ones counted and the start not.
    pub fn iteration_count(&self) -> usize {
        self.iterations.len().saturating_sub(1)
    }

    /// Number of accepted steps.
    pub fn accepted_steps(&self) -> usize {
        self.iterations.iter().skip(1).filter(|record| record.accepted).count()
    }
}

/// What a report says of each group.
pub(super) fn summaries(compiled: &CompiledProblem) -> Vec<GroupSummary> {
    let groups = compiled.groups.iter().enumerate();
    groups
        .map(|(index, group)| GroupSummary {
            name: compiled.name(index).map(str::to_owned),
            instances: group.table.count,
            residuals: group.kernel.residuals(),
            parameters: group.kernel.program.parameters(),
            operations: group.kernel.linearization.program.operations(),
            stored: group.kernel.stored(),
            topology: format!("{:016x}", (group.kernel.topology.hash >> 64) as u64),
        })
        .collect()
}
