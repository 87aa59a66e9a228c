//! Cholesky factors of the diagonal blocks that are eliminated, with inverted pivots.

/// Overwrites the lower triangle of a column-major block by its factor; the pivots stand inverted on the diagonal.
/// The error is the pivot that is not positive.
#[inline(always)]
pub fn factorize(a: &mut [f64], size: usize) -> Result<(), usize> {
    match size {
        3 => factorize_any(a, 3),
        size => factorize_any(a, size),
    }
}

#[inline(always)]
fn factorize_any(a: &mut [f64], n: usize) -> Result<(), usize> {
    let a = &mut a[..n * n];
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
        let inverse = pivot.sqrt().recip();
        for i in j + 1..n {
            a[j * n + i] *= inverse;
        }
        a[j * n + j] = inverse;
    }
    Ok(())
}

/// Overwrites `x` by `L⁻ᵀ L⁻¹ x`.
#[inline(always)]
pub fn solve(l: &[f64], x: &mut [f64]) {
    match x.len() {
        3 => solve_any(l, x, 3),
        n => solve_any(l, x, n),
    }
}

#[inline(always)]
fn solve_any(l: &[f64], x: &mut [f64], n: usize) {
    let (l, x) = (&l[..n * n], &mut x[..n]);
    for j in 0..n {
        x[j] *= l[j * n + j];
        for i in j + 1..n {
            x[i] -= l[j * n + i] * x[j];
        }
    }
    for j in (0..n).rev() {
        for i in j + 1..n {
            x[j] -= l[j * n + i] * x[i];
        }
        x[j] *= l[j * n + j];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_and_names_the_pivot() {
        for n in 1..6 {
            let full = |i: usize, j: usize| if i == j { 4.0 + i as f64 } else { 0.5 };
            let mut a: Vec<f64> = (0..n * n).map(|k| full(k % n, k / n)).collect();
            factorize(&mut a, n).unwrap();
            let expected: Vec<f64> = (0..n).map(|i| i as f64 - 1.5).collect();
            let mut x: Vec<f64> = (0..n).map(|i| (0..n).map(|j| full(i, j) * expected[j]).sum()).collect();
            solve(&a, &mut x);
            assert!(x.iter().zip(&expected).all(|(x, e)| (x - e).abs() < 1e-14));
        }
        assert_eq!(factorize(&mut [1.0, 1.0, 1.0, 1.0], 2), Err(1));
        assert_eq!(factorize(&mut [f64::NAN], 1), Err(0));
    }
}
