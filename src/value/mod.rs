//! Scalars that remember how they were computed.
//!
//! In: ordinary Rust arithmetic over [`Value`]. Out: an expression graph that [`topology`](crate::topology) brings into canonical
//! form, or, for a single derivative on the spot, [`Value::backward`].
//!
//! ```
//! use isograd::Value;
//!
//! let x = Value::variable(3.0);
//! let y = x * x + 2.0 * x.sin();
//! y.backward();
//! assert_eq!(x.grad(), 2.0 * 3.0 + 2.0 * 3.0_f64.cos());
//! ```
//!
//! A `Value` is `Copy`: a constant, or a key into an arena of its thread. Nodes live until the [`Value::scope`] they were made in
//! ends or until [`Value::clear_graph`]; a key that outlived its node is recognised and never read.

mod backward;
mod derivative;
mod functions;
pub(crate) mod graph;
pub mod op;
mod operators;
mod print;
mod real_field;
mod rotation;

pub use rotation::rotate;

pub(crate) use derivative::{Algebra, Numbers, Partial, partial};
use graph::{NodeKey, with_graph};
use op::Op;

/// A scalar: a constant, or a node of this thread's expression graph.
///
/// Comparison operators look at the number the value stands for, so `if a < b` branches while the code is traced; the branch is
/// then part of the topology. [`Value::select`], [`Value::min`], [`Value::max`], [`Value::clamp`] and [`Value::abs`] decide
/// inside the kernel instead.
#[derive(Clone, Copy)]
pub struct Value(pub(crate) Repr);

#[derive(Clone, Copy)]
pub(crate) enum Repr {
    Constant(f64),
    Node { thread: u32, key: NodeKey },
}

/// What can be wrong with a [`Value`].
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ValueError {
    /// The node is gone.
    #[error("Value used after its graph was cleared; values made in a residual function or a scope end with it")]
    Cleared,
    /// The node belongs to another thread's graph.
    #[error("Value used on another thread than the one that made it; pass numbers between threads, not values")]
    OtherThread,
    /// A residual function used a node made before it was called.
    #[error(
        "Value captured from outside the residual function; pass it as a parameter block or data, or take its number with \
         `primal()`"
    )]
    Captured,
    /// A number that is NaN or infinite where a finite one is needed.
    #[error("{0} is not a finite number")]
    NotFinite(f64),
    /// The first operation of a graph whose arguments are finite and whose result is not.
    #[error("{operation} of {} is {result}{}", arguments(.args), domain(.operation))]
    Operation {
        /// The operation.
        operation: &'static str,
        /// Its finite arguments.
        args: Vec<f64>,
        /// What came out: NaN or infinity.
        result: f64,
    },
}

fn arguments(args: &[f64]) -> String {
    args.iter().map(|a| format!("{a:?}")).collect::<Vec<_>>().join(", ")
}

fn domain(operation: &str) -> String {
    let domain = Op::ALL.iter().find(|op| op.name() == operation).map_or("", |op| op.domain());
    if domain.is_empty() { String::new() } else { format!(" (needs {domain})") }
}

impl ValueError {
    pub(crate) fn of_operation(op: Op, args: &[f64], result: f64) -> Self {
        ValueError::Operation { operation: op.name(), args: args.to_vec(), result }
    }
}

impl Value {
    /// The constant zero.
    pub const ZERO: Value = Value::constant(0.0);
    /// The constant one.
    pub const ONE: Value = Value::constant(1.0);

    /// A number that is not differentiated.
    pub const fn constant(number: f64) -> Self {
        Value(Repr::Constant(number))
    }

    /// A differentiable leaf.
    pub fn variable(number: f64) -> Self {
        with_graph(|graph| graph.push(Op::Variable, [Value::ZERO; 3], number))
    }

    /// A differentiable leaf, or an error if the number is NaN or infinite.
    ///
    /// # Errors
    /// [`ValueError::NotFinite`].
    pub fn try_variable(number: f64) -> Result<Self, ValueError> {
        if number.is_finite() { Ok(Self::variable(number)) } else { Err(ValueError::NotFinite(number)) }
    }

    /// A leaf that is not differentiated but, unlike a constant, has a place of its own in the topology.
    pub(crate) fn datum(number: f64) -> Self {
        with_graph(|graph| graph.push(Op::Datum, [Value::ZERO; 3], number))
    }

    /// The number this value stands for.
    ///
    /// # Panics
    /// If the node was cleared or belongs to another thread (inside a residual function that becomes the error of its trace).
    pub fn primal(self) -> f64 {
        match self.0 {
            Repr::Constant(number) => number,
            Repr::Node { .. } => with_graph(|graph| graph.primal(self)),
        }
    }

    /// [`Value::primal`] of a constant, without touching the graph.
    pub(crate) fn primal_of_constant(self) -> f64 {
        match self.0 {
            Repr::Constant(number) => number,
            Repr::Node { .. } => f64::NAN,
        }
    }

    /// The same number as a constant: derivatives stop here.
    pub fn detach(self) -> Self {
        Value::constant(self.primal())
    }

    /// Whether the value is a constant.
    pub const fn is_constant(self) -> bool {
        matches!(self.0, Repr::Constant(_))
    }

    /// Runs `f` without recording: every operation in it gives a constant. Scopes nest, and end with a panic of `f` too.
    pub fn no_grad<R>(f: impl FnOnce() -> R) -> R {
        struct Guard;
        impl Drop for Guard {
            fn drop(&mut self) {
                with_graph(|graph| graph.no_grad_depth -= 1);
            }
        }
        with_graph(|graph| graph.no_grad_depth += 1);
        let _guard = Guard;
        f()
    }

    /// Runs `f` and then frees every node made in it. Take numbers out of the scope, not values.
    pub fn scope<R>(f: impl FnOnce() -> R) -> R {
        struct Guard(usize);
        impl Drop for Guard {
            fn drop(&mut self) {
                with_graph(|graph| graph.rewind(self.0));
            }
        }
        let _guard = Guard(with_graph(|graph| graph.order.len()));
        f()
    }

    /// Frees every node of this thread.
    pub fn clear_graph() {
        with_graph(|graph| graph.rewind(0));
    }

    /// Number of live nodes on this thread.
    pub fn live_nodes() -> usize {
        with_graph(|graph| graph.order.len())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::constant(number)
    }
}

impl Default for Value {
    fn default() -> Self {
        Value::ZERO
    }
}
