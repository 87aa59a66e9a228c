//! Robust losses: what a loss ρ of s = ‖r‖² makes of the residuals and the Jacobian of a block.
//!
//! The cost is ½ Σ ρ(‖r‖²). Its Gauss-Newton model is that of corrected residuals and Jacobian (Triggs, McLauchlan, Hartley,
//! Fitzgibbon, *Bundle Adjustment — A Modern Synthesis*, 2000, §4.3, and Ceres's `Corrector`):
//!
//! r̃ = √ρ′ / (1 − α) · r and J̃ = √ρ′ (J − α/s · r rᵀJ), where ½α² − α − s ρ″/ρ′ = 0.
//!
//! Where ρ″ ≤ 0 the second-order term would make the model indefinite and α is 0, as in Ceres.

use super::{Builder, Id, Node, Program};
use crate::value::op::Op;

/// A loss with its first two derivatives.
#[derive(Debug, Clone, PartialEq)]
pub struct LossProgram {
    /// Returns ρ(s), ρ′(s) and ρ″(s) of the only component of the only block.
    pub derivatives: Program,
    /// Whether ρ″ ≤ 0 everywhere, which saves the second-order term.
    pub concave: bool,
}

impl LossProgram {
    /// The loss that a program of one number computes.
    ///
    /// # Panics
    /// If the program has not one block of one component and one output.
    pub fn new(rho: Program, concave: bool) -> Self {
        assert!(rho.block_sizes == [1] && rho.outputs.len() == 1, "ρ is a function of one number");
        let mut builder = Builder::from_program(&rho);
        let slope = derivative(&mut builder, &rho);
        let first = builder.finish(vec![1], 0, &[slope]);
        let curvature = derivative(&mut builder, &first);
        let derivatives = builder.finish(vec![1], 0, &[rho.outputs[0], slope, curvature]);
        LossProgram { derivatives, concave }
    }

    /// The program whose squared outputs add up to ρ(‖r‖²): one root, and zeros in the place of the other residuals.
    pub fn objective(&self, residuals: &Program) -> Program {
        let mut builder = Builder::from_program(residuals);
        let s = square_sum(&mut builder, &residuals.outputs);
        let zero = builder.literal(0.0);
        let rho = self.at(&mut builder, s)[0];
        // Rounding may leave a loss of 0 a little below.
        let rho = builder.two(Op::Max, rho, zero);
        let mut outputs = vec![zero; residuals.outputs.len()];
        outputs[0] = builder.one(Op::Sqrt, rho);
        builder.finish(residuals.block_sizes.clone(), residuals.data, &outputs)
    }

    /// Corrects residuals and Jacobian rows, which have `None` where an entry is 0.
    pub(super) fn correct(&self, builder: &mut Builder, residuals: &mut [Id], rows: &mut [Vec<Option<Id>>]) {
        let s = square_sum(builder, residuals);
        let [_, slope, curvature] = self.at(builder, s);
        if !self.concave {
            let alpha = alpha(builder, s, slope, curvature);
            bend(builder, alpha, s, residuals, rows);
        }
        let weight = builder.one(Op::Sqrt, slope);
        for number in residuals.iter_mut().chain(rows.iter_mut().flatten().flatten()) {
            *number = builder.two(Op::Mul, weight, *number);
        }
    }

    /// ρ, ρ′ and ρ″ at `s`.
    fn at(&self, builder: &mut Builder, s: Id) -> [Id; 3] {
        let values = builder.inline(&self.derivatives, |builder, leaf| match leaf {
            Node::Parameter { .. } => s,
            leaf => builder.leaf(leaf),
        });
        [values[0], values[1], values[2]]
    }
}

/// The derivative of a function of one number, in the builder of that function.
fn derivative(builder: &mut Builder, program: &Program) -> Id {
    let linearization = program.differentiate();
    let values = builder.inline(&linearization.program, Builder::leaf);
    let Some(entry) = linearization.entries.first() else { return builder.literal(0.0) };
    let factor = builder.literal(entry.factor);
    match entry.stored {
        Some(k) => builder.two(Op::Mul, factor, values[linearization.residuals + k as usize]),
        None => factor,
    }
}

/// ‖r‖².
fn square_sum(builder: &mut Builder, residuals: &[Id]) -> Id {
    let zero = builder.literal(0.0);
    residuals.iter().fold(zero, |sum, &r| {
        let square = builder.two(Op::Mul, r, r);
        builder.two(Op::Add, sum, square)
    })
}

/// α = 1 − √(1 + 2 s ρ″/ρ′) where ρ″ > 0, else 0.
fn alpha(builder: &mut Builder, s: Id, slope: Id, curvature: Id) -> Id {
    let (zero, one, two) = (builder.literal(0.0), builder.literal(1.0), builder.literal(2.0));
    let curved = builder.two(Op::Gt, curvature, zero);
    let divisor = builder.apply_op(Op::Select, [curved, slope, one]);
    let ratio = builder.two(Op::Div, curvature, divisor);
    let ratio = builder.apply_op(Op::Select, [curved, ratio, zero]);
    let term = builder.two(Op::Mul, s, ratio);
    let term = builder.two(Op::Mul, two, term);
    let under = builder.two(Op::Add, one, term);
    let root = builder.one(Op::Sqrt, under);
    builder.two(Op::Sub, one, root)
}

/// r / (1 − α) and J − α/s · r rᵀJ.
fn bend(builder: &mut Builder, alpha: Id, s: Id, residuals: &mut [Id], rows: &mut [Vec<Option<Id>>]) {
    let (zero, one) = (builder.literal(0.0), builder.literal(1.0));
    // At s = 0 the residuals are 0, and so is what is taken off.
    let positive = builder.two(Op::Gt, s, zero);
    let divisor = builder.apply_op(Op::Select, [positive, s, one]);
    let share = builder.two(Op::Div, alpha, divisor);
    let columns = rows.first().map_or(0, Vec::len);
    for column in 0..columns {
        let mut product = None;
        for (&residual, row) in residuals.iter().zip(&*rows) {
            let Some(entry) = row[column] else { continue };
            let term = builder.two(Op::Mul, residual, entry);
            product = Some(product.map_or(term, |sum| builder.two(Op::Add, sum, term)));
        }
        let Some(product) = product else { continue };
        let product = builder.two(Op::Mul, share, product);
        for (&residual, row) in residuals.iter().zip(&mut *rows) {
            let taken = builder.two(Op::Mul, residual, product);
            row[column] = Some(builder.two(Op::Sub, row[column].unwrap_or(zero), taken));
        }
    }
    let rest = builder.two(Op::Sub, one, alpha);
    for residual in residuals {
        *residual = builder.two(Op::Div, *residual, rest);
    }
}
