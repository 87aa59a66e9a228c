//! Whether a device's arithmetic is what kernels rely on.

use super::health::locked;
use super::{Binding, GpuBuffer, GpuContext, GpuError};
use crate::kernel::wgsl;

/// Invocations that run the test, each with numbers of its own.
const RUNS: u32 = 4096;

impl GpuContext {
    /// Whether pairs of single-precision numbers add and multiply correctly on this device: an optimiser that cancels what looks like
    /// zero takes their lower halves away. Tried once in a context; blocks until it is known.
    ///
    /// # Errors
    /// What keeps the device from computing at all.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn double_f32_works(&self) -> Result<bool, GpuError> {
        pollster::block_on(self.test_double_f32())
    }

    /// [`double_f32_works`](Self::double_f32_works), without blocking in a browser.
    ///
    /// # Errors
    /// What keeps the device from computing at all.
    pub async fn test_double_f32(&self) -> Result<bool, GpuError> {
        if let Some(works) = *locked(self.double_f32()) {
            return Ok(works);
        }
        let (text, entry) = wgsl::self_test();
        let kernel = self.kernel("self test", &text, entry, &[Binding::ReadOnly, Binding::ReadWrite])?;
        let zero = GpuBuffer::<u32>::zeros(self, "zero", 1)?;
        let correct = GpuBuffer::<u32>::zeros(self, "correct", 1)?;
        let group = kernel.bind_ranges(&[zero.binding(), correct.binding()])?;
        let mut commands = self.commands("self test");
        commands.dispatch(&kernel, &group, &[], u64::from(RUNS / 64));
        commands.submit();
        let works = correct.read().await? == [RUNS];
        *locked(self.double_f32()) = Some(works);
        Ok(works)
    }
}
