//! Number formats of a device, and how each operation is spelled in them.

use crate::value::op::Op;
use rayon::prelude::*;
use std::borrow::Cow;

/// Numbers that a thread takes at a time.
const STRETCH: usize = 1 << 14;

/// How a kernel holds a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// IEEE single precision.
    F32,
    /// IEEE double precision; needs a device with `SHADER_F64`.
    F64,
    /// An unevaluated sum of two single-precision numbers: 48 bits, the range of `f32`.
    DoubleF32,
}

/// A number that a format cannot hold, so that a program cannot be lowered to it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the constant {number:?} is outside the range of {format:?}")]
pub struct OutOfRange {
    /// The constant.
    pub number: f64,
    /// The format.
    pub format: Format,
}

impl Format {
    /// The WGSL type.
    pub const fn type_name(self) -> &'static str {
        match self {
            Format::F32 => "f32",
            Format::F64 => "f64",
            Format::DoubleF32 => "vec2<f32>",
        }
    }

    /// What the functions of the library for this format end in.
    pub const fn suffix(self) -> &'static str {
        match self {
            Format::F32 => "f32",
            Format::F64 => "f64",
            Format::DoubleF32 => "df32",
        }
    }

    /// Bytes of a number.
    pub const fn bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F64 | Format::DoubleF32 => 8,
        }
    }

    /// The largest number.
    pub const fn largest(self) -> f64 {
        match self {
            Format::F64 => f64::MAX,
            Format::F32 | Format::DoubleF32 => f32::MAX as f64,
        }
    }

    /// The nearest number of the format to `number`, as an expression.
    ///
    /// # Errors
    /// [`OutOfRange`] if it is not finite there: WGSL has no spelling for such a constant.
    pub fn literal(self, number: f64) -> Result<String, OutOfRange> {
        let out_of_range = OutOfRange { number, format: self };
        let high = number as f32;
        match self {
            Format::F64 if number.is_finite() => Ok(format!("{number:?}lf")),
            Format::F32 if high.is_finite() => Ok(format!("{high:?}f")),
            Format::DoubleF32 if high.is_finite() => {
                let low = (number - f64::from(high)) as f32;
                Ok(format!("vec2<f32>({high:?}f, {low:?}f)"))
            }
            _ => Err(out_of_range),
        }
    }

    /// An operation on names and literals, as an expression.
    ///
    /// Whole powers have no spelling of their own; whoever writes a program out writes products.
    pub fn operation(self, op: Op, args: &[&str]) -> String {
        let infix = |symbol: &str| format!("{} {symbol} {}", args[0], args[1]);
        match (self, op) {
            (Format::F32 | Format::F64, Op::Neg) => format!("-{}", args[0]),
            (Format::F32 | Format::F64, Op::Add) => infix("+"),
            (Format::F32 | Format::F64, Op::Sub) => infix("-"),
            (Format::F32 | Format::F64, Op::Mul) => infix("*"),
            (Format::F32 | Format::F64, Op::Div) => infix("/"),
            (Format::F32 | Format::F64, Op::Sqrt | Op::Abs) => format!("{}({})", op.name(), args[0]),
            _ => format!("{}_{}({})", op.name(), self.suffix(), args.join(", ")),
        }
    }

    /// The bytes of `numbers` as a buffer of this format holds them.
    pub fn encode(self, numbers: &[f64]) -> Cow<'_, [u8]> {
        if self == Format::F64 {
            return Cow::Borrowed(bytemuck::cast_slice(numbers));
        }
        let mut bytes = vec![0; numbers.len() * self.bytes()];
        self.encode_into(numbers, &mut bytes);
        Cow::Owned(bytes)
    }

    /// The same into as many bytes as that takes.
    pub fn encode_into(self, numbers: &[f64], bytes: &mut [u8]) {
        let stretches = bytes.par_chunks_mut(STRETCH * self.bytes()).zip(numbers.par_chunks(STRETCH));
        stretches.for_each(|(bytes, numbers)| match self {
            Format::F64 => bytes.copy_from_slice(bytemuck::cast_slice(numbers)),
            Format::F32 => {
                for (bytes, &x) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
                    *bytes = (x as f32).to_ne_bytes();
                }
            }
            Format::DoubleF32 => {
                for (bytes, &x) in bytes.as_chunks_mut().0.iter_mut().zip(numbers) {
                    let high = x as f32;
                    // An infinity has no remainder.
                    let low = if high.is_finite() { (x - f64::from(high)) as f32 } else { 0.0 };
                    *bytes = bytemuck::cast::<[f32; 2], [u8; 8]>([high, low]);
                }
            }
        });
    }

    /// The numbers in the bytes of a buffer.
    pub fn decode(self, bytes: &[u8]) -> Vec<f64> {
        let mut numbers = vec![0.0; bytes.len() / self.bytes()];
        let stretches = numbers.par_chunks_mut(STRETCH).zip(bytes.par_chunks(STRETCH * self.bytes()));
        stretches.for_each(|(numbers, bytes)| match self {
            Format::F64 => bytemuck::cast_slice_mut(numbers).copy_from_slice(bytes),
            Format::F32 => {
                for (x, &bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                    *x = f64::from(f32::from_ne_bytes(bytes));
                }
            }
            Format::DoubleF32 => {
                for (x, &bytes) in numbers.iter_mut().zip(bytes.as_chunks().0) {
                    let [high, low] = bytemuck::cast::<[u8; 8], [f32; 2]>(bytes);
                    *x = f64::from(high) + f64::from(low);
                }
            }
        });
        numbers
    }

    /// What is decoded of a number that was encoded.
    pub fn round(self, x: f64) -> f64 {
        let high = f64::from(x as f32);
        match self {
            Format::F64 => x,
            Format::F32 => high,
            Format::DoubleF32 if high.is_finite() => high + f64::from((x - high) as f32),
            Format::DoubleF32 => high,
        }
    }
}
