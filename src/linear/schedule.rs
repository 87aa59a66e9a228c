//! Which supernodes are factorised together by one thread, and which by all threads one at a time.

use std::ops::Range;

use super::elimination::NONE;
use super::supernodes::Supernodes;

/// Subtrees with less than this share of the arithmetic are factorised by one thread.
const TASK_SHARE: f64 = 1.0 / 64.0;

/// A piece of the elimination tree.
pub struct Unit {
    /// Its supernodes: one large front, or whole small subtrees next to each other.
    pub supernodes: Range<usize>,
    /// A single front, large enough to be shared by several threads.
    pub large: bool,
    /// The units whose updates it takes, in elimination order.
    pub inputs: Vec<usize>,
    /// The only large one of its inputs, if there is exactly one.
    pub only_branch: Option<usize>,
}

/// The elimination tree cut into units, in elimination order. It depends on the structure only.
pub struct Schedule {
    /// The units; inputs come first.
    pub units: Vec<Unit>,
    /// The units that are no input of another.
    pub roots: Vec<usize>,
}

impl Schedule {
    /// Cuts the tree.
    pub fn new(supernodes: &Supernodes) -> Self {
        let count = supernodes.count();
        let parent = &supernodes.parent;
        let mut work: Vec<f64> = (0..count).map(|s| supernodes.flops(s)).collect();
        let limit = work.iter().sum::<f64>() * TASK_SHARE;
        for s in 0..count {
            if parent[s] != NONE {
                work[parent[s] as usize] += work[s];
            }
        }
        let mut schedule = Self { units: Vec::new(), roots: Vec::new() };
        // Unused units with the supernode that waits for their updates, and the work in the last one.
        let mut waiting: Vec<(u32, usize)> = Vec::new();
        let mut last_work = 0.0;
        let mut start = 0;
        for s in 0..count {
            let large = work[s] > limit;
            if !large && parent[s] != NONE && work[parent[s] as usize] <= limit {
                continue;
            }
            let joins = !large
                && last_work + work[s] <= limit
                && waiting.last().is_some_and(|&(p, u)| {
                    p == parent[s] && !schedule.units[u].large && schedule.units[u].supernodes.end == start
                });
            if joins {
                if let Some(unit) = schedule.units.last_mut() {
                    unit.supernodes.end = s + 1;
                }
                last_work += work[s];
            } else {
                let first = waiting.partition_point(|&(p, _)| p != s as u32);
                let inputs = waiting.split_off(first).into_iter().map(|(_, u)| u).collect();
                waiting.push((parent[s], schedule.units.len()));
                schedule.push(start..s + 1, large, inputs);
                last_work = work[s];
            }
            start = s + 1;
        }
        schedule.roots = waiting.into_iter().map(|(_, u)| u).collect();
        schedule
    }

    fn push(&mut self, supernodes: Range<usize>, large: bool, inputs: Vec<usize>) {
        let mut branches = inputs.iter().filter(|&&u| self.units[u].large);
        let only_branch = match (branches.next(), branches.next()) {
            (Some(&only), None) => Some(only),
            _ => None,
        };
        self.units.push(Unit { supernodes, large, inputs, only_branch });
    }
}
