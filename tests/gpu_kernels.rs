//! Placeholder that the next commit fills.

mod gpu_support;

fn main() {
    gpu_support::main(vec![]);
}
