//! Stanford PLY, ascii and binary of both byte orders: positions from the element `vertex`, polygons from the list
//! `vertex_indices` (or `vertex_index`) of the element `face`; all other elements and properties are passed over.
//!
//! Why not the `ply-rs-bw` crate (4.0): it rounds ascii coordinates that are declared `float` to 32 bits, refuses the
//! spellings `1.` and `.5`, gives no byte for a fault in binary data, and makes a vector for each face.

use super::builder::MeshBuilder;
use super::ply_header::{self, Element, Header, NumberType, PropertyType};
use super::ply_values::Values;
use crate::io::read_error::{Fault, FilePosition};
use crate::io::text::{Lines, checked_index, finite};
use crate::mesh::Mesh;

pub(super) fn parse(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut lines = Lines::new(bytes);
    let header = ply_header::parse(&mut lines)?;
    let end = lines.at();
    let vertices = vertex_count(&header, end)?;
    let faces = element(&header, b"face")?.map_or(0, |face| face.count);

    let mut values = Values::new(bytes, lines, header.encoding);
    let mut mesh = MeshBuilder::with_capacity(vertices, faces, bytes.len());
    for element in &header.elements {
        match element.name.as_slice() {
            b"vertex" => read_vertices(element, &mut values, &mut mesh)?,
            b"face" => read_faces(element, vertices, &mut values, &mut mesh)?,
            _ => skip_rows(element, &mut values)?,
        }
    }
    mesh.finish()
}

/// The element of that name, which may be declared once.
fn element<'a>(header: &'a Header, name: &[u8]) -> Result<Option<&'a Element>, Fault> {
    let mut found = header.elements.iter().filter(|element| element.name == name);
    let first = found.next();
    match found.next() {
        None => Ok(first),
        Some(again) => Err(Fault::syntax(again.at, "each element once", "one declared again")),
    }
}

/// How many vertices the header promises; faces may come before them.
fn vertex_count(header: &Header, end: FilePosition) -> Result<usize, Fault> {
    let strips = element(header, b"tristrips")?;
    if let (Some(strips), None) = (strips, element(header, b"face")?) {
        let expected = "an element face (convert the triangle strips to faces)";
        return Err(Fault::syntax(strips.at, expected, "tristrips"));
    }
    match element(header, b"vertex")? {
        Some(vertex) => Ok(vertex.count),
        None => Err(Fault::syntax(end, "an element vertex in the header", "end_header without one")),
    }
}

fn read_vertices(element: &Element, values: &mut Values<'_>, mesh: &mut MeshBuilder) -> Result<(), Fault> {
    let mut is_there = [false; 3];
    // For each property, the axis it is the coordinate of.
    let axes: Vec<Option<(usize, NumberType)>> = element
        .properties
        .iter()
        .map(|property| {
            let axis = [b"x", b"y", b"z"].iter().position(|&name| property.name == name)?;
            let PropertyType::Scalar(kind) = property.kind else {
                return None;
            };
            is_there[axis] = true;
            Some((axis, kind))
        })
        .collect();
    if is_there != [true; 3] {
        let expected = "an element vertex with scalar properties x, y and z";
        return Err(Fault::syntax(element.at, expected, "one without"));
    }

    for row in 0..element.count {
        values.begin_row(format_args!("vertex {row} of {}", element.count))?;
        let mut point = [0.0; 3];
        for (property, axis) in element.properties.iter().zip(&axes) {
            match *axis {
                Some((axis, kind)) => {
                    let at = values.at();
                    point[axis] = finite(values.float(kind)?, at)?;
                }
                None => values.skip(property.kind)?,
            }
        }
        mesh.vertices.push(point);
    }
    Ok(())
}

fn read_faces(
    element: &Element,
    vertices: usize,
    values: &mut Values<'_>,
    mesh: &mut MeshBuilder,
) -> Result<(), Fault> {
    let corners = element.properties.iter().position(|property| {
        matches!(property.name.as_slice(), b"vertex_indices" | b"vertex_index")
            && matches!(
                property.kind,
                PropertyType::List { item, .. } if !matches!(item, NumberType::F32 | NumberType::F64)
            )
    });
    let Some(corners) = corners else {
        let expected = "an element face with a list vertex_indices of integers";
        return Err(Fault::syntax(element.at, expected, "one without"));
    };

    for row in 0..element.count {
        values.begin_row(format_args!("face {row} of {}", element.count))?;
        let at = values.at();
        for (k, property) in element.properties.iter().enumerate() {
            match property.kind {
                PropertyType::List { count, item } if k == corners => {
                    for _ in 0..values.list_length(count)? {
                        let at = values.at();
                        let index = values.integer(item)?;
                        mesh.push_corner(checked_index(index, "vertex", vertices, at)?);
                    }
                    mesh.end_face(at)?;
                }
                kind => values.skip(kind)?,
            }
        }
    }
    Ok(())
}

fn skip_rows(element: &Element, values: &mut Values<'_>) -> Result<(), Fault> {
    if element.properties.is_empty() {
        return Ok(()); // rows of nothing, however many are claimed
    }
    for row in 0..element.count {
        values.begin_row(format_args!("row {row} of {}", element.count))?;
        for property in &element.properties {
            values.skip(property.kind)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "element vertex 4\nproperty uchar red\nproperty double x\nproperty float y\n\
        property list uchar short tags\nproperty float z\nelement empty 18446744073709551615\n\
        element edge 1\nproperty int a\n\
        element face 2\nproperty uchar flags\nproperty list uchar int vertex_index\nend_header\n";
    const ROWS: &str = "9 0 0 0 0\n9 1. 0 1 7 0\n9 0 1 2 7 7 0\n\n9 .1 0 0 1\n5\n1 3 0 1 2\n1 4 0 1 2 3\n";

    fn ascii() -> Vec<u8> {
        format!("ply\nformat ascii 1.0\ncomment x\n{HEAD}{ROWS}").into_bytes()
    }

    /// The same file in binary; `swap` turns little endian bytes into the order wanted.
    fn binary(name: &str, swap: fn(&mut [u8])) -> Vec<u8> {
        let mut file = format!("ply\nformat {name} 1.0\n{HEAD}").into_bytes();
        let mut put = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            swap(&mut bytes);
            file.extend(bytes);
        };
        let rows = [(0.0, 0.0, 0, 0.0), (1.0, 0.0, 1, 0.0), (0.0, 1.0, 2, 0.0), (0.1, 0.0, 0, 1.0)];
        for (x, y, tags, z) in rows {
            put(&[9]);
            put(&f64::to_le_bytes(x));
            put(&f32::to_le_bytes(y));
            put(&[tags]);
            (0..tags).for_each(|_| put(&7i16.to_le_bytes()));
            put(&f32::to_le_bytes(z));
        }
        put(&5i32.to_le_bytes());
        for face in [vec![0, 1, 2], vec![0, 1, 2, 3]] {
            put(&[1]);
            put(&[face.len() as u8]);
            face.iter().for_each(|v: &i32| put(&v.to_le_bytes()));
        }
        file
    }

    #[test]
    fn three_encodings_of_one_mesh() {
        let files = [ascii(), binary("binary_little_endian", |_| ()), binary("binary_big_endian", <[u8]>::reverse)];
        for file in files {
            let mesh = parse(&file).unwrap();
            assert_eq!(mesh.vertices()[3], [0.1, 0.0, 1.0]);
            let faces: Vec<_> = mesh.faces().collect();
            assert_eq!(faces, [&[0, 1, 2][..], &[0, 1, 2, 3]]);
        }
    }

    #[test]
    fn every_truncation_is_an_error() {
        for file in [ascii(), binary("binary_little_endian", |_| ())] {
            for end in 0..file.len() - 1 {
                assert!(parse(&file[..end]).is_err(), "{end}");
            }
        }
    }

    #[test]
    fn faults_say_where() {
        let text = String::from_utf8(ascii()).unwrap();
        let fault = parse(text.replace("1 3 0 1 2", "1 3 0 1 4").as_bytes()).unwrap_err();
        let line = FilePosition::Line(text.lines().count() - 1);
        assert!(matches!(fault, Fault::BadIndex { at, index: 4, .. } if at == line));
        let fault = parse(text.replace("9 1. 0", "9 inf 0").as_bytes()).unwrap_err();
        assert!(matches!(fault, Fault::NonFinite { .. }));
        let fault = parse(text.replace(" vertex_index", " other").as_bytes()).unwrap_err();
        assert!(matches!(fault, Fault::Syntax { .. }));
        let fault = parse(text.replace("float z", "float w").as_bytes()).unwrap_err();
        assert!(matches!(fault, Fault::Syntax { .. }));
        let fault = parse(text.replace("element edge", "element face").as_bytes()).unwrap_err();
        assert!(matches!(fault, Fault::Syntax { .. }));
    }

    #[test]
    fn a_point_cloud_is_a_mesh_without_faces_but_strips_are_refused() {
        let head = "ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\n";
        let mesh = parse(format!("{head}end_header\n1 2 3").as_bytes()).unwrap();
        assert_eq!((mesh.vertex_count(), mesh.face_count()), (1, 0));
        let strips = "element tristrips 1\nproperty list int int vertex_indices\nend_header\n1 2 3\n1 0\n";
        assert!(parse(format!("{head}{strips}").as_bytes()).is_err());
    }
}
