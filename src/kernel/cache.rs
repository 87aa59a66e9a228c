//! Kernels by topology and literals, for the life of the process.

use super::Kernel;
use crate::topology::Topology;
use rustc_hash::FxHashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

/// What compiling a problem came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct CompileStatistics {
    /// Groups, each with one kernel.
    pub kernels: usize,
    /// Instances over all groups.
    pub instances: usize,
    /// Kernels that an earlier compile of this process had made.
    pub cache_hits: usize,
}

impl CompileStatistics {
    /// Instances per kernel; 0 where there is none.
    pub fn reuse_factor(&self) -> f64 {
        if self.kernels == 0 { 0.0 } else { self.instances as f64 / self.kernels as f64 }
    }
}

type Bucket = Vec<Arc<Kernel>>;

static KERNELS: LazyLock<Mutex<FxHashMap<u128, Bucket>>> = LazyLock::new(Mutex::default);

/// The kernel of a topology with these literals, and whether it was there already.
pub(crate) fn compile(topology: &Topology, literals: &[Option<f64>]) -> (Arc<Kernel>, bool) {
    let bits = |literals: &[Option<f64>]| literals.iter().map(|l| l.map(f64::to_bits)).collect::<Vec<_>>();
    let mut kernels = KERNELS.lock().unwrap_or_else(PoisonError::into_inner);
    let bucket = kernels.entry(topology.hash).or_default();
    let wanted = bits(literals);
    let same = |k: &&Arc<Kernel>| k.topology.expression == topology.expression && bits(&k.literals) == wanted;
    if let Some(kernel) = bucket.iter().find(same) {
        return (kernel.clone(), true);
    }
    let kernel = Arc::new(Kernel::new(topology.clone(), literals.to_vec()));
    bucket.push(kernel.clone());
    (kernel, false)
}
