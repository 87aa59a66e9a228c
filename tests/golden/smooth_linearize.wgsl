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
    groups: array<Group, 3>,
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
    let b1 = indices[plan.groups[0].blocks + 1u * plan.groups[0].stride + i];
    let v0 = x[b0 + 0u];
    let v1 = x[b1 + 0u];
    let v2 = v0 - v1;
    let v3 = v2 * v2;
    let v4 = x[b0 + 1u];
    let v5 = x[b1 + 1u];
    let v6 = v4 - v5;
    let v7 = v6 * v6;
    let v8 = v3 + v7;
    let v9 = x[b0 + 2u];
    let v10 = x[b1 + 2u];
    let v11 = v9 - v10;
    let v12 = v11 * v11;
    let v13 = v8 + v12;
    let v14 = sqrt(v13);
    let v15 = data[plan.groups[0].data + 0u * plan.groups[0].stride + i];
    let v16 = v14 - v15;
    let v18 = 0.5f / v14;
    let v19 = v11 * v18;
    let v20 = v6 * v18;
    let v21 = v2 * v18;
    if (begin + lane <= last) {
    residuals[plan.groups[0].residuals + i * 1u + 0u] = v16;
    stored[plan.groups[0].stored + i * 3u + 0u] = v21;
    stored[plan.groups[0].stored + i * 3u + 1u] = v20;
    stored[plan.groups[0].stored + i * 3u + 2u] = v19;
    }
}

fn linearize_1(begin: u32, lane: u32) {
    let last = plan.groups[1].count - 1u;
    let i = min(begin + lane, last);
    let b0 = indices[plan.groups[1].blocks + 0u * plan.groups[1].stride + i];
    let b1 = indices[plan.groups[1].blocks + 1u * plan.groups[1].stride + i];
    let b2 = indices[plan.groups[1].blocks + 2u * plan.groups[1].stride + i];
    let b3 = indices[plan.groups[1].blocks + 3u * plan.groups[1].stride + i];
    let b4 = indices[plan.groups[1].blocks + 4u * plan.groups[1].stride + i];
    let b5 = indices[plan.groups[1].blocks + 5u * plan.groups[1].stride + i];
    let v0 = x[b2 + 0u];
    let v1 = x[b3 + 0u];
    let v2 = v0 + v1;
    let v3 = x[b4 + 0u];
    let v4 = v2 + v3;
    let v5 = x[b1 + 0u];
    let v6 = v4 + v5;
    let v7 = x[b5 + 0u];
    let v8 = v6 + v7;
    let v10 = v8 / 5.0f;
    let v11 = x[b0 + 0u];
    let v12 = v11 - v10;
    let v14 = v12 * 0.5f;
    let v15 = x[b2 + 1u];
    let v16 = x[b3 + 1u];
    let v17 = v15 + v16;
    let v18 = x[b4 + 1u];
    let v19 = v17 + v18;
    let v20 = x[b1 + 1u];
    let v21 = v19 + v20;
    let v22 = x[b5 + 1u];
    let v23 = v21 + v22;
    let v24 = v23 / 5.0f;
    let v25 = x[b0 + 1u];
    let v26 = v25 - v24;
    let v27 = 0.5f * v26;
    let v28 = x[b2 + 2u];
    let v29 = x[b3 + 2u];
    let v30 = v28 + v29;
    let v31 = x[b4 + 2u];
    let v32 = v30 + v31;
    let v33 = x[b1 + 2u];
    let v34 = v32 + v33;
    let v35 = x[b5 + 2u];
    let v36 = v34 + v35;
    let v37 = v36 / 5.0f;
    let v38 = x[b0 + 2u];
    let v39 = v38 - v37;
    let v40 = 0.5f * v39;
    if (begin + lane <= last) {
    residuals[plan.groups[1].residuals + i * 3u + 0u] = v14;
    residuals[plan.groups[1].residuals + i * 3u + 1u] = v27;
    residuals[plan.groups[1].residuals + i * 3u + 2u] = v40;
    }
}

fn linearize_2(begin: u32, lane: u32) {
    let last = plan.groups[2].count - 1u;
    let i = min(begin + lane, last);
    let b0 = indices[plan.groups[2].blocks + 0u * plan.groups[2].stride + i];
    let b1 = indices[plan.groups[2].blocks + 1u * plan.groups[2].stride + i];
    let b2 = indices[plan.groups[2].blocks + 2u * plan.groups[2].stride + i];
    let b3 = indices[plan.groups[2].blocks + 3u * plan.groups[2].stride + i];
    let b4 = indices[plan.groups[2].blocks + 4u * plan.groups[2].stride + i];
    let b5 = indices[plan.groups[2].blocks + 5u * plan.groups[2].stride + i];
    let b6 = indices[plan.groups[2].blocks + 6u * plan.groups[2].stride + i];
    let v0 = x[b2 + 0u];
    let v1 = x[b3 + 0u];
    let v2 = v0 + v1;
    let v3 = x[b4 + 0u];
    let v4 = v2 + v3;
    let v5 = x[b1 + 0u];
    let v6 = v4 + v5;
    let v7 = x[b5 + 0u];
    let v8 = v6 + v7;
    let v9 = x[b6 + 0u];
    let v10 = v8 + v9;
    let v12 = v10 / 6.0f;
    let v13 = x[b0 + 0u];
    let v14 = v13 - v12;
    let v16 = v14 * 0.5f;
    let v17 = x[b3 + 1u];
    let v18 = x[b2 + 1u];
    let v19 = v17 + v18;
    let v20 = x[b4 + 1u];
    let v21 = v19 + v20;
    let v22 = x[b1 + 1u];
    let v23 = v21 + v22;
    let v24 = x[b5 + 1u];
    let v25 = v23 + v24;
    let v26 = x[b6 + 1u];
    let v27 = v25 + v26;
    let v28 = v27 / 6.0f;
    let v29 = x[b0 + 1u];
    let v30 = v29 - v28;
    let v31 = 0.5f * v30;
    let v32 = x[b2 + 2u];
    let v33 = x[b3 + 2u];
    let v34 = v32 + v33;
    let v35 = x[b4 + 2u];
    let v36 = v34 + v35;
    let v37 = x[b1 + 2u];
    let v38 = v36 + v37;
    let v39 = x[b5 + 2u];
    let v40 = v38 + v39;
    let v41 = x[b6 + 2u];
    let v42 = v40 + v41;
    let v43 = v42 / 6.0f;
    let v44 = x[b0 + 2u];
    let v45 = v44 - v43;
    let v46 = 0.5f * v45;
    if (begin + lane <= last) {
    residuals[plan.groups[2].residuals + i * 3u + 0u] = v16;
    residuals[plan.groups[2].residuals + i * 3u + 1u] = v31;
    residuals[plan.groups[2].residuals + i * 3u + 2u] = v46;
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
    } else if (w < plan.groups[1].end) {
        let first = (w - plan.groups[1].first) * plan.groups[1].tile;
        for (var k = 0u; k < plan.groups[1].tile; k++) {
            let begin = (first + k) * 128u;
            if (begin < plan.groups[1].count) { linearize_1(begin, lane); }
        }
    } else if (w < plan.groups[2].end) {
        let first = (w - plan.groups[2].first) * plan.groups[2].tile;
        for (var k = 0u; k < plan.groups[2].tile; k++) {
            let begin = (first + k) * 128u;
            if (begin < plan.groups[2].count) { linearize_2(begin, lane); }
        }
    }
}
