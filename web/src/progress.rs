//! An iteration as JavaScript sees it.

use super::object::{set, view};
use isograd::IterationRecord;
use js_sys::Object;
use wasm_bindgen::JsValue;

/// The record as an object, with a view of the parameters.
pub fn progress(record: &IterationRecord, parameters: &[f64]) -> JsValue {
    let object = Object::new().into();
    set(&object, "iteration", record.iteration as f64);
    set(&object, "cost", record.cost);
    set(&object, "costChange", record.cost_change);
    set(&object, "gradientMaxNorm", record.gradient_max_norm);
    set(&object, "stepNorm", record.step_norm);
    set(&object, "gainRatio", record.gain_ratio);
    set(&object, "trustRegionRadius", record.trust_region_radius);
    set(&object, "linearIterations", record.linear_iterations as f64);
    set(&object, "accepted", record.accepted);
    set(&object, "elapsedSeconds", record.elapsed_s);
    set(&object, "parameters", view(parameters));
    object
}
