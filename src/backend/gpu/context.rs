//! A device with everything that is shared on it: kernels, pooled memory, counts.

#[cfg(not(target_arch = "wasm32"))]
use super::adapter::AdapterSummary;
use super::adapter::{self, ByteLimits, GpuOptions};
#[cfg(not(target_arch = "wasm32"))]
use super::compiler_loading;
#[cfg(not(target_arch = "wasm32"))]
use super::health::locked;
use super::health::{Health, scoped};
use super::kernel_cache::KernelCache;
use super::memory::Memory;
use super::pipeline_cache::PipelineCacheFile;
use super::pool::{Pool, Ticket};
use super::statistics::Counters;
use super::{Commands, GpuError, GpuKernel, GpuStatistics, KernelRequest, PendingKernel};
use std::fmt;
#[cfg(not(target_arch = "wasm32"))]
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

/// A device to compute on. Clones are the same device, and threads may share it.
#[derive(Clone)]
pub struct GpuContext(Arc<Inner>);

struct Inner {
    info: wgpu::AdapterInfo,
    device: wgpu::Device,
    queue: wgpu::Queue,
    features: wgpu::Features,
    limits: wgpu::Limits,
    max_binding: u64,
    health: Arc<Health>,
    counters: Counters,
    pool: Pool,
    memory: Memory,
    kernels: KernelCache,
    pipelines: Option<PipelineCacheFile>,
    /// Whether memory for downloads is asked for.
    #[cfg(not(target_arch = "wasm32"))]
    downloads: AtomicBool,
    /// Whether the self test of double-f32 arithmetic passed, once it ran.
    double_f32: Mutex<Option<bool>>,
}

/// The context of this process, or why there is none.
#[cfg(not(target_arch = "wasm32"))]
static SHARED: Mutex<Option<Result<GpuContext, GpuError>>> = Mutex::new(None);

impl GpuContext {
    /// The context of this process, made at the first call with default options. A failure is remembered too; a lost device is
    /// replaced by a new one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[cfg(not(target_arch = "wasm32"))]
    pub fn shared() -> Result<GpuContext, GpuError> {
        let mut shared = locked(&SHARED);
        match &*shared {
            Some(Ok(context)) if context.lost().is_some() => {}
            Some(known) => return known.clone(),
            None => {}
        }
        shared.insert(GpuContext::new(&GpuOptions::default())).clone()
    }

    /// Whether the shared context was asked for before, so that it takes no time.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn is_shared_known() -> bool {
        locked(&SHARED).is_some()
    }

    /// [`shared`](Self::shared), without blocking in a browser.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn request_shared() -> Result<GpuContext, GpuError> {
        GpuContext::shared()
    }

    /// The context of this thread, made at the first call with default options. A lost device is replaced by a new one.
    ///
    /// # Errors
    /// As [`request`](Self::request).
    #[cfg(target_arch = "wasm32")]
    pub async fn request_shared() -> Result<GpuContext, GpuError> {
        thread_local!(static SHARED: std::cell::RefCell<Option<GpuContext>> = const { std::cell::RefCell::new(None) });
        if let Some(context) = SHARED.with_borrow(Clone::clone).filter(|context| context.lost().is_none()) {
            return Ok(context);
        }
        let context = GpuContext::request(&GpuOptions::default()).await?;
        SHARED.set(Some(context.clone()));
        Ok(context)
    }

    /// Opens a device; blocks until it is there, and its driver's compiler too, if no pipelines of it are on disk: some 20 ms on an NVIDIA
    /// H200, for which the first kernel would wait otherwise.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`] where none fits, [`GpuError::Device`] where the adapter gives none.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new(options: &GpuOptions) -> Result<Self, GpuError> {
        pollster::block_on(Self::request(options))
    }

    /// Opens a device.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn request(options: &GpuOptions) -> Result<Self, GpuError> {
        let limits = options.byte_limits()?;
        let (info, device, queue) = adapter::open(options).await?;
        let folder = options.pipeline_cache.clone().or_else(PipelineCacheFile::default_folder);
        Ok(Self::assemble(info, device, queue, limits, folder))
    }

    /// Computes on a device of the caller's own, with the features and limits it was opened with. The device's handlers for uncaptured
    /// errors and for its loss are replaced. It blocks for the compiler as [`new`](Self::new) does.
    pub fn from_wgpu(info: wgpu::AdapterInfo, device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self::assemble(info, device, queue, ByteLimits::default(), PipelineCacheFile::default_folder())
    }

    fn assemble(
        info: wgpu::AdapterInfo,
        device: wgpu::Device,
        queue: wgpu::Queue,
        most: ByteLimits,
        cache_folder: Option<std::path::PathBuf>,
    ) -> Self {
        let (features, limits) = (device.features(), device.limits());
        // Whole elements of any kind of vector, and never nothing.
        let max_binding = limits.max_storage_buffer_binding_size.min(most.binding.unwrap_or(u64::MAX)) & !15;
        let pipelines = cache_folder.and_then(|folder| PipelineCacheFile::open(&device, &info, &folder));
        #[cfg(not(target_arch = "wasm32"))]
        if pipelines.as_ref().is_some_and(|pipelines| pipelines.began_empty) {
            // Here rather than beside what the program does next: no process is to end while its driver compiles.
            compiler_loading::load(&device);
        }
        GpuContext(Arc::new(Inner {
            health: Health::watch(&device),
            max_binding: max_binding.max(256),
            counters: Counters::default(),
            pool: Pool::new(info.device_type),
            memory: Memory::new(most.memory),
            kernels: KernelCache::default(),
            info,
            device,
            queue,
            features,
            limits,
            pipelines,
            #[cfg(not(target_arch = "wasm32"))]
            downloads: AtomicBool::new(false),
            double_f32: Mutex::default(),
        }))
    }

    /// The adapters there are, the best first.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn adapters() -> Vec<wgpu::AdapterInfo> {
        Self::adapter_summaries().into_iter().map(|summary| summary.info).collect()
    }

    /// The adapters there are and what they offer, the best first.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn adapter_summaries() -> Vec<AdapterSummary> {
        pollster::block_on(adapter::summaries())
    }

    /// Whether it is the same device.
    pub fn is(&self, other: &GpuContext) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// Its queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// The adapter's name, driver and kind.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.0.info
    }

    /// The optional features in use.
    pub fn features(&self) -> wgpu::Features {
        self.0.features
    }

    /// The device's limits.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.0.limits
    }

    /// The most bytes that one storage binding may have.
    pub fn max_binding_bytes(&self) -> u64 {
        self.0.max_binding
    }

    /// Whether kernels can compute in double precision.
    pub fn has_f64(&self) -> bool {
        self.features().contains(wgpu::Features::SHADER_F64 | wgpu::Features::SHADER_INT64)
    }

    /// Whether the "device" is this machine's processor.
    pub fn is_software(&self) -> bool {
        self.0.info.device_type == wgpu::DeviceType::Cpu
    }

    /// Why the device was lost, once it is.
    pub fn lost(&self) -> Option<String> {
        self.0.health.lost()
    }

    /// Reports the loss of the device, or the first error since the last check that no call returned.
    ///
    /// # Errors
    /// [`GpuError::Lost`], [`GpuError::Validation`], [`GpuError::OutOfMemory`].
    pub fn check(&self) -> Result<(), GpuError> {
        self.0.health.check()
    }

    /// Blocks until the submission is finished.
    ///
    /// # Errors
    /// [`GpuError::Timeout`] after 30 seconds, [`GpuError::Lost`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<(), GpuError> {
        self.0.health.wait(&self.0.device, &submission)
    }

    /// What was done on the device so far.
    pub fn statistics(&self) -> GpuStatistics {
        self.0.counters.snapshot()
    }

    /// Starts a list of commands.
    pub fn commands(&self, label: &str) -> Commands {
        Commands::new(self, label)
    }

    /// The compiled kernel `entry` of the text, with binding *k* of group 0 as `bindings[k]` says; compiled at most once in a context.
    ///
    /// # Errors
    /// [`GpuError::Shader`] with the compiler's message, [`GpuError::Validation`] where the bindings break a limit.
    pub fn kernel(
        &self,
        label: &str,
        wgsl: &str,
        entry: &str,
        bindings: &[super::Binding],
    ) -> Result<Arc<GpuKernel>, GpuError> {
        Ok(self.kernels(&[KernelRequest { label, wgsl, entry, bindings }])?.remove(0))
    }

    /// Several kernels, compiled on several threads; in the order of the requests.
    ///
    /// # Errors
    /// That of the first request that fails; see [`kernel`](Self::kernel).
    pub fn kernels(&self, requests: &[KernelRequest<'_>]) -> Result<Vec<Arc<GpuKernel>>, GpuError> {
        self.0.kernels.get(self, requests)
    }

    /// Several kernels that are compiled in the background from now on, in this order where there are fewer threads; where there are none, as
    /// in a browser, they are compiled when this returns.
    ///
    /// # Errors
    /// [`GpuError::Validation`] where the bindings break a limit, [`GpuError::Lost`]. What a compiler says comes out of
    /// [`PendingKernel::wait`].
    pub fn start_kernels(&self, requests: &[KernelRequest<'_>]) -> Result<Vec<PendingKernel>, GpuError> {
        self.0.kernels.start(self, requests)
    }

    /// Whether these kernels were asked for before.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn has_kernels(&self, requests: &[KernelRequest<'_>]) -> bool {
        self.0.kernels.has(requests)
    }

    /// Writes the pipeline cache to its file, where there is one. It also happens by itself: after compilations that took a while, and
    /// when the context goes.
    pub fn save_pipeline_cache(&self) {
        if let Some(pipelines) = &self.0.pipelines {
            pipelines.save();
        }
    }

    /// Loses the device, for tests of what happens then.
    #[doc(hidden)]
    pub fn inject_loss(&self) {
        // First, so that no thread sees the device's refusals before their reason.
        self.0.health.record_loss("destroyed".to_owned());
        self.0.device.destroy();
        // Runs the callbacks of what was under way.
        let _ = self.0.health.poll(&self.0.device, wgpu::PollType::Poll);
    }

    /// Has allocations fail from which on all buffers would have more than so many bytes, for tests of what happens then.
    #[doc(hidden)]
    pub fn inject_memory_limit(&self, bytes: u64) {
        self.0.memory.limit_to(bytes);
    }

    pub(super) fn health(&self) -> &Arc<Health> {
        &self.0.health
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.0.counters
    }

    pub(super) fn kernel_cache(&self) -> &KernelCache {
        &self.0.kernels
    }

    pub(super) fn pipelines(&self) -> Option<&PipelineCacheFile> {
        self.0.pipelines.as_ref()
    }

    pub(super) fn double_f32(&self) -> &Mutex<Option<bool>> {
        &self.0.double_f32
    }

    /// `Lost` once the device is.
    pub(super) fn alive(&self) -> Result<(), GpuError> {
        self.0.health.alive()
    }

    /// Whether nobody called this before: who gets true is to have memory for downloads made ready.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn is_first_to_prepare_downloads(&self) -> bool {
        !self.0.downloads.swap(true, Relaxed)
    }

    /// Whether the user limits the memory.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn is_memory_limited(&self) -> bool {
        self.0.memory.is_limited()
    }

    /// Registers a list of commands that is being recorded.
    pub(super) fn ticket(&self) -> Ticket {
        self.0.pool.ticket()
    }

    /// Ends the recording.
    pub(super) fn close(&self, ticket: Ticket) {
        self.0.pool.close(ticket);
    }

    /// A buffer of at least `bytes`, and whether it is fresh and so holds zeros.
    pub(super) fn allocate(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<(wgpu::Buffer, bool), GpuError> {
        self.alive()?;
        let limit = self.0.limits.max_buffer_size & !3;
        if bytes > limit {
            return Err(GpuError::TooLarge { label: label.to_owned(), bytes, limit });
        }
        // What fits one binding keeps fitting when it is rounded up.
        let ceiling = if bytes <= self.0.max_binding { self.0.max_binding.min(limit) } else { limit };
        let size = Pool::size_class(bytes).min(ceiling);
        let counted = if is_on_device(usage) { size } else { 0 };
        if !self.0.memory.take(counted) {
            return Err(GpuError::OutOfMemory { label: label.to_owned(), bytes: size });
        }
        if let Some(buffer) = self.0.pool.take(label, usage, size) {
            self.0.counters.buffers_reused.add(1);
            return Ok((buffer, false));
        }
        if self.0.memory.is_short_of(self.0.pool.idle_bytes()) {
            self.0.pool.clear();
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let create = || scoped(&self.0.device, || self.0.device.create_buffer(&descriptor));
        let (mut buffer, mut error) = create();
        if error.is_some() && self.0.pool.idle_bytes() > 0 {
            // It may be what is missing, and is free once the device is done with it.
            self.0.pool.clear();
            self.0.health.settle(&self.0.device);
            (buffer, error) = create();
        }
        if let Some(error) = error {
            self.0.memory.give(counted);
            return Err(self.0.health.error(label, size, &error));
        }
        self.alive()?;
        self.0.counters.buffers_allocated.add(1);
        Ok((buffer, true))
    }

    /// Gives a buffer back for reuse.
    pub(super) fn recycle(&self, label: Box<str>, buffer: wgpu::Buffer) {
        if is_on_device(buffer.usage()) {
            self.0.memory.give(buffer.size());
        }
        if self.lost().is_none() {
            self.0.pool.put(label, buffer);
        }
    }
}

/// Whether a buffer takes memory of the device: what is downloaded lies in the host's.
fn is_on_device(usage: wgpu::BufferUsages) -> bool {
    !usage.contains(wgpu::BufferUsages::MAP_READ)
}

impl fmt::Debug for GpuContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { info, max_binding, .. } = &*self.0;
        f.debug_struct("GpuContext")
            .field("adapter", &info.name)
            .field("backend", &info.backend)
            .field("features", &self.0.features)
            .field("max_binding_bytes", max_binding)
            .field("lost", &self.lost())
            .finish()
    }
}
