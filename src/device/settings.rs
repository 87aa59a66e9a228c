//! What holds for a whole solve on a device.

use super::classes::Classes;
use super::layout::Layout;
use super::plans::residual_partials;

/// Numbers that hold for a whole solve: part of `Solve` in `kernels/solver.wgsl`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Settings {
    /// Invalid steps in a row that are too many.
    pub max_invalid_steps: u32,
    /// Whether columns are scaled.
    pub jacobi_scaling: bool,
    /// Tolerances and limits, as the solver's options have them.
    pub function_tolerance: f64,
    /// See the solver's options.
    pub gradient_tolerance: f64,
    /// See the solver's options.
    pub parameter_tolerance: f64,
    /// See the solver's options.
    pub min_gain_ratio: f64,
    /// See the solver's options.
    pub min_diagonal: f64,
    /// See the solver's options.
    pub max_diagonal: f64,
    /// Least trust region radius.
    pub min_radius: f64,
    /// Largest trust region radius.
    pub max_radius: f64,
    /// First trust region radius.
    pub initial_radius: f64,
    /// Accuracy of the linear solves.
    pub forcing: f64,
    /// Relative change of the cost that drowns in rounding.
    pub rounding: f64,
    /// Relative decrease whose rejection rounding explains.
    pub small_promise: f64,
    /// Relative rise of the cost that rounding explains.
    pub noise: f64,
    /// Share of the squared gradient up to which a step that changes the cost by no more is taken on its account.
    pub polished: f64,
    /// Most iterations of a component that is minimised by itself.
    pub max_iterations: usize,
    /// Most iterations of conjugate gradients a step.
    pub max_linear_iterations: usize,
    /// Eliminate blocks before the linear system is solved, if there are any worth it.
    pub eliminate: bool,
    /// Precondition with the diagonal blocks of the Schur complement, if blocks are eliminated.
    pub schur_jacobi: bool,
    /// Most instances of a dispatch over instances.
    pub batch_size: Option<usize>,
    /// Most bytes of an assembled JᵀJ, if not what suits the device; 0 for none at all.
    #[doc(hidden)]
    pub matrix_bytes: Option<u64>,
    /// Whether incidence lists are made on the device where it can, if not as suits the device.
    #[doc(hidden)]
    pub device_lists: Option<bool>,
    /// Whether the device finds the order of blocks and instances where it can, if not as suits the device.
    #[doc(hidden)]
    pub device_order: Option<bool>,
    /// Workgroups that have nothing to do in front of each such dispatch, so that tests need no millions of instances to fill two
    /// dimensions of them.
    #[doc(hidden)]
    pub idle_workgroups: u32,
}

/// Sizes of a problem: the other part of `Solve`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts {
    block_partials: u32,
    list_partials: u32,
    curvature_partials: u32,
    residual_partials: u32,
    /// Room for the partial sums of a quantity.
    pub capacity: u32,
    parameters: u32,
    /// Workgroups of an iteration that is one dispatch; 0 if none is.
    pub iterate_partials: u32,
    bounded: bool,
}

impl Counts {
    /// For kernels over components, which have no partial sums.
    pub fn of_components(bounded: bool) -> Self {
        Counts {
            block_partials: 0,
            list_partials: 0,
            curvature_partials: 0,
            residual_partials: 0,
            capacity: 0,
            parameters: 0,
            iterate_partials: 0,
            bounded,
        }
    }

    /// Without iterations that are one dispatch.
    pub fn new(layout: &Layout, classes: &Classes, bounded: bool) -> Self {
        let (block_partials, list_partials) = (classes.workgroups(), classes.list_workgroups());
        let residual_partials = residual_partials(layout);
        let capacity = block_partials.max(list_partials).max(residual_partials);
        let parameters = layout.places.len() as u32;
        Counts {
            block_partials,
            list_partials,
            curvature_partials: classes.curvature_workgroups(),
            residual_partials,
            capacity,
            parameters,
            iterate_partials: 0,
            bounded,
        }
    }
}

/// What of the settings a problem on a device has built in.
pub(super) type Shape = (usize, [bool; 2], Option<usize>, Option<u64>, u32);

impl Settings {
    pub(super) fn shape(&self) -> Shape {
        let &Settings { max_linear_iterations, eliminate, schur_jacobi, batch_size, matrix_bytes, .. } = self;
        (max_linear_iterations, [eliminate, schur_jacobi], batch_size, matrix_bytes, self.idle_workgroups)
    }

    /// The words of `Solve`.
    pub(super) fn words(&self, counts: &Counts) -> [u32; 25] {
        let single = |number: f64| (number as f32).to_bits();
        [
            counts.block_partials,
            counts.list_partials,
            counts.residual_partials,
            counts.capacity,
            counts.parameters,
            counts.iterate_partials,
            self.max_invalid_steps,
            u32::from(self.jacobi_scaling),
            single(self.function_tolerance),
            single(self.gradient_tolerance),
            single(self.parameter_tolerance),
            single(self.min_gain_ratio),
            single(self.min_diagonal),
            single(self.max_diagonal),
            single(self.min_radius),
            single(self.max_radius),
            single(self.forcing),
            single(self.rounding),
            single(self.small_promise),
            single(self.rounding),
            u32::from(counts.bounded),
            single(self.max_iterations as f64),
            single(self.noise),
            single(self.polished),
            counts.curvature_partials,
        ]
    }
}
