//! Kernels over the instances of groups.

use super::body::Body;
use super::format::{Format, OutOfRange};
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};
use crate::kernel::Kernel;
use crate::program::{Node, Program};
use crate::value::op::Op;
use std::fmt::Write;

/// Data columns that the programs of a kernel read, in order; the others are literals.
pub fn data_columns(kernel: &Kernel) -> Vec<u32> {
    let columns = |program: &Program| {
        let column = |node: &Node| if let Node::Datum(column) = node { Some(*column) } else { None };
        program.nodes.iter().filter_map(column).collect::<Vec<_>>()
    };
    let mut all = columns(kernel.objective());
    all.extend(columns(&kernel.linearization.program));
    all.sort_unstable();
    all.dedup();
    all
}

/// Start of the parameter block in `slot` of instance `i`.
fn block(group: usize, slot: usize) -> String {
    format!("indices[plan.groups[{group}].blocks + {slot}u * plan.groups[{group}].stride + i]")
}

/// Names the starts of all blocks of an instance.
pub(super) fn name_blocks(body: &mut Body, group: usize, kernel: &Kernel) {
    for slot in 0..kernel.program.block_sizes.len() {
        body.line(format!("let b{slot} = {};", block(group, slot)));
    }
}

/// Evaluates a program of an instance; returns its outputs.
pub(super) fn evaluate(
    body: &mut Body,
    group: usize,
    kernel: &Kernel,
    program: &Program,
    point: Slot,
) -> Result<Vec<String>, OutOfRange> {
    let columns = data_columns(kernel);
    let place = |column: u32| columns.iter().position(|&c| c == column).unwrap_or_default();
    let x = point.variable();
    body.program(
        program,
        |block, component| format!("{x}[b{block} + {component}u]"),
        |column| format!("data[plan.groups[{group}].data + {}u * plan.groups[{group}].stride + i]", place(column)),
    )
}

fn function(name: &str, group: usize, body: &Body) -> String {
    format!("fn {name}_{group}(i: u32) {{\n{}}}\n", body.text)
}

/// Evaluates a program of an instance whose parameters are those at the point and then, in as many blocks more, a vector over them.
pub(super) fn evaluate_along(
    body: &mut Body,
    group: usize,
    kernel: &Kernel,
    program: &Program,
    vector: Slot,
) -> Result<Vec<String>, OutOfRange> {
    let columns = data_columns(kernel);
    let place = |column: u32| columns.iter().position(|&c| c == column).unwrap_or_default();
    let blocks = kernel.program.block_sizes.len() as u32;
    let variable = |block: u32| if block < blocks { Slot::Point.variable() } else { vector.variable() };
    body.program(
        program,
        |block, component| format!("{}[b{} + {component}u]", variable(block), block % blocks),
        |column| format!("data[plan.groups[{group}].data + {}u * plan.groups[{group}].stride + i]", place(column)),
    )
}

/// Runs over the groups: every workgroup takes a stretch of the instances of one.
pub(super) fn over_groups(module: &mut ModuleBuilder, groups: usize, function: &str) {
    for group in 0..groups {
        let word = if group == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.groups[{group}].end) {{"));
        module.main(format!("    let first = (w - plan.groups[{group}].first) * plan.groups[{group}].tile;"));
        module.main(format!("    for (var k = 0u; k < plan.groups[{group}].tile; k++) {{"));
        module.main(format!("        let i = (first + k) * {WORKGROUP}u + lane;"));
        module.main(format!("        if (i < plan.groups[{group}].count) {{ {function}_{group}(i); }}"));
        module.main("    }");
    }
    module.main("}");
}

/// Leaves the kernel unless `condition`, which is evaluated once for the workgroup.
pub(super) fn only_if(module: &mut ModuleBuilder, condition: &str) {
    module.main(format!("if (lane == 0u) {{ go_on = u32({condition}); }}"));
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
}

/// Residuals at a point, for as long as the solve goes on.
pub fn residuals(kernels: &[&Kernel], formats: Formats, point: Slot, to: Slot) -> Result<Module, OutOfRange> {
    outputs(kernels, |kernel| &kernel.program, formats, point, to)
}

/// What the cost at a point is half the squared sum of: the residuals, unless a loss stands between.
pub fn objective(kernels: &[&Kernel], formats: Formats, point: Slot, to: Slot) -> Result<Module, OutOfRange> {
    outputs(kernels, Kernel::objective, formats, point, to)
}

fn outputs(
    kernels: &[&Kernel],
    program: impl Fn(&Kernel) -> &Program,
    formats: Formats,
    point: Slot,
    to: Slot,
) -> Result<Module, OutOfRange> {
    let bindings = [(Slot::Indices, false), (Slot::Data, false), (point, false), (to, true), (Slot::Scalars, false)];
    let mut module = ModuleBuilder::new("residual", formats, &bindings);
    module.table("groups", "Group", kernels.len());
    for (group, kernel) in kernels.iter().enumerate() {
        let mut body = Body::new(formats.real);
        name_blocks(&mut body, group, kernel);
        let outputs = evaluate(&mut body, group, kernel, program(kernel), point)?;
        write_rows(&mut body, to.variable(), &format!("plan.groups[{group}].residuals"), &outputs);
        module.statements += body.statements;
        module.function(&function("residual", group, &body));
    }
    only_if(&mut module, "is_running()");
    over_groups(&mut module, kernels.len(), "residual");
    Ok(module.finish())
}

/// Writes the numbers of an instance side by side.
pub(super) fn write_rows(body: &mut Body, array: &str, first: &str, numbers: &[String]) {
    for (k, number) in numbers.iter().enumerate() {
        body.line(format!("{array}[{first} + i * {}u + {k}u] = {number};", numbers.len()));
    }
}

/// The product of J, as stored, with the search direction p = z + β p of the present iteration, or with a plain vector.
///
/// The first kernel of an iteration of conjugate gradients: it also finds β and whether to go on.
pub fn jacobian_product(kernels: &[&Kernel], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Indices, false),
        (Slot::Stored, false),
        (Slot::Preconditioned, false),
        (Slot::Direction, false),
        (Slot::Product, true),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("jacobian_product", formats, &bindings);
    module.table("groups", "Group", kernels.len());
    let most = kernels.iter().map(|kernel| kernel.residuals()).max().unwrap_or(1);
    // J z and J p apart, as β is not known before all sums are in: the loads need not wait for it.
    module.function(&format!("var<private> along: array<R, {most}>;\nvar<private> before: array<R, {most}>;\n"));
    for (group, kernel) in kernels.iter().enumerate() {
        let mut body = Body::new(formats.real);
        let [along, before] = direction_products(&mut body, group, kernel)?;
        let mut end = String::new();
        for (k, (along, before)) in along.iter().zip(&before).enumerate() {
            body.line(format!("along[{k}] = {along};"));
            body.line(format!("before[{k}] = {before};"));
            let place = format!("plan.groups[{group}].residuals + i * {}u + {k}u", kernel.residuals());
            let _ = writeln!(end, "    product[{place}] = along_direction({k}, beta);");
        }
        module.statements += body.statements;
        module.function(&function("jacobian_product", group, &body));
        module.function(&format!("fn write_product_{group}(i: u32, beta: R) {{\n{end}}}\n"));
    }
    module.function(
        "fn along_direction(k: u32, beta: R) -> R {
    // The old direction of a step's first iteration is from another step and may be anything.
    if (call.iteration == 0u || call.plain != 0u) { return along[k]; }
    return add_r(along[k], mul_r(beta, before[k]));
}
",
    );
    module.main("let may_go_on = is_running() & ((call.plain != 0u) | is_iterating());");
    module.main("load_iteration(lane);");
    for group in 0..kernels.len() {
        let word = if group == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.groups[{group}].end) {{"));
        module.main(format!("    let first = (w - plan.groups[{group}].first) * plan.groups[{group}].tile;"));
        module.main(format!("    let i = first * {WORKGROUP}u + lane;"));
        module.main(format!("    if (i < plan.groups[{group}].count) {{ jacobian_product_{group}(i); }}"));
    }
    module.main("}");
    module.main("if (lane == 0u) { go_on = u32(may_go_on); }");
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
    module.main("let beta = begin_iteration(w, lane);");
    module.main("if (call.plain == 0u && !is_worthwhile) { return; }");
    for group in 0..kernels.len() {
        let word = if group == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.groups[{group}].end) {{"));
        module.main(format!("    let first = (w - plan.groups[{group}].first) * plan.groups[{group}].tile;"));
        module.main(format!("    for (var k = 0u; k < plan.groups[{group}].tile; k++) {{"));
        module.main(format!("        let i = (first + k) * {WORKGROUP}u + lane;"));
        module.main(format!("        if (i < plan.groups[{group}].count) {{"));
        module.main(format!("            if (k > 0u) {{ jacobian_product_{group}(i); }}"));
        module.main(format!("            write_product_{group}(i, beta);"));
        module.main("        }");
        module.main("    }");
    }
    module.main("}");
    Ok(module.finish())
}

/// J times z, and J times the direction before, residual by residual, from the stored Jacobian.
fn direction_products(body: &mut Body, group: usize, kernel: &Kernel) -> Result<[Vec<String>; 2], OutOfRange> {
    name_blocks(body, group, kernel);
    let entries = &kernel.linearization.entries;
    let mut parameters: Vec<(u32, u32)> = entries.iter().map(|e| (e.block, e.component)).collect();
    parameters.sort_unstable();
    parameters.dedup();
    let vectors = [Slot::Preconditioned, Slot::Direction];
    for &(block, component) in &parameters {
        for (k, vector) in vectors.iter().enumerate() {
            let name = format!("p{k}_{block}_{component}");
            body.line(format!("let {name} = {}[b{block} + {component}u];", vector.variable()));
        }
    }
    let stored = stored_numbers(body, kernel, &format!("plan.groups[{group}].stored + i * {}u", kernel.stored()));
    let mut products = [Vec::new(), Vec::new()];
    for residual in 0..kernel.residuals() as u32 {
        for (k, products) in products.iter_mut().enumerate() {
            let mut terms = Vec::new();
            for entry in entries.iter().filter(|e| e.residual == residual) {
                let p = format!("p{k}_{}_{}", entry.block, entry.component);
                let p = match entry.stored {
                    Some(k) => body.apply(Op::Mul, &[&stored[k as usize], &p]),
                    None => p,
                };
                terms.push(body.scaled(entry.factor, &p)?);
            }
            let zero = body.literal(0.0)?;
            products.push(body.sum(&terms).unwrap_or(zero));
        }
    }
    Ok(products)
}

/// Names the stored numbers of an instance, which begin at the place `first`.
pub(super) fn stored_numbers(body: &mut Body, kernel: &Kernel, first: &str) -> Vec<String> {
    (0..kernel.stored()).map(|k| body.name("j", &format!("stored[{first} + {k}u]"))).collect()
}

/// Operations that a function of the library counts for: its text is inlined wherever it is called.
const FUNCTION: usize = 16;

/// Operations of a node, those of the library's functions included.
fn node_operations(node: &Node) -> usize {
    match node {
        Node::Literal(_) => 0,
        Node::Parameter { .. } | Node::Datum(_) => 1,
        Node::Apply { op: Op::Neg | Op::Abs | Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Sqrt, .. } => 1,
        // Repeated squaring.
        Node::Apply { op: Op::Powi(n), .. } => 2 * n.unsigned_abs().max(2).ilog2() as usize,
        Node::Apply { .. } => FUNCTION,
    }
}

/// Operations of a program.
fn program_operations(program: &Program) -> usize {
    program.nodes.iter().map(node_operations).sum()
}

/// What a node costs in operations of single precision.
pub(super) fn node_weight(node: &Node, format: Format) -> usize {
    let each = match format {
        Format::F32 => 1,
        Format::F64 => 4,
        Format::DoubleF32 => 20,
    };
    each * node_operations(node)
}

/// Operations of a kernel over the instances of a group, for guessing how long a driver compiles it.
pub fn operations(kernel: &Kernel) -> usize {
    let programs = [kernel.objective(), &kernel.linearization.program];
    let longest = programs.into_iter().map(program_operations).max().unwrap_or(0);
    longest + kernel.linearization.entries.len()
}

/// Most statements of a program that are compiled for the GPU: a shader's time to compile grows with their square.
pub const MOST_STATEMENTS: usize = 4000;

/// Why a kernel cannot run on a device, if it cannot.
pub fn obstacle(kernel: &Kernel, format: Format) -> Option<String> {
    let statements = kernel.linearization.program.nodes.len() + kernel.linearization.entries.len();
    if statements > MOST_STATEMENTS {
        return Some(format!(
            "its {statements} operations are more than the {MOST_STATEMENTS} that compile in good time"
        ));
    }
    let literals = [&kernel.program, kernel.objective(), &kernel.linearization.program]
        .into_iter()
        .flat_map(|program| &program.nodes);
    let mut numbers = literals.filter_map(|node| if let Node::Literal(number) = node { Some(*number) } else { None });
    let factors = kernel.linearization.entries.iter().map(|entry| entry.factor);
    numbers
        .find_map(|number| format.literal(number).err())
        .or_else(|| factors.into_iter().find_map(|f| format.literal(f).err()))
        .map(|error| error.to_string())
}
