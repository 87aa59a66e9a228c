//! Mesh files: bytes in, a checked [`Mesh`] out, and back.
//!
//! In: a path ([`read_mesh`]) or bytes in memory ([`parse_mesh`]; a browser has no paths). `.obj`, `.ply` and `.off`,
//! each also gzipped. Out: a mesh with its polygons as they are in the file and full double precision, or a
//! [`ReadError`] that says where in the file the trouble is and what to do. No input makes a reader panic.
//!
//! | file | what |
//! | --- | --- |
//! | `format.rs` | which format a path means, and unpacking gzip |
//! | `text.rs` | lines and numbers of the text formats |
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
mod read_error;
mod text;
mod write_error;
mod write_obj;
mod write_ply;

#[cfg(test)]
mod tests;

use std::path::Path;

use crate::mesh::Mesh;

pub use format::MeshFormat;
pub use read_error::{FilePosition, ReadError};
pub use write_error::WriteError;
pub use write_obj::{write_obj, write_obj_to};
pub use write_ply::{PlyEncoding, write_ply, write_ply_to};

/// Reads a mesh; the file's extension says how: `.obj`, `.ply` or `.off`, with or without a further `.gz`.
pub fn read_mesh(path: impl AsRef<Path>) -> Result<Mesh, ReadError> {
    let path = path.as_ref();
    let Some(format) = MeshFormat::of_path(path) else {
        return Err(ReadError::UnknownFormat { path: path.into() });
    };
    let bytes = std::fs::read(path).map_err(|source| ReadError::Io { path: path.into(), source })?;
    parse_mesh(&bytes, format, path)
}

/// Reads a mesh from memory, unpacking it first where it is gzipped. `name` appears in errors only.
pub fn parse_mesh(bytes: &[u8], format: MeshFormat, name: impl AsRef<Path>) -> Result<Mesh, ReadError> {
    let name = name.as_ref();
    let bytes = format::unpacked(bytes, name)?;
    let mesh = match format {
        MeshFormat::Obj => obj::parse(&bytes),
        MeshFormat::Ply => ply::parse(&bytes),
        MeshFormat::Off => off::parse(&bytes),
    };
    mesh.map_err(|fault| fault.in_file(name))
}
