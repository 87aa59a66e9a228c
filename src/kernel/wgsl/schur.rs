//! Conjugate gradients on the Schur complement, without forming it.
//!
//! With the damped JᵀJ in kept and eliminated blocks, (B E; Eᵀ C), the product with S = B − E C⁻¹ Eᵀ is the kept part of the product
//! with (p, −C⁻¹ Eᵀ p), whose eliminated part is 0 (Agarwal, Snavely, Seitz, Szeliski, *Bundle Adjustment in the Large*, 2010, §3). So an
//! iteration takes a direction over the kept blocks, completes it over the eliminated ones by a sum over the instances of
//! each, and multiplies by another sum over the instances of each kept block; J p is never written down, nor is J read where
//! [computing](super::product) the product from the parameters takes less time. With the gradient added in, the same
//! completion gives the right-hand side before the iterations and the eliminated part of the step after them.

use super::body::Body;
use super::classes::{Class, over_classes, over_lists, packed, packed_len};
use super::format::OutOfRange;
use super::groups::{evaluate_along, name_blocks, only_if, over_groups, write_rows};
use super::incidence::{Jacobian, Sum, class_tables, first_kinds, sum_function};
use super::module::{Formats, Module, ModuleBuilder, Slot};
use super::product::Product;
use super::team::{shared_reals, team_sums};
use crate::kernel::{Kernel, Specialization};
use crate::value::op::Op;

/// Storage buffers that a kernel may have: the limit of WebGPU.
const MOST_BUFFERS: usize = 8;

/// Operations that cost no more than reading a byte.
const OPERATIONS_A_BYTE: usize = 8;

/// Whether products over the lists of these classes better read the Jacobian from memory or never form it, by bytes against operations.
pub fn better_jacobian<'a>(
    kernels: &[&Kernel],
    classes: impl IntoIterator<Item = &'a Class>,
    formats: Formats,
) -> Jacobian {
    let (mut bytes, mut operations, mut data) = (0, 0, false);
    for class in classes {
        for (k, kind) in class.kinds.iter().enumerate() {
            let kernel = kernels[kind.group];
            let Some(product) = Product::new(class, k, k, kernel) else { return Jacobian::Stored };
            bytes += kernel.stored() * formats.real.bytes();
            operations += product.weight(formats.real);
            data |= product.has_data();
        }
    }
    // Data would be one buffer too many for `complete`.
    if !data && operations <= OPERATIONS_A_BYTE * bytes { Jacobian::Computed } else { Jacobian::Stored }
}

fn jacobian_bindings(jacobian: Jacobian) -> &'static [(Slot, bool)] {
    match jacobian {
        Jacobian::Stored => &[(Slot::Stored, false)],
        Jacobian::Computed => &[(Slot::Point, false)],
    }
}

/// The search direction p = z + β p over the kept blocks; begins an iteration.
pub fn direct(kept: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings =
        [(Slot::Incidence, false), (Slot::Preconditioned, false), (Slot::Direction, true), (Slot::Scalars, true)];
    let mut module = ModuleBuilder::new("direct", formats, &bindings);
    module.table("classes", "Class", kept.len());
    for (c, class) in kept.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        for k in 0..class.size {
            body.line(format!("direction[start + {k}u] = direction_at(start + {k}u, beta);"));
        }
        module.statements += body.statements;
        module.function(&format!("fn direct_{c}(row: u32, beta: R) {{\n{}}}\n", body.text));
    }
    module.main("let may_go_on = is_running() & is_iterating();");
    module.main("load_iteration(lane);");
    module.main("if (lane == 0u) { go_on = u32(may_go_on); }");
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
    module.main("let beta = begin_iteration(w, lane);");
    module.main("if (!is_worthwhile) { return; }");
    over_classes(&mut module, kept, |c| format!("direct_{c}(row, beta);"));
    Ok(module.finish())
}

/// The eliminated part of a vector of which the kept part is known: −C⁻¹ Eᵀ p, or −C⁻¹ (Eᵀ δ + g) in a plain call.
pub fn complete(
    kernels: &[&Kernel],
    eliminated: &[Class],
    formats: Formats,
    jacobian: Jacobian,
) -> Result<Module, OutOfRange> {
    let mut bindings = vec![(Slot::Incidence, false), (Slot::Indices, false)];
    bindings.extend(jacobian_bindings(jacobian));
    bindings.extend([
        (Slot::Direction, true),
        (Slot::Image, true),
        (Slot::Inverse, false),
        (Slot::Gradient, false),
        (Slot::Scalars, false),
    ]);
    debug_assert!(bindings.len() <= MOST_BUFFERS);
    let mut module = ModuleBuilder::new("complete", formats, &bindings);
    class_tables(&mut module, eliminated);
    shared_reals(&mut module, formats.real);
    module.function("var<private> own_start: u32;\n");
    let zero = formats.real.literal(0.0)?;
    for ((c, class), first) in eliminated.iter().enumerate().zip(first_kinds(eliminated)) {
        let size = class.size;
        let mut statements = 0;
        let name = format!("couple_{c}");
        let sum = Sum::Product(jacobian);
        module.function(&sum_function(&name, class, first, kernels, formats.real, sum, &mut statements)?);
        let mut text = format!("fn complete_{c}(block: u32, row: u32, is_active: bool, lane: u32) {{\n");
        text += "    let start = incidence[row];\n    let held = incidence[row + 1u];\n    own_start = start;\n";
        let place = |k| format!("image[start + {k}u]");
        team_sums(&mut text, &name, (c, class), size, formats.real, place, |k, sum| {
            format!("        {} = {sum};\n", place(k))
        });
        text += "    storageBarrier();\n";
        text += &format!("    if (is_active && plan.classes[{c}].ends != 0u && lane % {}u == 0u) {{\n", class.lanes);
        let mut body = Body::new(formats.real);
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {}u;", packed_len(size)));
        let mut v = Vec::new();
        for k in 0..size {
            body.line(format!("var v{k} = image[start + {k}u];"));
            body.line(format!("if (call.plain != 0u) {{ v{k} = add_r(v{k}, gradient[start + {k}u]); }}"));
            v.push(format!("v{k}"));
        }
        let m: Vec<String> = (0..packed_len(size)).map(|k| body.name("m", &format!("inverse[place + {k}u]"))).collect();
        for i in 0..size {
            let terms: Vec<String> =
                (0..size).map(|j| body.apply(Op::Mul, &[&m[packed(i.max(j), i.min(j))], &v[j]])).collect();
            let sum = body.sum(&terms).unwrap_or_else(|| zero.clone());
            let negative = body.apply(Op::Neg, &[&sum]);
            body.line(format!("direction[start + {i}u] = select({negative}, {zero}, (held & {}u) != 0u);", 1u32 << i));
        }
        module.statements += statements + body.statements;
        module.function(&format!("{text}{}    }}\n}}\n", body.text));
    }
    module.main("let may_go_on = is_running() & ((call.plain != 0u) | is_iterating());");
    module.main("if (lane == 0u) { go_on = u32(may_go_on); }");
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
    over_lists(&mut module, eliminated, |c| format!("complete_{c}(block, row, is_active, lane);"));
    Ok(module.finish())
}

/// J times the step, from parameters and data.
pub fn step_product(kernels: &[&Kernel], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Indices, false),
        (Slot::Data, false),
        (Slot::Point, false),
        (Slot::Step, false),
        (Slot::Product, true),
        (Slot::Scalars, false),
    ];
    let mut module = ModuleBuilder::new("step_product", formats, &bindings);
    module.table("groups", "Group", kernels.len());
    for (group, kernel) in kernels.iter().enumerate() {
        let mut body = Body::new(formats.real);
        name_blocks(&mut body, group, kernel);
        let Specialization { retractions, loss, .. } = &kernel.specialization;
        let program = kernel.program.jacobian_product(retractions, loss.as_deref());
        let outputs = evaluate_along(&mut body, group, kernel, &program, Slot::Step)?;
        write_rows(&mut body, "product", &format!("plan.groups[{group}].residuals"), &outputs);
        module.statements += body.statements;
        module.function(&format!("fn step_product_{group}(i: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running()");
    over_groups(&mut module, kernels.len(), "step_product");
    Ok(module.finish())
}

/// The kept part of (JᵀJ + D) p for a direction over all blocks, and the curvature pᵀ S p.
pub fn reduced_product(
    kernels: &[&Kernel],
    kept: &[Class],
    formats: Formats,
    jacobian: Jacobian,
) -> Result<Module, OutOfRange> {
    let mut bindings = vec![(Slot::Incidence, false), (Slot::Indices, false)];
    bindings.extend(jacobian_bindings(jacobian));
    bindings.extend([(Slot::Direction, false), (Slot::Damping, false), (Slot::Image, true), (Slot::Scalars, true)]);
    debug_assert!(bindings.len() <= MOST_BUFFERS);
    let mut module = ModuleBuilder::new("reduced_product", formats, &bindings);
    class_tables(&mut module, kept);
    shared_reals(&mut module, formats.real);
    module.function("var<private> curvature: S;\nvar<private> own_start: u32;\n");
    let zero = formats.real.literal(0.0)?;
    for ((c, class), first) in kept.iter().enumerate().zip(first_kinds(kept)) {
        let mut statements = 0;
        let name = format!("multiply_{c}");
        let sum = Sum::Product(jacobian);
        module.function(&sum_function(&name, class, first, kernels, formats.real, sum, &mut statements)?);
        module.statements += statements;
        let mut text = format!("fn product_{c}(row: u32, is_active: bool, lane: u32) {{\n");
        text += "    let start = incidence[row];\n    let held = incidence[row + 1u];\n    own_start = start;\n";
        let place = |k| format!("image[start + {k}u]");
        team_sums(&mut text, &name, (c, class), class.size, formats.real, place, |k, sum| {
            let bit = 1u32 << k;
            let at_end = format!(
                "        let p = direction[start + {k}u];
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
    module.main("let may_go_on = is_running() & ((call.plain != 0u) | is_iterating());");
    module.main("if (lane == 0u) { go_on = u32(may_go_on); }");
    module.main("if (workgroupUniformLoad(&go_on) == 0u) { return; }");
    module.main("curvature = number_s(0.0f);");
    over_lists(&mut module, kept, |c| format!("product_{c}(row, is_active, lane);"));
    module.main("curvature = workgroup_sum(curvature, lane);");
    module.main("if (lane == 0u && w < solve.curvature_partials) {");
    module.main("    scalars[partial_place(CURVATURE_PARTIALS, w)] = curvature;");
    module.main("}");
    Ok(module.finish())
}
