//! How sums over the instances that touch a parameter are formed.

use crate::backend::gpu::{GpuContext, GpuError};
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
    /// Each instance adds in place, in the order in which the device comes to it: the last bits differ from run to run. Single precision
    /// only.
    Atomic,
    /// Instances write what they contribute, and then each parameter block adds up its list: the same bits every time.
    Gather,
}

impl Accumulation {
    /// What kernels of a format do on a device.
    pub(super) fn resolve(self, context: &GpuContext, format: Format) -> Result<Addition, GpuError> {
        match (self, format) {
            (Accumulation::Auto | Accumulation::Gather, _) => Ok(Addition::Gather),
            (Accumulation::Atomic, Format::F32) => {
                let native = context.features().contains(wgpu::Features::SHADER_FLOAT32_ATOMIC);
                Ok(if native { Addition::Atomic } else { Addition::CompareExchange })
            }
            (Accumulation::Atomic, format) => Err(GpuError::Unsupported {
                what: format!("atomic additions of {format:?} numbers; Accumulation::Gather works in every format"),
                device: context.info().name.clone(),
            }),
        }
    }
}
