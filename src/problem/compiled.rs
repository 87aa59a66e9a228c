//! A problem made ready for evaluation: one kernel a group, rows laid out group by group.

#[cfg(feature = "gpu")]
use super::draft::NamedGroups;
use super::{ProblemError, Steps, locality};
use crate::backend::{Group, cpu::Cpu, pieces};
use crate::kernel::CompileStatistics;
use crate::value::ValueError;
use rayon::prelude::*;
use serde::Serialize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The groups of a problem with their kernels.
///
/// Residuals stand group by group, in a group instance by instance, and instances near others that share their parameter blocks;
/// [`CompiledProblem::row_of`] finds a residual block.
#[derive(Debug, Clone)]
pub struct CompiledProblem {
    /// Groups in the order their first residual was added.
    pub groups: Vec<Group>,
    /// Kernels, instances and cache hits.
    pub statistics: CompileStatistics,
    /// Time spent in compiling.
    pub compile_time: Duration,
    pub(super) residuals: usize,
    pub(super) stored: usize,
    pub(super) steps: Steps,
    /// Where the residuals of each residual block begin, once somebody asked.
    pub(super) block_rows: OnceLock<Vec<u32>>,
    /// For each group which residual blocks its instances are.
    pub(super) residual_blocks: Vec<Arc<Vec<u32>>>,
    /// Parameter blocks in an order in which those that share residuals lie together.
    pub(super) block_order: Vec<u32>,
    /// Whether it and the instances are in that order, and not as they were stated.
    pub(super) is_in_order: bool,
    pub(super) names: Vec<Option<String>>,
}

/// Residuals, and the numbers stored for the Jacobian.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// Residuals in the layout of the [`CompiledProblem`].
    pub residuals: Vec<f64>,
    /// Per group and instance the stored numbers that the group's
    /// [`Linearization`](crate::program::Linearization) refers to; empty if only residuals were asked for.
    pub stored: Vec<f64>,
    /// What the cost is half the squared sum of, in the layout of the residuals, if that was asked for and is not the residuals; else empty.
    pub objective: Vec<f64>,
}

/// A residual or a Jacobian entry that is NaN or infinite.
#[derive(Debug, Clone, PartialEq, Serialize, thiserror::Error)]
#[error("residual group {group}{}, instance {instance} (residual block {residual_block}): {reason}", quoted(.name))]
pub struct NonFiniteResidual {
    /// Index of the group.
    pub group: usize,
    /// Name of the group, if its residual blocks were named.
    pub name: Option<String>,
    /// Instance in the group.
    pub instance: usize,
    /// Index of the residual block in the problem.
    pub residual_block: usize,
    /// The operation that left its domain.
    pub reason: String,
}

fn quoted(name: &Option<String>) -> String {
    name.as_ref().map_or(String::new(), |name| format!(" (\"{name}\")"))
}

/// Residuals of which one thread sums the squares.
pub(crate) const SUMMED_TOGETHER: usize = 4096;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 13;

impl CompiledProblem {
    /// Number of scalar residuals.
    pub fn residuals(&self) -> usize {
        self.residuals
    }

    /// Number of scalar parameters, fixed ones included.
    pub fn parameters(&self) -> usize {
        self.steps.ambient()
    }

    /// How the blocks move.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The groups with their names.
    #[cfg(feature = "gpu")]
    pub(crate) fn named_groups(&self) -> NamedGroups<'_> {
        NamedGroups { all: &self.groups, names: &self.names }
    }

    /// Whether a residual block has a robust loss.
    pub fn has_losses(&self) -> bool {
        self.groups.iter().any(|group| group.kernel.objective.is_some())
    }

    /// Whether blocks and instances were put in order. If they were not, a device found the order itself.
    pub(crate) fn is_in_order(&self) -> bool {
        self.is_in_order
    }

    /// Numbers stored for the Jacobian: entries that are neither zero nor constant, those of opposite sign once.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// The name of a group, if its residual blocks were named.
    pub fn name(&self, group: usize) -> Option<&str> {
        self.names[group].as_deref()
    }

    /// The residual block behind an instance of a group.
    pub(crate) fn residual_block(&self, group: usize, instance: usize) -> usize {
        self.residual_blocks[group][instance] as usize
    }

    /// Where the residuals of each residual block begin.
    fn block_rows(&self) -> &[u32] {
        if let Some(rows) = self.block_rows.get() {
            return rows;
        }
        let count = self.residual_blocks.iter().map(|blocks| blocks.len()).sum();
        let rows = locality::zeros(count);
        let numbered: Vec<(&Group, &Arc<Vec<u32>>)> = self.groups.iter().zip(&self.residual_blocks).collect();
        pieces::each(&numbered, count, STRETCH, |(group, blocks)| {
            pieces::for_each(blocks.len(), STRETCH, |instance| {
                let row = group.rows.start + instance * group.kernel.residuals();
                rows[blocks[instance] as usize].store(row as u32, Relaxed);
            });
        });
        // Outside the lock: who waits for other threads here may be given work that asks too.
        let rows = locality::numbers(rows);
        self.block_rows.get_or_init(|| rows)
    }

    /// Where the residuals of a residual block begin.
    pub fn row_of(&self, residual_block: usize) -> Option<usize> {
        self.block_rows().get(residual_block).map(|&row| row as usize)
    }

    /// Where the residuals of each residual block begin.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = usize> {
        self.block_rows().iter().map(|&row| row as usize)
    }

    /// Parameter blocks in an order in which those that share residuals lie together.
    pub fn block_order(&self) -> &[u32] {
        &self.block_order
    }

    /// Calls `f(row, component, derivative)` for every entry of the Jacobian, fixed parameters included. Components are those of a
    /// step over all blocks ([`Steps`]): the parameters themselves, where no block is on a manifold.
    pub fn for_each_entry(&self, evaluation: &Evaluation, mut f: impl FnMut(usize, usize, f64)) {
        for group in &self.groups {
            let (width, stored) = (group.kernel.residuals(), group.kernel.stored());
            for instance in 0..group.table.count {
                let row = group.rows.start + instance * width;
                let numbers = &evaluation.stored[group.stored.start + instance * stored..][..stored];
                for entry in &group.kernel.linearization.entries {
                    let start = group.table.blocks[entry.block as usize][instance];
                    let derivative = entry.factor * entry.stored.map_or(1.0, |k| numbers[k as usize]);
                    let start = self.steps.start(start);
                    f(row + entry.residual as usize, start + entry.component as usize, derivative);
                }
            }
        }
    }

    /// Decrease of the cost that the linear model predicts for a step over all blocks: −(Jδ)ᵀ(r + ½Jδ).
    pub fn model_cost_change(&self, evaluation: &Evaluation, step: &[f64]) -> f64 {
        const INSTANCES: usize = 1024;
        let of_instances = |group: &Group, instances: std::ops::Range<usize>| -> f64 {
            let (width, stored) = (group.kernel.residuals(), group.kernel.stored());
            let mut change = 0.0;
            let mut product = vec![0.0; width];
            for instance in instances {
                product.fill(0.0);
                let numbers = &evaluation.stored[group.stored.start + instance * stored..][..stored];
                for entry in &group.kernel.linearization.entries {
                    let start = group.table.blocks[entry.block as usize][instance];
                    let derivative = entry.factor * entry.stored.map_or(1.0, |k| numbers[k as usize]);
                    product[entry.residual as usize] +=
                        derivative * step[self.steps.start(start) + entry.component as usize];
                }
                let residuals = &evaluation.residuals[group.rows.start + instance * width..];
                change += product.iter().zip(residuals).map(|(p, r)| p * (r + 0.5 * p)).sum::<f64>();
            }
            change
        };
        // Chunks of fixed size, so that the sum does not depend on the number of threads.
        let mut change = 0.0;
        for group in &self.groups {
            let count = group.table.count;
            let chunk = |k: usize| k * INSTANCES..((k + 1) * INSTANCES).min(count);
            let sums = pieces::map(count.div_ceil(INSTANCES), 1, |k| of_instances(group, chunk(k)));
            change += sums.iter().sum::<f64>();
        }
        -change
    }

    /// Bytes of the instance tables, the row numbers, the residuals and the stored Jacobian.
    pub fn bytes(&self) -> usize {
        let tables: usize = self.groups.iter().map(|g| g.table.bytes()).sum();
        let residual_blocks: usize = self.residual_blocks.iter().map(|blocks| blocks.capacity()).sum();
        let blocks = residual_blocks + self.block_rows.get().map_or(0, Vec::len) + self.block_order.len();
        tables + blocks * size_of::<u32>() + (self.residuals + self.stored) * size_of::<f64>()
    }

    /// An evaluation of the right size.
    pub fn new_evaluation(&self) -> Evaluation {
        Evaluation { residuals: vec![0.0; self.residuals], stored: vec![0.0; self.stored], objective: Vec::new() }
    }

    /// Evaluates the residuals at `x`, on the threads of the present rayon pool.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`] if `x` has the wrong length.
    pub fn evaluate_residuals(&self, x: &[f64], evaluation: &mut Evaluation) -> Result<(), ProblemError> {
        self.check(x)?;
        make_room(&mut evaluation.residuals, self.residuals);
        evaluation.objective.clear();
        Cpu.residuals(&self.groups, x, &mut evaluation.residuals);
        Ok(())
    }

    /// Evaluates at `x` what the cost is half the squared sum of, on the threads of the present rayon pool: the residuals, and for a
    /// residual block with a loss ρ one number √ρ(‖r‖²) and zeros.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`] if `x` has the wrong length.
    pub fn evaluate_objective(&self, x: &[f64], evaluation: &mut Evaluation) -> Result<(), ProblemError> {
        self.check(x)?;
        make_room(&mut evaluation.residuals, self.residuals);
        evaluation.objective.clear();
        Cpu.objective(&self.groups, x, &mut evaluation.residuals);
        Ok(())
    }

    /// Evaluates residuals and Jacobian at `x`, corrected for the losses, on the threads of the present rayon pool.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`] if `x` has the wrong length.
    pub fn linearize(&self, x: &[f64], evaluation: &mut Evaluation) -> Result<(), ProblemError> {
        evaluation.objective.clear();
        self.linearize_to(x, evaluation)
    }

    /// As [`CompiledProblem::linearize`], and what [`CompiledProblem::evaluate_objective`] gives, in one pass: [`Evaluation::cost`] is the
    /// cost then.
    ///
    /// # Errors
    /// [`ProblemError::ParameterCount`] if `x` has the wrong length.
    pub fn linearize_with_objective(&self, x: &[f64], evaluation: &mut Evaluation) -> Result<(), ProblemError> {
        make_room(&mut evaluation.objective, if self.has_losses() { self.residuals } else { 0 });
        self.linearize_to(x, evaluation)
    }

    fn linearize_to(&self, x: &[f64], evaluation: &mut Evaluation) -> Result<(), ProblemError> {
        self.check(x)?;
        make_room(&mut evaluation.residuals, self.residuals);
        make_room(&mut evaluation.stored, self.stored);
        let Evaluation { residuals, stored, objective } = evaluation;
        Cpu.linearize(&self.groups, x, residuals, stored, objective);
        Ok(())
    }

    fn check(&self, x: &[f64]) -> Result<(), ProblemError> {
        let (expected, found) = (self.parameters(), x.len());
        if found == expected { Ok(()) } else { Err(ProblemError::ParameterCount { expected, found }) }
    }

    /// The first residual, or Jacobian row, that is not finite, with the operation that made it so.
    pub fn find_non_finite(&self, x: &[f64], evaluation: &Evaluation) -> Option<NonFiniteResidual> {
        for (index, group) in self.groups.iter().enumerate() {
            let (width, stored) = (group.kernel.residuals(), group.kernel.stored());
            for instance in 0..group.table.count {
                let row = group.rows.start + instance * width;
                let entry = group.stored.start + instance * stored;
                let entries = evaluation.stored.get(entry..entry + stored).unwrap_or(&[]);
                let objective = evaluation.objective.get(row..row + width).unwrap_or(&[]);
                let residuals = &evaluation.residuals[row..row + width];
                if residuals.iter().chain(entries).chain(objective).all(|r| r.is_finite()) {
                    continue;
                }
                return Some(self.non_finite_residual(index, instance, &group.parameters(instance, x)));
            }
        }
        None
    }

    /// Names an instance that is not finite at these parameters, with the operation that made it so.
    pub(crate) fn non_finite_residual(
        &self,
        group: usize,
        instance: usize,
        parameters: &[&[f64]],
    ) -> NonFiniteResidual {
        NonFiniteResidual {
            group,
            name: self.names[group].clone(),
            instance,
            residual_block: self.residual_block(group, instance),
            reason: explain(&self.groups[group], instance, parameters),
        }
    }
}

/// Makes room for so many numbers that are to be written. Fresh memory is touched for the first time by all threads as they write it, and not by this
/// one before.
fn make_room(numbers: &mut Vec<f64>, count: usize) {
    if numbers.capacity() < count {
        *numbers = vec![0.0; count];
    }
    numbers.resize(count, 0.0);
}

/// The operation of an instance that first gave a NaN or infinity.
fn explain(group: &Group, instance: usize, parameters: &[&[f64]]) -> String {
    let data = group.data(instance);
    let kernel = &*group.kernel;
    let objective = kernel.objective.as_ref().map(|objective| ("in the loss, ", objective));
    let derivative = ("in the derivative, ", &kernel.linearization.program);
    for (where_, program) in [("", &kernel.program)].into_iter().chain(objective).chain([derivative]) {
        let values = program.evaluate_nodes(parameters, &data);
        for (node, &value) in program.nodes.iter().zip(&values) {
            if value.is_finite() {
                continue;
            }
            return match *node {
                crate::program::Node::Apply { op, .. } => {
                    let args: Vec<f64> = node.arguments().iter().map(|&a| values[a as usize]).collect();
                    format!("{where_}{}", ValueError::of_operation(op, &args, value))
                }
                _ => ValueError::NotFinite(value).to_string(),
            };
        }
    }
    "a value is not finite".to_owned()
}

/// ½ Σ r², summed in chunks of fixed size so that the number of threads does not show.
pub(crate) fn half_square_sum(residuals: &[f64]) -> f64 {
    if residuals.len() <= SUMMED_TOGETHER {
        return 0.5 * pairwise(residuals);
    }
    let sums: Vec<f64> = residuals.par_chunks(SUMMED_TOGETHER).map(pairwise).collect();
    0.5 * sums.iter().sum::<f64>()
}

/// Σ r² in eight partial sums.
fn pairwise(residuals: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (eights, rest) = residuals.as_chunks::<8>();
    for eight in eights {
        sums.iter_mut().zip(eight).for_each(|(sum, r)| *sum += r * r);
    }
    sums.iter_mut().zip(rest).for_each(|(sum, r)| *sum += r * r);
    sums.iter().sum()
}

impl Evaluation {
    /// ½ Σ r² of the objective, if it was evaluated, or of the residuals.
    pub fn cost(&self) -> f64 {
        half_square_sum(if self.objective.is_empty() { &self.residuals } else { &self.objective })
    }
}
