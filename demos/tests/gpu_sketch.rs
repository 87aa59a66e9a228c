//! Every group of the drawings has the gradient of the CPU on a device.

#[path = "../../tests/gpu_support/mod.rs"]
mod gpu_support;
#[path = "../../tests/gpu_kernels/gradients.rs"]
mod gradients;

use isograd::backend::gpu::GpuContext;
use isograd_demos::cli::Case;
use isograd_demos::sketch::problem;

fn drawings(context: &GpuContext) {
    for case in [Case::Bracket, Case::Conflict, Case::Linkage] {
        gradients::check(context, case.name(), &problem(case).unwrap(), 0.5);
    }
}

fn main() {
    gpu_support::main(vec![("gradient_of_sketches", drawings)]);
}
