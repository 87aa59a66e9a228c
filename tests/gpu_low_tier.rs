//! The low tier of the GPU backend: devices, memory, kernels, commands, and what happens when they fail.

mod gpu_support;

use isograd::backend::gpu::{Binding, GpuBuffer, GpuContext, GpuError, GpuOptions, KernelRequest, wgpu};
use std::path::Path;

/// `name` and the function of that name.
macro_rules! tests {
    ($($name:ident),* $(,)?) => { vec![$((stringify!($name), $name as fn(&GpuContext))),*] };
}

fn main() {
    gpu_support::main(tests![
        a_kernel_doubles_numbers,
        more_workgroups_than_one_dimension_has,
        indirect_dispatches_read_their_counts,
        dynamic_uniforms,
        commands_run_in_order,
        stages_are_timed,
        broken_text_is_shown_with_its_line,
        an_entry_that_is_missing_is_an_error,
        unknown_adapters_are_errors_that_list_the_known,
        too_many_storage_buffers_are_an_error,
        a_wrong_number_of_buffers_is_an_error,
        what_no_call_returns_is_found_by_check,
        buffers_are_reused,
        buffers_of_unsubmitted_commands_are_not_reused,
        zeros_are_zeros_after_reuse,
        empty_buffers,
        elements_of_one_byte,
        parts_of_a_buffer_are_written,
        writes_beyond_the_end_are_errors,
        buffers_beyond_the_device_are_errors,
        downloads_report_when_they_are_ready,
        downloads_of_dropped_commands_are_errors,
        kernels_are_compiled_once,
        several_kernels_compile_at_once,
        deep_expressions_do_not_end_the_process,
        bindings_keep_within_the_limit,
        features_can_be_done_without,
        threads_share_a_context,
        the_pipeline_cache_is_written_and_read,
        a_damaged_pipeline_cache_is_ignored,
        a_lost_device_gives_errors,
        a_lost_device_ends_what_is_under_way,
        a_device_of_the_callers_own,
    ]);
}

/// Adds the uniform to each element, whatever the number of workgroups.
const ADD: &str = "
struct Size { count: u32, amount: u32 }
@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read_write> x: array<u32>;
@compute @workgroup_size(1)
fn add(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = group.y * groups.x + group.x;
    if i < size.count { x[i] += size.amount; }
}
@compute @workgroup_size(1)
fn subtract(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = group.y * groups.x + group.x;
    if i < size.count { x[i] -= size.amount; }
}
";

const ADD_BINDINGS: [Binding; 2] = [Binding::Uniform, Binding::ReadWrite];

/// `x` with `amount` added to each element.
fn added(context: &GpuContext, x: &[u32], amount: u32) -> Result<Vec<u32>, GpuError> {
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS)?;
    let size = GpuBuffer::uniform(context, "size", &[u32::try_from(x.len()).unwrap(), amount])?;
    let x = GpuBuffer::from_slice(context, "x", x)?;
    let group = kernel.bind(&[size.raw(), x.raw()])?;
    let mut commands = context.commands("add");
    commands.dispatch(&kernel, &group, &[], x.len() as u64);
    commands.submit();
    x.read_blocking()
}

/// A context of its own, on the same adapter.
fn another(context: &GpuContext, options: GpuOptions) -> GpuContext {
    GpuContext::new(&GpuOptions { adapter: Some(context.info().name.clone()), ..options }).unwrap()
}

fn a_kernel_doubles_numbers(context: &GpuContext) {
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

fn more_workgroups_than_one_dimension_has(context: &GpuContext) {
    for count in [0, 1, 65_535, 65_536, 200_001] {
        let x: Vec<u32> = (0..count).collect();
        let expected: Vec<u32> = (7..count + 7).collect();
        assert_eq!(added(context, &x, 7).unwrap(), expected);
    }
}

fn indirect_dispatches_read_their_counts(context: &GpuContext) {
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

fn dynamic_uniforms(context: &GpuContext) {
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

fn commands_run_in_order(context: &GpuContext) {
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

fn stages_are_timed(context: &GpuContext) {
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

fn broken_text_is_shown_with_its_line(context: &GpuContext) {
    let text = "@compute @workgroup_size(1)\nfn broken() {\n    let x = undeclared + 1;\n}";
    let error = context.kernel("the broken one", text, "broken", &[]).unwrap_err();
    assert!(matches!(&error, GpuError::Shader { label, .. } if label == "the broken one"), "{error:?}");
    let shown = error.to_string();
    for part in ["the broken one", "wgsl:3:13", "^", "    3 |     let x = undeclared + 1;"] {
        assert!(shown.contains(part), "no {part:?} in: {shown}");
    }
    context.check().unwrap();
}

fn an_entry_that_is_missing_is_an_error(context: &GpuContext) {
    let error = context.kernel("add", ADD, "multiply", &ADD_BINDINGS).unwrap_err();
    assert!(matches!(&error, GpuError::Shader { message, .. } if message.contains("multiply")), "{error:?}");
    context.check().unwrap();
}

fn unknown_adapters_are_errors_that_list_the_known(context: &GpuContext) {
    let options = GpuOptions { adapter: Some("no such adapter".into()), ..GpuOptions::default() };
    let error = GpuContext::new(&options).unwrap_err();
    let GpuError::NoAdapter { found, .. } = &error else { panic!("{error:?}") };
    assert!(found.contains(&context.info().name));
    let shown = error.to_string();
    assert!(shown.contains("no such adapter") && shown.contains(&context.info().name), "{shown}");
    assert!(GpuContext::adapters().iter().any(|info| info.name == context.info().name));
}

fn too_many_storage_buffers_are_an_error(context: &GpuContext) {
    let text = "@compute @workgroup_size(1) fn nothing() {}";
    let error = context.kernel("nine", text, "nothing", &[Binding::ReadOnly; 9]).unwrap_err();
    assert!(matches!(&error, GpuError::Validation { label, .. } if label == "nine"), "{error:?}");
    assert!(context.kernel("eight", text, "nothing", &[Binding::ReadOnly; 8]).is_ok());
    context.check().unwrap();
}

fn a_wrong_number_of_buffers_is_an_error(context: &GpuContext) {
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let x = GpuBuffer::<u32>::zeros(context, "x", 4).unwrap();
    let none = kernel.bind(&[]);
    assert!(matches!(none, Err(GpuError::Validation { .. })), "{none:?}");
    let of_wrong_kind = kernel.bind(&[x.raw(), x.raw()]);
    assert!(matches!(of_wrong_kind, Err(GpuError::Validation { .. })), "{of_wrong_kind:?}");
    context.check().unwrap();
}

fn what_no_call_returns_is_found_by_check(context: &GpuContext) {
    // Its own: other tests check the shared one.
    let context = another(context, GpuOptions::default());
    let x = GpuBuffer::<u32>::zeros(&context, "x", 4).unwrap();
    let mut commands = context.commands("overlong");
    commands.copy(x.raw(), 0, x.raw(), 4, 1 << 20);
    let download = commands.download(x.raw(), 0..16);
    commands.submit();
    assert!(download.wait::<u32>(&context).is_err());
    assert!(matches!(context.check(), Err(GpuError::Validation { .. })));
    context.check().unwrap();
    assert_eq!(added(&context, &[1], 1).unwrap(), [2]);
}

fn buffers_are_reused(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    drop(GpuBuffer::from_slice(&context, "first", &[1_u32; 1000]).unwrap());
    let before = context.statistics();
    for len in [1000, 998, 1001] {
        let buffer = GpuBuffer::from_slice(&context, "next", &vec![2_u32; len]).unwrap();
        assert_eq!(buffer.read_blocking().unwrap(), vec![2; len]);
    }
    let done = context.statistics() - before;
    // The staging buffer of the first reading is the other one.
    assert_eq!((done.buffers_allocated, done.buffers_reused), (1, 5));
    assert_eq!((done.bytes_up, done.bytes_down), (4 * 2999, 4 * 2999));
}

fn buffers_of_unsubmitted_commands_are_not_reused(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    let y = GpuBuffer::<u32>::zeros(&context, "y", 100).unwrap();
    let mut commands = context.commands("copy");
    let x = GpuBuffer::from_slice(&context, "x", &[1_u32; 100]).unwrap();
    commands.copy(x.raw(), 0, y.raw(), 0, 400);
    let used = x.raw().clone();
    drop(x);
    // Written before the commands run, were it the same memory.
    let other = GpuBuffer::from_slice(&context, "other", &[2_u32; 100]).unwrap();
    assert_ne!(other.raw(), &used);
    commands.submit();
    assert_eq!(y.read_blocking().unwrap(), [1; 100]);
    let third = GpuBuffer::<u32>::new(&context, "third", 100).unwrap();
    assert_eq!(third.raw(), &used);
}

fn zeros_are_zeros_after_reuse(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    drop(GpuBuffer::from_slice(&context, "ones", &[1.0_f64; 300]).unwrap());
    let before = context.statistics();
    let zeros = GpuBuffer::<f64>::zeros(&context, "zeros", 300).unwrap();
    assert_eq!((context.statistics() - before).buffers_reused, 1);
    assert_eq!(zeros.read_blocking().unwrap(), [0.0; 300]);
}

fn empty_buffers(context: &GpuContext) {
    let empty = GpuBuffer::<u32>::from_slice(context, "empty", &[]).unwrap();
    assert!(empty.is_empty() && empty.raw().size() == 16);
    assert_eq!(empty.read_blocking().unwrap(), [0; 0]);
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let size = GpuBuffer::uniform(context, "size", &[0_u32, 0]).unwrap();
    kernel.bind(&[size.raw(), empty.raw()]).unwrap();
    kernel.bind_ranges(&[size.binding(), empty.binding()]).unwrap();
    context.check().unwrap();
}

fn elements_of_one_byte(context: &GpuContext) {
    for len in 0..10_u8 {
        let bytes: Vec<u8> = (1..=len).collect();
        let buffer = GpuBuffer::from_slice(context, "bytes", &bytes).unwrap();
        assert_eq!(buffer.read_blocking().unwrap(), bytes);
    }
    context.check().unwrap();
}

fn parts_of_a_buffer_are_written(context: &GpuContext) {
    let buffer = GpuBuffer::<u32>::zeros(context, "parts", 6).unwrap();
    buffer.write(1, &[1, 2]).unwrap();
    buffer.write(5, &[3]).unwrap();
    buffer.write(6, &[]).unwrap();
    assert_eq!(buffer.read_blocking().unwrap(), [0, 1, 2, 0, 0, 3]);
    context.check().unwrap();
}

fn writes_beyond_the_end_are_errors(context: &GpuContext) {
    let buffer = GpuBuffer::<u32>::zeros(context, "short", 3).unwrap();
    for (offset, count) in [(0, 4), (3, 1), (4, 0), (usize::MAX, 1)] {
        let error = buffer.write(offset, &vec![0; count]).unwrap_err();
        assert!(matches!(&error, GpuError::Validation { label, .. } if label == "short"), "{error:?}");
    }
    let bytes = GpuBuffer::<u8>::zeros(context, "bytes", 8).unwrap();
    assert!(bytes.write(1, &[1, 2, 3, 4]).is_err() && bytes.write(0, &[1, 2]).is_err());
    context.check().unwrap();
}

fn buffers_beyond_the_device_are_errors(context: &GpuContext) {
    let len = usize::try_from(context.limits().max_buffer_size / 4 + 1).unwrap();
    for len in [len, usize::MAX / 8] {
        let error = GpuBuffer::<u32>::new(context, "vast", len).unwrap_err();
        assert!(matches!(&error, GpuError::TooLarge { label, .. } if label == "vast"), "{error:?}");
    }
    context.check().unwrap();
}

fn downloads_report_when_they_are_ready(context: &GpuContext) {
    let buffer = GpuBuffer::from_slice(context, "numbers", &[1_u32, 2, 3]).unwrap();
    let mut commands = context.commands("download");
    let [download, beyond] = [0..12, 0..1 << 30].map(|range| commands.download(buffer.raw(), range));
    assert!(!download.poll_ready());
    commands.submit();
    let start = std::time::Instant::now();
    while !download.poll_ready() {
        assert!(start.elapsed().as_secs() < 20);
        std::thread::yield_now();
    }
    assert_eq!(download.wait::<u32>(context).unwrap(), [1, 2, 3]);
    assert!(beyond.poll_ready() && beyond.wait::<u32>(context).is_err());
    context.check().unwrap();
}

fn downloads_of_dropped_commands_are_errors(context: &GpuContext) {
    let buffer = GpuBuffer::from_slice(context, "numbers", &[1_u32, 2, 3]).unwrap();
    let mut commands = context.commands("download");
    let [early, late] = [0..12, 4..8].map(|range| commands.download(buffer.raw(), range));
    let error = early.wait::<u32>(context).unwrap_err();
    assert!(error.to_string().contains("not submitted yet"), "{error}");
    drop(commands);
    let error = late.wait::<u32>(context).unwrap_err();
    assert!(error.to_string().contains("never submitted"), "{error}");
    context.check().unwrap();
}

fn kernels_are_compiled_once(context: &GpuContext) {
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

fn several_kernels_compile_at_once(context: &GpuContext) {
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

fn deep_expressions_do_not_end_the_process(context: &GpuContext) {
    let sum = vec!["x[0]"; 4000].join(" + ");
    let text = format!(
        "@group(0) @binding(0) var<storage, read_write> x: array<u32>;
        @compute @workgroup_size(1) fn sum() {{ x[0] = {sum}; }}"
    );
    // Compiled or refused; either is fine.
    let _ = context.kernel("sum", &text, "sum", &[Binding::ReadWrite]);
    context.check().unwrap();
}

fn bindings_keep_within_the_limit(context: &GpuContext) {
    let options = GpuOptions { max_binding_bytes: Some(1 << 16), ..GpuOptions::default() };
    let context = another(context, options);
    assert_eq!(context.max_binding_bytes(), 1 << 16);
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let size = GpuBuffer::uniform(&context, "size", &[1_u32, 1]).unwrap();
    let fits = GpuBuffer::<u32>::new(&context, "fits", 1 << 14).unwrap();
    kernel.bind(&[size.raw(), fits.raw()]).unwrap();
    // The buffer may be larger than a binding; its parts can be bound.
    let long = GpuBuffer::<u32>::new(&context, "long", (1 << 14) + 1).unwrap();
    let error = kernel.bind(&[size.raw(), long.raw()]).unwrap_err();
    assert!(matches!(error, GpuError::TooLarge { limit: 65_536, .. }), "{error:?}");
    let part = wgpu::BufferBinding { buffer: long.raw(), offset: 256, size: std::num::NonZeroU64::new(1024) };
    kernel.bind_ranges(&[size.binding(), wgpu::BindingResource::Buffer(part)]).unwrap();
}

fn features_can_be_done_without(context: &GpuContext) {
    let context = another(context, GpuOptions { without: wgpu::Features::all(), ..GpuOptions::default() });
    assert_eq!(context.features() & wgpu::Features::SHADER_F64, wgpu::Features::empty());
    assert_eq!(added(&context, &[1, 2], 1).unwrap(), [2, 3]);
    let times = context.commands("nothing").with_timing().submit().stage_times(&context).unwrap();
    assert!(times.is_empty());
}

fn threads_share_a_context(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    std::thread::scope(|scope| {
        for thread in 0..8_u32 {
            let context = &context;
            scope.spawn(move || {
                for round in 0..10_u32 {
                    let x: Vec<u32> = (0..100 + round).collect();
                    let expected: Vec<u32> = x.iter().map(|x| x + thread).collect();
                    assert_eq!(added(context, &x, thread).unwrap(), expected);
                }
            });
        }
    });
    let statistics = context.statistics();
    assert_eq!((statistics.kernels_compiled, statistics.kernel_cache_hits), (1, 79));
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

fn the_pipeline_cache_is_written_and_read(context: &GpuContext) {
    let folder = tempfile::tempdir().unwrap();
    let file = compiled(context, folder.path());
    assert_eq!(file.is_some(), context.features().contains(wgpu::Features::PIPELINE_CACHE));
    if let Some(file) = file {
        assert!(file.starts_with(b"isogpc1\n") && file.len() > 24);
        let next = compiled(context, folder.path()).unwrap();
        assert!(next.len() >= file.len(), "{} bytes after {}", next.len(), file.len());
    }
}

fn a_damaged_pipeline_cache_is_ignored(context: &GpuContext) {
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

fn a_lost_device_gives_errors(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let size = GpuBuffer::uniform(&context, "size", &[4_u32, 1]).unwrap();
    let x = GpuBuffer::<u32>::zeros(&context, "x", 4).unwrap();
    let group = kernel.bind(&[size.raw(), x.raw()]).unwrap();
    let mut commands = context.commands("before").with_timing();
    commands.dispatch(&kernel, &group, &[], 4);
    let download = commands.download(x.raw(), 0..16);
    assert!(context.lost().is_none());
    context.inject_loss();
    assert!(context.lost().is_some());

    fn lost<T>(result: Result<T, GpuError>) {
        assert!(matches!(result, Err(GpuError::Lost(_))), "{:?}", result.err());
    }
    let submission = commands.submit();
    assert!(download.poll_ready());
    lost(download.wait::<u32>(&context));
    lost(submission.wait(&context));
    lost(submission.stage_times(&context));
    lost(context.check());
    lost(x.read_blocking());
    lost(x.write(0, &[1]));
    lost(GpuBuffer::<u32>::new(&context, "new", 4));
    lost(GpuBuffer::<u32>::zeros(&context, "zeros", 4));
    lost(context.kernel("add", ADD, "add", &ADD_BINDINGS));
    lost(context.kernel("subtract", ADD, "subtract", &ADD_BINDINGS));
    lost(kernel.bind(&[size.raw(), x.raw()]));
    let mut after = context.commands("after").with_timing();
    after.dispatch(&kernel, &group, &[], 4);
    after.dispatch_indirect(&kernel, &group, &[], x.raw(), 0);
    after.clear(x.raw());
    after.copy(x.raw(), 0, x.raw(), 8, 8);
    let download = after.download(x.raw(), 0..16);
    lost(after.submit().wait(&context));
    lost(download.wait::<u32>(&context));
    context.save_pipeline_cache();
    // Another device of the same adapter works.
    assert_eq!(added(&another(&context, GpuOptions::default()), &[1], 1).unwrap(), [2]);
}

fn a_lost_device_ends_what_is_under_way(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // Until the loss everything works, and from then on nothing.
                let error = loop {
                    match added(&context, &[1, 2, 3], 4) {
                        Ok(x) => assert_eq!(x, [5, 6, 7]),
                        Err(error) => break error,
                    }
                };
                assert!(matches!(error, GpuError::Lost(_)), "{error:?}");
            });
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        context.inject_loss();
    });
}

fn a_device_of_the_callers_own(context: &GpuContext) {
    let instance = wgpu::Instance::default();
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let adapter = adapters.into_iter().find(|adapter| adapter.get_info().name == context.info().name).unwrap();
    let (own_device, own_queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let own = GpuContext::from_wgpu(adapter.get_info(), own_device.clone(), own_queue);
    assert_eq!(own.device(), &own_device);
    assert_eq!(added(&own, &[1, 2, 3], 1).unwrap(), [2, 3, 4]);
}
