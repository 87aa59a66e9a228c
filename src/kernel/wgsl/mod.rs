//! Kernels as WGSL text that a person can read.
//!
//! In: the kernels of a problem's groups, and the classes of its parameter blocks. Out: [`Module`]s, one a stage of a solve, each
//! of which runs over all groups or classes at once, because a dispatch costs more than most groups.
//!
//! The text depends on topologies, number format and block sizes alone. How many instances there are and where their numbers begin
//! stands in a uniform buffer, so that a compiled shader serves every problem of the kind.

mod accumulate;
mod assemble;
mod body;
mod bounds;
mod classes;
mod component;
mod component_functions;
mod conjugate_gradients;
mod damping;
mod format;
mod groups;
mod incidence;
mod iterate;
mod library;
mod linearize;
mod module;
mod normal;
mod product;
mod schur;
mod schur_jacobi;
pub mod state;
mod team;
mod trial;

pub use accumulate::{
    Addition, Part, clear_held, contributions, gather, gather_long, gradient, jtj_product, parts, pieces, self_test,
};
pub use assemble::{PairClass, PairKind, assemble};
pub use bounds::hold;
pub use classes::{Class, Derivative, Kind, MOST_COMPONENTS, packed_len};
pub use component::{
    MOST_SCALARS, OWN_COST, OWN_STATE, OWN_STEPS, OwnBlock, OwnKind, OwnOutcome, Shape, component, first_own_state,
};
pub use conjugate_gradients::{start, update};
pub use damping::{Damp, damp};
pub use format::{Format, OutOfRange};
pub use groups::{MOST_STATEMENTS, data_columns, jacobian_product, objective, obstacle, operations, residuals};
pub use incidence::Jacobian;
pub use iterate::{
    FEWEST_LANES, ITERATE_WORKGROUP, ROW_WORDS, RowShape, SLICE_WORDS, finish_iterate, iterate, start_iterate,
};
pub use linearize::linearize;
pub use module::{Formats, Module, Slot, WORKGROUP};
pub use normal::{image, normal};
pub use schur::{better_jacobian, complete, direct, reduced_product, step_product};
pub use schur_jacobi::{InverseRows, eliminate};
pub use trial::{advance, commit, compare, decide, examine, retract, start_cost};

#[cfg(test)]
mod tests;
