//! Conversion from and to plain numbers: `nalgebra::convert`, `Vector3::cast`.

use crate::value::Value;
use simba::scalar::SubsetOf;

impl SubsetOf<Value> for Value {
    fn to_superset(&self) -> Value {
        *self
    }

    fn from_superset_unchecked(element: &Value) -> Value {
        *element
    }

    fn is_in_subset(_: &Value) -> bool {
        true
    }
}

macro_rules! primitive_subset_of_value {
    ($($primitive:ty)*) => {
        $(
            /// The way back takes the number and leaves the derivative, as [`Value::primal`] does. It succeeds for every value,
            /// because nalgebra unwraps it (the matrix exponential counts its squarings so).
            impl SubsetOf<Value> for $primitive {
                fn to_superset(&self) -> Value {
                    Value::constant(*self as f64)
                }

                fn from_superset_unchecked(element: &Value) -> $primitive {
                    element.primal() as $primitive
                }

                fn is_in_subset(_: &Value) -> bool {
                    true
                }
            }
        )*
    };
}

primitive_subset_of_value! { f32 f64 i8 i16 i32 i64 isize u8 u16 u32 u64 usize }
