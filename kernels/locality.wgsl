// The order of blocks and instances that src/problem/locality finds, found on the device: regions grow from seeds, level by level, and each is
// then walked breadth first; instances stand in the order of their first block.
//
// Lists by block, by ring and by rank are made by lists.wgsl. These kernels do not depend on the problem.

// The instances of a group.
struct Table {
    // Workgroups first..end, TILE instances each.
    @align(16) end: u32,
    first: u32,
    count: u32,
    // Blocks of an instance.
    width: u32,
    // Where their starts begin, column by column.
    columns: u32,
    // The number of instance 0 among all.
    base: u32,
    // Where the data columns begin, and how many they are.
    data: u32,
    data_columns: u32,
}

struct Plan {
    blocks: u32,
    // Numbers of a block, and words of a number.
    size: u32,
    words: u32,
    regions: u32,
    // Most instances that may touch a block.
    most_touches: u32,
    // Where the lists of instances by rank begin, after their table.
    instances: u32,
    // Where the lists of blocks by ring begin.
    rings: u32,
    @align(16) tables: array<Table, MOST_TABLES>,
}

struct Call {
    // The level that regions grow to.
    level: u32,
}

const MOST_TABLES = 32u;
const LANES = 256u;
// Instances that a workgroup takes.
const TILE = 2048u;
// Rings of a region.
const LEVELS = 128u;
// What a key has more than one of the level before; regions are in the lower half.
const LEVEL = 0x10000u;
// Most blocks at a level of a region.
const MOST_IN_RING = 8192u;
const NONE = 0xffffffffu;

@group(0) @binding(0) var<uniform> plan: Plan;
// Why the host has to find the order, if it is not 0.
@group(0) @binding(1) var<storage, read_write> refused: array<atomic<u32>>;

// Coupling.
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read> seeds: array<u32>;
// By block, where pairs that touch it have it among the starts; then the block that each couples it to.
@group(0) @binding(4) var<storage, read_write> coupled: array<u32>;
@group(0) @binding(5) var<storage, read_write> first_keys: array<u32>;

// The other block of a pair.
fn other_of(place: u32) -> u32 {
    var table = 0u;
    while (table < MOST_TABLES - 1u
        && (plan.tables[table].width != 2u || plan.tables[table].columns + 2u * plan.tables[table].count <= place)) {
        table += 1u;
    }
    let count = plan.tables[table].count;
    let other = select(place - count, place + count, place < plan.tables[table].columns + count);
    return starts[other] / plan.size;
}

// Finds the neighbours of all blocks, of which none is reached but for the seeds.
@compute @workgroup_size(LANES)
fn couple(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = (id.y * workgroups.x + id.x) * LANES + lane;
    if (block >= plan.blocks) {
        return;
    }
    let first = coupled[4u * block + 2u];
    let end = coupled[4u * block + 3u];
    if (first == end || end - first > plan.most_touches) {
        atomicOr(&refused[0], 1u);
    }
    for (var k = first; k < end; k += 1u) {
        coupled[k] = other_of(coupled[k]);
    }
    // Seeds are in ascending order.
    var low = 0u;
    var high = plan.regions;
    while (low < high) {
        let middle = (low + high) / 2u;
        if (seeds[middle] < block) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    let is_seed = low < plan.regions && seeds[low] == block;
    first_keys[block] = select(NONE, LEVEL + low, is_seed);
}

// Growing.
@group(0) @binding(1) var<uniform> call: Call;
@group(0) @binding(2) var<storage, read> neighbours: array<u32>;
// The level at which a block is reached, from 1 on, and the region; the least where there are several.
@group(0) @binding(3) var<storage, read_write> keys: array<atomic<u32>>;

// The least key of four neighbours.
fn least_key(others: vec4<u32>) -> u32 {
    let x = atomicLoad(&keys[others.x]);
    let y = atomicLoad(&keys[others.y]);
    let z = atomicLoad(&keys[others.z]);
    let w = atomicLoad(&keys[others.w]);
    return min(min(x, y), min(z, w));
}

// Grows all regions by a level.
@compute @workgroup_size(LANES)
fn grow(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = (id.y * workgroups.x + id.x) * LANES + lane;
    if (block >= plan.blocks || atomicLoad(&keys[block]) != NONE) {
        return;
    }
    var least = NONE;
    let last = neighbours[4u * block + 3u] - 1u;
    for (var k = neighbours[4u * block + 2u]; k <= last; k += 8u) {
        // Eight are asked for at once, the last one more than once if there are fewer.
        let near = vec4(
            neighbours[k],
            neighbours[min(k + 1u, last)],
            neighbours[min(k + 2u, last)],
            neighbours[min(k + 3u, last)],
        );
        let far = vec4(
            neighbours[min(k + 4u, last)],
            neighbours[min(k + 5u, last)],
            neighbours[min(k + 6u, last)],
            neighbours[min(k + 7u, last)],
        );
        least = min(least, min(least_key(near), least_key(far)));
    }
    // Others reach their blocks at the same time: such neighbours are no way to this one.
    if (least < call.level * LEVEL) {
        atomicStore(&keys[block], least + LEVEL);
    }
}

// Numbering the rings.
@group(0) @binding(2) var<storage, read_write> ring_of: array<u32>;

@compute @workgroup_size(LANES)
fn number_rings(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = (id.y * workgroups.x + id.x) * LANES + lane;
    if (block >= plan.blocks) {
        return;
    }
    let key = ring_of[block];
    let level = key / LEVEL;
    if (key == NONE) {
        atomicOr(&refused[0], 2u);
    }
    ring_of[block] = min(key % LEVEL, plan.regions - 1u) * LEVELS + min(level, LEVELS - 1u);
}

// Walking.
@group(0) @binding(2) var<storage, read> rings: array<u32>;
@group(0) @binding(3) var<storage, read> coupled_blocks: array<u32>;
@group(0) @binding(4) var<storage, read> rings_of: array<u32>;
@group(0) @binding(5) var<storage, read_write> ranks: array<u32>;

// Of some blocks of a ring the rank of the first block that leads to each, and their numbers.
var<workgroup> ring: array<vec2<u32>, LANES>;

// The rank of a block, if it is one level before the ring.
fn leading(other: u32, ring: u32) -> u32 {
    // Asked for at once, though it may be of no use.
    let rank = ranks[other];
    return select(NONE, rank, rings_of[other] + 1u == ring);
}

// The rank of the first block that leads to a block: of its region, one level before.
fn leader(block: u32, ring: u32) -> u32 {
    var least = NONE;
    let last = coupled_blocks[4u * block + 3u] - 1u;
    for (var k = coupled_blocks[4u * block + 2u]; k <= last; k += 8u) {
        let a = coupled_blocks[k];
        let b = coupled_blocks[min(k + 1u, last)];
        let c = coupled_blocks[min(k + 2u, last)];
        let d = coupled_blocks[min(k + 3u, last)];
        let e = coupled_blocks[min(k + 4u, last)];
        let f = coupled_blocks[min(k + 5u, last)];
        let g = coupled_blocks[min(k + 6u, last)];
        let h = coupled_blocks[min(k + 7u, last)];
        let near = min(min(leading(a, ring), leading(b, ring)), min(leading(c, ring), leading(d, ring)));
        let far = min(min(leading(e, ring), leading(f, ring)), min(leading(g, ring), leading(h, ring)));
        least = min(least, min(near, far));
    }
    return least;
}

// A workgroup a region.
@compute @workgroup_size(LANES)
fn walk(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let region = id.y * workgroups.x + id.x;
    if (region >= plan.regions) {
        return;
    }
    for (var level = 1u; level < LEVELS; level += 1u) {
        let number = LEVELS * region + level;
        let first = rings[4u * number + 2u];
        let count = rings[4u * number + 3u] - first;
        if (count == 0u) {
            break;
        }
        if (count > MOST_IN_RING) {
            if (lane == 0u) {
                atomicOr(&refused[0], 4u);
            }
            break;
        }
        for (var begin = 0u; begin < count; begin += LANES) {
            var mine = vec2<u32>(NONE, NONE);
            if (begin + lane < count) {
                let block = rings[first + begin + lane];
                mine = vec2<u32>(leader(block, number), block);
            }
            var before = 0u;
            for (var part = 0u; part < count; part += LANES) {
                var theirs = mine;
                if (part != begin) {
                    theirs = vec2<u32>(NONE, NONE);
                    if (part + lane < count) {
                        let block = rings[first + part + lane];
                        theirs = vec2<u32>(leader(block, number), block);
                    }
                }
                workgroupBarrier();
                ring[lane] = theirs;
                workgroupBarrier();
                for (var k = 0u; k < min(LANES, count - part); k += 1u) {
                    let other = ring[k];
                    before += u32(other.x < mine.x || (other.x == mine.x && other.y < mine.y));
                }
            }
            if (begin + lane < count) {
                ranks[mine.y] = first - plan.rings + before;
            }
        }
        storageBarrier();
    }
}

// Instances by their first block.
@group(0) @binding(1) var<storage, read> stated: array<u32>;
@group(0) @binding(2) var<storage, read> rank_of: array<u32>;
// The least rank of each instance, those of a table after those of the one before.
@group(0) @binding(3) var<storage, read_write> least_ranks: array<u32>;

// The table that a workgroup works for.
fn table_of(workgroup: u32) -> u32 {
    var table = 0u;
    while (table < MOST_TABLES - 1u && plan.tables[table].end <= workgroup) {
        table += 1u;
    }
    return table;
}

@compute @workgroup_size(LANES)
fn rank_instances(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let workgroup = id.y * workgroups.x + id.x;
    let table = table_of(workgroup);
    if (workgroup >= plan.tables[table].end) {
        return;
    }
    let count = plan.tables[table].count;
    let begin = (workgroup - plan.tables[table].first) * TILE;
    for (var instance = begin + lane; instance < min(begin + TILE, count); instance += LANES) {
        var least = plan.blocks - 1u;
        for (var slot = 0u; slot < plan.tables[table].width; slot += 1u) {
            let start = stated[plan.tables[table].columns + slot * count + instance];
            least = min(least, rank_of[start / plan.size]);
        }
        least_ranks[plan.tables[table].base + instance] = table * plan.blocks + least;
    }
}

// Putting in order.
@group(0) @binding(3) var<storage, read> by_rank: array<u32>;
@group(0) @binding(4) var<storage, read> stated_numbers: array<u32>;
@group(0) @binding(5) var<storage, read_write> indices: array<u32>;
@group(0) @binding(6) var<storage, read_write> numbers: array<u32>;

@compute @workgroup_size(LANES)
fn move_instances(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let workgroup = id.y * workgroups.x + id.x;
    let table = table_of(workgroup);
    if (workgroup >= plan.tables[table].end) {
        return;
    }
    let count = plan.tables[table].count;
    let begin = (workgroup - plan.tables[table].first) * TILE;
    for (var place = begin + lane; place < min(begin + TILE, count); place += LANES) {
        let base = plan.tables[table].base;
        let instance = by_rank[plan.instances + base + place] - base;
        for (var slot = 0u; slot < plan.tables[table].width; slot += 1u) {
            let column = plan.tables[table].columns + slot * count;
            indices[column + place] = plan.size * rank_of[stated[column + instance] / plan.size];
        }
        for (var k = 0u; k < plan.tables[table].data_columns; k += 1u) {
            let column = plan.tables[table].data + k * count;
            for (var word = 0u; word < plan.words; word += 1u) {
                numbers[(column + place) * plan.words + word] = stated_numbers[(column + instance) * plan.words + word];
            }
        }
    }
}

// The numbers of blocks.
@compute @workgroup_size(LANES)
fn move_blocks(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = (id.y * workgroups.x + id.x) * LANES + lane;
    if (block >= plan.blocks) {
        return;
    }
    let words = plan.size * plan.words;
    for (var word = 0u; word < words; word += 1u) {
        numbers[rank_of[block] * words + word] = stated_numbers[block * words + word];
    }
}
