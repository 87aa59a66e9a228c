//! Robust losses: residual blocks whose cost is ½ ρ(‖r‖²), so that outliers count for less.
//!
//! A loss is a function over [`Value`], as a residual is; ρ′ and ρ″ come from it by differentiation, and the correction of residuals
//! and Jacobian becomes part of the group's kernel ([`LossProgram`]). The losses here and their names are Ceres's
//! (<http://ceres-solver.org/nnls_modeling.html#lossfunction>) and, for Geman-McClure, Welsch and Fair, those of Zhang, *Parameter
//! estimation techniques: a tutorial with application to conic fitting*, 1997, table 1.

mod combined;
mod losses;

pub use combined::{Composed, Scaled};
pub use losses::{Arctan, Cauchy, Fair, GemanMcClure, Huber, SoftL1, Tolerant, Trivial, Tukey, Welsch};

use super::memo::Memo;
use super::{Problem, ProblemError};
use crate::Value;
use crate::program::LossProgram;
use crate::topology::Tracer;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// A robust loss.
///
/// It should have ρ(0) = 0 and ρ′(0) = 1 (a [`Scaled`] loss has another slope), and ρ ≥ 0 and ρ′ ≥ 0 everywhere. It may not branch on
/// its argument; [`Value::select`] decides inside a kernel.
///
/// ```
/// use isograd::{Problem, Value, loss::Loss};
///
/// /// ρ(s) = s / (1 + s)
/// #[derive(Debug)]
/// struct Saturating;
///
/// impl Loss for Saturating {
///     fn name(&self) -> String {
///         "saturating".to_owned()
///     }
///     fn rho(&self, s: Value) -> Value {
///         s / (1.0 + s)
///     }
/// }
///
/// // The mean of ten numbers, one of them an outlier.
/// let mut problem = Problem::new();
/// let mean = problem.add_parameter_block(&[0.5])?;
/// let data: Vec<[f64; 1]> = (0..10).map(|k| [if k == 9 { 100.0 } else { 0.1 * f64::from(k % 3) }]).collect();
/// let blocks = problem.add_residual_batch(&vec![[mean]; 10], &data, |x, d| x[0][0] - d[0])?;
/// problem.set_loss(blocks, Saturating)?;
/// problem.solve(&Default::default())?;
/// assert!((problem.parameter_block(mean)[0] - 0.1).abs() < 1e-3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Loss: Debug + Send + Sync {
    /// What reports and errors call it.
    fn name(&self) -> String;

    /// ρ(s) for the squared norm s of a residual block.
    fn rho(&self, s: Value) -> Value;

    /// Whether ρ″ ≤ 0 everywhere, as of any loss that only ever weakens outliers. It saves the second-order term of the correction.
    fn is_concave(&self) -> bool {
        false
    }
}

/// A loss that is chosen at run time.
impl<L: Loss + ?Sized> Loss for Box<L> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn rho(&self, s: Value) -> Value {
        (**self).rho(s)
    }

    fn is_concave(&self) -> bool {
        (**self).is_concave()
    }
}

/// The losses of a problem's residual blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Losses {
    programs: Vec<Arc<LossProgram>>,
    /// Which loss is for which residual blocks; a later entry stands above an earlier one.
    ranges: Vec<(Range<usize>, Option<u32>)>,
}

impl Losses {
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The loss of each of so many residual blocks, as an index.
    pub fn by_block(&self, blocks: usize) -> Vec<Option<u32>> {
        let mut losses = vec![None; blocks];
        for (range, loss) in &self.ranges {
            losses[range.start..range.end.min(blocks)].fill(*loss);
        }
        losses
    }

    pub fn program(&self, index: u32) -> &Arc<LossProgram> {
        &self.programs[index as usize]
    }
}

impl Problem {
    /// Gives residual blocks a robust loss in place of the one they had: their cost is ½ ρ(‖r‖²) then.
    ///
    /// # Errors
    /// If there are no such residual blocks, or the loss cannot be compiled. Then nothing changes.
    pub fn set_loss(&mut self, residual_blocks: Range<usize>, loss: impl Loss) -> Result<(), ProblemError> {
        self.check_residual_blocks(&residual_blocks)?;
        let program = trace(&loss, &mut self.tracer)?;
        let known = self.losses.programs.iter().position(|other| *other == program);
        let index = known.unwrap_or_else(|| {
            self.losses.programs.push(program);
            self.losses.programs.len() - 1
        });
        self.kept.clear();
        self.losses.ranges.push((residual_blocks, Some(index as u32)));
        Ok(())
    }

    /// Takes the robust loss of residual blocks away.
    ///
    /// # Errors
    /// If there are no such residual blocks.
    pub fn clear_loss(&mut self, residual_blocks: Range<usize>) -> Result<(), ProblemError> {
        self.check_residual_blocks(&residual_blocks)?;
        if !self.losses.is_empty() {
            self.kept.clear();
            self.losses.ranges.push((residual_blocks, None));
        }
        Ok(())
    }

    fn check_residual_blocks(&self, range: &Range<usize>) -> Result<(), ProblemError> {
        let blocks = self.residual_blocks;
        if range.start <= range.end && range.end <= blocks {
            return Ok(());
        }
        Err(ProblemError::NoSuchResidualBlocks { start: range.start, end: range.end, blocks })
    }
}

/// Where a loss is recorded; it has no business being 0 or less there.
const SAMPLE: f64 = 0.5;
/// Where it may overflow, but not fall: a width below 0 shows only past its square.
const FURTHER: [f64; 5] = [1.0, 1e2, 1e4, 1e8, 1e16];

/// Losses, those that are concave behind the others.
static LOSSES: [Memo<Arc<LossProgram>>; 2] = [Memo::new(), Memo::new()];

/// Records ρ and differentiates it.
fn trace(loss: &dyn Loss, tracer: &mut Tracer) -> Result<Arc<LossProgram>, ProblemError> {
    let fault = |reason: String| ProblemError::LossFunction { loss: loss.name(), reason };
    let sample: &[f64] = &[SAMPLE];
    tracer.trace([sample].into_iter(), &[], |s, _| loss.rho(s[0][0])).map_err(|error| fault(error.to_string()))?;
    if !tracer.guards.outputs.is_empty() {
        return Err(fault("it compares its argument; decide with Value::select".to_owned()));
    }
    let concave = loss.is_concave();
    LOSSES[usize::from(concave)].get(&tracer.expression, &tracer.data, |rho| {
        let program = LossProgram::new(rho, concave);
        check(&program).map_err(&fault)?;
        Ok(Arc::new(program))
    })
}

/// Looks at ρ and ρ′ here and there.
fn check(program: &LossProgram) -> Result<(), String> {
    for s in [0.0, SAMPLE] {
        let [rho, slope, _] = program.derivatives.evaluate(&[&[s]], &[])[..] else { unreachable!("three outputs") };
        if !(rho.is_finite() && slope.is_finite() && rho >= -1e-9 && slope >= 0.0) {
            return Err(format!("rho({s}) = {rho} with slope {slope}; both must be 0 or more"));
        }
    }
    for s in FURTHER {
        let [rho, slope, _] = program.derivatives.evaluate(&[&[s]], &[])[..] else { unreachable!("three outputs") };
        if rho < -1e-9 || slope < 0.0 {
            return Err(format!("rho({s}) = {rho} with slope {slope}; neither may be below 0"));
        }
    }
    Ok(())
}
