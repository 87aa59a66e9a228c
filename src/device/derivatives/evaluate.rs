//! Evaluation at a point, with the result read back.

use super::{DerivativesError, GpuDerivatives};
use crate::backend::gpu::{Commands, GpuError};
use crate::device::shard::Numbers;
use crate::kernel::wgsl::Slot;
use crate::problem::{Evaluation, NonFiniteResidual};

impl GpuDerivatives {
    /// The residuals at `x`, in the layout of the [`CompiledProblem`](crate::problem::CompiledProblem).
    ///
    /// # Errors
    /// [`DerivativesError::NonFinite`] names a residual that is not finite; else what the device says.
    pub fn residuals(&self, x: &[f64]) -> Result<Vec<f64>, DerivativesError> {
        self.set_point(x)?;
        self.submit("residuals", |commands| self.record_residuals(commands))?;
        let evaluation = Evaluation { residuals: self.read_residuals()?, ..Evaluation::default() };
        self.check_finite(x, &evaluation)?;
        Ok(evaluation.residuals)
    }

    /// Residuals and stored numbers of the Jacobian at `x`, in the layout of the [`CompiledProblem`](crate::problem::CompiledProblem).
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals).
    pub fn linearize(&self, x: &[f64]) -> Result<Evaluation, DerivativesError> {
        self.set_point(x)?;
        self.submit("linearize", |commands| self.record_linearize(commands))?;
        let (residuals, stored) = (self.read_residuals()?, self.read_stored()?);
        let evaluation = Evaluation { residuals, stored, ..Evaluation::default() };
        self.check_finite(x, &evaluation)?;
        Ok(evaluation)
    }

    /// The gradient Jᵀr at `x`, 0 for parameters that are held.
    ///
    /// # Errors
    /// As [`residuals`](Self::residuals), and [`DerivativesError::Overflow`].
    pub fn gradient(&self, x: &[f64]) -> Result<Vec<f64>, DerivativesError> {
        self.set_point(x)?;
        self.submit("gradient", |commands| self.record_gradient(commands))?;
        self.finite_sum(x, "gradient", self.read_gradient()?)
    }

    /// JᵀJ at `x` times a direction, without the rows and columns of parameters that are held.
    ///
    /// # Errors
    /// As [`gradient`](Self::gradient).
    pub fn jtj_product(&self, x: &[f64], direction: &[f64]) -> Result<Vec<f64>, DerivativesError> {
        self.set_point(x)?;
        self.set_direction(direction)?;
        self.submit("JᵀJ p", |commands| self.record_jtj_product(commands))?;
        self.finite_sum(x, "product", self.read_product()?)
    }

    fn submit(&self, label: &str, record: impl FnOnce(&mut Commands) -> Result<(), GpuError>) -> Result<(), GpuError> {
        let mut commands = self.context.commands(label);
        record(&mut commands)?;
        commands.submit();
        Ok(())
    }

    /// The gradient that was recorded last, finite or not.
    ///
    /// # Errors
    /// As [`GpuBuffer::read`](crate::backend::gpu::GpuBuffer::read).
    pub fn read_gradient(&self) -> Result<Vec<f64>, GpuError> {
        self.read_vector(Slot::Gradient)
    }

    /// The product that was recorded last, finite or not.
    ///
    /// # Errors
    /// As [`GpuBuffer::read`](crate::backend::gpu::GpuBuffer::read).
    pub fn read_product(&self) -> Result<Vec<f64>, GpuError> {
        self.read_vector(Slot::Image)
    }

    fn read_vector(&self, slot: Slot) -> Result<Vec<f64>, GpuError> {
        let bytes = self.buffers.get(slot).read_blocking()?;
        self.context.check()?;
        Ok(self.layout.parameters(&self.formats.real.decode(&bytes)))
    }

    fn read_residuals(&self) -> Result<Vec<f64>, GpuError> {
        self.collect(Numbers::Residuals, Slot::Residuals, self.problem.residuals())
    }

    fn read_stored(&self) -> Result<Vec<f64>, GpuError> {
        self.collect(Numbers::Stored, Slot::Stored, self.problem.stored())
    }

    /// Puts the numbers of all shards together.
    fn collect(&self, kind: Numbers, slot: Slot, length: usize) -> Result<Vec<f64>, GpuError> {
        let mut all = vec![0.0; length];
        for (shard, buffers) in self.layout.shards.iter().zip(&self.shards) {
            let numbers = self.formats.real.decode(&buffers.get(slot).read_blocking()?);
            shard.spread(kind, &self.problem.groups, &self.layout.shapes, &numbers, &mut all);
        }
        self.context.check()?;
        Ok(all)
    }

    fn check_finite(&self, x: &[f64], evaluation: &Evaluation) -> Result<(), NonFiniteResidual> {
        let finite = evaluation.residuals.iter().chain(&evaluation.stored).all(|number| number.is_finite());
        let culprit = if finite { None } else { self.problem.find_non_finite(x, evaluation) };
        culprit.map_or(Ok(()), Err)
    }

    /// Passes a sum on if it is finite; else finds the residual that spoils it.
    fn finite_sum(&self, x: &[f64], of: &'static str, sum: Vec<f64>) -> Result<Vec<f64>, DerivativesError> {
        let Some(parameter) = sum.iter().position(|number| !number.is_finite()) else { return Ok(sum) };
        self.linearize(x)?;
        Err(DerivativesError::Overflow { of, parameter, value: sum[parameter], format: self.formats.real })
    }
}
