//! Lines and numbers of the text formats.
//!
//! Bytes, not `str`: comments and object names in old files are in any encoding, and only numbers matter here.

use std::fmt;
use std::str::FromStr;

use super::read_error::{Fault, FilePosition};
use crate::formula::Decimal;

/// The lines of a text, numbered from 1. A line ends with `\n`, `\r\n` or, in very old files, a lone `\r`.
#[derive(Clone)]
pub(super) struct Lines<'a> {
    bytes: &'a [u8],
    /// First byte that is not read yet.
    offset: usize,
    /// Number of the line read last.
    number: usize,
}

/// A line and its number.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) number: usize,
    pub(super) text: &'a [u8],
}

impl<'a> Lines<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Lines<'a> {
        let byte_order_mark = b"\xef\xbb\xbf";
        let offset = if bytes.starts_with(byte_order_mark) { 3 } else { 0 };
        Lines { bytes, offset, number: 0 }
    }

    /// First byte after the line read last.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// Where the line read last is.
    pub(super) fn at(&self) -> FilePosition {
        // An empty file ends in its first line.
        FilePosition::Line(self.number.max(1))
    }

    /// No words, where the line read last is.
    pub(super) fn no_words(&self) -> Words<'a> {
        Words { rest: &[], at: self.at() }
    }

    /// The next line that holds anything but white space, what follows `#` cut off.
    pub(super) fn next_content(&mut self) -> Option<Line<'a>> {
        self.by_ref().map(Line::without_comment).find(|line| !line.text.is_empty())
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = &self.bytes[self.offset..];
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r');
        let length = end.unwrap_or(rest.len());
        let terminator = match &rest[length..] {
            [] => 0,
            [b'\r', b'\n', ..] => 2,
            _ => 1,
        };
        self.offset += length + terminator;
        self.number += 1;
        Some(Line { number: self.number, text: &rest[..length] })
    }
}

impl<'a> Line<'a> {
    pub(super) fn at(self) -> FilePosition {
        FilePosition::Line(self.number)
    }

    pub(super) fn without_comment(self) -> Line<'a> {
        let end = self.text.iter().position(|&byte| byte == b'#');
        let text = &self.text[..end.unwrap_or(self.text.len())];
        Line { number: self.number, text: text.trim_ascii() }
    }

    pub(super) fn words(self) -> Words<'a> {
        Words { rest: self.text, at: self.at() }
    }
}

/// The words of a line, between white space.
#[derive(Clone)]
pub(super) struct Words<'a> {
    rest: &'a [u8],
    at: FilePosition,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        let end = rest.iter().position(u8::is_ascii_whitespace);
        let (word, rest) = rest.split_at(end.unwrap_or(rest.len()));
        self.rest = rest;
        (!word.is_empty()).then_some(word)
    }
}

impl<'a> Words<'a> {
    pub(super) fn at(&self) -> FilePosition {
        self.at
    }

    /// The next word, read as a number.
    pub(super) fn number<T: FromStr>(&mut self, expected: &str) -> Result<T, Fault> {
        match self.next() {
            Some(word) => parse_number(word, self.at, expected),
            None => Err(Fault::syntax(self.at, expected, "the end of the line")),
        }
    }

    /// The next word, read as a finite number.
    pub(super) fn finite(&mut self, expected: &str) -> Result<f64, Fault> {
        let Decimal(number) = self.number(expected)?;
        finite(number, self.at)
    }

    /// The next words, each read as a finite number.
    pub(super) fn finite_numbers<const N: usize>(&mut self, expected: &str) -> Result<[f64; N], Fault> {
        let mut numbers = [0.0; N];
        for number in &mut numbers {
            *number = self.finite(expected)?;
        }
        Ok(numbers)
    }

    /// Nothing may follow.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        match self.next() {
            Some(word) => Err(Fault::syntax(self.at, "the end of the line", quoted(word))),
            None => Ok(()),
        }
    }

    /// The next three words, read as finite coordinates.
    pub(super) fn point(&mut self) -> Result<[f64; 3], Fault> {
        let mut point = [0.0; 3];
        for (coordinate, axis) in point.iter_mut().zip(["x", "y", "z"]) {
            let Some(word) = self.next() else {
                let expected = format!("the {axis} coordinate of a vertex");
                return Err(Fault::syntax(self.at, expected, "the end of the line"));
            };
            let Decimal(number) = parse_number(word, self.at, "a coordinate")?;
            *coordinate = finite(number, self.at)?;
        }
        Ok(point)
    }
}

/// The words of a whole text, for formats in which the ends of lines mean nothing.
pub(super) struct Stream<'a> {
    lines: Lines<'a>,
    words: Words<'a>,
}

impl<'a> Stream<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Stream<'a> {
        let lines = Lines::new(bytes);
        Stream { words: lines.no_words(), lines }
    }

    /// Where the word read last is, or the end of the text.
    pub(super) fn at(&self) -> FilePosition {
        self.lines.at()
    }

    fn word(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(word) = self.words.next() {
                return Some(word);
            }
            self.words = self.lines.next()?.words();
        }
    }

    /// The next word, read as a number. What is expected is put into words only where it is missing.
    pub(super) fn number<T: FromStr>(&mut self, expected: impl fmt::Display) -> Result<T, Fault> {
        match self.word() {
            Some(word) => match parsed(word) {
                Some(number) => Ok(number),
                None => Err(Fault::syntax(self.at(), expected.to_string(), quoted(word))),
            },
            None => Err(Fault::truncated(self.at(), expected.to_string())),
        }
    }

    /// The next word, read as a finite number.
    pub(super) fn finite(&mut self, expected: impl fmt::Display) -> Result<f64, Fault> {
        let Decimal(number) = self.number(expected)?;
        finite(number, self.at())
    }

    /// Nothing may follow.
    pub(super) fn end(mut self) -> Result<(), Fault> {
        match self.word() {
            Some(word) => Err(Fault::syntax(self.at(), "the end of the file", quoted(word))),
            None => Ok(()),
        }
    }
}

/// The number a word spells.
pub(super) fn parse_number<T: FromStr>(word: &[u8], at: FilePosition, expected: &str) -> Result<T, Fault> {
    parsed(word).ok_or_else(|| Fault::syntax(at, expected, quoted(word)))
}

fn parsed<T: FromStr>(word: &[u8]) -> Option<T> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// A number must be finite: one NaN would spread over the whole optimisation.
pub(super) fn finite(number: f64, at: FilePosition) -> Result<f64, Fault> {
    if number.is_finite() {
        return Ok(number);
    }
    Err(Fault::NonFinite { at, found: number.to_string() })
}

/// An index that counts from 0, checked against how many there are.
pub(super) fn checked_index(index: i64, what: &'static str, count: usize, at: FilePosition) -> Result<u32, Fault> {
    match u32::try_from(index) {
        Ok(small) if (small as usize) < count => Ok(small),
        _ => Err(Fault::BadIndex { at, what, index, count, first: 0 }),
    }
}

/// A word as errors show it: printable, and cut where it is long.
pub(super) fn quoted(word: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = &word[..word.len().min(SHOWN)];
    let dots = if word.len() > SHOWN { "..." } else { "" };
    format!("\"{}{dots}\"", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_line_end() {
        let lines: Vec<_> = Lines::new(b"\xef\xbb\xbfa\nb\r\nc\rd\n\ne").map(|line| (line.number, line.text)).collect();
        let expected: [(usize, &[u8]); 6] = [(1, b"a"), (2, b"b"), (3, b"c"), (4, b"d"), (5, b""), (6, b"e")];
        assert_eq!(lines, expected);
    }

    #[test]
    fn comments_and_blank_lines_are_no_content() {
        let mut lines = Lines::new(b"# all\n\n  \t\n 1 2 # three\n");
        let line = lines.next_content().unwrap();
        assert_eq!((line.number, line.text), (4, &b"1 2"[..]));
        assert!(lines.next_content().is_none());
    }

    #[test]
    fn points_are_finite_and_complete() {
        let point = |text: &'static [u8]| Lines::new(text).next().unwrap().words().point();
        assert_eq!(point(b" 1. .5\t-2e-3 7").unwrap(), [1.0, 0.5, -2e-3]);
        assert!(matches!(point(b"1 2"), Err(Fault::Syntax { .. })));
        assert!(matches!(point(b"1 2 1,5"), Err(Fault::Syntax { .. })));
        assert!(matches!(point(b"1 2 nan"), Err(Fault::NonFinite { .. })));
        assert!(matches!(point(b"1e999 2 3"), Err(Fault::NonFinite { .. })));
    }

    #[test]
    fn a_stream_runs_over_the_ends_of_lines() {
        let mut words = Stream::new(b"1 2\n\n 3\n4");
        let numbers: Vec<u32> = (0..3).map(|_| words.number("a number").unwrap()).collect();
        assert_eq!((numbers, words.at()), (vec![1, 2, 3], FilePosition::Line(3)));
        assert!(matches!(Stream::new(b"x").number::<u32>("a number"), Err(Fault::Syntax { .. })));
        assert!(matches!(Stream::new(b"\n\n").number::<u32>("a number"), Err(Fault::Truncated { .. })));
        assert!(matches!(Stream::new(b"1e999").finite("a number"), Err(Fault::NonFinite { .. })));
        assert_eq!(words.number::<u32>("a number").unwrap(), 4);
        assert!(words.end().is_ok());
        assert!(matches!(Stream::new(b"\n 5").end(), Err(Fault::Syntax { at: FilePosition::Line(2), .. })));
    }

    #[test]
    fn indices_are_checked() {
        let at = FilePosition::Line(1);
        assert_eq!(checked_index(2, "vertex", 3, at).unwrap(), 2);
        for index in [3, -1, i64::MAX, i64::MIN] {
            assert!(checked_index(index, "vertex", 3, at).is_err());
        }
    }

    #[test]
    fn quotes_are_short_and_printable() {
        assert_eq!(quoted(b"a\xff"), "\"a\\xff\"");
        assert_eq!(quoted(&[b'x'; 100]).len(), 40 + 3 + 2);
    }
}
