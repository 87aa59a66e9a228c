//! What a problem keeps from one solve to the next.

use super::{CompiledProblem, GroupInstances, Problem, ProblemError};
#[cfg(feature = "gpu")]
use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

/// What a solver keeps with a problem.
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub(crate) type Anything = dyn Any + Send + Sync;
/// What a solver keeps with a problem. Nothing of a browser's GPU leaves its thread.
#[cfg(all(feature = "gpu", target_arch = "wasm32"))]
pub(crate) type Anything = dyn Any;

/// What stays true of a problem as long as nothing but the numbers of its parameters changes.
#[derive(Default)]
pub(super) struct Kept {
    compiled: Option<Arc<CompiledProblem>>,
    #[cfg(feature = "gpu")]
    device: Option<Box<Anything>>,
}

impl Kept {
    /// Forgets all, as the problem is another one from here on.
    pub fn clear(&mut self) {
        *self = Kept::default();
    }
}

impl Problem {
    /// The compiled problem in order, which is kept until the problem changes; one that was kept took no time.
    pub(crate) fn kept_or_compiled(&mut self) -> Result<Arc<CompiledProblem>, ProblemError> {
        match self.kept_compiled().filter(|kept| kept.is_in_order()) {
            Some(kept) => Ok(kept),
            None => {
                let compiled = self.compile()?;
                Ok(self.keep_compiled(compiled))
            }
        }
    }

    /// The compiled problem, if it is kept; it took no time.
    pub(crate) fn kept_compiled(&mut self) -> Option<Arc<CompiledProblem>> {
        let kept = self.kept.compiled.as_mut()?;
        if let Some(kept) = Arc::get_mut(kept) {
            kept.compile_time = Duration::ZERO;
        }
        Some(kept.clone())
    }

    /// Keeps the compiled problem until the problem changes.
    pub(crate) fn keep_compiled(&mut self, compiled: CompiledProblem) -> Arc<CompiledProblem> {
        self.kept.compiled.insert(Arc::new(compiled)).clone()
    }

    /// Has the problem hold its instances in the order of the compiled problem that is kept, which holds the same: there is one table then instead
    /// of two, and no room for further blocks. Groups that losses or manifolds take apart stay as they are.
    pub(crate) fn share_tables(&mut self) {
        let Some(compiled) = &self.kept.compiled else { return };
        self.parameters.shrink_to_fit();
        let mut groups = compiled.groups.iter().zip(&compiled.residual_blocks);
        for instances in self.groups.iter_mut().filter(|instances| instances.table.count > 0) {
            let count = instances.table.count;
            let mut parts = 0;
            while parts < count
                && let Some((group, residual_blocks)) = groups.next()
            {
                parts += group.table.count;
                if group.table.count == count {
                    let (table, residual_blocks) = (group.table.clone(), residual_blocks.clone());
                    *instances = GroupInstances { table, residual_blocks, shared: true };
                }
            }
        }
    }

    /// Bytes of the problem and of its compiled form, what they share counted once.
    pub(crate) fn bytes_with(&self, compiled: &CompiledProblem) -> usize {
        // Those that were left as they were stated, too.
        let is_shared = |instances: &&GroupInstances| {
            compiled.groups.iter().any(|group| Arc::ptr_eq(&group.table, &instances.table))
        };
        let shared: usize = self.groups.iter().filter(is_shared).map(GroupInstances::bytes).sum();
        self.bytes() - shared + compiled.bytes()
    }

    /// What a solver kept of the problem on a device; it has to keep it again.
    #[cfg(feature = "gpu")]
    pub(crate) fn take_device(&mut self) -> Option<Box<Anything>> {
        self.kept.device.take()
    }

    /// What is kept of the problem on a device.
    #[cfg(feature = "gpu")]
    pub(crate) fn kept_device(&self) -> Option<&Anything> {
        self.kept.device.as_deref()
    }

    /// Keeps what a solver has of the problem on a device.
    #[cfg(feature = "gpu")]
    pub(crate) fn keep_device(&mut self, device: Box<Anything>) {
        self.kept.device = Some(device);
    }

    /// Frees what the problem keeps for the next solve: its compiled form, and its buffers on a device. A solve from another point finds both
    /// in place, unless blocks, residuals, losses, manifolds, bounds or what is fixed changed in between.
    pub fn forget_compiled(&mut self) {
        self.kept.clear();
    }
}
