//! Groups of columns that share a pattern, and the tree of dense fronts made of them.

use std::cmp::Reverse;

use super::BlockStructure;
use super::elimination::{Elimination, NONE, invert, neighbours, postorder};

/// A child is merged into its parent when together they have at most this many scalar columns and at most
/// this share of explicit zeros. Small fronts cost more in bookkeeping than in arithmetic, so they may be
/// filled generously (the scheme and the shape of the numbers are CHOLMOD's).
const RELAXATION: [(usize, f64); 4] = [(12, 0.8), (48, 0.3), (96, 0.12), (usize::MAX, 0.04)];

/// The supernodal structure of a factor: the order of the blocks, cut into supernodes, and the rows below
/// each of them.
pub struct Supernodes {
    /// Old block at each new place.
    pub order: Vec<u32>,
    /// New place of each old block.
    pub place: Vec<u32>,
    /// First scalar of each new block.
    pub offsets: Vec<usize>,
    /// First new block of each supernode; one entry more than there are supernodes.
    pub first: Vec<u32>,
    /// Parent of each supernode, always later; [`NONE`] for a root.
    pub parent: Vec<u32>,
    /// First entry of each supernode in `rows`.
    pub row_ptr: Vec<usize>,
    /// New blocks below each supernode, ascending.
    pub rows: Vec<u32>,
    /// Scalar columns of each supernode.
    pub width: Vec<usize>,
    /// Scalar rows below each supernode.
    pub height: Vec<usize>,
}

impl Supernodes {
    /// Finds the supernodes of an elimination and merges the small ones.
    pub fn new(structure: &BlockStructure, elimination: &Elimination) -> Self {
        let (group, fronts) = merge(structure, elimination);
        let (columns, parent) = arrange(&group, &fronts, elimination);
        let mut order = Vec::with_capacity(structure.blocks());
        let mut first = vec![0u32];
        for columns in &columns {
            order.extend(columns.iter().map(|&j| elimination.order[j as usize]));
            first.push(order.len() as u32);
        }
        let place = invert(&order);
        let mut offsets = vec![0usize];
        for &old in &order {
            offsets.push(offsets[offsets.len() - 1] + structure.size(old as usize));
        }
        let (row_ptr, rows) = find_rows(structure, &order, &place, &first, &parent);
        let count = parent.len();
        let scalars = |b: u32| offsets[b as usize + 1] - offsets[b as usize];
        let width = (0..count).map(|s| offsets[first[s + 1] as usize] - offsets[first[s] as usize]);
        let below = |s: usize| rows[row_ptr[s]..row_ptr[s + 1]].iter();
        let height = (0..count).map(|s| below(s).map(|&b| scalars(b)).sum());
        Self { width: width.collect(), height: height.collect(), order, place, offsets, first, parent, row_ptr, rows }
    }

    /// Number of supernodes.
    pub fn count(&self) -> usize {
        self.parent.len()
    }

    /// Scalar size of new block `b`.
    pub fn size(&self, b: u32) -> usize {
        self.offsets[b as usize + 1] - self.offsets[b as usize]
    }

    /// The blocks below supernode `s`.
    pub fn rows(&self, s: usize) -> &[u32] {
        &self.rows[self.row_ptr[s]..self.row_ptr[s + 1]]
    }

    /// Scalars of the panel of supernode `s`: its columns, from the diagonal block down, as a rectangle.
    pub fn panel_len(&self, s: usize) -> usize {
        self.width[s] * (self.width[s] + self.height[s])
    }

    /// Arithmetic of factorising the front of supernode `s`.
    pub fn flops(&self, s: usize) -> f64 {
        let column = |k: usize| ((self.height[s] + k) as f64).powi(2);
        (1..=self.width[s]).map(column).sum()
    }
}

/// A supernode while merging.
struct Front {
    width: usize,
    height: usize,
    zeros: usize,
}

/// The group of each column, named by its last supernode, and the fronts by that name.
fn merge(structure: &BlockStructure, elimination: &Elimination) -> (Vec<u32>, Vec<Front>) {
    let Elimination { order, parent, below, .. } = elimination;
    let n = order.len();
    // Maximal chains of columns with one pattern.
    let mut super_of = vec![0u32; n];
    let mut fronts: Vec<Front> = Vec::new();
    for j in 0..n {
        let size = structure.size(order[j] as usize);
        let continues = j > 0 && parent[j - 1] == j as u32 && below[j - 1] == below[j] + 1;
        if !continues {
            fronts.push(Front { width: 0, height: 0, zeros: 0 });
        }
        let s = fronts.len() - 1;
        super_of[j] = s as u32;
        fronts[s].width += size;
        fronts[s].height = elimination.below_scalars[j];
    }
    let mut super_parent = vec![NONE; fronts.len()];
    for j in 0..n {
        let p = parent[j];
        if p != NONE && super_of[p as usize] != super_of[j] {
            super_parent[super_of[j] as usize] = super_of[p as usize];
        }
    }
    let mut children = vec![Vec::new(); fronts.len()];
    let mut merged_into: Vec<u32> = (0..fronts.len() as u32).collect();
    for s in 0..fronts.len() {
        let own = std::mem::take(&mut children[s]).into_iter();
        let mut candidates: Vec<(u64, usize)> = own.map(|c: usize| (added_zeros(&fronts[c], &fronts[s]), c)).collect();
        candidates.sort_unstable();
        for (_, c) in candidates {
            if let Some(front) = try_merge(&fronts[c], &fronts[s]) {
                fronts[s] = front;
                merged_into[c] = s as u32;
            }
        }
        if super_parent[s] != NONE {
            children[super_parent[s] as usize].push(s);
        }
    }
    for s in (0..fronts.len()).rev() {
        // Groups are named after a later supernode, so its own group is known already.
        merged_into[s] = merged_into[merged_into[s] as usize];
    }
    let group = super_of.iter().map(|&s| merged_into[s as usize]);
    (group.collect(), fronts)
}

/// Zeros that appear when the columns of the child get the pattern of the parent.
fn added_zeros(child: &Front, parent: &Front) -> u64 {
    child.width as u64 * (parent.width + parent.height - child.height) as u64
}

fn try_merge(child: &Front, parent: &Front) -> Option<Front> {
    let width = child.width + parent.width;
    let zeros = child.zeros + parent.zeros + added_zeros(child, parent) as usize;
    let entries = width * (width + 1) / 2 + width * parent.height;
    let accepted = |&(columns, share): &(usize, f64)| width <= columns && zeros as f64 <= share * entries as f64;
    RELAXATION.iter().any(accepted).then_some(Front { width, height: parent.height, zeros })
}

/// The columns of each supernode, in a postorder of the tree of groups, and that tree.
fn arrange(group: &[u32], fronts: &[Front], elimination: &Elimination) -> (Vec<Vec<u32>>, Vec<u32>) {
    let groups = group.iter().max().map_or(0, |&g| g as usize + 1);
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); groups];
    for (j, &g) in group.iter().enumerate() {
        members[g as usize].push(j as u32);
    }
    // Names of groups ascend with their last column, so a parent still comes after its children.
    let live: Vec<u32> = (0..groups as u32).filter(|&g| !members[g as usize].is_empty()).collect();
    let mut rank = vec![NONE; groups];
    for (r, &g) in live.iter().enumerate() {
        rank[g as usize] = r as u32;
    }
    let parent_of = |g: u32| {
        let last = members[g as usize].last().copied().unwrap_or(NONE);
        match elimination.parent.get(last as usize) {
            Some(&p) if p != NONE => rank[group[p as usize] as usize],
            _ => NONE,
        }
    };
    let parent: Vec<u32> = live.iter().map(|&g| parent_of(g)).collect();
    let updates: Vec<usize> = live.iter().map(|&g| fronts[g as usize].height.pow(2)).collect();
    let post = postorder(&parent, least_memory(&parent, &updates).into_iter());
    let new_rank = invert(&post);
    let renamed = post.iter().map(|&r| match parent[r as usize] {
        NONE => NONE,
        p => new_rank[p as usize],
    });
    let renamed = renamed.collect();
    let columns = post.iter().map(|&r| std::mem::take(&mut members[live[r as usize] as usize]));
    (columns.collect(), renamed)
}

/// A sequence of the supernodes in which siblings come such that few update matrices wait at a time (Liu
/// 1986): first the ones whose subtree needs much more memory than it leaves behind. Parents must come after
/// their children in `parent`.
fn least_memory(parent: &[u32], updates: &[usize]) -> Vec<u32> {
    let n = parent.len();
    let mut children = vec![Vec::new(); n];
    let mut relief = vec![0usize; n];
    for s in 0..n {
        let mut own: Vec<u32> = std::mem::take(&mut children[s]);
        sort_by_relief(&mut own, &relief);
        let (mut waiting, mut peak) = (0, 0);
        for c in own.into_iter().map(|c| c as usize) {
            peak = peak.max(waiting + updates[c] + relief[c]);
            waiting += updates[c];
        }
        relief[s] = peak.max(waiting + updates[s]) - updates[s];
        if parent[s] != NONE {
            children[parent[s] as usize].push(s as u32);
        }
    }
    let mut sequence: Vec<u32> = (0..n as u32).collect();
    sort_by_relief(&mut sequence, &relief);
    sequence
}

/// The most relief first.
fn sort_by_relief(supernodes: &mut [u32], relief: &[usize]) {
    supernodes.sort_unstable_by_key(|&s| (Reverse(relief[s as usize]), s));
}

/// The union of the rows of the matrix and of the children, without the supernode's own columns.
fn find_rows(
    structure: &BlockStructure,
    order: &[u32],
    place: &[u32],
    first: &[u32],
    parent: &[u32],
) -> (Vec<usize>, Vec<u32>) {
    let mut children = vec![Vec::new(); parent.len()];
    for (s, &p) in parent.iter().enumerate() {
        if p != NONE {
            children[p as usize].push(s);
        }
    }
    let mut row_ptr = vec![0];
    let mut rows: Vec<u32> = Vec::new();
    let mut seen_by = vec![NONE; order.len()];
    for s in 0..parent.len() {
        let (begin, end) = (first[s] as usize, first[s + 1]);
        let start = rows.len();
        let mut visit = |row: u32, rows: &mut Vec<u32>| {
            if row >= end && seen_by[row as usize] != s as u32 {
                seen_by[row as usize] = s as u32;
                rows.push(row);
            }
        };
        for &old in &order[begin..end as usize] {
            for (other, _, _) in neighbours(structure, old as usize) {
                visit(place[other as usize], &mut rows);
            }
        }
        for &child in &children[s] {
            for k in row_ptr[child]..row_ptr[child + 1] {
                visit(rows[k], &mut rows);
            }
        }
        rows[start..].sort_unstable();
        row_ptr.push(rows.len());
    }
    (row_ptr, rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supernodes(sizes: &[usize], pairs: &[(u32, u32)]) -> Supernodes {
        let s = BlockStructure::from_pairs(sizes, pairs.iter().copied()).unwrap();
        let order: Vec<u32> = (0..sizes.len() as u32).collect();
        Supernodes::new(&s, &Elimination::new(&s, &order))
    }

    #[test]
    fn a_dense_matrix_is_one_supernode() {
        let s = supernodes(&[1, 2, 3], &[(0, 1), (0, 2), (1, 2)]);
        assert_eq!((s.count(), s.width[0], s.height[0]), (1, 6, 0));
        assert_eq!(s.panel_len(0), 36);
    }

    #[test]
    fn large_blocks_that_do_not_touch_stay_apart() {
        let s = supernodes(&[40, 40, 40], &[(0, 2), (1, 2)]);
        // Block 1 has the pattern of block 2 and is joined to it; block 0 is not worth the zeros.
        assert_eq!(s.parent, [1, NONE]);
        assert_eq!(s.rows(0), [2]);
        assert_eq!((s.width, s.height), (vec![40, 80], vec![40, 0]));
    }

    #[test]
    fn no_blocks_no_supernodes() {
        assert_eq!(supernodes(&[], &[]).count(), 0);
    }
}
