//! `info`: what this build can do, and on what.

use crate::cli::Info;
use crate::console::Console;
use crate::goal::Goal;
use isograd::Backend;
use isograd::backend::cpu;
use isograd::backend::gpu::{AdapterSummary, GpuContext, wgpu};
use serde::Serialize;
use std::fmt;

/// Everything `info` says.
#[derive(Debug, Serialize)]
struct Facts {
    version: &'static str,
    target: String,
    debug_build: bool,
    cpu_model: Option<String>,
    cores: usize,
    cpu_device: String,
    /// Each backend, and why it cannot be had if so.
    backends: Vec<BackendFact>,
    auto_backend: Backend,
    auto_device: String,
    auto_reason: String,
    /// The GPU adapters, the one taken by default first.
    adapters: Vec<AdapterFact>,
    energies: Vec<&'static str>,
    residuals: Vec<&'static str>,
    read_formats: [&'static str; 6],
    written_formats: [&'static str; 5],
}

#[derive(Debug, Serialize)]
struct BackendFact {
    backend: Backend,
    available: bool,
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
struct AdapterFact {
    name: String,
    /// Vulkan, Metal or Direct3D.
    api: String,
    kind: String,
    driver: String,
    max_binding_bytes: u64,
    max_buffer_bytes: u64,
    storage_buffers_per_stage: u32,
    /// Of the optional features those that the backend can use.
    features: Vec<&'static str>,
    precisions: Vec<&'static str>,
}

pub(super) fn run(arguments: &Info) -> anyhow::Result<()> {
    let console = Console::new(arguments.json);
    let facts = Facts::gather()?;
    if !console.is_json() {
        console.say(&facts)?;
    }
    console.json(&facts)?;
    Ok(())
}

impl Facts {
    fn gather() -> anyhow::Result<Facts> {
        let auto = Backend::Auto.select()?;
        let backends = [Backend::Cpu, Backend::Gpu].map(|backend| {
            let selection = backend.select();
            let reason = selection.as_ref().err().map(|unavailable| unavailable.reason.clone());
            BackendFact { backend, available: selection.is_ok(), reason }
        });
        Ok(Facts {
            // One version for the whole workspace.
            version: env!("CARGO_PKG_VERSION"),
            target: format!("{}, {}", std::env::consts::ARCH, std::env::consts::OS),
            debug_build: cfg!(debug_assertions),
            cpu_model: cpu_model(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu_device: cpu::device_name(),
            backends: backends.into(),
            auto_backend: auto.backend,
            auto_device: auto.device,
            auto_reason: auto.reason,
            adapters: GpuContext::adapter_summaries().iter().map(AdapterFact::of).collect(),
            energies: Goal::all().map(Goal::name).collect(),
            residuals: crate::inspection::residuals::ALL.iter().map(|example| example.name).collect(),
            read_formats: ["OBJ", "PLY (ascii, binary)", "OFF", "BAL", "g2o", "NIST regression"],
            written_formats: ["OBJ", "PLY (ascii, binary)", "BAL", "g2o", "PNG"],
        })
    }
}

impl AdapterFact {
    fn of(summary: &AdapterSummary) -> AdapterFact {
        let AdapterSummary { info, features, limits } = summary;
        let has = |feature| features.contains(feature);
        let useful = wgpu::Features::SHADER_F64
            | wgpu::Features::SHADER_INT64
            | wgpu::Features::SHADER_FLOAT32_ATOMIC
            | wgpu::Features::SUBGROUP
            | wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::PIPELINE_CACHE;
        let mut precisions = vec!["f32", "double-f32 (where its self-test passes)"];
        if has(wgpu::Features::SHADER_F64) {
            precisions.insert(0, "f64");
        }
        AdapterFact {
            name: info.name.clone(),
            api: format!("{:?}", info.backend),
            kind: format!("{:?}", info.device_type),
            driver: format!("{} {}", info.driver, info.driver_info),
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_buffer_bytes: limits.max_buffer_size,
            storage_buffers_per_stage: limits.max_storage_buffers_per_shader_stage,
            features: (*features & useful).iter_names().map(|(name, _)| name).collect(),
            precisions,
        }
    }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = |f: &mut fmt::Formatter<'_>, name: &str, value: &str| writeln!(f, "{name:<16}{value}");
        let build = if self.debug_build { "debug" } else { "release" };
        row(f, "isograd", &format!("{} ({build} build for {})", self.version, self.target))?;
        row(f, "Processor", self.cpu_model.as_deref().unwrap_or("unknown"))?;
        row(f, "Cores", &self.cores.to_string())?;
        row(f, "CPU backend", &self.cpu_device)?;
        for BackendFact { backend, reason, .. } in &self.backends {
            let name = format!("Backend {}", format!("{backend:?}").to_lowercase());
            let state = reason.as_ref().map_or("available".to_owned(), |reason| format!("not available: {reason}"));
            row(f, &name, &state)?;
        }
        row(f, "Backend auto", &format!("{}, because {}", self.auto_device, self.auto_reason))?;
        for adapter in &self.adapters {
            let AdapterFact { name, api, kind, driver, max_binding_bytes, max_buffer_bytes, .. } = adapter;
            row(f, "GPU adapter", &format!("{name} ({api}, {kind}, {driver})"))?;
            let [binding, buffer] = [max_binding_bytes, max_buffer_bytes].map(|bytes| bytes >> 20);
            let stage = adapter.storage_buffers_per_stage;
            row(
                f,
                "  limits",
                &format!("binding {binding} MiB, buffer {buffer} MiB, {stage} storage buffers a stage"),
            )?;
            row(f, "  features", &adapter.features.join(", "))?;
            row(f, "  precision", &adapter.precisions.join(", "))?;
        }
        if self.adapters.is_empty() {
            row(f, "GPU adapter", "none")?;
        }
        row(f, "Energies", &self.energies.join(", "))?;
        row(f, "Residuals", &self.residuals.join(", "))?;
        row(f, "Reads", &format!("{}, each also gzipped", self.read_formats.join(", ")))?;
        write!(f, "{:<16}{}", "Writes", self.written_formats.join(", "))
    }
}

/// The processor's name, where Linux tells.
fn cpu_model() -> Option<String> {
    let table = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = table.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
