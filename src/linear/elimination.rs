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

/// Neighbours of an old block in both triangles, without itself, each with its position in the structure
/// and whether it is the row (rather than the column) of the stored block.
pub fn neighbours(structure: &BlockStructure, block: usize) -> impl Iterator<Item = (u32, u32, bool)> {
    let rows = structure.rows();
    let before = &rows.entries[rows.row_ptr[block]..rows.row_ptr[block + 1]];
    let after = structure.col_ptr()[block] + 1..structure.col_ptr()[block + 1];
    let before = before.iter().map(|&(col, k)| (col, k, false));
    before.chain(after.map(|k| (structure.row_idx()[k], k as u32, true)))
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

/// Blocks and scalars below the diagonal of each factor column. Row `i` of the factor is the part of the
/// tree between the entries of row `i` and the node `i`; walking it costs one step per block of the factor,
/// far less than the factorisation itself.
fn column_counts(structure: &BlockStructure, order: &[u32], place: &[u32], parent: &[u32]) -> (Vec<u32>, Vec<usize>) {
    let n = order.len();
    let (mut blocks, mut scalars) = (vec![0u32; n], vec![0usize; n]);
    let mut seen_in_row = vec![NONE; n];
    for (i, &old) in order.iter().enumerate() {
        let size = structure.size(old as usize);
        seen_in_row[i] = i as u32;
        for (other, _, _) in neighbours(structure, old as usize) {
            let mut j = place[other as usize] as usize;
            while j < i && seen_in_row[j] != i as u32 {
                seen_in_row[j] = i as u32;
                blocks[j] += 1;
                scalars[j] += size;
                // `i` is an ancestor of every such `j`, so the walk meets it before it meets a root.
                j = parent[j] as usize;
            }
        }
    }
    (blocks, scalars)
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
    fn a_long_chain_does_not_exhaust_the_stack() {
        let n = 300_000;
        let pairs = (1..n).map(|i| (i - 1, i));
        let s = BlockStructure::from_pairs(&vec![1; n as usize], pairs).unwrap();
        let order: Vec<u32> = (0..n).collect();
        assert_eq!(Elimination::new(&s, &order).nonzeros, 2.0 * n as f64 - 1.0);
    }
}
