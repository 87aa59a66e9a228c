// State, partial sums and decisions of Levenberg-Marquardt with conjugate gradients on a device.
//
// Generated kernels take over from here what they need. R is the type of parameters and residuals, S that of sums; both have
// functions add_r, less_s, … so that this text serves every number format.

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

// What differs from dispatch to dispatch.
struct Call {
    // Number of the iteration of conjugate gradients in its step.
    iteration: u32,
    // 1: without the surroundings of an iteration (J times a plain vector; the cost at the start).
    plain: u32,
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

// Parameter blocks of one size: workgroups first..end, which stride over them.
struct Class {
    @align(16) end: u32,
    first: u32,
    count: u32,
    // Where their table begins: four numbers a block (start, held components as bits, first and end of its incidence list).
    table: u32,
    // Where their numbers begin in the packed diagonals.
    diagonal: u32,
    // 1: sums add to what other shards of the instances found before.
    adds: u32,
    // 1: sums are complete, as this is the last shard.
    ends: u32,
}

// Residuals of a shard, shared by so many workgroups; the first of their partial sums.
struct Rows {
    @align(16) residuals: u32,
    first: u32,
    partials: u32,
}

// One way in which instances touch blocks: the number in an incidence list is `base` plus the instance. The rest says where the numbers
// of its group begin, and how many block starts and data there are from one column to the next.
struct Kind {
    @align(16) base: u32,
    residuals: u32,
    stored: u32,
    blocks: u32,
    data: u32,
    stride: u32,
}

// Whether a workgroup goes on, agreed among its lanes.
var<workgroup> go_on: u32;

// Sums on their way through a workgroup.
var<workgroup> sums: array<S, 128>;

// Where partial sum `k` of a quantity stands.
fn partial_place(quantity: u32, k: u32) -> u32 {
    return STATE + quantity * solve.capacity + k;
}

// The sum of all lanes' numbers, handed to all of them.
fn workgroup_sum(value: S, lane: u32) -> S {
    sums[lane] = value;
    workgroupBarrier();
    for (var step = 64u; step > 0u; step = step >> 1u) {
        if (lane < step) { sums[lane] = add_s(sums[lane], sums[lane + step]); }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&sums[0]);
}

// Two such sums at once, of first_sum and second_sum, for the waiting of one.
var<workgroup> other_sums: array<S, 128>;
var<private> first_sum: S;
var<private> second_sum: S;
fn workgroup_sums(lane: u32) {
    sums[lane] = first_sum;
    other_sums[lane] = second_sum;
    workgroupBarrier();
    for (var step = 64u; step > 0u; step = step >> 1u) {
        if (lane < step) {
            sums[lane] = add_s(sums[lane], sums[lane + step]);
            other_sums[lane] = add_s(other_sums[lane], other_sums[lane + step]);
        }
        workgroupBarrier();
    }
    first_sum = workgroupUniformLoad(&sums[0]);
    second_sum = workgroupUniformLoad(&other_sums[0]);
}

// The sum of all lanes' numbers where they are parts of a vector.
var<workgroup> reals: array<R, 128>;
fn workgroup_sum_r(value: R, lane: u32) -> R {
    reals[lane] = value;
    workgroupBarrier();
    for (var step = 64u; step > 0u; step = step >> 1u) {
        if (lane < step) { reals[lane] = add_r(reals[lane], reals[lane + step]); }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&reals[0]);
}

// The largest of all lanes' numbers.
fn workgroup_max(value: S, lane: u32) -> S {
    sums[lane] = value;
    workgroupBarrier();
    for (var step = 64u; step > 0u; step = step >> 1u) {
        if (lane < step && less_s(sums[lane], sums[lane + step])) { sums[lane] = sums[lane + step]; }
        workgroupBarrier();
    }
    return workgroupUniformLoad(&sums[0]);
}

// This lane's share of the partial sums of a quantity.
fn share_of(quantity: u32, count: u32, lane: u32) -> S {
    var sum = number_s(0.0f);
    for (var k = lane; k < count; k += 128u) { sum = add_s(sum, scalars[partial_place(quantity, k)]); }
    return sum;
}

// The sum of the partial sums of a quantity: the same additions in every workgroup, thus the same number.
fn total(quantity: u32, count: u32, lane: u32) -> S {
    return workgroup_sum(share_of(quantity, count, lane), lane);
}

// The largest partial number of a quantity.
fn largest(quantity: u32, count: u32, lane: u32) -> S {
    var most = number_s(0.0f);
    for (var k = lane; k < count; k += 128u) {
        let other = scalars[partial_place(quantity, k)];
        // Written so that a NaN wins.
        if (!less_s(other, most)) { most = other; }
    }
    return workgroup_max(most, lane);
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

fn is_running() -> bool { return single_s(scalars[TERMINATED]) == 0.0f; }
fn is_new_point() -> bool { return single_s(scalars[ACCEPTED]) != 0.0f; }
fn is_iterating() -> bool { return single_s(scalars[DONE]) == 0.0f; }

fn put(place: u32, value: f32) {
    scalars[place] = number_s(value);
}

// Whether begin_iteration found that the step is not good enough yet.
var<private> is_worthwhile: bool;

// This lane's share of the sums that an iteration begins with: asked for before anything waits.
fn load_iteration(lane: u32) {
    first_sum = number_s(0.0f);
    second_sum = number_s(0.0f);
    if (call.plain != 0u) { return; }
    for (var k = lane; k < solve.block_partials; k += 128u) {
        first_sum = add_s(first_sum, scalars[partial_place(RZ_PARTIALS, k)]);
        second_sum = add_s(second_sum, scalars[partial_place(RR_PARTIALS, k)]);
    }
}

// Begins an iteration of conjugate gradients, after load_iteration: decides whether another one is worth it, after Nash and Sofer (Assessing a search
// direction within a truncated-Newton method, 1990), and returns β. Every workgroup decides the same; the first one writes it down.
fn begin_iteration(w: u32, lane: u32) -> R {
    if (call.plain != 0u) { return number_r(0.0f); }
    workgroup_sums(lane);
    let rz = first_sum;
    let rr = second_sum;
    let k = call.iteration;
    let now = k & 1u;
    let before = 1u - now;
    var enough = !finite_s(rz) || !less_s(number_s(0.0f), rz);
    var beta = number_s(0.0f);
    if (k == 0u) {
        if (w == 0u && lane == 0u) { scalars[RR_START] = rr; }
    } else {
        let eta = number_s(solve.forcing);
        enough = enough || less_s(rr, mul_s(mul_s(eta, eta), scalars[RR_START]));
        // The model of the last two iterations; its decrease is what the outer iteration cares about.
        let model = scalars[MODEL + before];
        let decrease = select_first(k == 1u, model, sub_s(model, scalars[MODEL + now]));
        enough = enough || less_s(mul_s(number_s(f32(k)), decrease), mul_s(eta, model));
        beta = div_s(rz, scalars[RZ + before]);
    }
    if (w == 0u && lane == 0u) {
        if (enough) {
            put(DONE, 1.0f);
        } else {
            scalars[RZ + now] = rz;
            put(LINEAR_ITERATIONS, f32(k + 1u));
        }
    }
    is_worthwhile = !enough;
    return narrow(beta);
}

fn select_first(condition: bool, a: S, b: S) -> S {
    if (condition) { return a; }
    return b;
}

// β of the present iteration, once begin_iteration has written it down.
fn present_beta() -> R {
    if (call.iteration == 0u) { return number_r(0.0f); }
    let now = call.iteration & 1u;
    return narrow(div_s(scalars[RZ + now], scalars[RZ + 1u - now]));
}

// A number of the search direction p = z + β p.
fn direction_at(place: u32, beta: R) -> R {
    // The old direction of a step's first iteration is from another step and may be anything.
    if (call.iteration == 0u || call.plain != 0u) { return preconditioned[place]; }
    return add_r(preconditioned[place], mul_r(beta, direction[place]));
}

// The length of the step along p; 0, and the end of the iterations, where the matrix shows no positive curvature.
fn step_length(share: S, w: u32, lane: u32) -> R {
    let curvature = workgroup_sum(share, lane);
    let now = call.iteration & 1u;
    let rz = scalars[RZ + now];
    if (!finite_s(curvature) || !less_s(number_s(0.0f), curvature)) {
        if (w == 0u && lane == 0u) { put(DONE, 1.0f); }
        return number_r(0.0f);
    }
    let alpha = div_s(rz, curvature);
    if (w == 0u && lane == 0u) {
        // Q(δ + α p) = Q(δ) − ½ α rᵀz: the model's decrease so far.
        var model = mul_s(number_s(0.5f), mul_s(alpha, rz));
        if (call.iteration > 0u) { model = add_s(model, scalars[MODEL + 1u - now]); }
        scalars[MODEL + now] = model;
    }
    return narrow(alpha);
}

// Whether the trial point is accepted, the trust region that follows (Madsen, Nielsen, Tingleff 2004, eq. 2.21), and whether to
// stop. One workgroup.
fn decide(lane: u32) {
    // In a loop, which drivers compile faster than one sum after the other.
    var quantities = array<u32, 5>(COST_PARTIALS, CHANGE_PARTIALS, STEP_PARTIALS, POINT_PARTIALS, OUTSIDE_PARTIALS);
    var totals: array<S, 5>;
    for (var q = 0u; q < select(4u, 5u, solve.bounded != 0u); q++) {
        let count = select(solve.block_partials, solve.residual_partials, q < 2u);
        totals[q] = total(quantities[q], count, lane);
    }
    if (lane != 0u) { return; }
    let cost = mul_s(number_s(0.5f), totals[0]);
    let model = neg_s(totals[1]);
    let step = sqrt(single_s(totals[2]));
    let point = sqrt(single_s(totals[3]));
    let outside = totals[4];
    let present = scalars[COST];
    let cost_size = single_s(present);
    let change = sub_s(present, cost);
    let is_evaluated = finite_s(cost) && finite_s(model);
    let is_promising = is_evaluated && less_s(number_s(0.0f), model);
    // A projected step may promise nothing, and wants more damping like any that is rejected.
    let valid = is_promising || (is_evaluated && solve.bounded != 0u);
    var radius = single_s(scalars[RADIUS]);
    var shrink = single_s(scalars[SHRINK]);
    var gain = 0.0f;
    var stop = 0.0f;
    if (valid) {
        if (is_promising) { gain = single_s(div_s(change, model)); }
        put(INVALID, 0.0f);
    } else {
        put(INVALID, single_s(scalars[INVALID]) + 1.0f);
    }
    let accepted = is_promising && gain >= solve.min_gain_ratio;
    if (accepted) {
        if (abs(single_s(change)) <= solve.function_tolerance * cost_size) {
            stop = FUNCTION_TOLERANCE;
        } else if (step <= solve.parameter_tolerance * (point + solve.parameter_tolerance)) {
            stop = PARAMETER_TOLERANCE;
        }
        scalars[COST] = cost;
        put(PROMISE, -1.0f);
        let slope = 2.0f * gain - 1.0f;
        radius = min(radius / max(1.0f - slope * slope * slope, 1.0f / 3.0f), solve.max_radius);
        shrink = 2.0f;
    } else {
        radius = radius / shrink;
        shrink = shrink * 2.0f;
        // Below 0 without a projection it is 0 to rounding.
        let promised = max(single_s(model), 0.0f);
        let is_whole = single_s(outside) == 0.0f;
        if (is_promising || (valid && is_whole)) {
            if (single_s(scalars[PROMISE]) < 0.0f) { put(PROMISE, promised); }
            if (promised <= solve.rounding * cost_size) {
                let small = max(solve.function_tolerance, solve.small_promise);
                stop = select(TRUST_REGION_COLLAPSED, PRECISION_LIMIT, single_s(scalars[PROMISE]) <= small * cost_size);
            }
        } else if (!valid && single_s(scalars[INVALID]) > f32(solve.max_invalid_steps)) {
            stop = INVALID_STEPS;
        }
        if (stop == 0.0f && radius < solve.min_radius) { stop = TRUST_REGION_COLLAPSED; }
    }
    put(RADIUS, radius);
    put(SHRINK, shrink);
    put(ACCEPTED, select(0.0f, 1.0f, accepted));
    put(PENDING, stop);
    put(GAIN_RATIO, gain);
    put(STEP_NORM, step);
    put(ITERATION, single_s(scalars[ITERATION]) + 1.0f);
    scalars[TRIAL_COST] = cost;
    scalars[MODEL_CHANGE] = model;
    // A new step begins.
    put(DONE, 0.0f);
}

// The gradient's largest component, and the end of the solve where decide or the gradient asks for it. One workgroup.
fn examine(lane: u32) {
    let steepest = largest(GRADIENT_PARTIALS, solve.list_partials, lane);
    if (lane != 0u) { return; }
    scalars[GRADIENT_MAX] = steepest;
    put(TERMINATED, single_s(scalars[PENDING]));
    if (is_new_point() && finite_s(steepest) && single_s(steepest) <= solve.gradient_tolerance) {
        put(TERMINATED, GRADIENT_TOLERANCE);
    }
}
