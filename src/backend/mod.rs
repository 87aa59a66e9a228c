//! Where kernels run.
//!
//! In: the groups of a problem, each a [`Kernel`](crate::kernel::Kernel) with its table of instances. Out: residuals and Jacobian
//! at a point, for [`solver`](crate::solver).

pub mod cpu;
mod instances;

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
#[error("the {backend:?} backend is not available: {reason}; use Backend::Cpu or Backend::Auto")]
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

impl Backend {
    /// Resolves `Auto` and checks that the backend can be had.
    ///
    /// # Errors
    /// [`BackendUnavailable`] for `Gpu`, as this build has no GPU backend.
    pub fn select(self) -> Result<Selection, BackendUnavailable> {
        let reason = match self {
            Backend::Cpu => "asked for",
            Backend::Auto => "this build has no GPU backend",
            Backend::Gpu => {
                return Err(BackendUnavailable { backend: self, reason: "this build has no GPU backend".to_owned() });
            }
        };
        Ok(Selection { backend: Backend::Cpu, device: cpu::device_name(), reason: reason.to_owned() })
    }
}
