//! Where components are solved.

use super::partition::Partition;
use crate::backend::gpu::{GpuContext, GpuError};
use crate::backend::{Backend, BackendUnavailable};
use crate::kernel::wgsl::Formats;
use crate::problem::CompiledProblem;
use crate::solver::placement::{formats, sort_out};
use crate::solver::{SolveError, SolverOptions};

/// Where components are solved.
pub(super) enum Placement {
    /// On the CPU, and why.
    Cpu(String),
    /// On a device.
    Device { context: GpuContext, formats: Formats, notes: Vec<String> },
}

async fn context(options: &SolverOptions) -> Result<GpuContext, GpuError> {
    match &options.gpu {
        Some(context) => Ok(context.clone()),
        None => GpuContext::request_shared().await,
    }
}

/// Chooses.
///
/// # Errors
/// For [`Backend::Gpu`], if there is no device or it has not the precision asked for.
pub(super) async fn choose(
    compiled: &CompiledProblem,
    partition: &Partition,
    options: &SolverOptions,
) -> Result<Placement, SolveError> {
    if options.backend == Backend::Cpu {
        return Ok(Placement::Cpu("asked for".to_owned()));
    }
    if options.backend == Backend::Auto {
        // Up to 100,000 curve fits the cores beside an H200 were the faster ones: docs/gpu.md.
        return Ok(Placement::Cpu("small components are solved as fast by the cores".to_owned()));
    }
    let unavailable = |reason: String| Err(BackendUnavailable { backend: Backend::Gpu, reason }.into());
    let context = match context(options).await {
        Ok(context) => context,
        Err(error) => return unavailable(error.to_string()),
    };
    let (formats, notes) = match formats(&context, options.precision).await {
        Ok(found) => found,
        Err(reason) => return unavailable(reason),
    };
    let (_, obstacles) = sort_out(compiled.named_groups(), formats.real);
    if !obstacles.is_empty() {
        return Ok(Placement::Cpu(obstacles.join("; ")));
    }
    if partition.components() == 0 {
        return Ok(Placement::Cpu("there are no components".to_owned()));
    }
    Ok(Placement::Device { context, formats, notes })
}
