//! Kernels compiled once in a context, several at a time.

use super::health::locked;
use super::kernel::{self, GpuKernel};
use super::{GpuContext, GpuError, KernelRequest};
use rustc_hash::FxHashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use web_time::Instant;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// Stack of a compiling thread: naga recurses over expressions.
#[cfg(not(target_arch = "wasm32"))]
const STACK: usize = 64 << 20;

/// One thing made at most once; threads that want it meanwhile wait for it.
type Slot<T> = Arc<Mutex<Option<T>>>;

/// Things by hash.
type Slots<T> = Mutex<FxHashMap<u128, Slot<T>>>;

/// A text and its module.
type Module = (Arc<str>, wgpu::ShaderModule);

/// Modules by text, and kernels by text, entry and bindings.
#[derive(Debug, Default)]
pub(super) struct KernelCache {
    modules: Slots<Module>,
    kernels: Slots<Arc<GpuKernel>>,
}

impl KernelCache {
    /// The kernel, compiled if it is not there yet.
    pub fn get(&self, context: &GpuContext, request: &KernelRequest<'_>) -> Result<Arc<GpuKernel>, GpuError> {
        let mut kernels = self.get_all(context, std::slice::from_ref(request))?;
        Ok(kernels.remove(0))
    }

    /// The kernels, those not there yet compiled on as many threads as the machine runs.
    pub fn get_all(
        &self,
        context: &GpuContext,
        requests: &[KernelRequest<'_>],
    ) -> Result<Vec<Arc<GpuKernel>>, GpuError> {
        context.alive()?;
        let mut kernels: Vec<_> = requests.iter().map(|request| self.known(context, request).map(Ok)).collect();
        let missing: Vec<usize> = (0..kernels.len()).filter(|&index| kernels[index].is_none()).collect();
        if !missing.is_empty() {
            // A browser has no such clock, and no cache either.
            let timed = context.pipelines().map(|pipelines| (pipelines, Instant::now()));
            let made = on_threads(missing.len(), |index| self.make(context, &requests[missing[index]]));
            for (index, kernel) in missing.into_iter().zip(made) {
                kernels[index] = Some(kernel);
            }
            if let Some((pipelines, start)) = timed {
                pipelines.grew(start.elapsed());
            }
        }
        kernels.into_iter().map(|kernel| kernel.expect("each was known or made")).collect()
    }

    /// A kernel that is there.
    fn known(&self, context: &GpuContext, request: &KernelRequest<'_>) -> Option<Arc<GpuKernel>> {
        let slot = locked(&self.kernels).get(&key(request))?.clone();
        let kernel = locked(&slot).clone().filter(|kernel| kernel.is(request))?;
        context.counters().kernel_cache_hits.add(1);
        Some(kernel)
    }

    fn make(&self, context: &GpuContext, request: &KernelRequest<'_>) -> Result<Arc<GpuKernel>, GpuError> {
        let slot = locked(&self.kernels).entry(key(request)).or_default().clone();
        let mut slot = locked(&slot);
        // Another thread was faster.
        if let Some(kernel) = slot.as_ref().filter(|kernel| kernel.is(request)) {
            context.counters().kernel_cache_hits.add(1);
            return Ok(kernel.clone());
        }
        let (text, module) = self.module(context, request)?;
        let kernel = Arc::new(GpuKernel::compile(context, request, text, &module)?);
        Ok(slot.insert(kernel).clone())
    }

    /// The module of the request's text, which other entry points may share.
    fn module(&self, context: &GpuContext, request: &KernelRequest<'_>) -> Result<Module, GpuError> {
        let slot = locked(&self.modules).entry(xxh3_128(request.wgsl.as_bytes())).or_default().clone();
        let mut slot = locked(&slot);
        if let Some(known) = slot.as_ref().filter(|(text, _)| **text == *request.wgsl) {
            return Ok(known.clone());
        }
        let text: Arc<str> = request.wgsl.into();
        let module = kernel::module(context, request.label, &text)?;
        Ok(slot.insert((text, module)).clone())
    }
}

/// What tells kernels apart; equality of the text confirms it.
fn key(request: &KernelRequest<'_>) -> u128 {
    let mut hash = Xxh3::new();
    (request.wgsl, request.entry, request.bindings).hash(&mut HashOf(&mut hash));
    hash.digest128()
}

/// Lets `Hash` feed the 128-bit hash.
struct HashOf<'a>(&'a mut Xxh3);

impl Hasher for HashOf<'_> {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        self.0.digest()
    }
}

/// `work(0..count)` on threads with a deep stack. A panic in it, as naga's bugs are, is an error.
#[cfg(not(target_arch = "wasm32"))]
fn on_threads<T: Send>(count: usize, work: impl Fn(usize) -> Result<T, GpuError> + Sync) -> Vec<Result<T, GpuError>> {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    let next = AtomicUsize::new(0);
    let made: Vec<_> = (0..count).map(|_| Mutex::new(None)).collect();
    let worker = || {
        loop {
            let index = next.fetch_add(1, Relaxed);
            let Some(place) = made.get(index) else { return };
            // Locks do not poison and slots are filled last, so nothing half-made stays.
            let result = catch_unwind(AssertUnwindSafe(|| work(index)));
            *locked(place) =
                Some(result.unwrap_or_else(|_| Err(GpuError::Device("the shader compiler panicked".to_owned()))));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let builder = std::thread::Builder::new().name("isograd-compile".to_owned()).stack_size(STACK);
            // Where no thread is to be had, the others do its share.
            let _ = builder.spawn_scoped(scope, worker);
        }
    });
    let no_thread = || Err(GpuError::Device("no thread to compile kernels on".to_owned()));
    made.into_iter().map(|place| locked(&place).take().unwrap_or_else(no_thread)).collect()
}

/// One after the other: there are no threads.
#[cfg(target_arch = "wasm32")]
fn on_threads<T>(count: usize, work: impl Fn(usize) -> Result<T, GpuError>) -> Vec<Result<T, GpuError>> {
    (0..count).map(work).collect()
}
