//! Kernels bound to the buffers they work on.

use super::buffers::Buffers;
use crate::backend::gpu::{Binding, Commands, GpuBuffer, GpuContext, GpuError, KernelRequest, PendingKernel};
use crate::kernel::wgsl::{Module, OutOfRange, Slot};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// Bytes from one entry of [`Slot::Call`] to the next.
pub(super) const CALL: usize = 256;

/// A kernel with its buffers.
pub(super) struct Stage {
    kernel: Arc<PendingKernel>,
    bindings: wgpu::BindGroup,
    workgroups: u64,
    /// Whether the kernel differs from call to call.
    calls: bool,
    /// Kept as long as it is bound.
    _plan: Option<Arc<GpuBuffer<u32>>>,
}

impl Stage {
    /// Records a dispatch with the call at an offset, once the kernel is compiled.
    pub fn record(&self, commands: &mut Commands, call: u32) -> Result<(), GpuError> {
        let offsets = if self.calls { &[call][..] } else { &[] };
        commands.dispatch(self.kernel.wait()?, &self.bindings, offsets, self.workgroups);
        Ok(())
    }

    /// Records a dispatch of some of the workgroups, of a kernel that does not differ from call to call.
    pub fn record_some(&self, commands: &mut Commands, workgroups: u64) -> Result<(), GpuError> {
        commands.dispatch(self.kernel.wait()?, &self.bindings, &[], workgroups);
        Ok(())
    }
}

/// Records what a task takes, one dispatch after the other.
pub(super) fn record_all(commands: &mut Commands, stages: &[Stage], call: u32) -> Result<(), GpuError> {
    stages.iter().try_for_each(|stage| stage.record(commands, call))
}

/// A module waiting for its kernel.
pub(super) struct Request<'a> {
    module: Arc<Module>,
    /// The tables it reads, if it reads any.
    plan: Option<Arc<GpuBuffer<u32>>>,
    workgroups: u64,
    /// A slot, and the one that stands in for it.
    instead: Option<(Slot, Slot)>,
    /// Buffers that come before those common to all requests.
    own: Option<&'a Buffers>,
}

impl<'a> Request<'a> {
    /// Over all that `plan` says.
    pub fn new(module: &Arc<Module>, plan: &Arc<GpuBuffer<u32>>, workgroups: u64) -> Self {
        Request { plan: Some(plan.clone()), ..Request::without_plan(module, workgroups) }
    }

    /// For a module without tables.
    pub fn without_plan(module: &Arc<Module>, workgroups: u64) -> Self {
        Request { module: module.clone(), plan: None, workgroups, instead: None, own: None }
    }

    /// With `to` wherever the module says `from`.
    pub fn instead(self, from: Slot, to: Slot) -> Self {
        Request { instead: Some((from, to)), ..self }
    }

    /// With buffers of its own.
    pub fn with(self, own: &'a Buffers) -> Self {
        Request { own: Some(own), ..self }
    }
}

/// What the kernels of several tasks are asked for, by the number of the task.
#[derive(Default)]
pub(super) struct Requests<'a>(Vec<Vec<Request<'a>>>);

impl<'a> Requests<'a> {
    /// Asks for one more dispatch of a task.
    pub fn add(&mut self, task: usize, request: Request<'a>) {
        if self.0.len() <= task {
            self.0.resize_with(task + 1, Vec::new);
        }
        self.0[task].push(request);
    }

    /// Adds what others ask for.
    pub fn append(&mut self, others: Self) {
        for (task, requests) in others.0.into_iter().enumerate() {
            requests.into_iter().for_each(|request| self.add(task, request));
        }
    }

    /// Generated statements of all modules.
    pub fn statements(&self) -> usize {
        self.modules().iter().map(|module| module.statements).sum()
    }

    /// The modules, each once.
    fn modules(&self) -> Vec<&Module> {
        let mut seen = FxHashSet::default();
        let modules = self.0.iter().flatten().map(|request| &request.module);
        modules.filter(|module| seen.insert(Arc::as_ptr(module))).map(|module| &**module).collect()
    }

    /// Has the modules compiled, those of the first tasks first, and binds them to their buffers, of which those common to all
    /// requests may stand in several places; returns the stages of each task.
    pub fn start<const TASKS: usize>(
        self,
        context: &GpuContext,
        common: &[&Buffers],
    ) -> Result<[Vec<Stage>; TASKS], GpuError> {
        let mut stages = self.stages(context, common)?.into_iter();
        Ok(std::array::from_fn(|_| stages.next().unwrap_or_default()))
    }

    /// The same up to the last task that anything was asked for.
    fn stages(self, context: &GpuContext, common: &[&Buffers]) -> Result<Vec<Vec<Stage>>, GpuError> {
        let modules = self.modules();
        let kernels = start(context, &modules)?.into_iter().map(Arc::new);
        let pointers = modules.into_iter().map(std::ptr::from_ref);
        let kernels: FxHashMap<*const Module, Arc<PendingKernel>> = pointers.zip(kernels).collect();
        // A device that is the processor itself would compute while that compiles, and pass for hung.
        if context.is_software() {
            kernels.values().try_for_each(|kernel| kernel.wait().map(drop))?;
        }
        let stage = |request: &Request<'_>| bind(kernels[&Arc::as_ptr(&request.module)].clone(), request, common);
        self.0.iter().map(|requests| requests.iter().map(stage).collect()).collect()
    }
}

/// A module whose kernel is compiled from now on.
pub(super) struct StartedModule {
    pub module: Arc<Module>,
    _kernel: Vec<PendingKernel>,
}

impl StartedModule {
    pub fn new(context: &GpuContext, module: Arc<Module>) -> Result<Self, GpuError> {
        Ok(StartedModule { _kernel: start(context, &[&module])?, module })
    }
}

/// Has modules compiled in this order; the context keeps what it compiled.
pub(super) fn start(context: &GpuContext, modules: &[&Module]) -> Result<Vec<PendingKernel>, GpuError> {
    let binding = |&(slot, writes): &(Slot, bool)| match slot {
        Slot::Call => Binding::DynamicUniform,
        _ if slot.uniform().is_some() => Binding::Uniform,
        _ if writes => Binding::ReadWrite,
        _ => Binding::ReadOnly,
    };
    let bindings: Vec<Vec<Binding>> =
        modules.iter().map(|module| module.bindings.iter().map(binding).collect()).collect();
    let requests = modules.iter().zip(&bindings).map(|(module, bindings)| KernelRequest {
        label: &module.entry,
        wgsl: &module.wgsl,
        entry: &module.entry,
        bindings,
    });
    context.start_kernels(&requests.collect::<Vec<_>>())
}

fn bind(kernel: Arc<PendingKernel>, request: &Request<'_>, common: &[&Buffers]) -> Result<Stage, GpuError> {
    let resource = |&(slot, _): &(Slot, bool)| {
        let slot = request.instead.filter(|(from, _)| *from == slot).map_or(slot, |(_, to)| to);
        let buffer = || request.own.iter().chain(common).find_map(|buffers| buffers.find(slot)).expect("it was made");
        match (slot, &request.plan) {
            (Slot::Plan, Some(plan)) => plan.binding(),
            (Slot::Call, _) => wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: buffer().raw(),
                offset: 0,
                size: std::num::NonZeroU64::new(CALL as u64),
            }),
            _ => buffer().binding(),
        }
    };
    let resources: Vec<_> = request.module.bindings.iter().map(resource).collect();
    Ok(Stage {
        bindings: kernel.bind_ranges(&resources)?,
        kernel,
        workgroups: request.workgroups,
        calls: request.module.bindings.iter().any(|(slot, _)| *slot == Slot::Call),
        _plan: request.plan.clone(),
    })
}

/// A module for any number of requests, unless a constant is beyond what the device's numbers reach.
pub(super) fn usable(context: &GpuContext, module: Result<Module, OutOfRange>) -> Result<Arc<Module>, GpuError> {
    let device = || context.info().name.clone();
    module.map(Arc::new).map_err(|error| GpuError::Unsupported { what: error.to_string(), device: device() })
}
