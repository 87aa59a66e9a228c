//! Reverse-mode differentiation on the spot, without compiling anything: the judge of the compiled kernels.

use super::{
    Numbers, Partial, Repr, Value, ValueError,
    graph::{Graph, Node, NodeKey, with_graph},
    op::Op,
    partial,
};
use slotmap::SecondaryMap;

impl Value {
    /// Adds ∂self/∂v to [`Value::grad`] of every value `v` that `self` was computed from, itself included.
    ///
    /// # Panics
    /// If the node was cleared or belongs to another thread.
    pub fn backward(self) {
        Value::backward_all(&[(self, 1.0)]);
    }

    /// Reverse accumulation from several outputs at once: adds Σ weight·∂output/∂v to the gradient of every `v`.
    ///
    /// # Panics
    /// As [`Value::backward`].
    pub fn backward_all(outputs: &[(Value, f64)]) {
        with_graph(|graph| {
            let adjoints = graph.adjoints(outputs).unwrap_or_else(|error| panic!("{error}"));
            for (key, adjoint) in adjoints {
                if graph.nodes[key].op != Op::Datum {
                    *graph.gradients.entry(key).expect("the node lives").or_insert(0.0) += adjoint;
                }
            }
        });
    }

    /// The gradient that [`Value::backward`] left here; 0 for a constant.
    ///
    /// # Panics
    /// As [`Value::backward`].
    pub fn grad(self) -> f64 {
        match self.0 {
            Repr::Constant(_) => 0.0,
            Repr::Node { key, .. } => with_graph(|graph| {
                graph.node(self).unwrap_or_else(|error| panic!("{error}"));
                graph.gradients.get(key).copied().unwrap_or(0.0)
            }),
        }
    }

    /// Sets all gradients of this thread to zero.
    pub fn zero_grad() {
        with_graph(|graph| graph.gradients.clear());
    }

    /// ∂self/∂inputs, without touching [`Value::grad`].
    ///
    /// # Errors
    /// [`ValueError::Cleared`] or [`ValueError::OtherThread`].
    pub fn gradient(self, inputs: &[Value]) -> Result<Vec<f64>, ValueError> {
        with_graph(|graph| {
            let adjoints: SecondaryMap<NodeKey, f64> = graph.adjoints(&[(self, 1.0)])?.into_iter().collect();
            let of = |input: &Value| match input.0 {
                Repr::Constant(_) => Ok(0.0),
                Repr::Node { key, .. } => graph.node(*input).map(|_| adjoints.get(key).copied().unwrap_or(0.0)),
            };
            inputs.iter().map(of).collect()
        })
    }

    /// The number, if everything it was computed from is finite.
    ///
    /// # Errors
    /// [`ValueError::Operation`] names the first operation with finite arguments and a result that is not.
    pub fn check(self) -> Result<f64, ValueError> {
        if self.is_constant() {
            let number = self.primal();
            return if number.is_finite() { Ok(number) } else { Err(ValueError::NotFinite(number)) };
        }
        with_graph(|graph| {
            for (key, _) in graph.ancestors(&[self])?.into_iter().rev() {
                let node = graph.nodes[key];
                if node.primal.is_finite() {
                    continue;
                }
                let numbers: Vec<f64> = node.arguments().iter().map(|&a| graph.primal(a)).collect();
                if node.op.is_leaf() {
                    return Err(ValueError::NotFinite(node.primal));
                } else if numbers.iter().all(|a| a.is_finite()) {
                    return Err(ValueError::of_operation(node.op, &numbers, node.primal));
                } else if let Some(&number) = numbers.iter().find(|a| !a.is_finite()) {
                    return Err(ValueError::NotFinite(number));
                }
            }
            graph.node(self).map(|node| node.primal)
        })
    }
}

impl Graph {
    /// The nodes the outputs depend on with their positions, users before arguments.
    pub(crate) fn ancestors(&self, outputs: &[Value]) -> Result<Vec<(NodeKey, u32)>, ValueError> {
        let mut seen: SecondaryMap<NodeKey, ()> = SecondaryMap::new();
        let mut found = Vec::new();
        let mut stack: Vec<Value> = outputs.to_vec();
        while let Some(value) = stack.pop() {
            let Repr::Node { key, .. } = value.0 else { continue };
            let node: &Node = self.node(value)?;
            if seen.insert(key, ()).is_none() {
                found.push((key, node.position));
                stack.extend_from_slice(node.arguments());
            }
        }
        found.sort_unstable_by_key(|&(_, position)| std::cmp::Reverse(position));
        Ok(found)
    }

    /// Σ weight·∂output/∂node for every node the outputs depend on.
    fn adjoints(&mut self, outputs: &[(Value, f64)]) -> Result<Vec<(NodeKey, f64)>, ValueError> {
        let values: Vec<Value> = outputs.iter().map(|&(value, _)| value).collect();
        let ancestors = self.ancestors(&values)?;
        let mut adjoints: SecondaryMap<NodeKey, f64> = ancestors.iter().map(|&(key, _)| (key, 0.0)).collect();
        for &(value, weight) in outputs {
            if let Repr::Node { key, .. } = value.0 {
                adjoints[key] += weight;
            }
        }
        for &(key, _) in &ancestors {
            let node = self.nodes[key];
            let adjoint = adjoints[key];
            let numbers = node.args.map(|a| if a.is_constant() { a.primal() } else { self.primal(a) });
            for (k, argument) in node.arguments().iter().enumerate() {
                let Repr::Node { key, .. } = argument.0 else { continue };
                match partial(&mut Numbers, node.op, numbers, node.primal, k) {
                    Partial::Zero => {}
                    Partial::One => adjoints[key] += adjoint,
                    Partial::MinusOne => adjoints[key] -= adjoint,
                    Partial::Factor(factor) => adjoints[key] += factor * adjoint,
                }
            }
        }
        Ok(ancestors.into_iter().map(|(key, _)| (key, adjoints[key])).collect())
    }
}
