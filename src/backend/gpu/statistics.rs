//! Counts of what a context did.

use serde::Serialize;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a context did since it was made; the difference of two is what it did between.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct GpuStatistics {
    /// Kernels that went through the compiler.
    pub kernels_compiled: u64,
    /// Kernels that were already there.
    pub kernel_cache_hits: u64,
    /// Bytes written to the device.
    pub bytes_up: u64,
    /// Bytes read from the device.
    pub bytes_down: u64,
    /// Dispatches recorded.
    pub dispatches: u64,
    /// Command buffers submitted.
    pub submissions: u64,
    /// Buffers that the driver allocated.
    pub buffers_allocated: u64,
    /// Buffers that came out of the pool.
    pub buffers_reused: u64,
}

impl Sub for GpuStatistics {
    type Output = GpuStatistics;

    fn sub(self, before: GpuStatistics) -> GpuStatistics {
        GpuStatistics {
            kernels_compiled: self.kernels_compiled - before.kernels_compiled,
            kernel_cache_hits: self.kernel_cache_hits - before.kernel_cache_hits,
            bytes_up: self.bytes_up - before.bytes_up,
            bytes_down: self.bytes_down - before.bytes_down,
            dispatches: self.dispatches - before.dispatches,
            submissions: self.submissions - before.submissions,
            buffers_allocated: self.buffers_allocated - before.buffers_allocated,
            buffers_reused: self.buffers_reused - before.buffers_reused,
        }
    }
}

/// The running counts behind [`GpuStatistics`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub kernels_compiled: Counter,
    pub kernel_cache_hits: Counter,
    pub bytes_up: Counter,
    pub bytes_down: Counter,
    pub dispatches: Counter,
    pub submissions: Counter,
    pub buffers_allocated: Counter,
    pub buffers_reused: Counter,
}

impl Counters {
    pub fn snapshot(&self) -> GpuStatistics {
        GpuStatistics {
            kernels_compiled: self.kernels_compiled.get(),
            kernel_cache_hits: self.kernel_cache_hits.get(),
            bytes_up: self.bytes_up.get(),
            bytes_down: self.bytes_down.get(),
            dispatches: self.dispatches.get(),
            submissions: self.submissions.get(),
            buffers_allocated: self.buffers_allocated.get(),
            buffers_reused: self.buffers_reused.get(),
        }
    }
}

/// A count that threads share. Nothing is ordered by it.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, amount: u64) {
        self.0.fetch_add(amount, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
