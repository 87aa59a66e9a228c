//! Components that a device minimises, a lane each.
//!
//! The host hands over some turns at a time, and then looks who goes on. What comes of it is judged in double precision on the CPU; components
//! that failed on the device are solved once more there, and so are told what they ran into.

use super::partition::Partition;
use super::report::{ComponentRecord, Outcome};
use super::shapes::{self, Shaped};
use super::whole::Whole;
use super::{Batch, square_sum};
use crate::backend::gpu::{GpuContext, GpuError};
use crate::device::{DeviceComponents, Lot};
use crate::kernel::wgsl::{Formats, OWN_STEPS, OwnOutcome, operations};
use crate::problem::{CompiledProblem, Evaluation, Parameters};
use crate::solver::bounds::DeviceBounds;
use crate::solver::device::settings;
use crate::solver::{SolveError, SolverOptions, Termination};
use rayon::prelude::*;
use std::sync::atomic::Ordering;
use web_time::Instant;

/// Turns after which the host looks who goes on, unless they are long.
const TURNS: usize = 8;
/// Operations of a lane between two looks, about: a dispatch must not take so long that a driver ends it.
const OPERATIONS: usize = 1 << 22;

/// What came of a solve on a device.
pub(super) struct OnDevice {
    /// All parameters.
    pub x: Vec<f64>,
    pub records: Vec<ComponentRecord>,
    /// What there is to say about it.
    pub notes: Vec<String>,
    pub device_bytes: u64,
}

/// How a component ended.
#[derive(Clone, Copy)]
struct End {
    outcome: OwnOutcome,
    iterations: usize,
}

/// Why a device did not solve.
pub(super) enum Failure {
    /// It cannot, or no longer.
    Device(String),
    /// Neither can the CPU.
    Solve(SolveError),
}

impl From<GpuError> for Failure {
    fn from(error: GpuError) -> Self {
        Failure::Device(error.brief())
    }
}

/// What is solved.
pub(super) struct Task<'a> {
    pub compiled: &'a CompiledProblem,
    pub parameters: &'a Parameters,
    pub partition: &'a Partition,
    pub options: &'a SolverOptions,
    pub start: Instant,
}

/// Solves on a device.
pub(super) async fn solve(task: &Task<'_>, context: &GpuContext, formats: Formats) -> Result<OnDevice, Failure> {
    let Task { compiled, parameters, partition, options, .. } = *task;
    let (lots, members): (Vec<Lot>, Vec<Vec<u32>>) = shapes::sort(compiled, parameters, partition)
        .map_err(Failure::Device)?
        .into_iter()
        .map(|Shaped { lot, members }| (lot, members))
        .unzip();
    let device = DeviceComponents::new(context, compiled, parameters, formats, &settings(options, formats), &lots)?;
    let device_bytes = device.bytes();
    let mut rounds = Rounds::new(task, device, &lots);
    let stopped = rounds.run().await?;
    let mut x = parameters.values().to_vec();
    let mut ends = vec![End { outcome: OwnOutcome::New, iterations: 0 }; partition.components()];
    rounds.collect(&lots, &members, &mut x, &mut ends).await?;
    keep_digits(parameters, formats, &mut x);
    let (records, notes) = judge(task, &mut x, &ends, stopped).map_err(Failure::Solve)?;
    Ok(OnDevice { x, records, notes, device_bytes })
}

/// Parameters that did not move keep the digits that the device's format has not, and bounds hold to the last digit.
fn keep_digits(parameters: &Parameters, formats: Formats, x: &mut [f64]) {
    DeviceBounds::new(parameters, formats.real).keep(x);
    let exact = parameters.values();
    let rounded = formats.real.decode(&formats.real.encode(exact));
    for ((x, exact), rounded) in x.iter_mut().zip(exact).zip(rounded) {
        if *x == rounded {
            *x = *exact;
        }
    }
}

/// Turns of all components, until none goes on.
struct Rounds<'a> {
    task: &'a Task<'a>,
    device: DeviceComponents,
    /// For each lot the components that its next turns are for, and how many of them go on.
    orders: Vec<(Vec<u32>, usize)>,
    outcomes: Vec<Vec<u32>>,
    turns: Vec<u32>,
}

impl<'a> Rounds<'a> {
    fn new(task: &'a Task<'a>, device: DeviceComponents, lots: &[Lot]) -> Self {
        let turns = |lot: &Lot| {
            let kernel = |group: usize| operations(&task.compiled.groups[group].kernel);
            let widest = lot.shape.kinds.iter().map(|kind| kernel(kind.group)).max().unwrap_or(1);
            (OPERATIONS / (widest * lot.most_instances()).max(1)).clamp(1, TURNS) as u32
        };
        Rounds {
            task,
            device,
            orders: lots.iter().map(|lot| ((0..lot.components() as u32).collect(), lot.components())).collect(),
            outcomes: lots.iter().map(|lot| vec![OwnOutcome::New as u32; lot.components()]).collect(),
            turns: lots.iter().map(turns).collect(),
        }
    }

    /// Runs until no component goes on, or the host stops them all.
    async fn run(&mut self) -> Result<Option<Termination>, GpuError> {
        while self.orders.iter().any(|(_, running)| *running > 0) {
            if let Some(stopped) = self.stopped_by_host() {
                return Ok(Some(stopped));
            }
            self.round().await?;
        }
        Ok(None)
    }

    fn stopped_by_host(&self) -> Option<Termination> {
        let options = self.task.options;
        if options.max_time.is_some_and(|limit| self.task.start.elapsed() >= limit) {
            return Some(Termination::TimeLimit);
        }
        let cancelled = options.cancel.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
        cancelled.then_some(Termination::Cancelled)
    }

    /// Some turns of every component that goes on.
    async fn round(&mut self) -> Result<(), GpuError> {
        let context = self.device.context().clone();
        let mut commands = context.commands("components");
        let mut downloads = Vec::new();
        for lot in 0..self.orders.len() {
            let (order, running) = &mut self.orders[lot];
            if *running == 0 {
                continue;
            }
            if 2 * *running <= order.len() {
                // The others would leave lanes idle between those that go on.
                let outcomes = &self.outcomes[lot];
                order.retain(|&component| OwnOutcome::of_word(outcomes[component as usize]).is_running());
                self.device.set_order(lot, order)?;
            }
            self.device.record_turns(&mut commands, lot, self.turns[lot])?;
            downloads.push((lot, self.device.download_outcomes(&mut commands, lot)));
        }
        commands.submit();
        context.check()?;
        for (lot, download) in downloads {
            self.outcomes[lot] = download.read(&context).await?;
            let is_running =
                |&&component: &&u32| OwnOutcome::of_word(self.outcomes[lot][component as usize]).is_running();
            self.orders[lot].1 = self.orders[lot].0.iter().filter(is_running).count();
        }
        Ok(())
    }

    /// Where the components are, and how they stand.
    async fn collect(
        &self,
        lots: &[Lot],
        members: &[Vec<u32>],
        x: &mut [f64],
        ends: &mut [End],
    ) -> Result<(), GpuError> {
        let (context, offsets) = (self.device.context(), self.task.parameters.offsets());
        let mut commands = context.commands("results");
        let mut downloads = Vec::new();
        for lot in 0..lots.len() {
            let points = self.device.download_points(&mut commands, lot);
            downloads.push((points, self.device.download_state(&mut commands, lot, OWN_STEPS)));
        }
        commands.submit();
        context.check()?;
        for (lot, (points, steps)) in downloads.into_iter().enumerate() {
            let points = self.device.decode_points(lot, &points.read::<u8>(context).await?);
            let steps = self.device.decode_state(&steps.read::<u8>(context).await?);
            let mut rest = &points[..];
            for &block in &lots[lot].blocks {
                let (numbers, behind) = rest.split_at(self.task.parameters.size(block as usize));
                x[offsets[block as usize] as usize..][..numbers.len()].copy_from_slice(numbers);
                rest = behind;
            }
            for ((&member, steps), &word) in members[lot].iter().zip(steps).zip(&self.outcomes[lot]) {
                ends[member as usize] = End { outcome: OwnOutcome::of_word(word), iterations: steps as usize };
            }
        }
        Ok(())
    }
}

/// What became of every component, in double precision. One that is no better than at its start is put back there.
fn judge(
    task: &Task<'_>,
    x: &mut [f64],
    ends: &[End],
    stopped: Option<Termination>,
) -> Result<(Vec<ComponentRecord>, Vec<String>), SolveError> {
    let Task { compiled, parameters, partition, options, start } = *task;
    let initial = costs(task, parameters.values())?;
    let last = costs(task, x)?;
    let mut redone = Vec::new();
    let mut records = Vec::with_capacity(ends.len());
    for (number, (end, (initial_cost, cost))) in ends.iter().zip(initial.into_iter().zip(last)).enumerate() {
        let mut outcome = Outcome::Stopped(termination(end.outcome, stopped));
        let mut final_cost = cost;
        let failed = matches!(end.outcome, OwnOutcome::NotFinite | OwnOutcome::InvalidSteps);
        if failed || !initial_cost.is_finite() {
            redone.push(number);
        } else if cost.partial_cmp(&initial_cost).is_none_or(|order| order.is_gt()) {
            // Single precision cannot always hold the point it started from.
            outcome = Outcome::Stopped(Termination::PrecisionLimit);
            final_cost = initial_cost;
            for &block in partition.blocks(number) {
                let place = parameters.offsets()[block as usize] as usize;
                let numbers = parameters.slice(block as usize);
                x[place..place + numbers.len()].copy_from_slice(numbers);
            }
        }
        let mut residual_blocks: Vec<usize> = partition
            .instances(number)
            .iter()
            .map(|&(group, instance)| compiled.residual_block(group as usize, instance as usize))
            .collect();
        residual_blocks.sort_unstable();
        records.push(ComponentRecord {
            outcome,
            reason: None,
            iterations: end.iterations,
            initial_cost,
            final_cost,
            parameter_blocks: partition.blocks(number).iter().map(|&block| block as usize).collect(),
            residual_blocks,
        });
    }
    let mut notes = Vec::new();
    if !redone.is_empty() {
        let plural = if redone.len() == 1 { "component that" } else { "components that" };
        notes.push(format!("{} {plural} failed on the device solved again on the CPU", redone.len()));
        let alone = redone.iter().map(|&number| number..number + 1).collect();
        let whole = Whole::of_batches(compiled, parameters, partition, options, start, alone);
        let solved: Vec<_> =
            whole.batches().par_iter().map(|numbers| Batch::new(&whole, numbers.clone()).solve()).collect();
        for (number, solved) in redone.into_iter().zip(solved) {
            let mut rest = &solved.x[..];
            for &block in partition.blocks(number) {
                let (numbers, behind) = rest.split_at(parameters.size(block as usize));
                x[parameters.offsets()[block as usize] as usize..][..numbers.len()].copy_from_slice(numbers);
                rest = behind;
            }
            records[number] = solved.records.into_iter().next().expect("a batch of one has a record");
        }
    }
    Ok((records, notes))
}

/// The cost of every component.
fn costs(task: &Task<'_>, x: &[f64]) -> Result<Vec<f64>, SolveError> {
    let Task { compiled, partition, .. } = *task;
    let mut evaluation = Evaluation::default();
    compiled.evaluate_objective(x, &mut evaluation)?;
    let cost = |number: usize| -> f64 {
        let squares = partition.instances(number).iter().map(|instance| square_sum(compiled, &evaluation, instance));
        0.5 * squares.sum::<f64>()
    };
    Ok((0..partition.components()).into_par_iter().map(cost).collect())
}

/// `stopped`: why the host stopped those that still went on.
fn termination(outcome: OwnOutcome, stopped: Option<Termination>) -> Termination {
    match outcome {
        OwnOutcome::New | OwnOutcome::Running => stopped.unwrap_or(Termination::Cancelled),
        OwnOutcome::FunctionTolerance => Termination::FunctionTolerance,
        OwnOutcome::GradientTolerance => Termination::GradientTolerance,
        OwnOutcome::ParameterTolerance => Termination::ParameterTolerance,
        OwnOutcome::PrecisionLimit => Termination::PrecisionLimit,
        OwnOutcome::TrustRegionCollapsed => Termination::TrustRegionCollapsed,
        OwnOutcome::MaxIterations => Termination::MaxIterations,
        OwnOutcome::InvalidSteps | OwnOutcome::NotFinite => Termination::InvalidSteps,
    }
}
