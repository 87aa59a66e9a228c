//! Kernels on their way through naga and the driver, on threads of their own.

use super::{GpuContext, GpuKernel};
#[cfg(not(target_arch = "wasm32"))]
use super::{GpuError, health::locked};
use std::sync::Arc;
#[cfg(not(target_arch = "wasm32"))]
use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Mutex,
};

/// Stack of a compiling thread: naga recurses over expressions.
#[cfg(not(target_arch = "wasm32"))]
const STACK: usize = 64 << 20;

/// Compiles kernels, first come, first served.
#[derive(Debug, Default)]
pub(super) struct Compiler {
    #[cfg(not(target_arch = "wasm32"))]
    queue: Mutex<Queue>,
}

#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Arc<GpuKernel>>,
    /// Those that wait, and those that a thread is at.
    unfinished: usize,
    /// Threads that run until nothing waits.
    threads: usize,
}

#[cfg(not(target_arch = "wasm32"))]
impl Compiler {
    /// Has kernels compiled on as many threads as the machine runs.
    pub fn add(&self, context: &GpuContext, kernels: Vec<Arc<GpuKernel>>) {
        let mut queue = locked(&self.queue);
        queue.unfinished += kernels.len();
        queue.waiting.extend(kernels);
        let most = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in queue.threads..most.min(queue.unfinished) {
            let builder = std::thread::Builder::new().name("isograd-compile".to_owned()).stack_size(STACK);
            let context = context.clone();
            // Where no thread is to be had, the others do its share.
            queue.threads += usize::from(builder.spawn(move || run(&context)).is_ok());
        }
        if queue.threads == 0 {
            queue.unfinished = 0;
            let no_thread = || GpuError::Device("no thread to compile kernels on".to_owned());
            queue.waiting.drain(..).for_each(|kernel| kernel.finish(Err(no_thread())));
        }
    }

    /// What a thread is to do next; none ends it.
    fn next(&self) -> Option<Arc<GpuKernel>> {
        let mut queue = locked(&self.queue);
        let next = queue.waiting.pop_front();
        queue.threads -= usize::from(next.is_none());
        next
    }

    /// Counts a kernel that is compiled; whether none is left.
    fn was_last(&self) -> bool {
        let mut queue = locked(&self.queue);
        queue.unfinished -= 1;
        queue.unfinished == 0
    }
}

/// Compiles what waits. A panic, as naga's bugs are, is an error of the kernel.
#[cfg(not(target_arch = "wasm32"))]
fn run(context: &GpuContext) {
    let cache = context.kernel_cache();
    while let Some(kernel) = cache.compiler().next() {
        // Locks do not poison and modules are kept last, so nothing half-made stays.
        let made = catch_unwind(AssertUnwindSafe(|| cache.compile(context, &kernel)));
        let was_last = cache.compiler().was_last();
        if let Some(pipelines) = context.pipelines().filter(|_| was_last) {
            // Before the last is handed out, with which the process may end.
            pipelines.save_if_worth();
        }
        kernel.finish(made.unwrap_or_else(|_| Err(GpuError::Device("the shader compiler panicked".to_owned()))));
    }
}

#[cfg(target_arch = "wasm32")]
impl Compiler {
    /// Compiles one after the other: there are no threads.
    pub fn add(&self, context: &GpuContext, kernels: Vec<Arc<GpuKernel>>) {
        for kernel in kernels {
            kernel.finish(context.kernel_cache().compile(context, &kernel));
        }
    }
}
