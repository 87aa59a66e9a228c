//! What becomes of a residual: its group, program and derivative, for a person to read.

mod graphviz;
mod group;
pub mod residuals;

pub use graphviz::topologies_to_dot;
pub use group::GroupView;
