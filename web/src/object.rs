//! Properties of JavaScript's objects, read with errors that name them.

use super::failure::Failure;
use js_sys::{Array, Float64Array, Reflect, Uint32Array};
use wasm_bindgen::{JsCast, JsValue};

/// An object, and what errors call it.
#[derive(Clone, Copy)]
pub struct Properties<'a> {
    value: &'a JsValue,
    name: &'a str,
}

impl<'a> Properties<'a> {
    /// Refuses what has no properties.
    pub fn of(value: &'a JsValue, name: &'a str) -> Result<Self, Failure> {
        if value.is_object() {
            return Ok(Properties { value, name });
        }
        Err(Failure::argument(format!("{name} is no object")))
    }

    /// The property; `None` where it is missing, `undefined` or `null`.
    pub fn get(self, key: &str) -> Result<Option<JsValue>, Failure> {
        let value = Reflect::get(self.value, &key.into()).map_err(Failure::Theirs)?;
        Ok(Some(value).filter(|value| !value.is_undefined() && !value.is_null()))
    }

    /// The property, which has to be there.
    pub fn need(self, key: &str) -> Result<JsValue, Failure> {
        self.get(key)?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    /// A number.
    pub fn number(self, key: &str) -> Result<Option<f64>, Failure> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        value.as_f64().map(Some).ok_or_else(|| self.wrong(key, "is no number"))
    }

    /// A whole number from 0 on.
    pub fn count(self, key: &str) -> Result<Option<usize>, Failure> {
        let Some(number) = self.number(key)? else { return Ok(None) };
        if number < 0.0 || number.fract() != 0.0 {
            return Err(self.wrong(key, &format!("is {number}, no whole number from 0 on")));
        }
        // One that is too large, infinity included, becomes the largest there is.
        Ok(Some(number as usize))
    }

    /// A text.
    pub fn text(self, key: &str) -> Result<Option<String>, Failure> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        value.as_string().map(Some).ok_or_else(|| self.wrong(key, "is no string"))
    }

    /// One of a few texts.
    pub fn choice<T: Copy>(self, key: &str, choices: &[(&str, T)]) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(key)? else { return Ok(None) };
        match choices.iter().find(|(name, _)| *name == text) {
            Some(&(_, choice)) => Ok(Some(choice)),
            None => {
                let names: Vec<_> = choices.iter().map(|(name, _)| format!("{name:?}")).collect();
                Err(self.wrong(key, &format!("is {text:?}; it can be {}", names.join(", "))))
            }
        }
    }

    /// An object or function of a certain class.
    pub fn instance<T: JsCast>(self, key: &str, class: &str) -> Result<Option<T>, Failure> {
        let Some(value) = self.get(key)? else { return Ok(None) };
        value.dyn_into().map(Some).map_err(|_| self.wrong(key, &format!("is no {class}")))
    }

    /// An array's elements; a text alone is an array of one.
    pub fn texts(self, key: &str) -> Result<Vec<String>, Failure> {
        let value = self.need(key)?;
        if let Some(text) = value.as_string() {
            return Ok(vec![text]);
        }
        let wrong = || self.wrong(key, "is neither a string nor an array of strings");
        let array: Array = value.dyn_into().map_err(|_| wrong())?;
        array.iter().map(|element| element.as_string().ok_or_else(wrong)).collect()
    }

    /// An array.
    pub fn array(self, key: &str) -> Result<Array, Failure> {
        self.instance(key, "array")?.ok_or_else(|| self.wrong(key, "is missing"))
    }

    /// Copies a `Uint32Array`.
    pub fn indices(self, key: &str) -> Result<Vec<u32>, Failure> {
        let array: Option<Uint32Array> = self.instance(key, "Uint32Array")?;
        Ok(array.ok_or_else(|| self.wrong(key, "is missing"))?.to_vec())
    }

    /// Copies a `Float64Array`.
    pub fn numbers(self, key: &str) -> Result<Vec<f64>, Failure> {
        let array: Option<Float64Array> = self.instance(key, "Float64Array")?;
        Ok(array.ok_or_else(|| self.wrong(key, "is missing"))?.to_vec())
    }

    fn wrong(self, key: &str, what: &str) -> Failure {
        Failure::argument(format!("{}.{key} {what}", self.name))
    }
}

/// Sets a property of a fresh object, which takes any.
pub fn set(object: &JsValue, key: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &key.into(), &value.into());
}

/// The numbers as a typed array without a copy. It lies in the module's memory: it is valid until the numbers move or that memory grows.
pub fn view(numbers: &[f64]) -> Float64Array {
    let memory: js_sys::WebAssembly::Memory = wasm_bindgen::memory().unchecked_into();
    Float64Array::new_with_byte_offset_and_length(&memory.buffer(), numbers.as_ptr() as u32, numbers.len() as u32)
}
