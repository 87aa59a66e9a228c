//! Some components that are evaluated together, on one thread.
//!
//! A batch has tables of its own, in the order of its components, with its own copy of the parameters: what it works on fits a
//! cache. Components that are finished stay in the tables until fewer than half are left; then the tables are made anew.

use super::component::{Bounded, Component, Extent, Room};
use super::derivatives::HELD;
use super::motion::Motion;
use super::report::{ComponentRecord, Outcome};
use super::tables::{Evaluated, Tables};
use super::whole::{NONE, Whole};
use crate::solver::Termination;
use rustc_hash::FxHashMap;
use std::ops::Range;
use std::sync::atomic::Ordering;

/// What came of a batch.
pub(super) struct Solved {
    /// The parameters of its components, block by block.
    pub x: Vec<f64>,
    pub records: Vec<ComponentRecord>,
}

/// A batch under way.
pub(super) struct Batch<'a> {
    whole: &'a Whole<'a>,
    numbers: Range<usize>,
    /// The accepted point, fixed blocks behind the free ones, and behind them the step.
    point: Vec<f64>,
    ambient: usize,
    /// Numbers of the free blocks.
    free: usize,
    trial: Vec<f64>,
    /// Place of each fixed block, by its start in the parameter vector.
    fixed: FxHashMap<u32, u32>,
    /// Column of each component of a step, and then [`HELD`] for the fixed blocks.
    columns: Vec<u32>,
    components_of_step: usize,
    bounds: Vec<Bounded>,
    tables: Tables,
    evaluated: Evaluated,
    motion: Motion<'a>,
    room: Room,
    components: Vec<Component>,
    /// Index of the components that go on.
    active: Vec<usize>,
    reasons: Vec<Option<String>>,
}

impl<'a> Batch<'a> {
    pub fn new(whole: &'a Whole<'a>, numbers: Range<usize>) -> Self {
        let mut batch = Batch {
            whole,
            point: Vec::new(),
            ambient: 0,
            free: 0,
            trial: Vec::new(),
            fixed: FxHashMap::default(),
            columns: Vec::new(),
            components_of_step: 0,
            bounds: Vec::new(),
            tables: Tables::default(),
            evaluated: Evaluated::default(),
            motion: Motion::new(&whole.retractions, 0),
            room: Room::default(),
            components: Vec::new(),
            active: (0..numbers.len()).collect(),
            reasons: vec![None; numbers.len()],
            numbers,
        };
        let extents = batch.lay_out();
        batch.copy_fixed_blocks();
        batch.tabulate();
        batch.begin(extents);
        batch
    }

    /// Numbers the free scalars.
    fn lay_out(&mut self) -> Vec<Extent> {
        let parameters = self.whole.parameters;
        let mut extents = Vec::with_capacity(self.numbers.len());
        for number in self.numbers.clone() {
            let (place, component, bounded) = (self.point.len(), self.columns.len(), self.bounds.len());
            let mut scalars = 0;
            for block in self.whole.partition.blocks(number).iter().map(|&block| block as usize) {
                let (start, first) = (self.point.len(), self.columns.len());
                self.point.extend_from_slice(parameters.slice(block));
                for k in 0..parameters.tangent_size(block) {
                    let held = parameters.fixed(block).is_some_and(|flags| flags[k]);
                    self.columns.push(if held { HELD } else { scalars });
                    scalars += u32::from(!held);
                }
                for (k, &(lower, upper)) in parameters.bounds(block).unwrap_or(&[]).iter().enumerate() {
                    let column = self.columns[first + k];
                    if column != HELD && (lower > f64::NEG_INFINITY || upper < f64::INFINITY) {
                        let (place, component) = ((start + k) as u32, (first + k) as u32);
                        self.bounds.push(Bounded { column, place, component, lower, upper });
                    }
                }
            }
            extents.push(Extent {
                places: place..self.point.len(),
                components: component..self.columns.len(),
                scalars: scalars as usize,
                bounded: bounded..self.bounds.len(),
            });
        }
        self.free = self.point.len();
        self.components_of_step = self.columns.len();
        extents
    }

    /// Appends the fixed blocks that the batch reads.
    fn copy_fixed_blocks(&mut self) {
        let Whole { compiled, parameters, partition, block_at, .. } = self.whole;
        let mut widest = 0;
        for (group, instance) in self.numbers.clone().flat_map(|number| partition.instances(number)) {
            let group = &compiled.groups[*group as usize];
            let sizes = group.kernel.program.block_sizes.iter().zip(&group.kernel.linearization.tangent_sizes);
            for (column, (&size, &tangent)) in group.table.blocks.iter().zip(sizes) {
                let start = column[*instance as usize];
                if block_at[start as usize] == NONE {
                    let numbers = &parameters.values()[start as usize..(start + size) as usize];
                    let point = &mut self.point;
                    self.fixed.entry(start).or_insert_with(|| {
                        point.extend_from_slice(numbers);
                        (point.len() - numbers.len()) as u32
                    });
                    widest = widest.max(tangent as usize);
                }
            }
        }
        self.ambient = self.point.len();
        self.trial.clone_from(&self.point);
        self.point.resize(self.ambient + self.components_of_step, 0.0);
        self.columns.resize(self.components_of_step + widest, HELD);
        self.motion = Motion::new(&self.whole.retractions, self.ambient);
    }

    /// Makes the tables of the active components, and what moves their blocks.
    fn tabulate(&mut self) {
        let Whole { parameters, partition, places, .. } = self.whole;
        let no_step = self.components_of_step as u32;
        self.tables = Tables::new(self.whole, &self.numbers, &self.active, &self.fixed, no_step);
        self.motion.clear();
        for &block in self.active.iter().flat_map(|&index| partition.blocks(self.numbers.start + index)) {
            let (place, component) = places[block as usize];
            let block = block as usize;
            self.motion.push(parameters.retraction(block), parameters.size(block), place, component);
        }
    }

    /// Evaluates every component at the start.
    fn begin(&mut self, extents: Vec<Extent>) {
        self.evaluated.evaluate(&self.tables, &self.trial);
        let size = extents.iter().map(|extent| extent.scalars).max().unwrap_or(0);
        self.room = Room::new(size, self.tables.widest_row(self.whole));
        for (index, extent) in extents.into_iter().enumerate() {
            let there = self.tables.there(self.whole, &self.evaluated, &self.columns, index);
            let at = (&self.trial[..], &self.bounds[..]);
            let component = Component::new(extent, &there, at, &mut self.room, self.whole.options);
            self.components.push(component);
            self.explain(index);
        }
    }

    /// Solves all components to the end.
    pub fn solve(mut self) -> Solved {
        loop {
            self.stop_at_limits();
            let components = &self.components;
            self.active.retain(|&index| components[index].outcome.is_none());
            if self.active.is_empty() {
                return self.finish();
            }
            if 2 * self.active.len() < self.tables.components() {
                self.tabulate();
            }
            self.step();
        }
    }

    fn stop_at_limits(&mut self) {
        let options = self.whole.options;
        let late = options.max_time.is_some_and(|limit| self.whole.start.elapsed() >= limit);
        let cancelled = options.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
        for &index in &self.active {
            let component = &mut self.components[index];
            let limit = if component.iterations >= options.max_iterations {
                Some(Termination::MaxIterations)
            } else if late {
                Some(Termination::TimeLimit)
            } else {
                cancelled.then_some(Termination::Cancelled)
            };
            component.outcome = component.outcome.take().or(limit.map(Outcome::Stopped));
        }
    }

    /// One iteration of every active component.
    fn step(&mut self) {
        let (x, step) = self.point.split_at_mut(self.ambient);
        for &index in &self.active {
            self.components[index].solve(x, &self.bounds, &self.columns, &mut self.room, step);
        }
        self.motion.take(&self.point, &mut self.trial);
        let (x, step) = self.point.split_at_mut(self.ambient);
        for &index in &self.active {
            let points = (&*x, &mut self.trial[..]);
            self.components[index].project(points, &self.bounds, &self.columns, &mut self.room, step);
        }
        self.evaluated.evaluate(&self.tables, &self.trial);
        for k in 0..self.active.len() {
            let index = self.active[k];
            let there = self.tables.there(self.whole, &self.evaluated, &self.columns, index);
            let component = &mut self.components[index];
            let points = (&self.point[..self.ambient], &self.trial[..]);
            let moved = component.decide(&there, points, &self.bounds, &mut self.room, self.whole.options);
            let places = component.extent.places.clone();
            if moved {
                self.point[places.clone()].copy_from_slice(&self.trial[places]);
            }
            self.explain(index);
        }
    }

    /// Says what a component that failed ran into at the trial point.
    fn explain(&mut self, index: usize) {
        let otherwise = match self.components[index].outcome {
            Some(Outcome::NotFinite) => "the squares of the residuals overflow; scale the residuals down",
            Some(Outcome::Stopped(Termination::InvalidSteps)) => "the linear system could not be solved",
            _ => return,
        };
        let there = self.tables.there(self.whole, &self.evaluated, &self.columns, index);
        let found = there.non_finite(&self.trial);
        self.reasons[index] = Some(found.map_or_else(|| otherwise.to_owned(), |residual| residual.to_string()));
    }

    fn finish(self) -> Solved {
        let (partition, compiled) = (self.whole.partition, self.whole.compiled);
        let records = self.components.into_iter().zip(self.reasons).zip(self.numbers);
        let record = |((component, reason), number): ((Component, Option<String>), usize)| {
            let mut residual_blocks: Vec<usize> = partition
                .instances(number)
                .iter()
                .map(|&(group, instance)| compiled.residual_block(group as usize, instance as usize))
                .collect();
            residual_blocks.sort_unstable();
            ComponentRecord {
                outcome: component.outcome.unwrap_or(Outcome::Stopped(Termination::Cancelled)),
                reason,
                iterations: component.iterations,
                initial_cost: component.initial_cost,
                final_cost: component.cost,
                parameter_blocks: partition.blocks(number).iter().map(|&block| block as usize).collect(),
                residual_blocks,
            }
        };
        let mut x = self.point;
        x.truncate(self.free);
        Solved { x, records: records.map(record).collect() }
    }
}
