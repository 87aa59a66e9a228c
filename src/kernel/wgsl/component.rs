//! The minimisation of small connected components, a lane each: evaluation, normal equations, Cholesky factorisation and decision in one
//! kernel, after `kernels/component.wgsl`.
//!
//! A module serves the components of one [`Shape`]. All that a component has one of (columns, parameters, entries of JᵀJ) is then known when the
//! text is written, so that nothing is looked up and small shapes stay in registers.

use super::classes::packed_len;
use super::component_functions::Writer;
use super::format::OutOfRange;
use super::groups::operations;
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};
use crate::kernel::Kernel;
use crate::program::Retraction;
use std::fmt::Write;
use std::sync::Arc;

/// Most free scalar parameters of a component: its normal equations are the private numbers of a lane.
pub const MOST_SCALARS: usize = 12;

/// Most operations over all kinds of instances of a shape.
const MOST_OPERATIONS: usize = 4000;

/// A parameter block of a component.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnBlock {
    /// Numbers of a point.
    pub size: usize,
    /// The column of J of each component of a step; none where it is held.
    pub columns: Vec<Option<usize>>,
    /// How it moves, if not by addition.
    pub retraction: Option<Arc<Retraction>>,
}

/// Instances of a group whose slots have the same blocks of their components.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnKind {
    /// Index of the group.
    pub group: usize,
    /// For each slot which block of the component it is; none if it is fixed.
    pub blocks: Vec<Option<usize>>,
}

/// What the components of a module have in common.
#[derive(Debug, Clone, PartialEq)]
pub struct Shape {
    /// Their free blocks.
    pub blocks: Vec<OwnBlock>,
    /// Their instances; a component may have none of a kind.
    pub kinds: Vec<OwnKind>,
    /// Whether parameters have bounds.
    pub bounded: bool,
}

impl Shape {
    /// Free scalars.
    pub fn scalars(&self) -> usize {
        self.blocks.iter().flat_map(|block| &block.columns).flatten().count()
    }

    /// Numbers of a point.
    pub fn ambient(&self) -> usize {
        self.blocks.iter().map(|block| block.size).sum()
    }

    /// Numbers of the normal equations, and of the column scales.
    pub fn equations(&self) -> usize {
        packed_len(self.scalars()) + 2 * self.scalars()
    }

    /// Where each block begins in a point.
    pub(super) fn starts(&self) -> Vec<usize> {
        self.blocks.iter().scan(0, |end, block| Some(std::mem::replace(end, *end + block.size))).collect()
    }

    /// Why no lane can minimise such components, if it cannot.
    pub fn obstacle(&self, kernels: &[&Kernel]) -> Option<String> {
        let scalars = self.scalars();
        if scalars > MOST_SCALARS {
            return Some(format!("a component has {scalars} free parameters, and a lane takes {MOST_SCALARS}"));
        }
        let all: usize = self.kinds.iter().map(|kind| operations(kernels[kind.group])).sum();
        (all > MOST_OPERATIONS).then(|| {
            format!("the residuals of a component take {all} operations, more than the {MOST_OPERATIONS} that compile in good time")
        })
    }
}

/// What the solve of a component lasts on, one after the other: places in [`Slot::Components`].
const OWN: [&str; 6] = ["COST", "RADIUS", "SHRINK", "PROMISE", "INVALID", "STEPS"];

/// Numbers of a component's state.
pub const OWN_STATE: usize = OWN.len();

/// Place of the cost.
pub const OWN_COST: usize = 0;

/// Place of the number of steps taken.
pub const OWN_STEPS: usize = 5;

/// The state at the start.
pub fn first_own_state(radius: f64) -> [f64; OWN_STATE] {
    [0.0, radius, 2.0, -1.0, 0.0, 0.0]
}

/// How a component stands: words of [`Slot::Outcomes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum OwnOutcome {
    /// Not evaluated yet.
    New,
    /// On its way.
    Running,
    /// Ended, for the reason of the same name.
    FunctionTolerance,
    /// As above.
    GradientTolerance,
    /// As above.
    ParameterTolerance,
    /// As above.
    PrecisionLimit,
    /// As above.
    TrustRegionCollapsed,
    /// As above.
    InvalidSteps,
    /// As above.
    MaxIterations,
    /// A number that is not finite.
    NotFinite,
}

impl OwnOutcome {
    /// All, in the order of their words, with their names in WGSL.
    const ALL: [(OwnOutcome, &'static str); 10] = [
        (OwnOutcome::New, "IS_NEW"),
        (OwnOutcome::Running, "IS_RUNNING"),
        (OwnOutcome::FunctionTolerance, "AT_FUNCTION_TOLERANCE"),
        (OwnOutcome::GradientTolerance, "AT_GRADIENT_TOLERANCE"),
        (OwnOutcome::ParameterTolerance, "AT_PARAMETER_TOLERANCE"),
        (OwnOutcome::PrecisionLimit, "AT_PRECISION_LIMIT"),
        (OwnOutcome::TrustRegionCollapsed, "AT_TRUST_REGION_COLLAPSED"),
        (OwnOutcome::InvalidSteps, "AT_INVALID_STEPS"),
        (OwnOutcome::MaxIterations, "AT_MAX_ITERATIONS"),
        (OwnOutcome::NotFinite, "IS_NOT_FINITE"),
    ];

    /// The outcome behind a word; what no kernel writes counts as a number that is not finite.
    pub fn of_word(word: u32) -> Self {
        Self::ALL.get(word as usize).map_or(OwnOutcome::NotFinite, |(outcome, _)| *outcome)
    }

    /// Whether the component goes on.
    pub fn is_running(self) -> bool {
        matches!(self, OwnOutcome::New | OwnOutcome::Running)
    }
}

/// The constants as WGSL.
pub(super) fn constants() -> String {
    let mut text = String::new();
    for (k, name) in OWN.iter().enumerate() {
        let _ = writeln!(text, "const OWN_{name}: u32 = {k}u;");
    }
    for (outcome, name) in OwnOutcome::ALL {
        let _ = writeln!(text, "const {name}: u32 = {}u;", outcome as u32);
    }
    text
}

/// Turns of the components of a shape.
pub fn component(shape: &Shape, kernels: &[&Kernel], formats: Formats) -> Result<Module, OutOfRange> {
    let mut bindings = vec![
        (Slot::Indices, false),
        (Slot::Order, false),
        (Slot::Data, false),
        (Slot::Point, true),
        (Slot::Equations, true),
        (Slot::Components, true),
        (Slot::Outcomes, true),
    ];
    bindings.extend(shape.bounded.then_some((Slot::Bounds, false)));
    let mut module = ModuleBuilder::new("component", formats, &bindings);
    module.table("lot", "Lot", 1);
    module.table("kinds", "Instances", shape.kinds.len());
    let size = shape.scalars();
    let arrays =
        [("own_step", size), ("own_trial", shape.ambient()), ("own_gradient", size), ("own_square", packed_len(size))];
    for (name, length) in arrays {
        module.function(&format!("var<private> {name}: array<R, {}>;", length.max(1)));
    }
    let writer = Writer { shape, kernels, formats, starts: shape.starts() };
    let functions = [
        writer.solve()?,
        writer.stay(),
        writer.advance()?,
        writer.evaluate()?,
        writer.scale(),
        writer.keep(),
        writer.is_finite(),
        writer.is_flat(),
        writer.is_steeper_before(),
    ];
    for (statements, text) in functions {
        module.statements += statements;
        module.function(&text);
    }
    module.main(format!("let entry = w * {WORKGROUP}u + lane;"));
    module.main("if (entry >= plan.lot[0].running) { return; }");
    module.main("own = order[entry];");
    module.main("for (var turn = 0u; turn < plan.lot[0].turns; turn++) {");
    module.main("    if (outcomes[own] > IS_RUNNING) { return; }");
    module.main("    take_turn();");
    module.main("}");
    Ok(module.finish())
}
