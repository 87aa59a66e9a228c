//! What can go wrong while making a picture.

use std::path::PathBuf;

/// Why a picture could not be made.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The asked size is zero or beyond [`MAX_SIDE`](super::MAX_SIDE) pixels.
    #[error("a picture of {width} x {height} pixels cannot be made")]
    Size {
        /// Asked width in pixels.
        width: usize,
        /// Asked height in pixels.
        height: usize,
    },
    /// There is no finite point to aim the camera at.
    #[error("the camera has no finite point to frame")]
    NothingToFrame,
    /// The view direction is not usable (non-finite angle, zero up vector, field of view outside 1 to 150 degrees).
    #[error("the view is not usable: {0}")]
    View(&'static str),
    /// A triangle names a vertex that does not exist.
    #[error("triangle {triangle} names vertex {vertex}, but there are {vertices} vertices")]
    VertexOutOfRange {
        /// Index of the triangle.
        triangle: usize,
        /// The vertex that it names.
        vertex: u32,
        /// Number of vertices.
        vertices: usize,
    },
    /// The number of colours is not the number of vertices (or faces).
    #[error("{found} colours were given for {expected} {what}")]
    ColorCount {
        /// `"vertices"` or `"triangles"`.
        what: &'static str,
        /// How many colours are needed.
        expected: usize,
        /// How many were given.
        found: usize,
    },
    /// A grid of pictures needs at least one panel, and panels of one size.
    #[error("panel {panel} is {found:?} pixels, the first one is {expected:?}")]
    PanelSize {
        /// Index of the panel.
        panel: usize,
        /// Size of the first panel.
        expected: (usize, usize),
        /// Size of this panel.
        found: (usize, usize),
    },
    /// A grid without panels.
    #[error("there is no panel to compose")]
    NoPanel,
    /// The plotting crate refused.
    #[error("plot: {0}")]
    Plot(String),
    /// The PNG encoder refused.
    #[error("PNG: {0}")]
    Encode(#[from] png::EncodingError),
    /// The file could not be written.
    #[error("writing {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
