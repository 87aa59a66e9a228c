//! JᵀJ as a sparse matrix of blocks, put together by sums over the instances that couple two parameter blocks.

use super::body::Body;
use super::classes::{Derivative, over_rows};
use super::format::{Format, OutOfRange};
use super::groups::only_if;
use super::incidence::over_kinds;
use super::module::{Formats, Module, ModuleBuilder, Slot};
use crate::kernel::Kernel;
use crate::value::op::Op;
use std::fmt::Write;

/// One way in which the instances of a group couple two blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct PairKind {
    /// Index of the group.
    pub group: usize,
    /// Derivatives by the block of the row.
    pub row: Vec<Derivative>,
    /// Derivatives by the block of the columns.
    pub column: Vec<Derivative>,
}

impl PairKind {
    /// Products that an instance adds.
    pub fn terms(&self) -> usize {
        self.row.iter().map(|a| self.column.iter().filter(|b| b.residual == a.residual).count()).sum()
    }

    /// Whether what an instance adds to a square block is a multiple of the identity, whatever its numbers are: nothing beside the
    /// diagonal, and on it the same products everywhere.
    pub fn is_multiple(&self, size: usize) -> bool {
        let mut diagonal = vec![Vec::new(); size];
        for a in &self.row {
            for b in self.column.iter().filter(|b| b.residual == a.residual) {
                if a.component != b.component {
                    return false;
                }
                diagonal[a.component as usize].push((a.factor * b.factor, a.stored, b.stored));
            }
        }
        diagonal.windows(2).all(|pair| pair[0] == pair[1])
    }
}

/// Pairs of coupled blocks of two sizes.
#[derive(Debug, Clone, PartialEq)]
pub struct PairClass {
    /// Components of the block of the row.
    pub rows: usize,
    /// Components of the block of the columns.
    pub columns: usize,
    /// Whether their blocks are multiples of the identity, each kept as one number.
    pub multiples: bool,
    /// Kinds of instances.
    pub kinds: Vec<PairKind>,
}

impl PairClass {
    /// Numbers of a block.
    pub fn numbers(&self) -> usize {
        if self.multiples { 1 } else { self.rows * self.columns }
    }
}

/// Puts the matrix together, if the point is new.
///
/// # Errors
/// [`OutOfRange`] for a constant that the format cannot hold.
pub fn assemble(kernels: &[&Kernel], classes: &[PairClass], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [(Slot::Pairs, false), (Slot::Stored, false), (Slot::Matrix, true), (Slot::Scalars, false)];
    let mut module = ModuleBuilder::new("assemble", formats, &bindings);
    module.table("classes", "Class", classes.len());
    module.table("kinds", "Kind", classes.iter().map(|class| class.kinds.len()).sum());
    let mut first = 0;
    for (c, class) in classes.iter().enumerate() {
        let text = couple(c, class, first, kernels, formats.real, &mut module.statements)?;
        module.function(&text);
        first += class.kinds.len();
        let mut text = format!("fn assemble_{c}(row: u32) {{\n");
        text += "    let place = pairs[row];\n    let apart = pairs[row + 1u];\n";
        let _ = writeln!(text, "    let block = couple_{c}(pairs[row + 2u], pairs[row + 3u]);");
        for k in 0..class.numbers() {
            let _ = writeln!(text, "    matrix[place + {k}u * apart] = block[{k}];");
        }
        module.function(&(text + "}\n"));
    }
    only_if(&mut module, "is_running() & is_new_point()");
    over_rows(&mut module, classes.len(), |c| format!("assemble_{c}(row);"));
    Ok(module.finish())
}

/// The sum over the instances that couple a pair of blocks: a block of the matrix, column by column, or what it is a multiple by.
fn couple(
    c: usize,
    class: &PairClass,
    first_kind: usize,
    kernels: &[&Kernel],
    format: Format,
    statements: &mut usize,
) -> Result<String, OutOfRange> {
    let count = class.numbers();
    let is_kept = |derivative: &&Derivative| !class.multiples || derivative.component == 0;
    let zero = format.literal(0.0)?;
    let mut text = format!("fn couple_{c}(first: u32, end: u32) -> array<R, {count}> {{\n");
    for k in 0..count {
        let _ = writeln!(text, "    var s{k} = {zero};");
    }
    text += "    for (var k = first; k < end; k++) {\n        let id = pairs[k];\n";
    over_kinds(&mut text, first_kind, class.kinds.len(), |text, k| {
        let (kind, index) = (&class.kinds[k], first_kind + k);
        let kernel = kernels[kind.group];
        let mut body = Body::new(format);
        body.line(format!("let i = id - plan.kinds[{index}].base;"));
        let mut stored: Vec<Option<String>> = vec![None; kernel.stored()];
        for number in kind.row.iter().chain(&kind.column).filter(is_kept).filter_map(|derivative| derivative.stored) {
            if stored[number as usize].is_none() {
                let place = format!("stored[plan.kinds[{index}].stored + i * {}u + {number}u]", kernel.stored());
                stored[number as usize] = Some(body.name("j", &place));
            }
        }
        let number = |derivative: &Derivative| derivative.stored.and_then(|k| stored[k as usize].clone());
        for a in kind.row.iter().filter(is_kept) {
            for b in kind.column.iter().filter(is_kept).filter(|b| b.residual == a.residual) {
                let factor = a.factor * b.factor;
                let term = match (number(a), number(b)) {
                    (Some(a), Some(b)) => {
                        let product = body.apply(Op::Mul, &[&a, &b]);
                        body.scaled(factor, &product)?
                    }
                    (Some(a), None) | (None, Some(a)) => body.scaled(factor, &a)?,
                    (None, None) => body.literal(factor)?,
                };
                let to = format!("s{}", b.component as usize * class.rows + a.component as usize);
                let sum = format.operation(Op::Add, &[&to, &term]);
                body.line(format!("{to} = {sum};"));
            }
        }
        *statements += body.statements;
        text.push_str(&body.text);
        Ok(())
    })?;
    text += "\n    }\n";
    let names: Vec<String> = (0..count).map(|k| format!("s{k}")).collect();
    let _ = writeln!(text, "    return array<R, {count}>({});\n}}\n", names.join(", "));
    Ok(text)
}
