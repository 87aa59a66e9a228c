//! Preconditioners for conjugate gradients.

use super::{BlockMatrix, LinearError};

/// An approximate inverse of the damped matrix. To add one, implement this beside the ones here.
pub trait Preconditioner: Send {
    /// What reports call it.
    fn name(&self) -> &'static str;

    /// Prepares for `A + diag(damping)`.
    fn update(&mut self, matrix: &BlockMatrix, damping: &[f64]) -> Result<(), LinearError>;

    /// `z = M⁻¹ r`; `M` must be symmetric positive definite.
    fn apply(&self, r: &[f64], z: &mut [f64]);

    /// Bytes held.
    fn memory_bytes(&self) -> usize;
}

/// No preconditioning.
#[derive(Debug, Default)]
pub struct Identity;

impl Preconditioner for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn update(&mut self, _matrix: &BlockMatrix, _damping: &[f64]) -> Result<(), LinearError> {
        Ok(())
    }

    fn apply(&self, r: &[f64], z: &mut [f64]) {
        z.copy_from_slice(r);
    }

    fn memory_bytes(&self) -> usize {
        0
    }
}

/// The diagonal.
#[derive(Debug, Default)]
pub struct Jacobi {
    inverse: Vec<f64>,
}

impl Preconditioner for Jacobi {
    fn name(&self) -> &'static str {
        "jacobi"
    }

    fn update(&mut self, matrix: &BlockMatrix, damping: &[f64]) -> Result<(), LinearError> {
        self.inverse = matrix.diagonal();
        for (index, (value, damping)) in self.inverse.iter_mut().zip(damping).enumerate() {
            *value += damping;
            if *value <= 0.0 {
                return Err(LinearError::NotPositiveDefinite { index });
            }
            *value = value.recip();
        }
        Ok(())
    }

    fn apply(&self, r: &[f64], z: &mut [f64]) {
        for ((z, r), inverse) in z.iter_mut().zip(r).zip(&self.inverse) {
            *z = r * inverse;
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&self.inverse[..])
    }
}

/// The diagonal blocks, each by its Cholesky factor.
#[derive(Debug, Default)]
pub struct BlockJacobi {
    /// Size of each block.
    sizes: Vec<usize>,
    /// The factors, column-major, one after the other.
    factors: Vec<f64>,
}

impl Preconditioner for BlockJacobi {
    fn name(&self) -> &'static str {
        "block jacobi"
    }

    fn update(&mut self, matrix: &BlockMatrix, damping: &[f64]) -> Result<(), LinearError> {
        let structure = matrix.structure();
        self.sizes.clear();
        self.factors.clear();
        for j in 0..structure.blocks() {
            let (n, range) = (structure.size(j), structure.range(j));
            let start = self.factors.len();
            self.factors.extend_from_slice(matrix.diagonal_block(j));
            let block = &mut self.factors[start..];
            for (i, damping) in damping[range].iter().enumerate() {
                block[i * n + i] += damping;
            }
            factorize_block(block, n)
                .map_err(|pivot| LinearError::NotPositiveDefinite { index: structure.range(j).start + pivot })?;
            self.sizes.push(n);
        }
        Ok(())
    }

    fn apply(&self, r: &[f64], z: &mut [f64]) {
        z.copy_from_slice(r);
        let (mut factors, mut z) = (&self.factors[..], z);
        for &n in &self.sizes {
            let (l, other_factors) = factors.split_at(n * n);
            let (x, other_z) = z.split_at_mut(n);
            solve_block(l, x);
            (factors, z) = (other_factors, other_z);
        }
    }

    fn memory_bytes(&self) -> usize {
        size_of_val(&self.factors[..]) + size_of_val(&self.sizes[..])
    }
}

/// Cholesky factor of the lower triangle of one small column-major block, in place; the error is the pivot.
fn factorize_block(a: &mut [f64], n: usize) -> Result<(), usize> {
    for j in 0..n {
        for k in 0..j {
            for i in j..n {
                a[j * n + i] -= a[k * n + i] * a[k * n + j];
            }
        }
        let pivot = a[j * n + j];
        if pivot <= 0.0 || pivot.is_nan() {
            return Err(j);
        }
        for i in j..n {
            a[j * n + i] /= pivot.sqrt();
        }
    }
    Ok(())
}

fn solve_block(l: &[f64], x: &mut [f64]) {
    let n = x.len();
    for j in 0..n {
        x[j] /= l[j * n + j];
        for i in j + 1..n {
            x[i] -= l[j * n + i] * x[j];
        }
    }
    for j in (0..n).rev() {
        for i in j + 1..n {
            x[j] -= l[j * n + i] * x[i];
        }
        x[j] /= l[j * n + j];
    }
}
