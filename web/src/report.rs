//! A report as JavaScript sees it: the fields of ours under names in its style.

use super::failure::Failure;
use isograd::SolverReport;
use js_sys::{Array, Object, Reflect};
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::{JsCast, JsValue};

/// The report as an object.
pub fn report(report: &SolverReport) -> Result<JsValue, Failure> {
    let value = serde::Serialize::serialize(report, &Serializer::json_compatible());
    let value = value.map_err(|error| Failure::new("solve", error))?;
    let renamed = camel_case(&value);
    super::object::set(&renamed, "text", report.to_string());
    Ok(renamed)
}

/// The value with all keys in camelCase and `_s` at the end of one written out, in whatever it is made of.
fn camel_case(value: &JsValue) -> JsValue {
    if let Some(array) = value.dyn_ref::<Array>() {
        return array.iter().map(|element| camel_case(&element)).collect::<Array>().into();
    }
    let Some(object) = value.dyn_ref::<Object>() else { return value.clone() };
    let renamed = Object::new();
    for key in Object::keys(object).iter() {
        let inner = Reflect::get(object, &key).unwrap_or(JsValue::UNDEFINED);
        super::object::set(&renamed, &camel(&key.as_string().unwrap_or_default()), camel_case(&inner));
    }
    renamed.into()
}

fn camel(name: &str) -> String {
    let name = name.strip_suffix("_s").map_or_else(|| name.to_owned(), |stem| format!("{stem}_seconds"));
    let mut camel = String::with_capacity(name.len());
    let mut parts = name.split('_');
    camel.extend(parts.next());
    for part in parts {
        let mut letters = part.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}
