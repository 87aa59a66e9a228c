//! Runs on a graphics processor, through wgpu: Vulkan, Metal or Direct3D 12.
//!
//! This is the low tier: a [`GpuContext`] is a device with what is shared on it, [`GpuBuffer`]s are typed memory, a [`GpuKernel`] is a
//! compiled WGSL function, and [`Commands`] are recorded and submitted in one go. Whatever fails is a [`GpuError`]: a text that does not
//! compile, memory that runs out, a device that is lost or hangs. Nothing here panics over it.
//!
//! ```
//! use isograd::backend::gpu::{Binding, GpuBuffer, GpuContext, GpuError};
//!
//! const DOUBLE: &str = "
//!     @group(0) @binding(0) var<storage, read_write> x: array<f32>;
//!     @compute @workgroup_size(64)
//!     fn double(@builtin(global_invocation_id) id: vec3u) {
//!         if id.x < arrayLength(&x) { x[id.x] *= 2.0; }
//!     }";
//!
//! fn doubled(context: &GpuContext, numbers: &[f32]) -> Result<Vec<f32>, GpuError> {
//!     let x = GpuBuffer::from_slice(context, "x", numbers)?;
//!     let kernel = context.kernel("double", DOUBLE, "double", &[Binding::ReadWrite])?;
//!     let group = kernel.bind_ranges(&[x.binding()])?;
//!     let mut commands = context.commands("double");
//!     commands.dispatch(&kernel, &group, &[], numbers.len().div_ceil(64) as u64);
//!     let download = commands.download(x.raw(), 0..x.bytes());
//!     commands.submit();
//!     download.wait(context)
//! }
//!
//! let context = match GpuContext::shared() {
//!     Ok(context) => context,
//!     // A machine without a GPU driver can still test the rest.
//!     Err(error) if std::env::var("ISOGRAD_REQUIRE_GPU").as_deref() != Ok("1") => {
//!         println!("not run: {error}");
//!         return Ok(());
//!     }
//!     Err(error) => return Err(error),
//! };
//! assert_eq!(doubled(&context, &[1.0, 2.5, -4.0])?, [2.0, 5.0, -8.0]);
//! # Ok::<(), GpuError>(())
//! ```

mod adapter;
mod buffer;
mod commands;
mod compiler;
#[cfg(not(target_arch = "wasm32"))]
mod compiler_loading;
mod context;
mod download;
mod error;
mod health;
mod kernel;
mod kernel_cache;
mod memory;
#[cfg(not(target_arch = "wasm32"))]
mod pending_memory;
mod pipeline_cache;
mod pool;
mod self_test;
mod statistics;
mod submission;

pub use adapter::{AdapterSummary, GpuOptions};
pub use buffer::GpuBuffer;
pub use commands::Commands;
pub use context::GpuContext;
pub use download::Download;
pub use error::GpuError;
pub use kernel::{Binding, GpuKernel, KernelRequest, PendingKernel};
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use pending_memory::PendingMemory;
pub use statistics::GpuStatistics;
pub use submission::Submission;

/// The wgpu that the types of this module are of.
pub use wgpu;
