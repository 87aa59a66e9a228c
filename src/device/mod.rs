//! A problem on a graphics processor.
//!
//! In: a [`CompiledProblem`](crate::problem::CompiledProblem) and a [`GpuContext`](crate::backend::gpu::GpuContext). Out: its buffers and
//! the kernels of every stage, for [`solver`](crate::solver) to record.
//!
//! * [`Layout`] says where everything stands;
//! * [`DeviceProblem`] has what Levenberg-Marquardt on the device needs;
//! * [`DeviceEvaluator`] evaluates residuals and Jacobian for a solver on the CPU;
//! * [`GpuDerivatives`] has gradients and products with JᵀJ that need no stored Jacobian, and splits what is too large for a binding.

mod accumulation;
mod buffers;
mod derivatives;
mod evaluator;
mod layout;
mod plans;
mod problem;
mod settings;
mod shard;
mod stage;

pub use accumulation::Accumulation;
pub use derivatives::{DerivativesError, GpuDerivatives};
pub use evaluator::{DeviceEvaluator, PendingEvaluation};
pub use layout::{ClassPlace, GroupPlace, Layout};
pub use problem::DeviceProblem;
pub use settings::Settings;
