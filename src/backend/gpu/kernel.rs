//! A kernel, compiled or about to be.

use super::health::{Health, scoped};
use super::{GpuContext, GpuError};
use std::num::NonZeroU64;
use std::sync::{Arc, OnceLock};

/// What [`GpuKernel::bind`] shows of a [`Binding::DynamicUniform`] at a time: the alignment of its offsets.
const SLOT: u64 = 256;

/// How a kernel uses one binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Binding {
    /// `var<uniform>`.
    Uniform,
    /// `var<uniform>` at an offset that each dispatch gives, a multiple of 256; [`GpuKernel::bind`] shows 256 bytes at a time.
    DynamicUniform,
    /// `var<storage, read>`.
    ReadOnly,
    /// `var<storage, read_write>`.
    ReadWrite,
}

impl Binding {
    fn layout(self, binding: u32) -> wgpu::BindGroupLayoutEntry {
        let ty = match self {
            Binding::Uniform | Binding::DynamicUniform => wgpu::BufferBindingType::Uniform,
            Binding::ReadOnly => wgpu::BufferBindingType::Storage { read_only: true },
            Binding::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
        };
        let ty = wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: self == Binding::DynamicUniform,
            // Sizes are checked against the text at each dispatch.
            min_binding_size: None,
        };
        wgpu::BindGroupLayoutEntry { binding, visibility: wgpu::ShaderStages::COMPUTE, ty, count: None }
    }
}

/// A kernel to compile.
#[derive(Debug, Clone, Copy)]
pub struct KernelRequest<'a> {
    /// Names it in errors and in a debugger.
    pub label: &'a str,
    /// The text.
    pub wgsl: &'a str,
    /// The function to run.
    pub entry: &'a str,
    /// What binding *k* of group 0 is.
    pub bindings: &'a [Binding],
}

/// A compiled kernel.
#[derive(Debug)]
pub struct GpuKernel {
    label: Box<str>,
    text: Arc<str>,
    entry: Box<str>,
    bindings: Box<[Binding]>,
    // Not the context, which holds its kernels.
    device: wgpu::Device,
    health: Arc<Health>,
    max_storage: u64,
    max_uniform: u64,
    layout: wgpu::BindGroupLayout,
    /// There once the compiler is done with it.
    pipeline: OnceLock<Result<wgpu::ComputePipeline, GpuError>>,
}

/// A kernel that may still be compiled on another thread; buffers can be bound to it meanwhile.
///
/// Who drops one waits for it: no process is to end while its driver compiles.
#[derive(Debug)]
pub struct PendingKernel(Arc<GpuKernel>);

impl PendingKernel {
    pub(super) fn new(kernel: Arc<GpuKernel>) -> Self {
        PendingKernel(kernel)
    }

    /// Blocks until the kernel is compiled.
    ///
    /// # Errors
    /// [`GpuError::Shader`] with the compiler's message, [`GpuError::Validation`] where the bindings break a limit.
    pub fn wait(&self) -> Result<&Arc<GpuKernel>, GpuError> {
        self.0.compiled()?;
        Ok(&self.0)
    }

    /// As [`GpuKernel::bind_ranges`].
    ///
    /// # Errors
    /// As [`GpuKernel::bind_ranges`].
    pub fn bind_ranges(&self, resources: &[wgpu::BindingResource<'_>]) -> Result<wgpu::BindGroup, GpuError> {
        self.0.bind_ranges(resources)
    }
}

impl Drop for PendingKernel {
    fn drop(&mut self) {
        // Its error, if it has one, is nobody's.
        let _ = self.0.compiled();
    }
}

impl GpuKernel {
    /// A kernel that somebody has to compile.
    pub(super) fn new(context: &GpuContext, request: &KernelRequest<'_>) -> Result<Self, GpuError> {
        let &KernelRequest { label, wgsl, entry, bindings } = request;
        let device = context.device();
        let entries: Vec<_> = bindings.iter().zip(0..).map(|(binding, index)| binding.layout(index)).collect();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries };
        let (layout, error) = scoped(device, || device.create_bind_group_layout(&descriptor));
        if let Some(error) = error {
            return Err(context.health().error(label, 0, &error));
        }
        Ok(GpuKernel {
            label: label.into(),
            text: wgsl.into(),
            entry: entry.into(),
            bindings: bindings.into(),
            device: device.clone(),
            health: context.health().clone(),
            max_storage: context.max_binding_bytes(),
            max_uniform: context.limits().max_uniform_buffer_binding_size,
            layout,
            pipeline: OnceLock::new(),
        })
    }

    /// Compiles the entry point of a `module` of the text, on this thread.
    pub(super) fn compile(
        &self,
        context: &GpuContext,
        module: impl FnOnce() -> Result<wgpu::ShaderModule, GpuError>,
    ) -> Result<wgpu::ComputePipeline, GpuError> {
        let (device, label) = (&self.device, &*self.label);
        let descriptor = wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&self.layout)],
            immediate_size: 0,
        };
        // First, as a driver may make one at a time, while texts are read side by side.
        let (layout, error) = scoped(device, || device.create_pipeline_layout(&descriptor));
        if let Some(error) = error {
            return Err(context.health().error(label, 0, &error));
        }
        let module = module()?;
        let (pipeline, error) = scoped(device, || {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(label),
                layout: Some(&layout),
                module: &module,
                entry_point: Some(&self.entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: context.pipelines().map(|pipelines| pipelines.cache()),
            })
        });
        shader_error(context, label, &self.text, error)?;
        context.counters().kernels_compiled.add(1);
        Ok(pipeline)
    }

    /// What became of its compilation, for those who wait for it.
    pub(super) fn finish(&self, result: Result<wgpu::ComputePipeline, GpuError>) {
        self.pipeline.set(result).expect("compiled once");
    }

    /// Waits for its compilation.
    fn compiled(&self) -> Result<&wgpu::ComputePipeline, GpuError> {
        self.pipeline.wait().as_ref().map_err(Clone::clone)
    }

    /// Whether it is what the request is for; its label does not matter.
    pub(super) fn is(&self, request: &KernelRequest<'_>) -> bool {
        *self.text == *request.wgsl && *self.entry == *request.entry && *self.bindings == *request.bindings
    }

    /// The name it was first asked for by.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// What binding *k* of group 0 is.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The text.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// wgpu's pipeline.
    pub fn pipeline(&self) -> &wgpu::ComputePipeline {
        self.compiled().expect("handed out after it was waited for")
    }

    /// Binds whole buffers, pooled ones with what they have beyond their elements; of a dynamic uniform 256 bytes at a time.
    ///
    /// # Errors
    /// As [`bind_ranges`](Self::bind_ranges).
    pub fn bind(&self, buffers: &[&wgpu::Buffer]) -> Result<wgpu::BindGroup, GpuError> {
        let mut resources = Vec::with_capacity(buffers.len());
        for (index, &buffer) in buffers.iter().enumerate() {
            let dynamic = self.bindings.get(index) == Some(&Binding::DynamicUniform);
            let size = NonZeroU64::new(if dynamic { buffer.size().min(SLOT) } else { buffer.size() });
            resources.push(wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset: 0, size }));
        }
        self.bind_ranges(&resources)
    }

    /// Binds parts of buffers, for example those of [`GpuBuffer::binding`](super::GpuBuffer::binding).
    ///
    /// # Errors
    /// [`GpuError::TooLarge`] for more than a binding may have, [`GpuError::Validation`] where the number or the kinds of the buffers
    /// differ from the kernel's bindings, [`GpuError::Lost`].
    pub fn bind_ranges(&self, resources: &[wgpu::BindingResource<'_>]) -> Result<wgpu::BindGroup, GpuError> {
        self.health.alive()?;
        for (index, (resource, binding)) in resources.iter().zip(&self.bindings).enumerate() {
            let wgpu::BindingResource::Buffer(part) = resource else { continue };
            let bytes = part.size.map_or_else(|| part.buffer.size().saturating_sub(part.offset), NonZeroU64::get);
            let limit = match binding {
                Binding::Uniform | Binding::DynamicUniform => self.max_uniform,
                Binding::ReadOnly | Binding::ReadWrite => self.max_storage,
            };
            if bytes > limit {
                return Err(GpuError::TooLarge { label: format!("{}, binding {index}", self.label), bytes, limit });
            }
        }
        let entries: Vec<_> = resources
            .iter()
            .zip(0..)
            .map(|(resource, binding)| wgpu::BindGroupEntry { binding, resource: resource.clone() })
            .collect();
        let descriptor =
            wgpu::BindGroupDescriptor { label: Some(&*self.label), layout: &self.layout, entries: &entries };
        let (group, error) = scoped(&self.device, || self.device.create_bind_group(&descriptor));
        error.map_or(Ok(()), |error| Err(self.health.error(&self.label, 0, &error)))?;
        self.health.alive()?;
        Ok(group)
    }
}

/// A module of the text, on this thread.
pub(super) fn module(context: &GpuContext, label: &str, text: &Arc<str>) -> Result<wgpu::ShaderModule, GpuError> {
    let device = context.device();
    let source = wgpu::ShaderSource::Wgsl((&**text).into());
    let descriptor = wgpu::ShaderModuleDescriptor { label: Some(label), source };
    let (module, error) = scoped(device, || device.create_shader_module(descriptor));
    shader_error(context, label, text, error)?;
    Ok(module)
}

fn shader_error(context: &GpuContext, label: &str, text: &str, error: Option<wgpu::Error>) -> Result<(), GpuError> {
    context.alive()?;
    match error {
        None => Ok(()),
        Some(error @ wgpu::Error::OutOfMemory { .. }) => Err(context.health().error(label, 0, &error)),
        Some(error) => Err(GpuError::Shader {
            label: label.to_owned(),
            message: error.to_string().trim_end().to_owned(),
            wgsl: text.to_owned(),
        }),
    }
}
