//! Compares the derivatives of a problem's residuals with differences of the residuals themselves.
//!
//! isograd derives derivatives, so they agree wherever a residual is smooth. What a check finds is a residual that is not: at a kink or a
//! jump, or where rounding eats the result.

use super::{Problem, ProblemError};
use crate::backend::Group;
use rayon::prelude::*;
use serde::Serialize;
use std::fmt;

/// How derivatives are checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GradientCheckOptions {
    /// Width of the differences, relative to the larger of the parameter and 0.1. Default: 1e-3.
    pub relative_step: f64,
    /// Derivatives may differ by this, relative to the larger of the derivative and 1, beyond what the differences themselves are
    /// estimated to be off by. Default: 1e-7.
    pub tolerance: f64,
}

impl Default for GradientCheckOptions {
    fn default() -> Self {
        GradientCheckOptions { relative_step: 1e-3, tolerance: 1e-7 }
    }
}

/// A derivative that differs from the difference quotient.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GradientMismatch {
    /// Index of the residual block.
    pub residual_block: usize,
    /// The name its residual blocks were given.
    pub name: Option<String>,
    /// Index of the residual in its block.
    pub residual: usize,
    /// Index of the parameter block.
    pub block: usize,
    /// Component of the parameter block, or of its step if it is on a manifold.
    pub component: usize,
    /// The derivative.
    pub analytic: f64,
    /// The difference quotient.
    pub numeric: f64,
}

/// What a check of derivatives found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GradientReport {
    /// Number of derivatives compared, zeros included.
    pub checked: usize,
    /// The derivatives that differ, by residual block, the first hundred.
    pub mismatches: Vec<GradientMismatch>,
    /// Number of derivatives that differ.
    pub failed: usize,
    /// Largest difference found, relative to the larger of the derivative and 1.
    pub largest_error: f64,
}

/// Mismatches that a report lists.
const LISTED: usize = 100;

impl GradientReport {
    /// Whether all derivatives agree.
    pub fn is_ok(&self) -> bool {
        self.failed == 0
    }
}

impl fmt::Display for GradientMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradientMismatch { residual_block, residual, block, component, analytic, numeric, .. } = self;
        let name = self.name.as_ref().map_or(String::new(), |name| format!(" (\"{name}\")"));
        write!(
            f,
            "residual {residual} of residual block {residual_block}{name}, component {component} of parameter block {block}: derivative \
             {analytic:e}, by differences {numeric:e}"
        )
    }
}

impl fmt::Display for GradientReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let GradientReport { checked, failed, largest_error, .. } = self;
        writeln!(
            f,
            "{failed} of {checked} derivatives differ; the largest relative difference is {largest_error:.1e}"
        )?;
        self.mismatches.iter().try_for_each(|mismatch| writeln!(f, "{mismatch}"))?;
        let unlisted = failed.saturating_sub(self.mismatches.len());
        if unlisted > 0 { writeln!(f, "and {unlisted} more") } else { Ok(()) }
    }
}

impl Problem {
    /// Compares every derivative at the present parameters with a central difference, extrapolated from two widths (Richardson). Robust
    /// losses are left aside, and fixed blocks are checked too.
    ///
    /// ```
    /// use isograd::Problem;
    ///
    /// let mut problem = Problem::new();
    /// let x = problem.add_parameter_block(&[0.0, 2.0])?;
    /// problem.add_residual(&[x], |x| [x[0][1].sin(), x[0][0].abs()])?;
    /// let report = problem.check_gradients(&Default::default())?;
    /// assert!(report.is_ok(), "the derivative of |x| at 0 is 0 here, and so is the central difference");
    ///
    /// problem.set_parameter_block(x, &[1e-5, 2.0])?;
    /// let report = problem.check_gradients(&Default::default())?;
    /// assert_eq!((report.failed, report.mismatches[0].residual, report.mismatches[0].component), (1, 1, 0));
    /// # Ok::<(), isograd::ProblemError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Problem::compile`].
    pub fn check_gradients(&self, options: &GradientCheckOptions) -> Result<GradientReport, ProblemError> {
        let compiled = self.compile_without_losses()?;
        let mut found: Vec<Comparison> = Vec::new();
        for (index, group) in compiled.groups.iter().enumerate() {
            let check = Check { problem: self, group, options };
            let instances = (0..group.table.count).into_par_iter();
            let residual_block = |instance: usize| compiled.residual_block(index, instance);
            let comparisons = instances.flat_map_iter(|instance| check.instance(instance, residual_block(instance)));
            found.par_extend(comparisons);
        }
        let largest_error = found.iter().map(|comparison| comparison.error).fold(0.0, f64::max);
        let checked = found.len();
        let mut mismatches: Vec<GradientMismatch> = found.into_iter().filter_map(|c| c.mismatch).collect();
        mismatches.sort_by_key(|m| (m.residual_block, m.residual, m.block, m.component));
        let failed = mismatches.len();
        mismatches.truncate(LISTED);
        Ok(GradientReport { checked, mismatches, failed, largest_error })
    }
}

/// One derivative compared.
struct Comparison {
    error: f64,
    mismatch: Option<GradientMismatch>,
}

/// Checks the instances of a group.
struct Check<'a> {
    problem: &'a Problem,
    group: &'a Group,
    options: &'a GradientCheckOptions,
}

impl Check<'_> {
    fn instance(&self, instance: usize, residual_block: usize) -> Vec<Comparison> {
        let kernel = &self.group.kernel;
        let parameters = &self.problem.parameters;
        let (points, data) = (self.group.parameters(instance, parameters.values()), self.group.data(instance));
        let linearization = &kernel.linearization;
        let values = linearization.program.evaluate(&points, &data);
        let residuals = kernel.residuals();
        let mut comparisons = Vec::new();
        for (slot, &size) in linearization.tangent_sizes.iter().enumerate() {
            let start = self.group.table.blocks[slot][instance];
            let block = parameters.offsets().partition_point(|&offset| offset <= start) - 1;
            for component in 0..size {
                let mut analytic = vec![0.0; residuals];
                let here = |entry: &&crate::program::JacobianEntry| {
                    entry.block as usize == slot && entry.component == component
                };
                for entry in linearization.entries.iter().filter(here) {
                    let number = entry.stored.map_or(1.0, |k| values[residuals + k as usize]);
                    analytic[entry.residual as usize] += entry.factor * number;
                }
                let slopes = self.slopes(&points, &data, slot, component as usize);
                for (residual, (&analytic, (numeric, uncertainty))) in analytic.iter().zip(slopes).enumerate() {
                    let difference = (analytic - numeric).abs();
                    let scale = analytic.abs().max(1.0);
                    let allowed = self.options.tolerance * scale + uncertainty;
                    let mismatch = || GradientMismatch {
                        residual_block,
                        name: self.problem.name(residual_block).map(str::to_owned),
                        residual,
                        block,
                        component: component as usize,
                        analytic,
                        numeric,
                    };
                    // Written so that a NaN is a mismatch.
                    let agrees = difference <= allowed;
                    comparisons.push(Comparison { error: difference / scale, mismatch: (!agrees).then(mismatch) });
                }
            }
        }
        comparisons
    }

    /// For each residual the derivative by differences, and how far it may be off.
    fn slopes(&self, points: &[&[f64]], data: &[f64], slot: usize, component: usize) -> Vec<(f64, f64)> {
        let kernel = &self.group.kernel;
        let retraction = kernel.specialization.retractions.get(slot).and_then(Option::as_ref);
        let moved = |by: f64| -> Vec<f64> {
            let point = match retraction {
                Some(retraction) => {
                    let mut step = vec![0.0; retraction.tangent_size()];
                    step[component] = by;
                    retraction.plus.evaluate(&[points[slot], &step], &[])
                }
                None => {
                    let mut point = points[slot].to_vec();
                    point[component] += by;
                    point
                }
            };
            let mut points = points.to_vec();
            points[slot] = &point;
            kernel.program.evaluate(&points, data)
        };
        let size = if retraction.is_some() { 1.0 } else { points[slot][component].abs().max(0.1) };
        let width = self.options.relative_step * size;
        let difference = |width: f64| -> Vec<f64> {
            moved(width).iter().zip(moved(-width)).map(|(ahead, behind)| (ahead - behind) / (2.0 * width)).collect()
        };
        let present = kernel.program.evaluate(points, data);
        let (wide, narrow) = (difference(width), difference(width / 2.0));
        let slope = |((wide, narrow), present): ((f64, f64), f64)| {
            let rounding = 8.0 * f64::EPSILON * present.abs().max(size * narrow.abs()) / width;
            // The extrapolation gains two orders, so a hundredth of what it changed is a generous bound on what is left.
            (narrow + (narrow - wide) / 3.0, (narrow - wide).abs() / 100.0 + rounding)
        };
        wide.into_iter().zip(narrow).zip(present).map(slope).collect()
    }
}
