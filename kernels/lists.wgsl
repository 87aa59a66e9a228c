// Incidence lists of blocks, by counting: how many entries each block has, where its list begins, the entries themselves, and then each list
// in the order of its entries, since lanes put them down in any.
//
// These kernels do not depend on the problem.

// The instances of a group in one slot: workgroups first..end, TILE each.
struct Touch {
    @align(16) end: u32,
    first: u32,
    count: u32,
    // Where their block starts begin among the indices.
    column: u32,
    // The entry of instance 0.
    base: u32,
}

struct Plan {
    blocks: u32,
    // Numbers of a block, if all have as many and none is fixed; else 0, and `firsts` and `heads` tell.
    size: u32,
    // Where the lists begin, after the table.
    lists: u32,
    @align(16) touches: array<Touch, MOST_TOUCHES>,
}

const MOST_TOUCHES = 128u;
const LANES = 256u;
// Instances, and blocks, that a workgroup takes.
const TILE = 2048u;
// Entries of a list up to which it is sorted here.
const LONGEST = 32u;

@group(0) @binding(0) var<uniform> plan: Plan;
// Where blocks start, column by column.
@group(0) @binding(1) var<storage, read> indices: array<u32>;
// 1 + the block that starts at each place; 0 where it is fixed.
@group(0) @binding(2) var<storage, read> firsts: array<u32>;
// Start of each block, and its held components as bits.
@group(0) @binding(3) var<storage, read> heads: array<vec2<u32>>;
// Entries of each block, and then where the next one goes.
@group(0) @binding(4) var<storage, read_write> next: array<atomic<u32>>;
// The longest list, and then the entries of each tile of blocks.
@group(0) @binding(5) var<storage, read_write> sums: array<atomic<u32>>;
@group(0) @binding(6) var<storage, read_write> incidence: array<u32>;

var<workgroup> shared_sums: array<u32, LANES>;

// The touch that a workgroup works for.
fn touch_of(workgroup: u32) -> u32 {
    var touch = 0u;
    while (touch < MOST_TOUCHES - 1u && plan.touches[touch].end <= workgroup) {
        touch += 1u;
    }
    return touch;
}

// 1 + the block of an instance, or 0.
fn block_of(touch: u32, instance: u32) -> u32 {
    let start = indices[plan.touches[touch].column + instance];
    if (plan.size != 0u) {
        return start / plan.size + 1u;
    }
    return firsts[start];
}

@compute @workgroup_size(LANES)
fn count_entries(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let workgroup = id.y * workgroups.x + id.x;
    let touch = touch_of(workgroup);
    if (workgroup >= plan.touches[touch].end) {
        return;
    }
    let begin = (workgroup - plan.touches[touch].first) * TILE;
    let end = min(begin + TILE, plan.touches[touch].count);
    for (var instance = begin + lane; instance < end; instance += LANES) {
        let block = block_of(touch, instance);
        if (block != 0u) {
            atomicAdd(&next[block - 1u], 1u);
        }
    }
}

// The sum over all lanes, for each of them.
fn sum_lanes(lane: u32, mine: u32) -> u32 {
    workgroupBarrier();
    shared_sums[lane] = mine;
    workgroupBarrier();
    for (var step = LANES / 2u; step > 0u; step /= 2u) {
        if (lane < step) {
            shared_sums[lane] += shared_sums[lane + step];
        }
        workgroupBarrier();
    }
    return shared_sums[0];
}

@compute @workgroup_size(LANES)
fn sum_entries(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let workgroup = id.y * workgroups.x + id.x;
    let begin = workgroup * TILE;
    var sum = 0u;
    var longest = 0u;
    for (var block = begin + lane; block < min(begin + TILE, plan.blocks); block += LANES) {
        let count = atomicLoad(&next[block]);
        sum += count;
        longest = max(longest, count);
    }
    let all = sum_lanes(lane, sum);
    if (lane == 0u && begin < plan.blocks) {
        atomicStore(&sums[1u + workgroup], all);
    }
    atomicMax(&sums[0], longest);
}

// Writes the table, and where the first entry of each block goes.
@compute @workgroup_size(LANES)
fn place_lists(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let workgroup = id.y * workgroups.x + id.x;
    var before = 0u;
    for (var tile = lane; tile < min(workgroup, (plan.blocks + TILE - 1u) / TILE); tile += LANES) {
        before += atomicLoad(&sums[1u + tile]);
    }
    let first = plan.lists + sum_lanes(lane, before);
    // Blocks side by side, as many to each lane.
    const SHARE = TILE / LANES;
    let begin = workgroup * TILE + lane * SHARE;
    let end = min(begin + SHARE, plan.blocks);
    var mine = 0u;
    for (var block = begin; block < end; block += 1u) {
        mine += atomicLoad(&next[block]);
    }
    workgroupBarrier();
    shared_sums[lane] = mine;
    workgroupBarrier();
    for (var step = 1u; step < LANES; step *= 2u) {
        var other = 0u;
        if (lane >= step) {
            other = shared_sums[lane - step];
        }
        workgroupBarrier();
        shared_sums[lane] += other;
        workgroupBarrier();
    }
    var place = first + shared_sums[lane] - mine;
    for (var block = begin; block < end; block += 1u) {
        let count = atomicLoad(&next[block]);
        var head = vec2<u32>(block * plan.size, 0u);
        if (plan.size == 0u) {
            head = heads[block];
        }
        incidence[4u * block] = head.x;
        incidence[4u * block + 1u] = head.y;
        incidence[4u * block + 2u] = place;
        incidence[4u * block + 3u] = place + count;
        atomicStore(&next[block], place);
        place += count;
    }
}

@compute @workgroup_size(LANES)
fn fill_lists(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let workgroup = id.y * workgroups.x + id.x;
    let touch = touch_of(workgroup);
    if (workgroup >= plan.touches[touch].end) {
        return;
    }
    let begin = (workgroup - plan.touches[touch].first) * TILE;
    let end = min(begin + TILE, plan.touches[touch].count);
    for (var instance = begin + lane; instance < end; instance += LANES) {
        let block = block_of(touch, instance);
        if (block != 0u) {
            incidence[atomicAdd(&next[block - 1u], 1u)] = plan.touches[touch].base + instance;
        }
    }
}

@compute @workgroup_size(LANES)
fn order_lists(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = (id.y * workgroups.x + id.x) * LANES + lane;
    if (block >= plan.blocks) {
        return;
    }
    let first = incidence[4u * block + 2u];
    let count = incidence[4u * block + 3u] - first;
    if (count > LONGEST) {
        return;
    }
    var list: array<u32, LONGEST>;
    for (var k = 0u; k < count; k += 1u) {
        let entry = incidence[first + k];
        var place = k;
        while (place > 0u && list[place - 1u] > entry) {
            list[place] = list[place - 1u];
            place -= 1u;
        }
        list[place] = entry;
    }
    for (var k = 0u; k < count; k += 1u) {
        incidence[first + k] = list[k];
    }
}
