//! Kernels bound to the buffers they work on.

use super::buffers::Buffers;
use crate::backend::gpu::{Binding, Commands, GpuBuffer, GpuContext, GpuError, GpuKernel, KernelRequest};
use crate::kernel::wgsl::{Module, OutOfRange, Slot};
use std::sync::Arc;

/// Bytes from one entry of [`Slot::Call`] to the next.
pub(super) const CALL: usize = 256;

/// A kernel with its buffers.
pub(super) struct Stage {
    kernel: Arc<GpuKernel>,
    bindings: wgpu::BindGroup,
    workgroups: u64,
    /// Whether the kernel differs from call to call.
    calls: bool,
    /// Kept as long as it is bound.
    _plan: Option<Arc<GpuBuffer<u32>>>,
}

impl Stage {
    /// Records a dispatch with the call at an offset.
    pub fn record(&self, commands: &mut Commands, call: u32) {
        let offsets = if self.calls { &[call][..] } else { &[] };
        commands.dispatch(&self.kernel, &self.bindings, offsets, self.workgroups);
    }
}

/// A module waiting for its kernel.
pub(super) struct Request<'a> {
    pub module: Module,
    /// The tables it reads, if it reads any.
    pub plan: Option<Arc<GpuBuffer<u32>>>,
    pub workgroups: u64,
    /// Slots that others stand in for.
    pub instead: Vec<(Slot, Slot)>,
    /// Buffers that come before those common to all requests.
    pub own: Option<&'a Buffers>,
}

impl<'a> Request<'a> {
    /// Over all that `plan` says.
    pub fn new(module: Module, plan: &Arc<GpuBuffer<u32>>, workgroups: u64) -> Self {
        Request { plan: Some(plan.clone()), ..Request::without_plan(module, workgroups) }
    }

    /// For a module without tables.
    pub fn without_plan(module: Module, workgroups: u64) -> Self {
        Request { module, plan: None, workgroups, instead: Vec::new(), own: None }
    }

    /// With `to` wherever the module says `from`.
    pub fn instead(self, from: Slot, to: Slot) -> Self {
        Request { instead: vec![(from, to)], ..self }
    }

    /// With buffers of its own.
    pub fn with(self, own: &'a Buffers) -> Self {
        Request { own: Some(own), ..self }
    }
}

/// Compiles the modules, all at once, and binds them to their buffers.
pub(super) fn compile(
    context: &GpuContext,
    requests: &[Request<'_>],
    common: &Buffers,
) -> Result<Vec<Stage>, GpuError> {
    let binding = |&(slot, writes): &(Slot, bool)| match slot {
        Slot::Call => Binding::DynamicUniform,
        _ if slot.uniform().is_some() => Binding::Uniform,
        _ if writes => Binding::ReadWrite,
        _ => Binding::ReadOnly,
    };
    let bindings: Vec<Vec<Binding>> =
        requests.iter().map(|request| request.module.bindings.iter().map(binding).collect()).collect();
    let wanted = |(request, bindings)| {
        let Request { module: Module { entry, wgsl, .. }, .. }: &Request<'_> = request;
        KernelRequest { label: entry, wgsl, entry, bindings }
    };
    let wanted: Vec<KernelRequest<'_>> = requests.iter().zip(bindings.iter().map(Vec::as_slice)).map(wanted).collect();
    let kernels = context.kernels(&wanted)?;
    kernels.into_iter().zip(requests).map(|(kernel, request)| bind(kernel, request, common)).collect()
}

fn bind(kernel: Arc<GpuKernel>, request: &Request<'_>, common: &Buffers) -> Result<Stage, GpuError> {
    let resource = |&(slot, _): &(Slot, bool)| {
        let slot = request.instead.iter().find(|(from, _)| *from == slot).map_or(slot, |&(_, to)| to);
        let buffer = || request.own.and_then(|own| own.find(slot)).unwrap_or_else(|| common.get(slot));
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

/// A constant that the device's numbers do not reach.
pub(super) fn out_of_range(context: &GpuContext) -> impl Fn(OutOfRange) -> GpuError {
    move |error| GpuError::Unsupported { what: error.to_string(), device: context.info().name.clone() }
}
