//! Bundle adjustment in the large: cameras and points to be found from where the cameras saw the points.
//!
//! Format and camera model: S. Agarwal, N. Snavely, S. M. Seitz, R. Szeliski, "Bundle Adjustment in the Large", ECCV 2010, and
//! <https://grail.cs.washington.edu/projects/bal/>. A file holds the numbers of cameras, points and observations, then an
//! observation a line (`camera point x y`), then nine numbers a camera and three a point.
//!
//! | file | what |
//! | --- | --- |
//! | `reader.rs` | text to problem |
//! | `writer.rs` | problem to text; every number is read back as the same number |
//! | `synthetic.rs` | problems of any size, made up |
//! | `random.rs` | the numbers they are made of |

mod random;
mod reader;
mod synthetic;
mod writer;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;

use super::gzip::{bytes_from, bytes_of, unpacked};
use super::read_error::ReadError;

pub use synthetic::SyntheticBalError;
pub use writer::{write_bal, write_bal_to};

/// A bundle adjustment problem: where cameras and points are thought to be, and where the cameras saw the points.
///
/// A camera's nine numbers are `w1 w2 w3 t1 t2 t3 f k1 k2`. It sees a point X at the pixel
/// `f (1 + k1 n + k2 n²) p`, where `P = R(w) X + t`, `p = -(P.x, P.y) / P.z`, `n = p·p`, and R(w) is the rotation by the angle |w|
/// about w. It looks along its negative z axis: points in front of it have P.z < 0. Pixels count from the middle of the picture, x to
/// the right and y upward.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BalProblem {
    /// Angle-axis rotation (3), translation (3), focal length in pixels, two coefficients of radial distortion.
    pub cameras: Vec<[f64; 9]>,
    /// Positions.
    pub points: Vec<[f64; 3]>,
    /// Who saw what where.
    pub observations: Vec<Observation>,
}

/// A point seen by a camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Index into [`BalProblem::cameras`].
    pub camera: u32,
    /// Index into [`BalProblem::points`].
    pub point: u32,
    /// Where in the picture, in pixels from its middle.
    pub pixel: [f64; 2],
}

/// Reads a bundle adjustment problem from a file, gzipped or not.
///
/// # Errors
/// [`ReadError`], with the line: numbers missing, too many or not finite, and indices of cameras or points that are not there.
pub fn read_bal(path: impl AsRef<Path>) -> Result<BalProblem, ReadError> {
    let path = path.as_ref();
    parse_bal(&bytes_of(path)?, path)
}

/// Reads a bundle adjustment problem from a stream, gzipped or not; `name` appears in errors only.
///
/// # Errors
/// As [`read_bal`].
pub fn read_bal_from(input: impl Read, name: impl AsRef<Path>) -> Result<BalProblem, ReadError> {
    let name = name.as_ref();
    parse_bal(&bytes_from(input, name)?, name)
}

/// Reads a bundle adjustment problem from memory, gzipped or not; `name` appears in errors only.
///
/// ```
/// use isograd::io::parse_bal;
///
/// let text = "1 1 1\n0 0 -3.5 4.25\n0 0 0 0 0 -5 500 0 0\n1 2 3\n";
/// let problem = parse_bal(text.as_bytes(), "one.txt")?;
/// assert_eq!(problem.observations[0].pixel, [-3.5, 4.25]);
///
/// let error = parse_bal(b"1 1 1\n0 7 0 0\n", "bad.txt").unwrap_err();
/// assert!(error.to_string().starts_with("bad.txt, line 2: there is no point 7"));
/// # Ok::<(), isograd::io::ReadError>(())
/// ```
///
/// # Errors
/// As [`read_bal`].
pub fn parse_bal(bytes: &[u8], name: impl AsRef<Path>) -> Result<BalProblem, ReadError> {
    let name = name.as_ref();
    reader::parse(&unpacked(bytes, name)?).map_err(|fault| fault.in_file(name))
}
