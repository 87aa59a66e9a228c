//! Evaluates residuals and Jacobian for the minimiser on the CPU, some groups on a device if need be.

use crate::problem::{CompiledProblem, Evaluation, ProblemError};
#[cfg(feature = "gpu")]
use crate::{
    backend::gpu::GpuError,
    backend::{Group, cpu::Cpu},
    device::DeviceEvaluator,
    problem::Parameters,
};

/// Who evaluates.
#[derive(Debug, Default)]
pub(super) enum Evaluator {
    /// The CPU alone.
    #[default]
    Cpu,
    /// A device some groups, the CPU the others at the same time.
    #[cfg(feature = "gpu")]
    Hybrid(Box<Hybrid>),
}

/// The groups on a device and those that are not.
#[cfg(feature = "gpu")]
#[derive(Debug)]
pub(super) struct Hybrid {
    device: DeviceEvaluator,
    others: Vec<Group>,
    /// Number of scalar residuals, of the CPU's and the device's groups.
    residuals: usize,
    /// Relative rounding error of the device's numbers.
    rounding: f64,
}

#[cfg(feature = "gpu")]
impl Hybrid {
    /// Has `groups` evaluated on a device.
    pub fn new(
        context: &crate::backend::gpu::GpuContext,
        compiled: &CompiledProblem,
        parameters: &Parameters,
        groups: &[usize],
        format: crate::kernel::wgsl::Format,
        batch_size: Option<usize>,
    ) -> Result<Self, GpuError> {
        let others = compiled.groups.iter().enumerate().filter(|(index, _)| !groups.contains(index));
        Ok(Hybrid {
            device: DeviceEvaluator::new(context, compiled, parameters, groups, format, batch_size)?,
            others: others.map(|(_, group)| group.clone()).collect(),
            residuals: compiled.residuals(),
            rounding: super::placement::rounding(format),
        })
    }

    /// Bytes of the device's memory.
    pub fn device_bytes(&self) -> u64 {
        self.device.bytes()
    }

    async fn objective(&self, x: &[f64], evaluation: &mut Evaluation) -> Result<(), GpuError> {
        let pending = self.device.start(x, false)?;
        evaluation.residuals.resize(self.residuals, 0.0);
        Cpu.objective(&self.others, x, &mut evaluation.residuals);
        evaluation.objective.clear();
        self.device.finish(pending, &mut evaluation.residuals, &mut []).await
    }

    async fn linearize(&self, x: &[f64], evaluation: &mut Evaluation) -> Result<(), GpuError> {
        let pending = self.device.start(x, true)?;
        evaluation.objective.clear();
        let Evaluation { residuals, stored, .. } = evaluation;
        Cpu.linearize(&self.others, x, residuals, stored, &mut []);
        self.device.finish(pending, residuals, stored).await
    }
}

impl Evaluator {
    /// Relative rounding error of residuals.
    pub fn rounding(&self) -> f64 {
        match self {
            Evaluator::Cpu => f64::EPSILON,
            #[cfg(feature = "gpu")]
            Evaluator::Hybrid(hybrid) => hybrid.rounding,
        }
    }

    /// What the cost at `x` is half the squared sum of. A device that fails is left for good, with a note about it.
    pub async fn objective(
        &mut self,
        compiled: &CompiledProblem,
        x: &[f64],
        evaluation: &mut Evaluation,
        _notes: &mut Vec<String>,
    ) -> Result<(), ProblemError> {
        #[cfg(feature = "gpu")]
        if let Evaluator::Hybrid(hybrid) = self {
            match hybrid.objective(x, evaluation).await {
                Ok(()) => return Ok(()),
                Err(error) => self.leave_device(&error, _notes),
            }
        }
        compiled.evaluate_objective(x, evaluation)
    }

    /// Residuals and Jacobian at `x`, likewise, and `with_objective` that too, unless a device helps.
    pub async fn linearize(
        &mut self,
        compiled: &CompiledProblem,
        x: &[f64],
        evaluation: &mut Evaluation,
        with_objective: bool,
        _notes: &mut Vec<String>,
    ) -> Result<(), ProblemError> {
        #[cfg(feature = "gpu")]
        if let Evaluator::Hybrid(hybrid) = self {
            match hybrid.linearize(x, evaluation).await {
                Ok(()) => return Ok(()),
                Err(error) => self.leave_device(&error, _notes),
            }
        }
        match with_objective {
            true => compiled.linearize_with_objective(x, evaluation),
            false => compiled.linearize(x, evaluation),
        }
    }

    #[cfg(feature = "gpu")]
    fn leave_device(&mut self, error: &GpuError, notes: &mut Vec<String>) {
        notes.push(format!("from here on everything runs on the CPU: {}", error.brief()));
        *self = Evaluator::Cpu;
    }
}
