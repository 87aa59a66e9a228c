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
@group(0) @binding(4) var<storage, read> direction: array<R>;
@group(0) @binding(5) var<storage, read_write> contributions: array<R>;


fn jtj_product_0(i: u32) {
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
    let p1 = direction[b0 + 0u];
    let p2 = direction[b0 + 1u];
    let t3 = -p1;
    let t4 = v10 * p1;
    let t5 = v6 * p2;
    let t6 = t4 + t5;
    let t7 = -t3;
    let t8 = v10 * t6;
    let t9 = v6 * t6;
    let t10 = t7 + t8;
    let place = plan.groups[0].contributions + i * 2u;
    contributions[place + 0u] = t10;
    contributions[place + 1u] = t9;
}

@compute @workgroup_size(128)
fn jtj_product(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let w = workgroup.y * workgroups.x + workgroup.x;
    if (w < plan.groups[0].end) {
        let first = (w - plan.groups[0].first) * plan.groups[0].tile;
        for (var k = 0u; k < plan.groups[0].tile; k++) {
            let i = (first + k) * 128u + lane;
            if (i < plan.groups[0].count) { jtj_product_0(i); }
        }
    }
}
