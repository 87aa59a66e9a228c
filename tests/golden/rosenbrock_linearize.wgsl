// Whether a is neither infinite nor NaN, by its bits; see is_finite_f64 for the detour.
fn is_finite_f32(a: f32) -> bool {
    let bits = min(bitcast<u32>(a), 0xfffffff0u);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

// Instances of a group: workgroups first..end, `tile` times a workgroup's size of instances each.
struct Group {
    @align(16) end: u32,
    first: u32,
    count: u32,
    // Instances from one column of indices or data to the next.
    stride: u32,
    tile: u32,
    // Where its numbers begin.
    blocks: u32,
    data: u32,
    residuals: u32,
    stored: u32,
    contributions: u32,
}

// Whether a workgroup goes on, agreed among its lanes.
var<workgroup> go_on: u32;

fn is_running() -> bool { return single_s(scalars[TERMINATED]) == 0.0f; }

fn is_new_point() -> bool { return single_s(scalars[ACCEPTED]) != 0.0f; }

const ACCEPTED: u32 = 16u;

const TERMINATED: u32 = 18u;

alias R = f32;
fn add_r(a: R, b: R) -> R { return a + b; }
fn sub_r(a: R, b: R) -> R { return a - b; }
fn mul_r(a: R, b: R) -> R { return a * b; }
fn div_r(a: R, b: R) -> R { return a / b; }
fn neg_r(a: R) -> R { return -a; }
fn abs_r(a: R) -> R { return abs(a); }
fn sqrt_r(a: R) -> R { return sqrt(a); }
fn less_r(a: R, b: R) -> bool { return a < b; }
fn single_r(a: R) -> f32 { return a; }
fn number_r(a: f32) -> R { return a; }
fn finite_r(a: R) -> bool { return is_finite_f32(a); }

alias S = f32;
fn add_s(a: S, b: S) -> S { return a + b; }
fn sub_s(a: S, b: S) -> S { return a - b; }
fn mul_s(a: S, b: S) -> S { return a * b; }
fn div_s(a: S, b: S) -> S { return a / b; }
fn neg_s(a: S) -> S { return -a; }
fn abs_s(a: S) -> S { return abs(a); }
fn sqrt_s(a: S) -> S { return sqrt(a); }
fn less_s(a: S, b: S) -> bool { return a < b; }
fn single_s(a: S) -> f32 { return a; }
fn number_s(a: f32) -> S { return a; }
fn finite_s(a: S) -> bool { return is_finite_f32(a); }

fn wide(a: R) -> S { return a; }
fn narrow(a: S) -> R { return a; }

struct Plan {
    groups: array<Group, 1>,
}

@group(0) @binding(0) var<uniform> plan: Plan;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> data: array<R>;
@group(0) @binding(3) var<storage, read> x: array<R>;
@group(0) @binding(4) var<storage, read_write> residuals: array<R>;
@group(0) @binding(5) var<storage, read_write> stored: array<R>;
@group(0) @binding(6) var<storage, read> scalars: array<S>;

fn linearize_0(begin: u32, lane: u32) {
    let last = plan.groups[0].count - 1u;
    let i = min(begin + lane, last);
    let b0 = indices[plan.groups[0].blocks + 0u * plan.groups[0].stride + i];
    let v0 = data[plan.groups[0].data + 0u * plan.groups[0].stride + i];
    let v1 = x[b0 + 0u];
    let v2 = v0 - v1;
    let v3 = v1 * v1;
    let v4 = x[b0 + 1u];
    let v5 = v4 - v3;
    let v6 = data[plan.groups[0].data + 1u * plan.groups[0].stride + i];
    let v7 = v5 * v6;
    let v8 = v1 * v6;
    let v9 = -v8;
    let v10 = v9 - v8;
    if (begin + lane <= last) {
    residuals[plan.groups[0].residuals + i * 2u + 0u] = v2;
    residuals[plan.groups[0].residuals + i * 2u + 1u] = v7;
    stored[plan.groups[0].stored + i * 2u + 0u] = v10;
    stored[plan.groups[0].stored + i * 2u + 1u] = v6;
    }
}

@compute @workgroup_size(128)
fn linearize(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let w = workgroup.y * workgroups.x + workgroup.x;
    if (lane == 0u) { go_on = u32(is_running() & is_new_point()); }
    if (workgroupUniformLoad(&go_on) == 0u) { return; }
    if (w < plan.groups[0].end) {
        let first = (w - plan.groups[0].first) * plan.groups[0].tile;
        for (var k = 0u; k < plan.groups[0].tile; k++) {
            let begin = (first + k) * 128u;
            if (begin < plan.groups[0].count) { linearize_0(begin, lane); }
        }
    }
}
