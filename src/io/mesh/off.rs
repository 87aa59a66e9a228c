//! OFF, the Object File Format: an optional keyword, three counts, then vertices and faces, one a line.
//!
//! Prefixes that add normals, colours or texture (`NOFF`, `COFF`, `STOFF` ...) put them after the position, so they
//! are read and passed over. No crate for it is kept up that reports lines, and the format is this short.

use super::builder::MeshBuilder;
use crate::io::read_error::Fault;
use crate::io::text::{Line, Lines, checked_index, quoted};
use crate::mesh::Mesh;

pub(super) fn parse(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut lines = Lines::new(bytes);
    let first = next_line(&mut lines, "the keyword OFF")?;
    let counts = match after_keyword(first)? {
        line if line.text.is_empty() => next_line(&mut lines, "the counts of vertices and faces")?,
        line => line,
    };
    let mut words = counts.words();
    let vertices: usize = words.number("the number of vertices")?;
    let faces: usize = words.number("the number of faces")?;

    let mut mesh = MeshBuilder::with_capacity(vertices, faces, bytes.len());
    for v in 0..vertices {
        let line = next_line(&mut lines, format_args!("vertex {v} of {vertices}"))?;
        mesh.vertices.push(line.words().point()?);
    }
    for f in 0..faces {
        let line = next_line(&mut lines, format_args!("face {f} of {faces}"))?;
        let at = line.at();
        let mut words = line.words();
        let corners: usize = words.number("the number of corners")?;
        for _ in 0..corners {
            let index: i64 = words.number("a vertex index")?;
            mesh.push_corner(checked_index(index, "vertex", vertices, at)?);
        }
        mesh.end_face(at)?;
    }
    mesh.finish()
}

fn next_line<'a>(lines: &mut Lines<'a>, expected: impl ToString) -> Result<Line<'a>, Fault> {
    let line = lines.next_content();
    line.ok_or_else(|| Fault::truncated(lines.at(), expected.to_string()))
}

/// What the first line holds after its keyword: nothing, or the counts (some files, ModelNet's among them, do not
/// even put a space between).
fn after_keyword(line: Line<'_>) -> Result<Line<'_>, Fault> {
    let unsupported = || {
        let expected = "the keyword OFF (also with ST, C or N before it) of a 3D text file";
        Err(Fault::syntax(line.at(), expected, quoted(line.text)))
    };
    let rest = match line.text.windows(3).position(|word| word == b"OFF") {
        Some(start)
            if matches!(&line.text[..start], b"" | b"ST" | b"C" | b"N" | b"CN" | b"NC" | b"STC" | b"STN" | b"STCN") =>
        {
            line.text[start + 3..].trim_ascii_start()
        }
        Some(_) => return unsupported(),
        None => line.text, // the keyword is optional
    };
    if rest.first().is_some_and(|byte| !byte.is_ascii_digit()) {
        return unsupported(); // "OFF BINARY" too
    }
    Ok(Line { number: line.number, text: rest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::FilePosition;

    const BODY: &str = "3 1 0\n0 0 0\n\n1 0 0 # x\n0 1 0\n3 0 1 2\n";

    #[test]
    fn every_kind_of_header() {
        for head in ["OFF\n", "OFF ", "OFF", "# c\nOFF # d\n\n", "COFF\n", "NOFF\r\n", ""] {
            let mesh = parse(format!("{head}{BODY}").as_bytes()).unwrap();
            assert_eq!(mesh.vertex_count(), 3, "{head:?}");
            assert_eq!(mesh.face(0), [0, 1, 2]);
        }
        for head in ["OFF BINARY\n", "4OFF\n", "nOFF\n", "ply\n"] {
            let fault = parse(format!("{head}{BODY}").as_bytes()).unwrap_err();
            assert!(matches!(fault, Fault::Syntax { .. }), "{head:?}");
        }
    }

    #[test]
    fn normals_and_colours_are_passed_over() {
        let text =
            "COFF\n4 1 0\n0 0 0 255 0 0 255\n1 0 0 1 1 1 1\n1 1 0 0 0 0 0\n0 1 0 0 0 0 0\n4 0 1 2 3 0.5 0.5 0.5\n";
        let mesh = parse(text.as_bytes()).unwrap();
        assert_eq!(mesh.face(0), [0, 1, 2, 3]);
    }

    #[test]
    fn errors_name_the_line() {
        let at = |text: &str| match parse(text.as_bytes()).unwrap_err() {
            Fault::BadIndex { at, .. } | Fault::Syntax { at, .. } | Fault::Truncated { at, .. } => at,
            other => panic!("{other:?}"),
        };
        assert_eq!(at("OFF\n1 1 0\n0 0 0\n3 0 0 1\n"), FilePosition::Line(4));
        assert_eq!(at("OFF\n1 1 0\n0 0 0\n3 0 0\n"), FilePosition::Line(4));
        assert_eq!(at("OFF\n1 1 0\n0 0 0\n2 0 0\n"), FilePosition::Line(4));
        assert_eq!(at("OFF\n2 1 0\n0 0 0\n"), FilePosition::Line(3));
        assert_eq!(at("OFF\n18446744073709551615 0 0\n"), FilePosition::Line(2));
        assert_eq!(at("OFF\nx\n"), FilePosition::Line(1 + 1));
        assert_eq!(at(""), FilePosition::Line(1));
    }
}
