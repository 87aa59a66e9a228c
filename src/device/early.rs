//! What is done for a problem on a device before it is in order.

#[cfg(not(target_arch = "wasm32"))]
use super::classes::Classes;
#[cfg(not(target_arch = "wasm32"))]
use super::counting::Counting;
#[cfg(not(target_arch = "wasm32"))]
use super::laid_out::{Arranged, Order, Sorted};
#[cfg(not(target_arch = "wasm32"))]
use super::listing;
#[cfg(not(target_arch = "wasm32"))]
use super::ordering::Ordering;
use super::settings::Settings;
use super::stage;
use super::start::DeviceStart;
use super::steps::Steps;
use super::tasks::{GroupModules, over_vectors_at_start};
use crate::backend::Group;
#[cfg(not(target_arch = "wasm32"))]
use crate::backend::gpu::PendingMemory;
use crate::backend::gpu::{GpuContext, GpuError, PendingKernel};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Class, Formats, Module};
use crate::problem::{CompiledProblem, Draft, Parameters};
use std::sync::Arc;

/// What was begun of a problem on a device before it was in order.
pub enum Early<T> {
    /// The evaluation at the start, with what it came to: the device is asked to find the order.
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "no order is found by a browser's device"))]
    Begun(Box<Begun<T>>),
    /// Kernels, if all is well.
    Kernels(Option<StartedKernels>),
}

/// A problem that was laid out and begun as it was stated.
#[cfg(not(target_arch = "wasm32"))]
pub struct Begun<T> {
    start: DeviceStart,
    sorted: Sorted,
    begun: T,
}

#[cfg(target_arch = "wasm32")]
pub struct Begun<T>(std::convert::Infallible, std::marker::PhantomData<T>);

impl<T: Send> Early<T> {
    /// Compiles a problem, and begins it on a device: either the host puts it in order while kernels compile, or the device finds the order,
    /// and `begin` is called as soon as the evaluation at the start can be recorded; the problem is then left as it was stated.
    pub fn compile(
        context: &GpuContext,
        draft: Draft<'_>,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
        begin: impl FnOnce(&DeviceStart) -> Result<T, GpuError> + Send,
    ) -> (CompiledProblem, Self) {
        #[cfg(not(target_arch = "wasm32"))]
        if let Some((start, sorted)) = laid_out_as_stated(context, draft.groups().all, parameters, formats, settings)
            && let Ok(begun) = begin(&start)
        {
            return (draft.left_as_stated(), Early::Begun(Box::new(Begun { start, sorted, begun })));
        }
        #[cfg(target_arch = "wasm32")]
        let _ = (settings, begin);
        let (compiled, kernels) =
            draft.ordered_while(|groups| StartedKernels::new(context, groups, parameters, formats));
        // What is wrong with one is told when it is asked for again.
        (compiled, Early::Kernels(kernels.ok()))
    }
}

#[cfg(not(target_arch = "wasm32"))]
impl<T: Send> Begun<T> {
    /// Makes the steps ready, and waits for the order; `None` if the device did not find the one that the host finds.
    pub(super) fn resumed(
        self,
        problem: &CompiledProblem,
        settings: &Settings,
    ) -> Result<Option<(DeviceStart, Steps, T)>, GpuError> {
        let Begun { mut start, mut sorted, begun } = self;
        // Before anything was known of the blocks, it was taken for granted.
        if !sorted.is_listed_rightly(&problem.groups, start.formats.real, settings) {
            return Ok(None);
        }
        let (order, lists) = sorted.take_pending().expect("it was laid out as it was stated");
        let context = start.context();
        let (steps, places) = rayon::join(
            || Steps::new(start.uploaded(), start.over_groups(), problem, settings, sorted),
            || if lists.are_short(context)? { order.places(context) } else { Ok(None) },
        );
        let Some(places) = places? else { return Ok(None) };
        start.layout.places = Arc::new(places);
        Ok(Some((start, steps?, begun)))
    }
}

#[cfg(target_arch = "wasm32")]
impl<T> Begun<T> {
    pub(super) fn resumed(
        self,
        _: &CompiledProblem,
        _: &Settings,
    ) -> Result<Option<(DeviceStart, Steps, T)>, GpuError> {
        match self.0 {}
    }
}

/// Lays a problem out whose order the device is to find, if it may. What is wrong comes to light again where the host finds it.
#[cfg(not(target_arch = "wasm32"))]
fn laid_out_as_stated(
    context: &GpuContext,
    groups: &[Group],
    parameters: &Parameters,
    formats: Formats,
    settings: &Settings,
) -> Option<(DeviceStart, Sorted)> {
    if !settings.device_order.unwrap_or_else(|| listing::suits(context, parameters.blocks())) {
        return None;
    }
    let ordering = Ordering::of(context, groups, parameters, settings.device_order.is_some())?;
    let arranged = Arranged { groups, order: Order::Device(&ordering) };
    DeviceStart::new(context, arranged, parameters, formats, settings, None).ok()?
}

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
        let downloads = listing::suits(context, parameters.blocks()).then(|| context.prepare_downloads()).flatten();
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
                pending.extend(Counting::new(context)?.0);
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
