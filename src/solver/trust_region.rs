//! The damping of Levenberg-Marquardt steps.

use super::SolverOptions;

/// Trust region radius and the diagonal it damps, as in Ceres's `LevenbergMarquardtStrategy`.
///
/// The step solves (JᵀJ + D) δ = −Jᵀr with D = clip(diag(SJᵀJS)) / radius in scaled variables Sδ; here it stands in the original
/// ones. The radius follows Nielsen (Madsen, Nielsen, Tingleff, *Methods for non-linear least squares problems*, 2004, eq. 2.21).
#[derive(Debug)]
pub(super) struct TrustRegion {
    radius: f64,
    shrink: f64,
    max_radius: f64,
    bounds: (f64, f64),
    /// Column scales, fixed at the first point.
    scales: Vec<f64>,
}

impl TrustRegion {
    pub fn new(options: &SolverOptions, diagonal: &[f64]) -> Self {
        let scale = |d: &f64| if options.jacobi_scaling { 1.0 / (1.0 + d.sqrt()) } else { 1.0 };
        TrustRegion {
            radius: options.initial_trust_region_radius.min(options.max_trust_region_radius),
            shrink: 2.0,
            max_radius: options.max_trust_region_radius,
            bounds: (options.min_diagonal, options.max_diagonal),
            scales: diagonal.iter().map(scale).collect(),
        }
    }

    /// Goes on where another minimiser stopped.
    pub fn resume(&mut self, radius: f64) {
        self.radius = radius.min(self.max_radius);
    }

    pub fn radius(&self) -> f64 {
        self.radius
    }

    /// D for the diagonal of JᵀJ.
    pub fn damping(&self, diagonal: &[f64], damping: &mut Vec<f64>) {
        let (low, high) = self.bounds;
        let entry = |(d, s): (&f64, &f64)| (d * s * s).max(low).min(high) / (self.radius * s * s);
        damping.clear();
        damping.extend(diagonal.iter().zip(&self.scales).map(entry));
    }

    /// Decrease of the cost that the linear model predicts for a δ that solves (JᵀJ + D) δ = −g:
    /// −gᵀδ − ½ δᵀJᵀJδ = ½ (δᵀDδ − gᵀδ) (Madsen, Nielsen, Tingleff, eq. 3.14).
    ///
    /// Neither −gᵀδ nor δᵀDδ is negative, so that nothing cancels, and J is not read again.
    pub fn model_decrease(gradient: &[f64], damping: &[f64], step: &[f64]) -> f64 {
        let terms = gradient.iter().zip(damping).zip(step);
        0.5 * terms.map(|((g, d), step)| step * (d * step - g)).sum::<f64>()
    }

    pub fn accept(&mut self, gain_ratio: f64) {
        let growth = (1.0 - (2.0 * gain_ratio - 1.0).powi(3)).max(1.0 / 3.0);
        self.radius = (self.radius / growth).min(self.max_radius);
        self.shrink = 2.0;
    }

    pub fn reject(&mut self) {
        self.radius /= self.shrink;
        self.shrink *= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// J = [[1, 2], [0, 3]], r = (1, −2), D = diag(1, 2): JᵀJ + D = [[2, 2], [2, 15]], g = (1, −4), δ = (−23, 10) / 26.
    #[test]
    fn the_decrease_is_that_of_the_linear_model() {
        let step = [-23.0 / 26.0, 10.0 / 26.0];
        let moved = [1.0 + step[0] + 2.0 * step[1], -2.0 + 3.0 * step[1]];
        let expected = 0.5 * (5.0 - moved[0] * moved[0] - moved[1] * moved[1]);
        let found = TrustRegion::model_decrease(&[1.0, -4.0], &[1.0, 2.0], &step);
        assert!((found - expected).abs() < 1e-14, "{found} for {expected}");
    }
}
