//! Kernels and the commands that run them.

use super::{ADD, ADD_BINDINGS, added, another};
use isograd::backend::gpu::{Binding, GpuBuffer, GpuContext, GpuError, GpuOptions, KernelRequest, wgpu};
use std::path::Path;

pub fn a_kernel_doubles_numbers(context: &GpuContext) {
    let text = "
        @group(0) @binding(0) var<storage, read> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;
        @compute @workgroup_size(64)
        fn double(@builtin(global_invocation_id) id: vec3u) {
            if id.x < arrayLength(&x) { y[id.x] = 2.0 * x[id.x]; }
        }";
    let numbers: Vec<f32> = (0..1000_u16).map(|k| f32::from(k) - 500.5).collect();
    let kernel = context.kernel("double", text, "double", &[Binding::ReadOnly, Binding::ReadWrite]).unwrap();
    let x = GpuBuffer::from_slice(context, "x", &numbers).unwrap();
    let y = GpuBuffer::<f32>::zeros(context, "y", numbers.len()).unwrap();
    let group = kernel.bind_ranges(&[x.binding(), y.binding()]).unwrap();
    let mut commands = context.commands("double");
    commands.dispatch(&kernel, &group, &[], 1000_u64.div_ceil(64));
    let download = commands.download(y.raw(), 400..800);
    commands.submit().wait(context).unwrap();
    let doubled: Vec<f32> = numbers.iter().map(|x| 2.0 * x).collect();
    assert_eq!(y.read_blocking().unwrap(), doubled);
    assert_eq!(download.wait::<f32>(context).unwrap(), doubled[100..200]);
    context.check().unwrap();
}

pub fn more_workgroups_than_one_dimension_has(context: &GpuContext) {
    for count in [0, 1, 65_535, 65_536, 200_001] {
        let x: Vec<u32> = (0..count).collect();
        let expected: Vec<u32> = (7..count + 7).collect();
        assert_eq!(added(context, &x, 7).unwrap(), expected);
    }
}

pub fn indirect_dispatches_read_their_counts(context: &GpuContext) {
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let size = GpuBuffer::uniform(context, "size", &[10_u32, 1]).unwrap();
    let x = GpuBuffer::<u32>::zeros(context, "x", 10).unwrap();
    let counts = GpuBuffer::from_slice(context, "counts", &[0_u32, 1, 1, 4, 1, 1]).unwrap();
    let group = kernel.bind(&[size.raw(), x.raw()]).unwrap();
    let mut commands = context.commands("indirect");
    commands.dispatch_indirect(&kernel, &group, &[], counts.raw(), 0);
    commands.dispatch_indirect(&kernel, &group, &[], counts.raw(), 12);
    commands.submit();
    assert_eq!(x.read_blocking().unwrap(), [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    context.check().unwrap();
}

pub fn dynamic_uniforms(context: &GpuContext) {
    let kernel = context.kernel("add", ADD, "add", &[Binding::DynamicUniform, Binding::ReadWrite]).unwrap();
    let mut slots = vec![0_u32; 2 * 64];
    slots[..2].copy_from_slice(&[3, 5]);
    slots[64..66].copy_from_slice(&[2, 10]);
    let slots = GpuBuffer::uniform(context, "slots", &slots).unwrap();
    let x = GpuBuffer::<u32>::zeros(context, "x", 3).unwrap();
    let group = kernel.bind(&[slots.raw(), x.raw()]).unwrap();
    let mut commands = context.commands("slots");
    commands.dispatch(&kernel, &group, &[0], 3);
    commands.dispatch(&kernel, &group, &[256], 3);
    commands.submit();
    assert_eq!(x.read_blocking().unwrap(), [15, 15, 5]);
    context.check().unwrap();
}

pub fn commands_run_in_order(context: &GpuContext) {
    let add = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let subtract = context.kernel("subtract", ADD, "subtract", &ADD_BINDINGS).unwrap();
    let ten = GpuBuffer::uniform(context, "ten", &[2_u32, 10]).unwrap();
    let one = GpuBuffer::uniform(context, "one", &[2_u32, 1]).unwrap();
    let [x, y] = ["x", "y"].map(|name| GpuBuffer::<u32>::zeros(context, name, 2).unwrap());
    let up = add.bind(&[ten.raw(), x.raw()]).unwrap();
    let down = subtract.bind(&[one.raw(), x.raw()]).unwrap();
    let mut commands = context.commands("order");
    commands.dispatch(&add, &up, &[], 2);
    commands.dispatch(&subtract, &down, &[], 2);
    commands.copy(x.raw(), 0, y.raw(), 4, 4);
    let between = commands.download(x.raw(), 0..8);
    commands.clear(x.raw());
    commands.dispatch(&add, &up, &[], 2);
    commands.submit();
    assert_eq!(between.wait::<u32>(context).unwrap(), [9, 9]);
    assert_eq!(y.read_blocking().unwrap(), [0, 9]);
    assert_eq!(x.read_blocking().unwrap(), [10, 10]);
    context.check().unwrap();
}

pub fn stages_are_timed(context: &GpuContext) {
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let size = GpuBuffer::uniform(context, "size", &[100_000_u32, 1]).unwrap();
    let x = GpuBuffer::<u32>::zeros(context, "x", 100_000).unwrap();
    let group = kernel.bind(&[size.raw(), x.raw()]).unwrap();
    let mut commands = context.commands("first").with_timing();
    for stage in ["first", "second", "first"] {
        commands.stage(stage);
        commands.dispatch(&kernel, &group, &[], 100_000);
    }
    let times = commands.submit().stage_times(context).unwrap();
    assert_eq!(x.read_blocking().unwrap(), vec![3; 100_000]);
    context.check().unwrap();
    if context.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
        let names: Vec<&str> = times.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["first", "second"]);
        assert!(times.iter().all(|&(_, seconds)| seconds > 0.0 && seconds < 30.0), "{times:?}");
    }
}

pub fn kernels_are_compiled_once(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    let first = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let again = context.kernel("the same", ADD, "add", &ADD_BINDINGS).unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &again));
    let statistics = context.statistics();
    assert_eq!((statistics.kernels_compiled, statistics.kernel_cache_hits), (1, 1));
    context.kernel("subtract", ADD, "subtract", &ADD_BINDINGS).unwrap();
    context.kernel("dynamic", ADD, "add", &[Binding::DynamicUniform, Binding::ReadWrite]).unwrap();
    let statistics = context.statistics();
    assert_eq!((statistics.kernels_compiled, statistics.kernel_cache_hits), (3, 1));
}

pub fn several_kernels_compile_at_once(context: &GpuContext) {
    let texts: Vec<String> = (0..8).map(|k| ADD.replace("+= size.amount", &format!("+= size.amount + {k}u"))).collect();
    let request = |wgsl| KernelRequest { label: "add", wgsl, entry: "add", bindings: &ADD_BINDINGS };
    let mut requests: Vec<_> = texts.iter().map(|text| request(text)).collect();
    let kernels = context.kernels(&requests).unwrap();
    let size = GpuBuffer::uniform(context, "size", &[1_u32, 1]).unwrap();
    for (k, kernel) in (0..).zip(kernels) {
        let x = GpuBuffer::<u32>::zeros(context, "x", 1).unwrap();
        let group = kernel.bind(&[size.raw(), x.raw()]).unwrap();
        let mut commands = context.commands("add");
        commands.dispatch(&kernel, &group, &[], 1);
        commands.submit();
        assert_eq!(x.read_blocking().unwrap(), [1 + k]);
    }
    requests[3].entry = "none";
    assert!(matches!(context.kernels(&requests), Err(GpuError::Shader { .. })));
    assert!(context.kernels(&[]).unwrap().is_empty());
}

pub fn kernels_compile_in_the_background(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    let request = |entry| KernelRequest { label: entry, wgsl: ADD, entry, bindings: &ADD_BINDINGS };
    let first = context.start_kernels(&[request("subtract"), request("none")]).unwrap();
    let second = context.start_kernels(&[request("add"), request("subtract")]).unwrap();
    // Bound before anybody waits for the compiler.
    let size = GpuBuffer::uniform(&context, "size", &[1_u32, 1]).unwrap();
    let x = GpuBuffer::from_slice(&context, "x", &[7_u32]).unwrap();
    let groups = [&second[0], &first[0]].map(|kernel| kernel.bind_ranges(&[size.binding(), x.binding()]).unwrap());
    let mut commands = context.commands("add, subtract and add");
    for (kernel, group) in [(&second[0], &groups[0]), (&first[0], &groups[1]), (&second[0], &groups[0])] {
        commands.dispatch(kernel.wait().unwrap(), group, &[], 1);
    }
    commands.submit();
    assert_eq!(x.read_blocking().unwrap(), [8]);
    assert!(std::sync::Arc::ptr_eq(second[1].wait().unwrap(), first[0].wait().unwrap()));
    let error = first[1].wait().unwrap_err();
    assert!(matches!(&error, GpuError::Shader { label, wgsl, .. } if label == "none" && wgsl == ADD), "{error:?}");
    context.check().unwrap();
    assert_eq!(context.statistics().kernels_compiled, 2);
    // What failed is forgotten, and tried anew.
    let again = context.start_kernels(&[request("none")]).unwrap();
    assert_eq!(again[0].wait().unwrap_err(), error);
    assert_eq!(context.statistics().kernel_cache_hits, 1);
}

pub fn pending_kernels_are_waited_for(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    let request = KernelRequest { label: "add", wgsl: ADD, entry: "add", bindings: &ADD_BINDINGS };
    drop(context.start_kernels(&[request]).unwrap());
    assert_eq!(context.statistics().kernels_compiled, 1);
}

pub fn deep_expressions_do_not_end_the_process(context: &GpuContext) {
    let sum = vec!["x[0]"; 4000].join(" + ");
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(1) fn sum() {{ x[0] = {sum}; }}"
    );
    // Compiled or refused; either is fine.
    let _ = context.kernel("sum", &text, "sum", &[Binding::ReadWrite]);
    context.check().unwrap();
}

/// A context that compiled a kernel with its pipeline cache in this folder, and what the cache file then holds.
fn compiled(context: &GpuContext, folder: &Path) -> Option<Vec<u8>> {
    let options = GpuOptions { pipeline_cache: Some(folder.to_owned()), ..GpuOptions::default() };
    let context = another(context, options);
    assert_eq!(added(&context, &[1, 2], 1).unwrap(), [2, 3]);
    drop(context);
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() <= 1, "{files:?}");
    files.first().map(|file| std::fs::read(file).unwrap())
}

pub fn the_pipeline_cache_is_written_and_read(context: &GpuContext) {
    let folder = tempfile::tempdir().unwrap();
    let file = compiled(context, folder.path());
    assert_eq!(file.is_some(), context.features().contains(wgpu::Features::PIPELINE_CACHE));
    if let Some(file) = file {
        assert!(file.starts_with(b"isogpc1\n") && file.len() > 24);
        let next = compiled(context, folder.path()).unwrap();
        assert!(next.len() >= file.len(), "{} bytes after {}", next.len(), file.len());
    }
}

pub fn a_damaged_pipeline_cache_is_ignored(context: &GpuContext) {
    let folder = tempfile::tempdir().unwrap();
    let Some(file) = compiled(context, folder.path()) else { return };
    let path = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut flipped = file.clone();
    flipped[100] ^= 1;
    for damaged in [&flipped[..], &file[..file.len() / 2], b"", b"something else altogether, and longer than a header"]
    {
        std::fs::write(&path, damaged).unwrap();
        let written = compiled(context, folder.path()).unwrap();
        assert!(written.starts_with(b"isogpc1\n") && written != damaged);
    }
}
