//! What a PLY file declares before its values.

use crate::io::read_error::{Fault, FilePosition};
use crate::io::text::{Line, Lines, Words, quoted};

/// How the values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Ascii,
    LittleEndian,
    BigEndian,
}

/// Number types, by width and sign; the format has two names for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumberType {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
}

/// One number, or a count and that many numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PropertyType {
    Scalar(NumberType),
    List { count: NumberType, item: NumberType },
}

#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: Vec<u8>,
    pub(super) kind: PropertyType,
}

/// A table: `count` rows of the same properties.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) name: Vec<u8>,
    pub(super) count: usize,
    pub(super) properties: Vec<Property>,
    /// Where it is declared.
    pub(super) at: FilePosition,
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) encoding: Encoding,
    pub(super) elements: Vec<Element>,
}

/// Reads up to and with the line `end_header`.
pub(super) fn parse(lines: &mut Lines<'_>) -> Result<Header, Fault> {
    let magic = next_line(lines, "ply")?;
    if magic.text.trim_ascii() != b"ply" {
        let found = quoted(magic.text);
        return Err(Fault::syntax(magic.at(), "the first line \"ply\"", found));
    }
    let mut encoding = None;
    let mut elements: Vec<Element> = Vec::new();
    loop {
        let line = next_line(lines, "end_header")?;
        let mut words = line.words();
        match words.next() {
            Some(b"format") => encoding = Some(parse_encoding(&mut words)?),
            Some(b"element") => elements.push(parse_element(&mut words)?),
            Some(b"property") => match elements.last_mut() {
                Some(element) => element.properties.push(parse_property(&mut words)?),
                None => {
                    let expected = "an element before its properties";
                    return Err(Fault::syntax(line.at(), expected, quoted(line.text)));
                }
            },
            Some(b"comment" | b"obj_info") | None => {}
            Some(b"end_header") => break,
            Some(word) => {
                let expected = "format, element, property, comment or end_header";
                return Err(Fault::syntax(line.at(), expected, quoted(word)));
            }
        }
    }
    let encoding = encoding.ok_or_else(|| {
        let expected = "a line \"format ...\" in the header";
        Fault::syntax(lines.at(), expected, "end_header without one")
    })?;
    Ok(Header { encoding, elements })
}

fn next_line<'a>(lines: &mut Lines<'a>, expected: &str) -> Result<Line<'a>, Fault> {
    lines.next().ok_or_else(|| Fault::truncated(lines.at(), expected))
}

fn next_word<'a>(words: &mut Words<'a>, expected: &str) -> Result<&'a [u8], Fault> {
    let at = words.at();
    words.next().ok_or_else(|| Fault::syntax(at, expected, "the end of the line"))
}

fn parse_encoding(words: &mut Words<'_>) -> Result<Encoding, Fault> {
    let expected = "ascii, binary_little_endian or binary_big_endian";
    match next_word(words, expected)? {
        b"ascii" => Ok(Encoding::Ascii),
        b"binary_little_endian" => Ok(Encoding::LittleEndian),
        b"binary_big_endian" => Ok(Encoding::BigEndian),
        other => Err(Fault::syntax(words.at(), expected, quoted(other))),
    }
}

fn parse_element(words: &mut Words<'_>) -> Result<Element, Fault> {
    Ok(Element {
        name: next_word(words, "the name of an element")?.to_vec(),
        count: words.number("the number of rows of the element")?,
        properties: Vec::new(),
        at: words.at(),
    })
}

fn parse_property(words: &mut Words<'_>) -> Result<Property, Fault> {
    let first = next_word(words, "the type of a property")?;
    let kind = if first == b"list" {
        let (count, item) = (parse_type(words, None)?, parse_type(words, None)?);
        if matches!(count, NumberType::F32 | NumberType::F64) {
            let expected = "an integer type for the length of a list";
            return Err(Fault::syntax(words.at(), expected, "a float"));
        }
        PropertyType::List { count, item }
    } else {
        PropertyType::Scalar(parse_type(words, Some(first))?)
    };
    Ok(Property { name: next_word(words, "the name of a property")?.to_vec(), kind })
}

/// The type that `word` names, or else the next word.
fn parse_type(words: &mut Words<'_>, word: Option<&[u8]>) -> Result<NumberType, Fault> {
    let expected = "a number type such as float, double, int or uchar";
    let word = match word {
        Some(word) => word,
        None => next_word(words, expected)?,
    };
    Ok(match word {
        b"char" | b"int8" => NumberType::I8,
        b"uchar" | b"uint8" => NumberType::U8,
        b"short" | b"int16" => NumberType::I16,
        b"ushort" | b"uint16" => NumberType::U16,
        b"int" | b"int32" => NumberType::I32,
        b"uint" | b"uint32" => NumberType::U32,
        b"float" | b"float32" => NumberType::F32,
        b"double" | b"float64" => NumberType::F64,
        other => return Err(Fault::syntax(words.at(), expected, quoted(other))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_becomes_tables() {
        let text = b"ply\r\nformat binary_big_endian 1.0\r\ncomment element x\r\nelement vertex 8\r\n\
            property float x\r\nproperty list uchar int32 rest\r\nelement face 6\r\nend_header\r\nV";
        let mut lines = Lines::new(text);
        let header = parse(&mut lines).unwrap();
        assert_eq!(header.encoding, Encoding::BigEndian);
        assert_eq!(header.elements.len(), 2);
        assert_eq!(header.elements[0].count, 8);
        assert_eq!(
            header.elements[0].properties[1].kind,
            PropertyType::List { count: NumberType::U8, item: NumberType::I32 }
        );
        assert_eq!(&text[lines.offset()..], b"V");
    }

    #[test]
    fn faults_name_the_line() {
        for (text, number) in [
            ("plx\n", 1),
            ("ply\nformat utf8 1.0\n", 2),
            ("ply\nproperty float x\n", 2),
            ("ply\nformat ascii 1.0\nelement vertex -1\n", 3),
            ("ply\nelement v 1\nproperty half x\n", 3),
            ("ply\nelement v 1\nproperty list float int x\n", 3),
            ("ply\nfoo\n", 2),
            ("ply\nend_header\n", 2),
            ("ply\nformat ascii 1.0\n", 2),
        ] {
            match parse(&mut Lines::new(text.as_bytes())).unwrap_err() {
                Fault::Syntax { at, .. } | Fault::Truncated { at, .. } => {
                    assert_eq!(at, FilePosition::Line(number), "{text:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
