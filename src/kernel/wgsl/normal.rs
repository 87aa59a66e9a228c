//! Jᵀ times vectors over the residuals: gradient and diagonal blocks of JᵀJ, and the product (JᵀJ + D) p of conjugate gradients.

use super::classes::{Class, over_lists, packed_len};
use super::format::OutOfRange;
use super::groups::only_if;
use super::incidence::{Sum, class_tables, first_kinds, sum_function};
use super::module::{Formats, Module, ModuleBuilder, Slot};
use super::team::{shared_reals, team_sums};
use crate::kernel::Kernel;

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
        let name = format!("normal_sums_{c}");
        module.function(&sum_function(&name, class, first, kernels, formats.real, Sum::Normal, &mut statements)?);
        module.statements += statements;
        let mut text = format!("fn normal_{c}(block: u32, row: u32, is_active: bool, lane: u32) {{\n");
        text += "    let start = incidence[row];\n    let held = incidence[row + 1u];\n";
        let count = packed_len(size);
        let places: Vec<(usize, usize)> = (0..size).flat_map(|i| (0..=i).map(move |j| (i, j))).collect();
        // A held component has no gradient, and the identity's row and column.
        let place = |k: usize| match k.checked_sub(size) {
            None => format!("gradient[start + {k}u]"),
            Some(k) => format!("diagonal[plan.classes[{c}].diagonal + block * {count}u + {k}u]"),
        };
        team_sums(&mut text, &name, (c, class), Sum::Normal.count(size), formats.real, place, |k, sum| {
            let to = place(k);
            if k < size {
                let bit = 1u32 << k;
                let at_end = format!(
                    "        number = select(number, {zero}, (held & {bit}u) != 0u);
        let size = abs_s(wide(number));
        if (!less_s(size, most)) {{ most = size; }}
"
                );
                let at_end = class.at_end(c, &at_end);
                return format!("        var number = {sum};\n{at_end}        {to} = number;\n");
            }
            let (i, j) = places[k - size];
            let (bits, fixed) = (1u32 << i | 1u32 << j, if i == j { &one } else { &zero });
            let at_end =
                class.at_end(c, &format!("        number = select(number, {fixed}, (held & {bits}u) != 0u);\n"));
            format!("        var number = {sum};\n{at_end}        {to} = number;\n")
        });
        text += "}\n";
        module.function(&text);
    }
    only_if(&mut module, "is_running() & is_new_point()");
    module.main("most = number_s(0.0f);");
    over_lists(&mut module, classes, |c| format!("normal_{c}(block, row, is_active, lane);"));
    module.main("most = workgroup_max(most, lane);");
    module.main("if (lane == 0u && w < solve.list_partials) { scalars[partial_place(GRADIENT_PARTIALS, w)] = most; }");
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
        let place = |k| format!("image[start + {k}u]");
        team_sums(&mut text, &name, (c, class), size, formats.real, place, |k, sum| {
            let bit = 1u32 << k;
            let at_end = format!(
                "        let p = direction_at(start + {k}u, beta);
        direction[start + {k}u] = p;
        y = add_r(select(y, {zero}, (held & {bit}u) != 0u), mul_r(damping[start + {k}u], p));
        curvature = add_s(curvature, mul_s(wide(p), wide(y)));
"
            );
            let at_end = class.at_end(c, &at_end);
            format!("        var y = {sum};\n{at_end}        image[start + {k}u] = y;\n")
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
    module.main("if (lane == 0u && w < solve.curvature_partials) {");
    module.main("    scalars[partial_place(CURVATURE_PARTIALS, w)] = curvature;");
    module.main("}");
    Ok(module.finish())
}
