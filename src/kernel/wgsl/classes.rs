//! Parameter blocks by size: the code of a class serves all blocks of one size.

use super::module::{ModuleBuilder, WORKGROUP};

/// Most components of a block that is treated as one; larger ones are cut into pieces.
pub const MOST_COMPONENTS: usize = 9;

/// A derivative of a residual by a component of a block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Derivative {
    /// Residual of the instance.
    pub residual: u32,
    /// Component of the block, or of the piece of it.
    pub component: u32,
    /// The constant part.
    pub factor: f64,
    /// The stored number, if there is one.
    pub stored: Option<u32>,
}

/// One way in which the instances of a group touch blocks of a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Kind {
    /// Index of the group.
    pub group: usize,
    /// By residual and component.
    pub derivatives: Vec<Derivative>,
    /// Which of the instance's blocks it is, and the first component of the piece, if the kind is for no other. Kernels that compute the
    /// Jacobian once more then need to look at the block only once for all of its instances.
    pub own: Option<(u32, u32)>,
}

/// Blocks, or pieces of them, that one piece of code serves.
#[derive(Debug, Clone, PartialEq)]
pub struct Class {
    /// Number of components.
    pub size: usize,
    /// Lanes that share the instances of a block: a power of two.
    pub lanes: u32,
    /// Kinds of instances.
    pub kinds: Vec<Kind>,
    /// Whether the blocks are eliminated before the linear system is solved; no two of them share a residual.
    pub eliminated: bool,
    /// Whether all instances are in one shard. Sums over several add to what those before found, and are complete with the last, which kernels
    /// then have to look up: drivers take longer to compile that.
    pub one_shard: bool,
}

impl Class {
    /// The statements, if class `c` is complete with this shard.
    pub(super) fn at_end(&self, c: usize, statements: &str) -> String {
        match self.one_shard {
            true => statements.to_owned(),
            false => {
                let indented: String = statements.lines().map(|line| format!("    {line}\n")).collect();
                format!("        if (plan.classes[{c}].ends != 0u) {{\n{indented}        }}\n")
            }
        }
    }
}

/// Place of entry (i, j), j ≤ i, in a packed lower triangle.
pub(super) fn packed(i: usize, j: usize) -> usize {
    i * (i + 1) / 2 + j
}

/// Numbers in a packed lower triangle.
pub fn packed_len(size: usize) -> usize {
    size * (size + 1) / 2
}

/// Runs over the blocks of all classes, a lane a block.
pub(super) fn over_classes(module: &mut ModuleBuilder, classes: &[Class], call: impl Fn(usize) -> String) {
    over_rows(module, classes.len(), call);
}

/// Runs over the rows of so many classes, a lane a row.
pub(super) fn over_rows(module: &mut ModuleBuilder, classes: usize, call: impl Fn(usize) -> String) {
    for c in 0..classes {
        let word = if c == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.classes[{c}].end) {{"));
        module.main(format!("    let step = (plan.classes[{c}].end - plan.classes[{c}].first) * {WORKGROUP}u;"));
        module.main(format!("    let first = (w - plan.classes[{c}].first) * {WORKGROUP}u + lane;"));
        module.main(format!("    for (var block = first; block < plan.classes[{c}].count; block += step) {{"));
        module.main(format!("        let row = plan.classes[{c}].table + 4u * block;"));
        module.main(format!("        {}", call(c)));
        module.main("    }");
    }
    module.main("}");
}

/// Runs over the blocks of all classes, with as many lanes a block as its class says. All lanes of a workgroup take the same
/// number of turns, as they wait for each other in each; those past the last block are not `active`.
pub(super) fn over_lists(module: &mut ModuleBuilder, classes: &[Class], call: impl Fn(usize) -> String) {
    for (c, class) in classes.iter().enumerate() {
        let word = if c == 0 { "if" } else { "} else if" };
        let blocks = WORKGROUP / class.lanes;
        module.main(format!("{word} (w < plan.classes[{c}].end) {{"));
        module.main(format!("    let step = (plan.classes[{c}].end - plan.classes[{c}].first) * {blocks}u;"));
        module.main(format!("    let first = (w - plan.classes[{c}].first) * {blocks}u;"));
        module.main(format!("    for (var base = first; base < plan.classes[{c}].count; base += step) {{"));
        module.main(format!("        let present = base + lane / {}u;", class.lanes));
        module.main(format!("        let is_active = present < plan.classes[{c}].count;"));
        module.main(format!("        let block = min(present, plan.classes[{c}].count - 1u);"));
        module.main(format!("        let row = plan.classes[{c}].table + 4u * block;"));
        module.main(format!("        {}", call(c)));
        module.main("    }");
    }
    module.main("}");
}
