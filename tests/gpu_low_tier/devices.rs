//! Devices, their limits, and what happens when they fail.

use super::{ADD, ADD_BINDINGS, added, another};
use isograd::backend::gpu::{Binding, GpuBuffer, GpuContext, GpuError, GpuOptions, wgpu};

pub fn broken_text_is_shown_with_its_line(context: &GpuContext) {
    let text = "@compute @workgroup_size(1)\nfn broken() {\n    let x = undeclared + 1;\n}";
    let error = context.kernel("the broken one", text, "broken", &[]).unwrap_err();
    assert!(matches!(&error, GpuError::Shader { label, .. } if label == "the broken one"), "{error:?}");
    let shown = error.to_string();
    for part in ["the broken one", "wgsl:3:13", "^", "    3 |     let x = undeclared + 1;"] {
        assert!(shown.contains(part), "no {part:?} in: {shown}");
    }
    context.check().unwrap();
}

pub fn an_entry_that_is_missing_is_an_error(context: &GpuContext) {
    let error = context.kernel("add", ADD, "multiply", &ADD_BINDINGS).unwrap_err();
    assert!(matches!(&error, GpuError::Shader { message, .. } if message.contains("multiply")), "{error:?}");
    context.check().unwrap();
}

pub fn unknown_adapters_are_errors_that_list_the_known(context: &GpuContext) {
    let options = GpuOptions { adapter: Some("no such adapter".into()), ..GpuOptions::default() };
    let error = GpuContext::new(&options).unwrap_err();
    let GpuError::NoAdapter { found, .. } = &error else { panic!("{error:?}") };
    assert!(found.contains(&context.info().name));
    let shown = error.to_string();
    assert!(shown.contains("no such adapter") && shown.contains(&context.info().name), "{shown}");
    assert!(GpuContext::adapters().iter().any(|info| info.name == context.info().name));
}

pub fn too_many_storage_buffers_are_an_error(context: &GpuContext) {
    let text = "@compute @workgroup_size(1) fn nothing() {}";
    let error = context.kernel("nine", text, "nothing", &[Binding::ReadOnly; 9]).unwrap_err();
    assert!(matches!(&error, GpuError::Validation { label, .. } if label == "nine"), "{error:?}");
    assert!(context.kernel("eight", text, "nothing", &[Binding::ReadOnly; 8]).is_ok());
    context.check().unwrap();
}

pub fn a_wrong_number_of_buffers_is_an_error(context: &GpuContext) {
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let x = GpuBuffer::<u32>::zeros(context, "x", 4).unwrap();
    let none = kernel.bind(&[]);
    assert!(matches!(none, Err(GpuError::Validation { .. })), "{none:?}");
    let of_wrong_kind = kernel.bind(&[x.raw(), x.raw()]);
    assert!(matches!(of_wrong_kind, Err(GpuError::Validation { .. })), "{of_wrong_kind:?}");
    context.check().unwrap();
}

pub fn what_no_call_returns_is_found_by_check(context: &GpuContext) {
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

pub fn bindings_keep_within_the_limit(context: &GpuContext) {
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

pub fn features_can_be_done_without(context: &GpuContext) {
    let context = another(context, GpuOptions { without: wgpu::Features::all(), ..GpuOptions::default() });
    assert_eq!(context.features() & wgpu::Features::SHADER_F64, wgpu::Features::empty());
    assert_eq!(added(&context, &[1, 2], 1).unwrap(), [2, 3]);
    let times = context.commands("nothing").with_timing().submit().stage_times(&context).unwrap();
    assert!(times.is_empty());
}

pub fn threads_share_a_context(context: &GpuContext) {
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

pub fn a_lost_device_gives_errors(context: &GpuContext) {
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

pub fn a_lost_device_ends_what_is_under_way(context: &GpuContext) {
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

pub fn a_device_of_the_callers_own(context: &GpuContext) {
    let instance = wgpu::Instance::default();
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY));
    let adapter = adapters.into_iter().find(|adapter| adapter.get_info().name == context.info().name).unwrap();
    let (own_device, own_queue) = pollster::block_on(adapter.request_device(&Default::default())).unwrap();
    let own = GpuContext::from_wgpu(adapter.get_info(), own_device.clone(), own_queue);
    assert_eq!(own.device(), &own_device);
    assert_eq!(added(&own, &[1, 2, 3], 1).unwrap(), [2, 3, 4]);
}
