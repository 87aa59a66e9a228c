//! The mesh as it grows while a file is read.

use crate::io::read_error::{Fault, FilePosition};
use crate::mesh::{Mesh, MeshError};

/// Vertices and faces read so far.
#[derive(Default)]
pub(super) struct MeshBuilder {
    pub(super) vertices: Vec<[f64; 3]>,
    offsets: Vec<u32>,
    corners: Vec<u32>,
}

impl MeshBuilder {
    /// `vertices` and `faces` may be what a file claims; no more is reserved than `bytes` of file can hold.
    pub(super) fn with_capacity(vertices: usize, faces: usize, bytes: usize) -> MeshBuilder {
        // The shortest vertex is "0 0 0\n", the shortest face one byte of count and three of indices.
        MeshBuilder {
            vertices: Vec::with_capacity(vertices.min(bytes / 6)),
            offsets: Vec::with_capacity(faces.min(bytes / 4) + 1),
            corners: Vec::with_capacity(faces.min(bytes / 4).saturating_mul(3)),
        }
    }

    pub(super) fn push_corner(&mut self, vertex: u32) {
        self.corners.push(vertex);
    }

    /// Makes a face of the corners pushed since the last one.
    pub(super) fn end_face(&mut self, at: FilePosition) -> Result<(), Fault> {
        let start = self.offsets.last().map_or(0, |&start| start as usize);
        let corners = self.corners.len() - start;
        if corners < 3 {
            let found = format!("a face of {corners}");
            return Err(Fault::syntax(at, "at least three corners", found));
        }
        let end = u32::try_from(self.corners.len())
            .map_err(|_| MeshError::TooMany { what: "corners", count: self.corners.len() })?;
        self.offsets.push(end);
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Mesh, Fault> {
        self.offsets.insert(0, 0);
        Ok(Mesh::new(self.vertices, self.offsets, self.corners)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: FilePosition = FilePosition::Line(1);

    #[test]
    fn faces_need_three_corners() {
        let mut builder = MeshBuilder::with_capacity(usize::MAX, usize::MAX, 12);
        builder.vertices = vec![[0.0; 3]; 3];
        (0..3).for_each(|v| builder.push_corner(v));
        builder.end_face(AT).unwrap();
        builder.push_corner(0);
        assert!(builder.end_face(AT).is_err());
    }
}
