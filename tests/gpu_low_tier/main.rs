//! The low tier of the GPU backend: devices, memory, kernels, commands, and what happens when they fail.

mod devices;
#[path = "../gpu_support/mod.rs"]
mod gpu_support;
mod kernels;
mod memory;

use isograd::backend::gpu::{Binding, GpuBuffer, GpuContext, GpuError, GpuOptions};

/// `name` and the function of that name.
macro_rules! tests {
    ($($module:ident::$name:ident),* $(,)?) => { vec![$((stringify!($name), $module::$name as fn(&GpuContext))),*] };
}

fn main() {
    gpu_support::main(tests![
        kernels::a_kernel_doubles_numbers,
        kernels::more_workgroups_than_one_dimension_has,
        kernels::indirect_dispatches_read_their_counts,
        kernels::dynamic_uniforms,
        kernels::commands_run_in_order,
        kernels::stages_are_timed,
        devices::broken_text_is_shown_with_its_line,
        devices::an_entry_that_is_missing_is_an_error,
        devices::unknown_adapters_are_errors_that_list_the_known,
        devices::too_many_storage_buffers_are_an_error,
        devices::a_wrong_number_of_buffers_is_an_error,
        devices::what_no_call_returns_is_found_by_check,
        memory::buffers_are_reused,
        memory::buffers_keep_to_their_labels,
        memory::buffers_of_unsubmitted_commands_are_not_reused,
        memory::zeros_are_zeros_after_reuse,
        memory::empty_buffers,
        memory::elements_of_one_byte,
        memory::parts_of_a_buffer_are_written,
        memory::whole_buffers_are_filled_by_all_threads,
        memory::writes_beyond_the_end_are_errors,
        memory::buffers_beyond_the_device_are_errors,
        memory::downloads_report_when_they_are_ready,
        memory::downloads_of_dropped_commands_are_errors,
        kernels::kernels_are_compiled_once,
        kernels::several_kernels_compile_at_once,
        kernels::kernels_compile_in_the_background,
        kernels::pending_kernels_are_waited_for,
        kernels::deep_expressions_do_not_end_the_process,
        devices::bindings_keep_within_the_limit,
        devices::features_can_be_done_without,
        devices::threads_share_a_context,
        kernels::the_pipeline_cache_is_written_and_read,
        kernels::a_damaged_pipeline_cache_is_ignored,
        devices::a_lost_device_gives_errors,
        devices::a_lost_device_ends_what_is_under_way,
        devices::a_device_of_the_callers_own,
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
