// Sums over parameters of what instances contribute.
//
// R is the type of the numbers. `contributions` holds them instance by instance; `incidence` holds, for every parameter block or
// piece of one, the list of places where its numbers begin there. Lists are summed in their order, so that a sum is the same number
// every time.

// Blocks, or pieces of blocks, of one size.
struct Lists {
    count: u32,
    // Components of each.
    size: u32,
    // Where their table begins: four numbers a block (start, held components as bits, first and end of its list).
    table: u32,
    // 1: adds to what is there already.
    adds: u32,
}

// Writes a number of the sum, unless its component is held.
fn put_sum(start: u32, held: u32, component: u32, sum: R) {
    if ((held & (1u << component)) != 0u) { return; }
    let place = start + component;
    if (plan.lists[0].adds != 0u) {
        gradient[place] = add_r(gradient[place], sum);
    } else {
        gradient[place] = sum;
    }
}

// One number of a block an invocation.
fn gather(thread: u32) {
    let size = plan.lists[0].size;
    let block = thread / size;
    if (block >= plan.lists[0].count) { return; }
    let component = thread - block * size;
    let row = plan.lists[0].table + 4u * block;
    let end = incidence[row + 3u];
    var sum = number_r(0.0f);
    for (var k = incidence[row + 2u]; k < end; k++) {
        sum = add_r(sum, contributions[incidence[k] + component]);
    }
    put_sum(incidence[row], incidence[row + 1u], component, sum);
}

// One block a workgroup: its lanes take every 128th place each.
fn gather_long(w: u32, lane: u32) {
    if (w >= plan.lists[0].count) { return; }
    let row = plan.lists[0].table + 4u * w;
    let end = incidence[row + 3u];
    for (var component = 0u; component < plan.lists[0].size; component++) {
        var sum = number_r(0.0f);
        for (var k = incidence[row + 2u] + lane; k < end; k += 128u) {
            sum = add_r(sum, contributions[incidence[k] + component]);
        }
        sum = workgroup_sum_r(sum, lane);
        if (lane == 0u) { put_sum(incidence[row], incidence[row + 1u], component, sum); }
    }
}

// Adds to a number that others add to at the same time, where the device can do so.
fn add_atomically(place: u32, number: f32) {
    atomicAdd(&totals[place], number);
}

// The same for all devices: tries again until nobody came in between.
fn add_by_exchange(place: u32, number: f32) {
    var known = atomicLoad(&totals[place]);
    loop {
        let sum = bitcast<u32>(bitcast<f32>(known) + number);
        let outcome = atomicCompareExchangeWeak(&totals[place], known, sum);
        if (outcome.exchanged) { return; }
        known = outcome.old_value;
    }
}

// The same for double precision, where the device exchanges 64 bits.
fn add_by_exchange_f64(place: u32, number: f64) {
    var known = atomicLoad(&totals[place]);
    loop {
        let sum = bitcast<u64>(bitcast<f64>(known) + number);
        let outcome = atomicCompareExchangeWeak(&totals[place], known, sum);
        if (outcome.exchanged) { return; }
        known = outcome.old_value;
    }
}

// The same for pairs of single-precision numbers, the first of which is in the lower half.
fn add_by_exchange_df32(place: u32, number: vec2<f32>) {
    var known = atomicLoad(&totals[place]);
    loop {
        let low = u32(known & 0xfffffffflu);
        let high = u32(known >> 32u);
        let pair = add_df32(vec2<f32>(bitcast<f32>(low), bitcast<f32>(high)), number);
        let sum = u64(bitcast<u32>(pair.x)) | (u64(bitcast<u32>(pair.y)) << 32u);
        let outcome = atomicCompareExchangeWeak(&totals[place], known, sum);
        if (outcome.exchanged) { return; }
        known = outcome.old_value;
    }
}
