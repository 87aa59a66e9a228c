//! How sums over the instances that touch a parameter are formed.

use crate::backend::gpu::GpuContext;
use crate::kernel::wgsl::{Addition, Format};

/// How contributions to parameters are added up.
///
/// For 8.5 million contributions on an NVIDIA H200, `Gather` takes 0.16 ms, native atomics 0.25 ms, and the loop that stands in for them
/// elsewhere 0.69 ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Accumulation {
    /// `Gather`, which every format has.
    #[default]
    Auto,
    /// Each instance adds in place, in the order in which the device comes to it: the last bits differ from run to run. For numbers of 64
    /// bits the device has to exchange so many in place (`SHADER_INT64_ATOMIC_ALL_OPS`, which some Vulkan drivers have); where it does
    /// not, this is `Gather`.
    Atomic,
    /// Instances write what they contribute, and then each parameter block adds up its list: the same bits every time.
    Gather,
}

impl Accumulation {
    /// What kernels of a format do on a device.
    pub(super) fn resolve(self, context: &GpuContext, format: Format) -> Addition {
        let exchanges = wgpu::Features::SHADER_INT64 | wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS;
        let has = |features| context.features().contains(features);
        match (self, format) {
            (Accumulation::Auto | Accumulation::Gather, _) => Addition::Gather,
            (Accumulation::Atomic, Format::F32) if has(wgpu::Features::SHADER_FLOAT32_ATOMIC) => Addition::Atomic,
            (Accumulation::Atomic, Format::F32) => Addition::CompareExchange,
            (Accumulation::Atomic, Format::F64 | Format::DoubleF32) if has(exchanges) => Addition::CompareExchange,
            (Accumulation::Atomic, Format::F64 | Format::DoubleF32) => Addition::Gather,
        }
    }
}
