//! The shape of a residual, apart from its numbers.
//!
//! In: the nodes that a residual function left in the graph of its thread (`trace`). Out: the number of its [`Topology`] and the
//! order of its leaves in it, so that residuals of one shape form one group with one program
//! ([`program`](crate::program)).
//!
//! A residual is looked up twice. Its nodes as they were recorded are hashed first: residuals made by one closure nearly always
//! agree in them, and then nothing else is to be done. Only a recording that was never seen is brought into
//! canonical form (`canonical`). Both look-ups hash to 128 bits and then compare in full, so a collision costs time, never a wrong
//! kernel.

mod canonical;
mod expression;
mod forms;
mod function;
mod interner;
mod trace;

pub use expression::{Expression, ExpressionNode, Ref};
pub use trace::{Blocks, Residuals};

pub(crate) use function::trace_function;
pub(crate) use interner::{Interner, hash_words};
pub(crate) use trace::{TraceError, Tracer};

use forms::Form;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_128;

/// A canonical form with its hash: what all residuals of a group share.
#[derive(Debug, Clone)]
pub struct Topology {
    /// The canonical form.
    pub expression: Arc<Expression>,
    /// Hash of the canonical form.
    pub hash: u128,
}

/// How a recorded residual maps to its topology.
#[derive(Debug, Clone)]
pub(crate) struct Placement {
    /// Index of the topology in the [`Registry`].
    pub topology: usize,
    /// Position in the residual's block list of each block of the topology.
    pub blocks: Vec<u32>,
    /// Recorded datum behind each data column of the topology.
    pub data: Vec<u32>,
}

/// A recording in words, and where it belongs.
type Known = (Box<[u32]>, Arc<Placement>);

/// All topologies seen, found by recording or by canonical form.
#[derive(Default)]
pub(crate) struct Registry {
    topologies: Vec<Topology>,
    by_recording: FxHashMap<u128, Vec<Known>>,
    by_form: FxHashMap<u128, Vec<usize>>,
    words: Vec<u32>,
}

impl Registry {
    /// The place of a recorded residual; a new topology is added where there is none of its shape.
    pub fn place(&mut self, recorded: &Expression) -> Arc<Placement> {
        self.words.clear();
        recorded.encode(&mut self.words);
        let hash = xxh3_128(bytemuck::cast_slice(&self.words));
        if let Some(candidates) = self.by_recording.get(&hash)
            && let Some((_, placement)) = candidates.iter().find(|(words, _)| **words == *self.words)
        {
            return placement.clone();
        }
        let placement = Arc::new(self.locate(&forms::form(recorded, &self.words, hash)));
        self.by_recording.entry(hash).or_default().push((self.words.as_slice().into(), placement.clone()));
        placement
    }

    fn locate(&mut self, form: &Form) -> Placement {
        let candidates = self.by_form.entry(form.topology.hash).or_default();
        let known = candidates.iter().copied().find(|&k| self.topologies[k].expression == form.topology.expression);
        let topology = known.unwrap_or_else(|| {
            candidates.push(self.topologies.len());
            self.topologies.push(form.topology.clone());
            self.topologies.len() - 1
        });
        Placement { topology, blocks: form.blocks.clone(), data: form.data.clone() }
    }

    pub fn topologies(&self) -> &[Topology] {
        &self.topologies
    }
}

#[cfg(test)]
mod tests;
