//! What the steps take beyond the evaluation at the start: made ready while a device evaluates.

use super::buffers::Buffers;
use super::couplings::Couplings;
use super::laid_out::Sorted;
use super::lists::write_words;
use super::plans::{
    GroupDispatch, class_plan, group_dispatches, list_plan, manifold_plan, pair_plan, residual_dispatches, row_plan,
};
use super::settings::{Counts, Settings};
use super::stage::{Request, Requests, usable};
use super::tasks::{GroupModules, Stages, Task, Uploaded};
use crate::backend::gpu::{GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Damp, ITERATE_WORKGROUP, InverseRows, Jacobian, Slot, WORKGROUP};
use crate::problem::CompiledProblem;
use crate::program::Retraction;
use rayon::prelude::*;

/// Kernels of the steps, and what only they read and write.
pub(super) struct Steps {
    /// What all shards share.
    pub buffers: Buffers,
    /// Where blocks on manifolds start: kept as long as it is bound.
    _starts: Buffers,
    pub stages: Stages,
    /// What settings are written down with.
    pub counts: Counts,
    pub schur_jacobi: bool,
    /// Generated statements over all kernels.
    pub statements: usize,
}

impl Steps {
    /// Makes them ready; the kernels may go on compiling in the background.
    pub fn new(
        uploaded: Uploaded<'_>,
        over_groups: &[GroupModules],
        problem: &CompiledProblem,
        settings: &Settings,
        sorted: Sorted,
    ) -> Result<Self, GpuError> {
        let Uploaded { context, layout, classes, formats, .. } = uploaded;
        let kernels: Vec<&Kernel> = problem.groups.iter().map(|group| &*group.kernel).collect();
        let mut buffers = Buffers::new(context);
        let couplings = sorted.couplings(context, &problem.groups, formats.real);
        let mut counts = Counts::new(layout, classes, uploaded.bounded);
        if let Some(couplings) = &couplings {
            couplings.make_buffers(&mut buffers, layout.places.len(), formats.real)?;
            counts.iterate_partials = couplings.workgroups();
            // The evaluation at the start, which may be under way, does not look at what is new of it.
            uploaded.buffers.get(Slot::Solve).write(0, bytemuck::cast_slice(&settings.words(&counts)))?;
        }
        let inverse_rows = classes.inverse_rows().filter(|_| settings.schur_jacobi);
        let rows_len = inverse_rows.as_ref().map_or(0, InverseRows::width) * layout.places.len();
        // A binding of a browser holds those of a million points.
        let fits = (rows_len * formats.real.bytes()) as u64 <= context.max_binding_bytes();
        let inverse_rows = inverse_rows.filter(|_| fits);
        if inverse_rows.is_some() {
            buffers.zeros(Slot::InverseRows, rows_len, formats.real)?;
        }
        let manifolds = Manifolds::new(context, problem, &layout.places)?;
        let parts = Parts {
            uploaded,
            over_groups,
            buffers: &buffers,
            manifolds: &manifolds,
            couplings: couplings.as_ref(),
            inverse_rows: inverse_rows.as_ref(),
        };
        let (stages, written) = rayon::join(
            || parts.stages(&kernels, settings),
            || couplings.as_ref().map_or(Ok(()), |couplings| write_tables(couplings, &buffers)),
        );
        written?;
        let (stages, statements) = stages?;
        // Nobody waits for this.
        rayon::spawn(move || drop((sorted, couplings)));
        let starts = manifolds.buffers;
        Ok(Steps { _starts: starts, stages, counts, schur_jacobi: inverse_rows.is_some(), statements, buffers })
    }
}

/// Makes the tables of an assembled JᵀJ where the device reads them.
fn write_tables(couplings: &Couplings, buffers: &Buffers) -> Result<(), GpuError> {
    let tables = &couplings.tables;
    write_words(buffers.get(Slot::Pairs), &|words, f| tables.make_pairs(words, f))?;
    write_words(buffers.get(Slot::Columns), &|words, f| tables.make_columns(words, f))
}

/// What the kernels of the steps depend on.
struct Parts<'a> {
    uploaded: Uploaded<'a>,
    /// Those over groups that the evaluation at the start has, or may have.
    over_groups: &'a [GroupModules],
    /// Those that only steps use.
    buffers: &'a Buffers,
    manifolds: &'a Manifolds<'a>,
    couplings: Option<&'a Couplings>,
    /// For the diagonal blocks of the Schur complement, if they are the preconditioner.
    inverse_rows: Option<&'a InverseRows>,
}

/// The manifolds that blocks move on.
struct Manifolds<'a> {
    retractions: Vec<&'a Retraction>,
    /// Number of blocks on each.
    counts: Vec<u32>,
    /// Where the blocks start on the device.
    buffers: Buffers,
}

impl<'a> Manifolds<'a> {
    fn new(context: &GpuContext, problem: &'a CompiledProblem, places: &[u32]) -> Result<Self, GpuError> {
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

impl Parts<'_> {
    /// The kernels of all tasks, which are compiled from now on; the number of generated statements too.
    fn stages(&self, kernels: &[&Kernel], settings: &Settings) -> Result<(Stages, usize), GpuError> {
        let jacobian = self.jacobian(kernels);
        // Where kernels are known, to write their text is most of the work.
        type Make<'m, 'r> = &'m (dyn Fn(&mut Requests<'r>) -> Result<(), GpuError> + Sync);
        let parts: [Make<'_, '_>; 7] = [
            &|requests| self.over_groups(requests, kernels, settings, jacobian),
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
        Ok((requests.start(self.uploaded.context, &[self.buffers, self.uploaded.buffers])?, statements))
    }

    fn over_groups<'a>(
        &'a self,
        requests: &mut Requests<'a>,
        kernels: &[&Kernel],
        settings: &Settings,
        jacobian: Jacobian,
    ) -> Result<(), GpuError> {
        let Uploaded { context, layout, formats, shards, losses, .. } = self.uploaded;
        for GroupModules { groups, residuals, .. } in self.over_groups {
            let product = wgsl::jacobian_product(&kernels[groups.clone()], formats);
            let product = usable(context, product)?;
            let step_product = match jacobian {
                Jacobian::Stored => None,
                Jacobian::Computed => {
                    let module = wgsl::step_product(&kernels[groups.clone()], formats);
                    Some(usable(context, module)?)
                }
            };
            for GroupDispatch { shard, plan, workgroups } in
                group_dispatches(context, layout, groups.clone(), self.uploaded.spread(settings))?
            {
                let request = |module| Request::new(module, &plan, workgroups).with(&shards[shard]);
                if !losses {
                    requests.add(Task::TrialResiduals as usize, request(residuals));
                }
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
        if !self.multiplies_by_jacobian() {
            return Ok(());
        }
        let Uploaded { context, classes, formats, shards, .. } = self.uploaded;
        let all = classes.all();
        let product = usable(context, wgsl::image(kernels, &all.code, formats))?;
        for (shard, buffers) in shards.iter().enumerate() {
            let plan = list_plan(context, &all, shard)?;
            let request = Request::new(&product, &plan, u64::from(all.list_workgroups()));
            requests.add(Task::NormalProduct as usize, request.with(buffers));
        }
        Ok(())
    }

    /// Whether blocks are eliminated before the linear system is solved.
    fn eliminates(&self) -> bool {
        self.uploaded.classes.eliminated() > 0
    }

    /// Where products with the Jacobian come from, if blocks are eliminated.
    fn jacobian(&self, kernels: &[&Kernel]) -> Jacobian {
        let Uploaded { classes, formats, .. } = self.uploaded;
        match self.eliminates() {
            true => wgsl::better_jacobian(kernels, &classes.code, formats),
            false => Jacobian::Stored,
        }
    }

    /// Whether conjugate gradients multiply by J, and by its transpose.
    fn multiplies_by_jacobian(&self) -> bool {
        !self.eliminates() && self.couplings.is_none()
    }

    /// Conjugate gradients with the assembled JᵀJ.
    fn over_matrix<'a>(&'a self, requests: &mut Requests<'a>, kernels: &[&Kernel]) -> Result<(), GpuError> {
        let Uploaded { context, classes, formats, shards, .. } = self.uploaded;
        let Some(couplings) = &self.couplings else { return Ok(()) };
        let code = &classes.code;
        let pairs = pair_plan(context, couplings)?;
        let assemble = usable(context, wgsl::assemble(kernels, &couplings.code, formats))?;
        let workgroups = couplings.pair_places.iter().map(|place| u64::from(place.workgroups)).sum();
        requests.add(Task::Assemble as usize, Request::new(&assemble, &pairs, workgroups).with(&shards[0]));
        let (plan, workgroups) = row_plan(context, couplings, |rows| rows.workgroups)?;
        let iterate = usable(context, wgsl::iterate(code, &couplings.shapes(), formats))?;
        requests.add(Task::Iterate as usize, Request::new(&iterate, &plan, workgroups));
        let (plan, workgroups) = row_plan(context, couplings, |rows| rows.count.div_ceil(ITERATE_WORKGROUP))?;
        let finish = usable(context, wgsl::finish_iterate(code, formats))?;
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
        let Uploaded { context, classes, formats, shards, bounded, .. } = self.uploaded;
        if !self.eliminates() {
            return Ok(());
        }
        let (kept, eliminated) = (classes.part(false), classes.part(true).without_partial_sums());
        let complete = usable(context, wgsl::complete(kernels, &eliminated.code, formats, jacobian))?;
        let product = usable(context, wgsl::reduced_product(kernels, &kept.code, formats, jacobian))?;
        if let Some(rows) = self.inverse_rows {
            let module = usable(context, wgsl::eliminate(kernels, &kept.code, formats, rows))?;
            for (shard, buffers) in shards.iter().enumerate() {
                let plan = list_plan(context, &kept, shard)?;
                let request = Request::new(&module, &plan, u64::from(kept.list_workgroups()));
                requests.add(Task::Eliminate as usize, request.with(buffers));
            }
            for (task, part, also) in [
                (Task::Damp, &eliminated, Damp { bounded, inverse_rows: Some(rows), reduced: false }),
                (Task::DampReduced, &kept, Damp { bounded, inverse_rows: None, reduced: true }),
            ] {
                let module = usable(context, wgsl::damp(&part.code, formats, also))?;
                let plan = class_plan(context, &part.places)?;
                let request = Request::new(&module, &plan, u64::from(part.workgroups()));
                requests.add(task as usize, request.with(&shards[0]));
            }
        }
        for (shard, buffers) in shards.iter().enumerate() {
            for (module, selection, task, plain) in [
                (&complete, &eliminated, Task::Complete, Task::PlainComplete),
                (&product, &kept, Task::ReducedProduct, Task::PlainReducedProduct),
            ] {
                let plan = list_plan(context, selection, shard)?;
                let request = || Request::new(module, &plan, u64::from(selection.list_workgroups())).with(buffers);
                requests.add(task as usize, request());
                requests.add(plain as usize, request().instead(Slot::Direction, Slot::Step));
            }
        }
        let plan = class_plan(context, &kept.places)?;
        for (task, module) in [
            (Task::Direct, wgsl::direct(&kept.code, formats)),
            (Task::Start, wgsl::start(&kept.code, formats, true, bounded)),
            (Task::Update, wgsl::update(&kept.code, formats, bounded)),
        ] {
            let module = usable(context, module)?;
            let request = Request::new(&module, &plan, u64::from(kept.workgroups()));
            requests.add(task as usize, request.with(&shards[0]));
        }
        Ok(())
    }

    /// Over parameter blocks. Their tables are the same in all shards.
    fn over_blocks<'a>(&'a self, requests: &mut Requests<'a>) -> Result<(), GpuError> {
        let Uploaded { context, classes, formats, shards, bounded, .. } = self.uploaded;
        let code = &classes.code;
        let plan = class_plan(context, &classes.places)?;
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
            let module = usable(context, module)?;
            let request = Request::new(&module, &plan, u64::from(classes.workgroups()));
            requests.add(task as usize, request.with(&shards[0]));
        }
        Ok(())
    }

    /// Over the blocks on manifolds.
    fn over_manifolds<'a>(&'a self, requests: &mut Requests<'a>) -> Result<(), GpuError> {
        let Uploaded { context, formats, .. } = self.uploaded;
        let Manifolds { retractions, counts, buffers } = &self.manifolds;
        if retractions.is_empty() {
            return Ok(());
        }
        let module = usable(context, wgsl::retract(retractions, formats))?;
        let (plan, workgroups) = manifold_plan(context, counts)?;
        requests.add(Task::Retract as usize, Request::new(&module, &plan, workgroups).with(buffers));
        Ok(())
    }

    /// Over whole vectors, and the decisions.
    fn over_vectors<'a>(&'a self, requests: &mut Requests<'a>) -> Result<(), GpuError> {
        let Uploaded { context, layout, formats, shards, .. } = self.uploaded;
        let parameter_workgroups = (layout.places.len() as u64).div_ceil(u64::from(WORKGROUP));
        let compare = wgsl::compare(formats).into();
        for (dispatch, buffers) in residual_dispatches(context, layout)?.iter().zip(shards) {
            let request = Request::new(&compare, &dispatch.plan, dispatch.workgroups);
            requests.add(Task::Compare as usize, request.with(buffers));
        }
        requests.add(Task::Decide as usize, Request::without_plan(&wgsl::decide(formats).into(), 1));
        requests.add(Task::Commit as usize, Request::without_plan(&wgsl::commit(formats).into(), parameter_workgroups));
        Ok(())
    }
}
