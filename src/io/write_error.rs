//! Why a mesh could not be written.

use std::io;

/// Why a mesh could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The operating system would not take it.
    #[error("writing the mesh to {target} failed: {source}; check the path and the space left")]
    Io {
        /// The file's path, or "a stream".
        target: String,
        /// What the system said.
        source: io::Error,
    },
    /// A coordinate is infinite or not a number; no reader would take it back.
    #[error("vertex {vertex} has a coordinate that is not finite; did the optimisation diverge?")]
    NonFinite {
        /// Index of the vertex.
        vertex: usize,
    },
    /// Colours come one a vertex.
    #[error("{colours} colours given for {vertices} vertices; give one for each")]
    ColourCount {
        /// Colours given.
        colours: usize,
        /// Vertices of the mesh.
        vertices: usize,
    },
}

impl From<io::Error> for WriteError {
    fn from(source: io::Error) -> WriteError {
        WriteError::Io { target: "a stream".into(), source }
    }
}
