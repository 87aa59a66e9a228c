//! The solver on a device: it finds what the CPU finds, keeps to the same rules, and survives a device that fails.

mod gpu_solving;
mod gpu_support;
mod many_problems;
mod scattered_grid;

use gpu_solving::{bounds, components, conduct, failures, hybrid, manifolds, models, optima, orders, splits};

fn main() {
    if failures::is_child() {
        return failures::child();
    }
    gpu_support::main(
        [
            bounds::TESTS,
            components::TESTS,
            optima::TESTS,
            conduct::TESTS,
            failures::TESTS,
            hybrid::TESTS,
            splits::TESTS,
            manifolds::TESTS,
            models::TESTS,
            orders::TESTS,
        ]
        .concat(),
    );
}
