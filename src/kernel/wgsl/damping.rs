//! The damping of Levenberg-Marquardt, and the inverses of the damped diagonal blocks.

use super::body::Body;
use super::classes::{Class, over_classes, packed, packed_len};
use super::format::OutOfRange;
use super::groups::only_if;
use super::module::{Formats, Module, ModuleBuilder, Slot};
use crate::value::op::Op;

/// The damping D, the column scales if they are not known yet, and the inverses of the damped diagonal blocks; a step of 0. `bounded`:
/// components with a negative entry on the diagonal are held, and their rows and columns of the inverse are 0.
pub fn damp(classes: &[Class], formats: Formats, bounded: bool) -> Result<Module, OutOfRange> {
    let bindings = [
        (Slot::Incidence, false),
        (Slot::Diagonal, false),
        (Slot::Scales, true),
        (Slot::Damping, true),
        (Slot::Inverse, true),
        (Slot::Step, true),
        (Slot::Scalars, false),
    ];
    let mut module = ModuleBuilder::new("damp", formats, &bindings);
    module.table("classes", "Class", classes.len());
    for (c, class) in classes.iter().enumerate() {
        let size = class.size;
        let count = packed_len(size);
        let mut body = Body::new(formats.real);
        body.line("let start = incidence[row];");
        body.line("let radius = narrow(scalars[RADIUS]);");
        body.line(format!("let place = plan.classes[{c}].diagonal + block * {count}u;"));
        let mut h: Vec<String> = (0..count).map(|k| body.name("h", &format!("diagonal[place + {k}u]"))).collect();
        let zero = body.literal(0.0)?;
        if bounded {
            for i in 0..size {
                body.line(format!("let held{i} = less_r({}, {zero});", h[packed(i, i)]));
                h[packed(i, i)] = body.apply(Op::Abs, &[&h[packed(i, i)]]);
                for j in 0..i {
                    h[packed(i, j)] =
                        body.name("h", &format!("select({}, {zero}, held{i} || held{j})", h[packed(i, j)]));
                }
            }
        }
        for i in 0..size {
            body.line(format!("delta[start + {i}u] = {zero};"));
            let d = format!("d{i}");
            body.line(format!("let {d} = damping_at(start + {i}u, {}, radius);", h[packed(i, i)]));
            h[packed(i, i)] = body.apply(Op::Add, &[&h[packed(i, i)], &d]);
        }
        let mut inverse = invert(&mut body, size, &h)?;
        for i in (0..size).filter(|_| bounded) {
            inverse[packed(i, i)] = body.name("m", &format!("select({}, {zero}, held{i})", inverse[packed(i, i)]));
        }
        for (k, number) in inverse.iter().enumerate() {
            body.line(format!("inverse[place + {k}u] = {number};"));
        }
        module.statements += body.statements;
        module.function(&format!("fn damp_{c}(block: u32, row: u32) {{\n{}}}\n", body.text));
    }
    module.function(DAMPING);
    only_if(&mut module, "is_running()");
    over_classes(&mut module, classes, |c| format!("damp_{c}(block, row);"));
    Ok(module.finish())
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
