//! The components of a problem by shape, for a device that minimises each by one lane.

use super::partition::Partition;
use super::whole::NONE;
use crate::device::Lot;
use crate::kernel::Kernel;
use crate::kernel::wgsl::{OwnBlock, OwnKind, Shape};
use crate::problem::{CompiledProblem, Parameters};
use crate::program::Retraction;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Most shapes of components: each is a kernel, compiled and dispatched by itself.
const MOST_SHAPES: usize = 8;

/// Most ways in which instances touch the blocks of components of a shape.
const MOST_KINDS: usize = 24;

/// Components of one shape, with their numbers in the partition.
pub(super) struct Shaped {
    pub lot: Lot,
    pub members: Vec<u32>,
}

/// Sorts the components by shape.
///
/// # Errors
/// What keeps them from being minimised by lanes.
pub(super) fn sort(
    compiled: &CompiledProblem,
    parameters: &Parameters,
    partition: &Partition,
) -> Result<Vec<Shaped>, String> {
    let mut shapes = Shapes::new(compiled, parameters, partition);
    for component in 0..partition.components() {
        shapes.add(component)?;
    }
    let kernels: Vec<&Kernel> = compiled.groups.iter().map(|group| &*group.kernel).collect();
    match shapes.shaped.iter().find_map(|shaped| shaped.lot.shape.obstacle(&kernels)) {
        Some(obstacle) => Err(obstacle),
        None => Ok(shapes.shaped),
    }
}

struct Shapes<'a> {
    compiled: &'a CompiledProblem,
    parameters: &'a Parameters,
    partition: &'a Partition,
    /// The free block that starts at each place of the parameter vector.
    block_at: Vec<u32>,
    /// Which block of its component each block is.
    position: Vec<u32>,
    retractions: Vec<Arc<Retraction>>,
    by_key: FxHashMap<Vec<u32>, usize>,
    shaped: Vec<Shaped>,
}

impl<'a> Shapes<'a> {
    fn new(compiled: &'a CompiledProblem, parameters: &'a Parameters, partition: &'a Partition) -> Self {
        let mut block_at = vec![NONE; parameters.values().len()];
        let mut position = vec![0; parameters.blocks()];
        for component in 0..partition.components() {
            for (k, &block) in partition.blocks(component).iter().enumerate() {
                block_at[parameters.offsets()[block as usize] as usize] = block;
                position[block as usize] = k as u32;
            }
        }
        Shapes {
            compiled,
            parameters,
            partition,
            block_at,
            position,
            retractions: Vec::new(),
            by_key: FxHashMap::default(),
            shaped: Vec::new(),
        }
    }

    /// Adds a component to those of its shape.
    fn add(&mut self, component: usize) -> Result<(), String> {
        let index = self.shape_of(component)?;
        let Shaped { lot, members } = &mut self.shaped[index];
        members.push(component as u32);
        lot.blocks.extend_from_slice(self.partition.blocks(component));
        lot.counts.iter_mut().for_each(|counts| counts.push(0));
        for &(group, instance) in self.partition.instances(component) {
            let starts = &self.compiled.groups[group as usize].table.blocks;
            let own = |column: &Vec<u32>| match self.block_at[column[instance as usize] as usize] {
                NONE => None,
                block => Some(self.position[block as usize] as usize),
            };
            let is_it =
                |kind: &OwnKind| kind.group == group as usize && starts.iter().map(own).eq(kind.blocks.iter().copied());
            let known = lot.shape.kinds.iter().position(is_it);
            let kind = match known {
                Some(kind) => kind,
                None if lot.shape.kinds.len() == MOST_KINDS => {
                    return Err(format!("residuals touch the blocks of a component in more than {MOST_KINDS} ways"));
                }
                None => {
                    lot.shape.kinds.push(OwnKind { group: group as usize, blocks: starts.iter().map(own).collect() });
                    lot.counts.push(vec![0; members.len()]);
                    lot.instances.push(Vec::new());
                    lot.shape.kinds.len() - 1
                }
            };
            lot.counts[kind][members.len() - 1] += 1;
            lot.instances[kind].push(instance);
        }
        Ok(())
    }

    /// The shape of a component, which is new if there was none like it.
    fn shape_of(&mut self, component: usize) -> Result<usize, String> {
        let parameters = self.parameters;
        let blocks = self.partition.blocks(component).iter().map(|&block| block as usize);
        let bounded = blocks.clone().any(|block| parameters.bounds(block).is_some());
        let mut key = vec![u32::from(bounded)];
        for block in blocks.clone() {
            let tangent = parameters.tangent_size(block);
            let manifold = parameters.retraction(block).map_or(NONE, |retraction| self.number_of(retraction));
            key.extend([parameters.size(block) as u32, tangent as u32, manifold]);
            if let Some(held) = parameters.fixed(block) {
                key.extend((0..).zip(held).filter(|(_, held)| **held).map(|(k, _): (u32, _)| k));
            }
            key.push(NONE);
        }
        if let Some(&index) = self.by_key.get(&key) {
            return Ok(index);
        }
        if self.shaped.len() == MOST_SHAPES {
            return Err(format!("components have more than {MOST_SHAPES} shapes"));
        }
        let mut scalars = 0;
        let block = |block: usize| {
            let held = parameters.fixed(block);
            let columns = (0..parameters.tangent_size(block)).map(|k| {
                let is_free = !held.is_some_and(|held| held[k]);
                scalars += usize::from(is_free);
                is_free.then(|| scalars - 1)
            });
            OwnBlock {
                columns: columns.collect(),
                size: parameters.size(block),
                retraction: parameters.retraction(block).cloned(),
            }
        };
        let shape = Shape { blocks: blocks.map(block).collect(), kinds: Vec::new(), bounded };
        let lot = Lot { shape, blocks: Vec::new(), counts: Vec::new(), instances: Vec::new() };
        self.by_key.insert(key, self.shaped.len());
        self.shaped.push(Shaped { lot, members: Vec::new() });
        Ok(self.shaped.len() - 1)
    }

    fn number_of(&mut self, retraction: &Arc<Retraction>) -> u32 {
        let known = self.retractions.iter().position(|other| Arc::ptr_eq(other, retraction));
        known.unwrap_or_else(|| {
            self.retractions.push(retraction.clone());
            self.retractions.len() - 1
        }) as u32
    }
}
