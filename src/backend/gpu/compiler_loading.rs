//! A driver's compiler, loaded before a kernel waits for it.

use super::health::scoped;

/// Has the driver load its compiler, by a kernel that does nothing. What is wrong with it is nobody's: kernels that are wanted will tell.
///
/// It is outside our pipeline cache and has another text in every process: the driver would find what it compiled before on its disk.
pub(super) fn load(device: &wgpu::Device) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let number = std::process::id() ^ now.subsec_nanos();
    let wgsl = format!(
        "@group(0) @binding(0) var<storage, read_write> to: array<u32>;\n\
         @compute @workgroup_size(1) fn nothing() {{ to[0] = {number}u; }}\n"
    );
    let label = Some("nothing");
    let source = wgpu::ShaderSource::Wgsl(wgsl.into());
    scoped(device, || {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label, source });
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: None,
            module: &module,
            entry_point: label,
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        })
    });
}
