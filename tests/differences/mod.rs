//! Central differences: the judge of every derivative in these tests.

/// A derivative by differences, and how far it can be trusted.
#[derive(Clone, Copy, Debug)]
pub struct Slope {
    pub value: f64,
    pub error: f64,
}

impl Slope {
    /// Whether `derivative` equals this slope to the relative tolerance, given what the differences themselves may be off by.
    pub fn agrees(self, derivative: f64, tolerance: f64) -> bool {
        (self.value - derivative).abs() <= tolerance * self.value.abs().max(1.0) + self.error
    }
}

/// The partial derivatives of `f`, by central differences with two step widths and Richardson's extrapolation.
pub fn slopes(f: impl Fn(&[f64]) -> f64, at: &[f64]) -> Vec<Slope> {
    (0..at.len()).map(|k| slope(&f, at, k)).collect()
}

fn slope(f: &impl Fn(&[f64]) -> f64, at: &[f64], k: usize) -> Slope {
    let width = 1e-3 * at[k].abs().max(0.1);
    let moved = |by: f64| {
        let mut point = at.to_vec();
        point[k] += by;
        f(&point)
    };
    let difference = |width: f64| (moved(width) - moved(-width)) / (2.0 * width);
    let (wide, narrow) = (difference(width), difference(width / 2.0));
    let value = narrow + (narrow - wide) / 3.0;
    // The extrapolation gains two orders, so a hundredth of what it changed is a generous bound on what is left.
    let rounding = 4.0 * f64::EPSILON * f(at).abs() / width;
    Slope { value, error: (narrow - wide).abs() / 100.0 + rounding }
}
