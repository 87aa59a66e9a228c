//! What can go wrong on a device.

use std::fmt::{self, Write};

/// A failure of the GPU backend. None of them panics and none of them hangs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is no such adapter, or none at all.
    #[error("{}", no_adapter(.wanted.as_deref(), .found, .hint))]
    NoAdapter {
        /// Part of the name that was asked for.
        wanted: Option<String>,
        /// The adapters that exist.
        found: Vec<String>,
        /// What to install.
        hint: &'static str,
    },
    /// The adapter gave no device, or an option makes no sense.
    #[error("no GPU device: {0}")]
    Device(String),
    /// WGSL text that does not compile.
    #[error("kernel {label:?} does not compile: {message}\n{}", numbered(.wgsl))]
    Shader {
        /// The kernel's label.
        label: String,
        /// What the compiler says, with line and caret.
        message: String,
        /// The text it was given.
        wgsl: String,
    },
    /// A call that breaks wgpu's rules.
    #[error("{label:?} is not valid on this device: {message}")]
    Validation {
        /// The object at fault.
        label: String,
        /// wgpu's message.
        message: String,
    },
    /// The device has not that much memory left.
    #[error("out of GPU memory: {label:?} needs {bytes} bytes")]
    OutOfMemory {
        /// The object at fault; empty where wgpu does not tell.
        label: String,
        /// What was asked for; 0 where wgpu does not tell.
        bytes: u64,
    },
    /// More than the device's limits allow in one piece.
    #[error("{label:?} has {bytes} bytes, and the device's limit is {limit}")]
    TooLarge {
        /// The object at fault.
        label: String,
        /// Its size.
        bytes: u64,
        /// The most that is allowed.
        limit: u64,
    },
    /// The device is gone: unplugged, reset by its driver, or destroyed.
    #[error("the GPU device was lost: {0}")]
    Lost(String),
    /// The device did not finish in time.
    #[error("the GPU did not finish within {seconds} s")]
    Timeout {
        /// How long was waited.
        seconds: u64,
    },
    /// Something the device does not have.
    #[error("{device} has no {what}")]
    Unsupported {
        /// What is missing.
        what: String,
        /// The adapter's name.
        device: String,
    },
}

impl GpuError {
    /// The first line, for reports: without the text of a kernel.
    pub(crate) fn brief(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// From an error that wgpu reports about the object `label`.
    pub(super) fn from_wgpu(label: &str, bytes: u64, error: &wgpu::Error) -> GpuError {
        match error {
            wgpu::Error::OutOfMemory { .. } => GpuError::OutOfMemory { label: label.to_owned(), bytes },
            other => GpuError::Validation { label: label.to_owned(), message: other.to_string().trim_end().to_owned() },
        }
    }
}

/// How to get a driver on this system.
#[cfg(target_os = "linux")]
pub(super) const DRIVER_HINT: &str =
    "install a Vulkan driver, for example `apt-get install mesa-vulkan-drivers` (which also has a software one)";
/// How to get a device in a browser.
#[cfg(target_arch = "wasm32")]
pub(super) const DRIVER_HINT: &str = "use a browser that has WebGPU, on a page with https";
/// How to get a driver on this system.
#[cfg(not(any(target_os = "linux", target_arch = "wasm32")))]
pub(super) const DRIVER_HINT: &str = "install or update the graphics driver";

fn no_adapter(wanted: Option<&str>, found: &[String], hint: &str) -> String {
    match (wanted, found) {
        (None, _) => format!("no GPU adapter; {hint}"),
        (Some(name), []) => {
            format!("no GPU adapter named {name:?} (GpuOptions::adapter or ISOGRAD_ADAPTER), nor any other; {hint}")
        }
        (Some(name), found) => format!(
            "no GPU adapter named {name:?} (GpuOptions::adapter or ISOGRAD_ADAPTER); there are: {}",
            found.join(", ")
        ),
    }
}

/// The text with the line numbers that a compiler's message speaks of.
fn numbered(wgsl: &str) -> impl fmt::Display {
    let mut text = String::new();
    for (index, line) in wgsl.lines().enumerate() {
        let _ = writeln!(text, "{:>5} | {line}", index + 1);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shader_errors_show_the_text_with_line_numbers() {
        let error = GpuError::Shader { label: "k".into(), message: "no x".into(), wgsl: "fn a() {}\nfn b() {}".into() };
        assert_eq!(error.to_string(), "kernel \"k\" does not compile: no x\n    1 | fn a() {}\n    2 | fn b() {}\n");
    }

    #[test]
    fn a_missing_adapter_names_those_there_are() {
        let error = GpuError::NoAdapter { wanted: Some("x".into()), found: vec!["llvmpipe".into()], hint: "" };
        assert_eq!(
            error.to_string(),
            "no GPU adapter named \"x\" (GpuOptions::adapter or ISOGRAD_ADAPTER); there are: llvmpipe"
        );
    }
}
