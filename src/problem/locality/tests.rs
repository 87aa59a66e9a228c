use super::*;

/// A table of instances with three numbers a block.
fn table(rows: &[Vec<u32>]) -> InstanceTable {
    let column = |k: usize| rows.iter().map(|row| 3 * row[k]).collect();
    InstanceTable { count: rows.len(), blocks: (0..rows[0].len()).map(column).collect(), data: Vec::new() }
}

fn offsets(count: u32) -> Vec<u32> {
    (0..=count).map(|block| 3 * block).collect()
}

/// Numbers the same blocks otherwise.
fn shuffled(block: u32, count: u32) -> u32 {
    (u64::from(block) * 48_271 % u64::from(count)) as u32
}

/// Edges and stars of a grid with so many vertices a side.
fn grid(side: u32) -> [InstanceTable; 2] {
    let at = |x: u32, y: u32| shuffled(y * side + x, side * side);
    let (mut edges, mut stars) = (Vec::new(), Vec::new());
    for (x, y) in (0..side).flat_map(|y| (0..side).map(move |x| (x, y))) {
        edges.extend((x + 1 < side).then(|| vec![at(x, y), at(x + 1, y)]));
        edges.extend((y + 1 < side).then(|| vec![at(x, y), at(x, y + 1)]));
        let inside = |k: u32| k > 0 && k + 1 < side;
        stars.extend(
            (inside(x) && inside(y)).then(|| vec![at(x, y), at(x - 1, y), at(x + 1, y), at(x, y - 1), at(x, y + 1)]),
        );
    }
    [table(&edges), table(&stars)]
}

fn ordered(tables: &[InstanceTable], offsets: &[u32]) -> Vec<u32> {
    let order = block_order(tables.iter(), &Blocks::new(offsets));
    assert_eq!(order.hubs, 0);
    let mut sorted = order.blocks.clone();
    sorted.sort_unstable();
    assert!(sorted.iter().copied().eq(0..offsets.len() as u32 - 1), "each block once");
    order.blocks
}

/// The share of instances whose blocks are less than `near` apart in the order.
fn near(table: &InstanceTable, order: &[u32], offsets: &[u32], near: u32) -> f64 {
    let (blocks, ranks) = (Blocks::new(offsets), ranks(order));
    let is_near = |&instance: &usize| {
        let ranks = table.blocks.iter().map(|column| ranks[blocks.at(column[instance]) as usize]);
        ranks.clone().max().unwrap() - ranks.min().unwrap() < near
    };
    (0..table.count).filter(is_near).count() as f64 / table.count as f64
}

#[test]
fn blocks_are_found_by_where_they_start() {
    for size in [1, 2, 3, 5, 6, 7, 9, 127, 65_537] {
        let blocks = Blocks::new(&[0, size]);
        let last = u32::MAX / size;
        for block in [0, 1, 2, last / 3, last / 2, last - 1, last] {
            assert_eq!(blocks.at(block * size), block, "size {size}");
        }
    }
    let offsets = [0, 4, 5, 9, 12];
    let blocks = Blocks::new(&offsets);
    assert_eq!(offsets[..4].iter().map(|&start| blocks.at(start)).collect::<Vec<_>>(), [0, 1, 2, 3]);
}

#[test]
fn regions_bring_neighbours_together_on_any_number_of_threads() {
    for (side, least) in [(100, [0.75, 0.6]), (290, [0.8, 0.7])] {
        let (tables, offsets) = (grid(side), offsets(side * side));
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| ordered(&tables, &offsets))
        };
        let order = on(1);
        for threads in [2, 3, 8] {
            for _ in 0..5 {
                assert!(on(threads) == order, "{threads} threads");
            }
        }
        let given: Vec<u32> = (0..side * side).collect();
        assert!(near(&tables[0], &given, &offsets, 200) < 0.1);
        assert!(near(&tables[0], &order, &offsets, 200) > least[0]);
        assert!(near(&tables[1], &order, &offsets, 400) > least[1]);
    }
}

#[test]
fn pairs_that_hardly_connect_leave_the_order_to_other_instances() {
    let count = 80_000;
    let at = |k: u32| shuffled(k, count);
    // Each pair is two blocks at the ends of the chain, and then the chain itself.
    let pairs: Vec<Vec<u32>> = (0..count / 2).map(|k| vec![at(k), at(count - 1 - k)]).collect();
    let chain: Vec<Vec<u32>> = (0..count - 2).map(|k| vec![at(k), at(k + 1), at(k + 2)]).collect();
    let (tables, offsets) = ([table(&pairs), table(&chain)], offsets(count));
    assert!(near(&tables[1], &ordered(&tables, &offsets), &offsets, 16) > 0.9);
}

#[test]
fn components_without_a_seed_follow() {
    // Triples of blocks, most of which no region reaches.
    let count = 90_000;
    let triples: Vec<Vec<u32>> = (0..count / 3).map(|k| [k, k + count / 3, k + 2 * count / 3].to_vec()).collect();
    let (tables, offsets) = ([table(&triples)], offsets(count));
    let order = ordered(&tables, &offsets);
    assert_eq!(near(&tables[0], &order, &offsets, 3), 1.0);
}

#[test]
fn hubs_come_last_however_many_blocks_there_are() {
    let (count, cameras) = (100_000, 10);
    let seen: Vec<Vec<u32>> =
        (cameras..count).flat_map(|point| (0..3).map(move |k| vec![(point + k) % cameras, point])).collect();
    let (tables, offsets) = ([table(&seen)], offsets(count));
    let order = block_order(tables.iter(), &Blocks::new(&offsets));
    assert_eq!(order.hubs, cameras as usize);
    assert!(order.blocks[(count - cameras) as usize..].iter().all(|&block| block < cameras));
}
