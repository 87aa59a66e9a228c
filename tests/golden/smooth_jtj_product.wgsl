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
    groups: array<Group, 3>,
}

@group(0) @binding(0) var<uniform> plan: Plan;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> data: array<R>;
@group(0) @binding(3) var<storage, read> x: array<R>;
@group(0) @binding(4) var<storage, read> direction: array<R>;
@group(0) @binding(5) var<storage, read_write> contributions: array<R>;


fn jtj_product_0(i: u32) {
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
    let p1 = direction[b0 + 0u];
    let p2 = direction[b0 + 1u];
    let p3 = direction[b0 + 2u];
    let p4 = direction[b1 + 0u];
    let p5 = direction[b1 + 1u];
    let p6 = direction[b1 + 2u];
    let t7 = v21 * p1;
    let t8 = 2.0f * t7;
    let t9 = v20 * p2;
    let t10 = 2.0f * t9;
    let t11 = v19 * p3;
    let t12 = 2.0f * t11;
    let t13 = v21 * p4;
    let t14 = -2.0f * t13;
    let t15 = v20 * p5;
    let t16 = -2.0f * t15;
    let t17 = v19 * p6;
    let t18 = -2.0f * t17;
    let t19 = t8 + t10;
    let t20 = t19 + t12;
    let t21 = t20 + t14;
    let t22 = t21 + t16;
    let t23 = t22 + t18;
    let t24 = v21 * t23;
    let t25 = 2.0f * t24;
    let t26 = v20 * t23;
    let t27 = 2.0f * t26;
    let t28 = v19 * t23;
    let t29 = 2.0f * t28;
    let t30 = v21 * t23;
    let t31 = -2.0f * t30;
    let t32 = v20 * t23;
    let t33 = -2.0f * t32;
    let t34 = v19 * t23;
    let t35 = -2.0f * t34;
    let place = plan.groups[0].contributions + i * 6u;
    contributions[place + 0u] = t25;
    contributions[place + 1u] = t27;
    contributions[place + 2u] = t29;
    contributions[place + 3u] = t31;
    contributions[place + 4u] = t33;
    contributions[place + 5u] = t35;
}

fn jtj_product_1(i: u32) {
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
    let p1 = direction[b0 + 0u];
    let p2 = direction[b1 + 0u];
    let p3 = direction[b2 + 0u];
    let p4 = direction[b3 + 0u];
    let p5 = direction[b4 + 0u];
    let p6 = direction[b5 + 0u];
    let p7 = direction[b0 + 1u];
    let p8 = direction[b1 + 1u];
    let p9 = direction[b2 + 1u];
    let p10 = direction[b3 + 1u];
    let p11 = direction[b4 + 1u];
    let p12 = direction[b5 + 1u];
    let p13 = direction[b0 + 2u];
    let p14 = direction[b1 + 2u];
    let p15 = direction[b2 + 2u];
    let p16 = direction[b3 + 2u];
    let p17 = direction[b4 + 2u];
    let p18 = direction[b5 + 2u];
    let t19 = 0.5f * p1;
    let t20 = -0.1f * p2;
    let t21 = -0.1f * p3;
    let t22 = -0.1f * p4;
    let t23 = -0.1f * p5;
    let t24 = -0.1f * p6;
    let t25 = t19 + t20;
    let t26 = t25 + t21;
    let t27 = t26 + t22;
    let t28 = t27 + t23;
    let t29 = t28 + t24;
    let t30 = 0.5f * p7;
    let t31 = -0.1f * p8;
    let t32 = -0.1f * p9;
    let t33 = -0.1f * p10;
    let t34 = -0.1f * p11;
    let t35 = -0.1f * p12;
    let t36 = t30 + t31;
    let t37 = t36 + t32;
    let t38 = t37 + t33;
    let t39 = t38 + t34;
    let t40 = t39 + t35;
    let t41 = 0.5f * p13;
    let t42 = -0.1f * p14;
    let t43 = -0.1f * p15;
    let t44 = -0.1f * p16;
    let t45 = -0.1f * p17;
    let t46 = -0.1f * p18;
    let t47 = t41 + t42;
    let t48 = t47 + t43;
    let t49 = t48 + t44;
    let t50 = t49 + t45;
    let t51 = t50 + t46;
    let t52 = 0.5f * t29;
    let t53 = -0.1f * t29;
    let t54 = -0.1f * t29;
    let t55 = -0.1f * t29;
    let t56 = -0.1f * t29;
    let t57 = -0.1f * t29;
    let t58 = 0.5f * t40;
    let t59 = -0.1f * t40;
    let t60 = -0.1f * t40;
    let t61 = -0.1f * t40;
    let t62 = -0.1f * t40;
    let t63 = -0.1f * t40;
    let t64 = 0.5f * t51;
    let t65 = -0.1f * t51;
    let t66 = -0.1f * t51;
    let t67 = -0.1f * t51;
    let t68 = -0.1f * t51;
    let t69 = -0.1f * t51;
    let place = plan.groups[1].contributions + i * 18u;
    contributions[place + 0u] = t52;
    contributions[place + 1u] = t58;
    contributions[place + 2u] = t64;
    contributions[place + 3u] = t53;
    contributions[place + 4u] = t59;
    contributions[place + 5u] = t65;
    contributions[place + 6u] = t54;
    contributions[place + 7u] = t60;
    contributions[place + 8u] = t66;
    contributions[place + 9u] = t55;
    contributions[place + 10u] = t61;
    contributions[place + 11u] = t67;
    contributions[place + 12u] = t56;
    contributions[place + 13u] = t62;
    contributions[place + 14u] = t68;
    contributions[place + 15u] = t57;
    contributions[place + 16u] = t63;
    contributions[place + 17u] = t69;
}

fn jtj_product_2(i: u32) {
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
    let p1 = direction[b0 + 0u];
    let p2 = direction[b1 + 0u];
    let p3 = direction[b2 + 0u];
    let p4 = direction[b3 + 0u];
    let p5 = direction[b4 + 0u];
    let p6 = direction[b5 + 0u];
    let p7 = direction[b6 + 0u];
    let p8 = direction[b0 + 1u];
    let p9 = direction[b1 + 1u];
    let p10 = direction[b2 + 1u];
    let p11 = direction[b3 + 1u];
    let p12 = direction[b4 + 1u];
    let p13 = direction[b5 + 1u];
    let p14 = direction[b6 + 1u];
    let p15 = direction[b0 + 2u];
    let p16 = direction[b1 + 2u];
    let p17 = direction[b2 + 2u];
    let p18 = direction[b3 + 2u];
    let p19 = direction[b4 + 2u];
    let p20 = direction[b5 + 2u];
    let p21 = direction[b6 + 2u];
    let t22 = 0.5f * p1;
    let t23 = -0.083333336f * p2;
    let t24 = -0.083333336f * p3;
    let t25 = -0.083333336f * p4;
    let t26 = -0.083333336f * p5;
    let t27 = -0.083333336f * p6;
    let t28 = -0.083333336f * p7;
    let t29 = t22 + t23;
    let t30 = t29 + t24;
    let t31 = t30 + t25;
    let t32 = t31 + t26;
    let t33 = t32 + t27;
    let t34 = t33 + t28;
    let t35 = 0.5f * p8;
    let t36 = -0.083333336f * p9;
    let t37 = -0.083333336f * p10;
    let t38 = -0.083333336f * p11;
    let t39 = -0.083333336f * p12;
    let t40 = -0.083333336f * p13;
    let t41 = -0.083333336f * p14;
    let t42 = t35 + t36;
    let t43 = t42 + t37;
    let t44 = t43 + t38;
    let t45 = t44 + t39;
    let t46 = t45 + t40;
    let t47 = t46 + t41;
    let t48 = 0.5f * p15;
    let t49 = -0.083333336f * p16;
    let t50 = -0.083333336f * p17;
    let t51 = -0.083333336f * p18;
    let t52 = -0.083333336f * p19;
    let t53 = -0.083333336f * p20;
    let t54 = -0.083333336f * p21;
    let t55 = t48 + t49;
    let t56 = t55 + t50;
    let t57 = t56 + t51;
    let t58 = t57 + t52;
    let t59 = t58 + t53;
    let t60 = t59 + t54;
    let t61 = 0.5f * t34;
    let t62 = -0.083333336f * t34;
    let t63 = -0.083333336f * t34;
    let t64 = -0.083333336f * t34;
    let t65 = -0.083333336f * t34;
    let t66 = -0.083333336f * t34;
    let t67 = -0.083333336f * t34;
    let t68 = 0.5f * t47;
    let t69 = -0.083333336f * t47;
    let t70 = -0.083333336f * t47;
    let t71 = -0.083333336f * t47;
    let t72 = -0.083333336f * t47;
    let t73 = -0.083333336f * t47;
    let t74 = -0.083333336f * t47;
    let t75 = 0.5f * t60;
    let t76 = -0.083333336f * t60;
    let t77 = -0.083333336f * t60;
    let t78 = -0.083333336f * t60;
    let t79 = -0.083333336f * t60;
    let t80 = -0.083333336f * t60;
    let t81 = -0.083333336f * t60;
    let place = plan.groups[2].contributions + i * 21u;
    contributions[place + 0u] = t61;
    contributions[place + 1u] = t68;
    contributions[place + 2u] = t75;
    contributions[place + 3u] = t62;
    contributions[place + 4u] = t69;
    contributions[place + 5u] = t76;
    contributions[place + 6u] = t63;
    contributions[place + 7u] = t70;
    contributions[place + 8u] = t77;
    contributions[place + 9u] = t64;
    contributions[place + 10u] = t71;
    contributions[place + 11u] = t78;
    contributions[place + 12u] = t65;
    contributions[place + 13u] = t72;
    contributions[place + 14u] = t79;
    contributions[place + 15u] = t66;
    contributions[place + 16u] = t73;
    contributions[place + 17u] = t80;
    contributions[place + 18u] = t67;
    contributions[place + 19u] = t74;
    contributions[place + 20u] = t81;
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
    } else if (w < plan.groups[1].end) {
        let first = (w - plan.groups[1].first) * plan.groups[1].tile;
        for (var k = 0u; k < plan.groups[1].tile; k++) {
            let i = (first + k) * 128u + lane;
            if (i < plan.groups[1].count) { jtj_product_1(i); }
        }
    } else if (w < plan.groups[2].end) {
        let first = (w - plan.groups[2].first) * plan.groups[2].tile;
        for (var k = 0u; k < plan.groups[2].tile; k++) {
            let i = (first + k) * 128u + lane;
            if (i < plan.groups[2].count) { jtj_product_2(i); }
        }
    }
}
