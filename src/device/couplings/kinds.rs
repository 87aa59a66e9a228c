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

/// A coupling before bases are known: the part of the instance's blocks, the class of the pair, and the number of the kind there.
type Found = (usize, usize, usize);

/// Finds them.
pub(super) fn find_kinds(groups: &[Group], layout: &Layout, classes: &Classes) -> Kinds {
    let mut code: Vec<PairClass> = Vec::new();
    let columns: Vec<Vec<Vec<Derivative>>> = (groups.iter().zip(&layout.shapes))
        .map(|(group, shape)| shape.parts.iter().map(|part| derivatives(&group.kernel, part)).collect())
        .collect();
    let mut found: Vec<Vec<Vec<Found>>> = Vec::new();
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
                        code.push(PairClass { rows, columns, multiples: false, kinds: Vec::new() });
                        code.len() - 1
                    });
                let kind = PairKind { group: kind.group, row: kind.derivatives.clone(), column: column.clone() };
                couplings.push((index, pair, number_of(&mut code[pair].kinds, kind)));
            }
            couplings
        };
        found.push(class.kinds.iter().map(of_kind).collect());
    }
    part_multiples(&mut code, &mut found);
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
    let based = |&(part, class, kind): &Found| Coupling { part, class, base: bases[class][kind] };
    let couplings = found
        .iter()
        .map(|kinds| kinds.iter().map(|couplings| couplings.iter().map(based).collect()).collect())
        .collect();
    (code, kinds, couplings)
}

/// Makes a class of its own of the kinds that are multiples of the identity, and puts them first in the class where they are: where all instances
/// of a pair are of these kinds, it goes to the class of multiples, and otherwise to the other, with the same entries.
fn part_multiples(code: &mut Vec<PairClass>, found: &mut [Vec<Vec<Found>>]) {
    for class in 0..code.len() {
        let PairClass { rows, columns, ref kinds, .. } = code[class];
        let is_multiple = |&kind: &usize| rows > 1 && rows == columns && kinds[kind].is_multiple(rows);
        let (multiples, others): (Vec<usize>, Vec<usize>) = (0..kinds.len()).partition(is_multiple);
        if multiples.is_empty() {
            continue;
        }
        let order = || multiples.iter().chain(&others);
        let kinds: Vec<PairKind> = order().map(|&kind| kinds[kind].clone()).collect();
        for (_, pair, number) in found.iter_mut().flatten().flatten().filter(|(_, pair, _)| *pair == class) {
            *number = order().position(|kind| kind == number).expect("each kind has a place");
            *pair = if *number < multiples.len() { code.len() } else { class };
        }
        code.push(PairClass { rows, columns, multiples: true, kinds: kinds[..multiples.len()].to_vec() });
        code[class].kinds = kinds;
    }
}
