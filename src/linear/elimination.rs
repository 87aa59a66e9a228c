//! The elimination tree of a block pattern and what factorising along it costs.
//!
//! Everything here works on blocks, not scalars: the tree of a matrix of 3×3 blocks is a third as long, its
//! pattern a ninth.

use super::BlockStructure;

/// Stands for the parent of a root.
pub const NONE: u32 = u32::MAX;

/// A postordered elimination order with its tree and column counts.
pub struct Elimination {
    /// Old block at each new place.
    pub order: Vec<u32>,
    /// New place of each old block.
    pub place: Vec<u32>,
    /// Parent of each new place in the tree; always later, [`NONE`] for a root.
    pub parent: Vec<u32>,
    /// Blocks below the diagonal in each column of the factor.
    pub below: Vec<u32>,
    /// Scalars below the diagonal block in each column of the factor.
    pub below_scalars: Vec<usize>,
    /// Scalar entries of the factor.
    pub nonzeros: f64,
    /// Multiply-add pairs of the factorisation, counted as two operations.
    pub flops: f64,
}

impl Elimination {
    /// Analyses the elimination of the blocks in the given order (new place → old block).
    pub fn new(structure: &BlockStructure, order: &[u32]) -> Self {
        let place = invert(order);
        let parent = elimination_tree(structure, order, &place);
        let post = postorder(&parent, 0..order.len() as u32);
        // Relabel by the postorder: an equivalent elimination in which each subtree is a contiguous range.
        let new_place = invert(&post);
        let order: Vec<u32> = post.iter().map(|&p| order[p as usize]).collect();
        let place: Vec<u32> = place.iter().map(|&p| new_place[p as usize]).collect();
        let parent = post.iter().map(|&p| match parent[p as usize] {
            NONE => NONE,
            q => new_place[q as usize],
        });
        let parent: Vec<u32> = parent.collect();
        let (below, below_scalars) = column_counts(structure, &order, &place, &parent);
        let (mut nonzeros, mut flops) = (0.0, 0.0);
        for (&old, &below) in order.iter().zip(&below_scalars) {
            for k in 0..structure.size(old as usize) {
                let column = (below + k + 1) as f64;
                nonzeros += column;
                flops += column * column;
            }
        }
        Self { order, place, parent, below, below_scalars, nonzeros, flops }
    }
}

/// Neighbours of an old block in both triangles, without itself, each with the place of its block and
/// whether it is the row (rather than the column) of the stored block.
pub fn neighbours(structure: &BlockStructure, block: usize) -> impl Iterator<Item = (u32, u32, bool)> {
    let before = structure.rows().of(block);
    let after = structure.below(block);
    let before = before.iter().map(|&(col, place)| (col, place, false));
    before.chain(after.map(|k| (structure.row_idx()[k], structure.place(k), true)))
}

/// The inverse of a permutation.
pub fn invert(permutation: &[u32]) -> Vec<u32> {
    let mut inverse = vec![0; permutation.len()];
    for (new, &old) in permutation.iter().enumerate() {
        inverse[old as usize] = new as u32;
    }
    inverse
}

/// Liu's algorithm: the parent of `j` is the first later column whose row `j` reaches, found along paths
/// that are shortened as they are walked.
fn elimination_tree(structure: &BlockStructure, order: &[u32], place: &[u32]) -> Vec<u32> {
    let mut parent = vec![NONE; order.len()];
    let mut ancestor = vec![NONE; order.len()];
    for (i, &old) in order.iter().enumerate() {
        let i = i as u32;
        for (other, _, _) in neighbours(structure, old as usize) {
            let mut j = place[other as usize];
            while j < i {
                let next = std::mem::replace(&mut ancestor[j as usize], i);
                if next == NONE {
                    parent[j as usize] = i;
                    break;
                }
                if next == i {
                    break;
                }
                j = next;
            }
        }
    }
    parent
}

/// The nodes of a forest such that children come before their parent and each subtree is contiguous.
/// Siblings keep their order in `sequence`, which lists every node once. Walks with a heap stack: a banded
/// matrix has a tree as deep as it is long.
pub fn postorder(parent: &[u32], sequence: impl DoubleEndedIterator<Item = u32>) -> Vec<u32> {
    let n = parent.len();
    let (mut first_child, mut sibling) = (vec![NONE; n], vec![NONE; n]);
    let mut first_root = NONE;
    for v in sequence.rev() {
        let head = match parent[v as usize] {
            NONE => &mut first_root,
            p => &mut first_child[p as usize],
        };
        sibling[v as usize] = std::mem::replace(head, v);
    }
    let mut order = Vec::with_capacity(n);
    let mut stack = Vec::new();
    let mut next = first_root;
    loop {
        while next != NONE {
            stack.push(next);
            next = first_child[next as usize];
        }
        let Some(v) = stack.pop() else { break };
        order.push(v);
        next = sibling[v as usize];
    }
    order
}

/// Blocks and scalars below the diagonal of each factor column (Gilbert, Ng and Peyton 1994).
///
/// Row `i` of the factor is the part of the tree between the entries of row `i` in the matrix and the node `i`. Its blocks are those of the
/// paths from its leaves to `i`, less what two neighbouring leaves share: so it is enough to note what a row adds at its leaves and takes
/// where their paths meet and at `i` itself, and to sum over subtrees. That takes a step per block of the matrix, not of the factor.
fn column_counts(structure: &BlockStructure, order: &[u32], place: &[u32], parent: &[u32]) -> (Vec<u32>, Vec<usize>) {
    let n = order.len();
    let mut first: Vec<u32> = (0..n as u32).collect();
    // Of each column what is below it, blocks and scalars, less what is below its children.
    let mut below = vec![(0i64, 0i64); n];
    // Of each row the last leaf, and where the subtree of that begins.
    let mut last = vec![(NONE, 0u32); n];
    let mut ancestor: Vec<u32> = (0..n as u32).collect();
    for (j, &old) in order.iter().enumerate() {
        for (other, _, _) in neighbours(structure, old as usize) {
            let i = place[other as usize];
            let (leaf, start) = last[i as usize];
            if i as usize <= j || (leaf != NONE && first[j] <= start) {
                continue;
            }
            last[i as usize] = (j as u32, first[j]);
            let size = structure.size(other as usize) as i64;
            let meet = if leaf == NONE { i } else { root(&mut ancestor, leaf) };
            below[j] = (below[j].0 + 1, below[j].1 + size);
            let met = &mut below[meet as usize];
            *met = (met.0 - 1, met.1 - size);
        }
        if parent[j] != NONE {
            ancestor[j] = parent[j];
            first[parent[j] as usize] = first[parent[j] as usize].min(first[j]);
        }
    }
    for j in 0..n {
        if parent[j] != NONE {
            let (blocks, scalars) = below[j];
            let above = &mut below[parent[j] as usize];
            *above = (above.0 + blocks, above.1 + scalars);
        }
    }
    below.into_iter().map(|(blocks, scalars)| (blocks as u32, scalars as usize)).unzip()
}

/// The last ancestor so far, along a path that is shortened as it is walked.
fn root(ancestor: &mut [u32], node: u32) -> u32 {
    let mut root = node;
    while ancestor[root as usize] != root {
        root = ancestor[root as usize];
    }
    let mut node = node;
    while node != root {
        node = std::mem::replace(&mut ancestor[node as usize], root);
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postorder_keeps_subtrees_together() {
        // 0 and 3 under 4, 1 and 2 under 5, and 6 alone.
        let order = postorder(&[4, 5, 5, 4, NONE, NONE, NONE], 0..7);
        assert_eq!(order, [0, 3, 4, 1, 2, 5, 6]);
        let order = postorder(&[4, 5, 5, 4, NONE, NONE, NONE], (0..7).rev());
        assert_eq!(order, [6, 2, 1, 5, 3, 0, 4]);
    }

    #[test]
    fn arrow_matrix_fills_in_only_when_the_hub_goes_first() {
        let pairs = [(0, 1), (0, 2), (0, 3)];
        let s = BlockStructure::from_pairs(&[1; 4], pairs).unwrap();
        assert_eq!(Elimination::new(&s, &[0, 1, 2, 3]).nonzeros, 10.0);
        let good = Elimination::new(&s, &[1, 2, 3, 0]);
        assert_eq!((good.nonzeros, good.flops), (7.0, 13.0));
        assert_eq!(good.parent, [3, 3, 3, NONE]);
        assert_eq!(good.below, [1, 1, 1, 0]);
    }

    #[test]
    fn columns_are_counted_as_if_filled_in() {
        let mut state = 7u64;
        let mut below = |limit: u32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as u32 % limit
        };
        for n in 1..60u32 {
            let sizes: Vec<usize> = (0..n).map(|_| below(4) as usize).collect();
            let pairs: Vec<(u32, u32)> = (0..2 * n).map(|_| (below(n), below(n))).collect();
            let structure = BlockStructure::from_pairs(&sizes, pairs.iter().copied()).unwrap();
            let mut order: Vec<u32> = (0..n).collect();
            order.sort_by_cached_key(|_| below(1000));
            let Elimination { order, place, below, below_scalars, .. } = Elimination::new(&structure, &order);
            let mut coupled = vec![vec![false; n as usize]; n as usize];
            for &(a, b) in &pairs {
                let (a, b) = (place[a as usize] as usize, place[b as usize] as usize);
                coupled[a.min(b)][a.max(b)] = true;
            }
            for j in 0..n as usize {
                let rows: Vec<usize> = (j + 1..n as usize).filter(|&i| coupled[j][i]).collect();
                let scalars: usize = rows.iter().map(|&i| sizes[order[i] as usize]).sum();
                assert_eq!((below[j] as usize, below_scalars[j]), (rows.len(), scalars));
                for (k, &a) in rows.iter().enumerate() {
                    rows[k + 1..].iter().for_each(|&b| coupled[a][b] = true);
                }
            }
        }
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let n = 300_000;
        let pairs = (1..n).map(|i| (i - 1, i));
        let s = BlockStructure::from_pairs(&vec![1; n as usize], pairs).unwrap();
        let order: Vec<u32> = (0..n).collect();
        assert_eq!(Elimination::new(&s, &order).nonzeros, 2.0 * n as f64 - 1.0);
    }
}
