//! Wavefront OBJ: positions and polygons.

use std::io::Write;
use std::path::Path;

use crate::io::gzip::to_file;
use crate::io::write_error::WriteError;
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
        Some(vertex) => Err(WriteError::NonFinite { what: "vertex", index: vertex }),
        None => Ok(()),
    }
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
        let error = write_obj_to(std::io::sink(), &broken).unwrap_err();
        assert!(matches!(error, WriteError::NonFinite { what: "vertex", index: 0 }));
        let error = write_obj("no/such/folder/x.obj", &quad_cube()).unwrap_err();
        assert!(error.to_string().contains("no/such/folder/x.obj"));
    }
}
