//! Many small connected components on a device, each minimised by one lane.
//!
//! Components of one [`Shape`] are a lot with a kernel and buffers of its own. Whatever a component has one of stands number by number
//! over all components, so that lanes beside each other read beside each other; its instances follow each other kind by kind.

use super::buffers::Buffers;
use super::plans::plan;
use super::settings::{Counts, Settings};
use super::stage::{Request, Requests, Stage, usable};
use crate::backend::gpu::{Commands, Download, GpuBuffer, GpuContext, GpuError};
use crate::kernel::Kernel;
use crate::kernel::wgsl::{self, Formats, Module, OWN_STATE, Shape, Slot, WORKGROUP};
use crate::problem::{CompiledProblem, Parameters};
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Components of one shape.
#[derive(Debug, Clone)]
pub struct Lot {
    /// What they have in common.
    pub shape: Shape,
    /// Their free blocks in the order of the shape, component by component.
    pub blocks: Vec<u32>,
    /// For each kind of the shape the number of instances of each component.
    pub counts: Vec<Vec<u32>>,
    /// For each kind of the shape the instances of its group, component by component.
    pub instances: Vec<Vec<u32>>,
}

impl Lot {
    /// Number of components.
    pub fn components(&self) -> usize {
        self.blocks.len() / self.shape.blocks.len().max(1)
    }

    /// Instances of the component that has most.
    pub fn most_instances(&self) -> usize {
        let of = |component: usize| self.counts.iter().map(|counts| counts[component] as usize).sum();
        (0..self.components()).map(of).max().unwrap_or(0)
    }
}

/// Components on a device.
pub struct DeviceComponents {
    context: GpuContext,
    formats: Formats,
    lots: Vec<DeviceLot>,
}

/// A lot with its buffers.
struct DeviceLot {
    components: usize,
    ambient: usize,
    buffers: Buffers,
    rows: Vec<u32>,
    plan: Arc<GpuBuffer<u32>>,
    stage: Stage,
}

impl std::fmt::Debug for DeviceComponents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceComponents").field("formats", &self.formats).finish_non_exhaustive()
    }
}

impl DeviceComponents {
    /// Uploads the components at their present points, and compiles the kernels.
    ///
    /// # Errors
    /// What the device says; [`GpuError::Unsupported`] for a constant outside the range of the format.
    pub fn new(
        context: &GpuContext,
        problem: &CompiledProblem,
        parameters: &Parameters,
        formats: Formats,
        settings: &Settings,
        lots: &[Lot],
    ) -> Result<Self, GpuError> {
        let kernels: Vec<&Kernel> = problem.groups.iter().map(|group| &*group.kernel).collect();
        let mut uploaded = Vec::with_capacity(lots.len());
        for lot in lots {
            let module: Arc<Module> = usable(context, wgsl::component(&lot.shape, &kernels, formats))?;
            let uploads = Uploads { context, problem, parameters, formats, settings, lot };
            let (buffers, rows) = uploads.buffers()?;
            let plan = plan(context, &rows)?;
            uploaded.push((module, buffers, rows, plan));
        }
        let mut requests = Requests::default();
        for (module, buffers, _, plan) in &uploaded {
            requests.add(0, Request::new(module, plan, 0).with(buffers));
        }
        let [stages] = requests.start::<1>(context, &[])?;
        let lots = uploaded.into_iter().zip(stages).zip(lots).map(|(((_, buffers, rows, plan), stage), lot)| {
            DeviceLot { components: lot.components(), ambient: lot.shape.ambient(), buffers, rows, plan, stage }
        });
        Ok(DeviceComponents { context: context.clone(), formats, lots: lots.collect() })
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.lots.iter().map(|lot| lot.buffers.bytes()).sum()
    }

    /// Makes the components in `order` those of a lot that later turns are for.
    ///
    /// # Errors
    /// [`GpuError::Lost`].
    pub fn set_order(&mut self, lot: usize, order: &[u32]) -> Result<(), GpuError> {
        let lot = &mut self.lots[lot];
        lot.buffers.get(Slot::Order).write(0, bytemuck::cast_slice(order))?;
        lot.rows[RUNNING] = order.len() as u32;
        Ok(())
    }

    /// Records so many turns of the components of a lot that are in its order. Once a submission for each lot.
    ///
    /// # Errors
    /// [`GpuError::Lost`]; [`GpuError::Shader`] if its kernel does not compile.
    pub fn record_turns(&mut self, commands: &mut Commands, lot: usize, turns: u32) -> Result<(), GpuError> {
        let lot = &mut self.lots[lot];
        lot.rows[TURNS] = turns;
        lot.plan.write(0, &lot.rows)?;
        lot.stage.record_some(commands, u64::from(lot.rows[RUNNING].div_ceil(WORKGROUP)))
    }

    /// How the components of a lot stand, as words of [`OwnOutcome`](crate::kernel::wgsl::OwnOutcome).
    pub fn download_outcomes(&self, commands: &mut Commands, lot: usize) -> Download {
        let outcomes = self.lots[lot].buffers.get(Slot::Outcomes);
        commands.download(outcomes.raw(), 0..outcomes.bytes())
    }

    /// Number `k` of the state of every component of a lot.
    pub fn download_state(&self, commands: &mut Commands, lot: usize, k: usize) -> Download {
        let lot = &self.lots[lot];
        let bytes = (lot.components * self.formats.sum.bytes()) as u64;
        commands.download(lot.buffers.get(Slot::Components).raw(), k as u64 * bytes..(k as u64 + 1) * bytes)
    }

    /// The numbers behind [`download_state`](Self::download_state).
    pub fn decode_state(&self, bytes: &[u8]) -> Vec<f64> {
        self.formats.sum.decode(bytes)
    }

    /// The points of all components of a lot.
    pub fn download_points(&self, commands: &mut Commands, lot: usize) -> Download {
        let points = self.lots[lot].buffers.get(Slot::Point);
        commands.download(points.raw(), 0..points.bytes())
    }

    /// The points behind [`download_points`](Self::download_points), component by component.
    pub fn decode_points(&self, lot: usize, bytes: &[u8]) -> Vec<f64> {
        let DeviceLot { components, ambient, .. } = self.lots[lot];
        let numbers = self.formats.real.decode(bytes);
        (0..components)
            .flat_map(|c| (0..ambient).map(move |k| (c, k)))
            .map(|(c, k)| numbers[k * components + c])
            .collect()
    }

    /// The context the components live in.
    pub fn context(&self) -> &GpuContext {
        &self.context
    }
}

/// Places in the table of a lot: `Lot` in `kernels/component.wgsl`.
const RUNNING: usize = 1;
const TURNS: usize = 2;

/// What the buffers of a lot are made of.
struct Uploads<'a> {
    context: &'a GpuContext,
    problem: &'a CompiledProblem,
    parameters: &'a Parameters,
    formats: Formats,
    settings: &'a Settings,
    lot: &'a Lot,
}

impl Uploads<'_> {
    /// The buffers, and the table of the lot.
    fn buffers(&self) -> Result<(Buffers, Vec<u32>), GpuError> {
        let Uploads { context, formats, settings, lot, .. } = self;
        let (components, real) = (lot.components(), formats.real);
        let mut buffers = Buffers::new(context);
        let (indices, data, rows) = self.tables();
        buffers.upload(Slot::Indices, bytemuck::cast_slice(&indices))?;
        buffers.upload(Slot::Data, &real.encode(&data))?;
        buffers.upload(Slot::Point, &real.encode(&self.point()))?;
        if lot.shape.bounded {
            buffers.upload(Slot::Bounds, &real.encode(&self.bounds()))?;
        }
        let order: Vec<u32> = (0..components as u32).collect();
        buffers.upload(Slot::Order, bytemuck::cast_slice(&order))?;
        buffers.zeros(Slot::Equations, lot.shape.equations() * components, real)?;
        let state = wgsl::first_own_state(settings.initial_radius.min(settings.max_radius));
        debug_assert_eq!(state.len(), OWN_STATE);
        let state: Vec<f64> = state.iter().flat_map(|&number| std::iter::repeat_n(number, components)).collect();
        buffers.upload(Slot::Components, &formats.sum.encode(&state))?;
        buffers.upload(Slot::Outcomes, bytemuck::cast_slice(&vec![0u32; components]))?;
        buffers.uniform(Slot::Solve, &settings.words(&Counts::of_components(lot.shape.bounded)))?;
        Ok((buffers, rows))
    }

    /// First instance and number of instances of each component, then starts of fixed blocks; data, then the numbers of fixed blocks; the
    /// table that says where all that is.
    fn tables(&self) -> (Vec<u32>, Vec<f64>, Vec<u32>) {
        let Lot { shape, counts, instances, .. } = self.lot;
        let components = self.lot.components() as u32;
        let (mut indices, mut data) = (Vec::new(), Vec::new());
        for counts in counts {
            indices.extend(counts.iter().scan(0, |end, &count| Some(std::mem::replace(end, *end + count))));
            indices.extend_from_slice(counts);
        }
        let mut rows = vec![components, components, 0, 0];
        // Where in `indices` the starts of fixed blocks are, by their starts in the parameter vector.
        let mut fixed: Vec<(usize, u32, usize)> = Vec::new();
        for (kind, instances) in shape.kinds.iter().zip(instances) {
            let group = &self.problem.groups[kind.group];
            rows.extend([data.len() as u32, instances.len() as u32, indices.len() as u32, 0]);
            for column in wgsl::data_columns(&group.kernel) {
                let column = &group.table.data[column as usize];
                data.extend(instances.iter().map(|&instance| column.get(instance as usize)));
            }
            for (slot, starts) in group.table.blocks.iter().enumerate().filter(|(slot, _)| kind.blocks[*slot].is_none())
            {
                let size = group.kernel.program.block_sizes[slot] as usize;
                for &instance in instances {
                    fixed.push((indices.len(), starts[instance as usize], size));
                    indices.push(0);
                }
            }
        }
        let mut known: FxHashMap<u32, u32> = FxHashMap::default();
        for (index, start, size) in fixed {
            let numbers = &self.parameters.values()[start as usize..start as usize + size];
            indices[index] = *known.entry(start).or_insert_with(|| {
                data.extend_from_slice(numbers);
                (data.len() - size) as u32
            });
        }
        if data.is_empty() {
            // A binding of nothing is none.
            data.push(0.0);
        }
        (indices, data, rows)
    }

    /// The blocks of every component.
    fn components(&self) -> impl Iterator<Item = (usize, &[u32])> {
        self.lot.blocks.chunks_exact(self.lot.shape.blocks.len()).enumerate()
    }

    fn point(&self) -> Vec<f64> {
        let components = self.lot.components();
        let mut point = vec![0.0; components * self.lot.shape.ambient()];
        for (c, blocks) in self.components() {
            let numbers = blocks.iter().flat_map(|&block| self.parameters.slice(block as usize));
            numbers.enumerate().for_each(|(k, &number)| point[k * components + c] = number);
        }
        point
    }

    /// Lower and upper bound of every column.
    fn bounds(&self) -> Vec<f64> {
        let (components, most) = (self.lot.components(), self.formats.real.largest());
        let mut bounds = [vec![-most; components], vec![most; components]].concat().repeat(self.lot.shape.scalars());
        for (c, blocks) in self.components() {
            for (own, &block) in self.lot.shape.blocks.iter().zip(blocks) {
                let of_block = self.parameters.bounds(block as usize).unwrap_or(&[]);
                for (column, &(lower, upper)) in own.columns.iter().zip(of_block) {
                    let Some(column) = column else { continue };
                    bounds[2 * column * components + c] = lower.clamp(-most, most);
                    bounds[(2 * column + 1) * components + c] = upper.clamp(-most, most);
                }
            }
        }
        bounds
    }
}
