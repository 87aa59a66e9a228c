//! Residuals and the stored numbers of the Jacobian.
//!
//! The numbers of an instance stand side by side, which is how sums along lists want them. A lane that wrote its own would touch a sector
//! of memory for each number, so the lanes of a workgroup put them together first and then write what lies together.

use super::body::Body;
use super::format::{Format, OutOfRange};
use super::groups::{evaluate, name_blocks, only_if, write_rows};
use super::module::{Formats, Module, ModuleBuilder, Slot, WORKGROUP};
use crate::kernel::Kernel;

/// Bytes of an instance up to which each lane writes its own: the smallest piece of memory that a device moves.
const SECTOR: usize = 32;

/// Bytes of workgroup memory for putting numbers together; a browser grants 16,384, of which other variables have some.
const STAGED_BYTES: usize = 16_000;

/// Residuals and stored numbers of the Jacobian, if the point is new.
///
/// # Errors
/// [`OutOfRange`] for a constant that the format cannot hold.
pub fn linearize(kernels: &[&Kernel], formats: Formats) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Indices, false),
        (Slot::Data, false),
        (Slot::Point, false),
        (Slot::Residuals, true),
        (Slot::Stored, true),
        (Slot::Scalars, false),
    ];
    let mut module = ModuleBuilder::new("linearize", formats, &bindings);
    module.table("groups", "Group", kernels.len());
    let widths = kernels.iter().filter_map(|kernel| staged_width(kernel.stored(), formats.real));
    if let Some(most) = widths.max() {
        module.function(&format!("var<workgroup> staged: array<R, {}>;\n", most * WORKGROUP as usize));
    }
    for (group, kernel) in kernels.iter().enumerate() {
        let mut body = Body::new(formats.real);
        body.line(format!("let last = plan.groups[{group}].count - 1u;"));
        body.line("let i = min(begin + lane, last);");
        name_blocks(&mut body, group, kernel);
        let outputs = evaluate(&mut body, group, kernel, &kernel.linearization.program, Slot::Point)?;
        let (residuals, stored) = outputs.split_at(kernel.residuals());
        body.line("if (begin + lane <= last) {");
        write_rows(&mut body, "residuals", &format!("plan.groups[{group}].residuals"), residuals);
        match staged_width(stored.len(), formats.real) {
            None => {
                write_rows(&mut body, "stored", &format!("plan.groups[{group}].stored"), stored);
                body.line("}");
            }
            Some(width) => {
                body.line("}");
                write_together(&mut body, group, stored, width);
            }
        }
        module.statements += body.statements;
        module.function(&format!("fn linearize_{group}(begin: u32, lane: u32) {{\n{}}}\n", body.text));
    }
    only_if(&mut module, "is_running() & is_new_point()");
    for group in 0..kernels.len() {
        let word = if group == 0 { "if" } else { "} else if" };
        module.main(format!("{word} (w < plan.groups[{group}].end) {{"));
        module.main(format!("    let first = (w - plan.groups[{group}].first) * plan.groups[{group}].tile;"));
        module.main(format!("    for (var k = 0u; k < plan.groups[{group}].tile; k++) {{"));
        module.main(format!("        let begin = (first + k) * {WORKGROUP}u;"));
        module.main(format!("        if (begin < plan.groups[{group}].count) {{ linearize_{group}(begin, lane); }}"));
        module.main("    }");
    }
    module.main("}");
    Ok(module.finish())
}

/// Numbers of workgroup memory that a lane has for `stored` numbers of an instance; `None` where it better writes its own. Odd, so that
/// lanes side by side meet different banks.
fn staged_width(stored: usize, format: Format) -> Option<usize> {
    let most = (STAGED_BYTES / (WORKGROUP as usize * format.bytes()) - 1) & !1;
    // In as few rounds as there can be, of one size.
    let round = stored.div_ceil(stored.div_ceil(most).max(1));
    (stored * format.bytes() > SECTOR).then_some(round | 1)
}

/// Writes the numbers of a workgroup's instances, some of each at a time.
fn write_together(body: &mut Body, group: usize, numbers: &[String], width: usize) {
    let rounds = numbers.len().div_ceil(width);
    let round = numbers.len().div_ceil(rounds);
    body.line(format!("let rows = min({WORKGROUP}u, plan.groups[{group}].count - begin);"));
    body.line(format!("let place = plan.groups[{group}].stored + begin * {}u;", numbers.len()));
    for (first, some) in (0..).step_by(round).zip(numbers.chunks(round)) {
        let count = some.len();
        body.line("workgroupBarrier();");
        for (k, number) in some.iter().enumerate() {
            body.line(format!("staged[lane * {width}u + {k}u] = {number};"));
        }
        body.line("workgroupBarrier();");
        body.line(format!("for (var n = lane; n < rows * {count}u; n += {WORKGROUP}u) {{"));
        body.line(format!("    let row = n / {count}u;"));
        body.line(format!("    let k = n - row * {count}u;"));
        body.line(format!("    stored[place + row * {}u + {first}u + k] = staged[row * {width}u + k];", numbers.len()));
        body.line("}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_fit_and_hold_all_numbers() {
        for format in [Format::F32, Format::F64, Format::DoubleF32] {
            for stored in 0..200 {
                let Some(width) = staged_width(stored, format) else {
                    assert!(stored * format.bytes() <= SECTOR);
                    continue;
                };
                assert!(width % 2 == 1 && width * WORKGROUP as usize * format.bytes() <= STAGED_BYTES, "{stored}");
                let round = stored.div_ceil(stored.div_ceil(width));
                assert!(round <= width && width <= round + 2, "{stored}: {round} of {width}");
            }
        }
    }
}
