//! Buffers and downloads.

use super::{ADD, ADD_BINDINGS, another};
use isograd::backend::gpu::{GpuBuffer, GpuContext, GpuError, GpuOptions, wgpu};

pub fn buffers_are_reused(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    drop(GpuBuffer::from_slice(&context, "x", &[1_u32; 1000]).unwrap());
    let before = context.statistics();
    for len in [1000, 998, 1001] {
        let buffer = GpuBuffer::from_slice(&context, "x", &vec![2_u32; len]).unwrap();
        assert_eq!(buffer.read_blocking().unwrap(), vec![2; len]);
    }
    let done = context.statistics() - before;
    // The staging buffer of the first reading is the other one.
    assert_eq!((done.buffers_allocated, done.buffers_reused), (1, 5));
    assert_eq!((done.bytes_up, done.bytes_down), (4 * 2999, 4 * 2999));
}

pub fn buffers_keep_to_their_labels(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    let new = |label: &str| GpuBuffer::<u32>::new(&context, label, 1000).unwrap();
    let places = |x: &GpuBuffer<u32>, y: &GpuBuffer<u32>| [x.raw().clone(), y.raw().clone()];
    let (x, y) = (new("x"), new("y"));
    let first = places(&x, &y);
    drop((x, y));
    // In another order.
    let (z, y) = (new("z"), new("y"));
    let x = new("x");
    assert_eq!(places(&x, &y), first);
    assert!(!first.contains(z.raw()));
}

pub fn buffers_of_unsubmitted_commands_are_not_reused(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    let y = GpuBuffer::<u32>::zeros(&context, "y", 100).unwrap();
    let mut commands = context.commands("copy");
    let x = GpuBuffer::from_slice(&context, "x", &[1_u32; 100]).unwrap();
    commands.copy(x.raw(), 0, y.raw(), 0, 400);
    let used = x.raw().clone();
    drop(x);
    // Written before the commands run, were it the same memory.
    let other = GpuBuffer::from_slice(&context, "x", &[2_u32; 100]).unwrap();
    assert_ne!(other.raw(), &used);
    commands.submit();
    assert_eq!(y.read_blocking().unwrap(), [1; 100]);
    let third = GpuBuffer::<u32>::new(&context, "x", 100).unwrap();
    assert_eq!(third.raw(), &used);
}

pub fn zeros_are_zeros_after_reuse(context: &GpuContext) {
    let context = another(context, GpuOptions::default());
    drop(GpuBuffer::from_slice(&context, "x", &[1.0_f64; 300]).unwrap());
    let before = context.statistics();
    let zeros = GpuBuffer::<f64>::zeros(&context, "x", 300).unwrap();
    assert_eq!((context.statistics() - before).buffers_reused, 1);
    assert_eq!(zeros.read_blocking().unwrap(), [0.0; 300]);
}

pub fn empty_buffers(context: &GpuContext) {
    let empty = GpuBuffer::<u32>::from_slice(context, "empty", &[]).unwrap();
    assert!(empty.is_empty() && empty.raw().size() == 16);
    assert_eq!(empty.read_blocking().unwrap(), [0; 0]);
    let kernel = context.kernel("add", ADD, "add", &ADD_BINDINGS).unwrap();
    let size = GpuBuffer::uniform(context, "size", &[0_u32, 0]).unwrap();
    kernel.bind(&[size.raw(), empty.raw()]).unwrap();
    kernel.bind_ranges(&[size.binding(), empty.binding()]).unwrap();
    context.check().unwrap();
}

pub fn elements_of_one_byte(context: &GpuContext) {
    for len in 0..10_u8 {
        let bytes: Vec<u8> = (1..=len).collect();
        let buffer = GpuBuffer::from_slice(context, "bytes", &bytes).unwrap();
        assert_eq!(buffer.read_blocking().unwrap(), bytes);
    }
    context.check().unwrap();
}

pub fn parts_of_a_buffer_are_written(context: &GpuContext) {
    let buffer = GpuBuffer::<u32>::zeros(context, "parts", 6).unwrap();
    buffer.write(1, &[1, 2]).unwrap();
    buffer.write(5, &[3]).unwrap();
    buffer.write(6, &[]).unwrap();
    assert_eq!(buffer.read_blocking().unwrap(), [0, 1, 2, 0, 0, 3]);
    context.check().unwrap();
}

pub fn whole_buffers_are_filled_by_all_threads(context: &GpuContext) {
    // One share and a part of the next, less than a share, nothing.
    for count in [100_001_u32, 7, 0] {
        let buffer = GpuBuffer::<u32>::new(context, "filled", count as usize).unwrap();
        let fill = |first: usize, to: wgpu::WriteOnly<'_, [u8]>| {
            let words: Vec<u32> = (first as u32 / 4..).take(to.len() / 4).collect();
            { to }.copy_from_slice(bytemuck::cast_slice(&words));
        };
        buffer.fill(fill).unwrap();
        assert!(buffer.read_blocking().unwrap().into_iter().eq(0..count));
    }
    let odd = GpuBuffer::<u8>::zeros(context, "odd", 5).unwrap();
    assert!(matches!(odd.fill(|_, _| ()), Err(GpuError::Validation { label, .. }) if label == "odd"));
    context.check().unwrap();
}

pub fn writes_beyond_the_end_are_errors(context: &GpuContext) {
    let buffer = GpuBuffer::<u32>::zeros(context, "short", 3).unwrap();
    for (offset, count) in [(0, 4), (3, 1), (4, 0), (usize::MAX, 1)] {
        let error = buffer.write(offset, &vec![0; count]).unwrap_err();
        assert!(matches!(&error, GpuError::Validation { label, .. } if label == "short"), "{error:?}");
    }
    let bytes = GpuBuffer::<u8>::zeros(context, "bytes", 8).unwrap();
    assert!(bytes.write(1, &[1, 2, 3, 4]).is_err() && bytes.write(0, &[1, 2]).is_err());
    context.check().unwrap();
}

pub fn buffers_beyond_the_device_are_errors(context: &GpuContext) {
    let len = usize::try_from(context.limits().max_buffer_size / 4 + 1).unwrap();
    for len in [len, usize::MAX / 8] {
        let error = GpuBuffer::<u32>::new(context, "vast", len).unwrap_err();
        assert!(matches!(&error, GpuError::TooLarge { label, .. } if label == "vast"), "{error:?}");
    }
    context.check().unwrap();
}

pub fn downloads_report_when_they_are_ready(context: &GpuContext) {
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

pub fn downloads_of_dropped_commands_are_errors(context: &GpuContext) {
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
