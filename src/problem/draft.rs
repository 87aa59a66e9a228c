//! The two halves of compiling a problem: its kernels, and then the order of its blocks and instances.

use super::compiled::CompiledProblem;
use super::specialize::{Part, Specializer};
use super::{GroupInstances, Problem, ProblemError, Steps, locality};
use crate::backend::{Group, pieces};
use crate::kernel::{CompileStatistics, compile};
use std::sync::OnceLock;
use std::time::Duration;
use web_time::Instant;

/// Groups of at least this many instances have data that are equal over all of them folded into the kernel.
///
/// A lone instance agrees with itself in everything: its kernel would hold its numbers and serve nobody else.
const LITERALS_FROM: usize = 2;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// Groups with their names, whatever the order of their instances.
#[cfg(feature = "gpu")]
#[derive(Clone, Copy)]
pub(crate) struct NamedGroups<'a> {
    pub all: &'a [Group],
    pub(super) names: &'a [Option<String>],
}

#[cfg(feature = "gpu")]
impl NamedGroups<'_> {
    /// Number of scalar residuals.
    pub fn residuals(&self) -> usize {
        self.all.last().map_or(0, |group| group.rows.end)
    }

    /// A group by number and name.
    pub fn title(&self, group: usize) -> String {
        self.names[group].as_ref().map_or_else(|| group.to_string(), |name| format!("{group} (\"{name}\")"))
    }
}

/// A problem whose kernels are compiled, and whose instances are as they were added: what a solver chooses a device by, and has kernels for it
/// compiled, before anybody waits for orders.
pub(crate) struct Draft<'p> {
    problem: &'p Problem,
    /// In the order of the compiled problem.
    groups: Vec<Group>,
    /// The instances of each group, as they were added.
    instances: Vec<GroupInstances>,
    /// The instances of each topology, likewise.
    topologies: Vec<GroupInstances>,
    names: Vec<Option<String>>,
    statistics: CompileStatistics,
    /// Time it took.
    time: Duration,
}

impl Problem {
    /// Compiles every group; kernels that this process made before are taken from the cache.
    ///
    /// # Errors
    /// [`ProblemError::Empty`] if there is no residual.
    pub fn compile(&self) -> Result<CompiledProblem, ProblemError> {
        Ok(self.draft()?.ordered())
    }

    /// The first half of [`Problem::compile`].
    pub(crate) fn draft(&self) -> Result<Draft<'_>, ProblemError> {
        Draft::new(self, &Specializer::new(self))
    }

    /// As [`Problem::compile`], for the residuals themselves.
    pub(super) fn compile_without_losses(&self) -> Result<CompiledProblem, ProblemError> {
        Ok(Draft::new(self, &Specializer::without_losses(self))?.ordered())
    }
}

impl<'p> Draft<'p> {
    fn new(problem: &'p Problem, specializer: &Specializer<'_>) -> Result<Self, ProblemError> {
        if problem.residual_blocks == 0 {
            return Err(ProblemError::Empty { what: "residuals" });
        }
        let start = Instant::now();
        let mut statistics = CompileStatistics::default();
        let (mut rows, mut stored) = (0, 0);
        let (mut groups, mut instances, mut names) = (Vec::new(), Vec::new(), Vec::new());
        let topologies: Vec<GroupInstances> = problem.groups.iter().map(GroupInstances::as_added).collect();
        // A residual that was refused may have left a topology without instances.
        let inhabited = problem.registry.topologies().iter().zip(&topologies).filter(|(_, all)| all.table.count > 0);
        let parts =
            inhabited.flat_map(|(topology, all)| specializer.parts(all).into_iter().map(move |part| (topology, part)));
        for (topology, Part { instances: some, mut specialization }) in parts {
            let table = &some.table;
            specialization.literals =
                table.data.iter().map(|c| c.uniform().filter(|_| table.count >= LITERALS_FROM)).collect();
            let (kernel, hit) = compile(topology, &specialization);
            statistics.kernels += 1;
            statistics.instances += table.count;
            statistics.cache_hits += usize::from(hit);
            let (first_row, first_stored) = (rows, stored);
            rows += table.count * kernel.residuals();
            stored += table.count * kernel.stored();
            groups.push(Group { kernel, table: table.clone(), rows: first_row..rows, stored: first_stored..stored });
            names.push(problem.name(some.residual_blocks[0] as usize).map(str::to_owned));
            instances.push(some.into_owned());
        }
        Ok(Draft { problem, groups, instances, topologies, names, statistics, time: start.elapsed() })
    }

    /// The groups, their instances as they were added.
    #[cfg(feature = "gpu")]
    pub fn groups(&self) -> NamedGroups<'_> {
        NamedGroups { all: &self.groups, names: &self.names }
    }

    /// As [`ordered`](Self::ordered); `meanwhile` sees the groups, their instances as they were added.
    #[cfg(feature = "gpu")]
    pub fn ordered_while<T: Send>(self, meanwhile: impl FnOnce(&[Group]) -> T + Send) -> (CompiledProblem, T) {
        let groups = self.groups.clone();
        let (seen, compiled) = rayon::join(|| meanwhile(&groups), || self.ordered());
        (compiled, seen)
    }

    /// Leaves blocks and instances in the order in which they were stated: for a device that finds orders itself.
    #[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
    pub fn left_as_stated(self) -> CompiledProblem {
        let start = Instant::now();
        let block_order = pieces::map(self.problem.parameters.blocks(), STRETCH, |block| block as u32);
        let compiled = self.arranged(start, block_order, GroupInstances::clone);
        CompiledProblem { is_in_order: false, ..compiled }
    }

    /// Finds the orders of blocks and instances, which is the second half of [`Problem::compile`].
    pub fn ordered(self) -> CompiledProblem {
        let start = Instant::now();
        let starts = locality::Blocks::new(self.problem.parameters.offsets());
        let order = locality::block_order(self.topologies.iter().map(|g| &*g.table), &starts);
        let first_hub = (order.blocks.len() - order.hubs) as u32;
        let ranks = locality::ranks(&order.blocks);
        let in_order = |added: &GroupInstances| {
            let order = locality::instance_order(&added.table, &starts, &ranks, first_hub);
            order.map_or_else(|| added.clone(), |order| added.picked(order))
        };
        self.arranged(start, order.blocks, in_order)
    }

    /// With blocks in this order, and instances as `in_order` puts those of a group.
    fn arranged(
        self,
        start: Instant,
        block_order: Vec<u32>,
        in_order: impl Fn(&GroupInstances) -> GroupInstances + Sync + Send,
    ) -> CompiledProblem {
        let Draft { problem, mut groups, instances, names, statistics, time, .. } = self;
        let ordered = pieces::each(&instances, problem.residual_blocks, STRETCH, in_order);
        let mut residual_blocks = Vec::with_capacity(groups.len());
        for (group, ordered) in groups.iter_mut().zip(ordered) {
            group.table = ordered.table;
            residual_blocks.push(ordered.residual_blocks);
        }
        CompiledProblem {
            residuals: groups.last().map_or(0, |group| group.rows.end),
            stored: groups.last().map_or(0, |group| group.stored.end),
            groups,
            statistics,
            steps: Steps::new(&problem.parameters),
            names,
            block_rows: OnceLock::new(),
            residual_blocks,
            block_order,
            is_in_order: true,
            compile_time: time + start.elapsed(),
        }
    }
}
