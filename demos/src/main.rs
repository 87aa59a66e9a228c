//! Demos.
fn main() {}
