//! Fill-reducing orderings of the block graph.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::sparse::SymbolicSparseColMatRef;
use faer::sparse::linalg::amd;

use super::elimination::Elimination;
use super::{BlockStructure, LinearError};

/// Operations per block entry from which on a nested dissection is tried. It takes about a microsecond an
/// entry, the time of some 50,000 operations, and may save half of the arithmetic in each factorisation.
const DISSECTION_PAYS: f64 = 20_000.0;

/// In which order the blocks are eliminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Ordering {
    /// The cheaper one of the others, by predicted floating-point operations.
    #[default]
    Auto,
    /// Approximate minimum degree (Amestoy, Davis, Duff 1996): fast, and good for small and for very sparse
    /// problems.
    Amd,
    /// Multilevel nested dissection (Karypis, Kumar 1998): slower to find, less fill on meshes, and a bushy
    /// tree that factorises well in parallel.
    NestedDissection,
    /// The order in which the blocks come.
    Natural,
}

impl Ordering {
    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Amd => "amd",
            Self::NestedDissection => "nested dissection",
            Self::Natural => "natural",
        }
    }

    /// Orders the blocks; also says which ordering [`Ordering::Auto`] settled on.
    pub fn eliminate(self, structure: &BlockStructure) -> Result<(Elimination, Self), LinearError> {
        let with = |order: Vec<u32>| Elimination::new(structure, &order);
        match self {
            Self::Natural => Ok((with((0..structure.blocks() as u32).collect()), self)),
            Self::Amd => Ok((with(minimum_degree(structure)?), self)),
            Self::NestedDissection => Ok((with(nested_dissection(structure)?), self)),
            Self::Auto => {
                let (amd, _) = Self::Amd.eliminate(structure)?;
                let entries = structure.row_idx().len() as f64;
                if amd.flops < DISSECTION_PAYS * entries {
                    return Ok((amd, Self::Amd));
                }
                let (dissected, _) = Self::NestedDissection.eliminate(structure)?;
                if dissected.flops < amd.flops { Ok((dissected, Self::NestedDissection)) } else { Ok((amd, Self::Amd)) }
            }
        }
    }
}

fn too_large(structure: &BlockStructure) -> LinearError {
    LinearError::TooLarge { entries: structure.row_idx().len() }
}

pub fn minimum_degree(structure: &BlockStructure) -> Result<Vec<u32>, LinearError> {
    let blocks = structure.blocks();
    let entries = structure.row_idx().len();
    if i32::try_from(entries.saturating_mul(3)).is_err() {
        return Err(too_large(structure));
    }
    let pattern = SymbolicSparseColMatRef::new_checked(blocks, blocks, structure.col_ptr(), None, structure.row_idx());
    let request = amd::order_maybe_unsorted_scratch::<u32>(blocks, entries);
    let mut memory = MemBuffer::try_new(request)
        .map_err(|_| LinearError::OutOfMemory { bytes: request.unaligned_bytes_required() })?;
    let (mut order, mut place) = (vec![0u32; blocks], vec![0u32; blocks]);
    let stack = MemStack::new(&mut memory);
    let control = amd::Control::default();
    amd::order_maybe_unsorted(&mut order, &mut place, pattern, control, stack).map_err(|_| too_large(structure))?;
    Ok(order)
}

/// Orders by nested dissection. Browsers have no clock for the crate that does it, so there it is minimum
/// degree.
#[cfg(target_arch = "wasm32")]
pub fn nested_dissection(structure: &BlockStructure) -> Result<Vec<u32>, LinearError> {
    minimum_degree(structure)
}

/// Orders by nested dissection.
#[cfg(not(target_arch = "wasm32"))]
pub fn nested_dissection(structure: &BlockStructure) -> Result<Vec<u32>, LinearError> {
    use feral_metis::{CscPattern, MetisOptions, metis_order_full};

    use super::elimination::neighbours;

    // Blocks without neighbours go first: the dissection would spend linear time on each.
    let alone = |&j: &u32| neighbours(structure, j as usize).next().is_none();
    let blocks = 0..structure.blocks() as u32;
    let (mut order, joined): (Vec<u32>, Vec<u32>) = blocks.partition(alone);
    let mut number = vec![0i32; structure.blocks()];
    for (new, &old) in joined.iter().enumerate() {
        number[old as usize] = i32::try_from(new).map_err(|_| too_large(structure))?;
    }
    let mut col_ptr = vec![0];
    let mut row_idx = Vec::with_capacity(2 * structure.row_idx().len());
    for &j in &joined {
        // Ascending, because the numbering keeps the order of the blocks.
        row_idx.extend(neighbours(structure, j as usize).map(|(i, _, _)| number[i as usize]));
        let end = i32::try_from(row_idx.len()).map_err(|_| too_large(structure))?;
        col_ptr.push(end);
    }
    let pattern = CscPattern::new(joined.len(), &col_ptr, &row_idx).ok_or_else(|| too_large(structure))?;
    let (dissected, _, _) = metis_order_full(&pattern, &MetisOptions::default()).map_err(|_| too_large(structure))?;
    order.extend(dissected.into_iter().map(|v| joined[v as usize]));
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::super::test_problems::{grid, matrix};
    use super::*;

    #[test]
    fn every_ordering_is_a_permutation() {
        let apart = matrix(&[2; 9], &[(3, 7)], |_, _, _, _| 1.0);
        for a in [grid(20), apart, matrix(&[], &[], |_, _, _, _| 0.0)] {
            let structure = a.structure();
            for order in [minimum_degree(structure), nested_dissection(structure)] {
                let mut order = order.unwrap();
                order.sort_unstable();
                assert!(order.into_iter().eq(0..structure.blocks() as u32));
            }
        }
    }

    #[test]
    fn auto_takes_the_cheaper_one() {
        let small = grid(4);
        let (_, chosen) = Ordering::Auto.eliminate(small.structure()).unwrap();
        assert_eq!(chosen, Ordering::Amd);
        // A dense graph cannot be dissected, though it is expensive enough to try.
        let pairs: Vec<(u32, u32)> = (0..300).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        let dense = matrix(&[6; 300], &pairs, |_, _, _, _| 1.0);
        let flops = |o: Ordering| o.eliminate(dense.structure()).unwrap().0.flops;
        assert!(flops(Ordering::Auto) <= flops(Ordering::Amd));
    }
}
