//! The kernels of each derivative, bound to the buffers of the shards.

use super::GpuDerivatives;
use super::lists::Lists;
use crate::backend::gpu::GpuError;
use crate::device::plans::{GroupDispatch, Spread, chunks, group_dispatches, plan};
use crate::device::stage::{Request, Requests, Stage, usable};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Addition, Slot, WORKGROUP};

/// What there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Residuals,
    Linearize,
    Gradient,
    Product,
    /// Zeroes the sums of held parameters in the gradient.
    ClearGradient,
    /// The same in the product.
    ClearProduct,
}

/// Number of tasks.
pub(super) const TASKS: usize = Task::ClearProduct as usize + 1;

impl GpuDerivatives {
    /// The kernels of all tasks. Gradient and product run shard by shard: contributions are gathered before the next one writes its own.
    pub(super) fn stages(&self, lists: &[Lists], idle: u32) -> Result<[Vec<Stage>; TASKS], GpuError> {
        let (context, formats, addition) = (&self.context, self.formats, self.addition);
        let kernels: Vec<&Kernel> = self.problem.groups.iter().map(|group| &*group.kernel).collect();
        let mut requests = Requests::default();
        // Gradient and product of each shard.
        let mut sums: Vec<[Vec<Request<'_>>; 2]> = self.shards.iter().map(|_| [Vec::new(), Vec::new()]).collect();
        for groups in chunks(&kernels, formats.real) {
            let kernels = &kernels[groups.clone()];
            let residuals = wgsl::residuals(kernels, formats, Slot::Point, Slot::Residuals);
            let residuals = usable(context, residuals)?;
            let linearize = usable(context, wgsl::linearize(kernels, formats))?;
            let gradient = usable(context, wgsl::gradient(kernels, formats, addition))?;
            let product = usable(context, wgsl::jtj_product(kernels, formats, addition))?;
            let spread = Spread { tile: 1, batch: None, idle };
            for GroupDispatch { shard, plan, workgroups } in group_dispatches(context, &self.layout, groups, spread)? {
                let request = |module| Request::new(module, &plan, workgroups).with(&self.shards[shard]);
                requests.add(Task::Residuals as usize, request(&residuals));
                requests.add(Task::Linearize as usize, request(&linearize));
                sums[shard][0].push(request(&gradient).instead(Slot::Sums, Slot::Gradient));
                sums[shard][1].push(request(&product).instead(Slot::Sums, Slot::Image));
            }
        }
        let (gather, gather_long) = (wgsl::gather(formats).into(), wgsl::gather_long(formats).into());
        for (shard, lists) in lists.iter().enumerate() {
            for class in &lists.classes {
                let plan = plan(context, &[class.count, class.size, class.table, u32::from(shard > 0)])?;
                let threads = u64::from(class.count) * u64::from(class.size);
                let (module, workgroups) = match class.long {
                    true => (&gather_long, u64::from(class.count)),
                    false => (&gather, threads.div_ceil(u64::from(WORKGROUP))),
                };
                let request = || Request::new(module, &plan, workgroups).with(&self.shards[shard]);
                sums[shard][0].push(request());
                sums[shard][1].push(request().instead(Slot::Gradient, Slot::Image));
            }
        }
        for [gradient, product] in sums {
            gradient.into_iter().for_each(|request| requests.add(Task::Gradient as usize, request));
            product.into_iter().for_each(|request| requests.add(Task::Product as usize, request));
        }
        // Lists leave held components out from the start.
        if addition != Addition::Gather && self.held > 0 {
            let plan = plan(context, &[self.held, 0, 0, 0])?;
            let module = wgsl::clear_held(formats).into();
            let request = || Request::new(&module, &plan, u64::from(self.held.div_ceil(WORKGROUP)));
            requests.add(Task::ClearGradient as usize, request());
            requests.add(Task::ClearProduct as usize, request().instead(Slot::Gradient, Slot::Image));
        }
        requests.start(context, &[&self.buffers])
    }
}
