//! Cholesky factors of information matrices.

use super::error::PoseGraphError;
use super::{Edge, Poses};

/// The lower triangle L of `I = L Lᵀ` (G. H. Golub, C. F. Van Loan, "Matrix Computations", section 4.2). A pivot that is lost in the
/// rounding of its diagonal entry counts as zero.
pub(super) fn cholesky<const D: usize>(information: &[[f64; D]; D]) -> Result<[[f64; D]; D], PoseGraphError> {
    let mut lower = [[0.0; D]; D];
    for row in 0..D {
        for column in 0..=row {
            let done: f64 = (0..column).map(|k| lower[row][k] * lower[column][k]).sum();
            let rest = information[row][column] - done;
            if column < row {
                lower[row][column] = rest / lower[column][column];
            } else if rest > f64::EPSILON * information[row][row] && rest.is_finite() {
                lower[row][row] = rest.sqrt();
            } else {
                return Err(PoseGraphError::Indefinite { row, pivot: rest });
            }
        }
    }
    Ok(lower)
}

impl<const N: usize, const D: usize> Edge<N, D> {
    /// The upper triangle Lᵀ of `I = L Lᵀ`: with r the residual of the measurement, `|Lᵀ r|² = rᵀ I r`.
    ///
    /// # Errors
    /// [`PoseGraphError::Indefinite`]; not for an edge that was read from a file.
    pub fn square_root_information(&self) -> Result<[[f64; D]; D], PoseGraphError> {
        let lower = cholesky(&self.information)?;
        Ok(std::array::from_fn(|row| std::array::from_fn(|column| lower[column][row])))
    }
}

impl<const N: usize, const D: usize> Poses<N, D> {
    /// The [square roots](Edge::square_root_information) of all edges as a table: a row an edge, `D * D` numbers in each, the matrix
    /// row by row. So they go into a problem as data of residual blocks.
    ///
    /// ```
    /// # use isograd::io::{PoseGraph, parse_g2o};
    /// let graph = parse_g2o(b"EDGE_SE2 0 1 1 0 0 4 2 0 5 0 9\n", "one.g2o")?;
    /// let PoseGraph::Se2(graph) = graph else { panic!() };
    /// assert_eq!(graph.square_root_information()?, [2.0, 1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`PoseGraphError::Indefinite`]; not for a graph that was read from a file.
    pub fn square_root_information(&self) -> Result<Vec<f64>, PoseGraphError> {
        let mut table = Vec::with_capacity(self.edges.len() * D * D);
        for edge in &self.edges {
            table.extend_from_slice(edge.square_root_information()?.as_flattened());
        }
        Ok(table)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pivots_are_positive() {
        let pivot = |matrix: [[f64; 2]; 2]| match cholesky(&matrix) {
            Err(PoseGraphError::Indefinite { row, .. }) => Some(row),
            other => other.map(|_| None).unwrap(),
        };
        assert_eq!(pivot([[1.0, 0.5], [0.5, 1.0]]), None);
        assert_eq!(pivot([[1e-300, 0.0], [0.0, 1e300]]), None);
        assert_eq!(pivot([[0.0, 0.0], [0.0, 1.0]]), Some(0));
        assert_eq!(pivot([[1.0, 2.0], [2.0, 1.0]]), Some(1));
        assert_eq!(pivot([[1.0, 1.0], [1.0, 1.0]]), Some(1));
        // Singular but for rounding.
        assert_eq!(pivot([[3.0, 1.0], [1.0, 1.0 / 3.0]]), Some(1));
        assert_eq!(pivot([[1e-300, 1e300], [1e300, 1.0]]), Some(1));
        assert_eq!(pivot([[f64::NAN, 0.0], [0.0, 1.0]]), Some(0));
    }

    proptest! {
        #[test]
        fn factors_multiply_back(entries in proptest::array::uniform6(proptest::array::uniform6(-1.0..1.0))) {
            let shifted = |i: usize, j: usize| if i == j { 0.1 } else { 0.0 };
            let information: [[f64; 6]; 6] = std::array::from_fn(|i| std::array::from_fn(|j| {
                shifted(i, j) + (0..6).map(|k| entries[i][k] * entries[j][k]).sum::<f64>()
            }));
            let edge = Edge { from: 0, to: 1, measurement: [0.0; 7], information };
            let upper = edge.square_root_information().unwrap();
            for i in 0..6 {
                for j in 0..6 {
                    let product: f64 = (0..6).map(|k| upper[k][i] * upper[k][j]).sum();
                    prop_assert!((product - information[i][j]).abs() < 1e-13);
                    prop_assert!(j >= i || upper[i][j] == 0.0);
                }
            }
        }
    }
}
