//! Where the minimiser on the CPU takes up its work.

use super::Precision;
use super::evaluator::Evaluator;
use super::report::IterationRecord;
use crate::backend::Selection;

/// What a solve on the CPU begins with.
#[derive(Debug)]
pub struct Beginning {
    pub selection: Selection,
    /// Threads at hand.
    pub threads: usize,
    pub notes: Vec<String>,
    pub precision: Precision,
    pub evaluator: Evaluator,
    /// What another backend did before it failed.
    pub earlier: Option<Earlier>,
}

/// Iterations of another backend, which this one continues.
#[derive(Debug)]
pub struct Earlier {
    pub initial_cost: f64,
    /// At least that of the start.
    pub iterations: Vec<IterationRecord>,
}

impl Beginning {
    /// On so many threads of the CPU alone, from the start.
    pub fn cpu(threads: usize, reason: impl Into<String>) -> Self {
        Beginning {
            selection: Selection::threads(threads, reason),
            threads,
            notes: Vec::new(),
            precision: Precision::F64,
            evaluator: Evaluator::Cpu,
            earlier: None,
        }
    }
}
