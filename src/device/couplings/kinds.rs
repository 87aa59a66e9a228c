//! The ways in which instances couple two blocks.

use super::super::classes::{Classes, derivatives, number_of};
use super::super::layout::Layout;
use super::super::plans::KindPlace;
use crate::backend::Group;
use crate::kernel::wgsl::{self, Derivative, PairClass, PairKind};

/// How the instances of a kind couple a row to a part of their blocks.
#[derive(Clone, Copy)]
pub(super) struct Coupling {
    pub part: usize,
    pub class: usize,
    /// The entry of instance 0.
    pub base: u32,
}

/// The classes of pairs with their kinds, where the instances of these stand, and for each kind of each class of blocks what it couples.
pub(super) type Kinds = (Vec<PairClass>, Vec<KindPlace>, Vec<Vec<Vec<Coupling>>>);

/// Finds them.
pub(super) fn find_kinds(groups: &[Group], layout: &Layout, classes: &Classes) -> Kinds {
    let mut code: Vec<PairClass> = Vec::new();
    let columns: Vec<Vec<Vec<Derivative>>> = (groups.iter().zip(&layout.shapes))
        .map(|(group, shape)| shape.parts.iter().map(|part| derivatives(&group.kernel, part)).collect())
        .collect();
    // Class and number of the kind of each coupling, before bases are known.
    let mut found: Vec<Vec<Vec<(usize, usize, usize)>>> = Vec::new();
    for class in &classes.code {
        let of_kind = |kind: &wgsl::Kind| {
            let parts = layout.shapes[kind.group].parts.iter().enumerate();
            let mut couplings = Vec::new();
            for ((index, part), column) in parts.zip(&columns[kind.group]) {
                if !kind.derivatives.iter().any(|a| column.iter().any(|b| b.residual == a.residual)) {
                    continue;
                }
                let (rows, columns) = (class.size, part.size as usize);
                let pair =
                    code.iter().position(|pair| (pair.rows, pair.columns) == (rows, columns)).unwrap_or_else(|| {
                        code.push(PairClass { rows, columns, kinds: Vec::new() });
                        code.len() - 1
                    });
                let kind = PairKind { group: kind.group, row: kind.derivatives.clone(), column: column.clone() };
                couplings.push((index, pair, number_of(&mut code[pair].kinds, kind)));
            }
            couplings
        };
        found.push(class.kinds.iter().map(of_kind).collect());
    }
    let mut kinds = Vec::new();
    let bases: Vec<Vec<u32>> = code
        .iter()
        .map(|pair| {
            let mut end = 0;
            let base = |kind: &PairKind| {
                let group = layout.shards[0].groups[kind.group];
                let base = end;
                end += group.count;
                kinds.push(KindPlace { base, group });
                base
            };
            pair.kinds.iter().map(base).collect()
        })
        .collect();
    let based = |&(part, class, kind): &(usize, usize, usize)| Coupling { part, class, base: bases[class][kind] };
    let couplings = found
        .iter()
        .map(|kinds| kinds.iter().map(|couplings| couplings.iter().map(based).collect()).collect())
        .collect();
    (code, kinds, couplings)
}
