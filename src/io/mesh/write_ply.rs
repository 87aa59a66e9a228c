//! Stanford PLY: positions in double precision, polygons, and a colour for each vertex where wanted.

use std::io::Write;
use std::path::Path;

use super::write_obj::check_finite;
use crate::io::gzip::to_file;
use crate::io::write_error::WriteError;
use crate::mesh::Mesh;

/// How to write the values of a PLY file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlyEncoding {
    /// Text, one row a line.
    Ascii,
    /// Small and quick; what most programs expect.
    #[default]
    BinaryLittleEndian,
}

/// Writes a mesh as PLY to a file, gzipped where its name ends in `.gz`. `colours` are red, green and blue of each
/// vertex.
pub fn write_ply(
    path: impl AsRef<Path>,
    mesh: &Mesh,
    colours: Option<&[[u8; 3]]>,
    encoding: PlyEncoding,
) -> Result<(), WriteError> {
    to_file(path.as_ref(), |out| write_ply_to(out, mesh, colours, encoding))
}

/// Writes a mesh as PLY. Every number reads back as the same number.
pub fn write_ply_to(
    mut out: impl Write,
    mesh: &Mesh,
    colours: Option<&[[u8; 3]]>,
    encoding: PlyEncoding,
) -> Result<(), WriteError> {
    check_finite(mesh)?;
    if let Some(colours) = colours
        && colours.len() != mesh.vertex_count()
    {
        return Err(WriteError::ColourCount { colours: colours.len(), vertices: mesh.vertex_count() });
    }
    // One byte holds the corner count of any usual face.
    let is_wide = mesh.faces().any(|face| face.len() > usize::from(u8::MAX));
    write_header(&mut out, mesh, colours.is_some(), is_wide, encoding)?;
    match encoding {
        PlyEncoding::Ascii => write_text(&mut out, mesh, colours),
        PlyEncoding::BinaryLittleEndian => write_binary(&mut out, mesh, colours, is_wide),
    }
}

fn write_header(
    out: &mut impl Write,
    mesh: &Mesh,
    has_colours: bool,
    is_wide: bool,
    encoding: PlyEncoding,
) -> Result<(), WriteError> {
    let format = match encoding {
        PlyEncoding::Ascii => "ascii",
        PlyEncoding::BinaryLittleEndian => "binary_little_endian",
    };
    writeln!(out, "ply\nformat {format} 1.0")?;
    writeln!(out, "element vertex {}", mesh.vertex_count())?;
    for axis in ["x", "y", "z"] {
        writeln!(out, "property double {axis}")?;
    }
    if has_colours {
        for channel in ["red", "green", "blue"] {
            writeln!(out, "property uchar {channel}")?;
        }
    }
    writeln!(out, "element face {}", mesh.face_count())?;
    let count = if is_wide { "uint" } else { "uchar" };
    // Many programs read indices as `int` only, so `uint` just where it is needed; the bytes are the same.
    let is_huge = i32::try_from(mesh.vertex_count()).is_err();
    let index = if is_huge { "uint" } else { "int" };
    writeln!(out, "property list {count} {index} vertex_indices\nend_header")?;
    Ok(())
}

fn write_text(out: &mut impl Write, mesh: &Mesh, colours: Option<&[[u8; 3]]>) -> Result<(), WriteError> {
    for (v, [x, y, z]) in mesh.vertices().iter().enumerate() {
        write!(out, "{x:?} {y:?} {z:?}")?;
        if let Some([red, green, blue]) = colours.map(|colours| colours[v]) {
            write!(out, " {red} {green} {blue}")?;
        }
        writeln!(out)?;
    }
    for face in mesh.faces() {
        write!(out, "{}", face.len())?;
        for vertex in face {
            write!(out, " {vertex}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_binary(
    out: &mut impl Write,
    mesh: &Mesh,
    colours: Option<&[[u8; 3]]>,
    is_wide: bool,
) -> Result<(), WriteError> {
    for (v, point) in mesh.vertices().iter().enumerate() {
        for coordinate in point {
            out.write_all(&coordinate.to_le_bytes())?;
        }
        if let Some(colours) = colours {
            out.write_all(&colours[v])?;
        }
    }
    for face in mesh.faces() {
        let count = (face.len() as u32).to_le_bytes();
        out.write_all(if is_wide { &count } else { &count[..1] })?;
        for vertex in face {
            out.write_all(&vertex.to_le_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::{MeshFormat, parse_mesh};
    use crate::mesh::samples::quad_cube;

    #[test]
    fn colours_are_written_and_counted() {
        let mut out = Vec::new();
        let colours = [[255, 128, 0]; 8];
        write_ply_to(&mut out, &quad_cube(), Some(&colours), PlyEncoding::Ascii).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("property uchar blue\n"));
        assert!(text.contains("\n0.0 0.0 0.0 255 128 0\n"));
        let error = write_ply_to(Vec::new(), &quad_cube(), Some(&colours[1..]), PlyEncoding::Ascii);
        assert!(matches!(error, Err(WriteError::ColourCount { colours: 7, .. })));
    }

    #[test]
    fn a_polygon_of_many_corners() {
        let ring: Vec<u32> = (0..300).collect();
        let mesh = Mesh::from_faces(vec![[0.5; 3]; 300], &[ring]).unwrap();
        for encoding in [PlyEncoding::Ascii, PlyEncoding::BinaryLittleEndian] {
            let mut out = Vec::new();
            write_ply_to(&mut out, &mesh, None, encoding).unwrap();
            assert_eq!(parse_mesh(&out, MeshFormat::Ply, "x").unwrap(), mesh);
        }
    }
}
