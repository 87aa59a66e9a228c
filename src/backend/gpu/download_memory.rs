//! Memory for downloads, before the first one waits for it.

use super::GpuContext;
use super::download::USAGE;
use std::thread::JoinHandle;

/// Memory that a driver makes ready. Who drops it waits, as no process is to end meanwhile.
#[derive(Debug)]
pub(crate) struct PendingMemory(Option<JoinHandle<()>>);

impl GpuContext {
    /// Has the driver make memory for downloads ready in the background, if that was not done before: the first one waits for it otherwise, 14
    /// to 17 ms on an NVIDIA H200.
    pub(crate) fn prepare_downloads(&self) -> PendingMemory {
        let context = self.clone();
        let make = move || {
            // The pool keeps it. What goes wrong goes wrong again where something is downloaded.
            if let Ok((buffer, _)) = context.allocate("download", 1, USAGE) {
                context.recycle(buffer);
            }
        };
        let thread = || std::thread::Builder::new().name("isograd-memory".to_owned()).spawn(make).ok();
        PendingMemory(if self.is_first_to_prepare_downloads() { thread() } else { None })
    }
}

impl Drop for PendingMemory {
    fn drop(&mut self) {
        // A panic is the thread's own.
        let _ = self.0.take().map(JoinHandle::join);
    }
}
