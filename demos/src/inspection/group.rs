//! A group of residuals as text and as JSON.

use isograd::backend::{Column, Group};
use isograd::problem::CompiledProblem;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Lines of a listing that are shown unless the whole is asked for.
const SHOWN: usize = 40;

/// What there is to know of a group.
#[derive(Debug, Serialize)]
pub struct GroupView {
    index: usize,
    name: Option<String>,
    instances: usize,
    residuals: usize,
    block_sizes: Vec<u32>,
    data: usize,
    literals: usize,
    hash: String,
    topology: String,
    program: String,
    program_operations: BTreeMap<&'static str, usize>,
    linearization: String,
    linearization_operations: BTreeMap<&'static str, usize>,
    jacobian: JacobianView,
    bytes_per_instance: BytesView,
    #[serde(skip)]
    full: bool,
}

/// Where the entries of the Jacobian of an instance come from.
#[derive(Debug, Serialize)]
struct JacobianView {
    dense: usize,
    nonzero: usize,
    constant: usize,
    stored: usize,
}

/// Bytes of an instance.
#[derive(Debug, Serialize)]
struct BytesView {
    indices: usize,
    data: usize,
    residuals: usize,
    jacobian: usize,
}

impl GroupView {
    /// Looks at a group; `full` prints long listings whole.
    pub fn new(compiled: &CompiledProblem, index: usize, full: bool) -> Self {
        let group: &Group = &compiled.groups[index];
        let (kernel, table) = (&group.kernel, &group.table);
        let (program, linearization) = (&kernel.program, &kernel.linearization);
        let varying = table.data.iter().filter(|column| matches!(column, Column::Varying(_))).count();
        let constant = linearization.entries.iter().filter(|entry| entry.stored.is_none()).count();
        GroupView {
            index,
            name: compiled.name(index).map(str::to_owned),
            instances: table.count,
            residuals: kernel.residuals(),
            block_sizes: program.block_sizes.clone(),
            data: kernel.specialization.literals.len(),
            literals: kernel.specialization.literals.iter().flatten().count(),
            hash: format!("{:032x}", kernel.topology.hash),
            topology: kernel.topology.expression.to_string(),
            program: program.to_string(),
            program_operations: program.operation_counts(),
            linearization: linearization.to_string(),
            linearization_operations: linearization.program.operation_counts(),
            jacobian: JacobianView {
                dense: kernel.residuals() * program.parameters(),
                nonzero: linearization.entries.len(),
                constant,
                stored: kernel.stored(),
            },
            bytes_per_instance: BytesView {
                indices: table.blocks.len() * size_of::<u32>(),
                data: varying * size_of::<f64>(),
                residuals: kernel.residuals() * size_of::<f64>(),
                jacobian: kernel.stored() * size_of::<f64>(),
            },
            full,
        }
    }

    /// The listing indented, and cut where it is long.
    fn listing(&self, text: &str) -> String {
        let lines = text.lines().count();
        let shown = if self.full || lines <= SHOWN + 2 { lines } else { SHOWN };
        let mut listing = String::new();
        for line in text.lines().take(shown) {
            // Writing to a string cannot fail.
            let _ = write!(listing, "\n    {line}");
        }
        if shown < lines {
            let _ = write!(listing, "\n    … {} more lines; --full prints them", lines - shown);
        }
        listing
    }
}

/// `9: 3 sub, 2 add, …`, the most frequent first.
fn counted(operations: &BTreeMap<&'static str, usize>) -> String {
    let mut by_count: Vec<(&str, usize)> = operations.iter().map(|(&name, &count)| (name, count)).collect();
    by_count.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
    let list: Vec<String> = by_count.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let total: usize = operations.values().sum();
    format!("{total} operations ({})", list.join(", "))
}

/// `3` or `3 + 3 + 2`, or `7 x 3` where there are many alike.
fn sizes(blocks: &[u32]) -> String {
    match blocks {
        [first, .., _] if blocks.len() > 3 && blocks.iter().all(|size| size == first) => {
            format!("{} x {first}", blocks.len())
        }
        _ => blocks.iter().map(u32::to_string).collect::<Vec<_>>().join(" + "),
    }
}

impl fmt::Display for GroupView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (jacobian, bytes) = (&self.jacobian, &self.bytes_per_instance);
        let total = bytes.indices + bytes.data + bytes.residuals + bytes.jacobian;
        writeln!(f, "Group {}: {}", self.index, self.name.as_deref().unwrap_or("(no name)"))?;
        writeln!(f, "  instances      {}", self.instances)?;
        writeln!(f, "  residuals      {} an instance", self.residuals)?;
        writeln!(
            f,
            "  parameters     {} an instance, in blocks of {}",
            jacobian.dense / self.residuals.max(1),
            sizes(&self.block_sizes)
        )?;
        writeln!(
            f,
            "  data           {} an instance, {} of them equal in all and folded in",
            self.data, self.literals
        )?;
        writeln!(
            f,
            "  jacobian       {} of {} entries are not zero; {} constant, {} numbers stored for the rest",
            jacobian.nonzero, jacobian.dense, jacobian.constant, jacobian.stored
        )?;
        writeln!(
            f,
            "  memory         {total} B an instance: indices {}, data {}, residuals {}, jacobian {}",
            bytes.indices, bytes.data, bytes.residuals, bytes.jacobian
        )?;
        writeln!(f, "  topology       {}{}", self.hash, self.listing(&self.topology))?;
        writeln!(f, "  program        {}{}", counted(&self.program_operations), self.listing(&self.program))?;
        writeln!(f, "  linearization  {}{}", counted(&self.linearization_operations), self.listing(&self.linearization))
    }
}
