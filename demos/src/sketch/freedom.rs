//! What constraints leave free, and which of them contradict each other: the rank of their Jacobian.
//!
//! Directions that J maps to 0 change no constraint: degrees of freedom. Combinations of rows that vanish are constraints that say
//! something twice; where the least sum of squares is not 0, Jᵀ r = 0 makes r itself such a combination, and the constraints in it
//! are those that cannot hold together.

use super::drawing::Drawing;
use isograd::ProblemError;
use isograd::solver::{CovarianceError, CovarianceOptions};
use nalgebra::{DMatrix, DVector, Dyn, SymmetricEigen};
use std::fmt::Write;

/// Singular values below this beside the largest are zero.
const ZERO: f64 = 1e-7;
/// A constraint is violated by more than this.
const VIOLATED: f64 = 1e-6;

/// What the constraints of a drawing leave free.
pub(super) struct Freedom {
    /// Numbers that are not held.
    pub unknowns: usize,
    /// Rank of the Jacobian.
    pub rank: usize,
    /// How far each constraint is from being met.
    pub residuals: Vec<f64>,
    /// Constraints that contradict each other.
    pub conflicting: Vec<usize>,
    /// Free motions, each over all parameters.
    pub motions: Vec<Vec<f64>>,
    /// What the library says when it is asked how certain the drawing is.
    pub undetermined: Option<String>,
}

impl Freedom {
    pub fn of(drawing: &Drawing) -> Result<Freedom, ProblemError> {
        let (problem, parameters) = (&drawing.problem, drawing.problem.parameters());
        let compiled = problem.compile()?;
        let mut evaluation = compiled.new_evaluation();
        compiled.linearize(parameters.values(), &mut evaluation)?;
        // Rows in the order of the constraints, not of the groups.
        let rows: Vec<usize> = compiled.rows().collect();
        let residuals: Vec<f64> = rows.iter().map(|&row| evaluation.residuals[row]).collect();
        let constraint_of = |row: usize| rows.iter().position(|&other| other == row);
        let mut all = DMatrix::zeros(rows.len(), compiled.parameters());
        compiled.for_each_entry(&evaluation, |row, column, derivative| {
            if let Some(constraint) = constraint_of(row) {
                all[(constraint, column)] += derivative;
            }
        });
        let offsets = parameters.offsets();
        let free = (0..parameters.blocks()).filter(|&block| !parameters.is_fixed(block));
        let free: Vec<usize> = free.flat_map(|block| offsets[block] as usize..offsets[block + 1] as usize).collect();
        let jacobian = all.select_columns(&free);

        let unknowns = free.len();
        // JᵀJ has the whole null space, also where there are fewer constraints than unknowns.
        let normal: SymmetricEigen<f64, Dyn> = (jacobian.transpose() * &jacobian).symmetric_eigen();
        let largest = normal.eigenvalues.iter().fold(0.0f64, |a, b| a.max(*b));
        let is_zero = |k: &usize| normal.eigenvalues[*k].max(0.0).sqrt() <= ZERO * largest.sqrt();
        let null: Vec<usize> = (0..unknowns).filter(is_zero).collect();
        let motion = |&k: &usize| {
            let mut motion = vec![0.0; compiled.parameters()];
            free.iter().zip(normal.eigenvectors.column(k).iter()).for_each(|(&at, &x)| motion[at] = x);
            motion
        };
        let motions: Vec<Vec<f64>> = null.iter().map(motion).collect();

        // The part of r that no change of the drawing can lower.
        let violation = DVector::from_vec(residuals.clone());
        let worst = violation.amax();
        let conflicting = if worst > VIOLATED {
            (0..residuals.len()).filter(|&k| residuals[k].abs() > 1e-4 * worst).collect()
        } else {
            Vec::new()
        };
        let pairs: Vec<_> = drawing.blocks().into_iter().map(|block| (block, block)).collect();
        let undetermined = match problem.covariance(&pairs, &CovarianceOptions::default()) {
            Err(error @ CovarianceError::RankDeficient { .. }) => Some(error.to_string()),
            _ => None,
        };
        let rank = unknowns - motions.len();
        Ok(Freedom { unknowns, rank, residuals, conflicting, motions, undetermined })
    }

    /// A paragraph, and a line for each constraint.
    pub fn describe(&self, names: &[String]) -> String {
        let (unknowns, rank, constraints) = (self.unknowns, self.rank, names.len());
        let (free, redundant) = (unknowns - rank, constraints - rank);
        let mut text = format!(
            "{unknowns} unknowns, {constraints} constraints, rank {rank}: degrees of freedom {free}, redundant constraints {redundant}\n"
        );
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (k, (name, residual)) in names.iter().zip(&self.residuals).enumerate() {
            let mark = if self.conflicting.contains(&k) { "  in conflict" } else { "" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {name:width$}  {:>10.3e}{mark}", residual);
        }
        if let Some(undetermined) = &self.undetermined {
            let _ = writeln!(text, "covariance: {undetermined}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Case;
    use crate::sketch::cases;

    fn solved(case: Case) -> (Drawing, Freedom) {
        let mut drawing = cases::drawing(case).unwrap();
        drawing.problem.solve(&Default::default()).unwrap();
        let freedom = Freedom::of(&drawing).unwrap();
        (drawing, freedom)
    }

    #[test]
    fn the_bracket_is_determined() {
        let (_, freedom) = solved(Case::Bracket);
        assert_eq!((freedom.unknowns, freedom.rank), (19, 19));
        assert!(freedom.conflicting.is_empty() && freedom.undetermined.is_none());
    }

    #[test]
    fn a_linkage_moves_one_way() {
        let (drawing, freedom) = solved(Case::Linkage);
        assert_eq!((freedom.unknowns, freedom.rank, freedom.motions.len()), (6, 5, 1));
        assert!(freedom.undetermined.as_deref().unwrap().contains("undetermined"));
        // The crank turns about its pivot.
        let shape = drawing.shape();
        let (_, [x, y], at) = shape.points.iter().find(|point| point.0 == 'A').unwrap();
        let (dx, dy) = (freedom.motions[0][*at], freedom.motions[0][at + 1]);
        assert!((x * dx + y * dy).abs() < 1e-4 && dx.hypot(dy) > 1e-3, "({dx}, {dy})");
    }

    #[test]
    fn a_dimension_too_many_is_in_conflict() {
        let (drawing, freedom) = solved(Case::Conflict);
        let conflicting: Vec<&str> = freedom.conflicting.iter().map(|&k| drawing.names[k].as_str()).collect();
        assert!(conflicting.contains(&"BF = 125") && conflicting.contains(&"AB = 100"), "{conflicting:?}");
        assert!(!conflicting.contains(&"hole = 5") && !conflicting.contains(&"fillet = 11"), "{conflicting:?}");
    }
}
