//! What a solve records: the kernels of each task, bound to the buffers of a problem.

use super::buffers::Buffers;
use super::classes::Classes;
use super::couplings::Couplings;
use super::layout::Layout;
use super::plans::{
    GroupDispatch, Spread, chunks, class_plan, group_dispatches, list_plan, manifold_plan, pair_plan,
    residual_dispatches, row_plan,
};
use super::settings::Settings;
use super::stage::{Request, Requests, Stage, out_of_range};
use crate::backend::gpu::{GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Damp, Formats, ITERATE_WORKGROUP, InverseRows, Jacobian, Module, Slot, WORKGROUP};
use crate::problem::CompiledProblem;
use crate::program::Retraction;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

/// A part of a solve. Those over instances take a dispatch or more for each shard. Up to `Examine` they are those of the evaluation at the
/// start, whose kernels are compiled before the others.
///
/// `Product` and `NormalProduct` are empty if blocks are eliminated or JᵀJ is assembled, `Direct`, `Complete` and `ReducedProduct` unless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    Linearize,
    TrialResiduals,
    Normal,
    /// Empty, as `Iterate` and `Finish`, unless JᵀJ is assembled: they are in place of `Start`, the products and `Update`.
    Assemble,
    Compare,
    StartCost,
    /// Empty unless there are bounds.
    Hold,
    Examine,
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

/// A problem whose buffers are made.
pub(super) struct Uploaded<'a> {
    pub context: &'a GpuContext,
    pub layout: &'a Layout,
    pub classes: &'a Classes,
    pub formats: Formats,
    /// What all shards share.
    pub buffers: &'a Buffers,
    pub shards: &'a [Buffers],
    pub manifolds: Manifolds<'a>,
    pub couplings: Option<Couplings>,
    /// Whether parameters have bounds.
    pub bounded: bool,
    /// For the diagonal blocks of the Schur complement, if they are the preconditioner.
    pub inverse_rows: Option<&'a InverseRows>,
    /// The module of the gradient and the diagonal blocks.
    pub normal: Arc<Module>,
}

/// The manifolds that blocks move on.
pub(super) struct Manifolds<'a> {
    pub retractions: Vec<&'a Retraction>,
    /// Number of blocks on each.
    pub counts: Vec<u32>,
    /// Where the blocks start on the device.
    pub buffers: Buffers,
}

impl<'a> Manifolds<'a> {
    pub fn new(context: &GpuContext, problem: &'a CompiledProblem, places: &[u32]) -> Result<Self, GpuError> {
        let mut manifolds = Manifolds { retractions: Vec::new(), counts: Vec::new(), buffers: Buffers::new(context) };
        let mut starts: Vec<u32> = Vec::new();
        for (retraction, blocks) in problem.steps().manifolds() {
            manifolds.retractions.push(retraction);
            manifolds.counts.push(blocks.len() as u32);
            starts.extend(blocks.iter().map(|&start| places[start as usize]));
        }
        if !starts.is_empty() {
            manifolds.buffers.upload(Slot::Indices, bytemuck::cast_slice(&starts))?;
        }
        Ok(manifolds)
    }
}

/// The kernels over the instances of some groups that the evaluation at the start takes.
pub(super) struct GroupModules {
    /// Indices of the groups.
    groups: Range<usize>,
    linearize: Arc<Module>,
    residuals: Arc<Module>,
}

impl GroupModules {
    /// Those of all groups.
    pub fn all(context: &GpuContext, kernels: &[&Kernel], formats: Formats) -> Result<Vec<Self>, GpuError> {
        let out_of_range = out_of_range(context);
        let modules = |groups: Range<usize>| {
            let kernels = &kernels[groups.clone()];
            let residuals = wgsl::objective(kernels, formats, Slot::TrialPoint, Slot::TrialResiduals);
            Ok(GroupModules {
                groups,
                linearize: wgsl::linearize(kernels, formats).map_err(&out_of_range)?.into(),
                residuals: residuals.map_err(&out_of_range)?.into(),
            })
        };
        chunks(kernels, formats.real).into_par_iter().map(modules).collect()
    }

    /// The modules themselves.
    pub fn each(&self) -> [&Module; 2] {
        [&self.linearize, &self.residuals]
    }
}

/// The kernels of the evaluation at the start that are the same for all problems: those that compare, find the cost, and examine.
pub(super) fn over_vectors_at_start(formats: Formats) -> [Module; 3] {
    [wgsl::compare(formats), wgsl::start_cost(formats), wgsl::examine(formats)]
}

impl Uploaded<'_> {
    /// The kernels of all tasks, which are compiled from now on; the number of generated statements too.
    pub fn stages(
        &self,
        kernels: &[&Kernel],
        over_groups: &[GroupModules],
        settings: &Settings,
    ) -> Result<([Vec<Stage>; TASKS], usize), GpuError> {
        let jacobian = self.jacobian(kernels);
        // Where kernels are known, to write their text is most of the work.
        type Make<'m, 'r> = &'m (dyn Fn(&mut Requests<'r>) -> Result<(), GpuError> + Sync);
        let parts: [Make<'_, '_>; 7] = [
            &|requests| self.over_groups(requests, kernels, over_groups, (settings, jacobian)),
            &|requests| self.over_lists(requests, kernels),
            &|requests| self.over_blocks(requests),
            &|requests| self.over_parts(requests, kernels, jacobian),
            &|requests| self.over_matrix(requests, kernels),
            &|requests| self.over_vectors(requests),
            &|requests| self.over_manifolds(requests),
        ];
        let made = parts.par_iter().map(|make| {
            let mut requests = Requests::default();
            make(&mut requests).map(|()| requests)
        });
        let mut requests = Requests::default();
        for part in made.collect::<Vec<_>>() {
            requests.append(part?);
        }
        let statements = requests.statements();
        Ok((requests.start(self.context, self.buffers)?, statements))
    }

    fn over_groups<'a>(
        &'a self,
        requests: &mut Requests<'a>,
        kernels: &[&Kernel],
        modules: &[GroupModules],
        (settings, jacobian): (&Settings, Jacobian),
    ) -> Result<(), GpuError> {
        let spread = Spread { tile: self.layout.tile(), batch: settings.batch_size, idle: settings.idle_workgroups };
        for GroupModules { groups, linearize, residuals } in modules {
            let product = wgsl::jacobian_product(&kernels[groups.clone()], self.formats);
            let product = product.map_err(out_of_range(self.context))?.into();
            let step_product = match jacobian {
                Jacobian::Stored => None,
                Jacobian::Computed => {
                    let module = wgsl::step_product(&kernels[groups.clone()], self.formats);
                    Some(module.map_err(out_of_range(self.context))?.into())
                }
            };
            for GroupDispatch { shard, plan, workgroups } in
                group_dispatches(self.context, self.layout, groups.clone(), spread)?
            {
                let request = |module| Request::new(module, &plan, workgroups).with(&self.shards[shard]);
                requests.add(Task::Linearize as usize, request(linearize));
                requests.add(Task::TrialResiduals as usize, request(residuals));
                if self.multiplies_by_jacobian() {
                    requests.add(Task::Product as usize, request(&product));
                }
                let plain = match &step_product {
                    Some(module) => request(module),
                    None => request(&product).instead(Slot::Preconditioned, Slot::Step),
                };
                requests.add(Task::PlainProduct as usize, plain);
            }
        }
        Ok(())
    }

    fn over_lists<'a>(&'a self, requests: &mut Requests<'a>, kernels: &[&Kernel]) -> Result<(), GpuError> {
        let (all, formats, out_of_range) = (self.classes.all(), self.formats, out_of_range(self.context));
        let workgroups = u64::from(all.list_workgroups());
        let product = match self.multiplies_by_jacobian() {
            true => Some(wgsl::image(kernels, &all.code, formats).map_err(&out_of_range)?.into()),
            false => None,
        };
        for (shard, buffers) in self.shards.iter().enumerate() {
            let plan = list_plan(self.context, &all, shard)?;
            requests.add(Task::Normal as usize, Request::new(&self.normal, &plan, workgroups).with(buffers));
            if let Some(product) = &product {
                requests.add(Task::NormalProduct as usize, Request::new(product, &plan, workgroups).with(buffers));
            }
        }
        Ok(())
    }

    /// Whether blocks are eliminated before the linear system is solved.
    fn eliminates(&self) -> bool {
        self.classes.eliminated() > 0
    }

    /// Where products with the Jacobian come from, if blocks are eliminated.
    fn jacobian(&self, kernels: &[&Kernel]) -> Jacobian {
        match self.eliminates() {
            true => wgsl::better_jacobian(kernels, &self.classes.code, self.formats),
            false => Jacobian::Stored,
        }
    }

    /// Whether conjugate gradients multiply by J, and by its transpose.
    fn multiplies_by_jacobian(&self) -> bool {
        !self.eliminates() && self.couplings.is_none()
    }

    /// Conjugate gradients with the assembled JᵀJ.
    fn over_matrix<'a>(&'a self, requests: &mut Requests<'a>, kernels: &[&Kernel]) -> Result<(), GpuError> {
        let Some(couplings) = &self.couplings else { return Ok(()) };
        let (code, formats, out_of_range) = (&self.classes.code, self.formats, out_of_range(self.context));
        let pairs = pair_plan(self.context, couplings)?;
        let assemble = wgsl::assemble(kernels, &couplings.code, formats).map_err(&out_of_range)?.into();
        let workgroups = couplings.pair_places.iter().map(|place| u64::from(place.workgroups)).sum();
        requests.add(Task::Assemble as usize, Request::new(&assemble, &pairs, workgroups).with(&self.shards[0]));
        let (plan, workgroups) = row_plan(self.context, couplings, |rows| rows.workgroups)?;
        let iterate = wgsl::iterate(code, &couplings.shapes(), formats).map_err(&out_of_range)?.into();
        requests.add(Task::Iterate as usize, Request::new(&iterate, &plan, workgroups));
        let (plan, workgroups) = row_plan(self.context, couplings, |rows| rows.count.div_ceil(ITERATE_WORKGROUP))?;
        let finish = wgsl::finish_iterate(code, formats).map_err(&out_of_range)?.into();
        requests.add(Task::Finish as usize, Request::new(&finish, &plan, workgroups));
        Ok(())
    }

    /// Conjugate gradients on the Schur complement.
    fn over_parts<'a>(
        &'a self,
        requests: &mut Requests<'a>,
        kernels: &[&Kernel],
        jacobian: Jacobian,
    ) -> Result<(), GpuError> {
        if !self.eliminates() {
            return Ok(());
        }
        let (kept, eliminated) = (self.classes.part(false), self.classes.part(true).without_partial_sums());
        let (formats, out_of_range) = (self.formats, out_of_range(self.context));
        let complete = wgsl::complete(kernels, &eliminated.code, formats, jacobian).map_err(&out_of_range)?.into();
        let product = wgsl::reduced_product(kernels, &kept.code, formats, jacobian).map_err(&out_of_range)?.into();
        if let Some(rows) = self.inverse_rows {
            let module = wgsl::eliminate(kernels, &kept.code, formats, rows).map_err(&out_of_range)?.into();
            for (shard, buffers) in self.shards.iter().enumerate() {
                let plan = list_plan(self.context, &kept, shard)?;
                let request = Request::new(&module, &plan, u64::from(kept.list_workgroups()));
                requests.add(Task::Eliminate as usize, request.with(buffers));
            }
            let bounded = self.bounded;
            for (task, part, also) in [
                (Task::Damp, &eliminated, Damp { bounded, inverse_rows: Some(rows), reduced: false }),
                (Task::DampReduced, &kept, Damp { bounded, inverse_rows: None, reduced: true }),
            ] {
                let module = wgsl::damp(&part.code, formats, also).map_err(&out_of_range)?.into();
                let plan = class_plan(self.context, &part.places)?;
                let request = Request::new(&module, &plan, u64::from(part.workgroups()));
                requests.add(task as usize, request.with(&self.shards[0]));
            }
        }
        for (shard, buffers) in self.shards.iter().enumerate() {
            for (module, selection, task, plain) in [
                (&complete, &eliminated, Task::Complete, Task::PlainComplete),
                (&product, &kept, Task::ReducedProduct, Task::PlainReducedProduct),
            ] {
                let plan = list_plan(self.context, selection, shard)?;
                let request = || Request::new(module, &plan, u64::from(selection.list_workgroups())).with(buffers);
                requests.add(task as usize, request());
                requests.add(plain as usize, request().instead(Slot::Direction, Slot::Step));
            }
        }
        let plan = class_plan(self.context, &kept.places)?;
        for (task, module) in [
            (Task::Direct, wgsl::direct(&kept.code, formats)),
            (Task::Start, wgsl::start(&kept.code, formats, true, self.bounded)),
            (Task::Update, wgsl::update(&kept.code, formats, self.bounded)),
        ] {
            let module = module.map_err(&out_of_range)?.into();
            let request = Request::new(&module, &plan, u64::from(kept.workgroups()));
            requests.add(task as usize, request.with(&self.shards[0]));
        }
        Ok(())
    }

    /// Over parameter blocks. Their tables are the same in all shards.
    fn over_blocks<'a>(&'a self, requests: &mut Requests<'a>) -> Result<(), GpuError> {
        let (code, formats, out_of_range) = (&self.classes.code, self.formats, out_of_range(self.context));
        let plan = class_plan(self.context, &self.classes.places)?;
        let bounded = self.bounded;
        let mut modules = vec![(Task::Advance, wgsl::advance(code, formats, bounded))];
        if self.inverse_rows.is_none() {
            modules.push((Task::Damp, wgsl::damp(code, formats, Damp { bounded, ..Damp::default() })));
        }
        if self.multiplies_by_jacobian() {
            modules.push((Task::Start, wgsl::start(code, formats, false, bounded)));
            modules.push((Task::Update, wgsl::update(code, formats, bounded)));
        }
        if self.couplings.is_some() {
            modules.push((Task::Start, wgsl::start_iterate(code, formats)));
        }
        for (task, module) in modules {
            let module = module.map_err(&out_of_range)?.into();
            let request = Request::new(&module, &plan, u64::from(self.classes.workgroups()));
            requests.add(task as usize, request.with(&self.shards[0]));
        }
        if bounded {
            let module = wgsl::hold(code, formats).map_err(&out_of_range)?.into();
            // Its partial results take the place of those along lists.
            let request = Request::new(&module, &plan, u64::from(self.classes.list_workgroups()));
            requests.add(Task::Hold as usize, request.with(&self.shards[0]));
        }
        Ok(())
    }

    /// Over the blocks on manifolds.
    fn over_manifolds<'a>(&'a self, requests: &mut Requests<'a>) -> Result<(), GpuError> {
        let Manifolds { retractions, counts, buffers } = &self.manifolds;
        if retractions.is_empty() {
            return Ok(());
        }
        let module = wgsl::retract(retractions, self.formats).map_err(out_of_range(self.context))?.into();
        let (plan, workgroups) = manifold_plan(self.context, counts)?;
        requests.add(Task::Retract as usize, Request::new(&module, &plan, workgroups).with(buffers));
        Ok(())
    }

    /// Over whole vectors, and the decisions.
    fn over_vectors<'a>(&'a self, requests: &mut Requests<'a>) -> Result<(), GpuError> {
        let [compare, start_cost, examine] = over_vectors_at_start(self.formats).map(Arc::new);
        let [decide, commit] = [wgsl::decide(self.formats), wgsl::commit(self.formats)].map(Arc::new);
        for (dispatch, buffers) in residual_dispatches(self.context, self.layout)?.iter().zip(self.shards) {
            let request = Request::new(&compare, &dispatch.plan, dispatch.workgroups);
            requests.add(Task::Compare as usize, request.with(buffers));
        }
        let parameter_workgroups = (self.layout.places.len() as u64).div_ceil(u64::from(WORKGROUP));
        for (task, module, workgroups) in [
            (Task::StartCost, start_cost, 1),
            (Task::Decide, decide, 1),
            (Task::Commit, commit, parameter_workgroups),
            (Task::Examine, examine, 1),
        ] {
            requests.add(task as usize, Request::without_plan(&module, workgroups));
        }
        Ok(())
    }
}
