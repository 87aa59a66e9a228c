//! What can be wrong with a pose graph beyond its numbers.

/// Why lines that are sound by themselves do not make a pose graph.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoseGraphError {
    /// Two lines define one vertex.
    #[error("vertex {id} is defined again, first in line {first}; remove one of the two")]
    DuplicateVertex {
        /// Its id.
        id: u64,
        /// The line of the first definition.
        first: usize,
    },
    /// An edge or a FIX line names a vertex that is nowhere defined, while others are.
    #[error("there is no vertex {id} in this file; add its VERTEX line or remove this one")]
    UnknownVertex {
        /// The id.
        id: u64,
    },
    /// An edge that says nothing.
    #[error("edge from vertex {id} to itself; remove it")]
    SelfEdge {
        /// The vertex.
        id: u64,
    },
    /// A quaternion that is no rotation, not even after normalisation.
    #[error("the quaternion 0 0 0 0 is no rotation; for none at all, write 0 0 0 1")]
    ZeroQuaternion,
    /// An information matrix that some displacement would make negative or zero.
    #[error(
        "the information matrix is not positive definite (pivot {row} of its Cholesky factorisation, counted from 0, is {pivot}); \
         check its upper triangle, row by row"
    )]
    Indefinite {
        /// The row in which the factorisation fails.
        row: usize,
        /// What should be positive there.
        pivot: f64,
    },
    /// Poses in the plane and in space.
    #[error("\"{found}\" in a graph of \"{expected}\"; a file is either in the plane (SE2) or in space (SE3:QUAT)")]
    Mixed {
        /// The tag in this line.
        found: &'static str,
        /// The tag that the file began with.
        expected: &'static str,
    },
    /// A file without vertices, and no edge that leads to a pose from the one before.
    #[error("vertex {id} has no start: there are no VERTEX lines, and no edge from {} to it; add VERTEX lines", previous(*.id))]
    NoStart {
        /// Its id.
        id: u64,
    },
    /// More vertices or edges than 32-bit indices can tell apart.
    #[error("{count} vertices are more than 32 bits can count")]
    TooMany {
        /// How many there are.
        count: usize,
    },
}

fn previous(id: u64) -> String {
    id.checked_sub(1).map_or("any other".into(), |id| format!("vertex {id}"))
}
