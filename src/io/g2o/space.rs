//! Poses in the plane and in space.

use std::f64::consts::{PI, TAU};

use nalgebra::{Quaternion, UnitQuaternion, Vector3};

use super::error::PoseGraphError;

/// What poses of `N` numbers are called in files, and what can be done with them.
pub(super) struct Space<const N: usize> {
    pub(super) vertex: &'static str,
    pub(super) edge: &'static str,
    pub(super) identity: [f64; N],
    /// Brings the numbers of a file into the form that we promise.
    pub(super) normalise: fn(&mut [f64; N]) -> Result<(), PoseGraphError>,
    /// The second pose, given as seen from the first, as seen from where the first is.
    pub(super) compose: fn(&[f64; N], &[f64; N]) -> [f64; N],
}

pub(super) const SE2: Space<3> = Space {
    vertex: "VERTEX_SE2",
    edge: "EDGE_SE2",
    identity: [0.0; 3],
    normalise: |_| Ok(()),
    compose: |[x, y, angle], [dx, dy, turn]| {
        let (sin, cos) = angle.sin_cos();
        [x + cos * dx - sin * dy, y + sin * dx + cos * dy, wrap(angle + turn)]
    },
};

pub(super) const SE3: Space<7> = Space {
    vertex: "VERTEX_SE3:QUAT",
    edge: "EDGE_SE3:QUAT",
    identity: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
    normalise: |pose| {
        let [_, _, _, quaternion @ ..] = pose;
        normalise_quaternion(quaternion)
    },
    compose: |a, b| {
        let turn = |pose: &[f64; 7]| Quaternion::new(pose[6], pose[3], pose[4], pose[5]);
        let position = |pose: &[f64; 7]| Vector3::new(pose[0], pose[1], pose[2]);
        let moved = position(a) + UnitQuaternion::new_unchecked(turn(a)) * position(b);
        let turned = (turn(a) * turn(b)).normalize();
        [moved.x, moved.y, moved.z, turned.i, turned.j, turned.k, turned.w]
    },
};

/// The same angle in [-π, π).
pub(super) fn wrap(angle: f64) -> f64 {
    let wrapped = (angle + PI).rem_euclid(TAU) - PI;
    if wrapped < PI { wrapped } else { -PI } // rounding can make the remainder 2π
}

/// To length 1. What has it but for rounding stays as it is, so that a graph that is written reads back with the same numbers.
fn normalise_quaternion(quaternion: &mut [f64; 4]) -> Result<(), PoseGraphError> {
    let square = |q: &[f64; 4]| q.iter().map(|x| x * x).sum::<f64>();
    if (square(quaternion) - 1.0).abs() <= 8.0 * f64::EPSILON {
        return Ok(());
    }
    let largest = quaternion.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return Err(PoseGraphError::ZeroQuaternion);
    }
    // The squares of very large and very small numbers would not be finite or not be there.
    *quaternion = quaternion.map(|x| x / largest);
    let length = square(quaternion).sqrt();
    *quaternion = quaternion.map(|x| x / length);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn angles_wrap() {
        for (angle, expected) in
            [(0.0, 0.0), (3.0 * PI, -PI), (PI, -PI), (-PI, -PI), (4.0, 4.0 - TAU), (-4.0, TAU - 4.0)]
        {
            assert!((wrap(angle) - expected).abs() < 1e-15, "{angle}: {}", wrap(angle));
        }
        assert!((-PI..PI).contains(&wrap(-PI - 1e-16)) && (-PI..PI).contains(&wrap(1e300)));
    }

    proptest! {
        #[test]
        fn a_normalised_quaternion_stays_as_it_is(numbers in any::<[f64; 4]>(), exponent in -300..300) {
            let mut quaternion = numbers.map(|x| if x.is_finite() { x } else { 1.0 });
            quaternion[0] = 10_f64.powi(exponent);
            normalise_quaternion(&mut quaternion).unwrap();
            prop_assert!((quaternion.iter().map(|x| x * x).sum::<f64>() - 1.0).abs() < 1e-15 * 4.0);
            let before = quaternion;
            normalise_quaternion(&mut quaternion).unwrap();
            prop_assert_eq!(before, quaternion);
        }

        /// Turning a vector by one pose after the other is turning it by both together.
        #[test]
        fn composition_is_associative(poses in proptest::array::uniform3(proptest::array::uniform7(-1.0..1.0))) {
            let mut poses = poses;
            for pose in &mut poses {
                pose[6] += 2.0;
                (SE3.normalise)(pose).unwrap();
            }
            let [a, b, c] = poses;
            let (left, right) = ((SE3.compose)(&(SE3.compose)(&a, &b), &c), (SE3.compose)(&a, &(SE3.compose)(&b, &c)));
            prop_assert!(left.iter().zip(&right).all(|(l, r)| (l - r).abs() < 1e-14));
            prop_assert_eq!((SE3.compose)(&SE3.identity, &SE3.identity), SE3.identity);
            let [a, b, c] = [a, b, c].map(|p| [p[0], p[1], p[2]]);
            let (left, right) = ((SE2.compose)(&(SE2.compose)(&a, &b), &c), (SE2.compose)(&a, &(SE2.compose)(&b, &c)));
            prop_assert!(left.iter().zip(&right).all(|(l, r)| (l - r).abs() < 1e-14));
        }
    }
}
