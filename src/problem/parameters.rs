//! Parameter blocks: their numbers, and what of them is fixed.

use super::manifold::{Manifold, OnManifold};
use super::{Problem, ProblemError};
use crate::kernel::LaneCode;
use crate::program::Retraction;
use rustc_hash::FxHashMap;
use std::sync::Arc;

/// Names a parameter block of a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(pub(crate) u32);

impl BlockId {
    /// Position among the blocks of the problem, in the order they were added.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// All parameter blocks in one vector.
#[derive(Debug, Clone)]
pub struct Parameters {
    values: Vec<f64>,
    /// Start of each block, and the end of the last.
    offsets: Vec<u32>,
    /// Blocks held constant, in whole or in part: one flag a component.
    fixed: FxHashMap<u32, Box<[bool]>>,
    /// The manifolds in use.
    manifolds: Vec<OnManifold>,
    /// For each block 1 + the index of its manifold, or 0 if it is a plain one; empty while all are.
    manifold_of: Vec<u32>,
    /// (lower, upper) for each component of the bounded blocks.
    bounds: FxHashMap<u32, Box<[(f64, f64)]>>,
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters {
            values: Vec::new(),
            offsets: vec![0],
            fixed: FxHashMap::default(),
            manifolds: Vec::new(),
            manifold_of: Vec::new(),
            bounds: FxHashMap::default(),
        }
    }
}

impl Parameters {
    /// The numbers of all blocks.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// Gives back the room for further blocks.
    pub(super) fn shrink_to_fit(&mut self) {
        self.values.shrink_to_fit();
        self.offsets.shrink_to_fit();
    }

    /// Exchanges the numbers of all blocks for others, as many.
    pub(crate) fn swap_values(&mut self, values: &mut Vec<f64>) {
        debug_assert_eq!(self.values.len(), values.len());
        std::mem::swap(&mut self.values, values);
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Start of each block in [`Parameters::values`], and the end of the last.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets
    }

    /// Number of components of a block.
    pub fn size(&self, block: usize) -> usize {
        (self.offsets[block + 1] - self.offsets[block]) as usize
    }

    /// Numbers of every block, if all have as many.
    #[cfg(feature = "gpu")]
    pub(crate) fn common_size(&self) -> Option<usize> {
        use rayon::prelude::*;

        let size = *self.offsets.get(1)? as usize;
        let is_multiple = |(block, &start): (usize, &u32)| start as usize == block * size;
        let alike = self.offsets.par_iter().enumerate().with_min_len(1 << 14).all(is_multiple);
        (alike && size > 0).then_some(size)
    }

    /// Numbers of every block, if all have as many, all of them free, and none is on a manifold.
    #[cfg(feature = "gpu")]
    pub(crate) fn common_free_size(&self) -> Option<usize> {
        let are_free = !self.has_manifolds() && !self.fixed.values().any(|flags| flags.contains(&true));
        if are_free { self.common_size() } else { None }
    }

    /// The flags of a block that is fixed in whole or in part.
    pub(crate) fn fixed(&self, block: usize) -> Option<&[bool]> {
        self.fixed.get(&(block as u32)).map(|flags| &**flags).filter(|flags| flags.contains(&true))
    }

    /// Whether no component of the block is free.
    pub fn is_fixed(&self, block: usize) -> bool {
        self.fixed(block).is_some_and(|flags| flags.iter().all(|&f| f))
    }

    fn on_manifold(&self, block: usize) -> Option<&OnManifold> {
        Some(&self.manifolds[self.manifold_number(block).checked_sub(1)? as usize])
    }

    /// The manifold of a block; `None` for a plain block.
    pub fn manifold(&self, block: usize) -> Option<&dyn Manifold> {
        self.on_manifold(block).map(|on| &*on.manifold)
    }

    /// The manifold of a block, to be kept.
    pub(super) fn shared_manifold(&self, block: usize) -> Option<Arc<dyn Manifold>> {
        self.on_manifold(block).map(|on| on.manifold.clone())
    }

    /// The code of a step of a block on a manifold.
    pub(super) fn step_code(&self, block: usize) -> Option<&Arc<LaneCode>> {
        self.on_manifold(block).map(|on| &on.code)
    }

    /// The compiled step of a block on a manifold.
    pub(crate) fn retraction(&self, block: usize) -> Option<&Arc<Retraction>> {
        self.on_manifold(block).map(|on| &on.retraction)
    }

    /// 1 + the index of a block's manifold, or 0 if it is a plain one.
    pub(super) fn manifold_number(&self, block: usize) -> u32 {
        self.manifold_of.get(block).copied().unwrap_or(0)
    }

    /// Whether any block is on a manifold.
    pub fn has_manifolds(&self) -> bool {
        !self.manifolds.is_empty()
    }

    /// Number of components of a step of a block: its size, or less on a manifold.
    pub fn tangent_size(&self, block: usize) -> usize {
        self.retraction(block).map_or_else(|| self.size(block), |retraction| retraction.tangent_size())
    }

    /// Start of each block in a step over all blocks, and the end of the last.
    pub fn tangent_offsets(&self) -> Vec<u32> {
        if !self.has_manifolds() {
            return self.offsets.clone();
        }
        let mut end = 0;
        let ends = (0..self.blocks()).map(|block| {
            end += self.tangent_size(block) as u32;
            end
        });
        std::iter::once(0).chain(ends).collect()
    }

    pub(super) fn put_on(&mut self, blocks: &[BlockId], manifold: OnManifold) {
        // Two manifolds with one step are one to the solver; their names may differ.
        let same = |other: &OnManifold| {
            other.retraction == manifold.retraction && other.manifold.name() == manifold.manifold.name()
        };
        let index = self.manifolds.iter().position(same).unwrap_or_else(|| {
            self.manifolds.push(manifold.clone());
            self.manifolds.len() - 1
        });
        self.manifold_of.resize(self.blocks(), 0);
        for block in blocks {
            self.manifold_of[block.index()] = index as u32 + 1;
        }
    }

    /// (lower, upper) for each component of a block with bounds.
    pub(crate) fn bounds(&self, block: usize) -> Option<&[(f64, f64)]> {
        self.bounds.get(&(block as u32)).map(|bounds| &**bounds)
    }

    /// Whether a component of the block has a bound.
    pub fn is_bounded(&self, block: usize) -> bool {
        self.bounds.contains_key(&(block as u32))
    }

    /// Whether a component of any block has a bound.
    pub fn has_bounds(&self) -> bool {
        !self.bounds.is_empty()
    }

    pub(crate) fn slice(&self, block: usize) -> &[f64] {
        &self.values[self.offsets[block] as usize..self.offsets[block + 1] as usize]
    }

    pub(crate) fn bytes(&self) -> usize {
        self.values.capacity() * size_of::<f64>() + self.offsets.capacity() * size_of::<u32>()
    }

    fn push(&mut self, values: &[f64]) -> Result<BlockId, ProblemError> {
        let block = self.blocks();
        if values.is_empty() {
            return Err(ProblemError::EmptyBlock { block });
        }
        if let Some(component) = values.iter().position(|v| !v.is_finite()) {
            return Err(ProblemError::NonFiniteParameter { block, component, value: values[component] });
        }
        let end = u32::try_from(self.values.len() + values.len())
            .map_err(|_| ProblemError::TooLarge { what: "parameters" })?;
        self.values.extend_from_slice(values);
        self.offsets.push(end);
        Ok(BlockId(block as u32))
    }
}

/// Parameter blocks.
impl Problem {
    /// Adds a block that starts at `values`.
    ///
    /// # Errors
    /// If there is no number, or one that is not finite.
    pub fn add_parameter_block(&mut self, values: &[f64]) -> Result<BlockId, ProblemError> {
        self.kept.clear();
        self.parameters.push(values)
    }

    /// Adds blocks of `size` components each, one after the other in `values`.
    ///
    /// # Errors
    /// If the numbers do not make whole blocks, or one is not finite; then no block is added.
    pub fn add_parameter_blocks(&mut self, size: usize, values: &[f64]) -> Result<Vec<BlockId>, ProblemError> {
        if size == 0 || !values.len().is_multiple_of(size) {
            return Err(ProblemError::RaggedBlocks { length: values.len(), size });
        }
        self.kept.clear();
        let (blocks, numbers) = (self.parameters.blocks(), self.parameters.values.len());
        let added: Result<Vec<BlockId>, ProblemError> = values.chunks(size).map(|v| self.parameters.push(v)).collect();
        if added.is_err() {
            self.parameters.values.truncate(numbers);
            self.parameters.offsets.truncate(blocks + 1);
        }
        added
    }

    /// All parameter blocks.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The present numbers of a block: the start, or after a solve the best accepted point.
    ///
    /// # Panics
    /// If the id belongs to another problem with more blocks.
    pub fn parameter_block(&self, block: BlockId) -> &[f64] {
        self.parameters.slice(block.index())
    }

    /// Gives a block other numbers.
    ///
    /// # Errors
    /// If the block does not exist, the count differs from its size, a number is not finite, or they lie off the block's manifold or
    /// bounds.
    pub fn set_parameter_block(&mut self, block: BlockId, values: &[f64]) -> Result<(), ProblemError> {
        self.check_component(block, 0)?;
        let expected = self.parameters.size(block.index());
        if values.len() != expected {
            return Err(ProblemError::ParameterCount { expected, found: values.len() });
        }
        if let Some(component) = values.iter().position(|v| !v.is_finite()) {
            let value = values[component];
            return Err(ProblemError::NonFiniteParameter { block: block.index(), component, value });
        }
        if let Some(manifold) = self.parameters.manifold(block.index()) {
            let off = |reason| ProblemError::OffManifold { block: block.index(), manifold: manifold.name(), reason };
            manifold.check(values).map_err(off)?;
        }
        if let Some(bounds) = self.parameters.bounds(block.index()) {
            check_bounds(block, values, bounds)?;
        }
        let start = self.parameters.offsets[block.index()] as usize;
        self.parameters.values[start..start + expected].copy_from_slice(values);
        Ok(())
    }

    /// Holds a block at its present numbers.
    ///
    /// # Errors
    /// If the block does not exist.
    pub fn fix(&mut self, block: BlockId) -> Result<(), ProblemError> {
        self.check_component(block, 0)?;
        let size = self.parameters.size(block.index());
        self.kept.clear();
        self.parameters.fixed.insert(block.0, vec![true; size].into());
        Ok(())
    }

    /// Holds one component of a block at its present number.
    ///
    /// # Errors
    /// If the block or the component does not exist, or the block is on a manifold.
    pub fn fix_component(&mut self, block: BlockId, component: usize) -> Result<(), ProblemError> {
        self.check_component(block, component)?;
        if let Some(manifold) = self.parameters.manifold(block.index()) {
            return Err(ProblemError::ComponentOnManifold { block: block.index(), manifold: manifold.name() });
        }
        let size = self.parameters.size(block.index());
        self.kept.clear();
        self.parameters.fixed.entry(block.0).or_insert_with(|| vec![false; size].into())[component] = true;
        Ok(())
    }

    /// Frees a block and all its components.
    ///
    /// # Errors
    /// If the block does not exist.
    pub fn unfix(&mut self, block: BlockId) -> Result<(), ProblemError> {
        self.check_component(block, 0)?;
        self.kept.clear();
        self.parameters.fixed.remove(&block.0);
        Ok(())
    }

    /// Keeps a component between bounds, which may be infinite; both infinite take them away.
    ///
    /// # Errors
    /// If the block or the component does not exist, the block is on a manifold, `lower` is above `upper`, one of them is NaN, or the
    /// present number is not between them.
    pub fn set_bounds(&mut self, block: BlockId, component: usize, lower: f64, upper: f64) -> Result<(), ProblemError> {
        self.check_component(block, component)?;
        if let Some(manifold) = self.parameters.manifold(block.index()) {
            return Err(ProblemError::BoundOnManifold { block: block.index(), manifold: manifold.name() });
        }
        // Written so that a NaN fails too.
        if lower.partial_cmp(&upper).is_none_or(|order| order.is_gt()) {
            return Err(ProblemError::EmptyBounds { block: block.index(), component, lower, upper });
        }
        let mut bounds = match self.parameters.bounds(block.index()) {
            Some(bounds) => bounds.to_vec(),
            None => vec![(f64::NEG_INFINITY, f64::INFINITY); self.parameters.size(block.index())],
        };
        bounds[component] = (lower, upper);
        check_bounds(block, self.parameters.slice(block.index()), &bounds)?;
        self.kept.clear();
        if bounds.iter().all(|&(lower, upper)| lower == f64::NEG_INFINITY && upper == f64::INFINITY) {
            self.parameters.bounds.remove(&block.0);
        } else {
            self.parameters.bounds.insert(block.0, bounds.into());
        }
        Ok(())
    }

    pub(super) fn check_component(&self, block: BlockId, component: usize) -> Result<(), ProblemError> {
        let (block, blocks) = (block.index(), self.parameters.blocks());
        if block >= blocks {
            return Err(ProblemError::NoSuchBlock { block, blocks });
        }
        let size = self.parameters.size(block);
        if component >= size { Err(ProblemError::UnknownComponent { block, component, size }) } else { Ok(()) }
    }
}

fn check_bounds(block: BlockId, values: &[f64], bounds: &[(f64, f64)]) -> Result<(), ProblemError> {
    let outside = |(&value, &(lower, upper)): (&f64, &(f64, f64))| value < lower || value > upper;
    let Some(component) = values.iter().zip(bounds).position(outside) else { return Ok(()) };
    let (value, (lower, upper)) = (values[component], bounds[component]);
    Err(ProblemError::OutOfBounds { block: block.index(), component, value, lower, upper })
}
