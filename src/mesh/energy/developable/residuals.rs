//! The residual functions of the developable energy.

use crate::{Blocks, Value};
use nalgebra::Vector3;

/// Cosine of the dihedral angle from which an edge counts as folding over: 120° between normals.
const FOLD: f64 = -0.5;

/// w √θ ⟨u/|u|, N⟩ at the first corner of a triangle; the blocks are its three vertices and u.
///
/// u is normalised here, so its length is no unknown that matters: the squares over a star sum to w² uᵀAu/uᵀu.
pub(super) fn corner(x: Blocks<'_>, weight: &[Value]) -> Value {
    let a = x.vector::<3>(1) - x.vector::<3>(0);
    let b = x.vector::<3>(2) - x.vector::<3>(0);
    let u = x.vector::<3>(3);
    let normal = a.cross(&b);
    let doubled_area = normal.norm();
    let angle = doubled_area.atan2(a.dot(&b));
    weight[0] * angle.sqrt() * u.dot(&normal) / (doubled_area * u.norm())
}

/// w (x − p)
pub(super) fn anchor(x: Blocks<'_>, data: &[Value]) -> Vector3<Value> {
    (x.vector::<3>(0) - Vector3::from_column_slice(&data[..3])) * data[3]
}

/// (a² + b² + c²) / (4√3 area): 1 for the equilateral triangle, infinite for one without area.
pub(super) fn distortion<T: nalgebra::RealField + Copy>(p: [Vector3<T>; 3]) -> T {
    let (a, b) = (p[1] - p[0], p[2] - p[0]);
    let squares = a.norm_squared() + b.norm_squared() + (b - a).norm_squared();
    squares / (a.cross(&b).norm() * nalgebra::convert::<f64, T>(2.0 * 3.0_f64.sqrt()))
}

/// w (distortion / distortion at rest − 1)
pub(super) fn quality(x: Blocks<'_>, data: &[Value]) -> Value {
    data[0] * (distortion([0, 1, 2].map(|k| x.vector::<3>(k))) * data[1] - 1.0)
}

/// w · what the cosine between the normals of two triangles falls below [`FOLD`]; the blocks are the ends of their common edge,
/// then the vertex to its left and the one to its right.
pub(super) fn fold(x: Blocks<'_>, weight: &[Value]) -> Value {
    let edge = x.vector::<3>(1) - x.vector::<3>(0);
    let left = edge.cross(&(x.vector::<3>(2) - x.vector::<3>(0)));
    let right = (x.vector::<3>(3) - x.vector::<3>(0)).cross(&edge);
    let cosine = left.dot(&right) / (left.norm() * right.norm());
    weight[0] * (FOLD - cosine).max(Value::constant(0.0))
}
