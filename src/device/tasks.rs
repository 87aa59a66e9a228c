//! What a solve records, part by part, and the kernels of the evaluation at the start, bound to the buffers of a problem; those of the steps are in
//! [`steps`](super::steps).

use super::buffers::Buffers;
use super::classes::Classes;
use super::layout::Layout;
use super::plans::{GroupDispatch, Spread, chunks, class_plan, group_dispatches, list_plan, residual_dispatches};
use super::settings::Settings;
use super::stage::{Request, Requests, Stage, usable};
use crate::backend::gpu::{GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Formats, Module, OutOfRange, Slot};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// A part of a solve. Those over instances take a dispatch or more for each shard. Up to `Examine` they are those of the evaluation at the
/// start, which is made ready before the others.
///
/// `Product` and `NormalProduct` are empty if blocks are eliminated or JᵀJ is assembled, `Direct`, `Complete` and `ReducedProduct` unless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Linearize,
    /// Of the evaluation at the start only if there are losses.
    TrialResiduals,
    Normal,
    /// The terms of the cost at the start.
    StartCompare,
    StartCost,
    /// Empty unless there are bounds.
    Hold,
    Examine,
    Compare,
    /// Empty, as `Iterate` and `Finish`, unless JᵀJ is assembled: they are in place of `Start`, the products and `Update`.
    Assemble,
    Product,
    PlainProduct,
    Damp,
    /// Empty, as the next, unless the diagonal blocks of the Schur complement are the preconditioner: then `Damp` is over the eliminated
    /// blocks alone.
    Eliminate,
    DampReduced,
    Start,
    NormalProduct,
    Direct,
    Complete,
    PlainComplete,
    ReducedProduct,
    PlainReducedProduct,
    Update,
    Iterate,
    Finish,
    Advance,
    /// Empty unless there are blocks on manifolds.
    Retract,
    Decide,
    Commit,
}

/// Number of tasks.
pub(super) const TASKS: usize = Task::Commit as usize + 1;

/// Where a problem stands on a device.
#[derive(Clone, Copy)]
pub(super) struct Uploaded<'a> {
    pub context: &'a GpuContext,
    pub layout: &'a Layout,
    pub classes: &'a Classes,
    pub formats: Formats,
    /// What all shards share.
    pub buffers: &'a Buffers,
    pub shards: &'a [Buffers],
    /// Whether parameters have bounds.
    pub bounded: bool,
    /// Whether a residual block has a loss.
    pub losses: bool,
}

/// The kernels over the instances of some groups that the evaluation at the start takes, or would take if there were losses.
pub(super) struct GroupModules {
    /// Indices of the groups.
    pub(super) groups: Range<usize>,
    linearize: Arc<Module>,
    pub(super) residuals: Arc<Module>,
}

impl GroupModules {
    /// Those of all groups.
    pub fn all(context: &GpuContext, kernels: &[&Kernel], formats: Formats) -> Result<Vec<Self>, GpuError> {
        let modules = |groups: Range<usize>| {
            let kernels = &kernels[groups.clone()];
            let residuals = wgsl::objective(kernels, formats, Slot::TrialPoint, Slot::TrialResiduals);
            Ok(GroupModules {
                groups,
                linearize: usable(context, wgsl::linearize(kernels, formats))?,
                residuals: usable(context, residuals)?,
            })
        };
        chunks(kernels, formats.real).into_par_iter().map(modules).collect()
    }

    /// The product of the Jacobian with a vector, over the same instances.
    pub fn product(&self, kernels: &[&Kernel], formats: Formats) -> Result<Module, OutOfRange> {
        wgsl::jacobian_product(&kernels[self.groups.clone()], formats)
    }

    /// The modules that the evaluation at the start takes.
    pub fn at_start(&self, losses: bool) -> impl Iterator<Item = &Module> {
        [Some(&self.linearize), losses.then_some(&self.residuals)].into_iter().flatten().map(|module| &**module)
    }
}

/// The kernels of the evaluation at the start that are the same for all problems: those that compare, find the cost, and examine.
pub(super) fn over_vectors_at_start(formats: Formats) -> [Module; 3] {
    [wgsl::compare(formats), wgsl::start_cost(formats), wgsl::examine(formats)]
}

/// Stages of each task.
pub(super) type Stages = [Vec<Stage>; TASKS];

impl Uploaded<'_> {
    /// How instances are spread over dispatches.
    pub fn spread(&self, settings: &Settings) -> Spread {
        Spread { tile: self.layout.tile(), batch: settings.batch_size, idle: settings.idle_workgroups }
    }

    /// The kernels of the evaluation at the start, which are compiled from now on; the number of generated statements too. `normal`: that of the
    /// gradient and the diagonal blocks.
    pub fn evaluation(
        &self,
        over_groups: &[GroupModules],
        normal: &Arc<Module>,
        settings: &Settings,
    ) -> Result<(Stages, usize), GpuError> {
        let mut requests = Requests::default();
        for GroupModules { groups, linearize, residuals } in over_groups {
            for GroupDispatch { shard, plan, workgroups } in
                group_dispatches(self.context, self.layout, groups.clone(), self.spread(settings))?
            {
                let request = |module| Request::new(module, &plan, workgroups).with(&self.shards[shard]);
                requests.add(Task::Linearize as usize, request(linearize));
                // Without losses, what the cost is made of is what was linearized.
                if self.losses {
                    requests.add(Task::TrialResiduals as usize, request(residuals));
                }
            }
        }
        let all = self.classes.all();
        let workgroups = u64::from(all.list_workgroups());
        for (shard, buffers) in self.shards.iter().enumerate() {
            let plan = list_plan(self.context, &all, shard)?;
            requests.add(Task::Normal as usize, Request::new(normal, &plan, workgroups).with(buffers));
        }
        let [compare, start_cost, examine] = over_vectors_at_start(self.formats).map(Arc::new);
        for (dispatch, buffers) in residual_dispatches(self.context, self.layout)?.iter().zip(self.shards) {
            let request = Request::new(&compare, &dispatch.plan, dispatch.workgroups).with(buffers);
            let request = if self.losses { request } else { request.instead(Slot::TrialResiduals, Slot::Residuals) };
            requests.add(Task::StartCompare as usize, request);
        }
        requests.add(Task::StartCost as usize, Request::without_plan(&start_cost, 1));
        if self.bounded {
            let hold = usable(self.context, wgsl::hold(&self.classes.code, self.formats))?;
            let plan = class_plan(self.context, &self.classes.places)?;
            // Its partial results take the place of those along lists.
            requests.add(Task::Hold as usize, Request::new(&hold, &plan, workgroups).with(&self.shards[0]));
        }
        requests.add(Task::Examine as usize, Request::without_plan(&examine, 1));
        let statements = requests.statements();
        Ok((requests.start(self.context, &[self.buffers])?, statements))
    }
}
