//! The thread-local arena that holds the nodes of all live [`Value`]s of a thread.
//!
//! Nodes are kept in a `SlotMap`, so that a key which outlived its node is recognised by its generation, and beside it in the
//! order of their creation, in which every argument stands before its user: passes over a graph are loops, never recursion.

use super::{Repr, Value, ValueError, op::Op};
use slotmap::{SecondaryMap, SlotMap};
use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::atomic::{AtomicU32, Ordering as Memory};

slotmap::new_key_type! {
    /// Names a node of this thread's graph.
    pub(crate) struct NodeKey;
}

/// A recorded operation with its primal value.
#[derive(Clone, Copy)]
pub(crate) struct Node {
    pub op: Op,
    pub args: [Value; 3],
    pub primal: f64,
    /// Index in [`Graph::order`].
    pub position: u32,
}

impl Node {
    /// The arguments the operation has.
    pub fn arguments(&self) -> &[Value] {
        &self.args[..self.op.arity()]
    }
}

/// A comparison of two values on which the traced code may have branched.
#[derive(Clone, Copy)]
pub(crate) struct Guard {
    pub a: Value,
    pub b: Value,
}

/// What is remembered while a residual function runs, beside its nodes.
#[derive(Default)]
pub(crate) struct Recording {
    pub fault: Option<ValueError>,
    pub guards: Vec<Guard>,
}

/// The nodes of one thread.
pub(crate) struct Graph {
    pub nodes: SlotMap<NodeKey, Node>,
    pub order: Vec<NodeKey>,
    pub gradients: SecondaryMap<NodeKey, f64>,
    pub recording: Option<Recording>,
    pub no_grad_depth: usize,
    thread: u32,
}

thread_local! {
    static GRAPH: RefCell<Graph> = RefCell::new(Graph::new());
}

/// Runs `f` on this thread's graph.
pub(crate) fn with_graph<R>(f: impl FnOnce(&mut Graph) -> R) -> R {
    GRAPH.with_borrow_mut(f)
}

/// Nodes there is room for from the start: those of a residual. To grow there would touch twice the memory.
const USUAL: usize = 512;

impl Graph {
    fn new() -> Self {
        static THREADS: AtomicU32 = AtomicU32::new(0);
        Graph {
            nodes: SlotMap::with_capacity_and_key(USUAL),
            order: Vec::with_capacity(USUAL),
            gradients: SecondaryMap::new(),
            recording: None,
            no_grad_depth: 0,
            thread: THREADS.fetch_add(1, Memory::Relaxed),
        }
    }

    /// Adds a node and returns its value.
    pub fn push(&mut self, op: Op, args: [Value; 3], primal: f64) -> Value {
        let position = u32::try_from(self.order.len()).expect("fewer than 2^32 live nodes on a thread");
        let key = self.nodes.insert(Node { op, args, primal, position });
        self.order.push(key);
        Value(Repr::Node { thread: self.thread, key })
    }

    /// Applies `op`; folds it where every argument is a constant, unless the result is not finite and must be reportable.
    pub fn apply(&mut self, op: Op, args: [Value; 3]) -> Value {
        let mut numbers = [0.0; 3];
        let mut constant = true;
        for (number, &value) in numbers.iter_mut().zip(&args[..op.arity()]) {
            *number = self.primal(value);
            constant &= value.is_constant();
        }
        let primal = op.evaluate(numbers[0], numbers[1], numbers[2]);
        if self.no_grad_depth > 0 || (constant && primal.is_finite()) {
            return Value::constant(primal);
        }
        self.push(op, args, primal)
    }

    /// The number a value stands for.
    pub fn primal(&mut self, value: Value) -> f64 {
        match value.0 {
            Repr::Constant(number) => number,
            Repr::Node { .. } => match self.node(value) {
                Ok(node) => node.primal,
                Err(error) => self.fault(error),
            },
        }
    }

    /// The node behind a value that is not a constant.
    pub fn node(&self, value: Value) -> Result<&Node, ValueError> {
        match value.0 {
            Repr::Constant(_) => unreachable!("constants have no node"),
            Repr::Node { thread, .. } if thread != self.thread => Err(ValueError::OtherThread),
            Repr::Node { key, .. } => self.nodes.get(key).ok_or(ValueError::Cleared),
        }
    }

    /// Position of a value's node in the order of creation; `None` for a constant.
    pub fn position(&self, value: Value) -> Result<Option<u32>, ValueError> {
        if value.is_constant() { Ok(None) } else { self.node(value).map(|node| Some(node.position)) }
    }

    /// A misuse inside a residual function becomes the error of its trace; elsewhere nobody could return it, so it panics.
    fn fault(&mut self, error: ValueError) -> f64 {
        match &mut self.recording {
            Some(recording) => {
                recording.fault.get_or_insert(error);
                f64::NAN
            }
            None => panic!("{error}"),
        }
    }

    /// Compares by primal value and remembers that somebody looked.
    pub fn compare(&mut self, a: Value, b: Value) -> Option<Ordering> {
        let outcome = self.primal(a).partial_cmp(&self.primal(b));
        if let Some(recording) = &mut self.recording
            && !(a.is_constant() && b.is_constant())
        {
            recording.guards.push(Guard { a, b });
        }
        outcome
    }

    /// Forgets every node created after the first `length`, if there are more (somebody may have cleared the graph meanwhile).
    pub fn rewind(&mut self, length: usize) {
        for key in self.order.drain(length.min(self.order.len())..) {
            self.nodes.remove(key);
        }
    }
}
