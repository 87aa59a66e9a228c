//! The diagonal blocks of the Schur complement as the preconditioner (Agarwal, Snavely, Seitz, Szeliski, *Bundle Adjustment in the Large*, 2010,
//! §3.3).
//!
//! The block of a kept one is that of the damped JᵀJ less Σ Aᵀ B C⁻¹ Bᵀ A over its instances, with A the derivatives of an instance by the kept
//! block, B those by the eliminated one, and C⁻¹ the inverse that `damp` left. What two instances with the same two blocks have between
//! them is left out: without it the matrix is positive definite still, and a sum along the incidence list is all there is to do.

use super::body::Body;
use super::classes::{Class, Kind, over_lists, packed, packed_len};
use super::format::{Format, OutOfRange};
use super::groups::{only_if, stored_numbers};
use super::incidence::{Sum, class_tables, first_kinds, name_blocks, sum_function};
use super::module::{Formats, Module, ModuleBuilder, Slot};
use super::team::{shared_reals, team_sums};
use crate::kernel::Kernel;
use crate::value::op::Op;

/// Where C⁻¹ stands, for kernels that know no more of a block than where its parameters begin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct InverseRows {
    /// Sizes of the eliminated blocks.
    pub sizes: Vec<usize>,
}

impl InverseRows {
    /// Numbers for each parameter: a row of the inverse.
    pub fn width(&self) -> usize {
        self.sizes.iter().copied().max().unwrap_or(0)
    }

    /// Entry (i, j) for the block that starts at `start`.
    pub(super) fn place(&self, start: &str, i: usize, j: usize) -> String {
        format!("inverse_rows[({start} + {i}u) * {}u + {j}u]", self.width())
    }
}

/// What the elimination takes from the diagonal blocks of the kept ones, in place of their inverses.
pub fn eliminate(
    kernels: &[&Kernel],
    kept: &[Class],
    formats: Formats,
    inverse_rows: &InverseRows,
) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Indices, false),
        (Slot::Stored, false),
        (Slot::InverseRows, false),
        (Slot::Inverse, true),
        (Slot::Scalars, false),
    ];
    let mut module = ModuleBuilder::new("eliminate", formats, &bindings);
    class_tables(&mut module, kept);
    shared_reals(&mut module, formats.real);
    module.function("var<private> own_start: u32;\n");
    for ((c, class), first) in kept.iter().enumerate().zip(first_kinds(kept)) {
        let count = packed_len(class.size);
        let mut statements = 0;
        let name = format!("taken_{c}");
        let sum = Sum::Eliminated(inverse_rows);
        module.function(&sum_function(&name, class, first, kernels, formats.real, sum, &mut statements)?);
        let mut text = format!("fn eliminate_{c}(block: u32, row: u32, is_active: bool, lane: u32) {{\n");
        text += "    own_start = incidence[row];\n";
        text += &format!("    let place = plan.classes[{c}].diagonal + block * {count}u;\n");
        let to = |k| format!("inverse[place + {k}u]");
        team_sums(&mut text, &name, (c, class), count, formats.real, to, |k, sum| {
            format!("        {} = {sum};\n", to(k))
        });
        module.statements += statements;
        module.function(&format!("{text}}}\n"));
    }
    only_if(&mut module, "is_running()");
    over_lists(&mut module, kept, |c| format!("eliminate_{c}(block, row, is_active, lane);"));
    Ok(module.finish())
}

/// Adds Aᵀ B C⁻¹ Bᵀ A of an instance to the packed sums `s0`, `s1`, …; nothing for one that touches no eliminated block, whose place in the
/// inverse_rows inverses holds zeros.
pub(super) fn add_eliminated(
    body: &mut Body,
    kind: &Kind,
    index: usize,
    kernel: &Kernel,
    format: Format,
    inverse_rows: &InverseRows,
) -> Result<(), OutOfRange> {
    name_blocks(body, index, kernel, kind);
    let stored = stored_numbers(body, kernel, &format!("plan.kinds[{index}].stored + i * {}u", kernel.stored()));
    let number = |body: &mut Body, factor: f64, k: Option<u32>| match k {
        Some(k) => body.scaled(factor, &stored[k as usize]),
        None => body.literal(factor),
    };
    let residuals = kernel.residuals();
    let own_slot = kind.own.map(|(slot, _)| slot as usize);
    let mut w: Vec<Option<String>> = vec![None; packed_len(residuals)];
    for (slot, &size) in kernel.linearization.tangent_sizes.iter().enumerate() {
        let size = size as usize;
        if Some(slot) == own_slot || !inverse_rows.sizes.contains(&size) {
            continue;
        }
        let mut b: Vec<Vec<Option<String>>> = vec![vec![None; size]; residuals];
        for entry in kernel.linearization.entries.iter().filter(|entry| entry.block as usize == slot) {
            b[entry.residual as usize][entry.component as usize] = Some(number(body, entry.factor, entry.stored)?);
        }
        let start = format!("b{slot}");
        let m: Vec<String> = (0..size)
            .flat_map(|i| (0..=i).map(move |j| (i, j)))
            .map(|(i, j)| body.name("m", &inverse_rows.place(&start, i, j)))
            .collect();
        for s in 0..residuals {
            // C⁻¹ b for a row b of B.
            let image: Vec<Option<String>> = (0..size)
                .map(|i| {
                    let terms: Vec<String> = (0..size)
                        .filter_map(|j| {
                            b[s][j].as_ref().map(|b| body.apply(Op::Mul, &[&m[packed(i.max(j), i.min(j))], b]))
                        })
                        .collect();
                    body.sum(&terms)
                })
                .collect();
            for r in s..residuals {
                let mut terms: Vec<String> = w[packed(r, s)].iter().cloned().collect();
                for (b, image) in b[r].iter().zip(&image) {
                    if let (Some(b), Some(image)) = (b, image) {
                        terms.push(body.apply(Op::Mul, &[b, image]));
                    }
                }
                w[packed(r, s)] = body.sum(&terms);
            }
        }
    }
    let mut a: Vec<Vec<Option<String>>> = Vec::new();
    let size = kind.derivatives.iter().map(|d| d.component as usize + 1).max().unwrap_or(0);
    for r in 0..residuals {
        let mut row = vec![None; size];
        for d in kind.derivatives.iter().filter(|d| d.residual as usize == r) {
            row[d.component as usize] = Some(number(body, d.factor, d.stored)?);
        }
        a.push(row);
    }
    for l in 0..size {
        // Row by row W a for a column a of A.
        let image: Vec<Option<String>> = (0..residuals)
            .map(|r| {
                let terms: Vec<String> = (0..residuals)
                    .filter_map(|s| match (&w[packed(r.max(s), r.min(s))], &a[s][l]) {
                        (Some(w), Some(a)) => Some(body.apply(Op::Mul, &[w, a])),
                        _ => None,
                    })
                    .collect();
                body.sum(&terms)
            })
            .collect();
        for k in l..size {
            let terms: Vec<String> = (0..residuals)
                .filter_map(|r| match (&a[r][k], &image[r]) {
                    (Some(a), Some(image)) => Some(body.apply(Op::Mul, &[a, image])),
                    _ => None,
                })
                .collect();
            if let Some(sum) = body.sum(&terms) {
                let place = format!("s{}", packed(k, l));
                let expression = format.operation(Op::Add, &[&place, &sum]);
                body.line(format!("{place} = {expression};"));
            }
        }
    }
    Ok(())
}
