//! Pose graphs: robot poses to be found from how pairs of them were measured to lie towards each other.
//!
//! The text format of g2o (R. Kümmerle, G. Grisetti, H. Strasdat, K. Konolige, W. Burgard, "g2o: A general framework for graph
//! optimization", ICRA 2011), a vertex or an edge a line:
//!
//! ```text
//! VERTEX_SE2 id  x y angle
//! EDGE_SE2 from to  x y angle  I11 I12 I13 I22 I23 I33
//! VERTEX_SE3:QUAT id  x y z  qx qy qz qw
//! EDGE_SE3:QUAT from to  x y z  qx qy qz qw  (the 21 entries of the upper triangle of the 6x6 information matrix, row by row)
//! FIX id ...
//! ```
//!
//! `#` begins a comment. Any other tag is an error: leaving out a constraint would be another problem.
//!
//! | file | what |
//! | --- | --- |
//! | `space.rs` | poses in the plane and in space: tags, identity, composition |
//! | `reader.rs` | text to vertices and edges by id |
//! | `assembly.rs` | ids to indices, and a start for files that have none |
//! | `information.rs` | Cholesky factors of information matrices |
//! | `components.rs` | which poses hang together |
//! | `writer.rs` | graph to text; every number is read back as the same number |
//! | `error.rs` | what can be wrong with a graph beyond its numbers |

mod assembly;
mod components;
mod error;
mod information;
mod reader;
mod space;
mod writer;

#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;

use super::gzip::{bytes_from, bytes_of, unpacked};
use super::read_error::ReadError;

pub use error::PoseGraphError;
pub use writer::{write_g2o, write_g2o_to};

/// A pose graph of either kind.
#[derive(Debug, Clone, PartialEq)]
pub enum PoseGraph {
    /// In the plane.
    Se2(PoseGraph2),
    /// In space.
    Se3(PoseGraph3),
}

/// Poses in the plane, `x y angle` each (radians).
pub type PoseGraph2 = Poses<3, 3>;

/// Poses in space, `x y z qx qy qz qw` each with a unit quaternion. Their information is of `x y z qx qy qz`.
pub type PoseGraph3 = Poses<7, 6>;

/// Poses of `N` numbers and `D` degrees of freedom, and the measurements between them.
#[derive(Debug, Clone, PartialEq)]
pub struct Poses<const N: usize, const D: usize> {
    /// The names of the poses in the file, ascending. Everywhere else a pose goes by its index in this list: pose 0 has the lowest id.
    pub ids: Vec<u64>,
    /// The start: the poses in the file or, where it has none, dead reckoning.
    pub poses: Vec<[f64; N]>,
    /// Indices of the poses that `FIX` lines hold, ascending. Most files have none, and solvers then hold pose 0.
    pub fixed: Vec<u32>,
    /// In the order of the file; there may be several between two poses.
    pub edges: Vec<Edge<N, D>>,
}

/// A measurement: where the pose `to` lies, seen from the pose `from`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge<const N: usize, const D: usize> {
    /// Index of the pose that it is measured from.
    pub from: u32,
    /// Index of the pose that is measured; another one.
    pub to: u32,
    /// `from⁻¹ to`, a pose itself.
    pub measurement: [f64; N],
    /// The inverse of the measurement's covariance, symmetric and positive definite.
    pub information: [[f64; D]; D],
}

/// Reads a pose graph from a file, gzipped or not.
///
/// Quaternions are normalised. Where the file has no vertices, the lowest id starts at the origin and each next id, k, from k - 1 by
/// the first edge from k - 1 to k (dead reckoning), angles in [-π, π).
///
/// # Errors
/// [`ReadError`], with the line: unknown tags, numbers missing, too many or not finite, vertices defined twice or missing, edges from
/// a pose to itself, information matrices that are not positive definite, poses of both kinds in one file.
pub fn read_g2o(path: impl AsRef<Path>) -> Result<PoseGraph, ReadError> {
    let path = path.as_ref();
    parse_g2o(&bytes_of(path)?, path)
}

/// Reads a pose graph from a stream, gzipped or not; `name` appears in errors only.
///
/// # Errors
/// As [`read_g2o`].
pub fn read_g2o_from(input: impl Read, name: impl AsRef<Path>) -> Result<PoseGraph, ReadError> {
    let name = name.as_ref();
    parse_g2o(&bytes_from(input, name)?, name)
}

/// Reads a pose graph from memory, gzipped or not; `name` appears in errors only.
///
/// ```
/// use isograd::io::{PoseGraph, parse_g2o};
///
/// let text = "VERTEX_SE2 7 0 0 0\nVERTEX_SE2 8 1 0 0.1\nEDGE_SE2 7 8 1 0 0.1 4 0 0 4 0 100\n";
/// let PoseGraph::Se2(graph) = parse_g2o(text.as_bytes(), "two.g2o")? else { panic!() };
/// assert_eq!((graph.ids, graph.edges[0].to), (vec![7, 8], 1));
///
/// let error = parse_g2o(b"VERTEX_SE2 7 0 0 0\nEDGE_SE2 7 7 1 0 0 1 0 0 1 0 1\n", "bad.g2o").unwrap_err();
/// assert!(error.to_string().starts_with("bad.g2o, line 2: edge from vertex 7 to itself"));
/// # Ok::<(), isograd::io::ReadError>(())
/// ```
///
/// # Errors
/// As [`read_g2o`].
pub fn parse_g2o(bytes: &[u8], name: impl AsRef<Path>) -> Result<PoseGraph, ReadError> {
    let name = name.as_ref();
    reader::parse(&unpacked(bytes, name)?).map_err(|fault| fault.in_file(name))
}
