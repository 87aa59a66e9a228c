//! Conjugate gradients with the assembled matrix, a dispatch an iteration: see `kernels/predict.wgsl`.

use super::body::Body;
use super::classes::{Class, over_classes, packed_len};
use super::conjugate_gradients::precondition;
use super::format::{Format, OutOfRange};
use super::groups::only_if;
use super::module::{Formats, Module, ModuleBuilder, Slot};
use super::team::SHARED_BYTES;
use crate::value::op::Op;
use std::fmt::Write;

/// Invocations of a workgroup of [`iterate`] and [`finish_iterate`]: few workgroups, as each adds up the partial sums of all.
pub const ITERATE_WORKGROUP: u32 = 256;

/// Words of a row of the matrix in its table: see `RowClass` in `kernels/predict.wgsl`.
pub const ROW_WORDS: u32 = 3;

/// Words of the rows that a workgroup takes at a time.
pub const SLICE_WORDS: u32 = 4;

/// Lanes that a row may have at least: four sums come from each.
pub const FEWEST_LANES: u32 = 4;

/// What the code for the rows of a class depends on, besides their size.
#[derive(Debug, Clone, Copy)]
pub struct RowShape {
    /// Lanes that share a row.
    pub lanes: u32,
    /// Columns side by side that an entry of a row stands for.
    pub width: u32,
    /// Whether rows have blocks that are multiples of the identity.
    pub multiples: bool,
}

impl RowShape {
    /// Rows that a workgroup takes at a time. Lanes side by side have rows side by side, and so do the numbers of the matrix.
    pub fn rows(&self) -> u32 {
        ITERATE_WORKGROUP / self.lanes
    }
}

/// Columns that a lane asks for at a time, or a few more; of blocks that are multiples of the identity, which have few numbers, or a few less.
const AT_ONCE: u32 = 4;
const MULTIPLES_AT_ONCE: u32 = 9;

/// The type of what stands at a place of [`Slot::Krylov`].
fn krylov(module: &mut ModuleBuilder, format: Format) {
    module.function(match format {
        // One load of sixteen bytes.
        Format::F32 | Format::F64 => "alias Krylov = vec4<R>;",
        Format::DoubleF32 => "struct Krylov { x: R, y: R, z: R, w: R }",
    });
}

/// The start of conjugate gradients: δ = 0, r = −g, z = M r; D is copied to where the iterations read it.
///
/// # Errors
/// [`OutOfRange`] for a constant that the format cannot hold.
pub fn start_iterate(classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Gradient, false),
        (Slot::Inverse, false),
        (Slot::Damping, false),
        (Slot::Krylov, true),
        (Slot::Scalars, false),
    ];
    let mut module = ModuleBuilder::new("start_iterate", formats, &bindings);
    module.table("classes", "Class", classes.len());
    krylov(&mut module, formats.real);
    for (c, class) in classes.iter().enumerate() {
        let size = class.size;
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {}u;", packed_len(size)));
        let mut r = Vec::new();
        for k in 0..size {
            let g = body.name("g", &format!("gradient[start + {k}u]"));
            r.push(body.apply(Op::Neg, &[&g]));
        }
        let m: Vec<String> = (0..packed_len(size)).map(|k| body.name("m", &format!("inverse[place + {k}u]"))).collect();
        let z = precondition(&mut body, size, &m, &r)?;
        let zero = body.literal(0.0)?;
        for (k, (r, z)) in r.iter().zip(&z).enumerate() {
            body.line(format!("krylov[start + {k}u] = Krylov({z}, {zero}, {zero}, {zero});"));
            let own = format!("krylov[2u * solve.parameters + start + {k}u]");
            body.line(format!("{own} = Krylov({r}, {zero}, damping[start + {k}u], {zero});"));
        }
        module.statements += body.statements;
        module.function(&format!("fn start_{c}(block: u32, row: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running()");
    over_classes(&mut module, classes, |c| format!("start_{c}(block, row);"));
    Ok(module.finish())
}

/// An iteration: the step along p, the next p, its product with JᵀJ + D, and the sums that the next iteration begins with.
///
/// # Errors
/// [`OutOfRange`] for a constant that the format cannot hold.
pub fn iterate(classes: &[Class], shapes: &[RowShape], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Columns, false),
        (Slot::Matrix, false),
        (Slot::Krylov, true),
        (Slot::Inverse, false),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("iterate", formats, &bindings);
    module.workgroup(ITERATE_WORKGROUP);
    module.table("rows", "RowClass", classes.len());
    krylov(&mut module, formats.real);
    module.function(&format!("var<workgroup> shared_reals: array<R, {}>;", SHARED_BYTES / formats.real.bytes()));
    for (c, (class, &shape)) in classes.iter().zip(shapes).enumerate() {
        let mut statements = 0;
        let text = row_step(c, class.size, shape, formats.real, &mut statements)?;
        module.statements += statements;
        module.function(&text);
        module.function(&move_text(c, class.size, shape));
    }
    module.main("let may_go_on = is_running() & is_still_iterating();");
    module.main("let share = quad_share(lane);");
    module.main("if (lane == 0u) { go_on = u32(may_go_on); }");
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
    module.main("begin_pass(share, w, lane);");
    module.main("if (lane == 0u) { go_on = u32(is_worthwhile); }");
    module.main("let multiplies = workgroupUniformLoad(&go_on) != 0u;");
    module.main("rz_sum = number_s(0.0f);\n    ps_sum = number_s(0.0f);");
    module.main("rms_sum = number_s(0.0f);\n    sms_sum = number_s(0.0f);");
    for (c, shape) in shapes.iter().enumerate() {
        let rows = shape.rows();
        let word = if c == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.rows[{c}].end) {{"));
        module.main(format!("    let step = plan.rows[{c}].end - plan.rows[{c}].first;"));
        module.main(format!("    let first = w - plan.rows[{c}].first;"));
        module.main(format!("    for (var slice = first; slice * {rows}u < plan.rows[{c}].count; slice += step) {{"));
        module.main(format!("        let present = slice * {rows}u + lane % {rows}u;"));
        module.main(format!("        let is_active = present < plan.rows[{c}].count;"));
        module.main(format!(
            "        let row = plan.rows[{c}].table + {ROW_WORDS}u * min(present, plan.rows[{c}].count - 1u);"
        ));
        module.main(format!("        let place = plan.rows[{c}].slices + {SLICE_WORDS}u * slice;"));
        module.main(format!("        if (multiplies) {{ iterate_{c}(place, row, is_active, lane); }}"));
        module.main(format!("        else {{ move_{c}(row, is_active, lane); }}"));
        module.main("    }");
        // The lanes that lead a row have sums; they stand side by side.
        module.main(format!("    if (lane < {rows}u) {{"));
        for (q, sum) in ["rz_sum", "ps_sum", "rms_sum", "sms_sum"].into_iter().enumerate() {
            module.main(format!("        quads[4u * lane + {q}u] = {sum};"));
        }
        module.main("    }");
        if 4 * rows < ITERATE_WORKGROUP {
            module.main(format!("    if (lane >= {}u) {{ quads[lane] = number_s(0.0f); }}", 4 * rows));
        }
    }
    module.main("}");
    module.main("if (!multiplies) { return; }");
    module.main("sum_quads(lane);");
    module.main("if (lane < 4u) { scalars[quad_place(call.iteration, w) + lane] = quads[lane]; }");
    Ok(module.finish())
}

/// A lane's share in the product of a row: entries of `width` columns with all their numbers, and multiples of the identity with one each.
fn product_text(size: usize, shape: RowShape, format: Format) -> Result<String, OutOfRange> {
    let RowShape { lanes, width, multiples } = shape;
    let rows = shape.rows();
    let zero = format.literal(0.0)?;
    let at_once = AT_ONCE.div_ceil(width);
    let multiples_at_once = if multiples { (MULTIPLES_AT_ONCE / size as u32).max(1) } else { 0 };
    let mut text = format!("    let member = lane / {rows}u;\n");
    let _ = writeln!(text, "    let columns_place = columns[slice] + lane % {rows}u;");
    let _ = writeln!(text, "    let numbers_place = columns[slice + 1u] + lane % {rows}u;");
    text += "    let entries = columns[slice + 2u];\n";
    // Both kinds are asked for together, several of each, so that a lane waits for memory twice, and not twice an entry.
    match multiples {
        true => {
            text += "    let multiples = columns[slice + 3u];\n";
            let _ =
                writeln!(text, "    let multiples_place = numbers_place + entries * {}u;", rows * width * size as u32);
            text += "    var j = member;\n    for (var k = member; k < entries || j < multiples; ";
        }
        false => text += "    for (var k = member; k < entries; ",
    }
    let _ = writeln!(text, "k += {}u) {{", at_once * lanes);
    for n in 0..at_once {
        let _ = writeln!(text, "        let has{n} = k + {}u < entries;", n * lanes);
        let _ = writeln!(text, "        let k{n} = select(0u, k + {}u, has{n});", n * lanes);
        let _ = writeln!(text, "        let column{n} = before + columns[columns_place + k{n} * {rows}u];");
    }
    for n in 0..multiples_at_once {
        let _ = writeln!(text, "        let has_multiple{n} = j + {}u < multiples;", n * lanes);
        let _ = writeln!(text, "        let j{n} = select(0u, j + {}u, has_multiple{n});", n * lanes);
        let _ = writeln!(text, "        let block{n} = before + columns[columns_place + (entries + j{n}) * {rows}u];");
    }
    for n in 0..at_once {
        let _ = writeln!(text, "        let place{n} = numbers_place + k{n} * {}u;", rows * width * size as u32);
        for i in 0..width as usize {
            let _ = writeln!(text, "        let v{n}_{i} = krylov[column{n} + {i}u];");
            for l in 0..size {
                let number = i * size + l;
                let _ = writeln!(text, "        let m{n}_{number} = matrix[place{n} + {}u];", number as u32 * rows);
            }
        }
    }
    for n in 0..multiples_at_once {
        for l in 0..size {
            let _ = writeln!(text, "        let w{n}_{l} = krylov[block{n} + {l}u];");
        }
        let _ = writeln!(text, "        let multiple{n} = matrix[multiples_place + j{n} * {rows}u];");
    }
    for n in 0..at_once {
        for i in 0..width as usize {
            let _ = writeln!(text, "        let p{n}_{i} = select({zero}, predicted_direction(v{n}_{i}), has{n});");
            for l in 0..size {
                let _ = writeln!(text, "        s{l} = add_r(s{l}, mul_r(m{n}_{}, p{n}_{i}));", i * size + l);
            }
        }
    }
    for n in 0..multiples_at_once {
        let _ = writeln!(text, "        let factor{n} = select({zero}, multiple{n}, has_multiple{n});");
        for l in 0..size {
            let _ = writeln!(text, "        s{l} = add_r(s{l}, mul_r(factor{n}, predicted_direction(w{n}_{l})));");
        }
    }
    if multiples {
        let _ = writeln!(text, "        j += {}u;", multiples_at_once * lanes);
    }
    Ok(text + "    }\n")
}

/// A row's part in an iteration.
fn row_step(
    c: usize,
    size: usize,
    shape: RowShape,
    format: Format,
    statements: &mut usize,
) -> Result<String, OutOfRange> {
    let (lanes, rows) = (shape.lanes as usize, shape.rows() as usize);
    let width = ITERATE_WORKGROUP as usize;
    let packed = packed_len(size);
    let zero = format.literal(0.0)?;
    let mut text = format!("fn iterate_{c}(slice: u32, row: u32, is_active: bool, lane: u32) {{\n");
    text += "    let before = (call.iteration & 1u) * solve.parameters;\n    let after = solve.parameters - before;\n";
    for k in 0..size {
        let _ = writeln!(text, "    var s{k} = {zero};\n    var sum{k}: R;");
    }
    text += &product_text(size, shape, format)?;
    let round = (SHARED_BYTES / (width * format.bytes())).min(size);
    for first in (0..size).step_by(round) {
        let components = first..(first + round).min(size);
        for (slot, k) in components.clone().enumerate() {
            let _ = writeln!(text, "    shared_reals[{}u + lane] = s{k};", slot * width);
        }
        text += "    workgroupBarrier();\n";
        let mut left = lanes;
        while left > 8 {
            left /= 2;
            let _ = writeln!(text, "    if (member < {left}u) {{");
            for slot in 0..components.len() {
                let here = format!("shared_reals[{}u + lane]", slot * width);
                let there = format!("shared_reals[{}u + lane]", slot * width + left * rows);
                let _ = writeln!(text, "        {here} = add_r({here}, {there});");
            }
            text += "    }\n    workgroupBarrier();\n";
        }
        text += "    if (member == 0u) {\n";
        for (slot, k) in components.enumerate() {
            let base = slot * width;
            let _ = writeln!(text, "        sum{k} = shared_reals[{base}u + lane];");
            for other in 1..left {
                let there = base + other * rows;
                let _ = writeln!(text, "        sum{k} = add_r(sum{k}, shared_reals[{there}u + lane]);");
            }
        }
        text += "    }\n    workgroupBarrier();\n";
    }
    let mut body = Body::new(format);
    body.line("if (is_active && member == 0u) {");
    body.line("let start = columns[row];");
    body.line("let held = columns[row + 1u];");
    body.line("let own = 2u * solve.parameters + start;");
    body.line(format!("let place = plan.rows[{c}].diagonal + columns[row + 2u] * {packed}u;"));
    for k in 0..size {
        body.line(format!("let old{k} = krylov[before + start + {k}u];"));
        body.line(format!("let own{k} = krylov[own + {k}u];"));
    }
    let m: Vec<String> = (0..packed).map(|k| body.name("m", &format!("inverse[place + {k}u]"))).collect();
    let (mut r, mut p, mut y) = (Vec::new(), Vec::new(), Vec::new());
    for k in 0..size {
        p.push(body.name("p", &format!("predicted_direction(old{k})")));
        r.push(body.name("r", &format!("sub_r(own{k}.x, mul_r(alpha, own{k}.y))")));
        let coupled = body.name("c", &format!("select(sum{k}, {zero}, (held & {}u) != 0u)", 1u32 << k));
        y.push(body.name("y", &format!("add_r({coupled}, mul_r(own{k}.z, {}))", p[k])));
    }
    let z = precondition(&mut body, size, &m, &r)?;
    let my = precondition(&mut body, size, &m, &y)?;
    for k in 0..size {
        let (r, z, p, y, my) = (&r[k], &z[k], &p[k], &y[k], &my[k]);
        body.line(format!("krylov[after + start + {k}u] = Krylov({z}, {my}, {p}, {zero});"));
        let delta = format!("add_r(own{k}.w, mul_r(alpha, old{k}.z))");
        body.line(format!("krylov[own + {k}u] = Krylov({r}, {y}, own{k}.z, {delta});"));
        for (sum, a, b) in [("rz_sum", r, z), ("ps_sum", p, y), ("rms_sum", r, my), ("sms_sum", y, my)] {
            body.line(format!("{sum} = add_s({sum}, mul_s(wide({a}), wide({b})));"));
        }
    }
    body.line("}");
    *statements += body.statements;
    Ok(text + &body.text + "}\n")
}

/// A row's part in the dispatch that finds its step good enough: δ += α p.
fn move_text(c: usize, size: usize, shape: RowShape) -> String {
    let mut text = format!("fn move_{c}(row: u32, is_active: bool, lane: u32) {{\n");
    let _ = writeln!(text, "    if (!is_active || lane >= {}u) {{ return; }}", shape.rows());
    text += "    let before = (call.iteration & 1u) * solve.parameters + columns[row];\n";
    text += "    let own = 2u * solve.parameters + columns[row];\n";
    for k in 0..size {
        let moved = format!("add_r(krylov[own + {k}u].w, mul_r(alpha, krylov[before + {k}u].z))");
        let _ = writeln!(text, "    krylov[own + {k}u].w = {moved};");
    }
    text + "}\n"
}

/// The last step along p, unless the iterations ended before, and δ for what follows.
///
/// # Errors
/// [`OutOfRange`] for a constant that the format cannot hold.
pub fn finish_iterate(classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [(Slot::Columns, false), (Slot::Krylov, false), (Slot::Step, true), (Slot::Scalars, true)];
    let mut module = ModuleBuilder::new("finish_iterate", formats, &bindings);
    module.workgroup(ITERATE_WORKGROUP);
    module.table("rows", "RowClass", classes.len());
    krylov(&mut module, formats.real);
    for (c, class) in classes.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line("let before = (call.iteration & 1u) * solve.parameters + columns[row];");
        body.line("let own = 2u * solve.parameters + columns[row];");
        for k in 0..class.size {
            body.line(format!("var d{k} = krylov[own + {k}u].w;"));
            body.line(format!("if (moves) {{ d{k} = add_r(d{k}, mul_r(alpha, krylov[before + {k}u].z)); }}"));
            body.line(format!("delta[columns[row] + {k}u] = d{k};"));
        }
        module.statements += body.statements;
        module.function(&format!("fn finish_{c}(row: u32, moves: bool) {{\n{}}}\n", body.text));
    }
    module.main("let may_go_on = is_running();");
    module.main("let was_iterating = is_still_iterating();");
    module.main("let share = quad_share(lane);");
    module.main("if (lane == 0u) { go_on = select(0u, select(1u, 2u, was_iterating), may_go_on); }");
    module.main("let found = workgroupUniformLoad(&go_on);");
    module.main("if (found == 0u) { return; }");
    module.main("if (found == 2u) { begin_pass(share, w, lane); }");
    for c in 0..classes.len() {
        let word = if c == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.rows[{c}].end) {{"));
        module.main(format!("    let block = (w - plan.rows[{c}].first) * {ITERATE_WORKGROUP}u + lane;"));
        module.main(format!("    if (block < plan.rows[{c}].count) {{"));
        module.main(format!("        finish_{c}(plan.rows[{c}].table + {ROW_WORDS}u * block, found == 2u);"));
        module.main("    }");
    }
    module.main("}");
    Ok(module.finish())
}
