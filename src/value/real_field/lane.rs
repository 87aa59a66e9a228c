//! `Value` as a SIMD value of one lane.

use crate::value::Value;
use nalgebra::{Field, SimdValue};
use simba::simd::PrimitiveSimdValue;

/// One lane: nalgebra's geometry is written over SIMD values, of which a scalar is the trivial case.
#[expect(unsafe_code, reason = "the trait declares two methods unsafe; nothing in them is")]
impl SimdValue for Value {
    const LANES: usize = 1;
    type Element = Value;
    type SimdBool = bool;

    fn splat(value: Value) -> Self {
        value
    }

    fn extract(&self, _: usize) -> Value {
        *self
    }

    unsafe fn extract_unchecked(&self, _: usize) -> Value {
        *self
    }

    fn replace(&mut self, _: usize, value: Value) {
        *self = value;
    }

    unsafe fn replace_unchecked(&mut self, _: usize, value: Value) {
        *self = value;
    }

    fn select(self, condition: bool, other: Value) -> Value {
        if condition { self } else { other }
    }
}

impl PrimitiveSimdValue for Value {}

impl Field for Value {}
