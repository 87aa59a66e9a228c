//! A WebGPU device.

use super::failure::Failure;
use super::object::set;
use isograd::backend::gpu::wgpu::{DeviceType, Features};
use isograd::backend::gpu::{GpuContext, GpuError, GpuOptions};
use js_sys::{Array, Function, Object, Reflect};
use wasm_bindgen::convert::TryFromJsValue;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

/// A WebGPU device, shared by the solves it is given to.
#[wasm_bindgen]
pub struct Gpu {
    context: GpuContext,
    description: Object,
}

#[wasm_bindgen]
impl Gpu {
    /// Opens a device. Rejects with an error of code `no-gpu` where the browser offers none.
    pub async fn request() -> Result<Gpu, JsValue> {
        let adapter = adapter().await?;
        let options = GpuOptions { name: Some(name(&adapter)), ..GpuOptions::default() };
        let context = GpuContext::request(&options).await.map_err(Failure::from)?;
        let description = describe(&context, &adapter);
        Ok(Gpu { context, description })
    }

    /// What the device is and offers.
    #[wasm_bindgen(getter, unchecked_return_type = "DeviceInfo")]
    pub fn info(&self) -> JsValue {
        self.description.clone().into()
    }

    /// Another handle of the same device, for [`context`].
    #[wasm_bindgen(js_name = __share, skip_typescript)]
    pub fn share(&self) -> Gpu {
        Gpu { context: self.context.clone(), description: self.description.clone() }
    }
}

/// The device of a `Gpu` that is the property of an object. Taking a class of ours out of a value uses it up, so this takes a copy.
pub fn context(gpu: &JsValue) -> Result<GpuContext, Failure> {
    let no_gpu = || Failure::argument("options.gpu is no Gpu; get one by Gpu.request()");
    let share = Reflect::get(gpu, &"__share".into()).map_err(|_| no_gpu())?;
    let share: Function = share.dyn_into().map_err(|_| no_gpu())?;
    let copy = share.call0(gpu).map_err(Failure::Theirs)?;
    Ok(Gpu::try_from_js_value(copy).map_err(|_| no_gpu())?.context)
}

/// What the browser says of its adapter, which wgpu passes on in part only.
async fn adapter() -> Result<JsValue, Failure> {
    let none = |why: &str| Failure::new("no-gpu", format!("no WebGPU: {why}"));
    let get = |object: &JsValue, key: &str| Reflect::get(object, &key.into()).unwrap_or(JsValue::UNDEFINED);
    let gpu = get(&get(&js_sys::global(), "navigator"), "gpu");
    if !gpu.is_object() {
        return Err(none("this browser has none, or not on pages without https"));
    }
    let request: Function = get(&gpu, "requestAdapter").dyn_into().map_err(|_| none("requestAdapter is missing"))?;
    let promise = request.call0(&gpu).map_err(Failure::Theirs)?;
    let adapter = JsFuture::from(js_sys::Promise::resolve(&promise)).await.map_err(Failure::Theirs)?;
    if adapter.is_null() {
        return Err(none("the browser offers no adapter"));
    }
    Ok(get(&adapter, "info"))
}

/// A text that the browser gives about its adapter; it may keep any to itself.
fn text(adapter: &JsValue, key: &str) -> String {
    let value = Reflect::get(adapter, &key.into()).ok().and_then(|value| value.as_string());
    value.unwrap_or_default()
}

/// What to call the adapter.
fn name(adapter: &JsValue) -> String {
    let whole = format!("{} {}", text(adapter, "vendor"), text(adapter, "architecture"));
    match (text(adapter, "description"), whole.trim()) {
        (description, _) if !description.is_empty() => description,
        (_, "") => "WebGPU device".to_owned(),
        (_, whole) => whole.to_owned(),
    }
}

fn describe(context: &GpuContext, adapter: &JsValue) -> Object {
    let info = context.info();
    let kind = match info.device_type {
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Cpu => "software",
        DeviceType::Other => "unknown",
    };
    let object: JsValue = Object::new().into();
    for (key, value) in [
        ("name", info.name.as_str()),
        ("vendor", &text(adapter, "vendor")),
        ("architecture", &text(adapter, "architecture")),
        ("description", &text(adapter, "description")),
        ("kind", kind),
        ("driver", "WebGPU"),
    ] {
        set(&object, key, value);
    }
    let features = [
        (Features::SUBGROUP, "subgroups"),
        (Features::TIMESTAMP_QUERY, "timestamp-query"),
        (Features::SHADER_F16, "shader-f16"),
    ];
    let features = features.iter().filter(|(feature, _)| context.features().contains(*feature));
    set(&object, "features", features.map(|(_, name)| JsValue::from(*name)).collect::<Array>());
    let limits: JsValue = Object::new().into();
    let most = context.limits();
    for (key, value) in [
        ("maxBufferSize", most.max_buffer_size as f64),
        ("maxStorageBufferBindingSize", most.max_storage_buffer_binding_size as f64),
        ("maxStorageBuffersPerShaderStage", f64::from(most.max_storage_buffers_per_shader_stage)),
        ("maxComputeInvocationsPerWorkgroup", f64::from(most.max_compute_invocations_per_workgroup)),
        ("maxComputeWorkgroupsPerDimension", f64::from(most.max_compute_workgroups_per_dimension)),
        ("maxComputeWorkgroupStorageSize", f64::from(most.max_compute_workgroup_storage_size)),
    ] {
        set(&limits, key, value);
    }
    set(&object, "limits", limits);
    let precisions = ["f32", "double-f32"].map(JsValue::from);
    set(&object, "precisions", precisions.into_iter().collect::<Array>());
    object.unchecked_into()
}

impl From<GpuError> for Failure {
    fn from(error: GpuError) -> Failure {
        let code = match error {
            GpuError::NoAdapter { .. } | GpuError::Device(_) => "no-gpu",
            GpuError::Lost(_) => "gpu-lost",
            _ => "gpu",
        };
        Failure::new(code, error)
    }
}
