//! Steps over all blocks of a problem, and where they lead.

use super::Parameters;
use crate::backend::{InstanceTable, cpu::evaluate_code};
use crate::kernel::LaneCode;
use crate::program::Retraction;
use std::sync::Arc;

/// How the blocks of a problem move: where the components of each stand in a step over all blocks, and how a step is taken.
///
/// Plain blocks move by addition. Those on manifolds are moved manifold by manifold, by the kernel of x ⊞ δ. Blocks that were fixed
/// when the problem was compiled stay as they are.
#[derive(Debug, Clone)]
pub struct Steps {
    ambient: usize,
    tangent: usize,
    /// Start in a step of the block that starts at each place of the parameter vector; empty where these are the same.
    starts: Vec<u32>,
    /// Numbers of plain blocks, as (place in the parameter vector, place in the step); empty if all are plain.
    plain: Vec<(u32, u32)>,
    curved: Arc<Vec<Curved>>,
}

/// The blocks on one manifold.
#[derive(Debug)]
struct Curved {
    retraction: Arc<Retraction>,
    code: Arc<LaneCode>,
    /// Starts of the points, and of the steps behind all parameters.
    table: InstanceTable,
}

impl Steps {
    pub(super) fn new(parameters: &Parameters) -> Self {
        let ambient = parameters.values().len();
        let mut steps =
            Steps { ambient, tangent: ambient, starts: Vec::new(), plain: Vec::new(), curved: Arc::default() };
        if !parameters.has_manifolds() {
            return steps;
        }
        let (offsets, tangent_offsets) = (parameters.offsets(), parameters.tangent_offsets());
        steps.tangent = tangent_offsets[parameters.blocks()] as usize;
        steps.starts = vec![0; ambient];
        let mut curved: Vec<Curved> = Vec::new();
        for block in 0..parameters.blocks() {
            let (start, tangent) = (offsets[block], tangent_offsets[block]);
            steps.starts[start as usize] = tangent;
            if parameters.is_fixed(block) {
                continue;
            }
            let (Some(retraction), Some(code)) = (parameters.retraction(block), parameters.step_code(block)) else {
                steps.plain.extend((0..parameters.size(block) as u32).map(|k| (start + k, tangent + k)));
                continue;
            };
            let known = curved.iter().position(|curved| Arc::ptr_eq(&curved.retraction, retraction));
            let index = known.unwrap_or_else(|| {
                curved.push(Curved::new(retraction, code));
                curved.len() - 1
            });
            curved[index].table.push([start, ambient as u32 + tangent].into_iter(), std::iter::empty());
        }
        steps.curved = Arc::new(curved);
        steps
    }

    /// Number of parameters.
    pub fn ambient(&self) -> usize {
        self.ambient
    }

    /// Number of components of a step over all blocks.
    pub fn tangent(&self) -> usize {
        self.tangent
    }

    /// Start in a step of the block that starts at `start` in the parameter vector.
    pub fn start(&self, start: u32) -> usize {
        self.starts.get(start as usize).copied().unwrap_or(start) as usize
    }

    #[cfg(feature = "gpu")]
    /// The manifolds that blocks move on, each with where its blocks start in the parameter vector. Fixed blocks are left out.
    pub(crate) fn manifolds(&self) -> impl ExactSizeIterator<Item = (&Retraction, &[u32])> {
        self.curved.iter().map(|curved| (&*curved.retraction, &curved.table.blocks[0][..]))
    }

    /// `target = x ⊞ step`.
    ///
    /// # Panics
    /// If a vector is shorter than [`Steps::ambient`] or [`Steps::tangent`] say.
    pub fn take(&self, x: &[f64], step: &[f64], target: &mut [f64]) {
        if self.starts.is_empty() {
            for ((target, x), delta) in target.iter_mut().zip(x).zip(step) {
                *target = x + delta;
            }
            return;
        }
        target[..self.ambient].copy_from_slice(&x[..self.ambient]);
        for &(place, component) in &self.plain {
            target[place as usize] = x[place as usize] + step[component as usize];
        }
        let both: Vec<f64> = x.iter().chain(step).copied().collect();
        for Curved { retraction, code, table } in &*self.curved {
            let size = retraction.ambient_size();
            let moved = evaluate_code(code, table, &both);
            for (&start, point) in table.blocks[0].iter().zip(moved.chunks_exact(size)) {
                target[start as usize..start as usize + size].copy_from_slice(point);
            }
        }
    }
}

impl Curved {
    fn new(retraction: &Arc<Retraction>, code: &Arc<LaneCode>) -> Self {
        Curved {
            retraction: retraction.clone(),
            code: code.clone(),
            table: InstanceTable { blocks: vec![Vec::new(); 2], ..InstanceTable::default() },
        }
    }
}
