//! `Value` as a scalar: construction, numbers and derivatives by hand, conventions at kinks, operators, gradients, printing.

use isograd::Value;
use isograd::value::ValueError;

fn variables<const N: usize>(numbers: [f64; N]) -> [Value; N] {
    numbers.map(Value::variable)
}

/// ∂f/∂x at `at`.
fn derivative(f: impl Fn(Value) -> Value, at: f64) -> f64 {
    let x = Value::variable(at);
    f(x).gradient(&[x]).unwrap()[0]
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-14 * b.abs().max(1.0)
}

#[test]
fn variables_must_be_finite() {
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = Value::try_variable(number).unwrap_err();
        assert!(matches!(error, ValueError::NotFinite(_)));
        assert_eq!(error.to_string(), format!("{number} is not a finite number"));
    }
    assert_eq!(Value::try_variable(2.5).unwrap().primal(), 2.5);
}

#[test]
fn repeated_operands_count_once_each() {
    assert_eq!(derivative(|x| 3.0 * x + 4.0 * x, 2.0), 7.0);
    assert_eq!(derivative(|x| x * x * x, 3.0), 27.0);
    assert_eq!(derivative(|t| t * t, 2.0), 4.0);
    assert!(close(derivative(|t| (1.0 - t * t).ln(), 0.5), -4.0 / 3.0));
}

#[test]
fn constants_have_no_gradient() {
    let (x, y) = (Value::variable(2.0), Value::constant(3.0));
    (x * y + x * x).backward();
    assert_eq!((x.grad(), y.grad()), (7.0, 0.0));

    let [x, z] = variables([2.0, 1.0]);
    (x * y + z).backward();
    assert_eq!((x.grad(), y.grad(), z.grad()), (3.0, 0.0, 1.0));
}

#[test]
fn detached_values_stop_gradients() {
    let x = Value::variable(3.0);
    let product = x * x.detach();
    assert!(x.detach().is_constant() && !x.is_constant());
    assert_eq!(product.primal(), 9.0);
    assert_eq!(product.gradient(&[x]).unwrap(), [3.0]);
}

#[test]
fn no_grad_records_nothing_and_nests() {
    let x = Value::variable(3.0);
    let before = Value::live_nodes();
    let inside = Value::no_grad(|| {
        let outer = x * x;
        let inner = Value::no_grad(|| x.sin());
        assert!(inner.is_constant() && (x * 2.0).is_constant());
        outer
    });
    assert!(inside.is_constant());
    assert_eq!((inside.primal(), Value::live_nodes()), (9.0, before));
    inside.backward();
    assert_eq!(x.grad(), 0.0);
    assert_eq!((inside * x).gradient(&[x]).unwrap(), [9.0]);

    let panicked = std::panic::catch_unwind(|| Value::no_grad(|| panic!("inside no_grad")));
    assert!(panicked.is_err());
    assert!(!(x * x).is_constant(), "recording is on again after a panic");
}

#[test]
fn whole_number_functions() {
    let value = |x: f64| Value::variable(x);
    assert_eq!(value(-2.7).floor().primal(), -3.0);
    assert_eq!(value(-2.7).ceil().primal(), -2.0);
    assert_eq!(value(-2.7).trunc().primal(), -2.0);
    assert_eq!([1.4, 1.6, 2.5, -1.5].map(|x| value(x).round().primal()), [1.0, 2.0, 3.0, -2.0]);
    assert_eq!((value(7.0) % value(3.0)).primal(), 1.0);
    assert_eq!((value(-5.5) % 2.0).primal(), -1.5);
    for f in [Value::floor, Value::ceil, Value::round, Value::trunc, Value::sign] {
        assert_eq!(derivative(f, 1.3), 0.0);
    }
}

#[test]
fn powers() {
    assert_eq!((Value::variable(3.0).square().primal(), derivative(Value::square, 3.0)), (9.0, 6.0));
    assert_eq!((Value::variable(3.0).cube().primal(), derivative(Value::cube, 3.0)), (27.0, 27.0));
    assert_eq!(Value::variable(3.0).recip().primal(), 1.0 / 3.0);
    assert!(close(derivative(Value::recip, 3.0), -1.0 / 9.0));

    let [a, b] = variables([2.0, 3.0]);
    let power = a.powv(b);
    power.backward();
    assert_eq!(power.primal(), 8.0);
    assert!(close(a.grad(), 12.0) && close(b.grad(), 8.0 * 2.0_f64.ln()));

    // A whole exponent is an integer power, so a negative or zero base has its derivative.
    assert_eq!(derivative(|x| x.powf(2.0), -3.0), -6.0);
    assert_eq!(derivative(|x| x.powf(1.0), 0.0), 1.0);
    assert_eq!(derivative(|x| x.powi(0), 0.0), 0.0);
    assert_eq!(derivative(|x| x.powi(i32::MIN), 1.0), f64::from(i32::MIN));
    assert_eq!(derivative(|x| x.powf(0.5), 0.0), f64::INFINITY);
    let [a, b] = variables([-2.0, 2.0]);
    assert_eq!(a.powv(b).gradient(&[a, b]).unwrap(), [-4.0, 0.0], "∂b = 0 where the base is not positive");
}

#[test]
fn kinks_follow_the_table_of_operations() {
    assert_eq!((Value::variable(0.0).abs().primal(), derivative(Value::abs, 0.0)), (0.0, 0.0));
    assert_eq!((Value::variable(0.0).sign().primal(), derivative(Value::sign, 0.0)), (0.0, 0.0));
    assert_eq!(derivative(Value::relu, 0.0), 0.0);
    assert_eq!([-2.0, 3.0].map(|x| Value::variable(x).relu().primal()), [0.0, 3.0]);
    assert_eq!(derivative(Value::sqrt, 0.0), f64::INFINITY);
    for x in [0.0, -1.0] {
        assert_eq!((Value::variable(x).safe_sqrt().primal(), derivative(Value::safe_sqrt, x)), (0.0, 0.0));
    }
    assert_eq!(derivative(Value::safe_sqrt, 4.0), 0.25);

    let [a, b] = variables([2.0, 2.0]);
    assert_eq!(a.min(b).gradient(&[a, b]).unwrap(), [1.0, 0.0]);
    assert_eq!(a.max(b).gradient(&[a, b]).unwrap(), [1.0, 0.0]);
    assert_eq!(a.max(a).gradient(&[a]).unwrap(), [1.0]);

    let [one, zero] = variables([1.0, 0.0]);
    assert_eq!(one.safe_div(zero).primal(), 0.0);
    assert_eq!(one.safe_div(zero).gradient(&[one, zero]).unwrap(), [0.0, 0.0]);
    assert_eq!(one.safe_div(4.0).gradient(&[one]).unwrap(), [0.25]);
}

#[test]
fn clamp_gives_the_derivative_to_what_it_chose() {
    let clamp = |x: f64, low: f64, high: f64| {
        let [x, low, high] = variables([x, low, high]);
        let clamped = x.clamp(low, high);
        (clamped.primal(), clamped.gradient(&[x, low, high]).unwrap())
    };
    assert_eq!(clamp(5.0, 0.0, 3.0), (3.0, vec![0.0, 0.0, 1.0]));
    assert_eq!(clamp(5.0, 0.0, 10.0), (5.0, vec![1.0, 0.0, 0.0]));
    assert_eq!(clamp(5.0, 7.0, 9.0), (7.0, vec![0.0, 1.0, 0.0]));
    assert_eq!(clamp(0.0, 0.0, 3.0), (0.0, vec![1.0, 0.0, 0.0]), "1 at the lower bound");
    assert_eq!(clamp(3.0, 0.0, 3.0), (3.0, vec![1.0, 0.0, 0.0]), "1 at the upper bound");
    assert_eq!(clamp(5.0, 2.0, 1.0), (2.0, vec![0.0, 1.0, 0.0]), "crossed bounds give the lower");
}

#[test]
fn sums_and_means() {
    let values = variables([1.0, 3.0, 5.0]);
    assert_eq!(Value::sum_of(&values).primal(), 9.0);
    assert_eq!(values.iter().sum::<Value>().gradient(&values).unwrap(), [1.0; 3]);
    assert_eq!(values.into_iter().product::<Value>().gradient(&values).unwrap(), [15.0, 5.0, 3.0]);
    let mean = Value::mean_of(&values);
    assert_eq!(mean.primal(), 3.0);
    assert_eq!(mean.gradient(&values).unwrap(), [1.0 / 3.0; 3]);
    assert_eq!([Value::sum_of(&[]), Value::mean_of(&[])].map(Value::primal), [0.0, 0.0]);
    let [x, ..] = values;
    assert_eq!(Value::sum_of(&[x, x]).gradient(&[x]).unwrap(), [2.0]);
}

#[test]
fn softplus_and_sigmoid() {
    let x = Value::variable(0.5);
    assert!(close(x.softplus().primal(), (1.0 + 0.5_f64.exp()).ln()));
    assert!(close(derivative(Value::softplus, 0.5), x.sigmoid().primal()));
    assert!(close(x.sigmoid().primal(), 1.0 / (1.0 + (-0.5_f64).exp())));
    for x in [-800.0, 800.0] {
        assert_eq!(Value::variable(x).softplus().primal(), f64::max(x, 0.0));
        assert!(derivative(Value::sigmoid, x).is_finite());
    }
}

#[test]
fn comparisons_are_zero_or_one() {
    let compare = |a: f64, b: f64| {
        let [a, b] = variables([a, b]);
        let all = [a.equal(b), a.not_equal(b), a.greater(b), a.less(b), a.greater_equal(b), a.less_equal(b)];
        assert!(all.iter().all(|outcome| outcome.gradient(&[a, b]).unwrap() == [0.0, 0.0]));
        all.map(Value::primal)
    };
    assert_eq!(compare(5.0, 7.0), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!(compare(7.0, 5.0), [0.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
    assert_eq!(compare(7.0, 7.0), [1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    assert_eq!(compare(f64::NAN, 7.0), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);

    let [a, b] = variables([5.0, 7.0]);
    let same = a + 0.0;
    let outcomes = [a < b, b > a, a <= same, a >= same, a == same, a != b, a < 6.0, b == 7.0];
    assert_eq!(outcomes, [true; 8], "operators branch on the numbers");
    assert!(Value::variable(f64::NAN).partial_cmp(&a).is_none());
}

#[test]
fn select_takes_one_branch() {
    for (condition, chosen) in [(1.0, [0.0, 1.0, 0.0]), (-3.0, [0.0, 1.0, 0.0]), (0.0, [0.0, 0.0, 1.0])] {
        let [c, a, b] = variables([condition, 5.0, 7.0]);
        let selected = Value::select(c, a, b);
        assert_eq!(selected.primal(), if condition == 0.0 { 7.0 } else { 5.0 });
        assert_eq!(selected.gradient(&[c, a, b]).unwrap(), chosen);
    }
}

#[test]
fn check_names_the_operation() {
    let error = |value: Value| value.check().unwrap_err().to_string();
    let [one, zero, minus] = variables([1.0, 0.0, -2.0]);
    assert_eq!(error(one / zero), "div of 1.0, 0.0 is inf (needs b ≠ 0)");
    assert_eq!(error(minus.ln()), "ln of -2.0 is NaN (needs a > 0)");
    assert_eq!(error(minus.powf(0.5)), "powf of -2.0, 0.5 is NaN (needs a > 0, or a whole b (b > 0 where a = 0))");
    assert_eq!(error((one / zero + 3.0).exp()), "div of 1.0, 0.0 is inf (needs b ≠ 0)", "the first one, not the last");
    assert_eq!(error(Value::constant(1.0) / 0.0), "div of 1.0, 0.0 is inf (needs b ≠ 0)", "between constants too");
    assert_eq!(error(one.min(Value::variable(f64::NAN))), "NaN is not a finite number");
    assert_eq!(error(Value::constant(f64::INFINITY)), "inf is not a finite number");
    assert!(matches!((minus.sqrt()).check(), Err(ValueError::Operation { operation: "sqrt", .. })));
    assert_eq!((one + 2.0).check(), Ok(3.0));
    assert_eq!(Value::constant(4.0).check(), Ok(4.0));
}

#[test]
fn nan_passes_through_min_max_and_clamp() {
    let [x, nan] = variables([1.0, f64::NAN]);
    for value in [x.min(nan), nan.min(x), x.max(nan), nan.max(x), nan.clamp(0.0, 1.0), nan.relu(), nan.sign()] {
        assert!(value.primal().is_nan());
    }
}

#[test]
fn gradients_accumulate_until_they_are_cleared() {
    let x = Value::variable(3.0);
    let cube = x * x * x;
    cube.backward();
    assert_eq!(x.grad(), 27.0);
    cube.backward();
    assert_eq!((x.grad(), cube.grad()), (54.0, 2.0));

    // Two graphs that share nothing are cleared together.
    let y = Value::variable(2.0);
    (y * 5.0).backward();
    assert_eq!(y.grad(), 5.0);
    Value::zero_grad();
    assert_eq!((x.grad(), y.grad(), cube.grad()), (0.0, 0.0, 0.0));
}

#[test]
fn gradient_leaves_grad_alone() {
    let [x, y, unused] = variables([2.0, 3.0, 4.0]);
    let product = x * y;
    let inputs = [y, x, unused, Value::constant(1.0), product];
    assert_eq!(product.gradient(&inputs).unwrap(), [2.0, 3.0, 0.0, 0.0, 1.0]);
    assert_eq!((x.grad(), y.grad()), (0.0, 0.0));
    assert_eq!(Value::constant(1.0).gradient(&[x]).unwrap(), [0.0]);
}

#[test]
fn several_outputs_at_once() {
    let [x, y] = variables([2.0, 3.0]);
    let sum = x + y;
    Value::backward_all(&[(sum * sum, 0.5), (x * y, -1.0), (sum, 2.0), (Value::constant(9.0), 7.0)]);
    assert_eq!((x.grad(), y.grad()), (5.0 - 3.0 + 2.0, 5.0 - 2.0 + 2.0));
}

#[test]
fn differentiation_leaves_numbers_alone() {
    let inputs = variables([1.0, 2.0, 3.0]);
    let sum: Value = inputs.iter().map(|x| x.square()).sum();
    sum.backward();
    assert_eq!(sum.primal(), 14.0);
    assert_eq!(inputs.map(Value::primal), [1.0, 2.0, 3.0]);
    assert_eq!(inputs.map(Value::grad), [2.0, 4.0, 6.0]);
}

#[test]
fn operators_take_values_numbers_and_references() {
    let [a, b] = variables([7.0, 2.0]);
    let value_of = |value: Value| (value.primal(), value.gradient(&[a, b]).unwrap());
    macro_rules! same {
        ($($op:tt $assign:tt;)*) => {
            $(
                let expected = value_of(a $op b);
                assert_eq!(expected.0, 7.0 $op 2.0);
                assert_eq!(value_of(&a $op b), expected);
                assert_eq!(value_of(a $op &b), expected);
                assert_eq!(value_of(&a $op &b), expected);
                let mut c = a;
                c $assign b;
                assert_eq!(value_of(c), expected);
                let mut c = a;
                c $assign 2.0;
                assert_eq!(value_of(c), (expected.0, vec![expected.1[0], 0.0]));
                let mut c = a;
                c $assign &b;
                assert_eq!(value_of(c), expected);
                assert_eq!(value_of(a $op 2.0), (expected.0, vec![expected.1[0], 0.0]));
                assert_eq!(value_of(&a $op 2.0), (expected.0, vec![expected.1[0], 0.0]));
                assert_eq!(value_of(7.0 $op b), (expected.0, vec![0.0, expected.1[1]]));
                assert_eq!(value_of(7.0 $op &b), (expected.0, vec![0.0, expected.1[1]]));
            )*
        };
    }
    same! { + +=; - -=; * *=; / /=; % %=; }
    assert_eq!(value_of(-a), (-7.0, vec![-1.0, 0.0]));
    assert_eq!(value_of(-&a), (-7.0, vec![-1.0, 0.0]));
}

#[test]
fn second_argument_is_a_value_or_a_number() {
    let [a, b] = variables([0.6, 0.8]);
    macro_rules! same {
        ($($name:ident)*) => {
            $(
                let with_value = a.$name(b);
                let with_number = a.$name(0.8);
                assert_eq!(with_number.primal(), with_value.primal(), stringify!($name));
                assert_eq!(with_number.gradient(&[a]).unwrap(), with_value.gradient(&[a]).unwrap(), stringify!($name));
            )*
        };
    }
    same! { powv atan2 hypot min max copysign equal not_equal less less_equal greater greater_equal safe_div }
    assert_eq!(a.clamp(0.0, b).primal(), 0.6);
    assert_eq!(Value::select(a, 1.0, b).primal(), 1.0);
}

#[test]
fn constants_fold() {
    let before = Value::live_nodes();
    let folded = (Value::constant(2.0) + 3.0).sqrt().powi(2) * Value::default();
    assert!(folded.is_constant());
    assert_eq!(Value::from(2.0).primal(), 2.0);
    assert_eq!(Value::live_nodes(), before);
}

#[test]
fn a_graph_prints_as_text() {
    let x = Value::variable(3.0);
    let y = x * x + 2.0 * x.powi(3);
    let expected = "\
v0 = variable()  [3]
v1 = mul(v0, v0)  [9]
v2 = powi[3](v0)  [27]
v3 = mul(2.0, v2)  [54]
v4 = add(v1, v3)  [63]
return v4
";
    assert_eq!(y.to_text().unwrap(), expected);
    assert_eq!(Value::constant(0.5).to_text().unwrap(), "return 0.5\n");
}

#[test]
fn a_graph_prints_as_dot() {
    let x = Value::variable(3.0);
    let expected = r#"digraph value {
  rankdir = BT;
  v0 [label = "variable\n3", shape = box];
  v1 [label = "mul\n6", shape = ellipse];
  c0 [label = "2.0", shape = plaintext];
  c0 -> v1;
  v0 -> v1;
  out [label = "output", shape = plaintext];
  v1 -> out;
}
"#;
    assert_eq!((2.0 * x).to_dot().unwrap(), expected);
}

#[test]
fn values_print_their_number() {
    let x = Value::variable(3.0);
    assert_eq!(format!("{x} {:.2}", x * 0.5), "3 1.50");
    assert_eq!(
        format!("{x:?} {:?} {:?}", x.sin(), Value::ONE),
        "Value(3.0, variable) Value(0.1411200080598672, sin) Value(1.0)"
    );
}
