//! The values of a PLY file, ascii or binary behind one interface: rows, and numbers within a row.

use super::ply_header::{Encoding, NumberType, PropertyType};
use crate::formula::Decimal;
use crate::io::read_error::{Fault, FilePosition};
use crate::io::text::{Lines, Words};

/// Reads numbers in the order in which the header declares them.
pub(super) enum Values<'a> {
    /// One row a line.
    Ascii { lines: Lines<'a>, row: Words<'a> },
    /// Numbers packed without gaps.
    Binary { bytes: &'a [u8], offset: usize, big_endian: bool },
}

impl<'a> Values<'a> {
    /// What follows the header that `lines` has just read.
    pub(super) fn new(bytes: &'a [u8], lines: Lines<'a>, encoding: Encoding) -> Values<'a> {
        match encoding {
            Encoding::Ascii => Values::Ascii { row: lines.no_words(), lines },
            Encoding::LittleEndian | Encoding::BigEndian => {
                Values::Binary { bytes, offset: lines.offset(), big_endian: encoding == Encoding::BigEndian }
            }
        }
    }

    pub(super) fn at(&self) -> FilePosition {
        match self {
            Values::Ascii { row, .. } => row.at(),
            Values::Binary { offset, .. } => FilePosition::Byte(*offset),
        }
    }

    /// Goes to the next row; `expected` names it in the error.
    pub(super) fn begin_row(&mut self, expected: impl ToString) -> Result<(), Fault> {
        match self {
            Values::Ascii { lines, row } => match lines.next_content() {
                Some(line) => *row = line.words(),
                None => return Err(Fault::truncated(lines.at(), expected.to_string())),
            },
            Values::Binary { bytes, offset, .. } if *offset == bytes.len() => {
                let end = FilePosition::Byte(*offset);
                return Err(Fault::truncated(end, expected.to_string()));
            }
            Values::Binary { .. } => {}
        }
        Ok(())
    }

    pub(super) fn float(&mut self, kind: NumberType) -> Result<f64, Fault> {
        // Ascii digits are read in full, also where the header says `float`.
        if let Values::Ascii { row, .. } = self {
            return row.number("a number").map(|Decimal(number)| number);
        }
        Ok(match kind {
            NumberType::F32 => f32::from_bits(self.bits()?).into(),
            NumberType::F64 => f64::from_bits(self.wide_bits()?),
            _ => self.integer(kind)? as f64,
        })
    }

    /// An integer; of a float type, nothing but its bits.
    pub(super) fn integer(&mut self, kind: NumberType) -> Result<i64, Fault> {
        if let Values::Ascii { row, .. } = self {
            return row.number("an integer");
        }
        Ok(match kind {
            NumberType::I8 => i8::from_ne_bytes(self.take()?).into(),
            NumberType::U8 => u8::from_ne_bytes(self.take()?).into(),
            NumberType::I16 => i16::from_ne_bytes(self.take()?).into(),
            NumberType::U16 => u16::from_ne_bytes(self.take()?).into(),
            NumberType::I32 => i32::from_ne_bytes(self.take()?).into(),
            NumberType::U32 | NumberType::F32 => self.bits()?.into(),
            NumberType::F64 => self.wide_bits()? as i64,
        })
    }

    /// The length of a list.
    pub(super) fn list_length(&mut self, kind: NumberType) -> Result<usize, Fault> {
        let at = self.at();
        let length = self.integer(kind)?;
        usize::try_from(length).map_err(|_| Fault::syntax(at, "the length of a list", length.to_string()))
    }

    /// Passes over a property that a mesh has no use for.
    pub(super) fn skip(&mut self, kind: PropertyType) -> Result<(), Fault> {
        let (length, item) = match kind {
            PropertyType::Scalar(item) => (1, item),
            PropertyType::List { count, item } => (self.list_length(count)?, item),
        };
        for _ in 0..length {
            self.float(item)?; // ends at the end of the file, whatever length is claimed
        }
        Ok(())
    }

    fn bits(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_ne_bytes(self.take()?))
    }

    fn wide_bits(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_ne_bytes(self.take()?))
    }

    /// The next `N` bytes in the order of this machine.
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let missing = |at| Fault::truncated(FilePosition::Byte(at), "the rest of a row");
        let Values::Binary { bytes, offset, big_endian } = self else {
            return Err(missing(0)); // every caller has dealt with ascii
        };
        let rest = &bytes[*offset..];
        let mut taken: [u8; N] = *rest.first_chunk().ok_or_else(|| missing(bytes.len()))?;
        *offset += N;
        if *big_endian != cfg!(target_endian = "big") {
            taken.reverse();
        }
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders() {
        let mut bytes = 1.5f64.to_be_bytes().to_vec();
        bytes.extend((-2i16).to_be_bytes());
        let mut big = Values::new(&bytes, Lines::new(&bytes), Encoding::BigEndian);
        assert_eq!(big.float(NumberType::F64).unwrap(), 1.5);
        assert_eq!(big.integer(NumberType::I16).unwrap(), -2);
        assert!(big.integer(NumberType::U8).is_err());

        let bytes = 0.1f32.to_le_bytes();
        let mut little = Values::new(&bytes, Lines::new(&bytes), Encoding::LittleEndian);
        assert_eq!(little.float(NumberType::F32).unwrap(), f64::from(0.1f32));
    }

    #[test]
    fn a_list_that_claims_too_much_ends_with_the_file() {
        let bytes = [0xff; 10];
        let mut values = Values::new(&bytes, Lines::new(&bytes), Encoding::LittleEndian);
        let list = PropertyType::List { count: NumberType::U32, item: NumberType::F64 };
        assert!(matches!(values.skip(list), Err(Fault::Truncated { .. })));
    }

    #[test]
    fn ascii_rows_are_lines() {
        let text = b"1 0.1\n\n3";
        let mut values = Values::new(text, Lines::new(text), Encoding::Ascii);
        values.begin_row("a").unwrap();
        assert_eq!(values.integer(NumberType::U8).unwrap(), 1);
        assert_eq!(values.float(NumberType::F32).unwrap(), 0.1);
        assert!(values.integer(NumberType::U8).is_err()); // not from the next line
        values.begin_row("b").unwrap();
        assert_eq!(values.at(), FilePosition::Line(3));
        assert!(values.begin_row("c").is_err());
    }
}
