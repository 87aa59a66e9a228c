//! What is drawn.

use super::drawing::Drawing;
use crate::cli::Case;
use isograd::ProblemError;

/// A drawing at its start, with all its constraints.
pub(super) fn drawing(case: Case) -> Result<Drawing, ProblemError> {
    match case {
        Case::Bracket => bracket(None),
        // The two corners are 113.1 apart by all other dimensions.
        Case::Conflict => bracket(Some(125.0)),
        Case::Linkage => linkage(),
    }
}

/// An L with a rounded inner corner and a hole in the outer one; perhaps with a dimension too many, from B to F.
fn bracket(diagonal: Option<f64>) -> Result<Drawing, ProblemError> {
    let mut d = Drawing::new();
    let a = d.pinned('A', 0.0, 0.0)?;
    let b = d.point('B', 86.0, 9.0)?;
    let c = d.point('C', 95.0, 32.0)?;
    let e = d.point('D', 40.0, 28.0)?;
    let f = d.point('E', 24.0, 40.0)?;
    let g = d.point('F', 31.0, 66.0)?;
    let h = d.point('G', -6.0, 74.0)?;
    let (ab, bc, cd) = (d.line(a, b), d.line(b, c), d.line(c, e));
    let (ef, fg, ga) = (d.line(f, g), d.line(g, h), d.line(h, a));
    let o = d.point('O', 42.0, 44.0)?;
    let fillet = d.arc(o, 14.0, [e, f])?;
    let p = d.point('P', 14.0, 12.0)?;
    let hole = d.circle(p, 4.0)?;
    let boss = d.circle(p, 8.0)?;

    d.horizontal("AB", ab)?;
    d.length("AB", ab, 100.0)?;
    d.perpendicular("AB, BC", ab, bc)?;
    d.length("BC", bc, 22.0)?;
    d.parallel("AB, CD", ab, cd)?;
    d.perpendicular("AB, GA", ab, ga)?;
    d.length("GA", ga, 80.0)?;
    d.parallel("AB, FG", ab, fg)?;
    d.equal_length("BC, FG", bc, fg)?;
    d.parallel("GA, EF", ga, ef)?;
    d.tangent_at("CD, fillet", cd, fillet, e)?;
    d.tangent_at("EF, fillet", ef, fillet, f)?;
    d.point_on_circle("D", e, fillet)?;
    d.point_on_circle("E", f, fillet)?;
    d.radius("fillet", fillet, 11.0)?;
    d.radius("hole", hole, 5.0)?;
    d.point_on_line("P", p, [a, o])?;
    d.equal_radius("boss, fillet", boss, fillet)?;
    d.tangent("AB, boss", ab, boss)?;
    if let Some(length) = diagonal {
        d.length("BF", [b, g], length)?;
    }
    Ok(d)
}

/// Crank, coupler with a point on it, and rocker on two pivots.
fn linkage() -> Result<Drawing, ProblemError> {
    let mut d = Drawing::new();
    let p = d.pinned('P', 0.0, 0.0)?;
    let q = d.pinned('Q', 80.0, 0.0)?;
    let a = d.point('A', 8.0, 22.0)?;
    let b = d.point('B', 95.0, 48.0)?;
    let c = d.point('C', 50.0, 80.0)?;
    let (crank, coupler, rocker) = (d.line(p, a), d.line(a, b), d.line(q, b));
    let (left, right) = (d.line(a, c), d.line(b, c));
    d.length("PA", crank, 30.0)?;
    d.length("AB", coupler, 80.0)?;
    d.length("QB", rocker, 60.0)?;
    d.length("AC", left, 50.0)?;
    d.equal_length("AC, BC", left, right)?;
    Ok(d)
}
