//! Runs a residual function on leaves and lifts what it recorded out of the arena.

use super::expression::{Expression, ExpressionNode, Ref, pad};
use crate::value::{
    Value, ValueError,
    graph::{Graph, Guard, Recording, with_graph},
};
use nalgebra::{SMatrix, SVector};
use std::ops::Index;

/// The parameter blocks a residual function is called with: `x[1][2]` is component 2 of the second block.
#[derive(Clone, Copy)]
pub struct Blocks<'a> {
    values: &'a [Value],
    offsets: &'a [u32],
}

impl Blocks<'_> {
    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no block.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `N` components of a block as a nalgebra vector.
    ///
    /// # Panics
    /// If there is no such block or it has fewer components.
    pub fn vector<const N: usize>(&self, block: usize) -> SVector<Value, N> {
        SVector::from_column_slice(&self[block][..N])
    }

    /// The blocks in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[Value]> {
        (0..self.len()).map(|block| &self[block])
    }
}

impl Index<usize> for Blocks<'_> {
    type Output = [Value];

    fn index(&self, block: usize) -> &[Value] {
        &self.values[self.offsets[block] as usize..self.offsets[block + 1] as usize]
    }
}

/// What a residual function may return: one value, an array, a `Vec`, a pair, or a nalgebra vector.
pub trait Residuals {
    /// Appends the residuals in order.
    fn append_to(self, outputs: &mut Vec<Value>);
}

impl Residuals for Value {
    fn append_to(self, outputs: &mut Vec<Value>) {
        outputs.push(self);
    }
}

impl<const N: usize> Residuals for [Value; N] {
    fn append_to(self, outputs: &mut Vec<Value>) {
        outputs.extend(self);
    }
}

impl Residuals for Vec<Value> {
    fn append_to(self, outputs: &mut Vec<Value>) {
        outputs.extend(self);
    }
}

impl<const R: usize, const C: usize> Residuals for SMatrix<Value, R, C> {
    fn append_to(self, outputs: &mut Vec<Value>) {
        outputs.extend(self.iter());
    }
}

impl<A: Residuals, B: Residuals> Residuals for (A, B) {
    fn append_to(self, outputs: &mut Vec<Value>) {
        self.0.append_to(outputs);
        self.1.append_to(outputs);
    }
}

/// Why a residual function could not be recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(crate) enum TraceError {
    #[error(transparent)]
    Value(#[from] ValueError),
    #[error("the residual function returned no residual")]
    NoResidual,
}

/// Buffers for tracing one residual after another without allocating.
///
/// After [`Tracer::trace`] they hold the recording: [`Tracer::expression`] in recorded order, without the nodes that no residual
/// uses, and [`Tracer::data`], the numbers of its data.
#[derive(Default)]
pub(crate) struct Tracer {
    pub expression: Expression,
    pub data: Vec<f64>,
    /// Numbers of the residuals at the point of the trace.
    pub primals: Vec<f64>,
    /// The operands of each comparison that the function made, as an expression with two outputs a comparison.
    pub guards: Expression,
    /// Data of the guards.
    pub guard_data: Vec<f64>,
    leaves: Vec<Value>,
    offsets: Vec<u32>,
    outputs: Vec<Value>,
    lifter: Lifter,
}

/// Rewinds the arena and restores the outer recording when a trace ends, by return or by panic.
pub(super) struct Frame {
    pub start: usize,
    outer: Option<Recording>,
}

impl Frame {
    pub fn open() -> Self {
        with_graph(|graph| Frame { start: graph.order.len(), outer: graph.recording.replace(Recording::default()) })
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        with_graph(|graph| {
            graph.rewind(self.start);
            graph.recording = self.outer.take();
        });
    }
}

impl Tracer {
    /// Calls `function` on fresh leaves for `blocks` and `data` and records what it returns.
    pub fn trace<'b, R: Residuals>(
        &mut self,
        blocks: impl Iterator<Item = &'b [f64]>,
        data: &[f64],
        function: impl FnOnce(Blocks<'_>, &[Value]) -> R,
    ) -> Result<(), TraceError> {
        let frame = Frame::open();
        self.leaves.clear();
        self.offsets.clear();
        self.offsets.push(0);
        for block in blocks {
            self.leaves.extend(block.iter().map(|&number| Value::variable(number)));
            self.offsets.push(self.leaves.len() as u32);
        }
        let parameters = self.leaves.len();
        self.leaves.extend(data.iter().map(|&number| Value::datum(number)));

        self.outputs.clear();
        let blocks = Blocks { values: &self.leaves[..parameters], offsets: &self.offsets };
        function(blocks, &self.leaves[parameters..]).append_to(&mut self.outputs);
        if self.outputs.is_empty() {
            return Err(TraceError::NoResidual);
        }

        with_graph(|graph| {
            let recording = graph.recording.take().unwrap_or_default();
            if let Some(fault) = recording.fault {
                return Err(fault.into());
            }
            // A function that cleared the graph may have made other nodes since, which now stand where the leaves were.
            if let Some(&leaf) = self.leaves.first() {
                graph.position(leaf)?;
            }
            let frame = (frame.start, self.offsets.as_slice(), data);
            self.lifter.lift(graph, frame, &self.outputs, &mut self.expression, &mut self.data)?;
            self.primals.clear();
            for &output in &self.outputs {
                self.primals.push(graph.primal(output));
            }
            let operands: Vec<Value> = recording.guards.iter().flat_map(|&Guard { a, b }| [a, b]).collect();
            self.guards.clear();
            if !operands.is_empty() {
                self.lifter.lift(graph, frame, &operands, &mut self.guards, &mut self.guard_data)?;
            }
            Ok(())
        })
    }
}

/// Copies a recorded graph out of the arena.
#[derive(Default)]
struct Lifter {
    /// Per recorded node whether a residual needs it.
    used: Vec<bool>,
    /// Per recorded node what stands for it in the expression; `None` for one that is not there yet, and for a leaf made inside the function.
    names: Vec<Option<Ref>>,
}

impl Lifter {
    /// `frame`: where the trace's nodes begin in the arena, the block offsets among its first nodes, and the data leaves after
    /// them. Constants become data, one for each place they stand in.
    fn lift(
        &mut self,
        graph: &Graph,
        (start, offsets, data): (usize, &[u32], &[f64]),
        outputs: &[Value],
        expression: &mut Expression,
        numbers: &mut Vec<f64>,
    ) -> Result<(), ValueError> {
        // A function that cleared the graph leaves nothing here; its values are then found to be stale.
        let nodes = graph.order.get(start..).unwrap_or(&[]);
        let position = |value: Value| -> Result<Option<usize>, ValueError> {
            match graph.position(value)? {
                None => Ok(None),
                Some(position) => (position as usize).checked_sub(start).map(Some).ok_or(ValueError::Captured),
            }
        };

        self.used.clear();
        self.used.resize(nodes.len(), false);
        for &output in outputs {
            if let Some(position) = position(output)? {
                self.used[position] = true;
            }
        }
        expression.clear();
        expression.block_sizes.extend(offsets.windows(2).map(|w| w[1] - w[0]));
        self.names.clear();
        for (block, &size) in (0..).zip(&expression.block_sizes) {
            self.names.extend((0..size).map(|component| Some(Ref::Parameter { block, component })));
        }
        self.names.extend((0..data.len() as u32).map(|k| Some(Ref::Datum(k))));
        let leaves = self.names.len();
        self.names.resize(nodes.len(), None);
        let mut operations = 0;
        for k in (leaves..nodes.len()).rev() {
            if !self.used[k] {
                continue;
            }
            operations += 1;
            for &argument in graph.nodes[nodes[k]].arguments() {
                if let Some(position) = position(argument)? {
                    self.used[position] = true;
                }
            }
        }

        expression.nodes.reserve_exact(operations);
        numbers.clear();
        numbers.extend_from_slice(data);
        let reference = |value: Value, names: &[Option<Ref>], numbers: &mut Vec<f64>| -> Result<Ref, ValueError> {
            let number = match position(value)? {
                Some(k) => match names[k] {
                    Some(name) => return Ok(name),
                    // A leaf made inside the function is a number like any other: nobody can change it from outside.
                    None => graph.nodes[nodes[k]].primal,
                },
                None => value.primal_of_constant(),
            };
            numbers.push(number);
            Ok(Ref::Datum(numbers.len() as u32 - 1))
        };
        for (k, &key) in nodes.iter().enumerate().skip(leaves) {
            let node = &graph.nodes[key];
            if !self.used[k] || node.op.is_leaf() {
                continue;
            }
            let mut args = [Ref::Datum(0); 3];
            for (argument, &value) in args.iter_mut().zip(node.arguments()) {
                *argument = reference(value, &self.names, numbers)?;
            }
            pad(&mut args, node.op.arity());
            self.names[k] = Some(Ref::Node(expression.nodes.len() as u32));
            expression.nodes.push(ExpressionNode { op: node.op, args });
        }
        for &output in outputs {
            let output = reference(output, &self.names, numbers)?;
            expression.outputs.push(output);
        }
        expression.data = numbers.len() as u32;
        Ok(())
    }
}
