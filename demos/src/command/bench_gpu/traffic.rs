//! The bytes that a stage cannot but move: each buffer that it reads or writes, once.

use super::LINEAR_ITERATIONS;
use isograd::device::{Accumulation, DeviceProblem, GpuDerivatives};
use isograd::kernel::wgsl::Slot;

/// Residuals at the trial point.
pub const RESIDUALS: [Slot; 4] = [Slot::Indices, Slot::Data, Slot::TrialPoint, Slot::TrialResiduals];
/// Residuals and Jacobian at the accepted point.
pub const LINEARIZATION: [Slot; 5] = [Slot::Indices, Slot::Data, Slot::Point, Slot::Residuals, Slot::Stored];
/// Gradient and diagonal blocks.
pub const NORMAL: [Slot; 5] = [Slot::Gradient, Slot::Residuals, Slot::Stored, Slot::Diagonal, Slot::Incidence];

/// J p and then Jᵀ of it, p from z and the last p, and the damping.
const PRODUCT: [Slot; 11] = [
    Slot::Indices,
    Slot::Stored,
    Slot::Preconditioned,
    Slot::Product,
    Slot::Incidence,
    Slot::Stored,
    Slot::Product,
    Slot::Preconditioned,
    Slot::Direction,
    Slot::Damping,
    Slot::Image,
];
/// Step and residual, both read and written, and z.
const UPDATE: [Slot; 8] = [
    Slot::Direction,
    Slot::Image,
    Slot::Step,
    Slot::Step,
    Slot::LinearResidual,
    Slot::LinearResidual,
    Slot::Inverse,
    Slot::Preconditioned,
];
/// An iteration with the assembled matrix, which reads and writes all its vectors.
const ITERATION: [Slot; 4] = [Slot::Matrix, Slot::Columns, Slot::Krylov, Slot::Krylov];

/// Damping and inverses of the diagonal blocks.
const DAMP: [Slot; 4] = [Slot::Diagonal, Slot::Scales, Slot::Damping, Slot::Inverse];
/// The start of conjugate gradients.
const START: [Slot; 4] = [Slot::Gradient, Slot::Inverse, Slot::LinearResidual, Slot::Preconditioned];
/// The trial point, J δ there, the costs, and the point if it is accepted.
const TRIAL: [Slot; 12] = [
    Slot::Point,
    Slot::Step,
    Slot::TrialPoint,
    Slot::Indices,
    Slot::Stored,
    Slot::Step,
    Slot::Product,
    Slot::TrialResiduals,
    Slot::Residuals,
    Slot::Product,
    Slot::TrialPoint,
    Slot::Point,
];
const ASSEMBLY: [Slot; 3] = [Slot::Pairs, Slot::Stored, Slot::Matrix];

/// Of the buffers in all these slots.
pub fn bytes(device: &DeviceProblem, slots: &[Slot]) -> u64 {
    slots.iter().map(|&slot| device.bytes_of(slot)).sum()
}

/// Of a product with JᵀJ + D.
pub fn product(device: &DeviceProblem) -> u64 {
    bytes(device, if device.is_assembled() { &ITERATION } else { &PRODUCT })
}

/// Of a step with all its iterations of conjugate gradients.
pub fn step(device: &DeviceProblem) -> u64 {
    let assembled = device.is_assembled();
    let update = if assembled { 0 } else { bytes(device, &UPDATE) };
    let assembly = if assembled { bytes(device, &ASSEMBLY) } else { 0 };
    let once = [&DAMP[..], &START, &TRIAL, &RESIDUALS, &LINEARIZATION, &NORMAL].concat();
    LINEAR_ITERATIONS as u64 * (product(device) + update) + bytes(device, &once) + assembly
}

/// Of the gradient, and of JᵀJ p, without a stored Jacobian.
pub fn derivatives(device: &GpuDerivatives, accumulation: Accumulation) -> [u64; 2] {
    let of = |slot: Slot| device.bytes_of(slot);
    let evaluated = of(Slot::Indices) + of(Slot::Data) + of(Slot::Point);
    let summed = match accumulation {
        // Shards write theirs to the same place, one after the other, and what is written is read.
        Accumulation::Gather => 2 * of(Slot::Contributions) * device.shards() as u64 + of(Slot::Incidence),
        _ => 0,
    };
    [Slot::Gradient, Slot::Image].map(|sum| {
        let direction = if sum == Slot::Image { of(Slot::Direction) } else { 0 };
        evaluated + summed + direction + of(sum)
    })
}
