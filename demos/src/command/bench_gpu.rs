//! `bench --backend gpu`: how long the stages of a solve take on a device.

use crate::cli::Bench;
use crate::console::Console;
use isograd::Precision;
use isograd::backend::gpu::{Binding, Commands, GpuBuffer, GpuContext, GpuError};
use isograd::device::{DeviceProblem, Settings};
use isograd::kernel::wgsl::{Format, Formats, Slot};
use isograd::mesh::energy::MeshProblem;
use isograd::mesh::icosphere;
use serde::Serialize;
use std::fmt;
use std::time::Instant;

/// Iterations of conjugate gradients in a measured step.
const LINEAR_ITERATIONS: usize = 50;
/// Bytes that the device copies to find its bandwidth.
const COPIED: usize = 256 << 20;
/// Measurements of which the median counts.
const RUNS: usize = 7;

/// One measurement.
#[derive(Debug, Serialize)]
struct Row {
    demo: &'static str,
    device: String,
    problem: String,
    level: u32,
    precision: Precision,
    parameters: usize,
    residuals: usize,
    stage: &'static str,
    seconds: f64,
    /// Bytes that the stage cannot but move once, if that makes sense for it.
    bytes: Option<u64>,
    /// Share of what the device's copies reach.
    bandwidth_share: Option<f64>,
}

pub(super) fn run(arguments: &Bench, levels: impl Iterator<Item = u32>) -> anyhow::Result<()> {
    let console = Console::new(arguments.json);
    let context = GpuContext::shared()?;
    let copy = copy_bandwidth(&context)?;
    console.say(format_args!("{}, copies {:.2} TB/s\n{}", context.info().name, copy / 1e12, Row::HEADER))?;
    let precisions = match arguments.solver.precision.into() {
        Precision::Auto => vec![Precision::F32, Precision::F64, Precision::DoubleF32],
        precision => vec![precision],
    };
    for level in levels {
        for &precision in &precisions {
            let Some(formats) = formats(&context, precision) else {
                console.say(format_args!("{precision:?} is not to be had here"))?;
                continue;
            };
            for mut row in measure(&context, arguments, level, precision, formats)? {
                row.bandwidth_share = row.bytes.map(|bytes| bytes as f64 / row.seconds / copy);
                console.say(&row)?;
                console.json(&row)?;
            }
        }
    }
    Ok(())
}

fn formats(context: &GpuContext, precision: Precision) -> Option<Formats> {
    let doubles = context.has_f64();
    let sum = if doubles { Format::F64 } else { Format::DoubleF32 };
    match precision {
        Precision::F32 => Some(Formats { real: Format::F32, sum }),
        Precision::F64 if doubles => Some(Formats { real: Format::F64, sum: Format::F64 }),
        Precision::F64 => None,
        Precision::DoubleF32 | Precision::Auto => Some(Formats { real: Format::DoubleF32, sum: Format::DoubleF32 }),
    }
}

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
fn copy_bandwidth(context: &GpuContext) -> Result<f64, GpuError> {
    let bytes = COPIED.min(context.max_binding_bytes() as usize);
    let from = GpuBuffer::<u8>::zeros(context, "from", bytes)?;
    let to = GpuBuffer::<u8>::zeros(context, "to", bytes)?;
    let kernel = context.kernel("copy", COPY, "copy", &[Binding::ReadOnly, Binding::ReadWrite])?;
    let bindings = kernel.bind_ranges(&[from.binding(), to.binding()])?;
    let seconds = per_repetition(context, |commands, count| {
        (0..count).for_each(|_| commands.dispatch(&kernel, &bindings, &[], bytes.div_ceil(16 * 256) as u64));
    })?;
    Ok(2.0 * bytes as f64 / seconds)
}

/// Seconds a repetition: what many take more than a few, so that the submission does not count.
fn per_repetition(context: &GpuContext, record: impl Fn(&mut Commands, usize)) -> Result<f64, GpuError> {
    let once = |count: usize| -> Result<f64, GpuError> {
        let mut commands = context.commands("bench");
        record(&mut commands, count);
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

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn settings() -> Settings {
    // Nothing stops these steps but their number.
    Settings {
        max_invalid_steps: u32::MAX,
        jacobi_scaling: true,
        function_tolerance: 0.0,
        gradient_tolerance: 0.0,
        parameter_tolerance: 0.0,
        min_gain_ratio: 1e-3,
        min_diagonal: 1e-6,
        max_diagonal: 1e32,
        min_radius: 0.0,
        max_radius: 1e16,
        initial_radius: 1e4,
        forcing: 0.0,
        rounding: 0.0,
        small_promise: 0.0,
        max_linear_iterations: LINEAR_ITERATIONS,
    }
}

fn measure(
    context: &GpuContext,
    arguments: &Bench,
    level: u32,
    precision: Precision,
    formats: Formats,
) -> anyhow::Result<Vec<Row>> {
    let mesh = icosphere(level)?;
    let stated = MeshProblem::new(arguments.energy, &mesh)?;
    let start = Instant::now();
    let compiled = stated.problem.compile()?;
    let parameters = stated.problem.parameters();
    let mut device = DeviceProblem::new(context, &compiled, parameters, formats, &settings())?;
    let mut commands = context.commands("start");
    device.record_start(&mut commands);
    commands.submit().wait(context)?;
    let first_dispatch = start.elapsed().as_secs_f64();
    // A second one finds its kernels compiled.
    let start = Instant::now();
    device = DeviceProblem::new(context, &compiled, parameters, formats, &settings())?;
    let mut commands = context.commands("start");
    device.record_start(&mut commands);
    commands.submit().wait(context)?;
    let warm = start.elapsed().as_secs_f64();

    let number = formats.real.bytes();
    let layout = &device.layout;
    let bytes_of = |numbers: usize, indices: usize| Some((numbers * number + indices * 4) as u64);
    let (residuals, stored) = (layout.residuals, layout.stored);
    let (indices, incidence, data) = (layout.indices.len(), layout.incidence.len(), layout.data.len());
    let x = parameters.values().len();

    let mut rows = Vec::new();
    let mut row = |stage, seconds, bytes| {
        rows.push(Row {
            demo: "bench",
            device: context.info().name.clone(),
            problem: format!("icosphere:{level}#{}", arguments.energy),
            level,
            precision,
            parameters: x,
            residuals,
            stage,
            seconds,
            bytes,
            bandwidth_share: None,
        });
    };
    row("compile, upload and first evaluation", first_dispatch, None);
    row("the same with compiled kernels", warm, None);
    let repeat = |record: &dyn Fn(&DeviceProblem, &mut Commands)| {
        per_repetition(context, |commands, count| (0..count).for_each(|_| record(&device, commands)))
    };
    row("residuals", repeat(&|d, c| d.record_trial_residuals(c))?, bytes_of(x + data + residuals, indices));
    row(
        "residuals and Jacobian",
        repeat(&|d, c| d.record_linearize(c))?,
        bytes_of(x + data + residuals + stored, indices),
    );
    row(
        "gradient and diagonal blocks",
        repeat(&|d, c| d.record_normal(c))?,
        bytes_of(x + residuals + stored + layout.diagonal, incidence),
    );
    let mut commands = context.commands("start of conjugate gradients");
    device.record_linear_start(&mut commands);
    commands.submit().wait(context)?;
    row(
        "(JᵀJ + D) p",
        repeat(&|d, c| d.record_normal_product(c))?,
        bytes_of(2 * (residuals + stored) + 5 * x, indices + incidence),
    );
    let steps = 10;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let device = DeviceProblem::new(context, &compiled, parameters, formats, &settings())?;
        let mut commands = context.commands("start");
        device.record_start(&mut commands);
        device.record_step(&mut commands, LINEAR_ITERATIONS);
        commands.submit().wait(context)?;
        let start = Instant::now();
        let mut last = None;
        for _ in 0..steps {
            let mut commands = context.commands("step");
            device.record_step(&mut commands, LINEAR_ITERATIONS);
            last = Some(commands.submit());
        }
        if let Some(last) = last {
            last.wait(context)?;
        }
        times.push(start.elapsed().as_secs_f64() / f64::from(steps));
    }
    row("step with 50 iterations", median(times), None);
    let start = Instant::now();
    device.read(Slot::Point)?;
    row("read the parameters back", start.elapsed().as_secs_f64(), bytes_of(x, 0));
    Ok(rows)
}

impl Row {
    const HEADER: &str = "level  precision   stage                                     time        bytes   of copying";
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = format!("{:?}", self.precision);
        write!(f, "{:5}  {precision:10}  {:38} {:9.4} ms", self.level, self.stage, 1e3 * self.seconds)?;
        if let (Some(bytes), Some(share)) = (self.bytes, self.bandwidth_share) {
            write!(f, "  {:8.2} MB  {:6.1} %", bytes as f64 / 1e6, 100.0 * share)?;
        }
        Ok(())
    }
}
