//! Finding an adapter and opening a device on it.

use super::GpuError;
use super::error::DRIVER_HINT;
use std::path::PathBuf;

/// How to find a device.
#[derive(Debug, Clone, Default)]
pub struct GpuOptions {
    /// Part of the adapter's name, in any case. Default: the environment variable `ISOGRAD_ADAPTER`, else the fastest kind, hardware
    /// before software.
    pub adapter: Option<String>,
    /// What to call the device in reports, where the adapter does not say: browsers keep it to themselves.
    pub name: Option<String>,
    /// Most bytes of one storage binding, below what the adapter offers; also `ISOGRAD_MAX_BINDING`. For tests and shared devices.
    pub max_binding_bytes: Option<u64>,
    /// Most bytes of all buffers on the device together; also `ISOGRAD_MAX_MEMORY`. Default: what the driver gives. What needs more is
    /// [`GpuError::OutOfMemory`], and a solve goes on on the CPU. For tests and shared devices.
    pub max_memory_bytes: Option<u64>,
    /// Features to do without even where the adapter has them, for tests.
    pub without: wgpu::Features,
    /// Folder of the pipeline cache. Default: the environment variable `ISOGRAD_PIPELINE_CACHE` (`off` for none), else `isograd` in the
    /// user's cache folder.
    pub pipeline_cache: Option<PathBuf>,
}

/// What an adapter is and offers.
#[derive(Debug, Clone)]
pub struct AdapterSummary {
    /// Name, driver and kind.
    pub info: wgpu::AdapterInfo,
    /// Everything optional it has, whether used here or not.
    pub features: wgpu::Features,
    /// The most it offers.
    pub limits: wgpu::Limits,
}

/// The optional features that the backend makes use of.
const USEFUL: wgpu::Features = wgpu::Features::SHADER_F64
    .union(wgpu::Features::SHADER_INT64)
    .union(wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS)
    .union(wgpu::Features::SHADER_FLOAT32_ATOMIC)
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::TIMESTAMP_QUERY)
    .union(wgpu::Features::PIPELINE_CACHE);

impl GpuOptions {
    /// The part of a name to look for.
    fn wanted(&self) -> Option<String> {
        self.adapter.clone().or_else(|| environment("ISOGRAD_ADAPTER"))
    }

    /// The adapter under a name.
    fn named(&self, info: wgpu::AdapterInfo) -> wgpu::AdapterInfo {
        match info.name.as_str() {
            "" => wgpu::AdapterInfo { name: self.name.clone().unwrap_or_else(|| "unnamed device".to_owned()), ..info },
            _ => info,
        }
    }

    /// The upper limits on bytes, where there are any.
    pub(super) fn byte_limits(&self) -> Result<ByteLimits, GpuError> {
        let limit = |limit: Option<u64>, name: &str| {
            let parse = |text: String| {
                let wrong = |_| GpuError::Device(format!("{name}={text} is not a number of bytes"));
                text.parse().map_err(wrong)
            };
            limit.map_or_else(|| environment(name).map(parse).transpose(), |limit| Ok(Some(limit)))
        };
        Ok(ByteLimits {
            binding: limit(self.max_binding_bytes, "ISOGRAD_MAX_BINDING")?,
            memory: limit(self.max_memory_bytes, "ISOGRAD_MAX_MEMORY")?,
        })
    }
}

/// Upper limits of the user's, where there are any.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ByteLimits {
    /// Of one binding.
    pub binding: Option<u64>,
    /// Of all buffers on the device.
    pub memory: Option<u64>,
}

/// An environment variable that is set to something.
pub(super) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn instance() -> wgpu::Instance {
    let flags = if cfg!(debug_assertions) { wgpu::InstanceFlags::debugging() } else { wgpu::InstanceFlags::empty() };
    wgpu::Instance::new(wgpu::InstanceDescriptor {
        // Without VALIDATION_INDIRECT_CALL: it puts a dispatch of its own before each indirect one, whose counts are ours.
        flags: (flags - wgpu::InstanceFlags::VALIDATION_INDIRECT_CALL).with_env(),
        ..wgpu::InstanceDescriptor::new_without_display_handle_from_env()
    })
}

/// What there is, the best first.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn summaries() -> Vec<AdapterSummary> {
    let summary = |adapter: &wgpu::Adapter| AdapterSummary {
        info: adapter.get_info(),
        features: adapter.features(),
        limits: adapter.limits(),
    };
    ranked(&instance()).await.iter().map(summary).collect()
}

/// The adapter that the browser gives, if it gives one.
#[cfg(target_arch = "wasm32")]
async fn ranked(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    let options =
        wgpu::RequestAdapterOptions { power_preference: wgpu::PowerPreference::HighPerformance, ..Default::default() };
    instance.request_adapter(&options).await.into_iter().collect()
}

/// The adapters, the best first; of equals the order is the driver's.
#[cfg(not(target_arch = "wasm32"))]
async fn ranked(instance: &wgpu::Instance) -> Vec<wgpu::Adapter> {
    let mut adapters = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
    adapters.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    });
    adapters
}

/// An adapter's device with the features and limits that the backend uses.
pub(super) async fn open(options: &GpuOptions) -> Result<(wgpu::AdapterInfo, wgpu::Device, wgpu::Queue), GpuError> {
    let adapters = ranked(&instance()).await;
    let wanted = options.wanted();
    let fragment = wanted.as_deref().unwrap_or_default().to_ascii_lowercase();
    let mut failure = None;
    for adapter in adapters.iter().filter(|adapter| adapter.get_info().name.to_ascii_lowercase().contains(&fragment)) {
        match request(adapter, options).await {
            Ok((device, queue)) => return Ok((options.named(adapter.get_info()), device, queue)),
            // The next one may do: a driver can list hardware that it then fails to open.
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    let found = adapters.iter().map(|adapter| adapter.get_info().name).collect();
    Err(failure.unwrap_or(GpuError::NoAdapter { wanted, found, hint: DRIVER_HINT }))
}

async fn request(adapter: &wgpu::Adapter, options: &GpuOptions) -> Result<(wgpu::Device, wgpu::Queue), GpuError> {
    let offered = adapter.limits();
    // Sizes as the adapter has them; counts such as buffers a stage as everywhere, so that what works here works in a browser.
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: offered.max_storage_buffer_binding_size,
        max_buffer_size: offered.max_buffer_size,
        ..wgpu::Limits::defaults()
    };
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("isograd"),
        required_features: adapter.features() & (USEFUL - options.without),
        required_limits: limits.or_worse_values_from(&offered),
        ..Default::default()
    };
    let refused = |error| GpuError::Device(format!("{}: {error}", adapter.get_info().name));
    adapter.request_device(&descriptor).await.map_err(refused)
}
