//! The trial point, its cost, and the decisions.

use super::body::Body;
use super::classes::{Class, over_classes};
use super::format::OutOfRange;
use super::groups::{only_if, over_groups};
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};
use crate::program::Retraction;

/// The trial point x + δ, and the norms of both. Blocks on manifolds are moved by [`retract`] afterwards. `bounded`: the trial point is
/// projected onto the box, and the step shortened accordingly.
pub fn advance(classes: &[Class], formats: Formats, bounded: bool) -> Result<Module, OutOfRange> {
    let mut bindings = vec![
        (Slot::Incidence, false),
        (Slot::Point, false),
        (Slot::Step, bounded),
        (Slot::TrialPoint, true),
        (Slot::Scalars, true),
    ];
    bindings.extend(bounded.then_some((Slot::Bounds, false)));
    let mut module = ModuleBuilder::new("advance", formats, &bindings);
    module.table("classes", "Class", classes.len());
    module.function("var<private> steps: S;\nvar<private> points: S;\n");
    if bounded {
        module.function(PROJECT);
    }
    for (c, class) in classes.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        for k in 0..class.size {
            body.line(format!("let x{k} = x[start + {k}u];"));
            if bounded {
                body.line(format!("let d{k} = project(start + {k}u, x{k});"));
            } else {
                body.line(format!("let d{k} = delta[start + {k}u];"));
                body.line(format!("trial_x[start + {k}u] = add_r(x{k}, d{k});"));
            }
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
    if bounded {
        module.main("outside = workgroup_sum(outside, lane);");
        module.main("if (lane == 0u && w < solve.block_partials) {");
        module.main("    scalars[partial_place(OUTSIDE_PARTIALS, w)] = outside;");
        module.main("}");
    }
    module.main("if (lane == 0u && w < solve.block_partials) {");
    module.main("    scalars[partial_place(STEP_PARTIALS, w)] = steps;");
    module.main("    scalars[partial_place(POINT_PARTIALS, w)] = points;");
    module.main("}");
    Ok(module.finish())
}

const PROJECT: &str = "// Components that the step leads out of the box.
var<private> outside: S;

// Takes a component of the step as far as its bounds allow; returns how far that is.
fn project(place: u32, from_here: R) -> R {
    let step = delta[place];
    let there = add_r(from_here, step);
    let inside = clamped(there, bounds[2u * place], bounds[2u * place + 1u]);
    trial_x[place] = inside;
    if (!(less_r(there, inside) || less_r(inside, there))) { return step; }
    let cut = sub_r(inside, from_here);
    delta[place] = cut;
    outside = add_s(outside, number_s(1.0f));
    return cut;
}
";

/// The trial points x ⊞ δ of the blocks on manifolds, of which `advance` took the norms.
pub fn retract(retractions: &[&Retraction], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Indices, false),
        (Slot::Point, false),
        (Slot::Step, false),
        (Slot::TrialPoint, true),
        (Slot::Scalars, false),
    ];
    let mut module = ModuleBuilder::new("retract", formats, &bindings);
    module.table("groups", "Group", retractions.len());
    for (manifold, retraction) in retractions.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line(format!("let start = indices[plan.groups[{manifold}].blocks + i];"));
        let leaf = |block: u32, component: u32| {
            let vector = if block == 0 { Slot::Point } else { Slot::Step };
            format!("{}[start + {component}u]", vector.variable())
        };
        let outputs = body.program(&retraction.plus, leaf, |_| unreachable!("x ⊞ δ has no data"))?;
        for (k, output) in outputs.iter().enumerate() {
            body.line(format!("trial_x[start + {k}u] = {output};"));
        }
        module.statements += body.statements;
        module.function(&format!("fn retract_{manifold}(i: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running()");
    over_groups(&mut module, retractions.len(), "retract");
    Ok(module.finish())
}

/// The sums behind the cost at the trial point and the decrease that the linear model predicts, (Jδ)ᵀ(r + ½Jδ).
pub fn compare(formats: Formats) -> Module {
    let bindings =
        [(Slot::Residuals, false), (Slot::Product, false), (Slot::TrialResiduals, false), (Slot::Scalars, true)];
    let mut module = ModuleBuilder::new("compare", formats, &bindings);
    module.table("rows", "Rows", 1);
    only_if(&mut module, "is_running()");
    module.main("var cost = number_s(0.0f);\n    var change = number_s(0.0f);");
    module.main(format!(
        "for (var k = w * {WORKGROUP}u + lane; k < plan.rows[0].residuals; k += plan.rows[0].partials * {WORKGROUP}u) {{"
    ));
    module.main("    let trial = wide(trial_residuals[k]);");
    module.main("    cost = add_s(cost, mul_s(trial, trial));");
    module.main("    if (call.plain == 0u) {");
    module.main("        let q = wide(product[k]);");
    module.main("        let sum = add_s(wide(residuals[k]), mul_s(number_s(0.5f), q));");
    module.main("        change = add_s(change, mul_s(q, sum));");
    module.main("    }");
    module.main("}");
    module.main("cost = workgroup_sum(cost, lane);\n    change = workgroup_sum(change, lane);");
    module.main("if (lane == 0u && w < plan.rows[0].partials) {");
    module.main("    scalars[partial_place(COST_PARTIALS, plan.rows[0].first + w)] = cost;");
    module.main("    scalars[partial_place(CHANGE_PARTIALS, plan.rows[0].first + w)] = change;");
    module.main("}");
    module.finish()
}

/// The cost at the start.
pub fn start_cost(formats: Formats) -> Module {
    let mut module = ModuleBuilder::new("start_cost", formats, &[(Slot::Scalars, true)]);
    module.main("let sum = total(COST_PARTIALS, solve.residual_partials, lane);");
    module.main("if (w == 0u && lane == 0u) { scalars[COST] = mul_s(number_s(0.5f), sum); }");
    module.finish()
}

/// Accepts or rejects the trial point.
pub fn decide(formats: Formats) -> Module {
    let mut module = ModuleBuilder::new("decide", formats, &[(Slot::Scalars, true)]);
    only_if(&mut module, "(w == 0u) & is_running()");
    module.main("decide(lane);");
    module.finish_as("decide_step")
}

/// Moves to the trial point if it was accepted.
pub fn commit(formats: Formats) -> Module {
    let bindings = [(Slot::Point, true), (Slot::TrialPoint, false), (Slot::Scalars, false)];
    let mut module = ModuleBuilder::new("commit", formats, &bindings);
    only_if(&mut module, "is_running() & is_new_point()");
    module.main(format!("let k = w * {WORKGROUP}u + lane;"));
    module.main("if (k < solve.parameters) { x[k] = trial_x[k]; }");
    module.finish()
}

/// Looks at the gradient, and ends the solve if it is to end.
pub fn examine(formats: Formats) -> Module {
    let mut module = ModuleBuilder::new("examine", formats, &[(Slot::Scalars, true)]);
    only_if(&mut module, "(w == 0u) & is_running()");
    module.main("examine(lane);");
    module.finish_as("examine_point")
}
