//! Runs lane bytecode on processor cores.
//!
//! Chunks of [`LANES`] instances go through the bytecode together; each instruction is a loop that the compiler vectorises, in a
//! copy for each instruction set of which the best is picked at run time. Tasks of whole chunks are spread over threads. A
//! residual is computed by the same operations in the same order whatever the thread and the instruction set, so results are equal
//! bit for bit.

mod lanes;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod simd128;
mod trigonometry;

pub use lanes::LANES;

use super::{Group, InstanceTable};
use crate::kernel::LaneCode;
#[cfg(not(target_arch = "wasm32"))]
use lanes::FEW;
use lanes::{Registers, Rows, Run};
use rayon::prelude::*;

/// Instances a task works through: enough that a task is worth its hand-over, few enough to balance.
pub(crate) const TASK: usize = 16 * LANES;

/// Evaluates groups on the threads of the rayon pool it is called in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu;

/// The processor in words: instruction set and threads.
pub fn device_name() -> String {
    named(rayon::current_num_threads())
}

/// The same with so many threads.
pub(crate) fn named(threads: usize) -> String {
    let plural = if threads == 1 { "" } else { "s" };
    format!("CPU ({}, {threads} thread{plural})", lanes::instruction_set())
}

impl Cpu {
    /// The residuals at `x`, by group and instance.
    pub fn residuals(self, groups: &[Group], x: &[f64], residuals: &mut [f64]) {
        for group in groups {
            let rows = (&mut residuals[group.rows.clone()], group.kernel.residuals());
            run(group.kernel.residual_code(), &group.table, x, [rows, Rows::default(), Rows::default()]);
        }
    }

    /// What the cost at `x` is half the squared sum of, by group and instance.
    pub fn objective(self, groups: &[Group], x: &[f64], objective: &mut [f64]) {
        for group in groups {
            let rows = (&mut objective[group.rows.clone()], group.kernel.residuals());
            run(group.kernel.objective_code(), &group.table, x, [rows, Rows::default(), Rows::default()]);
        }
    }

    /// The residuals at `x`, corrected for losses, and the stored numbers of the Jacobian, by group and instance; and what [`Cpu::objective`] gives, unless
    /// there is no place for it.
    pub fn linearize(
        self,
        groups: &[Group],
        x: &[f64],
        residuals: &mut [f64],
        stored: &mut [f64],
        objective: &mut [f64],
    ) {
        for group in groups {
            let (kernel, table, width) = (&*group.kernel, &group.table, group.kernel.residuals());
            let residuals = &mut residuals[group.rows.clone()];
            let objective = if objective.is_empty() { &mut [] } else { &mut objective[group.rows.clone()] };
            let stored = (&mut stored[group.stored.clone()], kernel.stored());
            let with_objective = if objective.is_empty() { None } else { kernel.linearize_with_objective_code() };
            match with_objective {
                Some(code) => run(code, table, x, [(residuals, width), (objective, width), stored]),
                None => {
                    let targets = [(&mut *residuals, width), stored, Rows::default()];
                    run(kernel.linearize_code(), table, x, targets);
                    objective.copy_from_slice(&residuals[..objective.len()]);
                }
            }
        }
    }
}

/// The outputs of `code` for every instance, one instance after the other, on the threads of the present rayon pool.
pub(crate) fn evaluate_code(code: &LaneCode, table: &InstanceTable, x: &[f64]) -> Vec<f64> {
    let width = code.outputs.len();
    let mut outputs = vec![0.0; table.count * width];
    if width > 0 {
        run(code, table, x, [(&mut outputs, width), Rows::default(), Rows::default()]);
    }
    outputs
}

/// Runs `code` over all instances of `table`.
fn run(code: &LaneCode, table: &InstanceTable, x: &[f64], targets: [Rows<'_>; 3]) {
    let count = table.count;
    #[cfg(not(target_arch = "wasm32"))]
    if count <= FEW {
        let registers = &mut Registers::<FEW>::new(code, count);
        return Run { code, table, x, instances: 0..count, registers, targets }.run();
    }
    let registers = || Registers::new(code, count);
    let task = |registers: &mut Registers<LANES>, (first, targets): (usize, [Rows<'_>; 3])| {
        let instances = first..(first + TASK).min(count);
        Run { code, table, x, instances, registers, targets }.run();
    };
    if count <= TASK {
        return task(&mut registers(), (0, targets));
    }
    let mut chunks = targets.map(|(rows, width)| (rows.chunks_mut((TASK * width).max(1)), width));
    let tasks = (0..count).step_by(TASK).map(|first| {
        let targets = chunks.each_mut().map(|(chunks, width)| (chunks.next().unwrap_or_default(), *width));
        (first, targets)
    });
    tasks.collect::<Vec<_>>().into_par_iter().for_each_init(registers, task);
}

#[cfg(test)]
mod tests;
