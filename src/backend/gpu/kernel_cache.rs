//! Kernels compiled once in a context.

use super::compiler::Compiler;
use super::health::locked;
use super::kernel::{self, GpuKernel, PendingKernel};
use super::{GpuContext, GpuError, KernelRequest};
use rustc_hash::FxHashMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex};
use web_time::Instant;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

/// One thing made at most once; threads that want it meanwhile wait for it.
type Slot<T> = Arc<Mutex<Option<T>>>;

/// A text and its module.
type Module = (Arc<str>, wgpu::ShaderModule);

/// Modules by text, and kernels by text, entry and bindings.
#[derive(Debug, Default)]
pub(super) struct KernelCache {
    modules: Mutex<FxHashMap<u128, Slot<Module>>>,
    /// Those that are being compiled too.
    kernels: Mutex<FxHashMap<u128, Arc<GpuKernel>>>,
    compiler: Compiler,
}

impl KernelCache {
    /// The kernels, compiled.
    pub fn get(&self, context: &GpuContext, requests: &[KernelRequest<'_>]) -> Result<Vec<Arc<GpuKernel>>, GpuError> {
        let pending = self.start(context, requests)?;
        pending.iter().map(|kernel| kernel.wait().cloned()).collect()
    }

    /// The kernels, those not there yet on their way to be compiled in the order of the requests.
    pub fn start(&self, context: &GpuContext, requests: &[KernelRequest<'_>]) -> Result<Vec<PendingKernel>, GpuError> {
        context.alive()?;
        let mut fresh = Vec::new();
        let kernels: Vec<_> = requests.iter().map(|request| self.known_or(context, request, &mut fresh)).collect();
        // Whatever the others came to: somebody else may have been given one of these.
        self.compiler.add(context, fresh);
        kernels.into_iter().map(|kernel| kernel.map(PendingKernel::new)).collect()
    }

    /// Whether the kernels are there, or on their way.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn has(&self, requests: &[KernelRequest<'_>]) -> bool {
        let kernels = locked(&self.kernels);
        requests.iter().all(|request| kernels.contains_key(&key(request)))
    }

    /// The kernel that is there, or else one more that is to be compiled.
    fn known_or(
        &self,
        context: &GpuContext,
        request: &KernelRequest<'_>,
        fresh: &mut Vec<Arc<GpuKernel>>,
    ) -> Result<Arc<GpuKernel>, GpuError> {
        let (key, mut kernels) = (key(request), locked(&self.kernels));
        if let Some(known) = kernels.get(&key).filter(|kernel| kernel.is(request)) {
            context.counters().kernel_cache_hits.add(1);
            return Ok(known.clone());
        }
        let kernel = Arc::new(GpuKernel::new(context, request)?);
        kernels.insert(key, kernel.clone());
        fresh.push(kernel.clone());
        Ok(kernel)
    }

    /// Compiles a kernel on this thread. One that fails is tried anew when it is asked for again.
    pub fn compile(&self, context: &GpuContext, kernel: &Arc<GpuKernel>) -> Result<wgpu::ComputePipeline, GpuError> {
        // A browser has no such clock, and no cache of pipelines either.
        let timed = context.pipelines().map(|pipelines| (pipelines, Instant::now()));
        let made = kernel.compile(context, || self.module(context, kernel));
        if let Some((pipelines, start)) = timed {
            pipelines.grew(start.elapsed());
        }
        made.inspect_err(|_| locked(&self.kernels).retain(|_, other| !Arc::ptr_eq(other, kernel)))
    }

    /// The module of the kernel's text, which other entry points may share.
    fn module(&self, context: &GpuContext, kernel: &GpuKernel) -> Result<wgpu::ShaderModule, GpuError> {
        let text = kernel.text();
        let slot = locked(&self.modules).entry(xxh3_128(text.as_bytes())).or_default().clone();
        let mut slot = locked(&slot);
        if let Some((_, known)) = slot.as_ref().filter(|(other, _)| other == text) {
            return Ok(known.clone());
        }
        let module = kernel::module(context, kernel.label(), text)?;
        *slot = Some((text.clone(), module.clone()));
        Ok(module)
    }

    pub fn compiler(&self) -> &Compiler {
        &self.compiler
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
