//! A shard of the instances on a device, and what runs over it.

use super::GpuDerivatives;
use crate::backend::gpu::GpuError;
use crate::device::buffers::Buffers;
use crate::device::layout::GroupPlace;
use crate::device::plans::{GroupTable, chunks, plan};
use crate::device::shard::{Instances, Lists, Shard};
use crate::device::stage::{Request, Stage, compile, out_of_range};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Slot, WORKGROUP};

/// What there are kernels for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Residuals,
    Linearize,
    Gradient,
    Product,
}

/// A shard on the device.
pub(super) struct DeviceShard {
    pub instances: Instances,
    pub groups: Vec<GroupPlace>,
    pub buffers: Buffers,
    /// By task.
    pub stages: [Vec<Stage>; 4],
}

impl GpuDerivatives {
    /// Uploads a shard and makes its stages. The `first` sets sums that the others add to.
    pub(super) fn upload(
        &self,
        shard: Shard,
        lists: Option<Lists>,
        first: bool,
        idle: u32,
    ) -> Result<DeviceShard, GpuError> {
        let real = self.formats.real;
        let mut buffers = Buffers::new(&self.context);
        buffers.upload(Slot::Indices, bytemuck::cast_slice(&shard.indices))?;
        buffers.upload(Slot::Data, &real.encode(&shard.data))?;
        buffers.zeros(Slot::Residuals, shard.residuals, real)?;
        buffers.zeros(Slot::Stored, shard.stored, real)?;
        if let Some(lists) = &lists {
            buffers.upload(Slot::Incidence, bytemuck::cast_slice(&lists.words))?;
        }
        let stages = self.stages(&shard, lists.as_ref(), &buffers, first, idle)?;
        Ok(DeviceShard { instances: shard.instances, groups: shard.groups, buffers, stages })
    }

    fn stages(
        &self,
        shard: &Shard,
        lists: Option<&Lists>,
        buffers: &Buffers,
        first: bool,
        idle: u32,
    ) -> Result<[Vec<Stage>; 4], GpuError> {
        let (context, formats, addition) = (&self.context, self.formats, self.addition);
        let kernels: Vec<&Kernel> = self.problem.groups.iter().map(|group| &*group.kernel).collect();
        let out_of_range = out_of_range(context);
        let (mut tasks, mut requests) = (Vec::new(), Vec::new());
        let mut add = |task: Task, request| {
            tasks.push(task);
            requests.push(Request::with(request, buffers));
        };
        for groups in chunks(&kernels) {
            let mut table = GroupTable::new(idle, 1);
            shard.groups[groups.clone()].iter().for_each(|group| table.push(group));
            let plan = plan(context, &table.rows)?;
            let kernels = &kernels[groups];
            let residuals = wgsl::residuals(kernels, formats, Slot::Point, Slot::Residuals).map_err(&out_of_range)?;
            let linearize = wgsl::linearize(kernels, formats).map_err(&out_of_range)?;
            let gradient = wgsl::gradient(kernels, formats, addition).map_err(&out_of_range)?;
            let product = wgsl::jtj_product(kernels, formats, addition).map_err(&out_of_range)?;
            let request = |module| Request::new(module, &plan, table.workgroups());
            add(Task::Residuals, request(residuals));
            add(Task::Linearize, request(linearize));
            add(Task::Gradient, request(gradient).instead(Slot::Sums, Slot::Gradient));
            add(Task::Product, request(product).instead(Slot::Sums, Slot::Image));
        }
        for class in lists.map_or(&[][..], |lists| &lists.classes) {
            let plan = plan(context, &[class.count, class.size, class.table, u32::from(!first)])?;
            let threads = u64::from(class.count) * u64::from(class.size);
            let (module, workgroups) = if class.long {
                (wgsl::gather_long(formats), u64::from(class.count))
            } else {
                (wgsl::gather(formats), threads.div_ceil(u64::from(WORKGROUP)))
            };
            add(Task::Gradient, Request::new(module.clone(), &plan, workgroups));
            add(Task::Product, Request::new(module, &plan, workgroups).instead(Slot::Gradient, Slot::Image));
        }
        let mut stages = [const { Vec::new() }; 4];
        for (task, stage) in tasks.into_iter().zip(compile(context, &requests, &self.buffers)?) {
            stages[task as usize].push(stage);
        }
        Ok(stages)
    }
}
