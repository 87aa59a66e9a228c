//! Demos.
fn main(){}
