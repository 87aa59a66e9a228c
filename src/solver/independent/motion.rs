//! Steps of the blocks of a batch: x ⊞ δ.

use crate::backend::{InstanceTable, cpu::evaluate_code};
use crate::kernel::LaneCode;
use crate::problem::Parameters;
use crate::program::Retraction;
use std::sync::Arc;

/// The manifolds of a problem, compiled once for all batches.
#[derive(Debug)]
pub(super) struct Retractions(Vec<(Arc<Retraction>, LaneCode)>);

impl Retractions {
    pub fn new(parameters: &Parameters) -> Self {
        let mut known: Vec<(Arc<Retraction>, LaneCode)> = Vec::new();
        if parameters.has_manifolds() {
            for retraction in (0..parameters.blocks()).filter_map(|block| parameters.retraction(block)) {
                if !known.iter().any(|(other, _)| Arc::ptr_eq(other, retraction)) {
                    known.push((retraction.clone(), LaneCode::new(&retraction.plus)));
                }
            }
        }
        Retractions(known)
    }

    fn position(&self, retraction: &Arc<Retraction>) -> usize {
        self.0.iter().position(|(other, _)| Arc::ptr_eq(other, retraction)).unwrap_or(self.0.len())
    }
}

/// Where the blocks of a batch stand in its parameters and in its steps.
///
/// `point` is the parameters of the batch and behind them the step, one vector.
#[derive(Debug)]
pub(super) struct Motion<'a> {
    retractions: &'a Retractions,
    /// (place, component) of the numbers of plain blocks.
    plain: Vec<(u32, u32)>,
    /// For each manifold the starts of its points and of their steps in `point`.
    curved: Vec<InstanceTable>,
    /// Where the step begins in `point`.
    ambient: u32,
}

impl<'a> Motion<'a> {
    /// `ambient` is the number of parameters of the batch.
    pub fn new(retractions: &'a Retractions, ambient: usize) -> Self {
        let table = || InstanceTable { blocks: vec![Vec::new(); 2], ..InstanceTable::default() };
        let curved = retractions.0.iter().map(|_| table()).collect();
        Motion { retractions, plain: Vec::new(), curved, ambient: ambient as u32 }
    }

    /// Forgets the blocks.
    pub fn clear(&mut self) {
        self.plain.clear();
        for table in &mut self.curved {
            table.count = 0;
            table.blocks.iter_mut().for_each(Vec::clear);
        }
    }

    /// Adds a block of `size` numbers that begins at `place`, and its step at `component`.
    pub fn push(&mut self, retraction: Option<&Arc<Retraction>>, size: usize, place: u32, component: u32) {
        match retraction {
            None => self.plain.extend((0..size as u32).map(|k| (place + k, component + k))),
            Some(retraction) => {
                let table = &mut self.curved[self.retractions.position(retraction)];
                table.push([place, self.ambient + component].into_iter(), std::iter::empty());
            }
        }
    }

    /// `target = x ⊞ δ` for the blocks that were added.
    pub fn take(&self, point: &[f64], target: &mut [f64]) {
        for &(place, component) in &self.plain {
            target[place as usize] = point[place as usize] + point[(self.ambient + component) as usize];
        }
        let manifolds = self.retractions.0.iter().zip(&self.curved);
        for ((retraction, code), table) in manifolds.filter(|(_, table)| table.count > 0) {
            let size = retraction.ambient_size();
            let moved = evaluate_code(code, table, point);
            for (&start, numbers) in table.blocks[0].iter().zip(moved.chunks_exact(size)) {
                target[start as usize..start as usize + size].copy_from_slice(numbers);
            }
        }
    }
}
