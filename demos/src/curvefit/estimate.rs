//! Parameters beside their certified values.

use super::drive::Fit;
use isograd::io::NistProblem;
use serde::Serialize;
use std::fmt;

/// Certified values have so many digits.
const CERTIFIED_DIGITS: f64 = 11.0;

/// All parameters of a fit.
#[derive(Debug, Serialize)]
pub(super) struct Estimates {
    pub estimates: Vec<Estimate>,
    /// √(Σ r² / (observations − parameters)); null without degrees of freedom.
    pub residual_standard_deviation: Option<f64>,
    /// Of the parameter that agrees least.
    pub least_digits: f64,
    /// Why there are no standard deviations, if so.
    pub covariance_error: Option<String>,
}

/// A parameter.
#[derive(Debug, Serialize)]
pub(super) struct Estimate {
    pub name: String,
    pub estimate: f64,
    pub standard_deviation: Option<f64>,
    pub certified: f64,
    /// Leading decimal digits that agree: −log₁₀ of the relative error.
    pub digits: f64,
}

impl Estimates {
    pub fn of(data: &NistProblem, fit: &Fit) -> Estimates {
        let freedom = data.observations().len().saturating_sub(data.parameters.len());
        let deviation = (freedom > 0).then(|| (2.0 * fit.report.final_cost / freedom as f64).sqrt());
        let unscaled = fit.deviations.as_ref().ok();
        let estimate = |k: usize| {
            let certified = data.parameters[k].certified;
            Estimate {
                name: data.parameters[k].name.clone(),
                estimate: fit.parameters[k],
                standard_deviation: unscaled.zip(deviation).map(|(unscaled, deviation)| unscaled[k] * deviation),
                certified,
                digits: digits(fit.parameters[k], certified),
            }
        };
        let estimates: Vec<Estimate> = (0..data.parameters.len()).map(estimate).collect();
        let least_digits = estimates.iter().map(|estimate| estimate.digits).fold(CERTIFIED_DIGITS, f64::min);
        let covariance_error = fit.deviations.as_ref().err().cloned();
        Estimates { estimates, residual_standard_deviation: deviation, least_digits, covariance_error }
    }
}

impl fmt::Display for Estimates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<10}  {:>17}  {:>14}  {:>17}  digits", "parameter", "estimate", "std. deviation", "certified")?;
        for Estimate { name, estimate, standard_deviation, certified, digits } in &self.estimates {
            let deviation = standard_deviation.map_or_else(|| "unknown".to_owned(), |d| format!("{d:.6e}"));
            writeln!(f, "{name:<10}  {estimate:>17.10e}  {deviation:>14}  {certified:>17.10e}  {digits:>6.1}")?;
        }
        match &self.covariance_error {
            Some(error) => writeln!(f, "no standard deviations: {error}"),
            None => Ok(()),
        }
    }
}

/// Leading decimal digits in which a number agrees with a certified one, from 0 to 11.
pub(super) fn digits(found: f64, certified: f64) -> f64 {
    let error = if certified == 0.0 { found.abs() } else { ((found - certified) / certified).abs() };
    // Written so that a NaN has none.
    if error >= 0.0 { (-error.log10()).clamp(0.0, CERTIFIED_DIGITS) } else { 0.0 }
}

/// Whether the certified parameters give the certified sum of squares.
pub(super) fn is_consistent(data: &NistProblem) -> bool {
    let (sum, certified) = (data.sum_of_squares(&data.certified()), data.residual_sum_of_squares);
    // Of sums that are zero but for rounding nothing can be told.
    certified < 1e-20 || (sum / certified - 1.0).abs() < 1e-3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_counted() {
        assert_eq!((digits(1.0, 1.0), digits(f64::NAN, 1.0), digits(-5.0, 1.0)), (11.0, 0.0, 0.0));
        assert!((digits(1.0001, 1.0) - 4.0).abs() < 1e-6 && digits(0.0, 0.0) == 11.0);
    }
}
