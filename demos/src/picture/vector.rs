//! Three-vectors as plain arrays: the few operations the renderer needs.

pub(super) type Vector = [f64; 3];

pub(super) fn add(a: Vector, b: Vector) -> Vector {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn subtract(a: Vector, b: Vector) -> Vector {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn scale(a: Vector, factor: f64) -> Vector {
    [a[0] * factor, a[1] * factor, a[2] * factor]
}

pub(super) fn dot(a: Vector, b: Vector) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: Vector, b: Vector) -> Vector {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn norm(a: Vector) -> f64 {
    dot(a, a).sqrt()
}

/// Unit vector along `a`, or none where `a` has no direction.
pub(super) fn direction(a: Vector) -> Option<Vector> {
    let length = norm(a);
    (length.is_finite() && length > 1e-300).then(|| scale(a, 1.0 / length))
}

pub(super) fn is_finite(a: Vector) -> bool {
    a.iter().all(|x| x.is_finite())
}

/// Weighted sum of three vectors.
pub(super) fn combine(weights: [f64; 3], v: [Vector; 3]) -> Vector {
    std::array::from_fn(|k| weights[0] * v[0][k] + weights[1] * v[1][k] + weights[2] * v[2][k])
}

/// `a` and `b` mixed: all `a` at 0, all `b` at 1.
pub(super) fn mix(a: Vector, b: Vector, t: f64) -> Vector {
    std::array::from_fn(|k| a[k] + (b[k] - a[k]) * t)
}
