//! Kernels over whole vectors, and the decisions: their text does not depend on the problem.

use super::groups::only_if;
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};

/// The sums behind the cost at the trial point and the decrease that the linear model predicts, (Jδ)ᵀ(r + ½Jδ).
pub fn compare(formats: Formats) -> Module {
    let bindings =
        [(Slot::Residuals, false), (Slot::Product, false), (Slot::TrialResiduals, false), (Slot::Scalars, true)];
    let mut module = ModuleBuilder::new("compare", formats, &bindings);
    only_if(&mut module, "is_running()");
    module.main("var cost = number_s(0.0f);\n    var change = number_s(0.0f);");
    module.main(format!(
        "for (var k = w * {WORKGROUP}u + lane; k < plan.head.residuals; k += plan.head.residual_partials * {WORKGROUP}u) {{"
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
    module.main("if (lane == 0u && w < plan.head.residual_partials) {");
    module.main("    scalars[partial_place(COST_PARTIALS, w)] = cost;");
    module.main("    scalars[partial_place(CHANGE_PARTIALS, w)] = change;");
    module.main("}");
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
    module.main("if (k < plan.head.parameters) { x[k] = trial_x[k]; }");
    module.finish()
}

/// Looks at the gradient, and ends the solve if it is to end.
pub fn examine(formats: Formats) -> Module {
    let mut module = ModuleBuilder::new("examine", formats, &[(Slot::Scalars, true)]);
    only_if(&mut module, "(w == 0u) & is_running()");
    module.main("examine(lane);");
    module.finish_as("examine_point")
}
