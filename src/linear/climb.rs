//! Work that goes up the elimination tree: each front after its children, whose updates it takes.
//!
//! Units that do not depend on each other go to different threads; the order in which a front takes updates is always the same.

use std::sync::Mutex;

use rayon::prelude::*;

use super::assembly::Update;
use super::multifrontal::Multifrontal;

/// What is done at each front.
pub trait Fronts: Sync {
    /// Numbers that belong to supernode `s`.
    fn len(&self, plan: &Multifrontal, s: usize) -> usize;

    /// Works on the numbers of supernode `s`, given the updates of its children in order, and adds its own for its parent, if it has
    /// one. An error ends all: the place of a scalar column in the elimination order.
    fn front(
        &self,
        plan: &Multifrontal,
        s: usize,
        own: &mut [f64],
        updates: &mut Vec<Update>,
        parallel: bool,
    ) -> Result<(), usize>;
}

/// The numbers of each unit, each taken by the one thread that works on it.
pub type Parts<'a> = Vec<Mutex<&'a mut [f64]>>;

/// Cuts numbers that lie in elimination order into those of each unit.
pub fn parts<'a>(plan: &Multifrontal, mut numbers: &'a mut [f64], len: impl Fn(usize) -> usize) -> Parts<'a> {
    let mut part = |supernodes: std::ops::Range<usize>| {
        let (part, rest) = std::mem::take(&mut numbers).split_at_mut(supernodes.map(&len).sum());
        numbers = rest;
        Mutex::new(part)
    };
    plan.schedule.units.iter().map(|unit| part(unit.supernodes.clone())).collect()
}

/// One way up the tree.
pub struct Climb<'a, F> {
    plan: &'a Multifrontal,
    fronts: F,
    parallel: bool,
    parts: Parts<'a>,
}

impl<'a, F: Fronts> Climb<'a, F> {
    /// Up the tree with all numbers in elimination order; the first error in that order.
    pub fn run(plan: &'a Multifrontal, fronts: F, numbers: &'a mut [f64], parallel: bool) -> Result<(), usize> {
        let parts = parts(plan, numbers, |s| fronts.len(plan, s));
        let climb = Climb { plan, fronts, parallel, parts };
        climb.units(&plan.schedule.roots).map(|_| ())
    }

    /// Units that do not depend on each other, and all they depend on. Returns the updates of their roots in order; of several
    /// failures, the first one in elimination order.
    fn units(&self, units: &[usize]) -> Result<Vec<Update>, usize> {
        let updates: Vec<Result<Vec<Update>, usize>> = if self.parallel && units.len() > 1 {
            units.par_iter().map(|&u| self.unit(u)).collect()
        } else {
            units.iter().map(|&u| self.unit(u)).collect()
        };
        let updates: Result<Vec<Vec<Update>>, usize> = updates.into_iter().collect();
        Ok(updates?.into_iter().flatten().collect())
    }

    /// A unit and all it depends on. Recurses only where the tree of units branches, which a tree of few units does rarely: a long path
    /// is walked in a loop.
    fn unit(&self, unit: usize) -> Result<Vec<Update>, usize> {
        let units = &self.plan.schedule.units;
        let mut path = vec![unit];
        let mut bottom = unit;
        while let Some(only) = units[bottom].only_branch {
            path.push(only);
            bottom = only;
        }
        let mut below = Vec::new();
        while let Some(unit) = path.pop() {
            let inputs = &units[unit].inputs;
            let at = units[unit].only_branch.and_then(|only| inputs.iter().position(|&u| u == only));
            let mut stack = match at {
                None => self.units(inputs)?,
                Some(at) => {
                    let mut stack = self.units(&inputs[..at])?;
                    stack.append(&mut below);
                    stack.append(&mut self.units(&inputs[at + 1..])?);
                    stack
                }
            };
            self.columns(unit, &mut stack)?;
            below = stack;
        }
        Ok(below)
    }

    /// The supernodes of one unit in order, given the updates of its inputs.
    fn columns(&self, unit: usize, stack: &mut Vec<Update>) -> Result<(), usize> {
        let piece = &self.plan.schedule.units[unit];
        let Ok(mut part) = self.parts[unit].lock() else {
            return Ok(());
        };
        let mut rest = &mut **part;
        for s in piece.supernodes.clone() {
            let (own, tail) = rest.split_at_mut(self.fronts.len(self.plan, s));
            self.fronts.front(self.plan, s, own, stack, self.parallel && piece.large)?;
            rest = tail;
        }
        Ok(())
    }
}
