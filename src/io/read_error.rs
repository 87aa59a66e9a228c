//! Why a file could not be read: which file, where in it, what is wrong, what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use super::g2o::PoseGraphError;
use crate::formula::FormulaError;
use crate::mesh::MeshError;

/// Where in a file something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilePosition {
    /// Line of a text file, counted from 1.
    Line(usize),
    /// Byte of a binary file (unpacked, where it was gzipped), counted from 0.
    Byte(usize),
}

impl fmt::Display for FilePosition {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FilePosition::Line(line) => write!(out, "line {line}"),
            FilePosition::Byte(byte) => write!(out, "byte {byte}"),
        }
    }
}

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The operating system would not hand over the file, or it is not proper gzip.
    #[error("{path}: {source}; check the path and that the file is complete")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are gzip, and this is a browser, which unpacks them itself.
    #[error("{path} is gzipped; unpack it first, with `DecompressionStream(\"gzip\")`")]
    Packed {
        /// The file.
        path: PathBuf,
    },
    /// The extension says nothing to us.
    #[error("{path}: unknown mesh format; rename it to .obj, .ply or .off (each may have .gz after it)")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// Something else stands where the format wants a certain thing.
    #[error("{path}, {at}: expected {expected}, found {found}; correct it or export the file again")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where.
        at: FilePosition,
        /// What the format wants there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The file stops before it is complete.
    #[error("{path}, {at}: the file ends where {expected} should follow; fetch or export it again")]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where it ends.
        at: FilePosition,
        /// What should follow.
        expected: String,
    },
    /// Something is named by an index that does not exist.
    #[error(
        "{path}, {at}: there is no {what} {index}, the file has {count} (this format counts from {first}); correct it \
         or export the file again"
    )]
    BadIndex {
        /// The file.
        path: PathBuf,
        /// Where.
        at: FilePosition,
        /// A vertex, a camera or a point.
        what: &'static str,
        /// The index as the file has it.
        index: i64,
        /// How many there are to choose from.
        count: usize,
        /// The index of the first in this format.
        first: u32,
    },
    /// A number is infinite or NaN.
    #[error("{path}, {at}: {found} is not a finite number; correct it or export the file again")]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// Where.
        at: FilePosition,
        /// The number as we read it.
        found: String,
    },
    /// The parts are sound, but do not make a mesh.
    #[error("{path}: {source}")]
    Mesh {
        /// The file.
        path: PathBuf,
        /// Why they do not.
        source: MeshError,
    },
    /// A line of a pose graph is sound, but does not fit the others or means nothing.
    #[error("{path}, {at}: {source}")]
    PoseGraph {
        /// The file.
        path: PathBuf,
        /// Where.
        at: FilePosition,
        /// Why it does not.
        source: PoseGraphError,
    },
    /// A formula cannot be read; its line and column are those of the file.
    #[error("{path}, {source}")]
    Formula {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: FormulaError,
    },
}

/// What a parser reports: it has bytes and knows no file.
#[derive(Debug)]
pub(super) enum Fault {
    Syntax { at: FilePosition, expected: String, found: String },
    Truncated { at: FilePosition, expected: String },
    BadIndex { at: FilePosition, what: &'static str, index: i64, count: usize, first: u32 },
    NonFinite { at: FilePosition, found: String },
    Mesh(MeshError),
    PoseGraph { at: FilePosition, source: PoseGraphError },
    Formula(FormulaError),
}

impl Fault {
    pub(super) fn syntax(at: FilePosition, expected: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault::Syntax { at, expected: expected.into(), found: found.into() }
    }

    pub(super) fn truncated(at: FilePosition, expected: impl Into<String>) -> Fault {
        Fault::Truncated { at, expected: expected.into() }
    }

    pub(super) fn in_file(self, path: &Path) -> ReadError {
        let path = path.into();
        match self {
            Fault::Syntax { at, expected, found } => ReadError::Syntax { path, at, expected, found },
            Fault::Truncated { at, expected } => ReadError::Truncated { path, at, expected },
            Fault::BadIndex { at, what, index, count, first } => {
                ReadError::BadIndex { path, at, what, index, count, first }
            }
            Fault::NonFinite { at, found } => ReadError::NonFinite { path, at, found },
            Fault::Mesh(source) => ReadError::Mesh { path, source },
            Fault::PoseGraph { at, source } => ReadError::PoseGraph { path, at, source },
            Fault::Formula(source) => ReadError::Formula { path, source },
        }
    }
}

impl From<FormulaError> for Fault {
    fn from(error: FormulaError) -> Fault {
        Fault::Formula(error)
    }
}

impl From<MeshError> for Fault {
    fn from(error: MeshError) -> Fault {
        Fault::Mesh(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_file_place_and_remedy() {
        let at = FilePosition::Line(12);
        let error = Fault::syntax(at, "a vertex index", "\"x\"").in_file(Path::new("cow.obj"));
        assert_eq!(
            error.to_string(),
            "cow.obj, line 12: expected a vertex index, found \"x\"; correct it or export the file again"
        );
        let error = Fault::truncated(FilePosition::Byte(99), "vertex 7").in_file(Path::new("a.ply"));
        assert_eq!(
            error.to_string(),
            "a.ply, byte 99: the file ends where vertex 7 should follow; fetch or export it again"
        );
    }
}
