// Levenberg-Marquardt of one connected component of a problem by one lane.
//
// The generated module of a shape of components has the functions solve_component, move_component, evaluate_component and the like, which work on
// private numbers: the step, the trial point, and the normal equations there. What lasts from turn to turn is in buffers, number by number over all
// components. The rules are those of the solver on the CPU.

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
