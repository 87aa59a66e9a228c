//! nalgebra over `Value`: one generic function runs on `f64` and on `Value`, the numbers agree, and every derivative agrees with
//! central differences of the same function on `f64`.

mod differences;

use differences::slopes;
use isograd::Value;
use nalgebra::{
    ComplexField, Isometry3, Matrix3, Point3, RealField, Rotation3, Translation3, UnitQuaternion, Vector3, convert,
    try_convert,
};

/// What the functions below are evaluated at: up to three vectors, or a matrix and a vector.
const POINTS: [[f64; 12]; 4] = [
    [0.3, -0.2, 0.5, 1.1, 0.7, -0.4, -0.6, 0.9, 2.0, 0.25, -1.5, 0.8],
    [-1.2, 0.8, 0.1, 0.4, -2.0, 1.3, 0.9, -0.3, 0.7, 3.0, 2.0, -1.0],
    [2.1, 1.4, -0.9, -0.5, 0.2, 0.6, 1.7, 1.1, -0.8, -0.1, 0.4, 0.05],
    [1e-3, 2e-3, -1e-3, 1e2, -3e1, 2e1, 5.0, 4.0, -7.0, 1.2, 2.0, 3.0],
];

/// Checks numbers and derivatives of one function at every point.
fn check(name: &str, on_f64: impl Fn(&[f64]) -> Vec<f64>, on_value: impl Fn(&[Value]) -> Vec<Value>) {
    for point in &POINTS {
        let expected = on_f64(point);
        let size = expected.iter().fold(0.0, |size: f64, number| size.max(number.abs()));
        Value::scope(|| {
            let inputs: Vec<Value> = point.iter().map(|&number| Value::variable(number)).collect();
            let outputs = on_value(&inputs);
            assert_eq!(outputs.len(), expected.len());
            for (k, (output, expected)) in outputs.iter().zip(&expected).enumerate() {
                let number = output.primal();
                assert!((number - expected).abs() <= 1e-14 * size, "{name}[{k}] at {point:?}: {number} for {expected}");

                Value::zero_grad();
                output.backward();
                for (input, slope) in inputs.iter().zip(slopes(|x| on_f64(x)[k], point)) {
                    let grad = input.grad();
                    assert!(slope.agrees(grad, 1e-6), "{name}[{k}] at {point:?}: derivative {grad} for {slope:?}");
                }
            }
        });
    }
}

/// A test for each function of the inputs `x` over a generic scalar `T`.
macro_rules! agree {
    ($($name:ident($x:ident) $body:block)*) => {
        $(
            #[test]
            fn $name() {
                fn function<T: RealField + Copy>($x: &[T]) -> Vec<T> $body
                check(stringify!($name), function::<f64>, function::<Value>);
            }
        )*
    };
}

fn vector<T: RealField + Copy>(x: &[T]) -> Vector3<T> {
    Vector3::new(x[0], x[1], x[2])
}

/// Well away from singular, whatever the inputs.
fn matrix<T: RealField + Copy>(x: &[T]) -> Matrix3<T> {
    let spread = Matrix3::from_iterator(x[..9].iter().map(|number| number.atan()));
    spread + Matrix3::from_diagonal_element(convert(4.0))
}

fn list<T: RealField + Copy>(numbers: impl IntoIterator<Item = T>) -> Vec<T> {
    numbers.into_iter().collect()
}

agree! {
    vector_norm(x) {
        let v = vector(&x[3..]);
        vec![v.norm(), v.norm_squared(), v.metric_distance(&vector(&x[6..])), v.lp_norm(3), v.amax()]
    }

    vector_products(x) {
        let (a, b) = (vector(x), vector(&x[3..]));
        let mut all = list(a.cross(&b).iter().copied());
        all.extend([a.dot(&b), a.xy().perp(&b.yz()), a.component_mul(&b).sum()]);
        all
    }

    vector_normalize(x) {
        let v = vector(&x[3..]);
        let tried = v.try_normalize(convert(1e-9)).unwrap_or_else(Vector3::zeros);
        list(v.normalize().iter().chain(&tried).copied())
    }

    vector_angle(x) {
        vec![vector(x).angle(&vector(&x[3..]))]
    }

    vector_arithmetic(x) {
        let (a, b) = (vector(x), vector(&x[3..]));
        let mut c = (a + b) * x[6] - a / x[7];
        c += b;
        c -= a.lerp(&b, x[9]);
        c *= x[8];
        list((-c).iter().copied())
    }

    matrix_product(x) {
        let (a, b) = (matrix(x), matrix(&x[3..]));
        list((a * b + a.transpose() - b).iter().chain(&(a * vector(&x[9..]))).copied())
    }

    matrix_determinant(x) {
        let a = matrix(x);
        vec![a.determinant(), a.trace(), a.norm()]
    }

    matrix_inverse(x) {
        list(matrix(x).try_inverse().expect("not singular").iter().copied())
    }

    matrix_decompositions(x) {
        let (a, b) = (matrix(x), vector(&x[9..]));
        let lu = a.lu().solve(&b).expect("not singular");
        let qr = a.qr().solve(&b).expect("not singular");
        let cholesky = (a * a.transpose()).cholesky().expect("positive definite").solve(&b);
        list(lu.iter().chain(&qr).chain(&cholesky).copied())
    }

    matrix_eigenvalues(x) {
        let a = matrix(x);
        vec![(a + a.transpose()).symmetric_eigenvalues().max()]
    }

    matrix_exponential(x) {
        list((matrix(x) * convert::<f64, T>(0.1)).exp().iter().copied())
    }

    rotation_of_scaled_axis(x) {
        let rotation = Rotation3::from_scaled_axis(vector(x));
        list(rotation.matrix().iter().chain(&(rotation * vector(&x[3..]))).copied())
    }

    rotation_of_euler_angles(x) {
        let rotation = Rotation3::from_euler_angles(x[0], x[1], x[2]);
        let (roll, pitch, yaw) = rotation.euler_angles();
        let mut all = list((rotation * Point3::from(vector(&x[3..]))).coords.iter().copied());
        all.extend([roll, pitch, yaw, rotation.angle()]);
        all
    }

    rotation_inverse(x) {
        let rotation = Rotation3::new(vector(x)) * Rotation3::from_euler_angles(x[6], x[7], x[8]).inverse();
        let back = rotation.inverse_transform_vector(&vector(&x[3..]));
        list(rotation.inverse().matrix().iter().chain(&back).copied())
    }

    rotation_logarithm(x) {
        let near = vector(x).normalize() * x[3].sin();
        list(Rotation3::new(near).scaled_axis().iter().copied())
    }

    quaternion_rotation(x) {
        let turn = UnitQuaternion::from_scaled_axis(vector(x));
        list(turn.coords.iter().chain(&(turn * vector(&x[3..]))).copied())
    }

    quaternion_product(x) {
        let turn = UnitQuaternion::from_scaled_axis(vector(x)) * UnitQuaternion::from_euler_angles(x[6], x[7], x[8]);
        let matrix = turn.to_rotation_matrix().into_inner();
        let back = turn.inverse() * vector(&x[3..]);
        list(turn.coords.iter().chain(&matrix).chain(&back).copied())
    }

    quaternion_logarithm(x) {
        let turn = UnitQuaternion::from_scaled_axis(vector(x)) * UnitQuaternion::from_scaled_axis(vector(&x[9..]));
        let mut all = list(turn.scaled_axis().iter().chain(&turn.ln().imag()).copied());
        all.push(turn.angle());
        all
    }

    quaternion_of_matrix(x) {
        let rotation = Rotation3::new(vector(x));
        list(UnitQuaternion::from_rotation_matrix(&rotation).coords.iter().copied())
    }

    quaternion_slerp(x) {
        let (a, b) = (UnitQuaternion::new(vector(x)), UnitQuaternion::new(vector(&x[9..])));
        list(a.slerp(&b, x[3].sin()).coords.iter().chain(&a.powf(x[4]).coords).copied())
    }

    quaternion_between_vectors(x) {
        let turn = UnitQuaternion::rotation_between(&vector(&x[3..]), &vector(&x[9..])).expect("not opposite");
        list(turn.coords.iter().copied())
    }

    isometry_composed(x) {
        let a = Isometry3::new(vector(&x[3..]), vector(x));
        let b = Isometry3::from_parts(Translation3::from(vector(&x[9..])), UnitQuaternion::new(vector(&x[6..])));
        let there = a * b;
        let point = Point3::new(x[1], x[4], x[7]);
        let mut all = list((there * point).coords.iter().chain(&there.translation.vector).copied());
        all.extend((a.inverse() * b).inverse_transform_point(&point).coords.iter());
        all.extend(a.inv_mul(&b).rotation.coords.iter());
        all
    }

    functions_of_one(x) {
        let a = x[9].sin() * convert(0.9);
        let b = x[9].cos() + convert(2.5);
        vec![
            a.floor(), a.ceil(), a.round(), a.trunc(), b.fract(), a.abs(), b.recip(), a.sin(), a.cos(), a.tan(), a.asin(),
            a.acos(), a.atan(), a.sinh(), a.cosh(), a.tanh(), a.asinh(), b.acosh(), a.atanh(), b.log2(), b.log10(), b.ln(),
            a.ln_1p(), b.sqrt(), a.exp(), a.exp2(), a.exp_m1(), b.cbrt(), a.sin_cos().1, a.sinh_cosh().0, a.sinc(),
            a.sinhc(), a.cosc(), a.coshc(), a.signum(), a.modulus(), a.modulus_squared(), a.norm1(), a.argument(),
            a.to_polar().0, a.to_exp().0, a.to_exp().1, a.real(), a.imaginary(), a.conjugate(), T::from_real(a),
            num_traits::Signed::abs(&a), num_traits::Signed::signum(&a), b.try_sqrt().expect("not negative"),
        ]
    }

    functions_of_several(x) {
        let (a, b, c) = (x[3], x[4].cos() + convert(2.5), x[5]);
        vec![
            a.atan2(c), a.hypot(c), a.min(c), a.max(c), a.copysign(c), a.clamp(-b, b), a.mul_add(b, c), b.powf(c.sin()),
            b.powc(a.sin()), b.powi(-3), b.powf(convert(2.0)), b.powf(convert(0.4)), b.log(convert(3.0)), a.scale(c),
            a.unscale(b), num_traits::Signed::abs_sub(&a, &c), x[9] % b,
        ]
    }
}

#[test]
fn negative_has_no_root() {
    assert!(Value::variable(-1.0).try_sqrt().is_none());
    assert!(Value::variable(f64::NAN).try_sqrt().is_none());
    assert_eq!(Value::variable(0.0).try_sqrt().map(Value::primal), Some(0.0));
}

/// nalgebra compares with the zero rotation and answers with constants: right in value, without a derivative.
#[test]
fn zero_rotation_is_constant() {
    let zero = Vector3::from_fn(|_, _| Value::variable(0.0));
    assert!(UnitQuaternion::from_scaled_axis(zero).coords.iter().all(|c| c.is_constant()));
    assert!(Rotation3::from_scaled_axis(zero).matrix().iter().all(|c| c.is_constant()));
}

#[test]
fn constants_equal_those_of_f64() {
    macro_rules! same {
        ($($name:ident)*) => {
            $(
                let constant = <Value as RealField>::$name();
                assert!(constant.is_constant());
                assert_eq!(constant.primal(), <f64 as RealField>::$name(), stringify!($name));
            )*
        };
    }
    same! { pi two_pi frac_pi_2 frac_pi_3 frac_pi_4 frac_pi_6 frac_pi_8 frac_1_pi frac_2_pi frac_2_sqrt_pi e log2_e log10_e ln_2 ln_10 }
    assert_eq!(<Value as RealField>::min_value().map(Value::primal), <f64 as RealField>::min_value());
    assert_eq!(<Value as RealField>::max_value().map(Value::primal), <f64 as RealField>::max_value());
}

/// What is decided by the number alone is decided as for `f64`, signed zeros, infinities and NaN included.
#[test]
fn predicates_equal_those_of_f64() {
    fn predicates<T: RealField + Copy>(a: T, b: T) -> Vec<bool> {
        let (tiny, small) = (convert(1e-12), convert(1e-6));
        vec![
            a.is_zero(),
            a.is_one(),
            RealField::is_sign_positive(&a),
            RealField::is_sign_negative(&a),
            num_traits::Signed::is_positive(&a),
            num_traits::Signed::is_negative(&a),
            ComplexField::is_finite(&a),
            a.try_sqrt().is_some(),
            a.abs_diff_eq(&b, tiny),
            a.abs_diff_eq(&b, small),
            a.relative_eq(&b, tiny, small),
            a.relative_eq(&b, T::default_epsilon(), T::default_max_relative()),
            a.ulps_eq(&b, T::default_epsilon(), T::default_max_ulps()),
            a == b,
            a < b,
            a >= b,
        ]
    }

    let numbers =
        [0.0, -0.0, 1.0, -1.0, 1.0 + 1e-15, 1.0 + 1e-9, -3.5, 1e9, 1e9 + 1.0, f64::INFINITY, f64::NEG_INFINITY];
    for a in numbers.into_iter().chain([f64::NAN]) {
        for b in numbers.into_iter().chain([f64::NAN]) {
            let expected = predicates(a, b);
            assert_eq!(predicates(Value::variable(a), Value::variable(b)), expected, "{a} and {b}");
            assert_eq!(predicates(Value::constant(a), Value::constant(b)), expected, "{a} and {b}");
        }
    }
}

#[test]
fn signs_at_zero_are_those_of_f64() {
    for zero in [0.0, -0.0] {
        let value = Value::variable(zero);
        assert_eq!(num_traits::Signed::signum(&value).primal(), num_traits::Signed::signum(&zero));
        let (modulus, sign) = value.to_exp();
        assert_eq!((modulus.primal(), sign.primal()), zero.to_exp());
        assert_eq!(modulus.gradient(&[value]).unwrap(), [1.0], "the modulus follows the sign that was chosen");
        assert_eq!(value.argument().primal(), zero.argument());
    }
}

#[test]
fn numbers_convert_both_ways() {
    let vector = Vector3::new(1.0, 2.5, -3.0);
    let values: Vector3<Value> = vector.cast();
    assert!(values.iter().all(|value| value.is_constant()));
    assert_eq!(try_convert::<Vector3<Value>, Vector3<f64>>(values), Some(vector));

    assert_eq!(convert::<f64, Value>(0.1).primal(), 0.1);
    assert_eq!(convert::<f32, Value>(0.5).primal(), 0.5);
    assert_eq!(convert::<usize, Value>(7).primal(), 7.0);
    assert_eq!(convert::<i32, Value>(-7).primal(), -7.0);

    let x = Value::variable(2.0);
    let same: Value = convert(x);
    assert_eq!((same * same).gradient(&[x]).unwrap(), [4.0], "a value stays what it is");
    assert_eq!(try_convert::<Value, f64>(x * x), Some(4.0));

    assert_eq!(<Value as num_traits::Num>::from_str_radix("-2.5", 10).unwrap().primal(), -2.5);
    assert!(<Value as num_traits::Num>::from_str_radix("two", 10).is_err());
    assert_eq!(<Value as num_traits::FromPrimitive>::from_u8(200).unwrap().primal(), 200.0);
}
