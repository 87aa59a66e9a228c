//! Wavefront OBJ: the `v` and `f` lines; everything else (normals, texture, groups, materials) is passed over.
//!
//! Why not the `tobj` crate (4.0): its errors carry no line, it cuts a file into models with vertices of their own,
//! renumbered and without the unused ones, and it rejects texture indices out of range, which do not matter here.

use std::borrow::Cow;

use super::builder::MeshBuilder;
use crate::io::read_error::{Fault, FilePosition};
use crate::io::text::{Line, Lines, Words, parse_number};
use crate::mesh::Mesh;

pub(super) fn parse(bytes: &[u8]) -> Result<Mesh, Fault> {
    let mut mesh = MeshBuilder::default();
    let mut furthest = Furthest::default();
    let mut lines = Lines::new(bytes);
    while let Some(first) = lines.next() {
        let text = with_continuations(first, &mut lines);
        let line = Line { number: first.number, text: &text };
        let mut words = line.without_comment().words();
        match words.next() {
            Some(b"v") => {
                // A fourth number (weight) or three more (colour) may follow.
                let point = words.point()?;
                mesh.vertices.push(point);
            }
            Some(b"f") => read_face(words, &mut mesh, &mut furthest)?,
            _ => {}
        }
    }
    furthest.check(mesh.vertices.len())?;
    mesh.finish()
}

/// The greatest index that was ahead of its vertex. The format lets faces come before their vertices, so only
/// the end of the file can tell whether it was valid.
#[derive(Default)]
struct Furthest(Option<(i64, FilePosition)>);

impl Furthest {
    fn note(&mut self, index: i64, at: FilePosition) {
        if self.0.is_none_or(|(furthest, _)| index > furthest) {
            self.0 = Some((index, at));
        }
    }

    fn check(self, vertices: usize) -> Result<(), Fault> {
        match self.0 {
            Some((index, at)) if index as u64 > vertices as u64 => Err(bad_index(index, vertices, at)),
            _ => Ok(()),
        }
    }
}

/// Corners are `v`, `v/vt`, `v//vn` or `v/vt/vn`: from 1 upward, or from -1 back from the vertex read last.
fn read_face(words: Words<'_>, mesh: &mut MeshBuilder, furthest: &mut Furthest) -> Result<(), Fault> {
    let at = words.at();
    let vertices = mesh.vertices.len();
    for word in words {
        let end = word.iter().position(|&byte| byte == b'/');
        let position = &word[..end.unwrap_or(word.len())];
        let index: i64 = parse_number(position, at, "a vertex index")?;
        let from_zero = if index > 0 { index - 1 } else { (vertices as i64).saturating_add(index) };
        let Ok(vertex) = u32::try_from(from_zero) else {
            return Err(bad_index(index, vertices, at));
        };
        if index == 0 {
            return Err(bad_index(index, vertices, at));
        }
        if vertex as usize >= vertices {
            furthest.note(index, at);
        }
        mesh.push_corner(vertex);
    }
    mesh.end_face(at)
}

fn bad_index(index: i64, vertices: usize, at: FilePosition) -> Fault {
    Fault::BadIndex { at, what: "vertex", index, count: vertices, first: 1 }
}

/// The line and, while it ends with a backslash, those after it. A comment does not continue: one that ends with a
/// Windows folder would swallow the line below.
fn with_continuations<'a>(first: Line<'a>, lines: &mut Lines<'a>) -> Cow<'a, [u8]> {
    let mut joined = Cow::Borrowed(first.text);
    let mut last = first.text;
    while last.trim_ascii_end().ends_with(b"\\") && !last.contains(&b'#') {
        let Some(next) = lines.next() else { break };
        let text = joined.to_mut();
        text.truncate(text.trim_ascii_end().len() - 1);
        text.push(b' ');
        text.extend_from_slice(next.text);
        last = next.text;
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: &str = "v 0 0 0\nv 1 0 0 1.0\nv 0 1 0 0.5 0.5 0.5\nv 0 0 1\n";

    fn faces(text: &str) -> Result<Vec<Vec<u32>>, Fault> {
        let mesh = parse(format!("{POINTS}{text}").as_bytes())?;
        Ok(mesh.faces().map(<[u32]>::to_vec).collect())
    }

    #[test]
    fn every_kind_of_corner() {
        let text = "vn 0 0 1\nf 1 2 3\nf 1/1 2/2 3/3 # here\nf 1//1 2//1 4//1\nf 1/1/1 2/1/1 3/1/1 4/1/1";
        let expected = [vec![0, 1, 2], vec![0, 1, 2], vec![0, 1, 3], vec![0, 1, 2, 3]];
        assert_eq!(faces(text).unwrap(), expected);
    }

    #[test]
    fn negative_indices_count_back_from_the_last_vertex() {
        assert_eq!(faces("f -1 -2 -4\n").unwrap(), [[3, 2, 0]]);
        let mesh = parse(b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 9 9 9\n").unwrap();
        assert_eq!(mesh.face(0), [0, 1, 2]);
    }

    #[test]
    fn lines_continue_after_a_backslash() {
        assert_eq!(faces("f 1 \\\n2 \\\r\n 3\nf 2 3 4").unwrap(), [[0, 1, 2], [1, 2, 3]]);
        assert!(faces("f 1 2 \\").is_err());
        assert_eq!(faces("# C:\\meshes\\\nf 1 2 3").unwrap(), [[0, 1, 2]]);
    }

    #[test]
    fn faces_may_come_first() {
        let mesh = parse(b"f 1 2 3\nv 0 0 0\nv 1 0 0\nv 0 1 0\n").unwrap();
        assert_eq!(mesh.face(0), [0, 1, 2]);
    }

    #[test]
    fn errors_name_the_line() {
        let line = |text: &str| match faces(text).unwrap_err().in_file("x".as_ref()) {
            crate::io::ReadError::BadIndex { at, index, .. } => (at, Some(index)),
            crate::io::ReadError::Syntax { at, .. } => (at, None),
            other => panic!("{other}"),
        };
        let at = FilePosition::Line(6);
        assert_eq!(line("\nf 1 2 5"), (at, Some(5)));
        assert_eq!(line("\nf 1 2 0"), (at, Some(0)));
        assert_eq!(line("\nf 1 2 -5"), (at, Some(-5)));
        assert_eq!(line("\nf 1 2 99999999999"), (at, Some(99999999999)));
        assert_eq!(line("\nf 1 2 -9223372036854775808").0, at);
        assert_eq!(line("\nf 1 2 x"), (at, None));
        assert_eq!(line("\nf 1 2"), (at, None));
        assert_eq!(line("\nf 1 2 /3"), (at, None));
        assert_eq!(line("\nv 1 2"), (at, None));
    }

    #[test]
    fn coordinates_keep_every_bit() {
        let mesh = parse(b"v 0.1 -1.7976931348623157e308 5e-324").unwrap();
        assert_eq!(mesh.vertices(), [[0.1, -f64::MAX, 5e-324]]);
    }

    #[test]
    fn words_in_other_encodings_do_not_matter() {
        assert!(parse(b"o K\xf6rper\nusemtl \xff\xfe\nv 1 2 3\n").is_ok());
    }
}
