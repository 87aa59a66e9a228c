// Infinity, from bits that are not a constant expression.
fn inf_f32() -> f32 {
    var bits: u32 = 0x7f800000u;
    return bitcast<f32>(bits);
}

// Whether a is NaN, by its bits.
fn is_nan_f32(a: f32) -> bool {
    return (bitcast<u32>(a) & 0x7fffffffu) > 0x7f800000u;
}

// Whether a is neither infinite nor NaN, by its bits; see is_finite_f64 for the detour.
fn is_finite_f32(a: f32) -> bool {
    let bits = min(bitcast<u32>(a), 0xfffffff0u);
    return (bits & 0x7f800000u) != 0x7f800000u;
}

// a itself, behind an integer operation: no compiler can move a sum or a constant across it.
fn fence_f32(a: f32) -> f32 {
    return bitcast<f32>(min(bitcast<u32>(a), 0xfffffff0u));
}

// 2^n for -126 <= n <= 127, exact.
fn pow2_f32(n: i32) -> f32 {
    return bitcast<f32>(u32(n + 127) << 23u);
}

// x 2^n for -252 <= n <= 254, rounded once: to infinity or to a denormal (or 0) at the ends.
fn scale_f32(x: f32, n: i32) -> f32 {
    let half = n >> 1u;
    return fence_f32(x * pow2_f32(half)) * pow2_f32(n - half);
}

// e^a 2^n for |a| <= 110, |n| <= 2: k = round(a / ln 2), Cephes expf polynomial on |r| <= ln 2 / 2. 1.1 ulp.
fn exp_scaled_f32(a: f32, n: i32) -> f32 {
    let k = floor(a * 1.44269504f + 0.5f);
    let high = fence_f32(a - k * 0.693359375f);
    let r = fence_f32(high + k * 2.12194440e-4f);
    let p4 = 1.9875691500e-4f * r + 1.3981999507e-3f;
    let p3 = p4 * r + 8.3334519073e-3f;
    let p2 = p3 * r + 4.1665795894e-2f;
    let p1 = p2 * r + 1.6666665459e-1f;
    let p0 = p1 * r + 5.0000001201e-1f;
    let y = 1.0f + fence_f32(r + (r * r) * p0);
    return scale_f32(y, i32(k) + n);
}

// e^a. 1.1 ulp; denormal (or flushed) below -87.3, 0 below -103.98, infinite above 88.72.
fn exp_f32(a: f32) -> f32 {
    if (is_nan_f32(a)) {
        return a;
    }
    if (a > 89.0f) {
        return inf_f32();
    }
    if (a < -104.0f) {
        return 0.0f;
    }
    return exp_scaled_f32(a, 0);
}

// What holds for a whole solve.
struct Solve {
    // Partial sums over blocks, along incidence lists, over residuals, and the room for each of them.
    block_partials: u32,
    list_partials: u32,
    residual_partials: u32,
    capacity: u32,
    parameters: u32,
    // Partial sums of a dispatch of `iterate`.
    iterate_partials: u32,
    max_invalid_steps: u32,
    jacobi_scaling: u32,
    function_tolerance: f32,
    gradient_tolerance: f32,
    parameter_tolerance: f32,
    min_gain_ratio: f32,
    min_diagonal: f32,
    max_diagonal: f32,
    min_radius: f32,
    max_radius: f32,
    forcing: f32,
    rounding: f32,
    small_promise: f32,
    smallest_pivot: f32,
    // 1: parameters have bounds.
    bounded: u32,
    max_iterations: f32,
    // Relative rise of the cost that rounding explains, and the share of the squared gradient that a step leaves which is taken on its account.
    noise: f32,
    polished: f32,
    // Partial sums of the curvature: of the lists of the blocks that conjugate gradients work on.
    curvature_partials: u32,
}

// A pivot of the Cholesky factorisation, kept above what rounding leaves of it.
fn pivot(reduced: R, original: R) -> R {
    let least = mul_r(original, number_r(solve.smallest_pivot));
    if (less_r(reduced, least)) { return least; }
    return reduced;
}

// The number between two bounds that is next to `a`; a NaN stays one.
fn clamped(a: R, lower: R, upper: R) -> R {
    if (less_r(a, lower)) { return lower; }
    if (less_r(upper, a)) { return upper; }
    return a;
}

// Components of a shape, and the dispatch over those that go on.
struct Lot {
    @align(16) components: u32,
    running: u32,
    // Iterations of the dispatch.
    turns: u32,
}

// Where the instances of a kind have their numbers.
struct Instances {
    @align(16) data: u32,
    // Instances from one data column, or one column of fixed blocks, to the next.
    stride: u32,
    // Where the starts of their fixed blocks begin.
    fixed_blocks: u32,
}

// The component at hand.
var<private> own: u32;

// Sum of the squares that the cost at the trial point is half of.
var<private> own_squares: S;

// Whether the equations had a solution, and whether bounds cut the step short.
var<private> own_has_step: bool;

var<private> own_is_cut: bool;

// Squared lengths of the step and of the point that it starts from, and the decrease that the linear model promises.
var<private> own_step_square: S;

var<private> own_point_square: S;

var<private> own_promised: S;

// Where the component keeps number k of something.
fn own_place(k: u32) -> u32 {
    return k * plan.lot[0].components + own;
}

// D = clip(s² h) / (radius s²).
fn own_damping(h: R, square: R, radius: R) -> R {
    var clipped = mul_r(h, square);
    if (less_r(clipped, number_r(solve.min_diagonal))) { clipped = number_r(solve.min_diagonal); }
    if (less_r(number_r(solve.max_diagonal), clipped)) { clipped = number_r(solve.max_diagonal); }
    return div_r(clipped, mul_r(radius, square));
}

// The square of the scale s = 1 / (1 + √h) of a column.
fn own_scale_square(h: R) -> R {
    if (solve.jacobi_scaling == 0u) { return number_r(1.0f); }
    let scale = div_r(number_r(1.0f), add_r(number_r(1.0f), sqrt_r(h)));
    return mul_r(scale, scale);
}

// Whether component k is at a bound while the gradient pushes it outward.
fn own_is_active(k: u32, point: R, g: R) -> bool {
    let zero = number_r(0.0f);
    return (!less_r(bounds[own_place(2u * k)], point) && less_r(zero, g))
        || (!less_r(point, bounds[own_place(2u * k + 1u)]) && less_r(g, zero));
}

// A number inside the bounds of component k.
fn own_inside(k: u32, there: R) -> R {
    let inside = clamped(there, bounds[own_place(2u * k)], bounds[own_place(2u * k + 1u)]);
    if (less_r(there, inside) || less_r(inside, there)) { own_is_cut = true; }
    return inside;
}

// A component of x − Π(x − g).
fn own_projected(k: u32, point: R, g: R) -> R {
    return sub_r(point, clamped(sub_r(point, g), bounds[own_place(2u * k)], bounds[own_place(2u * k + 1u)]));
}

// Takes one turn: a step, and what follows from it; at first the evaluation of the start.
fn take_turn() {
    let is_start = outcomes[own] == IS_NEW;
    own_has_step = true;
    own_is_cut = false;
    own_promised = number_s(0.0f);
    if (is_start) {
        stay_component();
    } else {
        if (single_s(components[own_place(OWN_STEPS)]) >= solve.max_iterations) {
            outcomes[own] = AT_MAX_ITERATIONS;
            return;
        }
        solve_component();
        move_component();
    }
    evaluate_component();
    if (is_start) { begin_component(); } else { decide_component(); }
}

// What follows from the start point.
fn begin_component() {
    components[own_place(OWN_COST)] = mul_s(number_s(0.5f), own_squares);
    scale_component();
    keep_component();
    outcomes[own] = IS_RUNNING;
    if (!finite_s(own_squares) || !is_finite_component()) {
        outcomes[own] = IS_NOT_FINITE;
    } else if (is_flat_component()) {
        outcomes[own] = AT_GRADIENT_TOLERANCE;
    }
}

// Takes the trial point or not, and ends the component if there is reason to.
fn decide_component() {
    let cost = mul_s(number_s(0.5f), own_squares);
    let present = components[own_place(OWN_COST)];
    let change = sub_s(present, cost);
    let zero = number_s(0.0f);
    let one = number_s(1.0f);
    components[own_place(OWN_STEPS)] = add_s(components[own_place(OWN_STEPS)], one);
    let is_evaluated = own_has_step && finite_s(cost) && finite_s(own_promised);
    let is_promising = is_evaluated && less_s(zero, own_promised);
    // A projected step may promise nothing, and wants more damping like any that is rejected.
    let is_valid = is_promising || (is_evaluated && solve.bounded != 0u);
    var invalid = 0.0f;
    if (!is_valid) { invalid = single_s(components[own_place(OWN_INVALID)]) + 1.0f; }
    components[own_place(OWN_INVALID)] = number_s(invalid);
    var radius = components[own_place(OWN_RADIUS)];
    if (is_promising && !less_s(change, mul_s(number_s(solve.min_gain_ratio), own_promised))) {
        let slope = sub_s(mul_s(number_s(2.0f), div_s(change, own_promised)), one);
        var growth = sub_s(one, mul_s(slope, mul_s(slope, slope)));
        let least = div_s(one, number_s(3.0f));
        if (less_s(growth, least)) { growth = least; }
        radius = div_s(radius, growth);
        if (less_s(number_s(solve.max_radius), radius)) { radius = number_s(solve.max_radius); }
        components[own_place(OWN_RADIUS)] = radius;
        components[own_place(OWN_SHRINK)] = number_s(2.0f);
        take_component(cost);
        if (!is_finite_component()) {
            outcomes[own] = IS_NOT_FINITE;
        } else if (is_flat_component()) {
            outcomes[own] = AT_GRADIENT_TOLERANCE;
        } else if (!less_s(mul_s(number_s(solve.function_tolerance), present), abs_s(change))) {
            outcomes[own] = AT_FUNCTION_TOLERANCE;
        } else {
            let tolerance = number_s(solve.parameter_tolerance);
            let short_step = mul_s(tolerance, add_s(sqrt_s(own_point_square), tolerance));
            if (!less_s(short_step, sqrt_s(own_step_square))) { outcomes[own] = AT_PARAMETER_TOLERANCE; }
        }
        return;
    }
    // Below 0 without a projection it is 0 to rounding.
    let is_promised = is_promising || (is_valid && !own_is_cut);
    var promised = own_promised;
    if (!less_s(zero, promised)) { promised = zero; }
    // A step whose promise is lost in the rounding of the cost is taken if it shortens the gradient.
    let noise = number_s(solve.noise);
    if (is_promised && !less_s(mul_s(noise, present), promised) && !less_s(mul_s(present, add_s(one, noise)), cost)
        && is_finite_component() && is_steeper_before()) {
        take_component(cost);
        if (is_flat_component()) { outcomes[own] = AT_GRADIENT_TOLERANCE; }
        return;
    }
    radius = div_s(radius, components[own_place(OWN_SHRINK)]);
    components[own_place(OWN_RADIUS)] = radius;
    components[own_place(OWN_SHRINK)] = mul_s(components[own_place(OWN_SHRINK)], number_s(2.0f));
    if (is_promised) {
        // A short step promises little wherever it is taken; only the first one from a point says how good the point is.
        if (less_s(components[own_place(OWN_PROMISE)], zero)) { components[own_place(OWN_PROMISE)] = promised; }
        if (!less_s(mul_s(number_s(solve.rounding), present), promised)) {
            let small = number_s(max(solve.function_tolerance, solve.small_promise));
            outcomes[own] = AT_TRUST_REGION_COLLAPSED;
            if (!less_s(mul_s(small, present), components[own_place(OWN_PROMISE)])) { outcomes[own] = AT_PRECISION_LIMIT; }
            return;
        }
    }
    if (invalid > f32(solve.max_invalid_steps)) {
        outcomes[own] = AT_INVALID_STEPS;
    } else if (less_s(radius, number_s(solve.min_radius))) {
        outcomes[own] = AT_TRUST_REGION_COLLAPSED;
    }
}

// Makes the trial point the accepted one.
fn take_component(cost: S) {
    components[own_place(OWN_COST)] = cost;
    components[own_place(OWN_PROMISE)] = number_s(-1.0f);
    keep_component();
}

const OWN_COST: u32 = 0u;

const OWN_RADIUS: u32 = 1u;

const OWN_SHRINK: u32 = 2u;

const OWN_PROMISE: u32 = 3u;

const OWN_INVALID: u32 = 4u;

const OWN_STEPS: u32 = 5u;

const IS_NEW: u32 = 0u;

const IS_RUNNING: u32 = 1u;

const AT_FUNCTION_TOLERANCE: u32 = 2u;

const AT_GRADIENT_TOLERANCE: u32 = 3u;

const AT_PARAMETER_TOLERANCE: u32 = 4u;

const AT_PRECISION_LIMIT: u32 = 5u;

const AT_TRUST_REGION_COLLAPSED: u32 = 6u;

const AT_INVALID_STEPS: u32 = 7u;

const AT_MAX_ITERATIONS: u32 = 8u;

const IS_NOT_FINITE: u32 = 9u;

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
    lot: array<Lot, 1>,
    kinds: array<Instances, 1>,
}

@group(0) @binding(0) var<uniform> solve: Solve;
@group(0) @binding(1) var<uniform> plan: Plan;
@group(0) @binding(2) var<storage, read> indices: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>;
@group(0) @binding(4) var<storage, read> data: array<R>;
@group(0) @binding(5) var<storage, read_write> x: array<R>;
@group(0) @binding(6) var<storage, read_write> equations: array<R>;
@group(0) @binding(7) var<storage, read_write> components: array<S>;
@group(0) @binding(8) var<storage, read_write> outcomes: array<u32>;
@group(0) @binding(9) var<storage, read> bounds: array<R>;

var<private> own_step: array<R, 2>;
var<private> own_trial: array<R, 2>;
var<private> own_gradient: array<R, 2>;
var<private> own_square: array<R, 3>;
fn point_number(k: u32) -> R { return x[own_place(k)]; }

fn solve_component() {
    let radius = narrow(components[own_place(OWN_RADIUS)]);
    let h1 = equations[own_place(0u)];
    let h2 = equations[own_place(1u)];
    let h3 = equations[own_place(2u)];
    let g4 = equations[own_place(3u)];
    let g5 = equations[own_place(4u)];
    let s6 = equations[own_place(5u)];
    let d7 = own_damping(h1, s6, radius);
    let t8 = h1 + d7;
    let x9 = point_number(0u);
    let active0 = own_is_active(0u, x9, g4);
    let g10 = select(g4, 0.0f, active0);
    let s11 = equations[own_place(6u)];
    let d12 = own_damping(h3, s11, radius);
    let t13 = h3 + d12;
    let x14 = point_number(1u);
    let active1 = own_is_active(1u, x14, g5);
    let g15 = select(g5, 0.0f, active1);
    let h16 = select(h2, 0.0f, active1 || active0);
    let t17 = sqrt_r(pivot(t8, t8));
    let t18 = 1.0f / t17;
    let t19 = h16 * t18;
    let t20 = t19 * t19;
    let t21 = t13 - t20;
    let t22 = sqrt_r(pivot(t21, t13));
    let t23 = 1.0f / t22;
    let t24 = -g10;
    let t25 = t24 * t18;
    let t26 = -g15;
    let t27 = t19 * t25;
    let t28 = t26 - t27;
    let t29 = t28 * t23;
    let t30 = t29 * t23;
    let t31 = t19 * t30;
    let t32 = t25 - t31;
    let t33 = t32 * t18;
    own_step[0] = t33;
    own_has_step = own_has_step && finite_r(t33);
    own_step[1] = t30;
    own_has_step = own_has_step && finite_r(t30);
    if (!own_has_step) {
        own_step[0] = 0.0f;
        own_step[1] = 0.0f;
    }
}

fn stay_component() {
    own_trial[0] = point_number(0u);
    own_trial[1] = point_number(1u);
}

// A component of the step, shortened if it leads out of the box.
fn cut_step(there: R, inside: R, from_here: R, k: u32) -> R {
    if (less_r(there, inside) || less_r(inside, there)) { return sub_r(inside, from_here); }
    return own_step[k];
}

fn move_component() {
    own_step_square = number_s(0.0f);
    own_point_square = number_s(0.0f);
    let x1 = point_number(0u);
    own_point_square = add_s(own_point_square, mul_s(wide(x1), wide(x1)));
    let t2 = x1 + own_step[0];
    let t3 = own_inside(0u, t2);
    own_step[0] = cut_step(t2, t3, x1, 0u);
    own_trial[0] = t3;
    let x4 = point_number(1u);
    own_point_square = add_s(own_point_square, mul_s(wide(x4), wide(x4)));
    let t5 = x4 + own_step[1];
    let t6 = own_inside(1u, t5);
    own_step[1] = cut_step(t5, t6, x4, 1u);
    own_trial[1] = t6;
    let g7 = equations[own_place(3u)];
    let h8 = equations[own_place(0u)];
    let t9 = h8 * own_step[0];
    let t10 = 0.5f * t9;
    let t11 = g7 + t10;
    let d0 = wide(own_step[0]);
    own_promised = sub_s(own_promised, mul_s(d0, wide(t11)));
    own_step_square = add_s(own_step_square, mul_s(d0, d0));
    let g12 = equations[own_place(4u)];
    let h13 = equations[own_place(1u)];
    let t14 = h13 * own_step[0];
    let t15 = g12 + t14;
    let h16 = equations[own_place(2u)];
    let t17 = h16 * own_step[1];
    let t18 = 0.5f * t17;
    let t19 = t15 + t18;
    let d1 = wide(own_step[1]);
    own_promised = sub_s(own_promised, mul_s(d1, wide(t19)));
    own_step_square = add_s(own_step_square, mul_s(d1, d1));
}


fn add_kind_0(i: u32) {
    let v0 = own_trial[1];
    let v1 = data[plan.kinds[0].data + 0u * plan.kinds[0].stride + i];
    let v2 = v0 * v1;
    let v3 = -v2;
    let v4 = exp_f32(v3);
    let v5 = own_trial[0];
    let v6 = v4 * v5;
    let v7 = data[plan.kinds[0].data + 1u * plan.kinds[0].stride + i];
    let v8 = v6 - v7;
    let v9 = v1 * v6;
    let v10 = -v9;
    own_squares = add_s(own_squares, mul_s(wide(v8), wide(v8)));
    let t1 = v4 * v8;
    own_gradient[0] = own_gradient[0] + t1;
    let t2 = v4 * v4;
    own_square[0] = own_square[0] + t2;
    let t3 = v10 * v8;
    own_gradient[1] = own_gradient[1] + t3;
    let t4 = v10 * v4;
    own_square[1] = own_square[1] + t4;
    let t5 = v10 * v10;
    own_square[2] = own_square[2] + t5;
}

fn evaluate_component() {
    own_squares = number_s(0.0f);
    own_gradient[0] = 0.0f;
    own_gradient[1] = 0.0f;
    own_square[0] = 0.0f;
    own_square[1] = 0.0f;
    own_square[2] = 0.0f;
    let first0 = indices[own_place(0u)];
    let end0 = first0 + indices[own_place(1u)];
    for (var i = first0; i < end0; i++) {
        add_kind_0(i);
    }
}


fn scale_component() {
    equations[own_place(5u)] = own_scale_square(own_square[0]);
    equations[own_place(6u)] = own_scale_square(own_square[2]);
}

fn keep_component() {
    x[own_place(0u)] = own_trial[0];
    x[own_place(1u)] = own_trial[1];
    equations[own_place(0u)] = own_square[0];
    equations[own_place(1u)] = own_square[1];
    equations[own_place(2u)] = own_square[2];
    equations[own_place(3u)] = own_gradient[0];
    equations[own_place(4u)] = own_gradient[1];
}

fn is_finite_component() -> bool {
    var finite = true;
    finite = finite && finite_r(own_gradient[0]) && finite_r(own_square[0]);
    finite = finite && finite_r(own_gradient[1]) && finite_r(own_square[2]);
    return finite;
}

fn is_flat_component() -> bool {
    var most = number_r(0.0f);
    let t1 = abs_r(own_projected(0u, own_trial[0], own_gradient[0]));
    if (less_r(most, t1)) { most = t1; }
    let t2 = abs_r(own_projected(1u, own_trial[1], own_gradient[1]));
    if (less_r(most, t2)) { most = t2; }
    return !less_r(number_r(solve.gradient_tolerance), most);
}

fn is_steeper_before() -> bool {
    var before = number_s(0.0f);
    var after = number_s(0.0f);
    let h0 = wide(equations[own_place(0u)]);
    let g0 = wide(equations[own_place(3u)]);
    let t0 = wide(own_gradient[0]);
    if (less_s(number_s(0.0f), h0)) {
        before = add_s(before, div_s(mul_s(g0, g0), h0));
        after = add_s(after, div_s(mul_s(t0, t0), h0));
    }
    let h1 = wide(equations[own_place(2u)]);
    let g1 = wide(equations[own_place(4u)]);
    let t1 = wide(own_gradient[1]);
    if (less_s(number_s(0.0f), h1)) {
        before = add_s(before, div_s(mul_s(g1, g1), h1));
        after = add_s(after, div_s(mul_s(t1, t1), h1));
    }
    return less_s(after, mul_s(number_s(solve.polished), before));
}

@compute @workgroup_size(128)
fn component(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let w = workgroup.y * workgroups.x + workgroup.x;
    let entry = w * 128u + lane;
    if (entry >= plan.lot[0].running) { return; }
    own = order[entry];
    for (var turn = 0u; turn < plan.lot[0].turns; turn++) {
        if (outcomes[own] > IS_RUNNING) { return; }
        take_turn();
    }
}
