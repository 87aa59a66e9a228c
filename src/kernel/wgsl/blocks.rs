//! Kernels over parameter blocks: sums over the instances that touch a block, and the vectors of conjugate gradients.

use super::body::Body;
use super::format::{Format, OutOfRange};
use super::groups::only_if;
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};
use crate::kernel::Kernel;
use crate::value::op::Op;
use std::fmt::Write;

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
}

/// Place of entry (i, j), j ≤ i, in a packed lower triangle.
fn packed(i: usize, j: usize) -> usize {
    i * (i + 1) / 2 + j
}

/// Numbers in a packed lower triangle.
pub fn packed_len(size: usize) -> usize {
    size * (size + 1) / 2
}

/// What a loop over instances sums.
#[derive(Clone, Copy, PartialEq)]
enum Sum {
    /// Jᵀ times a vector over the residuals.
    Transpose(Slot),
    /// The block of JᵀJ, packed.
    Square,
}

/// Most kinds in one chain of `else if`: each nests in the one before, and Mesa's software driver computes nonsense beyond a depth of 80.
const MOST_NESTED: usize = 24;

/// A function that sums over every `step`th instance of a list.
fn sum_function(
    name: &str,
    class: &Class,
    first_kind: usize,
    kernels: &[&Kernel],
    format: Format,
    sum: Sum,
    statements: &mut usize,
) -> Result<String, OutOfRange> {
    let count = if let Sum::Square = sum { packed_len(class.size) } else { class.size };
    let zero = format.literal(0.0)?;
    let mut text = format!("fn {name}(first: u32, end: u32, step: u32) -> array<R, {count}> {{\n");
    for k in 0..count {
        let _ = writeln!(text, "    var s{k} = {zero};");
    }
    // The next entry is asked for before this one's numbers are waited for.
    text += "    var next = incidence[min(first, arrayLength(&incidence) - 1u)];\n";
    text += "    for (var k = first; k < end; k += step) {\n        let id = next;\n";
    text += "        next = incidence[min(k + step, arrayLength(&incidence) - 1u)];\n";
    let runs = class.kinds.len().div_ceil(MOST_NESTED);
    for (k, kind) in class.kinds.iter().enumerate() {
        let index = first_kind + k;
        let (begins, last) = (k % MOST_NESTED == 0, k + 1 == class.kinds.len());
        let ends = last || (k + 1) % MOST_NESTED == 0;
        if runs > 1 && begins {
            let above = first_kind + k + MOST_NESTED;
            let below = if k + MOST_NESTED >= class.kinds.len() {
                String::new()
            } else {
                format!(" && id < plan.kinds[{above}].base")
            };
            let _ = writeln!(text, "        if (id >= plan.kinds[{index}].base{below}) {{");
        }
        let word = if begins { "        " } else { " else " };
        let condition = if ends { String::new() } else { format!("if (id < plan.kinds[{}].base) ", index + 1) };
        let _ = writeln!(text, "{word}{condition}{{");
        let mut body = Body::new(format);
        body.line(format!("let i = id - plan.kinds[{index}].base;"));
        add_kind(&mut body, kind, index, kernels[kind.group], format, sum)?;
        *statements += body.statements;
        text += &body.text;
        text += "        }";
        if runs > 1 && ends {
            text += "\n        }\n";
        }
    }
    text += "\n    }\n";
    let names: Vec<String> = (0..count).map(|k| format!("s{k}")).collect();
    let _ = writeln!(text, "    return array<R, {count}>({});\n}}\n", names.join(", "));
    Ok(text)
}

fn add_kind(
    body: &mut Body,
    kind: &Kind,
    index: usize,
    kernel: &Kernel,
    format: Format,
    sum: Sum,
) -> Result<(), OutOfRange> {
    let mut stored: Vec<Option<String>> = vec![None; kernel.stored()];
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
            Sum::Transpose(vector) => {
                let place =
                    format!("plan.kinds[{index}].residuals + i * {}u + {}u", kernel.residuals(), row[0].residual);
                let q = body.name("q", &format!("{}[{place}]", vector.variable()));
                for d in row {
                    let product = match number(d) {
                        Some(j) => body.apply(Op::Mul, &[&j, &q]),
                        None => q.clone(),
                    };
                    let term = body.scaled(d.factor, &product)?;
                    add(body, d.component as usize, &term);
                }
            }
            Sum::Square => {
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

/// Runs over the blocks of all classes, a lane a block.
fn over_classes(module: &mut ModuleBuilder, classes: &[Class], call: impl Fn(usize) -> String) {
    for c in 0..classes.len() {
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
fn over_lists(module: &mut ModuleBuilder, classes: &[Class], call: impl Fn(usize) -> String) {
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

/// Bytes of workgroup memory for the sums of a class.
const SHARED_BYTES: usize = 8192;

/// Sums over the list of the block in `row`: each lane over its share, then the lanes of a block together. `each(k, sum)`
/// gives the statements for component k, which the lane whose turn it is runs, from the name of the sum.
fn team_sums(
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
fn shared_reals(module: &mut ModuleBuilder, format: Format) {
    module.function(&format!("var<workgroup> shared_reals: array<R, {}>;", SHARED_BYTES / format.bytes()));
}

fn class_tables(module: &mut ModuleBuilder, classes: &[Class]) {
    module.table("classes", "Class", classes.len());
    module.table("kinds", "Kind", classes.iter().map(|class| class.kinds.len()).sum());
}

/// The first kind of each class in the table of kinds.
fn first_kinds(classes: &[Class]) -> Vec<usize> {
    classes.iter().scan(0, |end, class| Some(std::mem::replace(end, *end + class.kinds.len()))).collect()
}

/// Gradient Jᵀr and diagonal blocks of JᵀJ, if the point is new.
pub fn normal(kernels: &[&Kernel], classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Stored, false),
        (Slot::Residuals, false),
        (Slot::Gradient, true),
        (Slot::Diagonal, true),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("normal", formats, &bindings);
    class_tables(&mut module, classes);
    shared_reals(&mut module, formats.real);
    module.function("var<private> most: S;\n");
    let (zero, one) = (formats.real.literal(0.0)?, formats.real.literal(1.0)?);
    for ((c, class), first) in classes.iter().enumerate().zip(first_kinds(classes)) {
        let size = class.size;
        let mut statements = 0;
        let transpose = Sum::Transpose(Slot::Residuals);
        let (gather, square) = (format!("transpose_{c}"), format!("square_{c}"));
        module.function(&sum_function(&gather, class, first, kernels, formats.real, transpose, &mut statements)?);
        module.function(&sum_function(&square, class, first, kernels, formats.real, Sum::Square, &mut statements)?);
        module.statements += statements;
        let mut text = format!("fn normal_{c}(block: u32, row: u32, is_active: bool, lane: u32) {{\n");
        text += "    let start = incidence[row];\n    let held = incidence[row + 1u];\n";
        // A held component has no gradient, and the identity's row and column.
        team_sums(&mut text, &gather, class, size, formats.real, |k, sum| {
            let bit = 1u32 << k;
            format!(
                "        let number = select({sum}, {zero}, (held & {bit}u) != 0u);
        gradient[start + {k}u] = number;
        let size = abs_s(wide(number));
        if (!less_s(size, most)) {{ most = size; }}
"
            )
        });
        let count = packed_len(size);
        let places: Vec<(usize, usize)> = (0..size).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
        team_sums(&mut text, &square, class, count, formats.real, |k, sum| {
            let (i, j) = places[k];
            let (bits, fixed) = (1u32 << i | 1u32 << j, if i == j { &one } else { &zero });
            format!(
                "        let number = select({sum}, {fixed}, (held & {bits}u) != 0u);
        diagonal[plan.classes[{c}].diagonal + block * {count}u + {k}u] = number;
"
            )
        });
        text += "}\n";
        module.function(&text);
    }
    only_if(&mut module, "is_running() & is_new_point()");
    module.main("most = number_s(0.0f);");
    over_lists(&mut module, classes, |c| format!("normal_{c}(block, row, is_active, lane);"));
    module.main("most = workgroup_max(most, lane);");
    module.main(
        "if (lane == 0u && w < plan.head.list_partials) { scalars[partial_place(GRADIENT_PARTIALS, w)] = most; }",
    );
    Ok(module.finish())
}

/// The damping D, the column scales if they are not known yet, and the inverses of the damped diagonal blocks.
pub fn damp(classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Diagonal, false),
        (Slot::Scales, true),
        (Slot::Damping, true),
        (Slot::Inverse, true),
        (Slot::Scalars, false),
    ];
    let mut module = ModuleBuilder::new("damp", formats, &bindings);
    module.table("classes", "Class", classes.len());
    for (c, class) in classes.iter().enumerate() {
        let size = class.size;
        let count = packed_len(size);
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        body.line("let radius = narrow(scalars[RADIUS]);");
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {count}u;"));
        let mut h: Vec<String> = (0..count).map(|k| body.name("h", &format!("diagonal[place + {k}u]"))).collect();
        for i in 0..size {
            let d = format!("d{i}");
            body.line(format!("let {d} = damping_at(start + {i}u, {}, radius);", h[packed(i, i)]));
            h[packed(i, i)] = body.apply(Op::Add, &[&h[packed(i, i)], &d]);
        }
        let inverse = invert(&mut body, size, &h)?;
        for (k, number) in inverse.iter().enumerate() {
            body.line(format!("inverse[place + {k}u] = {number};"));
        }
        module.statements += body.statements;
        module.function(&format!("fn damp_{c}(block: u32, row: u32) {{\n{}}}\n", body.text));
    }
    module.function(DAMPING);
    only_if(&mut module, "is_running()");
    over_classes(&mut module, classes, |c| format!("damp_{c}(block, row);"));
    Ok(module.finish())
}

const DAMPING: &str = "// D = clip(s² h) / (radius s²), with the scales s = 1 / (1 + √h) of the first point.
fn damping_at(place: u32, h: R, radius: R) -> R {
    let one = number_r(1.0f);
    if (single_s(scalars[ITERATION]) == 0.0f) {
        let scale = div_r(one, add_r(one, sqrt_r(h)));
        var square = mul_r(scale, scale);
        if (plan.head.jacobi_scaling == 0u) { square = one; }
        scales[place] = square;
    }
    let square = scales[place];
    var clipped = mul_r(h, square);
    if (less_r(clipped, number_r(plan.head.min_diagonal))) { clipped = number_r(plan.head.min_diagonal); }
    if (less_r(number_r(plan.head.max_diagonal), clipped)) { clipped = number_r(plan.head.max_diagonal); }
    let damping_here = div_r(clipped, mul_r(radius, square));
    damping[place] = damping_here;
    return damping_here;
}

// A pivot of the Cholesky factorisation, kept above what rounding leaves of it.
fn pivot(reduced: R, original: R) -> R {
    let least = mul_r(original, number_r(plan.head.smallest_pivot));
    if (less_r(reduced, least)) { return least; }
    return reduced;
}
";

/// The inverse of a symmetric positive definite matrix by its Cholesky factor L: (L⁻¹)ᵀ L⁻¹. All packed.
fn invert(body: &mut Body, size: usize, a: &[String]) -> Result<Vec<String>, OutOfRange> {
    let one = body.literal(1.0)?;
    let mut l = a.to_vec();
    // 1 / L(i, i)
    let mut reciprocals = Vec::with_capacity(size);
    for j in 0..size {
        let mut sum = a[packed(j, j)].clone();
        for k in 0..j {
            let square = body.apply(Op::Mul, &[&l[packed(j, k)], &l[packed(j, k)]]);
            sum = body.apply(Op::Sub, &[&sum, &square]);
        }
        let kept = body.name("t", &format!("pivot({sum}, {})", a[packed(j, j)]));
        let root = body.name("t", &format!("sqrt_r({kept})"));
        reciprocals.push(body.apply(Op::Div, &[&one, &root]));
        for i in j + 1..size {
            let mut sum = a[packed(i, j)].clone();
            for k in 0..j {
                let product = body.apply(Op::Mul, &[&l[packed(i, k)], &l[packed(j, k)]]);
                sum = body.apply(Op::Sub, &[&sum, &product]);
            }
            l[packed(i, j)] = body.apply(Op::Mul, &[&sum, &reciprocals[j]]);
        }
    }
    // M = L⁻¹
    let mut m = l.clone();
    for j in 0..size {
        m[packed(j, j)] = reciprocals[j].clone();
        for i in j + 1..size {
            let terms: Vec<String> =
                (j..i).map(|k| body.apply(Op::Mul, &[&l[packed(i, k)], &m[packed(k, j)]])).collect();
            let zero = body.literal(0.0)?;
            let sum = body.sum(&terms).unwrap_or(zero);
            let negative = body.apply(Op::Neg, &[&sum]);
            m[packed(i, j)] = body.apply(Op::Mul, &[&negative, &reciprocals[i]]);
        }
    }
    let mut inverse = Vec::with_capacity(a.len());
    for i in 0..size {
        for j in 0..=i {
            let terms: Vec<String> =
                (i..size).map(|k| body.apply(Op::Mul, &[&m[packed(k, i)], &m[packed(k, j)]])).collect();
            let zero = body.literal(0.0)?;
            inverse.push(body.sum(&terms).unwrap_or(zero));
        }
    }
    Ok(inverse)
}

/// Products of the inverse blocks with `r`, by component.
fn precondition(body: &mut Body, size: usize, m: &[String], r: &[String]) -> Result<Vec<String>, OutOfRange> {
    let mut z = Vec::with_capacity(size);
    for i in 0..size {
        let terms: Vec<String> =
            (0..size).map(|j| body.apply(Op::Mul, &[&m[packed(i.max(j), i.min(j))], &r[j]])).collect();
        let zero = body.literal(0.0)?;
        z.push(body.sum(&terms).unwrap_or(zero));
    }
    Ok(z)
}

/// Adds up `a · b` over the components in the format of sums.
fn wide_dot(body: &mut Body, sum: &str, a: &[String], b: &[String]) {
    for (a, b) in a.iter().zip(b) {
        body.line(format!("{sum} = add_s({sum}, mul_s(wide({a}), wide({b})));"));
    }
}

/// The last part of `start` and `update`: z = M r, and the sums that the next iteration begins with.
fn end_of_iteration(body: &mut Body, size: usize, m: &[String], r: &[String]) -> Result<(), OutOfRange> {
    let z = precondition(body, size, m, r)?;
    for (k, (r, z)) in r.iter().zip(&z).enumerate() {
        body.line(format!("linear_residual[start + {k}u] = {r};"));
        body.line(format!("preconditioned[start + {k}u] = {z};"));
    }
    wide_dot(body, "first_sum", r, &z);
    wide_dot(body, "second_sum", r, r);
    Ok(())
}

fn keep_end_sums(module: &mut ModuleBuilder) {
    module.main("workgroup_sums(lane);");
    module.main("if (lane == 0u && w < plan.head.block_partials) {");
    module.main("    scalars[partial_place(RZ_PARTIALS, w)] = first_sum;");
    module.main("    scalars[partial_place(RR_PARTIALS, w)] = second_sum;");
    module.main("}");
}

const NO_SUMS: &str = "first_sum = number_s(0.0f);\n    second_sum = number_s(0.0f);";

/// The start of conjugate gradients: δ = 0, r = −Jᵀr.
pub fn start(classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Gradient, false),
        (Slot::Inverse, false),
        (Slot::LinearResidual, true),
        (Slot::Preconditioned, true),
        (Slot::Step, true),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("start", formats, &bindings);
    module.table("classes", "Class", classes.len());
    for (c, class) in classes.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {}u;", packed_len(class.size)));
        let mut r = Vec::new();
        for k in 0..class.size {
            let g = body.name("g", &format!("gradient[start + {k}u]"));
            r.push(body.apply(Op::Neg, &[&g]));
            let zero = body.literal(0.0)?;
            body.line(format!("delta[start + {k}u] = {zero};"));
        }
        let m: Vec<String> =
            (0..packed_len(class.size)).map(|k| body.name("m", &format!("inverse[place + {k}u]"))).collect();
        end_of_iteration(&mut body, class.size, &m, &r)?;
        module.statements += body.statements;
        module.function(&format!("fn start_{c}(block: u32, row: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running()");
    module.main(NO_SUMS);
    over_classes(&mut module, classes, |c| format!("start_{c}(block, row);"));
    keep_end_sums(&mut module);
    Ok(module.finish())
}

/// The search direction p = z + β p, its image (JᵀJ + D) p from J p, and the curvature pᵀ(JᵀJ + D) p.
pub fn image(kernels: &[&Kernel], classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Stored, false),
        (Slot::Product, false),
        (Slot::Preconditioned, false),
        (Slot::Direction, true),
        (Slot::Damping, false),
        (Slot::Image, true),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("normal_product", formats, &bindings);
    class_tables(&mut module, classes);
    shared_reals(&mut module, formats.real);
    module.function("var<private> curvature: S;\n");
    let zero = formats.real.literal(0.0)?;
    for ((c, class), first) in classes.iter().enumerate().zip(first_kinds(classes)) {
        let size = class.size;
        let mut statements = 0;
        let name = format!("transpose_{c}");
        let sum = Sum::Transpose(Slot::Product);
        module.function(&sum_function(&name, class, first, kernels, formats.real, sum, &mut statements)?);
        module.statements += statements;
        let mut text = format!("fn image_{c}(row: u32, is_active: bool, lane: u32, beta: R) {{\n");
        text += "    let start = incidence[row];\n    let held = incidence[row + 1u];\n";
        team_sums(&mut text, &name, class, size, formats.real, |k, sum| {
            let bit = 1u32 << k;
            format!(
                "        let p = direction_at(start + {k}u, beta);
        direction[start + {k}u] = p;
        let y = add_r(select({sum}, {zero}, (held & {bit}u) != 0u), mul_r(damping[start + {k}u], p));
        image[start + {k}u] = y;
        curvature = add_s(curvature, mul_s(wide(p), wide(y)));
"
            )
        });
        text += "}\n";
        module.function(&text);
    }
    module.main("let may_go_on = is_running() & is_iterating();");
    module.main("let beta = present_beta();");
    module.main("if (lane == 0u) { go_on = u32(may_go_on); }");
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
    module.main("curvature = number_s(0.0f);");
    over_lists(&mut module, classes, |c| format!("image_{c}(row, is_active, lane, beta);"));
    module.main("curvature = workgroup_sum(curvature, lane);");
    module.main("if (lane == 0u && w < plan.head.list_partials) {");
    module.main("    scalars[partial_place(CURVATURE_PARTIALS, w)] = curvature;");
    module.main("}");
    Ok(module.finish())
}

/// The step along the search direction: δ += α p, r −= α (JᵀJ + D) p, z = M r.
pub fn update(classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Inverse, false),
        (Slot::Direction, false),
        (Slot::Image, false),
        (Slot::Step, true),
        (Slot::LinearResidual, true),
        (Slot::Preconditioned, true),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("update", formats, &bindings);
    module.table("classes", "Class", classes.len());
    let largest = classes.iter().map(|class| class.size).max().unwrap_or(1);
    // What the first block of a lane needs is asked for before α is known.
    let numbers = 4 * largest + packed_len(largest);
    module.function(&format!("var<private> loaded: array<R, {numbers}>;\nvar<private> loaded_start: u32;\n"));
    for (c, class) in classes.iter().enumerate() {
        let size = class.size;
        let mut load = Body::new(formats.real);
        load.line("let start = incidence[row];");
        load.line("loaded_start = start;");
        for (v, vector) in ["direction", "image", "delta", "linear_residual"].iter().enumerate() {
            for k in 0..size {
                load.line(format!("loaded[{}] = {vector}[start + {k}u];", v * size + k));
            }
        }
        let packed = packed_len(size);
        for k in 0..packed {
            let place = format!("plan.classes[{c}].diagonal + block * {packed}u + {k}u");
            load.line(format!("loaded[{}] = inverse[{place}];", 4 * size + k));
        }
        module.function(&format!("fn load_{c}(block: u32, row: u32) {{\n{}}}\n", load.text));
        let mut body = Body::new(formats.real);
        body.line("let start = loaded_start;");
        let mut r = Vec::new();
        for k in 0..size {
            let [p, image, delta, residual] = [0, 1, 2, 3].map(|v| format!("loaded[{}]", v * size + k));
            body.line(format!("delta[start + {k}u] = add_r({delta}, mul_r(alpha, {p}));"));
            r.push(body.name("r", &format!("sub_r({residual}, mul_r(alpha, {image}))")));
        }
        let m: Vec<String> = (0..packed).map(|k| format!("loaded[{}]", 4 * size + k)).collect();
        end_of_iteration(&mut body, size, &m, &r)?;
        module.statements += body.statements + load.statements;
        module.function(&format!("fn update_{c}(alpha: R) {{\n{}}}\n", body.text));
    }
    module.main("let may_go_on = is_running() & is_iterating();");
    module.main("let share = share_of(CURVATURE_PARTIALS, plan.head.list_partials, lane);");
    for c in 0..classes.len() {
        let word = if c == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.classes[{c}].end) {{"));
        module.main(format!("    let block = (w - plan.classes[{c}].first) * {WORKGROUP}u + lane;"));
        module.main(format!("    if (block < plan.classes[{c}].count) {{"));
        module.main(format!("        load_{c}(block, plan.classes[{c}].table + 4u * block);"));
        module.main("    }");
    }
    module.main("}");
    module.main("if (lane == 0u) { go_on = u32(may_go_on); }");
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
    module.main("let alpha = step_length(share, w, lane);");
    module.main(NO_SUMS);
    over_classes(&mut module, classes, |c| {
        format!("if (block != first) {{ load_{c}(block, row); }}\n            update_{c}(alpha);")
    });
    keep_end_sums(&mut module);
    Ok(module.finish())
}

/// The trial point x + δ, and the norms of both.
pub fn advance(classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Point, false),
        (Slot::Step, false),
        (Slot::TrialPoint, true),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("advance", formats, &bindings);
    module.table("classes", "Class", classes.len());
    module.function("var<private> steps: S;\nvar<private> points: S;\n");
    for (c, class) in classes.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        for k in 0..class.size {
            body.line(format!("let x{k} = x[start + {k}u];"));
            body.line(format!("let d{k} = delta[start + {k}u];"));
            body.line(format!("trial_x[start + {k}u] = add_r(x{k}, d{k});"));
            body.line(format!("steps = add_s(steps, mul_s(wide(d{k}), wide(d{k})));"));
            body.line(format!("points = add_s(points, mul_s(wide(x{k}), wide(x{k})));"));
        }
        module.statements += body.statements;
        module.function(&format!("fn advance_{c}(row: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running()");
    module.main("steps = number_s(0.0f);\n    points = number_s(0.0f);");
    over_classes(&mut module, classes, |c| format!("advance_{c}(row);"));
    module.main("steps = workgroup_sum(steps, lane);\n    points = workgroup_sum(points, lane);");
    module.main("if (lane == 0u && w < plan.head.block_partials) {");
    module.main("    scalars[partial_place(STEP_PARTIALS, w)] = steps;");
    module.main("    scalars[partial_place(POINT_PARTIALS, w)] = points;");
    module.main("}");
    Ok(module.finish())
}
