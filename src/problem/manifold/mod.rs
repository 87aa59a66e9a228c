//! Manifolds: parameter blocks whose numbers are not free, such as unit quaternions.
//!
//! A point is kept as `ambient_size` numbers, and moves by steps of `tangent_size` components: x ⊞ δ. The solver differentiates in δ
//! at δ = 0 and never leaves the manifold (Hertzberg, Wagner, Frese, Schröder, *Integrating generic sensor fusion algorithms with
//! sound state representations through encapsulation of manifolds*, 2013, for ⊞ and ⊟). Both are ordinary functions over
//! [`Value`], so a manifold of the user's own is differentiated and compiled like a residual.

mod angle;
mod euclidean;
mod product;
mod quaternion;
mod se2;
mod se3;
mod sim3;
mod so2;
mod sphere;
mod subset;

pub use angle::Angle;
pub use euclidean::Euclidean;
pub use product::Product;
pub use quaternion::So3;
pub use se2::Se2;
pub use se3::Se3;
pub use sim3::Sim3;
pub use so2::So2;
pub use sphere::UnitSphere;
pub use subset::Subset;

use super::memo::Memo;
use super::{BlockId, Problem, ProblemError};
use crate::Value;
use crate::kernel::LaneCode;
use crate::program::Retraction;
use crate::topology::Tracer;
use std::convert::Infallible;
use std::fmt::Debug;
use std::sync::Arc;

/// A manifold that a parameter block can lie on.
///
/// The functions may not branch on their arguments; [`Value::select`] decides inside a kernel.
///
/// ```
/// use isograd::{Problem, Value, manifold::Manifold};
///
/// /// Positive numbers, which move by factors: x ⊞ δ = x·e^δ.
/// #[derive(Debug)]
/// struct Positive;
///
/// impl Manifold for Positive {
///     fn name(&self) -> String {
///         "positive number".to_owned()
///     }
///     fn ambient_size(&self) -> usize {
///         1
///     }
///     fn tangent_size(&self) -> usize {
///         1
///     }
///     fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
///         vec![x[0] * delta[0].exp()]
///     }
///     fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
///         vec![(y[0] / x[0]).ln()]
///     }
/// }
///
/// let mut problem = Problem::new();
/// let x = problem.add_parameter_block(&[100.0])?;
/// problem.set_manifold(&[x], Positive)?;
/// problem.add_residual(&[x], |x| x[0][0].sqrt() - 0.1)?;
/// problem.solve(&Default::default())?;
/// assert!((problem.parameter_block(x)[0] - 0.01).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Manifold: Debug + Send + Sync {
    /// What reports and errors call it.
    fn name(&self) -> String;

    /// Numbers that represent a point.
    fn ambient_size(&self) -> usize;

    /// Components of a step.
    fn tangent_size(&self) -> usize;

    /// x ⊞ δ: where the step `delta` leads from `x`. For δ = 0 it is `x`.
    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value>;

    /// y ⊟ x: the step that leads from `x` to `y`.
    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value>;

    /// Says what is wrong with numbers that represent no point.
    ///
    /// # Errors
    /// The reason, for instance `its norm is 2, not 1`.
    fn check(&self, _x: &[f64]) -> Result<(), String> {
        Ok(())
    }
}

/// A manifold that is chosen at run time.
impl<M: Manifold + ?Sized> Manifold for Box<M> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn ambient_size(&self) -> usize {
        (**self).ambient_size()
    }

    fn tangent_size(&self) -> usize {
        (**self).tangent_size()
    }

    fn plus(&self, x: &[Value], delta: &[Value]) -> Vec<Value> {
        (**self).plus(x, delta)
    }

    fn minus(&self, y: &[Value], x: &[Value]) -> Vec<Value> {
        (**self).minus(y, x)
    }

    fn check(&self, x: &[f64]) -> Result<(), String> {
        (**self).check(x)
    }
}

/// A manifold that blocks of a problem lie on, and its compiled step.
#[derive(Debug, Clone)]
pub(crate) struct OnManifold {
    pub manifold: Arc<dyn Manifold>,
    pub retraction: Arc<Retraction>,
    pub code: Arc<LaneCode>,
}

/// How far from 1 the norm of what should be a unit vector may be.
const UNIT_TOLERANCE: f64 = 1e-6;

/// Checks a vector that should have norm 1.
fn check_unit(x: &[f64]) -> Result<(), String> {
    let norm = x.iter().map(|a| a * a).sum::<f64>().sqrt();
    if (norm - 1.0).abs() <= UNIT_TOLERANCE { Ok(()) } else { Err(format!("its norm is {norm}, not 1")) }
}

/// sin(√s)/√s and cos(√s), smooth at s = 0.
fn sinc_cos(s: Value) -> (Value, Value) {
    // Below this the next terms of the series are less than a rounding error.
    let small = s.less(1e-4);
    let angle = Value::select(small, 1.0, s).sqrt();
    let series = |c: [f64; 3]| ((c[2] * s + c[1]) * s + c[0]) * s + 1.0;
    let sinc = series([-1.0 / 6.0, 1.0 / 120.0, -1.0 / 5040.0]);
    let cos = series([-1.0 / 2.0, 1.0 / 24.0, -1.0 / 720.0]);
    (Value::select(small, sinc, angle.sin() / angle), Value::select(small, cos, angle.cos()))
}

/// atan2(√s, c)/√s for c² + s = 1, smooth at s = 0 where c > 0: what makes an angle of its sine.
fn angle_over_sine(s: Value, c: Value) -> Value {
    let small = Value::select(c.greater(0.0), s.less(1e-8), 0.0);
    let sine = Value::select(small, 1.0, s).sqrt();
    let cos = Value::select(small, c, 1.0);
    let series = (1.0 - s / (3.0 * cos * cos)) / cos;
    Value::select(small, series, sine.atan2(c) / sine)
}

/// An angle in [−π, π).
pub(crate) fn wrapped(angle: Value) -> Value {
    use std::f64::consts::{PI, TAU};
    angle - ((angle + PI) / TAU).floor() * TAU
}

impl Problem {
    /// Puts blocks on a manifold, on which their steps keep them.
    ///
    /// # Errors
    /// If a block does not exist, has another size than the manifold's points, is no point of it, has fixed components or bounds, or
    /// the functions of the manifold cannot be compiled. Then nothing changes.
    pub fn set_manifold(&mut self, blocks: &[BlockId], manifold: impl Manifold + 'static) -> Result<(), ProblemError> {
        let Some(&first) = blocks.first() else { return Ok(()) };
        for &block in blocks {
            self.check_on_manifold(block, &manifold)?;
        }
        let (retraction, code) = trace(&manifold, self.parameters.slice(first.index()), &mut self.tracer)?;
        self.kept.clear();
        self.parameters.put_on(blocks, OnManifold { manifold: Arc::new(manifold), retraction, code });
        Ok(())
    }

    fn check_on_manifold(&self, block: BlockId, manifold: &dyn Manifold) -> Result<(), ProblemError> {
        self.check_component(block, 0)?;
        let (expected, found) = (manifold.ambient_size(), self.parameters.size(block.index()));
        let (block, name) = (block.index(), || manifold.name());
        if found != expected {
            return Err(ProblemError::ManifoldSize { block, manifold: name(), expected, found });
        }
        if self.parameters.fixed(block).is_some() && !self.parameters.is_fixed(block) {
            return Err(ProblemError::ComponentOnManifold { block, manifold: name() });
        }
        if self.parameters.is_bounded(block) {
            return Err(ProblemError::BoundOnManifold { block, manifold: name() });
        }
        let check = manifold.check(self.parameters.slice(block));
        check.map_err(|reason| ProblemError::OffManifold { block, manifold: name(), reason })
    }
}

/// Retractions, and the code of x ⊞ δ.
static RETRACTIONS: Memo<(Arc<Retraction>, Arc<LaneCode>)> = Memo::new();

/// Records x ⊞ δ and differentiates it.
fn trace(
    manifold: &dyn Manifold,
    x: &[f64],
    tracer: &mut Tracer,
) -> Result<(Arc<Retraction>, Arc<LaneCode>), ProblemError> {
    let fault = |reason: String| ProblemError::ManifoldFunction { manifold: manifold.name(), reason };
    let zero = vec![0.0; manifold.tangent_size()];
    if zero.is_empty() {
        return Err(fault("it has no direction to step in; fix the block instead".to_owned()));
    }
    if zero.len() > x.len() {
        return Err(fault(format!("a step of {} components for a point of {} numbers", zero.len(), x.len())));
    }
    let blocks = [x, &zero];
    tracer
        .trace(blocks.into_iter(), &[], |blocks, _| manifold.plus(&blocks[0], &blocks[1]))
        .map_err(|error| fault(error.to_string()))?;
    if !tracer.guards.outputs.is_empty() {
        return Err(fault("x ⊞ δ compares its arguments; decide with Value::select".to_owned()));
    }
    if tracer.primals.len() != x.len() {
        return Err(fault(format!("x ⊞ δ returned {} numbers for a point of {}", tracer.primals.len(), x.len())));
    }
    if let Some(k) = (0..x.len()).find(|&k| (tracer.primals[k] - x[k]).abs() > UNIT_TOLERANCE * (1.0 + x[k].abs())) {
        return Err(fault(format!("x ⊞ 0 has component {k} = {}, but x has {}", tracer.primals[k], x[k])));
    }
    let Ok(compiled) = RETRACTIONS.get(&tracer.expression, &tracer.data, |plus| {
        let retraction = Retraction::new(plus);
        let code = LaneCode::new(&retraction.plus);
        Ok::<_, Infallible>((Arc::new(retraction), Arc::new(code)))
    });
    Ok(compiled)
}
