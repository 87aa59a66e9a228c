//! Memory, before the first that needs it waits for it.

use super::GpuContext;
use super::download::USAGE;
use std::thread::JoinHandle;

/// Memory that a driver makes ready. Who drops it waits, as no process is to end meanwhile.
#[derive(Debug)]
pub(crate) struct PendingMemory(Option<JoinHandle<()>>);

impl GpuContext {
    /// Has the driver make memory for downloads ready in the background, if that was not done before: the first one waits for it otherwise, 14
    /// to 17 ms on an NVIDIA H200.
    pub(crate) fn prepare_downloads(&self) -> Option<PendingMemory> {
        if !self.is_first_to_prepare_downloads() {
            return None;
        }
        self.prepare_memory(|context| {
            // What goes wrong goes wrong again where something is downloaded.
            if let Ok((buffer, _)) = context.allocate("download", 1, USAGE) {
                context.recycle("download".into(), buffer);
            }
        })
    }

    /// Has `make` ask for memory in the background and drop it: the pool keeps it.
    pub(crate) fn prepare_memory(&self, make: impl FnOnce(&GpuContext) + Send + 'static) -> Option<PendingMemory> {
        let context = self.clone();
        let thread = std::thread::Builder::new().name("isograd-memory".to_owned()).spawn(move || make(&context));
        thread.ok().map(|thread| PendingMemory(Some(thread)))
    }
}

impl Drop for PendingMemory {
    fn drop(&mut self) {
        // A panic is the thread's own.
        let _ = self.0.take().map(JoinHandle::join);
    }
}
