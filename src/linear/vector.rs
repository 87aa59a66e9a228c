//! Vector arithmetic for the iterative solvers, the same for any number of threads.

use rayon::prelude::*;

/// Entries that one thread sums before the partial sums are added in order.
const CHUNK: usize = 4096;
/// Below this length a second thread is not worth waking.
const PARALLEL_LEN: usize = 1 << 15;

/// `xᵀ y`, in fixed chunks.
pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    let chunk = |(x, y): (&[f64], &[f64])| -> f64 {
        // Eight running sums, so that the compiler may use vector registers.
        let mut sums = [0.0; 8];
        let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
        let tail: f64 = xs.remainder().iter().zip(ys.remainder()).map(|(x, y)| x * y).sum();
        for (x, y) in xs.zip(ys) {
            for ((s, x), y) in sums.iter_mut().zip(x).zip(y) {
                *s += x * y;
            }
        }
        sums.iter().sum::<f64>() + tail
    };
    if x.len() < PARALLEL_LEN {
        return x.chunks(CHUNK).zip(y.chunks(CHUNK)).map(chunk).sum();
    }
    let partial: Vec<f64> = x.par_chunks(CHUNK).zip(y.par_chunks(CHUNK)).map(chunk).collect();
    partial.iter().sum()
}

/// `y += a x`.
pub fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    update(x, y, |x, y| y + a * x);
}

/// `y = x + a y`.
pub fn xpay(x: &[f64], a: f64, y: &mut [f64]) {
    update(x, y, |x, y| x + a * y);
}

fn update(x: &[f64], y: &mut [f64], f: impl Fn(f64, f64) -> f64 + Sync) {
    let chunk = |(x, y): (&[f64], &mut [f64])| {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = f(*x, *y));
    };
    if x.len() < PARALLEL_LEN {
        chunk((x, y));
    } else {
        x.par_chunks(CHUNK).zip(y.par_chunks_mut(CHUNK)).for_each(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_vectors() {
        let x: Vec<f64> = (0..21).map(f64::from).collect();
        assert_eq!(dot(&x, &x), 2870.0);
        let mut y = vec![1.0, 2.0];
        axpy(2.0, &[1.0, 1.0], &mut y);
        assert_eq!(y, [3.0, 4.0]);
        xpay(&[1.0, 1.0], -1.0, &mut y);
        assert_eq!(y, [-2.0, -3.0]);
        assert_eq!(dot(&[], &[]), 0.0);
    }

    #[test]
    fn the_number_of_threads_does_not_matter() {
        let x: Vec<f64> = (0..100_000).map(|i| f64::from(i).sin()).collect();
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| dot(&x, &x).to_bits())
        };
        assert_eq!(with(1), with(3));
    }
}
