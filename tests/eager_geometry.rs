//! Geometry written over a generic scalar: eigenvalue, normalisation, triangles, with numbers known by hand.

mod differences;

use differences::slopes;
use isograd::Value;
use nalgebra::{Matrix3, RealField, Vector3, convert};
use std::f64::consts::{FRAC_PI_2, PI};

/// Smallest eigenvalue of the symmetric matrix with the upper triangle `c` = (00, 01, 02, 11, 12, 22), in closed form.
fn smallest_eigenvalue<T: RealField + Copy>(c: &[T]) -> T {
    let matrix = Matrix3::new(c[0], c[1], c[2], c[1], c[3], c[4], c[2], c[4], c[5]);
    let shift = matrix.trace() / convert(3.0);
    let deviator = matrix - Matrix3::from_diagonal_element(shift);
    let size = (deviator.norm_squared() / convert(6.0)).sqrt();
    let cosine = (deviator / size).determinant() / convert(2.0);
    let angle = cosine.clamp(-T::one(), T::one()).acos() / convert(3.0);
    shift + size * convert(2.0) * (angle + T::two_pi() / convert(3.0)).cos()
}

/// ∂λ/∂c from the eigenvector v of λ: vᵢ² on the diagonal, 2 vᵢ vⱼ beside it.
fn eigenvalue_gradient(c: &[f64; 6]) -> (f64, [f64; 6]) {
    let eigen = Matrix3::new(c[0], c[1], c[2], c[1], c[3], c[4], c[2], c[4], c[5]).symmetric_eigen();
    let (k, value) = eigen.eigenvalues.argmin();
    let v = eigen.eigenvectors.column(k);
    (value, [v[0] * v[0], 2.0 * v[0] * v[1], 2.0 * v[0] * v[2], v[1] * v[1], 2.0 * v[1] * v[2], v[2] * v[2]])
}

#[test]
fn smallest_eigenvalue_and_its_gradient() {
    let matrices = [
        [2.0, 0.0, 0.0, 1.0, 0.0, 0.5],
        [4.0, 1.0, -2.0, 3.0, 0.5, 5.0],
        [1.0, 1e-2, 2e-2, 1.05, -1e-2, 0.9],
        [2.0, 1e-3, 1e-4, 1.0, -1e-3, 0.3],
    ];
    for matrix in matrices {
        let inputs = matrix.map(Value::variable);
        let eigenvalue = smallest_eigenvalue(&inputs);
        let (expected, expected_gradient) = eigenvalue_gradient(&matrix);
        assert!((eigenvalue.primal() - expected).abs() < 1e-10);
        assert_eq!(eigenvalue.primal(), smallest_eigenvalue(&matrix));

        let gradient = eigenvalue.gradient(&inputs).unwrap();
        for ((grad, expected), slope) in
            gradient.iter().zip(expected_gradient).zip(slopes(smallest_eigenvalue, &matrix))
        {
            assert!((grad - expected).abs() < 1e-7, "{matrix:?}: {grad} for {expected}");
            assert!(slope.agrees(*grad, 1e-6), "{matrix:?}: {grad} for {slope:?}");
        }
    }
}

/// ∂(v/|v|)/∂v = (I − n nᵀ)/|v|
#[test]
fn normalisation_and_its_gradient() {
    for point in [[1.0, 2.0, 3.0], [0.1, 0.2, 0.05], [0.0, 5.0, 0.0], [100.0, 200.0, 300.0]] {
        let inputs = point.map(Value::variable);
        let plain = Vector3::from(point);
        let normal = plain.normalize();
        let expected = (Matrix3::identity() - normal * normal.transpose()) / plain.norm();
        for (k, component) in Vector3::from(inputs).normalize().iter().enumerate() {
            assert!((component.primal() - normal[k]).abs() < 1e-10);
            let gradient = component.gradient(&inputs).unwrap();
            let slopes = slopes(|x| Vector3::from_column_slice(x).normalize()[k], &point);
            for (i, (grad, slope)) in gradient.iter().zip(slopes).enumerate() {
                assert!((grad - expected[(k, i)]).abs() < 1e-14 / plain.norm().min(1.0));
                assert!(slope.agrees(*grad, 1e-6), "{point:?}: {grad} for {slope:?}");
            }
        }
    }
}

type Point = Vector3<Value>;

fn point(x: f64, y: f64, z: f64) -> Point {
    Point::new(Value::variable(x), Value::variable(y), Value::variable(z))
}

fn numbers(v: &Point) -> [f64; 3] {
    [v.x, v.y, v.z].map(Value::primal)
}

#[test]
fn right_triangle() {
    let [a, b, c] = [point(0.0, 0.0, 0.0), point(1.0, 0.0, 0.0), point(0.0, 1.0, 0.0)];
    let normal = (b - a).cross(&(c - a));
    assert_eq!(numbers(&normal.normalize()), [0.0, 0.0, 1.0]);
    assert_eq!((normal.norm() * 0.5).primal(), 0.5);
    assert_eq!((b - a).angle(&(c - a)).primal(), FRAC_PI_2);
    assert_eq!(numbers(&((a + b + c) / Value::constant(3.0))), [1.0 / 3.0, 1.0 / 3.0, 0.0]);

    // Moving c away from the base by h makes the area grow by h/2.
    let area = normal.norm() * 0.5;
    assert_eq!(area.gradient(&[c.x, c.y, c.z]).unwrap(), [0.0, 0.5, 0.0]);
}

#[test]
fn flat_hexagon_has_no_angle_defect() {
    let center = point(0.0, 0.0, 0.0);
    let rim: [Point; 6] = std::array::from_fn(|k| {
        let angle = k as f64 * PI / 3.0;
        point(angle.cos(), angle.sin(), 0.0)
    });
    let angles = (0..6).map(|k| (rim[k] - center).angle(&(rim[(k + 1) % 6] - center)));
    let defect = Value::constant(2.0 * PI) - angles.sum::<Value>();
    assert!(defect.primal().abs() < 1e-14);
    // Flat is the extreme: to first order no height changes the angles.
    assert!(defect.gradient(&[center.z, rim[0].z]).unwrap().iter().all(|grad| grad.abs() < 1e-14));
}

#[test]
fn angle_between_axes() {
    let (z, x) = (point(0.0, 0.0, 1.0), point(1.0, 0.0, 0.0));
    let angle = z.dot(&x).clamp(-1.0, 1.0).acos();
    assert_eq!(angle.primal(), FRAC_PI_2);
    assert_eq!(angle.gradient(&[x.z, z.x, z.z]).unwrap(), [-1.0, -1.0, 0.0]);
}

#[test]
fn distance_and_projection_to_a_plane() {
    let (p, normal) = (point(0.0, 0.0, 5.0), point(0.0, 0.0, 1.0));
    let distance = p.dot(&normal);
    assert_eq!(distance.primal(), 5.0);
    assert_eq!(distance.gradient(&[p.x, p.y, p.z]).unwrap(), [0.0, 0.0, 1.0]);
    assert_eq!(numbers(&(p - normal * distance)), [0.0, 0.0, 0.0]);
}

#[test]
fn bounding_box() {
    let points = [point(1.0, -2.0, 3.0), point(-1.0, 5.0, 0.5), point(0.0, 0.0, 9.0)];
    let low = points.into_iter().reduce(|low, p| low.zip_map(&p, |a, b| a.min(b))).unwrap();
    let high = points.into_iter().reduce(|high, p| high.zip_map(&p, |a, b| a.max(b))).unwrap();
    assert_eq!((numbers(&low), numbers(&high)), ([-1.0, -2.0, 0.5], [1.0, 5.0, 9.0]));
    assert_eq!(high.z.gradient(&[points[0].z, points[2].z]).unwrap(), [0.0, 1.0]);
    assert_eq!(numbers(&points[0].inf(&points[1])), [-1.0, -2.0, 0.5], "nalgebra's own works too");
}
