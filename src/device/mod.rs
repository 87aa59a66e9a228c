//! A problem on a graphics processor.
//!
//! In: a [`CompiledProblem`](crate::problem::CompiledProblem) and a [`GpuContext`](crate::backend::gpu::GpuContext). Out: its buffers and
//! the kernels of every stage, for [`solver`](crate::solver) to record.
//!
//! * [`DeviceProblem`] has what Levenberg-Marquardt on the device needs; [`DeviceStart`] evaluates while the rest is made ready;
//! * [`DeviceComponents`] minimises many small components, a lane each;
//! * [`DeviceEvaluator`] evaluates residuals and Jacobian for a solver on the CPU;
//! * [`GpuDerivatives`] has gradients and products with JᵀJ that need no stored Jacobian; it waits for the device, so there is none in
//!   browsers.
//!
//! Instances whose numbers would fill a buffer larger than a binding may be are cut into shards, by all three.

#[cfg(not(target_arch = "wasm32"))]
mod accumulation;
mod buffers;
mod classes;
mod components;
#[cfg(not(target_arch = "wasm32"))]
mod counting;
mod couplings;
#[cfg(not(target_arch = "wasm32"))]
mod derivatives;
mod early;
mod elimination;
mod evaluator;
mod incidence;
mod laid_out;
mod layout;
#[cfg(not(target_arch = "wasm32"))]
mod listing;
mod lists;
#[cfg(not(target_arch = "wasm32"))]
mod ordering;
mod pieces;
mod plans;
mod problem;
mod settings;
mod shard;
mod stage;
mod start;
mod steps;
mod tasks;

#[cfg(not(target_arch = "wasm32"))]
pub use accumulation::Accumulation;
pub use components::{DeviceComponents, Lot};
#[cfg(not(target_arch = "wasm32"))]
pub use derivatives::{DerivativesError, GpuDerivatives};
pub(crate) use early::Early;
pub use evaluator::{DeviceEvaluator, PendingEvaluation};
pub use problem::DeviceProblem;
pub use settings::Settings;
pub use start::DeviceStart;
