//! The instances of the components that are evaluated together, with what the kernels make of them.

use super::component::Linearized;
use super::normal::Normal;
use super::whole::{NONE, Whole};
use crate::backend::{Column, Group, InstanceTable, cpu::Cpu};
use crate::problem::NonFiniteResidual;
use rustc_hash::FxHashMap;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Instances of a component in a group of the batch.
#[derive(Debug, Clone, Copy)]
struct Run {
    group: usize,
    first: usize,
    count: usize,
}

/// The tables of the components that are evaluated.
#[derive(Default)]
pub(super) struct Tables {
    groups: Vec<Group>,
    /// Index of each group, and of its instances, in the problem.
    origins: Vec<(usize, Vec<u32>)>,
    /// For each group, instance by instance, where a step of each block begins.
    starts: Vec<Vec<u32>>,
    runs: Vec<Run>,
    /// Runs of each component of the batch; empty for those left out.
    runs_of: Vec<Range<usize>>,
    /// Components in the tables.
    components: usize,
    has_losses: bool,
}

impl Tables {
    /// The tables of the components `active`, counted from the first of `numbers`. `fixed` is where the fixed blocks stand in the
    /// parameters of the batch, by their starts in the parameter vector; their steps, which are none, begin at `no_step`.
    pub fn new(
        whole: &Whole<'_>,
        numbers: &Range<usize>,
        active: &[usize],
        fixed: &FxHashMap<u32, u32>,
        no_step: u32,
    ) -> Self {
        let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        let mut runs: Vec<(u32, usize, usize)> = Vec::new();
        let mut tables = Tables { runs_of: vec![0..0; numbers.len()], components: active.len(), ..Tables::default() };
        for &index in active {
            let first_run = runs.len();
            for same in whole.partition.instances(numbers.start + index).chunk_by(|a, b| a.0 == b.0) {
                let list = members.entry(same[0].0).or_default();
                runs.push((same[0].0, list.len(), same.len()));
                list.extend(same.iter().map(|&(_, instance)| instance));
            }
            tables.runs_of[index] = first_run..runs.len();
        }
        let local: FxHashMap<u32, usize> = members.keys().enumerate().map(|(k, &group)| (group, k)).collect();
        tables.runs = runs.iter().map(|&(group, first, count)| Run { group: local[&group], first, count }).collect();
        for (group, instances) in members {
            tables.push(whole, group as usize, instances, fixed, no_step);
        }
        tables
    }

    /// Adds some instances of a group.
    fn push(
        &mut self,
        whole: &Whole<'_>,
        index: usize,
        instances: Vec<u32>,
        fixed: &FxHashMap<u32, u32>,
        no_step: u32,
    ) {
        let group = &whole.compiled.groups[index];
        let kernel = group.kernel.clone();
        let slots = group.table.blocks.len();
        let mut starts = vec![no_step; instances.len() * slots];
        let mut place = |slot: usize, k: usize, start: u32| match whole.block_at[start as usize] {
            NONE => fixed[&start],
            block => {
                let (place, component) = whole.places[block as usize];
                starts[k * slots + slot] = component;
                place
            }
        };
        let blocks = group.table.blocks.iter().enumerate().map(|(slot, column)| {
            let instances = instances.iter().enumerate();
            instances.map(|(k, &instance)| place(slot, k, column[instance as usize])).collect()
        });
        let table = InstanceTable {
            count: instances.len(),
            blocks: blocks.collect(),
            data: group.table.data.iter().map(|column| picked(column, &instances)).collect(),
        };
        let (row, stored) = self.groups.last().map_or((0, 0), |last| (last.rows.end, last.stored.end));
        let (rows, numbers) = (table.count * kernel.residuals(), table.count * kernel.stored());
        self.has_losses |= kernel.objective.is_some();
        self.groups.push(Group {
            kernel,
            table: Arc::new(table),
            rows: row..row + rows,
            stored: stored..stored + numbers,
        });
        self.origins.push((index, instances));
        self.starts.push(starts);
    }

    /// Number of components.
    pub fn components(&self) -> usize {
        self.components
    }

    /// A component where the tables were evaluated.
    pub fn there<'b>(
        &'b self,
        whole: &'b Whole<'b>,
        evaluated: &'b Evaluated,
        columns: &'b [u32],
        index: usize,
    ) -> There<'b> {
        There { whole, tables: self, evaluated, columns, runs: &self.runs[self.runs_of[index].clone()] }
    }

    /// Most entries of a row of J.
    pub fn widest_row(&self, whole: &Whole<'_>) -> usize {
        self.origins.iter().map(|&(group, _)| whole.derivatives[group].widest()).max().unwrap_or(0)
    }
}

/// Residuals and Jacobian at a point.
#[derive(Default)]
pub(super) struct Evaluated {
    residuals: Vec<f64>,
    stored: Vec<f64>,
    /// What the cost is half the squared sum of, if there are losses.
    objective: Vec<f64>,
}

impl Evaluated {
    /// Evaluates everything in the tables.
    pub fn evaluate(&mut self, tables: &Tables, x: &[f64]) {
        let (rows, numbers) = tables.groups.last().map_or((0, 0), |last| (last.rows.end, last.stored.end));
        self.residuals.resize(rows, 0.0);
        self.stored.resize(numbers, 0.0);
        self.objective.resize(if tables.has_losses { rows } else { 0 }, 0.0);
        Cpu.linearize(&tables.groups, x, &mut self.residuals, &mut self.stored, &mut self.objective);
    }
}

/// A component at a point.
pub(super) struct There<'b> {
    whole: &'b Whole<'b>,
    tables: &'b Tables,
    evaluated: &'b Evaluated,
    columns: &'b [u32],
    runs: &'b [Run],
}

impl There<'_> {
    fn rows<'r>(&self, run: &Run, rows: &'r [f64]) -> &'r [f64] {
        let group = &self.tables.groups[run.group];
        let width = group.kernel.residuals();
        &rows[group.rows.start + run.first * width..][..run.count * width]
    }

    fn stored(&self, run: &Run) -> &[f64] {
        let group = &self.tables.groups[run.group];
        let width = group.kernel.stored();
        &self.evaluated.stored[group.stored.start + run.first * width..][..run.count * width]
    }

    /// The first instance with a number that is not finite at `x`, the parameters of the batch, and why it is not.
    pub fn non_finite(&self, x: &[f64]) -> Option<NonFiniteResidual> {
        for run in self.runs {
            let group = &self.tables.groups[run.group];
            let (width, stored) = (group.kernel.residuals(), group.kernel.stored());
            for instance in run.first..run.first + run.count {
                let row = group.rows.start + instance * width;
                let entry = group.stored.start + instance * stored;
                let numbers = self.evaluated.residuals[row..row + width]
                    .iter()
                    .chain(&self.evaluated.stored[entry..entry + stored])
                    .chain(self.evaluated.objective.get(row..row + width).unwrap_or(&[]));
                if !numbers.copied().all(f64::is_finite) {
                    let (origin, instances) = &self.tables.origins[run.group];
                    let parameters = group.parameters(instance, x);
                    let compiled = self.whole.compiled;
                    return Some(compiled.non_finite_residual(*origin, instances[instance] as usize, &parameters));
                }
            }
        }
        None
    }
}

impl Linearized for There<'_> {
    fn cost(&self) -> f64 {
        let rows = if self.tables.has_losses { &self.evaluated.objective } else { &self.evaluated.residuals };
        let mut sums = [0.0; 8];
        for run in self.runs {
            for eight in self.rows(run, rows).chunks(8) {
                for (sum, r) in sums.iter_mut().zip(eight) {
                    *sum += r * r;
                }
            }
        }
        0.5 * sums.iter().sum::<f64>()
    }

    fn has_finite_derivatives(&self) -> bool {
        // A sum that is not 0 has a number in it that is not finite.
        self.runs.iter().all(|run| self.stored(run).iter().map(|d| d * 0.0).sum::<f64>() == 0.0)
    }

    fn fill(&self, normal: &mut Normal, row: &mut Vec<(u32, f64)>) {
        for run in self.runs {
            let derivatives = &self.whole.derivatives[self.tables.origins[run.group].0];
            let slots = self.tables.groups[run.group].table.blocks.len();
            let starts = &self.tables.starts[run.group][run.first * slots..][..run.count * slots];
            let numbers = (self.rows(run, &self.evaluated.residuals), self.stored(run), starts);
            derivatives.add(numbers, self.columns, row, normal);
        }
    }
}

/// A data column of some instances.
fn picked(column: &Column, instances: &[u32]) -> Column {
    match column {
        Column::Uniform(number) => Column::Uniform(*number),
        Column::Varying(numbers) => Column::Varying(instances.iter().map(|&i| numbers[i as usize]).collect()),
    }
}
