//! Wavefront OBJ: positions and polygons.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::format::is_gzip_name;
use super::write_error::WriteError;
use crate::mesh::Mesh;

/// Writes a mesh as OBJ to a file, gzipped where its name ends in `.gz`.
pub fn write_obj(path: impl AsRef<Path>, mesh: &Mesh) -> Result<(), WriteError> {
    to_file(path.as_ref(), |out| write_obj_to(out, mesh))
}

/// Writes a mesh as OBJ. Every number reads back as the same number.
pub fn write_obj_to(mut out: impl Write, mesh: &Mesh) -> Result<(), WriteError> {
    check_finite(mesh)?;
    for [x, y, z] in mesh.vertices() {
        // The debug format is the shortest that reads back alike and turns to exponents where they are shorter.
        writeln!(out, "v {x:?} {y:?} {z:?}")?;
    }
    for face in mesh.faces() {
        write!(out, "f")?;
        for &vertex in face {
            write!(out, " {}", u64::from(vertex) + 1)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

pub(super) fn check_finite(mesh: &Mesh) -> Result<(), WriteError> {
    let is_finite = |point: &[f64; 3]| point.iter().all(|c| c.is_finite());
    match mesh.vertices().iter().position(|point| !is_finite(point)) {
        Some(vertex) => Err(WriteError::NonFinite { vertex }),
        None => Ok(()),
    }
}

/// Runs a writer on a file, through gzip where the name says so.
pub(super) fn to_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    let named = |source: io::Error| WriteError::Io { target: path.display().to_string(), source };
    let in_file = |error| match error {
        WriteError::Io { source, .. } => named(source),
        other => other,
    };
    let mut file = BufWriter::new(File::create(path).map_err(named)?);
    if is_gzip_name(path) {
        // Buffered once more: numbers come in few bytes, and the encoder works better on many.
        let mut packed = BufWriter::new(GzEncoder::new(&mut file, Compression::default()));
        write(&mut packed).map_err(in_file)?;
        let encoder = packed.into_inner().map_err(|e| named(e.into_error()))?;
        encoder.finish().map_err(named)?;
    } else {
        write(&mut file).map_err(in_file)?;
    }
    file.flush().map_err(named) // on drop an error would be lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::samples::quad_cube;

    #[test]
    fn the_text_is_plain() {
        let mut out = Vec::new();
        write_obj_to(&mut out, &quad_cube()).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.starts_with("v 0.0 0.0 0.0\nv 1.0 0.0 0.0\n"));
        assert!(text.ends_with("f 2 4 8 6\n"));
    }

    #[test]
    fn errors_name_vertex_and_file() {
        let broken = quad_cube().with_vertices(vec![[f64::NAN; 3]; 8]).unwrap();
        let error = write_obj_to(io::sink(), &broken).unwrap_err();
        assert!(matches!(error, WriteError::NonFinite { vertex: 0 }));
        let error = write_obj("no/such/folder/x.obj", &quad_cube()).unwrap_err();
        assert!(error.to_string().contains("no/such/folder/x.obj"));
    }
}
