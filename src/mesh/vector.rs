//! The few operations on 3-vectors that meshes need, on plain arrays.

pub(super) fn add(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

pub(super) fn subtract(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
}

pub(super) fn scale(a: [f64; 3], s: f64) -> [f64; 3] {
    [a[0] * s, a[1] * s, a[2] * s]
}

pub(super) fn divide(a: [f64; 3], s: f64) -> [f64; 3] {
    [a[0] / s, a[1] / s, a[2] / s]
}

pub(super) fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

pub(super) fn cross(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

pub(super) fn length(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

pub(super) fn distance(a: [f64; 3], b: [f64; 3]) -> f64 {
    length(subtract(a, b))
}

pub(super) fn midpoint(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    scale(add(a, b), 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cross_is_orthogonal_and_right_handed() {
        assert_eq!(cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]), [0.0, 0.0, 1.0]);
        let (a, b) = ([1.0, 2.0, 3.0], [-2.0, 0.5, 4.0]);
        assert_eq!(dot(a, cross(a, b)), 0.0);
        assert_eq!(dot(b, cross(a, b)), 0.0);
    }

    #[test]
    fn lengths() {
        assert_eq!(length([2.0, 3.0, 6.0]), 7.0);
        assert_eq!(distance([1.0, 1.0, 1.0], [3.0, 4.0, 7.0]), 7.0);
        assert_eq!(midpoint([0.0, 2.0, 4.0], [2.0, 4.0, 8.0]), [1.0, 3.0, 6.0]);
        assert_eq!(divide([2.0, 4.0, 6.0], 2.0), [1.0, 2.0, 3.0]);
    }
}
