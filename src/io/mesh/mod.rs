//! Mesh files: bytes in, a checked [`Mesh`] out, and back.
//!
//! | file | what |
//! | --- | --- |
//! | `format.rs` | which format a path means |
//! | `obj.rs`, `off.rs`, `ply.rs` | one reader a format |
//! | `ply_header.rs`, `ply_values.rs` | what a PLY file declares, and its ascii or binary values |
//! | `builder.rs` | the mesh as it grows while a file is read |
//! | `write_obj.rs`, `write_ply.rs` | the writers; every number is read back as the same number |

mod builder;
mod format;
mod obj;
mod off;
mod ply;
mod ply_header;
mod ply_values;
mod write_obj;
mod write_ply;

#[cfg(test)]
mod tests;

use std::path::Path;

use super::gzip::{bytes_of, unpacked};
use super::read_error::ReadError;
use crate::mesh::Mesh;

pub use format::MeshFormat;
pub use write_obj::{write_obj, write_obj_to};
pub use write_ply::{PlyEncoding, write_ply, write_ply_to};

/// Reads a mesh; the file's extension says how: `.obj`, `.ply` or `.off`, with or without a further `.gz`.
pub fn read_mesh(path: impl AsRef<Path>) -> Result<Mesh, ReadError> {
    let path = path.as_ref();
    let Some(format) = MeshFormat::of_path(path) else {
        return Err(ReadError::UnknownFormat { path: path.into() });
    };
    parse_mesh(&bytes_of(path)?, format, path)
}

/// Reads a mesh from memory, unpacking it first where it is gzipped. `name` appears in errors only.
///
/// ```
/// use isograd::io::{MeshFormat, parse_mesh};
///
/// let mesh = parse_mesh(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", MeshFormat::Obj, "triangle.obj")?;
/// assert_eq!(mesh.face(0), [0, 1, 2]);
/// # Ok::<(), isograd::io::ReadError>(())
/// ```
pub fn parse_mesh(bytes: &[u8], format: MeshFormat, name: impl AsRef<Path>) -> Result<Mesh, ReadError> {
    let name = name.as_ref();
    let bytes = unpacked(bytes, name)?;
    let mesh = match format {
        MeshFormat::Obj => obj::parse(&bytes),
        MeshFormat::Ply => ply::parse(&bytes),
        MeshFormat::Off => off::parse(&bytes),
    };
    mesh.map_err(|fault| fault.in_file(name))
}
