//! Box constraints on a device, by the rules of the solver on the CPU.
//!
//! Which components are active follows from the accepted point and its gradient alone, so that it is found once a point. `hold` marks
//! them: their entries on the diagonal of JᵀJ become negative. `damp` gives them an inverse of 0, and whatever conjugate gradients multiply
//! by it stays 0.

use super::body::Body;
use super::classes::{Class, over_classes, packed, packed_len};
use super::format::OutOfRange;
use super::groups::only_if;
use super::module::{Formats, Module, ModuleBuilder, Slot};

/// Marks the components that are at a bound while the gradient pushes them outward, and finds the largest component of x − Π(x − g).
pub fn hold(classes: &[Class], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Point, false),
        (Slot::Bounds, false),
        (Slot::Gradient, false),
        (Slot::Diagonal, true),
        (Slot::Scalars, true),
    ];
    let mut module = ModuleBuilder::new("hold", formats, &bindings);
    module.table("classes", "Class", classes.len());
    module.function(HOLD);
    for (c, class) in classes.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {}u;", packed_len(class.size)));
        for k in 0..class.size {
            body.line(format!("hold_at(start + {k}u, place + {}u);", packed(k, k)));
        }
        module.statements += body.statements;
        module.function(&format!("fn hold_{c}(block: u32, row: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running() & is_new_point()");
    module.main("most = number_s(0.0f);");
    over_classes(&mut module, classes, |c| format!("hold_{c}(block, row);"));
    module.main("most = workgroup_max(most, lane);");
    // More than have blocks: as many as sums along incidence lists have, of whose largest components these take the place.
    module.main("if (lane == 0u && w < solve.list_partials) { scalars[partial_place(GRADIENT_PARTIALS, w)] = most; }");
    Ok(module.finish())
}

const HOLD: &str = "var<private> most: S;

fn hold_at(place: u32, on_diagonal: u32) {
    let point = x[place];
    let g = gradient[place];
    let lower = bounds[2u * place];
    let upper = bounds[2u * place + 1u];
    let zero = number_r(0.0f);
    let size = abs_s(wide(sub_r(point, clamped(sub_r(point, g), lower, upper))));
    // Written so that a NaN wins.
    if (!less_s(size, most)) { most = size; }
    let is_active = (!less_r(lower, point) && less_r(zero, g)) || (!less_r(point, upper) && less_r(g, zero));
    if (is_active) { diagonal[on_diagonal] = neg_r(diagonal[on_diagonal]); }
}
";
