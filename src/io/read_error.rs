//! Why a file could not be read: which file, where in it, what is wrong, what to do.

use std::fmt;
use std::path::{Path, PathBuf};

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

/// Why a mesh file could not be read.
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
    /// The extension says nothing to us.
    #[error("{path}: unknown mesh format; rename it to .obj, .ply or .off (each may have .gz after it)")]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// Something else stands where the format wants a certain thing.
    #[error("{path}, {at}: expected {expected}, found {found}; correct it or export the mesh again")]
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
    /// A face names a vertex that does not exist.
    #[error(
        "{path}, {at}: there is no vertex {index} among the {vertices} vertices (this format counts from \
         {first}); correct the face or export the mesh again"
    )]
    BadIndex {
        /// The file.
        path: PathBuf,
        /// Where.
        at: FilePosition,
        /// The index as the file has it.
        index: i64,
        /// How many vertices it may choose from.
        vertices: usize,
        /// The index of the first vertex in this format.
        first: u32,
    },
    /// A coordinate is infinite or not a number.
    #[error("{path}, {at}: the coordinate {found} is not a finite number; correct or remove that vertex")]
    NonFinite {
        /// The file.
        path: PathBuf,
        /// Where.
        at: FilePosition,
        /// The coordinate as the file has it.
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
}

/// What a parser reports: it has bytes and knows no file.
#[derive(Debug)]
pub(super) enum Fault {
    Syntax { at: FilePosition, expected: String, found: String },
    Truncated { at: FilePosition, expected: String },
    BadIndex { at: FilePosition, index: i64, vertices: usize, first: u32 },
    NonFinite { at: FilePosition, found: String },
    Mesh(MeshError),
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
            Fault::BadIndex { at, index, vertices, first } => ReadError::BadIndex { path, at, index, vertices, first },
            Fault::NonFinite { at, found } => ReadError::NonFinite { path, at, found },
            Fault::Mesh(source) => ReadError::Mesh { path, source },
        }
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
            "cow.obj, line 12: expected a vertex index, found \"x\"; correct it or export the mesh again"
        );
        let error = Fault::truncated(FilePosition::Byte(99), "vertex 7").in_file(Path::new("a.ply"));
        assert_eq!(
            error.to_string(),
            "a.ply, byte 99: the file ends where vertex 7 should follow; fetch or export it again"
        );
    }
}
