//! Nonlinear regression problems of the NIST Statistical Reference Datasets (StRD), with certified answers.
//!
//! <https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml>. A file names its model as a formula, two starting points, the
//! certified parameters with their standard deviations and sum of squares, and the data. The reader reads what stands there: the
//! formula becomes a [`Formula`], and a misprint stays one.
//!
//! | file | what |
//! | --- | --- |
//! | `reader.rs` | text to problem, section by section |
//! | `model.rs` | the lines of the model to formulas |

mod model;
mod reader;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;

use nalgebra::RealField;

use super::gzip::{bytes_from, bytes_of, unpacked};
use super::read_error::ReadError;
use crate::formula::Formula;

/// How hard NIST holds a problem to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NistLevel {
    /// Lower level of difficulty.
    Lower,
    /// Average level of difficulty.
    Average,
    /// Higher level of difficulty.
    Higher,
}

/// A parameter of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct NistParameter {
    /// `b1`, `b2` and so on.
    pub name: String,
    /// Its values at both starting points, the first the further from the answer.
    pub starts: [f64; 2],
    /// Its certified value.
    pub certified: f64,
    /// The certified standard deviation of that.
    pub standard_deviation: f64,
}

/// A regression problem: to find the parameters b that make Σ (response(y) - model(b; x))² over the observations least.
#[derive(Debug, Clone, PartialEq)]
pub struct NistProblem {
    /// The name of the data set.
    pub name: String,
    /// How hard it is.
    pub level: NistLevel,
    /// What is done to the observed y before it is compared: `y` itself, or `log[y]`. Its variable is y.
    pub response: Formula,
    /// The model, without the error term. Its variables are the parameters, then the predictors.
    pub model: Formula,
    /// The parameters.
    pub parameters: Vec<NistParameter>,
    /// What the columns of the data are called: the response, then the predictors.
    pub columns: Vec<String>,
    /// The data, a row an observation, as many numbers in each as there are columns.
    pub data: Vec<f64>,
    /// The certified sum of squared residuals. The cost that solvers report is half of it.
    pub residual_sum_of_squares: f64,
    /// The certified standard deviation of the residuals.
    pub residual_standard_deviation: f64,
    /// Observations less parameters, as the file has it (that of Rat43 says 9 for 11).
    pub degrees_of_freedom: usize,
}

impl NistProblem {
    /// The first starting point (0) or the second (1).
    ///
    /// # Panics
    /// Where `which` is neither.
    pub fn start(&self, which: usize) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.starts[which]).collect()
    }

    /// The certified parameters.
    pub fn certified(&self) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.certified).collect()
    }

    /// The observations: y, then the predictors.
    pub fn observations(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.data.chunks_exact(self.columns.len())
    }

    /// The residual of an observation (y, then the predictors) where the model has these parameters: response(y) - model(b; x).
    ///
    /// # Panics
    /// Where there are not as many numbers as the problem has parameters or columns.
    pub fn residual<T: RealField + Copy>(&self, parameters: &[T], observation: &[T]) -> T {
        let (columns, found) = (self.columns.len(), observation.len());
        assert_eq!(found, columns, "{found} numbers in an observation of {columns} columns");
        let (response, predictors) = observation.split_at(1);
        self.response.evaluate(response) - self.model.evaluate(&[parameters, predictors].concat())
    }

    /// The sum of squared residuals of all observations.
    ///
    /// # Panics
    /// Where there are not as many numbers as parameters.
    pub fn sum_of_squares(&self, parameters: &[f64]) -> f64 {
        self.observations().map(|row| self.residual(parameters, row).powi(2)).sum()
    }
}

/// Reads a NIST StRD nonlinear regression file, gzipped or not.
///
/// # Errors
/// [`ReadError`], with the line: sections, numbers or observations missing or too many, and formulas that cannot be read.
pub fn read_nist(path: impl AsRef<Path>) -> Result<NistProblem, ReadError> {
    let path = path.as_ref();
    parse_nist(&bytes_of(path)?, path)
}

/// Reads a NIST StRD nonlinear regression file from a stream, gzipped or not; `name` appears in errors only.
///
/// # Errors
/// As [`read_nist`].
pub fn read_nist_from(input: impl Read, name: impl AsRef<Path>) -> Result<NistProblem, ReadError> {
    let name = name.as_ref();
    parse_nist(&bytes_from(input, name)?, name)
}

/// Reads a NIST StRD nonlinear regression file from memory, gzipped or not; `name` appears in errors only.
///
/// ```
/// use isograd::Value;
/// use isograd::io::parse_nist;
///
/// # let text = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/Misra1a.dat"));
/// let problem = parse_nist(text, "Misra1a.dat")?;
/// assert_eq!(problem.model.to_string(), "b1*(1-exp[-b2*x])");
/// assert_eq!(problem.start(0), [500.0, 0.0001]);
/// let found = problem.sum_of_squares(&problem.certified());
/// assert!((found / problem.residual_sum_of_squares - 1.0).abs() < 1e-10);
///
/// // The same model, traced.
/// let b = problem.start(0).into_iter().map(Value::variable).collect::<Vec<_>>();
/// let row = problem.observations().next().unwrap().iter().map(|&x| Value::from(x)).collect::<Vec<_>>();
/// problem.residual(&b, &row).backward();
/// assert!(b[0].grad() < 0.0);
/// # Ok::<(), isograd::io::ReadError>(())
/// ```
///
/// # Errors
/// As [`read_nist`].
pub fn parse_nist(bytes: &[u8], name: impl AsRef<Path>) -> Result<NistProblem, ReadError> {
    let name = name.as_ref();
    reader::parse(&unpacked(bytes, name)?).map_err(|fault| fault.in_file(name))
}
