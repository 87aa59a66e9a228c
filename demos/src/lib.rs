//! x
pub mod picture;
