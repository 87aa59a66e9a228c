//! Times of dispatches, and what there is to compare them to.

use isograd::backend::gpu::{Binding, Commands, GpuBuffer, GpuContext, GpuError};
use std::time::{Duration, Instant};

/// Bytes that the device copies to find its bandwidth.
const COPIED: usize = 256 << 20;
/// How long a device is kept busy before it is measured: while the host prepares a problem its clock sinks, and takes tens of milliseconds to rise.
const RISE: Duration = Duration::from_millis(300);
/// Measurements of which the median counts.
pub const RUNS: usize = 7;

/// A kernel that copies sixteen bytes an invocation, which reaches what any kernel can; the copy command may run elsewhere.
const COPY: &str = "
@group(0) @binding(0) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> copied: array<vec4<u32>>;
@compute @workgroup_size(256)
fn copy(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = (workgroup.y * workgroups.x + workgroup.x) * 256u + lane;
    if (i < arrayLength(&copied)) { copied[i] = source[i]; }
}
";

/// Bytes a second, read and written, of a copy between buffers.
pub fn copy_bandwidth(context: &GpuContext) -> Result<f64, GpuError> {
    let bytes = COPIED.min(context.max_binding_bytes() as usize);
    let from = GpuBuffer::<u8>::zeros(context, "from", bytes)?;
    let to = GpuBuffer::<u8>::zeros(context, "to", bytes)?;
    let kernel = context.kernel("copy", COPY, "copy", &[Binding::ReadOnly, Binding::ReadWrite])?;
    let bindings = kernel.bind_ranges(&[from.binding(), to.binding()])?;
    let seconds = per_repetition(context, |commands, count| {
        (0..count).for_each(|_| commands.dispatch(&kernel, &bindings, &[], bytes.div_ceil(16 * 256) as u64));
        Ok(())
    })?;
    Ok(2.0 * bytes as f64 / seconds)
}

/// Keeps the device busy until its clock is up.
pub fn raise_clock(
    context: &GpuContext,
    record: impl Fn(&mut Commands) -> Result<(), GpuError>,
) -> Result<(), GpuError> {
    let start = Instant::now();
    while start.elapsed() < RISE {
        let mut commands = context.commands("clock");
        (0..8).try_for_each(|_| record(&mut commands))?;
        commands.submit().wait(context)?;
    }
    Ok(())
}

/// Seconds a repetition: what many take more than a few, so that the submission does not count.
pub fn per_repetition(
    context: &GpuContext,
    record: impl Fn(&mut Commands, usize) -> Result<(), GpuError>,
) -> Result<f64, GpuError> {
    let once = |count: usize| -> Result<f64, GpuError> {
        let mut commands = context.commands("bench");
        record(&mut commands, count)?;
        let start = Instant::now();
        commands.submit().wait(context)?;
        Ok(start.elapsed().as_secs_f64())
    };
    once(2)?;
    let first = once(4)?;
    // Some 20 ms a measurement.
    let many = ((0.02 / (first / 4.0)) as usize).clamp(4, 200);
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let few = once(2)?;
        times.push((once(2 + many)? - few) / many as f64);
    }
    Ok(median(times).max(1e-9))
}

pub fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
