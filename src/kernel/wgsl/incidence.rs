//! Sums over the instances that touch a parameter block, along its incidence list.

use super::body::Body;
use super::classes::{Class, Derivative, Kind, packed, packed_len};
use super::format::{Format, OutOfRange};
use super::groups::{data_columns, stored_numbers};
use super::module::{ModuleBuilder, Slot, WORKGROUP};
use super::schur_jacobi::{InverseRows, add_eliminated};
use crate::kernel::Kernel;
use crate::value::op::Op;
use std::fmt::Write;

/// What a loop over instances sums.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sum<'a> {
    /// Jᵀ times a vector over the residuals.
    Transpose(Slot),
    /// The block of JᵀJ, packed.
    Square,
    /// JᵀJ times the direction: over all blocks of an instance, but for one that is eliminated over the others. J is stored, or computed
    /// once more.
    Product(Jacobian),
    /// What the elimination of blocks takes from the block of JᵀJ, packed.
    Eliminated(&'a InverseRows),
}

/// Where the numbers of the Jacobian come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jacobian {
    /// From memory.
    Stored,
    /// From parameters and data.
    Computed,
}

/// Most kinds in one chain of `else if`: each nests in the one before, and Mesa's software driver computes nonsense beyond a depth of 80.
const MOST_NESTED: usize = 24;

/// A function that sums over every `step`th instance of a list. For [`Sum::Product`], the private `own_start` has to say where the block
/// starts.
pub(super) fn sum_function(
    name: &str,
    class: &Class,
    first_kind: usize,
    kernels: &[&Kernel],
    format: Format,
    sum: Sum<'_>,
    statements: &mut usize,
) -> Result<String, OutOfRange> {
    let count = if let Sum::Square | Sum::Eliminated(_) = sum { packed_len(class.size) } else { class.size };
    let zero = format.literal(0.0)?;
    let mut text = format!("fn {name}(first: u32, end: u32, step: u32) -> array<R, {count}> {{\n");
    for k in 0..count {
        let _ = writeln!(text, "    var s{k} = {zero};");
    }
    // The next entry is asked for before this one's numbers are waited for.
    text += "    var next = incidence[min(first, arrayLength(&incidence) - 1u)];\n";
    text += "    for (var k = first; k < end; k += step) {\n        let id = next;\n";
    text += "        next = incidence[min(k + step, arrayLength(&incidence) - 1u)];\n";
    over_kinds(&mut text, first_kind, class.kinds.len(), |text, k| {
        let (kind, index) = (&class.kinds[k], first_kind + k);
        let mut body = Body::new(format);
        body.line(format!("let i = id - plan.kinds[{index}].base;"));
        add_kind(&mut body, (kind, class.eliminated), index, kernels[kind.group], format, sum)?;
        *statements += body.statements;
        text.push_str(&body.text);
        Ok(())
    })?;
    text += "\n    }\n";
    let names: Vec<String> = (0..count).map(|k| format!("s{k}")).collect();
    let _ = writeln!(text, "    return array<R, {count}>({});\n}}\n", names.join(", "));
    Ok(text)
}

/// Finds the kind of entry `id`, and does what `each` writes for it: a chain of comparisons, cut where it would nest too deep.
pub(super) fn over_kinds(
    text: &mut String,
    first_kind: usize,
    kinds: usize,
    mut each: impl FnMut(&mut String, usize) -> Result<(), OutOfRange>,
) -> Result<(), OutOfRange> {
    let runs = kinds.div_ceil(MOST_NESTED);
    for k in 0..kinds {
        let index = first_kind + k;
        let (begins, last) = (k % MOST_NESTED == 0, k + 1 == kinds);
        let ends = last || (k + 1) % MOST_NESTED == 0;
        if runs > 1 && begins {
            let above = first_kind + k + MOST_NESTED;
            let below =
                if k + MOST_NESTED >= kinds { String::new() } else { format!(" && id < plan.kinds[{above}].base") };
            let _ = writeln!(text, "        if (id >= plan.kinds[{index}].base{below}) {{");
        }
        let word = if begins { "        " } else { " else " };
        let condition = if ends { String::new() } else { format!("if (id < plan.kinds[{}].base) ", index + 1) };
        let _ = writeln!(text, "{word}{condition}{{");
        each(text, k)?;
        text.push_str("        }");
        if runs > 1 && ends {
            text.push_str("\n        }\n");
        }
    }
    Ok(())
}

fn add_kind(
    body: &mut Body,
    (kind, eliminated): (&Kind, bool),
    index: usize,
    kernel: &Kernel,
    format: Format,
    sum: Sum<'_>,
) -> Result<(), OutOfRange> {
    if let Sum::Eliminated(inverse_rows) = sum {
        return add_eliminated(body, kind, index, kernel, format, inverse_rows);
    }
    let mut stored: Vec<Option<String>> = vec![None; kernel.stored()];
    let products = match sum {
        Sum::Product(jacobian) => {
            name_blocks(body, index, kernel, kind);
            let numbers = jacobian_numbers(body, index, kernel, jacobian)?;
            stored = numbers.into_iter().map(Some).collect();
            direction_products(body, kind, kernel, &stored, eliminated)?
        }
        _ => Vec::new(),
    };
    for k in kind.derivatives.iter().filter_map(|d| d.stored) {
        if stored[k as usize].is_none() {
            let place = format!("stored[plan.kinds[{index}].stored + i * {}u + {k}u]", kernel.stored());
            stored[k as usize] = Some(body.name("j", &place));
        }
    }
    let number = |d: &Derivative| d.stored.and_then(|k| stored[k as usize].clone());
    let by_residual = kind.derivatives.chunk_by(|a, b| a.residual == b.residual);
    let add = |body: &mut Body, to: usize, term: &str| {
        let expression = format.operation(Op::Add, &[&format!("s{to}"), term]);
        body.line(format!("s{to} = {expression};"));
    };
    for row in by_residual {
        match sum {
            Sum::Transpose(_) | Sum::Product(_) => {
                let q = match sum {
                    Sum::Transpose(vector) => {
                        let (width, residual) = (kernel.residuals(), row[0].residual);
                        let place = format!("plan.kinds[{index}].residuals + i * {width}u + {residual}u");
                        body.name("q", &format!("{}[{place}]", vector.variable()))
                    }
                    _ => products[row[0].residual as usize].clone(),
                };
                for d in row {
                    let product = match number(d) {
                        Some(j) => body.apply(Op::Mul, &[&j, &q]),
                        None => q.clone(),
                    };
                    let term = body.scaled(d.factor, &product)?;
                    add(body, d.component as usize, &term);
                }
            }
            Sum::Square | Sum::Eliminated(_) => {
                for (k, a) in row.iter().enumerate() {
                    for b in &row[..=k] {
                        let factor = a.factor * b.factor;
                        let term = match (number(a), number(b)) {
                            (Some(a), Some(b)) => {
                                let product = body.apply(Op::Mul, &[&a, &b]);
                                body.scaled(factor, &product)?
                            }
                            (Some(a), None) | (None, Some(a)) => body.scaled(factor, &a)?,
                            (None, None) => body.literal(factor)?,
                        };
                        let (i, j) = (a.component.max(b.component), a.component.min(b.component));
                        add(body, packed(i as usize, j as usize), &term);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Names the starts of all blocks of an instance.
pub(super) fn name_blocks(body: &mut Body, index: usize, kernel: &Kernel, kind: &Kind) {
    for slot in 0..kernel.program.block_sizes.len() {
        if let Some((own, component)) = kind.own
            && own as usize == slot
        {
            body.line(format!("let b{slot} = own_start - {component}u;"));
            continue;
        }
        let place = format!("plan.kinds[{index}].blocks + {slot}u * plan.kinds[{index}].stride + i");
        body.line(format!("let b{slot} = indices[{place}];"));
    }
}

/// The numbers of an instance's Jacobian that are stored, or would be.
fn jacobian_numbers(
    body: &mut Body,
    index: usize,
    kernel: &Kernel,
    jacobian: Jacobian,
) -> Result<Vec<String>, OutOfRange> {
    if jacobian == Jacobian::Stored {
        return Ok(stored_numbers(body, kernel, &format!("plan.kinds[{index}].stored + i * {}u", kernel.stored())));
    }
    let columns = data_columns(kernel);
    let place = |column: u32| columns.iter().position(|&c| c == column).unwrap_or_default();
    body.program(
        &kernel.linearization.jacobian_program(),
        |block, component| format!("{}[b{block} + {component}u]", Slot::Point.variable()),
        |column| format!("data[plan.kinds[{index}].data + {}u * plan.kinds[{index}].stride + i]", place(column)),
    )
}

/// J times the direction, for each residual that depends on the block; empty for the others.
fn direction_products(
    body: &mut Body,
    kind: &Kind,
    kernel: &Kernel,
    stored: &[Option<String>],
    eliminated: bool,
) -> Result<Vec<String>, OutOfRange> {
    let left_out = kind.own.filter(|_| eliminated).map(|(slot, _)| slot);
    let mut products = vec![String::new(); kernel.residuals()];
    let mut loaded: Vec<((u32, u32), String)> = Vec::new();
    for row in kind.derivatives.chunk_by(|a, b| a.residual == b.residual) {
        let residual = row[0].residual;
        let entries = kernel.linearization.entries.iter();
        let mut terms = Vec::new();
        for entry in entries.filter(|entry| entry.residual == residual && Some(entry.block) != left_out) {
            let key = (entry.block, entry.component);
            let known = loaded.iter().find(|(other, _)| *other == key).map(|(_, name)| name.clone());
            let p = known.unwrap_or_else(|| {
                let place = format!("b{} + {}u", entry.block, entry.component);
                let name = body.name("p", &format!("{}[{place}]", Slot::Direction.variable()));
                loaded.push((key, name.clone()));
                name
            });
            let p = match entry.stored.and_then(|k| stored[k as usize].as_ref()) {
                Some(j) => body.apply(Op::Mul, &[j, &p]),
                None => p,
            };
            terms.push(body.scaled(entry.factor, &p)?);
        }
        let zero = body.literal(0.0)?;
        products[residual as usize] = body.sum(&terms).unwrap_or(zero);
    }
    Ok(products)
}

/// Bytes of workgroup memory for the sums of a class.
pub(super) const SHARED_BYTES: usize = 8192;

/// Sums over the list of the block in `row`: each lane over its share, then the lanes of a block together. `each(k, sum)`
/// gives the statements for component k, which the lane whose turn it is runs, from the name of the sum.
pub(super) fn team_sums(
    text: &mut String,
    function: &str,
    class: &Class,
    count: usize,
    format: Format,
    each: impl Fn(usize, &str) -> String,
) {
    let lanes = class.lanes as usize;
    text.push_str("    {\n");
    let _ = writeln!(text, "    let member = lane % {lanes}u;");
    let _ = writeln!(text, "    let list_end = select(incidence[row + 2u], incidence[row + 3u], is_active);");
    let _ = writeln!(text, "    let {function}_sums = {function}(incidence[row + 2u] + member, list_end, {lanes}u);");
    if lanes == 1 {
        for k in 0..count {
            let _ = writeln!(text, "    if (is_active) {{\n{}    }}", each(k, &format!("{function}_sums[{k}]")));
        }
        text.push_str("    }\n");
        return;
    }
    let width = WORKGROUP as usize;
    let round = (SHARED_BYTES / (width * format.bytes())).min(count);
    for first in (0..count).step_by(round) {
        let components = first..(first + round).min(count);
        for (slot, k) in components.clone().enumerate() {
            let _ = writeln!(text, "    shared_reals[{}u + lane] = {function}_sums[{k}];", slot * width);
        }
        text.push_str("    workgroupBarrier();\n");
        let mut left = lanes;
        // Pairwise down to what one lane may well add by itself.
        while left > 8 {
            left /= 2;
            let _ = writeln!(text, "    if (member < {left}u) {{");
            for slot in 0..components.len() {
                let here = format!("shared_reals[{}u + lane]", slot * width);
                let there = format!("shared_reals[{}u + lane]", slot * width + left);
                let _ = writeln!(text, "        {here} = add_r({here}, {there});");
            }
            text.push_str("    }\n    workgroupBarrier();\n");
        }
        for (slot, k) in components.enumerate() {
            let _ = writeln!(text, "    if (is_active && member == {}u) {{", k % lanes);
            let base = format!("{}u + lane - member", slot * width);
            let _ = writeln!(text, "        var sum = shared_reals[{base}];");
            for other in 1..left {
                let _ = writeln!(text, "        sum = add_r(sum, shared_reals[{base} + {other}u]);");
            }
            let _ = writeln!(text, "{}    }}", each(k, "sum"));
        }
        text.push_str("    workgroupBarrier();\n");
    }
    text.push_str("    }\n");
}

/// The workgroup memory that [`team_sums`] uses.
pub(super) fn shared_reals(module: &mut ModuleBuilder, format: Format) {
    module.function(&format!("var<workgroup> shared_reals: array<R, {}>;", SHARED_BYTES / format.bytes()));
}

pub(super) fn class_tables(module: &mut ModuleBuilder, classes: &[Class]) {
    module.table("classes", "Class", classes.len());
    module.table("kinds", "Kind", classes.iter().map(|class| class.kinds.len()).sum());
}

/// The first kind of each class in the table of kinds.
pub(super) fn first_kinds(classes: &[Class]) -> Vec<usize> {
    classes.iter().scan(0, |end, class| Some(std::mem::replace(end, *end + class.kinds.len()))).collect()
}
