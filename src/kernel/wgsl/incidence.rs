//! Sums over the instances that touch a parameter block, along its incidence list.

use super::body::Body;
use super::classes::{Class, Derivative, Kind, packed, packed_len};
use super::format::{Format, OutOfRange};
use super::groups::stored_numbers;
use super::module::{ModuleBuilder, Slot};
use super::product::Product;
use super::schur_jacobi::{InverseRows, add_eliminated};
use crate::kernel::Kernel;
use crate::value::op::Op;
use std::fmt::Write;

/// What a loop over instances sums.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sum<'a> {
    /// Jᵀ times a vector over the residuals.
    Transpose(Slot),
    /// Jᵀ times the residuals, and then the block of JᵀJ, packed.
    Normal,
    /// JᵀJ times the direction: over all blocks of an instance, but for one that is eliminated over the others.
    Product(Jacobian),
    /// What the elimination of blocks takes from the block of JᵀJ, packed.
    Eliminated(&'a InverseRows),
}

/// Where products with the Jacobian come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jacobian {
    /// Its numbers, from memory.
    Stored,
    /// Parameters and data; the Jacobian is not formed.
    Computed,
}

impl Sum<'_> {
    /// Numbers for a block of so many components.
    pub fn count(self, size: usize) -> usize {
        match self {
            Sum::Transpose(_) | Sum::Product(_) => size,
            Sum::Normal => size + packed_len(size),
            Sum::Eliminated(_) => packed_len(size),
        }
    }
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
    let count = sum.count(class.size);
    let zero = format.literal(0.0)?;
    let mut text = format!("fn {name}(first: u32, end: u32, step: u32) -> array<R, {count}> {{\n");
    for k in 0..count {
        let _ = writeln!(text, "    var s{k} = {zero};");
    }
    let is_computed = sum == Sum::Product(Jacobian::Computed);
    let mut products = Vec::new();
    for (k, kind) in class.kinds.iter().enumerate().filter(|_| is_computed) {
        let mut product = Product::new(class, k, first_kind + k, kernels[kind.group]);
        if let Some(product) = &mut product {
            let body = product.begin(format)?;
            *statements += body.statements;
            text.push_str(&body.text);
        }
        products.push(product);
    }
    // The next entry is asked for before this one's numbers are waited for.
    text += "    let last = arrayLength(&incidence) - 1u;\n    var next = incidence[min(first, last)];\n";
    let ahead = match &products[..] {
        [Some(product)] => product.blocks_ahead(),
        _ => String::new(),
    };
    if ahead.is_empty() {
        text += "    for (var k = first; k < end; k += step) {\n        let id = next;\n";
        text += "        next = incidence[min(k + step, last)];\n";
    } else {
        // With one kind it is known what the next entry is of, and its blocks are asked for too, one turn after the entry.
        text += "    var after = incidence[min(first + step, last)];\n";
        text += &ahead;
        text += "    for (var k = first; k < end; k += step) {\n        let id = next;\n        next = after;\n";
        text += "        after = incidence[min(k + 2u * step, last)];\n";
    }
    over_kinds(&mut text, first_kind, class.kinds.len(), |text, k| {
        let (kind, index) = (&class.kinds[k], first_kind + k);
        let mut body = Body::new(format);
        body.line(format!("let i = id - plan.kinds[{index}].base;"));
        match products.get_mut(k).and_then(Option::take) {
            Some(product) => product.add(&mut body, format, !ahead.is_empty())?,
            None => add_kind(&mut body, (kind, class), index, kernels[kind.group], format, sum)?,
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
    (kind, class): (&Kind, &Class),
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
        Sum::Product(_) => {
            name_blocks(body, index, kernel, kind);
            let numbers =
                stored_numbers(body, kernel, &format!("plan.kinds[{index}].stored + i * {}u", kernel.stored()));
            stored = numbers.into_iter().map(Some).collect();
            direction_products(body, kind, kernel, &stored, class.eliminated)?
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
    let size = class.size;
    let by_residual = kind.derivatives.chunk_by(|a, b| a.residual == b.residual);
    let add = |body: &mut Body, to: usize, term: &str| {
        let expression = format.operation(Op::Add, &[&format!("s{to}"), term]);
        body.line(format!("s{to} = {expression};"));
    };
    for row in by_residual {
        let q = match sum {
            Sum::Product(_) => products[row[0].residual as usize].clone(),
            _ => {
                let vector = if let Sum::Transpose(vector) = sum { vector } else { Slot::Residuals };
                let (width, residual) = (kernel.residuals(), row[0].residual);
                let place = format!("plan.kinds[{index}].residuals + i * {width}u + {residual}u");
                body.name("q", &format!("{}[{place}]", vector.variable()))
            }
        };
        for d in row {
            let product = match number(d) {
                Some(j) => body.apply(Op::Mul, &[&j, &q]),
                None => q.clone(),
            };
            let term = body.scaled(d.factor, &product)?;
            add(body, d.component as usize, &term);
        }
        if sum != Sum::Normal {
            continue;
        }
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
                add(body, size + packed(i as usize, j as usize), &term);
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
        body.line(format!("let b{slot} = {};", block_start(index, slot, "i")));
    }
}

/// Where the block in a slot of an instance starts.
pub(super) fn block_start(index: usize, slot: usize, instance: &str) -> String {
    format!("indices[plan.kinds[{index}].blocks + {slot}u * plan.kinds[{index}].stride + {instance}]")
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

pub(super) fn class_tables(module: &mut ModuleBuilder, classes: &[Class]) {
    module.table("classes", "Class", classes.len());
    module.table("kinds", "Kind", classes.iter().map(|class| class.kinds.len()).sum());
}

/// The first kind of each class in the table of kinds.
pub(super) fn first_kinds(classes: &[Class]) -> Vec<usize> {
    classes.iter().scan(0, |end, class| Some(std::mem::replace(end, *end + class.kinds.len()))).collect()
}
