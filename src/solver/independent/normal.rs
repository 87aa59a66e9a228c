//! The normal equations of one component, dense, and their solution.

/// JᵀJ and Jᵀr over the free scalars of a component.
#[derive(Debug, Clone, Default)]
pub(super) struct Normal {
    /// Lower triangle of JᵀJ in a square, row by row; what is above the diagonal is not looked at.
    pub matrix: Vec<f64>,
    /// Jᵀr.
    pub gradient: Vec<f64>,
}

impl Normal {
    pub fn zeros(size: usize) -> Self {
        Normal { matrix: vec![0.0; size * size], gradient: vec![0.0; size] }
    }

    /// Number of free scalars.
    pub fn size(&self) -> usize {
        self.gradient.len()
    }

    pub fn clear(&mut self) {
        self.matrix.fill(0.0);
        self.gradient.fill(0.0);
    }

    /// The same numbers without new room.
    pub fn copy_from(&mut self, other: &Normal) {
        self.matrix.copy_from_slice(&other.matrix);
        self.gradient.copy_from_slice(&other.gradient);
    }

    /// Makes it one of `size` scalars, all 0, in the room it has.
    pub fn reset(&mut self, size: usize) {
        self.matrix.clear();
        self.matrix.resize(size * size, 0.0);
        self.gradient.clear();
        self.gradient.resize(size, 0.0);
    }

    pub fn diagonal(&self, diagonal: &mut Vec<f64>) {
        let size = self.size();
        diagonal.clear();
        diagonal.extend((0..size).map(|k| self.matrix[k * size + k]));
    }

    /// Adds a row of J, as (column, derivative), and its residual.
    pub fn add_row(&mut self, row: &[(u32, f64)], residual: f64) {
        let size = self.size();
        for (k, &(a, left)) in row.iter().enumerate() {
            self.gradient[a as usize] += left * residual;
            for &(b, right) in &row[..=k] {
                let (low, high) = (a.min(b) as usize, a.max(b) as usize);
                self.matrix[high * size + low] += left * right;
            }
        }
    }

    /// Decrease of the cost that the linear model predicts for a step: −gᵀδ − ½ δᵀJᵀJδ.
    pub fn model_cost_change(&self, step: &[f64]) -> f64 {
        let size = self.size();
        let mut change = 0.0;
        for (i, &d) in step.iter().enumerate() {
            let row = &self.matrix[i * size..i * size + i];
            let below: f64 = row.iter().zip(step).map(|(a, d)| a * d).sum();
            change += d * (self.gradient[i] + below + 0.5 * self.matrix[i * size + i] * d);
        }
        -change
    }

    /// Solves (JᵀJ + D) δ = −Jᵀr by Cholesky, with δ = 0 where `held`; false if a pivot is not positive or a number not finite.
    ///
    /// `factor` is room for a square.
    pub fn solve(&self, damping: &[f64], held: impl Fn(usize) -> bool, factor: &mut [f64], step: &mut [f64]) -> bool {
        let n = self.size();
        for i in 0..n {
            for j in 0..=i {
                factor[i * n + j] = if held(i) || held(j) { 0.0 } else { self.matrix[i * n + j] };
            }
            factor[i * n + i] = if held(i) { 1.0 } else { self.matrix[i * n + i] + damping[i] };
            step[i] = if held(i) { 0.0 } else { -self.gradient[i] };
        }
        for i in 0..n {
            let (above, row) = factor.split_at_mut(i * n);
            for j in 0..i {
                let other = &above[j * n..];
                let product: f64 = row[..j].iter().zip(&other[..j]).map(|(a, b)| a * b).sum();
                row[j] = (row[j] - product) / other[j];
            }
            let squares: f64 = row[..i].iter().map(|a| a * a).sum();
            let pivot = row[i] - squares;
            // A NaN is no pivot either.
            if pivot.partial_cmp(&0.0).is_none_or(|order| order.is_le()) {
                return false;
            }
            row[i] = pivot.sqrt();
            let known: f64 = row[..i].iter().zip(&*step).map(|(a, y)| a * y).sum();
            step[i] = (step[i] - known) / row[i];
        }
        for i in (0..n).rev() {
            step[i] /= factor[i * n + i];
            let (head, tail) = step.split_at_mut(i);
            for (y, a) in head.iter_mut().zip(&factor[i * n..i * n + i]) {
                *y -= a * tail[0];
            }
        }
        step.iter().all(|d| d.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J = [[1, 2], [3, 4], [0, 1]], r = (1, −1, 2).
    fn example() -> Normal {
        let mut normal = Normal::zeros(2);
        normal.add_row(&[(0, 1.0), (1, 2.0)], 1.0);
        normal.add_row(&[(1, 4.0), (0, 3.0)], -1.0);
        normal.add_row(&[(1, 1.0)], 2.0);
        normal
    }

    #[test]
    fn sums_products_of_rows() {
        let normal = example();
        assert_eq!(normal.gradient, [-2.0, 0.0]);
        assert_eq!([normal.matrix[0], normal.matrix[2], normal.matrix[3]], [10.0, 14.0, 21.0]);
    }

    #[test]
    fn the_step_solves_the_damped_equations_and_promises_what_the_model_says() {
        let (normal, damping) = (example(), [0.5, 2.0]);
        let (mut factor, mut step) = ([0.0; 4], [0.0; 2]);
        assert!(normal.solve(&damping, |_| false, &mut factor, &mut step));
        let [a, b] = step;
        assert!((10.5 * a + 14.0 * b - 2.0).abs() < 1e-14 && (14.0 * a + 23.0 * b).abs() < 1e-14, "{step:?}");
        let residuals = [1.0 + a + 2.0 * b, -1.0 + 3.0 * a + 4.0 * b, 2.0 + b];
        let there: f64 = 0.5 * residuals.iter().map(|r| r * r).sum::<f64>();
        assert!((normal.model_cost_change(&step) - (3.0 - there)).abs() < 1e-14);
    }

    #[test]
    fn held_scalars_do_not_move_and_a_singular_matrix_is_refused() {
        let normal = example();
        let (mut factor, mut step) = ([0.0; 4], [9.0; 2]);
        assert!(normal.solve(&[0.0; 2], |k| k == 1, &mut factor, &mut step));
        assert!((step[0] - 0.2).abs() < 1e-15 && step[1] == 0.0, "{step:?}");
        assert!(!Normal::zeros(2).solve(&[0.0; 2], |_| false, &mut factor, &mut step));
    }
}
