//! Sums over the instances that touch a parameter, without a stored Jacobian: the gradient Jᵀr, and JᵀJ times a vector.
//!
//! An instance evaluates its linearization and contributes one number to each of its parameters. The numbers come together in one of
//! two ways. To *gather* them, the instance writes them side by side, and a second kernel sums, for each parameter block, the places
//! in its list, always in the same order. *Atomic* additions need no lists and no second kernel, but their order is the device's
//! mood, and no device has them in other formats than single precision; there a loop that exchanges 64 bits stands in.

use super::body::Body;
use super::format::{Format, OutOfRange};
use super::groups::{evaluate, name_blocks, over_groups};
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};
use super::{MOST_COMPONENTS, library};
use crate::kernel::Kernel;
use crate::value::op::Op;
use std::collections::BTreeMap;

/// How contributions come together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Addition {
    /// Written side by side; [`gather`] and [`gather_long`] sum them.
    Gather,
    /// Added in place by the device, which needs `SHADER_FLOAT32_ATOMIC`. Single precision only.
    Atomic,
    /// Added in place by a loop that tries until nobody comes in between; for devices without the former, and for numbers of 64 bits, where
    /// it needs `SHADER_INT64_ATOMIC_ALL_OPS`.
    CompareExchange,
}

/// What the bits of a number are in [`Slot::Sums`], and the function that adds to one.
fn atomic_sum(addition: Addition, format: Format) -> (&'static str, &'static str) {
    match (addition, format) {
        (Addition::Gather, _) => ("", ""),
        (Addition::Atomic, _) => ("alias SumBits = f32;\n", "add_atomically"),
        (Addition::CompareExchange, Format::F32) => ("alias SumBits = u32;\n", "add_by_exchange"),
        (Addition::CompareExchange, Format::F64) => ("alias SumBits = u64;\n", "add_by_exchange_f64"),
        (Addition::CompareExchange, Format::DoubleF32) => ("alias SumBits = u64;\n", "add_by_exchange_df32"),
    }
}

/// Components of a parameter block that an instance contributes to as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Slot of the block.
    pub block: u32,
    /// Position among the pieces of the block.
    pub piece: u32,
    /// The first component.
    pub component: u32,
    /// Number of components.
    pub size: u32,
    /// Where its numbers begin among those of the instance.
    pub place: u32,
}

/// The components of each piece of a block: larger blocks are cut, so that few of their numbers are contributed for nothing.
pub fn pieces(size: usize) -> impl ExactSizeIterator<Item = std::ops::Range<u32>> {
    let count = size.div_ceil(MOST_COMPONENTS).max(1);
    (0..count).map(move |k| (size * k / count) as u32..(size * (k + 1) / count) as u32)
}

/// The pieces of blocks that the instances of a kernel contribute to.
pub fn parts(kernel: &Kernel) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut place = 0;
    for (block, &size) in (0..).zip(&kernel.linearization.tangent_sizes) {
        for (piece, range) in (0..).zip(pieces(size as usize)) {
            let mut entries = kernel.linearization.entries.iter();
            if entries.any(|entry| entry.block == block && range.contains(&entry.component)) {
                let size = range.len() as u32;
                parts.push(Part { block, piece, component: range.start, size, place });
                place += size;
            }
        }
    }
    parts
}

/// Numbers that an instance contributes, with the zeros of components it does not depend on.
pub fn contributions(kernel: &Kernel) -> usize {
    parts(kernel).iter().map(|part| part.size as usize).sum()
}

/// The gradient Jᵀr at the point.
///
/// # Errors
/// [`OutOfRange`] for a constant that the format cannot hold.
pub fn gradient(kernels: &[&Kernel], formats: Formats, addition: Addition) -> Result<Module, OutOfRange> {
    over_instances("gradient", kernels, formats, addition)
}

/// JᵀJ at the point, times [`Slot::Direction`].
///
/// # Errors
/// [`OutOfRange`] for a constant that the format cannot hold.
pub fn jtj_product(kernels: &[&Kernel], formats: Formats, addition: Addition) -> Result<Module, OutOfRange> {
    over_instances("jtj_product", kernels, formats, addition)
}

fn over_instances(
    entry: &'static str,
    kernels: &[&Kernel],
    formats: Formats,
    addition: Addition,
) -> Result<Module, OutOfRange> {
    let is_product = entry == "jtj_product";
    let mut bindings = vec![(Slot::Indices, false), (Slot::Data, false), (Slot::Point, false)];
    if is_product {
        bindings.push((Slot::Direction, false));
    }
    bindings.push((if addition == Addition::Gather { Slot::Contributions } else { Slot::Sums }, true));
    let mut module = ModuleBuilder::new(entry, formats, &bindings);
    module.table("groups", "Group", kernels.len());
    module.function(atomic_sum(addition, formats.real).0);
    for (group, kernel) in kernels.iter().enumerate() {
        let mut body = Body::new(formats.real);
        name_blocks(&mut body, group, kernel);
        let outputs = evaluate(&mut body, group, kernel, &kernel.linearization.program, Slot::Point)?;
        let (residuals, stored) = outputs.split_at(kernel.residuals());
        let rows = if is_product { product(&mut body, kernel, stored)? } else { residuals.to_vec() };
        let sums = transpose(&mut body, kernel, stored, &rows)?;
        contribute(&mut body, group, kernel, &sums, (addition, formats.real))?;
        module.statements += body.statements;
        module.function(&format!("fn {entry}_{group}(i: u32) {{\n{}}}\n", body.text));
    }
    over_groups(&mut module, kernels.len(), entry);
    Ok(module.finish())
}

/// J times the direction, residual by residual.
fn product(body: &mut Body, kernel: &Kernel, stored: &[String]) -> Result<Vec<String>, OutOfRange> {
    let entries = &kernel.linearization.entries;
    let mut directions: BTreeMap<(u32, u32), String> = BTreeMap::new();
    for entry in entries {
        let (block, component) = (entry.block, entry.component);
        directions
            .entry((block, component))
            .or_insert_with(|| body.name("p", &format!("direction[b{block} + {component}u]")));
    }
    let mut products = Vec::with_capacity(kernel.residuals());
    for residual in 0..kernel.residuals() as u32 {
        let mut terms = Vec::new();
        for entry in entries.iter().filter(|entry| entry.residual == residual) {
            let p = &directions[&(entry.block, entry.component)];
            terms.push(times(body, entry.factor, entry.stored.map(|k| &stored[k as usize]), p)?);
        }
        let zero = body.literal(0.0)?;
        products.push(body.sum(&terms).unwrap_or(zero));
    }
    Ok(products)
}

/// Jᵀ times a vector over the residuals, by slot and component.
fn transpose(
    body: &mut Body,
    kernel: &Kernel,
    stored: &[String],
    rows: &[String],
) -> Result<BTreeMap<(u32, u32), String>, OutOfRange> {
    let mut terms: BTreeMap<(u32, u32), Vec<String>> = BTreeMap::new();
    for entry in &kernel.linearization.entries {
        let derivative = entry.stored.map(|k| &stored[k as usize]);
        let term = times(body, entry.factor, derivative, &rows[entry.residual as usize])?;
        terms.entry((entry.block, entry.component)).or_default().push(term);
    }
    let mut sums = BTreeMap::new();
    for (parameter, terms) in terms {
        sums.extend(body.sum(&terms).map(|sum| (parameter, sum)));
    }
    Ok(sums)
}

/// A derivative, which is a factor times a number if there is one, times `a`.
fn times(body: &mut Body, factor: f64, number: Option<&String>, a: &str) -> Result<String, OutOfRange> {
    match number {
        Some(number) => {
            let product = body.apply(Op::Mul, &[number, a]);
            body.scaled(factor, &product)
        }
        None => body.scaled(factor, a),
    }
}

/// Hands over what an instance contributes.
fn contribute(
    body: &mut Body,
    group: usize,
    kernel: &Kernel,
    sums: &BTreeMap<(u32, u32), String>,
    (addition, format): (Addition, Format),
) -> Result<(), OutOfRange> {
    let add = atomic_sum(addition, format).1;
    let parts = parts(kernel);
    let count = contributions(kernel);
    if addition == Addition::Gather {
        body.line(format!("let place = plan.groups[{group}].contributions + i * {count}u;"));
    }
    let zero = body.literal(0.0)?;
    for part in parts {
        for k in 0..part.size {
            let (block, component) = (part.block, part.component + k);
            let sum = sums.get(&(block, component));
            match (addition, sum) {
                (Addition::Gather, sum) => {
                    body.line(format!("contributions[place + {}u] = {};", part.place + k, sum.unwrap_or(&zero)));
                }
                (_, Some(sum)) => body.line(format!("{add}(b{block} + {component}u, {sum});")),
                (_, None) => {}
            }
        }
    }
    Ok(())
}

const GATHER: [(Slot, bool); 3] = [(Slot::Incidence, false), (Slot::Contributions, false), (Slot::Gradient, true)];

/// Sums the contributions to parameter blocks of few instances, one invocation a number.
pub fn gather(formats: Formats) -> Module {
    let mut module = ModuleBuilder::new("gather", formats, &GATHER);
    module.table("lists", "Lists", 1);
    module.main(format!("gather(w * {WORKGROUP}u + lane);"));
    module.finish_as("gather_sums")
}

/// Sums the contributions to parameter blocks of many instances, one workgroup a block.
pub fn gather_long(formats: Formats) -> Module {
    let mut module = ModuleBuilder::new("gather_long", formats, &GATHER);
    module.table("lists", "Lists", 1);
    module.main("gather_long(w, lane);");
    module.finish_as("gather_long_sums")
}

/// Sets the numbers that [`Slot::Incidence`] lists to zero: the sums of parameters that are held.
pub fn clear_held(formats: Formats) -> Module {
    let mut module = ModuleBuilder::new("clear_held", formats, &[(Slot::Incidence, false), (Slot::Gradient, true)]);
    module.table("lists", "Lists", 1);
    module.main(format!("let k = w * {WORKGROUP}u + lane;"));
    module.main("if (k < plan.lists[0].count) { gradient[incidence[k]] = number_r(0.0f); }");
    module.finish()
}

/// A kernel that runs the self test of pairs of single-precision numbers in each of 4096 invocations: bindings are a zero, and the
/// number of invocations that found their arithmetic correct.
pub fn self_test() -> (String, &'static str) {
    let entry = "@group(0) @binding(0) var<storage, read> zero: array<u32>;
@group(0) @binding(1) var<storage, read_write> correct: array<atomic<u32>>;

@compute @workgroup_size(64)
fn self_test(@builtin(global_invocation_id) id: vec3<u32>) {
    guard = zero[0];
    if (self_test_df32(id.x) == 0u) { atomicAdd(&correct[0], 1u); }
}
";
    let library = library::needed_by(entry);
    (library + entry, "self_test")
}
