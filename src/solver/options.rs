//! What a solve can be told.

use super::SolveError;
use crate::backend::Backend;
#[cfg(feature = "gpu")]
use crate::backend::gpu::GpuContext;
use crate::linear::SchurPreconditioner;
use serde::Serialize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// Number format of a device's kernels. The CPU backend always computes in double precision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// The best the device has.
    #[default]
    Auto,
    /// IEEE double precision.
    F64,
    /// IEEE single precision.
    F32,
    /// A pair of single-precision numbers.
    DoubleF32,
}

/// How the damped normal equations are solved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinearSolverKind {
    /// By size and structure: QR for a few parameters, dense Cholesky up to 150; beyond, a Schur complement where eliminating blocks
    /// that are not coupled leaves at most a third of the parameters (a bundle adjustment), and sparse Cholesky otherwise. The
    /// Schur complement is factored densely if it is small or nearly full and else sparsely; conjugate gradients solve it
    /// where its factor would take more than [`SolverOptions::max_memory`], or 4 GiB. On a GPU conjugate gradients, but for up to 150
    /// parameters with few residuals: those systems the CPU solves directly. The report says what was chosen and why.
    #[default]
    Auto,
    /// Householder QR of the dense Jacobian: slow, but does not square the condition number.
    DenseQr,
    /// Dense Cholesky of JᵀJ.
    DenseCholesky,
    /// Sparse Cholesky of JᵀJ, ordered and analysed once. A large matrix is factored only where the last factor is too old to serve as
    /// preconditioner, see [`LaggedCholesky`](crate::linear::LaggedCholesky).
    SparseCholesky,
    /// Conjugate gradients with block-Jacobi preconditioning: inexact steps, no factorisation.
    Pcg,
    /// Elimination of blocks that are not coupled, such as the points of a bundle adjustment, and dense Cholesky of the rest.
    DenseSchur,
    /// The same with sparse Cholesky of the rest.
    SparseSchur,
    /// The same with conjugate gradients on the rest, which is never formed; inexact steps. See [`SolverOptions::schur_preconditioner`]. On
    /// a GPU blocks are eliminated only where at most a third of the unknowns is left, and the report says if they are not.
    IterativeSchur,
}

/// Scalar residuals from which a GPU is expected to be faster.
pub const FALLBACK_THRESHOLD: usize = 6_000;

/// Options of a solve; the defaults are those of Ceres where it has them.
///
/// ```
/// use isograd::{Backend, SolverOptions};
/// let options = SolverOptions { backend: Backend::Auto, max_iterations: 20, ..Default::default() };
/// ```
#[derive(Debug, Clone)]
pub struct SolverOptions {
    /// Where to compute. Default: [`Backend::Cpu`].
    pub backend: Backend,
    /// Number format of the device. Default: [`Precision::Auto`].
    pub precision: Precision,
    /// Most threads; 0 for one a core. A problem of a few hundred residuals and parameters is solved on the thread that asks. Default: 0.
    pub threads: usize,
    /// Most iterations, rejected ones counted. Default: 100.
    pub max_iterations: usize,
    /// Wall-clock limit, looked at once an iteration. Default: none.
    pub max_time: Option<Duration>,
    /// Limit in bytes on the normal equations and their factor, checked before they are made. Default: none.
    pub max_memory: Option<usize>,
    /// Stop when an accepted step changes the cost by less than this, relative. Default: 1e-6.
    pub function_tolerance: f64,
    /// Stop when the largest component of the gradient is below this. Default: 1e-10.
    pub gradient_tolerance: f64,
    /// Stop when an accepted step is shorter than this times the length of the parameters. Default: 1e-8.
    pub parameter_tolerance: f64,
    /// First trust region radius; the damping is its inverse. Default: 1e4.
    pub initial_trust_region_radius: f64,
    /// Largest radius. Default: 1e16.
    pub max_trust_region_radius: f64,
    /// Give up below this radius. Default: 1e-32.
    pub min_trust_region_radius: f64,
    /// Accept a step whose gain ratio is at least this. Default: 1e-3.
    pub min_gain_ratio: f64,
    /// Lower bound of the diagonal that is damped. Default: 1e-6.
    pub min_diagonal: f64,
    /// Upper bound of the diagonal that is damped. Default: 1e32.
    pub max_diagonal: f64,
    /// Scale the columns of J by the norms they have at the start. Default: true.
    pub jacobi_scaling: bool,
    /// Steps in a row that cannot be evaluated, before giving up. Default: 5.
    pub max_consecutive_invalid_steps: usize,
    /// How the normal equations are solved. Default: [`LinearSolverKind::Auto`].
    pub linear_solver: LinearSolverKind,
    /// What preconditions [`LinearSolverKind::IterativeSchur`]. Default: [`SchurPreconditioner::BlockJacobi`].
    pub schur_preconditioner: SchurPreconditioner,
    /// Most iterations of an iterative linear solver. Default: 500.
    pub max_linear_iterations: usize,
    /// Accuracy of inexact steps, the forcing sequence η of Nash and Sofer (1990). Default: 0.1.
    pub forcing: f64,
    /// Scalar residuals below which [`Backend::Auto`] stays on the CPU. Default: [`FALLBACK_THRESHOLD`]. Where no device is open yet, it takes
    /// four times as many: opening one costs some tenths of a second. `gpu` hands over one that is.
    pub fallback_threshold: usize,
    /// Most instances of a dispatch on a GPU; larger groups are split into several, with the same results bit for bit. Each costs some
    /// microseconds, so this is for devices that give a dispatch too little time to end in. Default: none.
    pub batch_size: Option<usize>,
    /// How often the accepted point is read back from a GPU where it is larger than a megabyte (a smaller one is after every step):
    /// what [`Progress`](super::Progress) shows, and what a device that is lost leaves. Default: 250 ms.
    pub checkpoint_interval: Duration,
    /// Measure the stages of a solve on a GPU by its own clock, which costs some microseconds a stage. Default: false.
    pub device_timing: bool,
    /// Whether the device finds the order of blocks and instances where it can, if not as suits the device; for tests. JᵀJ is not assembled
    /// then.
    #[doc(hidden)]
    pub device_order: Option<bool>,
    /// The device to use instead of the one that the process shares; [`GpuContext::from_wgpu`] makes one of the caller's own wgpu
    /// device and queue. Default: none.
    #[cfg(feature = "gpu")]
    pub gpu: Option<GpuContext>,
    /// Set it to true from anywhere to stop after the present iteration.
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for SolverOptions {
    fn default() -> Self {
        SolverOptions {
            backend: Backend::Cpu,
            precision: Precision::Auto,
            threads: 0,
            max_iterations: 100,
            max_time: None,
            max_memory: None,
            function_tolerance: 1e-6,
            gradient_tolerance: 1e-10,
            parameter_tolerance: 1e-8,
            initial_trust_region_radius: 1e4,
            max_trust_region_radius: 1e16,
            min_trust_region_radius: 1e-32,
            min_gain_ratio: 1e-3,
            min_diagonal: 1e-6,
            max_diagonal: 1e32,
            jacobi_scaling: true,
            max_consecutive_invalid_steps: 5,
            linear_solver: LinearSolverKind::Auto,
            schur_preconditioner: SchurPreconditioner::default(),
            max_linear_iterations: 500,
            forcing: 0.1,
            fallback_threshold: FALLBACK_THRESHOLD,
            batch_size: None,
            checkpoint_interval: Duration::from_millis(250),
            device_timing: false,
            device_order: None,
            #[cfg(feature = "gpu")]
            gpu: None,
            cancel: None,
        }
    }
}

impl SolverOptions {
    /// Checks the ranges.
    pub(super) fn check(&self) -> Result<(), SolveError> {
        let at_least_zero = [
            ("function_tolerance", self.function_tolerance),
            ("gradient_tolerance", self.gradient_tolerance),
            ("parameter_tolerance", self.parameter_tolerance),
            ("min_gain_ratio", self.min_gain_ratio),
            ("min_diagonal", self.min_diagonal),
        ];
        let positive = [
            ("initial_trust_region_radius", self.initial_trust_region_radius),
            ("max_trust_region_radius", self.max_trust_region_radius),
            ("max_diagonal", self.max_diagonal),
            ("forcing", self.forcing),
        ];
        // Written so that a NaN fails too.
        if let Some(&(option, value)) =
            at_least_zero.iter().find(|(_, value)| value.partial_cmp(&0.0).is_none_or(|o| o.is_lt()))
        {
            return Err(SolveError::Option { option, value, requirement: "0 or more" });
        }
        if let Some(&(option, value)) =
            positive.iter().find(|(_, value)| value.partial_cmp(&0.0).is_none_or(|o| o.is_le()))
        {
            return Err(SolveError::Option { option, value, requirement: "more than 0" });
        }
        if self.batch_size == Some(0) {
            return Err(SolveError::Option { option: "batch_size", value: 0.0, requirement: "more than 0" });
        }
        Ok(())
    }
}
