//! Why a file could not be written.

use std::io;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The operating system would not take it.
    #[error("writing to {target} failed: {source}; check the path and the space left")]
    Io {
        /// The file's path, or "a stream".
        target: String,
        /// What the system said.
        source: io::Error,
    },
    /// A number is infinite or NaN; no reader would take it back.
    #[error("{what} {index} has a number that is not finite; did the optimisation diverge?")]
    NonFinite {
        /// A vertex, a camera, a pose and so on.
        what: &'static str,
        /// Which of them.
        index: usize,
    },
    /// An observation or an edge names something that is not there.
    #[error("{user} {number} names {what} {index}, but there are {count} (counted from 0)")]
    BadIndex {
        /// An observation or an edge.
        user: &'static str,
        /// Which of them.
        number: usize,
        /// A camera, a point or a pose.
        what: &'static str,
        /// The index it names.
        index: u32,
        /// How many there are.
        count: usize,
    },
    /// An information matrix of which a file's upper triangle would not tell all.
    #[error("the information matrix of edge {edge} is not symmetric")]
    Asymmetric {
        /// Which edge.
        edge: usize,
    },
    /// Ids come one a pose.
    #[error("{ids} ids given for {poses} poses; give one for each")]
    IdCount {
        /// Ids given.
        ids: usize,
        /// Poses of the graph.
        poses: usize,
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
