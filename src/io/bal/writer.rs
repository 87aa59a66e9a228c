//! Problem to text.

use std::io::Write;
use std::path::Path;

use super::BalProblem;
use crate::io::gzip::to_file;
use crate::io::write_error::WriteError;

/// Writes a bundle adjustment problem to a file, gzipped where its name ends in `.gz`.
///
/// # Errors
/// [`WriteError`]: the file cannot be written, a number is not finite, or an observation is of a camera or point that is not there.
pub fn write_bal(path: impl AsRef<Path>, problem: &BalProblem) -> Result<(), WriteError> {
    to_file(path.as_ref(), |out| write_bal_to(out, problem))
}

/// Writes a bundle adjustment problem. Every number reads back as the same number.
///
/// # Errors
/// As [`write_bal`].
pub fn write_bal_to(mut out: impl Write, problem: &BalProblem) -> Result<(), WriteError> {
    check(problem)?;
    let BalProblem { cameras, points, observations } = problem;
    writeln!(out, "{} {} {}", cameras.len(), points.len(), observations.len())?;
    for seen in observations {
        let [x, y] = seen.pixel;
        // The debug format is the shortest that reads back alike and turns to exponents where they are shorter.
        writeln!(out, "{} {} {x:?} {y:?}", seen.camera, seen.point)?;
    }
    for number in cameras.as_flattened().iter().chain(points.as_flattened()) {
        writeln!(out, "{number:?}")?;
    }
    Ok(())
}

fn check(problem: &BalProblem) -> Result<(), WriteError> {
    let BalProblem { cameras, points, observations } = problem;
    let is_infinite = |numbers: &[f64]| numbers.iter().any(|number| !number.is_finite());
    if let Some(index) = cameras.iter().position(|camera| is_infinite(camera)) {
        return Err(WriteError::NonFinite { what: "camera", index });
    }
    if let Some(index) = points.iter().position(|point| is_infinite(point)) {
        return Err(WriteError::NonFinite { what: "point", index });
    }
    for (number, seen) in observations.iter().enumerate() {
        if is_infinite(&seen.pixel) {
            return Err(WriteError::NonFinite { what: "observation", index: number });
        }
        for (what, index, count) in [("camera", seen.camera, cameras.len()), ("point", seen.point, points.len())] {
            if index as usize >= count {
                return Err(WriteError::BadIndex { user: "observation", number, what, index, count });
            }
        }
    }
    Ok(())
}
