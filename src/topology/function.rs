//! Records a whole function and takes it apart into its residuals.

use super::expression::{Expression, ExpressionNode, Ref, pad};
use super::trace::Frame;
use crate::value::{
    Value, ValueError,
    graph::{Graph, Node, with_graph},
};

/// One residual of a function: its expression over scalar blocks, which are the parameters it depends on.
pub(crate) struct RecordedResidual {
    pub expression: Expression,
    /// Index of the parameter behind each block.
    pub parameters: Vec<u32>,
    pub data: Vec<f64>,
}

/// Calls `function` on leaves for `parameters` and records each residual it returns.
pub(crate) fn trace_function(
    parameters: &[f64],
    function: impl FnOnce(&[Value]) -> Vec<Value>,
) -> Result<Vec<RecordedResidual>, ValueError> {
    let frame = Frame::open();
    let leaves: Vec<Value> = parameters.iter().map(|&number| Value::variable(number)).collect();
    let outputs = function(&leaves);
    with_graph(|graph| {
        if let Some(fault) = graph.recording.take().and_then(|recording| recording.fault) {
            return Err(fault);
        }
        // A function that cleared the graph may have made other nodes since, which now stand where the leaves were.
        if let Some(&leaf) = leaves.first() {
            graph.position(leaf)?;
        }
        let mut extractor = Extractor::new(graph, frame.start, parameters.len());
        outputs.iter().map(|&output| extractor.extract(output)).collect()
    })
}

/// Lifts one residual after another; each costs time in proportion to its own nodes.
struct Extractor<'g> {
    graph: &'g Graph,
    start: usize,
    parameters: usize,
    /// For each recorded node the residual it was last seen in, and its number there.
    seen: Vec<(u32, u32)>,
    residual: u32,
}

impl<'g> Extractor<'g> {
    fn new(graph: &'g Graph, start: usize, parameters: usize) -> Self {
        Extractor { graph, start, parameters, seen: vec![(0, 0); graph.order.len().saturating_sub(start)], residual: 0 }
    }

    fn position(&self, value: Value) -> Result<Option<usize>, ValueError> {
        match self.graph.position(value)? {
            None => Ok(None),
            Some(position) => (position as usize).checked_sub(self.start).map(Some).ok_or(ValueError::Captured),
        }
    }

    fn node(&self, position: usize) -> &'g Node {
        &self.graph.nodes[self.graph.order[self.start + position]]
    }

    fn extract(&mut self, output: Value) -> Result<RecordedResidual, ValueError> {
        self.residual += 1;
        let mut result =
            RecordedResidual { expression: Expression::default(), parameters: Vec::new(), data: Vec::new() };
        // Depth first on a stack of its own, arguments before users.
        let mut stack: Vec<(usize, usize)> = Vec::new();
        if let Some(root) = self.position(output)? {
            stack.push((root, 0));
        }
        while let Some((position, next)) = stack.pop() {
            let node = self.node(position);
            if self.seen[position].0 == self.residual || node.op.is_leaf() {
                continue;
            }
            if let Some(&argument) = node.arguments().get(next) {
                stack.push((position, next + 1));
                if let Some(argument) = self.position(argument)? {
                    stack.push((argument, 0));
                }
                continue;
            }
            let mut args = [Ref::Datum(0); 3];
            for (reference, &argument) in args.iter_mut().zip(node.arguments()) {
                *reference = self.reference(argument, &mut result)?;
            }
            pad(&mut args, node.op.arity());
            self.seen[position] = (self.residual, result.expression.nodes.len() as u32);
            result.expression.nodes.push(ExpressionNode { op: node.op, args });
        }
        let output = self.reference(output, &mut result)?;
        result.expression.outputs.push(output);
        result.expression.data = result.data.len() as u32;
        Ok(result)
    }

    fn reference(&mut self, value: Value, result: &mut RecordedResidual) -> Result<Ref, ValueError> {
        let mut constant = |number: f64| {
            result.data.push(number);
            Ref::Datum(result.data.len() as u32 - 1)
        };
        let Some(position) = self.position(value)? else { return Ok(constant(value.primal_of_constant())) };
        if position < self.parameters {
            if self.seen[position].0 != self.residual {
                self.seen[position] = (self.residual, result.parameters.len() as u32);
                result.parameters.push(position as u32);
                result.expression.block_sizes.push(1);
            }
            return Ok(Ref::Parameter { block: self.seen[position].1, component: 0 });
        }
        let node = self.node(position);
        Ok(if node.op.is_leaf() { constant(node.primal) } else { Ref::Node(self.seen[position].1) })
    }
}
