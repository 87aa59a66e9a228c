//! Where kernels run.
//!
//! In: the groups of a problem, each a [`Kernel`](crate::kernel::Kernel) with its table of instances. Out: residuals and Jacobian
//! at a point, for [`solver`](crate::solver).

pub(crate) mod buckets;
pub mod cpu;
mod divisor;
#[cfg(feature = "gpu")]
pub mod gpu;
mod instances;
pub(crate) mod pieces;

pub(crate) use divisor::Divisor;
pub use instances::{Column, Group, InstanceTable};

use serde::Serialize;

/// Which device evaluates and solves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// This machine's processor cores.
    #[default]
    Cpu,
    /// A graphics processor.
    Gpu,
    /// Whichever is expected to be faster; the report says which and why.
    Auto,
}

/// A backend was asked for that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the {backend:?} backend is not available: {reason}; use Backend::Cpu or Backend::Auto (of a demo, --backend cpu or auto)"
)]
pub struct BackendUnavailable {
    /// What was asked for.
    pub backend: Backend,
    /// Why it cannot be had.
    pub reason: String,
}

/// The backend that was chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Selection {
    /// `Cpu` or `Gpu`.
    pub backend: Backend,
    /// The device in words.
    pub device: String,
    /// Why this one.
    pub reason: String,
}

impl Selection {
    /// The CPU, and why.
    pub(crate) fn cpu(reason: impl Into<String>) -> Self {
        Self::threads(rayon::current_num_threads(), reason)
    }

    /// So many threads of the CPU, and why.
    pub(crate) fn threads(threads: usize, reason: impl Into<String>) -> Self {
        Selection { backend: Backend::Cpu, device: cpu::named(threads), reason: reason.into() }
    }
}

impl Backend {
    /// Resolves `Auto` for a large problem, and checks that the backend can be had.
    ///
    /// # Errors
    /// [`BackendUnavailable`] for `Gpu`, where there is none.
    #[cfg(not(all(feature = "gpu", target_arch = "wasm32")))]
    pub fn select(self) -> Result<Selection, BackendUnavailable> {
        match self {
            Backend::Cpu => Ok(Selection::cpu("asked for")),
            #[cfg(not(feature = "gpu"))]
            Backend::Auto => Ok(Selection::cpu("this build has no GPU backend")),
            #[cfg(not(feature = "gpu"))]
            Backend::Gpu => {
                Err(BackendUnavailable { backend: self, reason: "this build has no GPU backend".to_owned() })
            }
            #[cfg(feature = "gpu")]
            Backend::Auto | Backend::Gpu => self.select_gpu(),
        }
    }

    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    fn select_gpu(self) -> Result<Selection, BackendUnavailable> {
        let auto = self == Backend::Auto;
        match gpu::GpuContext::shared() {
            Ok(context) if auto && context.is_software() => {
                Ok(Selection::cpu(format!("{} is software, slower than the CPU backend", context.info().name)))
            }
            Ok(context) => {
                let reason = if auto { "faster for large problems" } else { "asked for" };
                Ok(Selection { backend: Backend::Gpu, device: context.info().name.clone(), reason: reason.to_owned() })
            }
            Err(error) if auto => Ok(Selection::cpu(format!("no GPU: {error}"))),
            Err(error) => Err(BackendUnavailable { backend: self, reason: error.to_string() }),
        }
    }
}
