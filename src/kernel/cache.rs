//! Kernels by topology and specialization, for the life of the process.

use super::{Kernel, Specialization};
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

/// The cache is emptied when it holds this many kernels: a process that states new literals for ever must not grow for ever.
const KEPT: usize = 4096;

#[derive(Default)]
struct Cache {
    kernels: FxHashMap<u128, Vec<Arc<Kernel>>>,
    count: usize,
}

static CACHE: LazyLock<Mutex<Cache>> = LazyLock::new(Mutex::default);

/// The kernel of a topology so specialized, and whether it was there already.
pub(crate) fn compile(topology: &Topology, specialization: &Specialization) -> (Arc<Kernel>, bool) {
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let same = |k: &&Arc<Kernel>| k.topology.expression == topology.expression && k.specialization == *specialization;
    if let Some(kernel) = cache.kernels.get(&topology.hash).and_then(|bucket| bucket.iter().find(same)) {
        return (kernel.clone(), true);
    }
    if cache.count >= KEPT {
        *cache = Cache::default();
    }
    let kernel = Arc::new(Kernel::new(topology.clone(), specialization.clone()));
    cache.kernels.entry(topology.hash).or_default().push(kernel.clone());
    cache.count += 1;
    (kernel, false)
}
