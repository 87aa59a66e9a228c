//! Which blocks are eliminated: a set of which no two are coupled.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::super::BlockStructure;
use super::super::elimination::neighbours;

/// A large independent set of blocks: for each block whether it is in the set.
///
/// Greedy, as Ceres finds it (`IndependentSetOrdering`; Saad, *Iterative methods for sparse linear systems*, 2003,
/// section 3.3.3): the block of least degree joins, its neighbours are out. It runs once by degree, and once by size
/// and then degree: in a bundle adjustment the latter takes the points whatever the cameras see. It is the choice, unless the other
/// set leaves less than half as many unknowns. Blocks without unknowns are never in it.
pub fn elimination_set(structure: &BlockStructure) -> Vec<bool> {
    let blocks = structure.blocks();
    let degree: Vec<usize> = (0..blocks).map(|j| neighbours(structure, j).count()).collect();
    let by_degree = greedy(structure, |j| (degree[j], structure.size(j)));
    let by_size = greedy(structure, |j| (structure.size(j), degree[j]));
    let left = |set: &[bool]| -> usize { (0..blocks).filter(|&j| !set[j]).map(|j| structure.size(j)).sum() };
    if 2 * left(&by_degree) < left(&by_size) { by_degree } else { by_size }
}

/// Takes blocks by ascending key, equal ones in their order, and leaves out the neighbours of those taken.
fn greedy(structure: &BlockStructure, key: impl Fn(usize) -> (usize, usize)) -> Vec<bool> {
    let blocks = structure.blocks();
    let filled = (0..blocks).filter(|&j| structure.size(j) > 0);
    let mut queue: BinaryHeap<_> = filled.map(|j| Reverse((key(j), j))).collect();
    let (mut taken, mut out) = (vec![false; blocks], vec![false; blocks]);
    while let Some(Reverse((_, j))) = queue.pop() {
        if out[j] {
            continue;
        }
        taken[j] = true;
        neighbours(structure, j).for_each(|(other, _, _)| out[other as usize] = true);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::super::super::test_problems::bundle_pairs;
    use super::*;

    fn set(sizes: &[usize], pairs: &[(u32, u32)]) -> Vec<usize> {
        let structure = BlockStructure::from_pairs(sizes, pairs.iter().copied()).unwrap();
        let set = elimination_set(&structure);
        for &(a, b) in pairs {
            assert!(a == b || !(set[a as usize] && set[b as usize]), "{a} and {b} are coupled");
        }
        (0..set.len()).filter(|&j| set[j]).collect()
    }

    #[test]
    fn in_a_bundle_adjustment_it_is_the_points() {
        for (cameras, points, views) in [(3, 7, 2), (16, 300, 4), (40, 500, 7)] {
            let (sizes, pairs) = bundle_pairs(cameras, points, views);
            assert!(set(&sizes, &pairs).into_iter().eq(cameras..cameras + points));
        }
    }

    #[test]
    fn a_camera_of_one_point_does_not_push_the_point_out() {
        // Camera 0 sees one point only, which has three cameras: by degree the camera would come first.
        let pairs = [(0, 3), (1, 3), (2, 3), (1, 4), (2, 4), (1, 5), (2, 5), (1, 6), (2, 6)];
        assert_eq!(set(&[9, 9, 9, 3, 3, 3, 3], &pairs), [3, 4, 5, 6]);
    }

    #[test]
    fn a_parameter_that_all_share_stays() {
        // A scale that every residual reads: by size it would be the only one.
        let pairs: Vec<(u32, u32)> = (1..20).map(|i| (0, i)).collect();
        let sizes: Vec<usize> = std::iter::once(1).chain(std::iter::repeat_n(6, 19)).collect();
        assert!(set(&sizes, &pairs).into_iter().eq(1..20));
    }

    #[test]
    fn every_other_of_a_chain() {
        let pairs: Vec<(u32, u32)> = (1..9).map(|i| (i - 1, i)).collect();
        assert_eq!(set(&[3; 9], &pairs), [0, 2, 4, 6, 8]);
    }

    #[test]
    fn a_quarter_to_a_half_of_a_mesh() {
        let mut pairs = Vec::new();
        for y in 0..20u32 {
            for x in 0..20u32 {
                let here = 20 * y + x;
                let right = (x < 19).then_some((here, here + 1));
                let down = (y < 19).then_some((here, here + 20));
                let diagonal = (x < 19 && y < 19).then_some((here, here + 21));
                pairs.extend([right, down, diagonal].into_iter().flatten());
            }
        }
        let found = set(&[3; 400], &pairs).len();
        assert!((100..=200).contains(&found), "{found}");
    }

    #[test]
    fn without_edges_all_and_in_a_complete_graph_one() {
        assert_eq!(set(&[2, 3, 4], &[]), [0, 1, 2]);
        let complete: Vec<(u32, u32)> = (0..6).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        assert_eq!(set(&[3; 6], &complete).len(), 1);
        assert_eq!(set(&[], &[]), []);
    }

    #[test]
    fn blocks_without_unknowns_stay() {
        assert_eq!(set(&[0, 3, 0], &[(0, 1)]), [1]);
    }
}
