//! What a task adds for one share, written down column by column.

use super::super::accumulation::{GroupPass, Task};
use super::super::columns::{AGAIN, Begin, COPIES, Counts, INSTANCE, NEGATIVE, Pass, Step, Targets};
use super::super::contribution::Contribution;

/// What the instances of a group add for one share.
pub(super) struct PassDraft {
    group: usize,
    share: usize,
    steps: Vec<Step>,
    sources: Vec<u32>,
    /// First numbers of the blocks, and of Jᵀr.
    blocks: Vec<u32>,
    gradient: Vec<u32>,
    /// The column at hand.
    column: usize,
    /// The block below the diagonal that the last source adds to.
    last: Option<u32>,
}

impl PassDraft {
    pub fn new(group: usize, share: usize) -> Self {
        PassDraft {
            group,
            share,
            steps: Vec::new(),
            sources: Vec::new(),
            blocks: Vec::new(),
            gradient: Vec::new(),
            column: usize::MAX,
            last: None,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.sources.is_empty()
    }

    /// Comes to a column, with the places of its diagonal block and in Jᵀr, which are the pass's `own` or not.
    pub fn enter(&mut self, column: usize, own: bool, (diagonal, scalar): (u32, usize)) {
        if self.column == column {
            return;
        }
        (self.column, self.last) = (column, None);
        // Where nothing is the pass's own, columns make no difference.
        if own || self.steps.is_empty() {
            self.steps.push(Step { below: 0, alone: 0 });
        }
        if own {
            self.blocks.push(diagonal);
            self.gradient.push(scalar as u32);
        }
    }

    /// Adds an instance to the column, and to a block below the diagonal if there is one.
    pub fn add(&mut self, instance: usize, negative: bool, place: Option<u32>) {
        let mut source = (instance as u32) << INSTANCE | if negative { NEGATIVE } else { 0 };
        let Some(step) = self.steps.last_mut() else { return };
        match place {
            None => step.alone += 1,
            Some(_) if self.last == place => {
                step.below += 1;
                source |= AGAIN;
            }
            Some(place) => {
                step.below += 1;
                self.blocks.push(place);
            }
        }
        self.last = place;
        self.sources.push(source);
    }

    pub fn pass(self) -> GroupPass {
        let Self { group, share, steps: list, mut sources, blocks, gradient, .. } = self;
        let mut steps = Counts::default();
        list.into_iter().flat_map(|step| [step.below, step.alone]).for_each(|count| steps.push(count));
        steps.shrink_to_fit();
        sources.shrink_to_fit();
        let targets = Targets::Listed { blocks, gradient };
        GroupPass {
            group,
            share,
            pass: Pass { steps, sources, targets, diagonal: Begin::Present, below: Begin::Present },
        }
    }
}

impl Task {
    /// Settles what each pass begins with, given the constant part of all numbers.
    pub(super) fn begin(&mut self, contributions: &[Contribution], constant: &[f64]) {
        let share = |pass: &GroupPass| &contributions[pass.group].shares[pass.share];
        let columns = self.columns.len();
        let goes_through_all = |pass: &GroupPass| share(pass).is_own() && pass.pass.steps().count() == columns;
        if let Some(leading) = self.passes.iter().position(goes_through_all) {
            self.passes[..=leading].rotate_right(1);
            self.leading = true;
        }
        let mut begun = vec![false; constant.len()];
        let mut begin = |places: &[u32], numbers: usize| {
            let first = places.iter().all(|&place| !begun[place as usize]);
            for &place in places.iter().filter(|_| !first) {
                if !begun[place as usize] {
                    let range = place..place + numbers as u32;
                    self.resets.push((range, constant[place as usize..][..numbers].to_vec()));
                }
            }
            places.iter().for_each(|&place| begun[place as usize] = true);
            let blocks = places.iter().map(|&place| &constant[place as usize..][..numbers]);
            if first { Begin::with(blocks) } else { Begin::Present }
        };
        for pass in &mut self.passes {
            let share = share(pass);
            let pass = &mut pass.pass;
            let diagonals = pass.diagonals(share.is_own());
            let Targets::Listed { blocks, gradient } = &mut pass.targets else { continue };
            let of = |diagonal: bool| {
                let blocks = blocks.iter().zip(&diagonals).filter(|&(_, &other)| other == diagonal);
                blocks.map(|(&place, _)| place).collect::<Vec<u32>>()
            };
            pass.diagonal = begin(&of(true), share.width * share.width);
            pass.below = begin(&of(false), share.height * share.width);
            let follow = |end: usize, (&place, &diagonal): (&u32, &bool)| {
                let height = if diagonal { share.width } else { share.height };
                (place as usize == end).then_some(end + height * share.width)
            };
            let once = pass.sources.iter().all(|&source| source & AGAIN == 0);
            let multiples = |begin: &Begin| matches!(begin, Begin::Zero | Begin::Multiples(_));
            let stream = once && multiples(&pass.diagonal) && multiples(&pass.below);
            let stream = stream && blocks.iter().zip(&diagonals).try_fold(0, follow).is_some();
            if COPIES && share.is_own() && gradient.len() == columns && stream {
                pass.targets = Targets::Streamed;
            } else {
                blocks.shrink_to_fit();
                gradient.shrink_to_fit();
            }
        }
    }
}
