//! What `icosphere` and `mesh` minimise: an energy that takes one solve, or the developable energy, which takes a run of many.

use isograd::mesh::energy::Energy;
use std::fmt;

/// What to minimise, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// An energy that is one problem; see [`optimize`](crate::optimize).
    Energy(Energy),
    /// The developable energy, from coarse to fine; see [`develop`](crate::develop).
    Developable,
}

impl Goal {
    /// All goals.
    pub fn all() -> impl Iterator<Item = Goal> {
        Energy::ALL.into_iter().map(Goal::Energy).chain([Goal::Developable])
    }

    /// The name as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Goal::Energy(energy) => energy.name(),
            Goal::Developable => "developable",
        }
    }

    /// The goal of this name.
    pub fn named(name: &str) -> Option<Goal> {
        Goal::all().find(|goal| goal.name() == name)
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
