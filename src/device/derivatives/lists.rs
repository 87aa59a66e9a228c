//! For each parameter block, where the contributions to it stand.

use crate::device::lists::{self, Numbers, UNLISTED};
use crate::device::pieces::Pieces;
use crate::device::shard::{GroupShape, Shard};

/// A block with more contributions than this is summed by a whole workgroup.
const LONG: u32 = 96;

/// Pieces of one size and sort in a table of lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListClass {
    pub count: u32,
    pub size: u32,
    /// Whether each piece has a workgroup of its own.
    pub long: bool,
    pub table: u32,
}

/// For each piece the places of what a shard's instances contribute to it.
pub(super) struct Lists {
    /// Tables, then lists.
    pub words: Vec<u32>,
    pub classes: Vec<ListClass>,
}

impl Lists {
    /// `all` also lists pieces that nobody contributes to, so that their sums become 0.
    pub fn new(shard: &Shard, shapes: &[GroupShape], pieces: &Pieces, all: bool) -> Self {
        let incidence = shard.incidence(shapes, pieces);
        let counts = incidence.counts();
        let mut classes: Vec<ListClass> = Vec::new();
        let of_pieces: Vec<u8> = (pieces.all.iter().zip(&counts))
            .map(|(piece, &count)| {
                if count == 0 && !all {
                    return UNLISTED;
                }
                let (size, long) = (u32::from(piece.size), count > LONG);
                let known = classes.iter().position(|class| (class.size, class.long) == (size, long));
                let class = known.unwrap_or_else(|| {
                    classes.push(ListClass { count: 0, size, long, table: 0 });
                    classes.len() - 1
                });
                classes[class].count += 1;
                class as u8
            })
            .collect();
        let parts =
            shapes.iter().enumerate().flat_map(|(group, shape)| shape.parts.iter().map(move |part| (group, part)));
        let numbers = parts.map(|(group, part)| Numbers {
            bases: vec![shard.groups[group].contributions + part.place; classes.len()],
            step: shapes[group].contributions as u32,
        });
        let lists = lists::Lists::new(incidence, counts, (&of_pieces, classes.len()), numbers.collect());
        classes.iter_mut().zip(lists.tables()).for_each(|(class, (table, _))| class.table = table);
        Lists { words: lists.words(pieces, &of_pieces), classes }
    }
}
