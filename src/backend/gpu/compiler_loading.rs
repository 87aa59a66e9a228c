//! A driver's compiler, loaded before it is needed.

use super::GpuError;
use super::health::{Health, scoped};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A driver that loads its compiler. Who drops it waits, as no process is to end meanwhile.
#[derive(Debug)]
pub struct LoadingCompiler(Option<JoinHandle<Result<(), GpuError>>>);

impl LoadingCompiler {
    /// Has a kernel compiled that does nothing.
    pub(super) fn new(device: &wgpu::Device, health: &Arc<Health>) -> Self {
        let (device, health) = (device.clone(), health.clone());
        let load = move || match scoped(&device, || compile(&device)).1 {
            Some(error) => Err(health.error("nothing", 0, &error)),
            None => Ok(()),
        };
        // Where no thread is to be had, whoever compiles first waits.
        LoadingCompiler(std::thread::Builder::new().name("isograd-load".to_owned()).spawn(load).ok())
    }

    /// Blocks until it is loaded.
    ///
    /// # Errors
    /// What the device says.
    pub fn wait(mut self) -> Result<(), GpuError> {
        self.join()
    }

    fn join(&mut self) -> Result<(), GpuError> {
        let panicked = |_| Err(GpuError::Device("the shader compiler panicked".to_owned()));
        self.0.take().map_or(Ok(()), |thread| thread.join().unwrap_or_else(panicked))
    }
}

impl Drop for LoadingCompiler {
    fn drop(&mut self) {
        // Its error, if there is one, is nobody's: kernels that are wanted will tell.
        let _ = self.join();
    }
}

/// Outside our pipeline cache, and with another text in every process: the driver would find what it compiled before on its disk.
fn compile(device: &wgpu::Device) -> wgpu::ComputePipeline {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let number = std::process::id() ^ now.subsec_nanos();
    let wgsl = format!(
        "@group(0) @binding(0) var<storage, read_write> to: array<u32>;\n\
         @compute @workgroup_size(1) fn nothing() {{ to[0] = {number}u; }}\n"
    );
    let label = Some("nothing");
    let source = wgpu::ShaderSource::Wgsl(wgsl.into());
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label,
        layout: None,
        module: &module,
        entry_point: label,
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    })
}
