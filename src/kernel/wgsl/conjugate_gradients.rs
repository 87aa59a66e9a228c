//! The vectors of conjugate gradients, preconditioned with the inverses of the diagonal blocks.

use super::body::Body;
use super::classes::{Class, over_classes, packed, packed_len};
use super::format::OutOfRange;
use super::groups::only_if;
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};
use crate::value::op::Op;

/// Products of the inverse blocks with `r`, by component.
pub(super) fn precondition(
    body: &mut Body,
    size: usize,
    m: &[String],
    r: &[String],
) -> Result<Vec<String>, OutOfRange> {
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

/// The last part of `start` and `update`: z = M r, and the sums that the next iteration begins with. `bounded`: components that M
/// holds have no residual.
fn end_of_iteration(body: &mut Body, size: usize, m: &[String], r: &[String], bounded: bool) -> Result<(), OutOfRange> {
    let mut r = r.to_vec();
    let zero = body.literal(0.0)?;
    for (k, r) in r.iter_mut().enumerate().filter(|_| bounded) {
        *r = body.name("r", &format!("select({zero}, {r}, less_r({zero}, {}))", m[packed(k, k)]));
    }
    let r = &r[..];
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
    module.main("if (lane == 0u && w < solve.block_partials) {");
    module.main("    scalars[partial_place(RZ_PARTIALS, w)] = first_sum;");
    module.main("    scalars[partial_place(RR_PARTIALS, w)] = second_sum;");
    module.main("}");
}

const NO_SUMS: &str = "first_sum = number_s(0.0f);\n    second_sum = number_s(0.0f);";

/// The start of conjugate gradients: δ = 0, r = −g; or r = −g − the image, if there is a first guess of the eliminated blocks.
pub fn start(classes: &[Class], formats: Formats, guessed: bool, bounded: bool) -> Result<Module, OutOfRange> {
    let mut bindings = vec![
        (Slot::Incidence, false),
        (Slot::Gradient, false),
        (Slot::Inverse, false),
        (Slot::LinearResidual, true),
        (Slot::Preconditioned, true),
        (Slot::Step, true),
        (Slot::Scalars, true),
    ];
    bindings.extend(guessed.then_some((Slot::Image, false)));
    let mut module = ModuleBuilder::new("start", formats, &bindings);
    module.table("classes", "Class", classes.len());
    for (c, class) in classes.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {}u;", packed_len(class.size)));
        let mut r = Vec::new();
        for k in 0..class.size {
            let g = body.name("g", &format!("gradient[start + {k}u]"));
            let known = match guessed {
                true => body.name("g", &format!("add_r({g}, image[start + {k}u])")),
                false => g,
            };
            r.push(body.apply(Op::Neg, &[&known]));
            let zero = body.literal(0.0)?;
            body.line(format!("delta[start + {k}u] = {zero};"));
        }
        let m: Vec<String> =
            (0..packed_len(class.size)).map(|k| body.name("m", &format!("inverse[place + {k}u]"))).collect();
        end_of_iteration(&mut body, class.size, &m, &r, bounded)?;
        module.statements += body.statements;
        module.function(&format!("fn start_{c}(block: u32, row: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running()");
    module.main(NO_SUMS);
    over_classes(&mut module, classes, |c| format!("start_{c}(block, row);"));
    keep_end_sums(&mut module);
    Ok(module.finish())
}

/// The step along the search direction: δ += α p, r −= α (JᵀJ + D) p, z = M r.
pub fn update(classes: &[Class], formats: Formats, bounded: bool) -> Result<Module, OutOfRange> {
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
        end_of_iteration(&mut body, size, &m, &r, bounded)?;
        module.statements += body.statements + load.statements;
        module.function(&format!("fn update_{c}(alpha: R) {{\n{}}}\n", body.text));
    }
    module.main("let may_go_on = is_running() & is_iterating();");
    module.main("let share = share_of(CURVATURE_PARTIALS, solve.curvature_partials, lane);");
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
