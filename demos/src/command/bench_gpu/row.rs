//! What is printed of a measurement.

use isograd::Precision;
use serde::Serialize;
use std::fmt;

/// One measurement, or why there is none.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub demo: &'static str,
    pub device: String,
    pub problem: String,
    pub level: u32,
    pub precision: Precision,
    pub parameters: usize,
    pub residuals: usize,
    /// What was measured, or was to be.
    pub stage: String,
    /// None where it was not measured.
    pub seconds: Option<f64>,
    /// Bytes that the stage cannot but move once, if that makes sense for it.
    pub bytes: Option<u64>,
    /// Share of what the device's copies reach.
    pub bandwidth_share: Option<f64>,
    /// Why it was not measured.
    pub skipped: Option<String>,
}

impl Row {
    pub const HEADER: &str =
        "level  precision   stage                                     time        bytes   of copying";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = format!("{:?}", self.precision);
        write!(f, "{:5}  {precision:10}  {:38} ", self.level, self.stage)?;
        if let Some(seconds) = self.seconds {
            write!(f, "{:9.4} ms", 1e3 * seconds)?;
        }
        if let (Some(bytes), Some(share)) = (self.bytes, self.bandwidth_share) {
            write!(f, "  {:8.2} MB  {:6.1} %", bytes as f64 / 1e6, 100.0 * share)?;
        }
        if let Some(reason) = &self.skipped {
            write!(f, "skipped: {reason}")?;
        }
        Ok(())
    }
}
