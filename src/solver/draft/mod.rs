//! The block columns of one task: what is in them, and how their sums are made.

mod pass;

use super::accumulation::Task;
use super::columns::Weighted;
use super::contribution::{Contribution, Own, Pair};
use super::distinct::Distinct;
use super::reduction::{FIXED, Reduction};
use super::touches::{Touch, Touches};
use crate::backend::Group;
use crate::linear::Storage;
use pass::PassDraft;
use std::ops::Range;

/// What a plan is made from.
pub(super) struct Source<'a> {
    pub groups: &'a [Group],
    pub contributions: &'a [Contribution],
    pub reduction: &'a Reduction,
    pub touches: &'a Touches,
}

/// The columns of a task.
pub(super) struct Draft {
    /// Its numbers are counted from 0.
    pub task: Task,
    /// Where the blocks of each column end.
    pub ends: Vec<u32>,
    /// The block row of each block, and how it is stored.
    pub rows: Vec<u32>,
    pub storage: Vec<Storage>,
    /// The numbers of the blocks that are constant and stored in full.
    pub full: Vec<f64>,
    /// Of those that are multiples of the identity the number.
    pub multiples: Distinct,
}

impl Draft {
    /// Goes through the columns.
    pub fn new(source: &Source<'_>, columns: Range<usize>) -> Self {
        let shares = source.contributions.iter().map(|contribution| contribution.shares.len());
        let first_shares = shares.scan(0, |next, shares| Some(std::mem::replace(next, *next + shares))).collect();
        let mut passes = Vec::new();
        for (group, contribution) in source.contributions.iter().enumerate() {
            passes.extend((0..contribution.shares.len()).map(|share| PassDraft::new(group, share)));
        }
        let mut drafting = Drafting {
            source,
            first_shares,
            passes,
            weighted: Weighted::default(),
            begin: Vec::new(),
            scalars: 0,
            block: Vec::new(),
            multiples: Vec::new(),
            couples: Vec::new(),
            order: Vec::new(),
            draft: Draft {
                task: Task::new(columns.clone()),
                ends: Vec::with_capacity(columns.len()),
                rows: Vec::new(),
                storage: Vec::new(),
                full: Vec::new(),
                multiples: Distinct::default(),
            },
        };
        columns.for_each(|column| drafting.column(column));
        drafting.finish()
    }
}

/// An instance and the slot of a block that it couples to the block of the column.
#[derive(Clone, Copy)]
struct Couple {
    touch: Touch,
    other: usize,
}

/// A draft in the making.
struct Drafting<'a> {
    source: &'a Source<'a>,
    /// Index of the first share of each group among those of all, as in `passes`.
    first_shares: Vec<usize>,
    passes: Vec<PassDraft>,
    weighted: Weighted,
    /// What the numbers of the task begin with.
    begin: Vec<f64>,
    /// Scalars of the columns so far.
    scalars: usize,
    /// The constant part of the block at hand.
    block: Vec<f64>,
    /// What the multiples of the identity are times.
    multiples: Vec<f64>,
    couples: Vec<Couple>,
    /// Row and index of each couple, packed so that sorting brings those of a row together and in order.
    order: Vec<u64>,
    draft: Draft,
}

impl Drafting<'_> {
    /// Writes down a column: its blocks by ascending row, and by which instances each is added to.
    fn column(&mut self, column: usize) {
        let Source { groups, contributions, reduction, touches } = *self.source;
        let width = reduction.sizes[column];
        self.couples.clear();
        self.order.clear();
        self.clear_block(width * width);
        let (mut storage, before) = (Storage::Full, self.weighted.sources.len());
        for touch in touches.of(column) {
            let contribution = &contributions[touch.group];
            self.add(contribution.pair(touch.slot, touch.slot));
            match contribution.slots[touch.slot].own {
                Own::Nothing => {}
                Own::Residuals { first, weight } => {
                    let group = &groups[touch.group];
                    let residual = group.rows.start + touch.instance * group.kernel.residuals() + first as usize;
                    self.weighted.sources.push(Weighted::source(residual, weight));
                }
                Own::Share { .. } => storage = Storage::Ahead,
            }
            for (other, &row) in touches.blocks(touch, contribution.slots.len()).iter().enumerate() {
                if row != FIXED && row as usize > column && !contribution.pair(other, touch.slot).is_zero() {
                    self.order.push(u64::from(row) << 32 | self.couples.len() as u64);
                    self.couples.push(Couple { touch, other });
                }
            }
        }
        self.weighted.counts.push((self.weighted.sources.len() - before) as u32);
        let diagonal = self.push(column as u32, storage);
        self.order.sort_unstable();
        let order = std::mem::take(&mut self.order);
        for same in order.chunk_by(|a, b| a >> 32 == b >> 32) {
            self.below((column, width), diagonal, (same[0] >> 32) as usize, same);
        }
        self.order = order;
        for touch in touches.of(column) {
            let contribution = &contributions[touch.group];
            if let Own::Share { share, negative, partner } = contribution.slots[touch.slot].own {
                let row = partner.map(|other| touches.blocks(touch, contribution.slots.len())[other]);
                if row.is_none_or(|row| row == FIXED || row as usize <= column) {
                    let pass = &mut self.passes[self.first_shares[touch.group] + share];
                    pass.enter(column, true, (diagonal, self.scalars));
                    pass.add(touch.instance, negative, None);
                }
            }
        }
        self.scalars += width;
        self.draft.ends.push(self.draft.rows.len() as u32);
    }

    /// Writes down a block below the diagonal, with the couples that add to it.
    fn below(&mut self, (column, width): (usize, usize), diagonal: u32, row: usize, order: &[u64]) {
        let Source { contributions, reduction, .. } = *self.source;
        self.clear_block(reduction.sizes[row] * width);
        // What is held becomes rows and columns of the identity.
        let held = reduction.held[row] || reduction.held[column];
        let mut storage = if held { Storage::Full } else { Storage::Multiple };
        for &couple in order {
            let Couple { touch, other } = self.couples[couple as u32 as usize];
            let pair = contributions[touch.group].pair(other, touch.slot);
            self.add(pair);
            storage = storage.max(pair.storage());
        }
        let place = self.push(row as u32, storage);
        if storage != Storage::Ahead {
            return;
        }
        for &couple in order {
            let Couple { touch, other } = self.couples[couple as u32 as usize];
            let slot = &contributions[touch.group].slots[touch.slot];
            let (share, negative, own) = match slot.own {
                Own::Share { share, negative, partner } if partner == Some(other) => (share, negative, true),
                _ => match slot.below.iter().find(|&&(slot, _)| slot == other) {
                    Some(&(_, share)) => (share, false, false),
                    None => continue,
                },
            };
            let pass = &mut self.passes[self.first_shares[touch.group] + share];
            pass.enter(column, own, (diagonal, self.scalars));
            pass.add(touch.instance, negative, Some(place));
        }
    }

    fn clear_block(&mut self, numbers: usize) {
        self.block.clear();
        self.block.resize(numbers, 0.0);
    }

    fn add(&mut self, pair: &Pair) {
        pair.constant.iter().for_each(|&(entry, number)| self.block[entry as usize] += number);
    }

    /// Takes the block at hand; its place among the numbers of the task, if it is ahead.
    fn push(&mut self, row: u32, storage: Storage) -> u32 {
        self.draft.rows.push(row);
        self.draft.storage.push(storage);
        let place = self.begin.len() as u32;
        match storage {
            Storage::Ahead => self.begin.extend(&self.block),
            Storage::Full => self.draft.full.extend(&self.block),
            Storage::Multiple => self.multiples.push(self.block[0]),
        }
        place
    }

    fn finish(mut self) -> Draft {
        let task = &mut self.draft.task;
        task.numbers = 0..self.begin.len();
        if !self.weighted.sources.is_empty() {
            task.weighted = self.weighted;
            task.weighted.counts.shrink_to_fit();
            task.weighted.sources.shrink_to_fit();
        }
        let contributions = self.source.contributions;
        let some = self.passes.into_iter().filter(|draft| !draft.is_empty());
        task.passes = some.map(PassDraft::pass).collect();
        task.begin(contributions, &self.begin);
        self.draft.multiples = Distinct::new(self.multiples);
        self.draft
    }
}

impl Task {
    fn new(columns: Range<usize>) -> Self {
        Task {
            columns,
            numbers: 0..0,
            resets: Vec::new(),
            weighted: Weighted::default(),
            passes: Vec::new(),
            leading: false,
        }
    }
}
