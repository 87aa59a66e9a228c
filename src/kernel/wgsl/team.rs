//! Sums over the incidence list of a block that several lanes share.

use super::classes::Class;
use super::format::Format;
use super::module::{ModuleBuilder, WORKGROUP};
use std::fmt::Write;

/// Bytes of workgroup memory for the sums of a class.
pub(super) const SHARED_BYTES: usize = 8192;

/// Sums over the list of the block in `row`: each lane over its share, then the lanes of a block together. `place(k)` is where the sum of
/// component k is kept, to which that of the next shard is added; `each(k, sum)` gives the statements for it, which the lane whose turn it is
/// runs, from the name of the sum.
pub(super) fn team_sums(
    text: &mut String,
    function: &str,
    (c, class): (usize, &Class),
    count: usize,
    format: Format,
    place: impl Fn(usize) -> String,
    each: impl Fn(usize, &str) -> String,
) {
    let lanes = class.lanes as usize;
    let adds = (!class.one_shard).then(|| format!("plan.classes[{c}].adds != 0u"));
    text.push_str("    {\n");
    let _ = writeln!(text, "    let member = lane % {lanes}u;");
    let _ = writeln!(text, "    let list_end = select(incidence[row + 2u], incidence[row + 3u], is_active);");
    let _ = writeln!(text, "    var {function}_sums = {function}(incidence[row + 2u] + member, list_end, {lanes}u);");
    if lanes == 1 {
        if let Some(adds) = adds {
            // One condition for all, which drivers compile faster than one for each.
            let _ = writeln!(text, "    if (is_active && {adds}) {{");
            for k in 0..count {
                let sum = format!("{function}_sums[{k}]");
                let _ = writeln!(text, "        {sum} = add_r({}, {sum});", place(k));
            }
            text.push_str("    }\n");
        }
        text.push_str("    if (is_active) {\n");
        for k in 0..count {
            let _ = writeln!(text, "        {{\n{}        }}", each(k, &format!("{function}_sums[{k}]")));
        }
        text.push_str("    }\n    }\n");
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
            if let Some(adds) = &adds {
                let _ = writeln!(text, "        if ({adds}) {{ sum = add_r({}, sum); }}", place(k));
            }
            let _ = writeln!(text, "{}    }}", each(k, "sum"));
        }
        text.push_str("    workgroupBarrier();\n");
    }
    text.push_str("    }\n");
}

/// The workgroup memory that [`team_sums`] uses.
pub(super) fn shared_reals(module: &mut ModuleBuilder, format: Format) {
    module.function(&format!("var<workgroup> shared_reals: array<R, {}>;", SHARED_BYTES / format.bytes()));
}
