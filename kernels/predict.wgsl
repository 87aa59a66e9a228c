// Conjugate gradients that take one dispatch an iteration.
//
// A dispatch knows the scalar products of the one before, and what other workgroups wrote then. So it takes the step along p, forms the next p
// and multiplies it, all in one go: each row computes the numbers of p that it needs from z, M s and the p before. The β that this takes is
// predicted, from ‖r − α s‖² = ‖r‖² − 2 α rᵀMs + α² sᵀMs in the norm of M; the dispatch after that knows the right scalar products,
// and z is M r once more, so that errors do not add up (Chen and Carson, Predict-and-recompute conjugate gradient variants, 2020).

// Rows of the matrix of one size: workgroups first..end, which stride over them.
struct RowClass {
    @align(16) end: u32,
    first: u32,
    count: u32,
    // Where their table begins: three numbers a row (start, held components as bits, number among the packed diagonals).
    table: u32,
    // Where their numbers begin in the packed diagonals.
    diagonal: u32,
    // Where the table of their slices begins: four numbers for the rows that a workgroup takes at a time (where their columns begin, where
    // their numbers begin, how many entries the longest has, and how many multiples of the identity).
    slices: u32,
}

// The sums of a dispatch: rᵀz, pᵀs, rᵀMs and sᵀMs.
var<private> rz_sum: S;
var<private> ps_sum: S;
var<private> rms_sum: S;
var<private> sms_sum: S;

// Four sums on their way through a workgroup, in turn.
var<workgroup> quads: array<S, 256>;

// The step length, and β of the next direction.
var<private> alpha: R;
var<private> beta: R;

// Where four partial sums of a dispatch stand.
fn quad_place(iteration: u32, k: u32) -> u32 {
    return STATE + PARTIAL_SUMS * solve.capacity + 4u * ((iteration & 1u) * solve.iterate_partials + k);
}

// This lane's share of the sum of number lane & 3.
fn quad_share(lane: u32) -> S {
    var sum = number_s(0.0f);
    if (call.iteration == 0u) { return sum; }
    let first = quad_place(call.iteration - 1u, 0u);
    let end = 4u * solve.iterate_partials;
    // Four are asked for at a time.
    for (var k = lane; k < end; k += 1024u) {
        let a = scalars[first + k];
        let b = scalars[first + select(k, k + 256u, k + 256u < end)];
        let c = scalars[first + select(k, k + 512u, k + 512u < end)];
        let d = scalars[first + select(k, k + 768u, k + 768u < end)];
        sum = add_s(sum, a);
        if (k + 256u < end) { sum = add_s(sum, b); }
        if (k + 512u < end) { sum = add_s(sum, c); }
        if (k + 768u < end) { sum = add_s(sum, d); }
    }
    return sum;
}

// Leaves the four sums in quads[0..4].
fn sum_quads(lane: u32) {
    workgroupBarrier();
    for (var step = 128u; step >= 4u; step = step >> 1u) {
        if (lane < step) { quads[lane] = add_s(quads[lane], quads[lane + step]); }
        workgroupBarrier();
    }
}

// Whether the iterations went on when this dispatch began: its own end of them, which some workgroup may have written down already, does not
// count.
fn is_still_iterating() -> bool {
    let done = single_s(scalars[DONE]);
    return done == 0.0f || done == f32(call.iteration + 1u);
}

// Finds α and β from the sums of the dispatch before, and whether another iteration is worth it, after Nash and Sofer (Assessing a search
// direction within a truncated-Newton method, 1990). Every workgroup finds the same; the first one writes it down.
fn begin_pass(share: S, w: u32, lane: u32) {
    alpha = number_r(0.0f);
    beta = number_r(0.0f);
    is_worthwhile = true;
    if (call.iteration == 0u) { return; }
    quads[lane] = share;
    sum_quads(lane);
    let rz = quads[0];
    let ps = quads[1];
    let rms = quads[2];
    let sms = quads[3];
    let k = call.iteration;
    let now = k & 1u;
    var model = number_s(0.0f);
    var first_rz = rz;
    if (k > 1u) {
        model = scalars[MODEL + 1u - now];
        first_rz = scalars[RR_START];
    }
    let zero = number_s(0.0f);
    var enough = !finite_s(rz) || !finite_s(ps) || !less_s(zero, rz) || !less_s(zero, ps);
    if (!enough) {
        let length = div_s(rz, ps);
        let eta = number_s(solve.forcing);
        // Q(δ + α p) = Q(δ) − ½ α rᵀz: the decrease of the model, which is what the outer iteration cares about.
        let decrease = mul_s(number_s(0.5f), mul_s(length, rz));
        model = add_s(model, decrease);
        let predicted = add_s(sub_s(rz, mul_s(mul_s(number_s(2.0f), length), rms)), mul_s(mul_s(length, length), sms));
        enough = less_s(predicted, mul_s(mul_s(eta, eta), first_rz))
            || less_s(mul_s(number_s(f32(k)), decrease), mul_s(eta, model));
        alpha = narrow(length);
        if (less_s(zero, predicted)) { beta = narrow(div_s(predicted, rz)); }
    }
    if (w == 0u && lane == 0u) {
        if (k == 1u) { scalars[RR_START] = rz; }
        scalars[MODEL + now] = model;
        put(LINEAR_ITERATIONS, f32(k));
        if (enough) { put(DONE, f32(k + 1u)); }
    }
    is_worthwhile = !enough;
}

// A number of the direction, from z, M s and the p before.
fn predicted_direction(v: Krylov) -> R {
    return add_r(sub_r(v.x, mul_r(alpha, v.y)), mul_r(beta, v.z));
}
