//! Rotations by angle-axis, names, and what the energies are made of.

use super::*;
use crate::mesh::icosphere;
use crate::value::rotate;
use nalgebra::{Rotation3, Vector3};

fn rotated(a: [f64; 3], v: [f64; 3]) -> ([f64; 3], [[f64; 3]; 3]) {
    Value::scope(|| {
        let axis = a.map(Value::variable);
        let result = rotate(Vector3::from(axis), Vector3::from(v.map(Value::constant)));
        let values = [result.x, result.y, result.z];
        let gradients = values.map(|value| value.gradient(&axis).unwrap().try_into().unwrap());
        (values.map(Value::primal), gradients)
    })
}

/// On both sides of where the series takes over, and at angles up to several turns.
#[test]
fn rotations_are_those_of_nalgebra() {
    let axis = Vector3::new(0.36, -0.48, 0.8);
    let v = [1.0, -2.0, 0.5];
    for angle in
        [0.0, 1e-12, 1e-6, 9.9e-3, 9.999e-3, 0.01, 0.0316, 0.03162, 0.03163, 0.5, 2.0, std::f64::consts::PI, 6.0, 20.0]
    {
        let a = axis * angle;
        let expected = Rotation3::new(a) * Vector3::from(v);
        let (found, _) = rotated(a.into(), v);
        for (f, e) in found.iter().zip(expected.iter()) {
            assert!((f - e).abs() < 1e-13, "angle {angle}: {f} for {e}");
        }
        let length: f64 = found.iter().map(|f| f * f).sum();
        assert!((length - 5.25).abs() < 1e-13, "a rotation keeps lengths");
    }
}

/// At angle 0, where a formula by the angle has no derivative, it is that of a × v.
#[test]
fn the_derivative_at_no_rotation_is_a_cross_product() {
    let v = [1.0, -2.0, 0.5];
    let (found, gradient) = rotated([0.0; 3], v);
    assert_eq!(found, v);
    let expected = [[0.0, v[2], -v[1]], [-v[2], 0.0, v[0]], [v[1], -v[0], 0.0]];
    assert_eq!(gradient, expected);
}

#[test]
fn derivatives_are_smooth_through_the_series() {
    let v = [1.0, -2.0, 0.5];
    for angle in [0.0, 1e-4, 9.9e-3, 0.0315, 0.0317, 0.3, 3.0] {
        let a = [0.36 * angle, -0.48 * angle, 0.8 * angle];
        let (_, gradient) = rotated(a, v);
        for k in 0..3 {
            let moved = |by: f64| {
                let mut a = a;
                a[k] += by;
                Rotation3::new(Vector3::from(a)) * Vector3::from(v)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            for (row, slope) in gradient.iter().zip(slope.iter()) {
                assert!((row[k] - slope).abs() < 1e-8, "angle {angle}: {} for {slope}", row[k]);
            }
        }
    }
}

#[test]
fn energies_go_by_name() {
    for energy in Energy::ALL {
        assert_eq!(energy.name().parse(), Ok(energy));
        assert_eq!(energy.to_string(), energy.name());
    }
    let error = "plaid".parse::<Energy>().unwrap_err();
    assert_eq!(error, UnknownEnergy("plaid".to_owned()));
    for name in ["plaid", "smooth", "stretch", "sphere", "arap"] {
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn residuals_are_counted_and_named() {
    let mesh = icosphere(1).unwrap();
    let (vertices, edges) = (42, 120);
    for (energy, residuals, parameters, names) in [
        (
            Energy::Smooth,
            edges + 3 * vertices,
            3 * vertices,
            vec!["edge length", "laplacian, valence 5", "laplacian, valence 6"],
        ),
        (
            Energy::Stretch,
            edges + 3 * vertices,
            3 * vertices,
            vec!["edge length", "laplacian, valence 5", "laplacian, valence 6"],
        ),
        (Energy::Sphere, edges + vertices, 3 * vertices, vec!["edge length", "radius"]),
        (Energy::Arap, 762, 6 * vertices, vec!["rigid edge", "handle"]),
    ] {
        let stated = MeshProblem::new(energy, &mesh).unwrap();
        assert_eq!(stated.problem.residuals(), residuals, "{energy}");
        assert_eq!(stated.problem.parameters().values().len(), parameters, "{energy}");
        let compiled = stated.problem.compile().unwrap();
        let found: Vec<&str> = (0..compiled.groups.len()).map(|k| compiled.name(k).unwrap()).collect();
        assert_eq!(found, names, "{energy}");
    }
}

#[test]
fn arap_starts_at_the_shape_and_the_others_deformed() {
    let mesh = icosphere(1).unwrap();
    let arap = MeshProblem::new(Energy::Arap, &mesh).unwrap();
    assert_eq!(arap.positions(), arap.shape.vertices());
    let smooth = MeshProblem::new(Energy::Smooth, &mesh).unwrap();
    assert_eq!(smooth.positions(), deformed_start(smooth.shape.vertices()));
}

#[test]
fn a_mesh_without_extent_has_no_energy() {
    let point = Mesh::from_triangles(vec![[1.0; 3]; 3], &[[0, 1, 2]]).unwrap();
    for energy in Energy::ALL {
        assert!(matches!(
            MeshProblem::new(energy, &point),
            Err(EnergyError::Shape(NoReferenceShape::NoScale { edges: 3, .. }))
        ));
    }
}

/// The fourth vertex is the second again, and a vertex of no face comes first.
#[test]
fn coincident_ends_of_an_edge_are_named() {
    let points = vec![[9.0; 3], [0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]];
    let mesh = Mesh::from_triangles(points, &[[1, 2, 3], [2, 4, 3]]).unwrap();
    for energy in Energy::ALL {
        let stated = MeshProblem::new(energy, &mesh);
        match energy {
            Energy::Arap => assert!(stated.is_ok()),
            _ => assert!(matches!(stated, Err(EnergyError::ZeroLength { ends: [2, 4] })), "{energy}"),
        }
    }
}

/// An edge stores three numbers for its six derivatives, a Laplacian none.
#[test]
fn derivatives_are_stored_sparingly() {
    let stated = MeshProblem::new(Energy::Smooth, &icosphere(2).unwrap()).unwrap();
    let compiled = stated.problem.compile().unwrap();
    let stored: Vec<usize> = compiled.groups.iter().map(|group| group.kernel.stored()).collect();
    assert_eq!(stored, [3, 0, 0]);
}
