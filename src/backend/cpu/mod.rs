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
use lanes::{Registers, Run};
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
            let rows = &mut residuals[group.rows.clone()];
            run_group(group, group.kernel.residual_code(), x, rows, &mut []);
        }
    }

    /// What the cost at `x` is half the squared sum of, by group and instance.
    pub fn objective(self, groups: &[Group], x: &[f64], residuals: &mut [f64]) {
        for group in groups {
            let rows = &mut residuals[group.rows.clone()];
            run_group(group, group.kernel.objective_code(), x, rows, &mut []);
        }
    }

    /// The residuals at `x` and the stored numbers of the Jacobian, by group and instance.
    pub fn linearize(self, groups: &[Group], x: &[f64], residuals: &mut [f64], stored: &mut [f64]) {
        for group in groups {
            let rows = &mut residuals[group.rows.clone()];
            run_group(group, &group.kernel.linearize_code, x, rows, &mut stored[group.stored.clone()]);
        }
    }
}

/// The outputs of `code` for every instance, one instance after the other, on the threads of the present rayon pool.
pub(crate) fn evaluate_code(code: &LaneCode, table: &InstanceTable, x: &[f64]) -> Vec<f64> {
    let width = code.outputs.len();
    let mut outputs = vec![0.0; table.count * width];
    if width > 0 {
        run(code, table, x, (&mut outputs, width), (&mut [], 0));
    }
    outputs
}

/// Runs the `code` of a group: the first outputs of each instance go to `residuals`, the rest to `stored`.
fn run_group(group: &Group, code: &LaneCode, x: &[f64], residuals: &mut [f64], stored: &mut [f64]) {
    let stored_width = if stored.is_empty() { 0 } else { group.kernel.stored() };
    run(code, &group.table, x, (residuals, group.kernel.residuals()), (stored, stored_width));
}

/// Runs `code` over all instances of `table`: outputs go to the rows of the first array as far as these are wide, then to those of
/// the second.
fn run(
    code: &LaneCode,
    table: &InstanceTable,
    x: &[f64],
    (residuals, width): (&mut [f64], usize),
    (stored, stored_width): (&mut [f64], usize),
) {
    let count = table.count;
    let task = |registers: &mut Registers<LANES>, first: usize, residuals: &mut [f64], stored: &mut [f64]| {
        let instances = first..(first + TASK).min(count);
        let (residuals, stored) = ((residuals, width), (stored, stored_width));
        Run { code, table, x, instances, registers, residuals, stored }.run();
    };
    let registers = || Registers::new(code, count);
    #[cfg(not(target_arch = "wasm32"))]
    if count <= FEW {
        let registers = &mut Registers::<FEW>::new(code, count);
        let (residuals, stored) = ((residuals, width), (stored, stored_width));
        return Run { code, table, x, instances: 0..count, registers, residuals, stored }.run();
    }
    if count <= TASK {
        task(&mut registers(), 0, residuals, stored);
    } else if stored_width == 0 {
        let chunks = residuals.par_chunks_mut(TASK * width).enumerate();
        chunks.for_each_init(registers, |registers, (k, r)| task(registers, k * TASK, r, &mut []));
    } else {
        let chunks = residuals.par_chunks_mut(TASK * width).zip(stored.par_chunks_mut(TASK * stored_width));
        chunks.enumerate().for_each_init(registers, |registers, (k, (r, s))| task(registers, k * TASK, r, s));
    }
}

#[cfg(test)]
mod tests;
