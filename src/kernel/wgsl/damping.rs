//! The damping of Levenberg-Marquardt, and the inverses of the damped diagonal blocks.

use super::body::Body;
use super::classes::{Class, over_classes, packed, packed_len};
use super::format::OutOfRange;
use super::groups::only_if;
use super::module::{Formats, Module, ModuleBuilder, Slot};
use super::schur_jacobi::InverseRows;
use crate::value::op::Op;

/// What `damp` does besides.
#[derive(Debug, Clone, Copy, Default)]
pub struct Damp<'a> {
    /// Components with a negative entry on the diagonal are held, and their rows and columns of the inverse are 0.
    pub bounded: bool,
    /// The inverses of the blocks are written down once more there.
    pub inverse_rows: Option<&'a InverseRows>,
    /// What [`eliminate`](super::eliminate) left in place of the inverses is subtracted from the blocks.
    pub reduced: bool,
}

/// The damping D, the column scales if they are not known yet, and the inverses of the damped diagonal blocks; a step of 0.
pub fn damp(classes: &[Class], formats: Formats, also: Damp<'_>) -> Result<Module, OutOfRange> {
    let Damp { bounded, inverse_rows, reduced } = also;
    let mut bindings = vec![
        (Slot::Incidence, false),
        (Slot::Diagonal, false),
        (Slot::Scales, true),
        (Slot::Damping, true),
        (Slot::Inverse, true),
        (Slot::Step, true),
        (Slot::Scalars, false),
    ];
    bindings.extend(inverse_rows.map(|_| (Slot::InverseRows, true)));
    let mut module = ModuleBuilder::new("damp", formats, &bindings);
    module.table("classes", "Class", classes.len());
    for (c, class) in classes.iter().enumerate() {
        let size = class.size;
        let count = packed_len(size);
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        body.line("let radius = narrow(scalars[RADIUS]);");
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {count}u;"));
        let h: Vec<String> = (0..count).map(|k| body.name("h", &format!("diagonal[place + {k}u]"))).collect();
        let zero = body.literal(0.0)?;
        (0..size).for_each(|i| body.line(format!("delta[start + {i}u] = {zero};")));
        if reduced || inverse_rows.is_some() {
            body.line("let held = incidence[row + 1u];");
        }
        let mut less = Vec::new();
        for (i, j) in (0..size).flat_map(|i| (0..=i).map(move |j| (i, j))).filter(|_| reduced) {
            let sum = body.name("e", &format!("inverse[place + {}u]", packed(i, j)));
            let bits = 1u32 << i | 1u32 << j;
            less.push(body.name("e", &format!("select({sum}, {zero}, (held & {bits}u) != 0u)")));
        }
        let inverse = inverse_of_damped(&mut body, size, h, less, bounded)?;
        for (k, number) in inverse.iter().enumerate() {
            body.line(format!("inverse[place + {k}u] = {number};"));
        }
        if let Some(rows) = inverse_rows {
            for (i, j) in (0..size).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                let (to, bits) = (rows.place("start", i, j), 1u32 << i | 1u32 << j);
                body.line(format!("{to} = select({}, {zero}, (held & {bits}u) != 0u);", inverse[packed(i, j)]));
            }
        }
        module.statements += body.statements;
        module.function(&format!("fn damp_{c}(block: u32, row: u32) {{\n{}}}\n", body.text));
    }
    module.function(DAMPING);
    only_if(&mut module, "is_running()");
    over_classes(&mut module, classes, |c| format!("damp_{c}(block, row);"));
    Ok(module.finish())
}

/// The inverse of a diagonal block with the damping on its diagonal, less something else or nothing.
fn inverse_of_damped(
    body: &mut Body,
    size: usize,
    mut h: Vec<String>,
    mut less: Vec<String>,
    bounded: bool,
) -> Result<Vec<String>, OutOfRange> {
    let zero = body.literal(0.0)?;
    for i in (0..size).filter(|_| bounded) {
        body.line(format!("let held{i} = less_r({}, {zero});", h[packed(i, i)]));
        h[packed(i, i)] = body.apply(Op::Abs, &[&h[packed(i, i)]]);
        for j in 0..=i {
            let is_held = if i == j { format!("held{i}") } else { format!("held{i} || held{j}") };
            let masked = |body: &mut Body, entry: &str| body.name("h", &format!("select({entry}, {zero}, {is_held})"));
            if i != j {
                h[packed(i, j)] = masked(body, &h[packed(i, j)]);
            }
            if let Some(less) = less.get_mut(packed(i, j)) {
                *less = masked(body, less);
            }
        }
    }
    for i in 0..size {
        body.line(format!("let d{i} = damping_at(start + {i}u, {}, radius);", h[packed(i, i)]));
        h[packed(i, i)] = body.apply(Op::Add, &[&h[packed(i, i)], &format!("d{i}")]);
    }
    for (h, less) in h.iter_mut().zip(&less) {
        *h = body.apply(Op::Sub, &[h, less]);
    }
    let mut inverse = invert(body, size, &h)?;
    for i in (0..size).filter(|_| bounded) {
        inverse[packed(i, i)] = body.name("m", &format!("select({}, {zero}, held{i})", inverse[packed(i, i)]));
    }
    Ok(inverse)
}

const DAMPING: &str = "// D = clip(s² h) / (radius s²), with the scales s = 1 / (1 + √h) of the first point.
fn damping_at(place: u32, h: R, radius: R) -> R {
    let one = number_r(1.0f);
    if (single_s(scalars[ITERATION]) == 0.0f) {
        let scale = div_r(one, add_r(one, sqrt_r(h)));
        var square = mul_r(scale, scale);
        if (solve.jacobi_scaling == 0u) { square = one; }
        scales[place] = square;
    }
    let square = scales[place];
    var clipped = mul_r(h, square);
    if (less_r(clipped, number_r(solve.min_diagonal))) { clipped = number_r(solve.min_diagonal); }
    if (less_r(number_r(solve.max_diagonal), clipped)) { clipped = number_r(solve.max_diagonal); }
    let damping_here = div_r(clipped, mul_r(radius, square));
    damping[place] = damping_here;
    return damping_here;
}
";

/// The inverse of a symmetric positive definite matrix by its Cholesky factor L: (L⁻¹)ᵀ L⁻¹. All packed.
fn invert(body: &mut Body, size: usize, a: &[String]) -> Result<Vec<String>, OutOfRange> {
    let one = body.literal(1.0)?;
    let mut l = a.to_vec();
    // 1 / L(i, i)
    let mut reciprocals = Vec::with_capacity(size);
    for j in 0..size {
        let mut sum = a[packed(j, j)].clone();
        for k in 0..j {
            let square = body.apply(Op::Mul, &[&l[packed(j, k)], &l[packed(j, k)]]);
            sum = body.apply(Op::Sub, &[&sum, &square]);
        }
        let kept = body.name("t", &format!("pivot({sum}, {})", a[packed(j, j)]));
        let root = body.name("t", &format!("sqrt_r({kept})"));
        reciprocals.push(body.apply(Op::Div, &[&one, &root]));
        for i in j + 1..size {
            let mut sum = a[packed(i, j)].clone();
            for k in 0..j {
                let product = body.apply(Op::Mul, &[&l[packed(i, k)], &l[packed(j, k)]]);
                sum = body.apply(Op::Sub, &[&sum, &product]);
            }
            l[packed(i, j)] = body.apply(Op::Mul, &[&sum, &reciprocals[j]]);
        }
    }
    // M = L⁻¹
    let mut m = l.clone();
    for j in 0..size {
        m[packed(j, j)] = reciprocals[j].clone();
        for i in j + 1..size {
            let terms: Vec<String> =
                (j..i).map(|k| body.apply(Op::Mul, &[&l[packed(i, k)], &m[packed(k, j)]])).collect();
            let zero = body.literal(0.0)?;
            let sum = body.sum(&terms).unwrap_or(zero);
            let negative = body.apply(Op::Neg, &[&sum]);
            m[packed(i, j)] = body.apply(Op::Mul, &[&negative, &reciprocals[i]]);
        }
    }
    let mut inverse = Vec::with_capacity(a.len());
    for i in 0..size {
        for j in 0..=i {
            let terms: Vec<String> =
                (i..size).map(|k| body.apply(Op::Mul, &[&m[packed(k, i)], &m[packed(k, j)]])).collect();
            let zero = body.literal(0.0)?;
            inverse.push(body.sum(&terms).unwrap_or(zero));
        }
    }
    Ok(inverse)
}
