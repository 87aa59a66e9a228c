//! Kernels that are asked for before a problem is laid out.

#[cfg(not(target_arch = "wasm32"))]
use super::classes::Classes;
#[cfg(not(target_arch = "wasm32"))]
use super::listing;
use super::stage;
use super::tasks::{GroupModules, over_vectors_at_start};
use crate::backend::Group;
#[cfg(not(target_arch = "wasm32"))]
use crate::backend::gpu::PendingMemory;
use crate::backend::gpu::{GpuContext, GpuError, PendingKernel};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Class, Formats, Module};
use crate::problem::Parameters;
use std::sync::Arc;

/// Kernels of the evaluation at the start, and those of the first step that take longest, compiled from now on: what the groups alone tell, and what most
/// likely follows from them. They compile while the problem is put in order and laid out.
///
/// Who drops it waits for them: no process is to end while its driver compiles.
pub struct StartedKernels {
    pub(super) over_groups: Vec<GroupModules>,
    pub(super) normal: Option<ExpectedNormal>,
    _kernels: Vec<PendingKernel>,
    #[cfg(not(target_arch = "wasm32"))]
    _downloads: Option<PendingMemory>,
}

/// The code of the classes as it most likely comes out, and the kernel of gradient and diagonal blocks that goes with it.
#[derive(Clone)]
pub(super) struct ExpectedNormal {
    pub classes: Vec<Class>,
    pub module: Arc<Module>,
}

impl std::fmt::Debug for StartedKernels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StartedKernels").finish_non_exhaustive()
    }
}

impl StartedKernels {
    /// The instances of the groups may stand in any order.
    ///
    /// # Errors
    /// As [`DeviceProblem::new`](super::DeviceProblem::new).
    pub fn new(
        context: &GpuContext,
        groups: &[Group],
        parameters: &Parameters,
        formats: Formats,
    ) -> Result<Self, GpuError> {
        #[cfg(not(target_arch = "wasm32"))]
        // Lists that the device makes are followed by one, beside which nothing else is left to do.
        let downloads = listing::suits(context, parameters.blocks()).then(|| context.prepare_downloads());
        let kernels: Vec<&Kernel> = groups.iter().map(|group| &*group.kernel).collect();
        let (normal, over_groups) = rayon::join(
            || expected_normal(context, groups, &kernels, parameters, formats),
            || GroupModules::all(context, &kernels, formats),
        );
        let over_groups = over_groups?;
        let over_vectors = over_vectors_at_start(formats);
        let losses = kernels.iter().any(|kernel| kernel.objective.is_some());
        let at_start = over_groups.iter().flat_map(|groups| groups.at_start(losses));
        // Those that take longest first.
        let first = normal.iter().map(|normal| &*normal.module);
        let modules: Vec<&Module> = first.chain(at_start).chain(&over_vectors).collect();
        let mut pending = stage::start(context, &modules)?;
        if normal.is_some() {
            #[cfg(not(target_arch = "wasm32"))]
            if listing::suits(context, parameters.blocks()) {
                pending.extend(listing::start_kernels(context)?);
            }
            // What the first step would wait for longest.
            let products = over_groups.iter().map(|groups| groups.product(&kernels, formats));
            // What is wrong with a text is told when it is asked for.
            let products: Vec<Module> = products.filter_map(Result::ok).collect();
            let decide = wgsl::decide(formats);
            pending.extend(stage::start(context, &products.iter().chain([&decide]).collect::<Vec<_>>())?);
        }
        Ok(StartedKernels {
            over_groups,
            normal,
            _kernels: pending,
            #[cfg(not(target_arch = "wasm32"))]
            _downloads: downloads,
        })
    }
}

/// The kernel of gradient and diagonal blocks as it most likely comes out. It takes longest to compile of what the evaluation at the start needs; one
/// that turns out to be another is compiled for nothing, which only a device should risk that is not the processor itself.
#[cfg(not(target_arch = "wasm32"))]
fn expected_normal(
    context: &GpuContext,
    groups: &[Group],
    kernels: &[&Kernel],
    parameters: &Parameters,
    formats: Formats,
) -> Option<ExpectedNormal> {
    let classes = Classes::expected(groups, parameters).filter(|_| !context.is_software())?;
    // As above.
    let module = wgsl::normal(kernels, &classes, formats).ok()?;
    Some(ExpectedNormal { classes, module: module.into() })
}

/// A browser compiles at once.
#[cfg(target_arch = "wasm32")]
fn expected_normal(_: &GpuContext, _: &[Group], _: &[&Kernel], _: &Parameters, _: Formats) -> Option<ExpectedNormal> {
    None
}
