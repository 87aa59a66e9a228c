//! Parameter blocks: their numbers, and what of them is fixed.

use super::{Problem, ProblemError};
use rustc_hash::FxHashMap;

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
}

impl Default for Parameters {
    fn default() -> Self {
        Parameters { values: Vec::new(), offsets: vec![0], fixed: FxHashMap::default() }
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

    /// The flags of a block that is fixed in whole or in part.
    pub(crate) fn fixed(&self, block: usize) -> Option<&[bool]> {
        self.fixed.get(&(block as u32)).map(|flags| &**flags).filter(|flags| flags.contains(&true))
    }

    /// Whether no component of the block is free.
    pub fn is_fixed(&self, block: usize) -> bool {
        self.fixed(block).is_some_and(|flags| flags.iter().all(|&f| f))
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
    /// If the block does not exist, the count differs from its size, or a number is not finite.
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
        self.parameters.fixed.insert(block.0, vec![true; size].into());
        Ok(())
    }

    /// Holds one component of a block at its present number.
    ///
    /// # Errors
    /// If the block or the component does not exist.
    pub fn fix_component(&mut self, block: BlockId, component: usize) -> Result<(), ProblemError> {
        self.check_component(block, component)?;
        let size = self.parameters.size(block.index());
        self.parameters.fixed.entry(block.0).or_insert_with(|| vec![false; size].into())[component] = true;
        Ok(())
    }

    /// Frees a block and all its components.
    ///
    /// # Errors
    /// If the block does not exist.
    pub fn unfix(&mut self, block: BlockId) -> Result<(), ProblemError> {
        self.check_component(block, 0)?;
        self.parameters.fixed.remove(&block.0);
        Ok(())
    }

    fn check_component(&self, block: BlockId, component: usize) -> Result<(), ProblemError> {
        let (block, blocks) = (block.index(), self.parameters.blocks());
        if block >= blocks {
            return Err(ProblemError::NoSuchBlock { block, blocks });
        }
        let size = self.parameters.size(block);
        if component >= size { Err(ProblemError::UnknownComponent { block, component, size }) } else { Ok(()) }
    }
}
