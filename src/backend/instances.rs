//! The instances of a group: structure of arrays, indexed per parameter block.

use super::pieces;
use crate::kernel::Kernel;
use std::ops::Range;
use std::sync::Arc;

/// Instances that a thread takes at a time.
const STRETCH: usize = 1 << 13;

/// A number an instance; kept once as long as all instances agree.
#[derive(Debug, Clone)]
pub enum Column {
    /// The same number for all: a literal of the kernel.
    Uniform(f64),
    /// One number an instance.
    Varying(Vec<f64>),
}

impl Column {
    /// The number of an instance.
    pub fn get(&self, instance: usize) -> f64 {
        match self {
            Column::Uniform(number) => *number,
            Column::Varying(numbers) => numbers[instance],
        }
    }

    /// Appends the number of instance `count`.
    pub(crate) fn push(&mut self, count: usize, number: f64) {
        match self {
            Column::Varying(numbers) => numbers.push(number),
            Column::Uniform(uniform) if uniform.to_bits() == number.to_bits() => {}
            Column::Uniform(uniform) => {
                let mut numbers = vec![*uniform; count];
                numbers.push(number);
                *self = Column::Varying(numbers);
            }
        }
    }

    /// Appends the numbers of the instances from `count` on.
    pub(crate) fn extend(&mut self, count: usize, numbers: impl ExactSizeIterator<Item = f64> + Clone) {
        if let Column::Uniform(uniform) = *self {
            if numbers.clone().all(|number| number.to_bits() == uniform.to_bits()) {
                return;
            }
            let mut all = Vec::with_capacity(count + numbers.len());
            all.resize(count, uniform);
            *self = Column::Varying(all);
        }
        if let Column::Varying(all) = self {
            all.extend(numbers);
        }
    }

    /// The number all instances share, if they do.
    pub fn uniform(&self) -> Option<f64> {
        if let Column::Uniform(number) = self { Some(*number) } else { None }
    }
}

/// Parameters and data of all instances of a group.
#[derive(Debug, Clone, Default)]
pub struct InstanceTable {
    /// Number of instances.
    pub count: usize,
    /// For each parameter block of the topology, where the block of each instance starts in the parameter vector.
    pub blocks: Vec<Vec<u32>>,
    /// The data columns.
    pub data: Vec<Column>,
}

impl InstanceTable {
    /// Appends an instance.
    pub(crate) fn push(&mut self, blocks: impl Iterator<Item = u32>, data: impl Iterator<Item = f64>) {
        for (column, start) in self.blocks.iter_mut().zip(blocks) {
            column.push(start);
        }
        if self.count == 0 {
            self.data = data.map(Column::Uniform).collect();
        } else {
            for (column, number) in self.data.iter_mut().zip(data) {
                column.push(self.count, number);
            }
        }
        self.count += 1;
    }

    /// Some of the instances, or all in another order.
    pub(crate) fn picked(&self, instances: &[u32]) -> InstanceTable {
        let indices = |column: &Vec<u32>| pieces::map(instances.len(), STRETCH, |k| column[instances[k] as usize]);
        let data = |column: &Column| match column {
            Column::Uniform(number) => Column::Uniform(*number),
            Column::Varying(numbers) => {
                Column::Varying(pieces::map(instances.len(), STRETCH, |k| numbers[instances[k] as usize]))
            }
        };
        let count = instances.len();
        InstanceTable {
            count,
            blocks: pieces::each(&self.blocks, count, STRETCH, indices),
            data: pieces::each(&self.data, count, STRETCH, data),
        }
    }

    /// The bytes of the table.
    pub fn bytes(&self) -> usize {
        let indices: usize = self.blocks.iter().map(Vec::capacity).sum();
        let numbers: usize = self.data.iter().map(|c| if let Column::Varying(n) = c { n.capacity() } else { 1 }).sum();
        indices * size_of::<u32>() + numbers * size_of::<f64>()
    }
}

/// Residuals of one topology: the kernel, the instances, and the rows they fill.
#[derive(Debug, Clone)]
pub struct Group {
    /// Code and derivatives.
    pub kernel: Arc<Kernel>,
    /// Instances.
    pub table: Arc<InstanceTable>,
    /// Rows of the residual vector: `residuals()` consecutive rows an instance.
    pub rows: Range<usize>,
    /// Place in the array of stored Jacobian numbers: `stored()` consecutive numbers an instance.
    pub stored: Range<usize>,
}

impl Group {
    /// The parameters of an instance, block by block.
    pub(crate) fn parameters<'x>(&self, instance: usize, x: &'x [f64]) -> Vec<&'x [f64]> {
        let sizes = &self.kernel.program.block_sizes;
        let starts = self.table.blocks.iter().map(|column| column[instance] as usize);
        starts.zip(sizes).map(|(start, &size)| &x[start..start + size as usize]).collect()
    }

    /// The data of an instance.
    pub(crate) fn data(&self, instance: usize) -> Vec<f64> {
        self.table.data.iter().map(|column| column.get(instance)).collect()
    }
}
