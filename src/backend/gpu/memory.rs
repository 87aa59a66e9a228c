//! How much of a device's memory buffers take, and the most they may.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Bytes in use. Nothing is ordered by them.
#[derive(Debug)]
pub(super) struct Memory {
    limit: AtomicU64,
    used: AtomicU64,
}

impl Memory {
    /// With a limit of the user's; what the device has is the driver's to say.
    pub fn new(limit: Option<u64>) -> Self {
        Memory { limit: AtomicU64::new(limit.unwrap_or(u64::MAX)), used: AtomicU64::new(0) }
    }

    /// Changes the limit; what is in use stays.
    pub fn limit_to(&self, bytes: u64) {
        self.limit.store(bytes, Relaxed);
    }

    /// Whether there is a limit but the device's.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn is_limited(&self) -> bool {
        self.limit.load(Relaxed) != u64::MAX
    }

    /// Counts a buffer in; false if that would be too much.
    pub fn take(&self, bytes: u64) -> bool {
        let limit = self.limit.load(Relaxed);
        let taken = |used: u64| used.checked_add(bytes).filter(|&used| used <= limit);
        self.used.fetch_update(Relaxed, Relaxed, taken).is_ok()
    }

    /// Counts a buffer out.
    pub fn give(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Relaxed);
    }

    /// Whether so many idle bytes are more than the limit leaves.
    pub fn is_short_of(&self, idle: u64) -> bool {
        self.used.load(Relaxed).saturating_add(idle) > self.limit.load(Relaxed)
    }
}
