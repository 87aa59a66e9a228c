//! Formulas against the same expressions in Rust, and against any text.

use proptest::prelude::*;

use super::*;
use crate::Value;

fn value(text: &str) -> f64 {
    Formula::with_variables(text, &["x", "y"]).unwrap_or_else(|error| panic!("{text}: {error}")).evaluate(&[3.0, 0.5])
}

#[test]
fn operators_bind_as_in_mathematics() {
    let (x, y) = (3.0_f64, 0.5_f64);
    for (text, expected) in [
        ("1 + 2*x", 7.0),
        ("1 - 2 - x", -4.0),
        ("12/x/2", 2.0),
        ("12/x*2", 8.0),
        ("-x**2", -9.0),
        ("(-x)**2", 9.0),
        ("x^-2", 1.0 / 9.0),
        ("2**-x*8", 1.0),
        ("2**3**2", 512.0),
        ("(2**3)**2", 64.0),
        ("-2**-2**-1", -(2.0_f64.powf(-(2.0_f64.powf(-1.0))))),
        ("2*-x", -6.0),
        ("1 - -x", 4.0),
        ("--x", 3.0),
        ("+x", 3.0),
        ("-x*y", -1.5),
        ("-x/-y", 6.0),
        ("4 ** .5", 2.0),
        ("[x + {y*(2)}]", 4.0),
        ("2*pi", std::f64::consts::TAU),
        ("exp[-y]", (-y).exp()),
        ("arctan(x)/atan2(x, 1)", 1.0),
        ("ln(x) - log(x)", 0.0),
        ("pow(x, 2) + hypot(x, 4)", 14.0),
        ("min(x, y) - max(x, y)", -2.5),
        ("sqrt(abs(-x))", x.sqrt()),
        ("log2(8) + log10(100) + cbrt(27)", 8.0),
        ("sin(x)**2 + cos(x)**2", 1.0),
        ("cosh(y)**2 - sinh(y)**2", 1.0),
        ("asin(sin(y)) + arccos(cos(y)) + atanh(tanh(y)) + acosh(cosh(y)) + asinh(sinh(y))", 5.0 * y),
        ("tan(y) - sin(y)/cos(y)", 0.0),
    ] {
        let found = value(text);
        assert!((found - expected).abs() <= 1e-14 * expected.abs().max(1.0), "{text}: {found} for {expected}");
    }
}

#[test]
fn names_are_given_or_found() {
    let formula = Formula::parse("b2 * x +\n b1*x").unwrap();
    assert_eq!(formula.variables(), ["b2", "x", "b1"]);
    assert_eq!(formula.to_string(), "b2 * x + b1*x");
    assert_eq!(formula.evaluate(&[2.0, 3.0, 5.0]), 21.0);
    let formula = Formula::with_constants("g*t**2/2", &["t"], &[("g", 10.0)]).unwrap();
    assert_eq!(formula.evaluate(&[2.0]), 20.0);
    let hidden = Formula::with_constants("pi + c", &["pi", "c"], &[("c", 1.0)]).unwrap();
    assert_eq!(hidden.evaluate(&[4.0, 5.0]), 9.0);
    // A function's name is a variable like any other where no bracket follows.
    assert_eq!(Formula::parse("exp + log(exp)").unwrap().evaluate(&[1.0]), 1.0);
}

#[test]
#[should_panic(expected = "1 values for the 2 variables of \"a + b\"")]
fn values_come_one_a_variable() {
    Formula::parse("a + b").unwrap().evaluate(&[1.0]);
}

#[test]
fn derivatives_agree_with_differences() {
    let text = "x**y + exp(-x*y)/[1 + y**2] - atan2(x, y) + log(x)*sqrt(y) + hypot(x, y)";
    let formula = Formula::with_variables(text, &["x", "y"]).unwrap();
    let at = [1.3, 0.7];
    let variables = at.map(Value::variable);
    let traced = formula.evaluate(&variables);
    assert!((traced.primal() - formula.evaluate(&at)).abs() < 1e-15);
    traced.backward();
    for (k, variable) in variables.iter().enumerate() {
        let h = 1e-6;
        let moved = |by: f64| {
            let mut point = at;
            point[k] += by;
            formula.evaluate(&point)
        };
        let difference = (moved(h) - moved(-h)) / (2.0 * h);
        assert!((variable.grad() - difference).abs() < 1e-8, "{k}: {} for {difference}", variable.grad());
    }
}

#[test]
fn errors_say_where_and_what() {
    let message = |text: &str| Formula::with_variables(text, &["x"]).unwrap_err().to_string();
    for (text, expected) in [
        ("", "line 1, column 1: expected a number, a name or an opening bracket, found the end"),
        ("x +\n  * 2", "line 2, column 3: expected a number, a name or an opening bracket, found \"*\""),
        ("2x", "line 1, column 2: expected an operator or the end, found \"x\""),
        ("x $ 2", "line 1, column 3: expected a formula's character, found \"$\""),
        ("x)", "line 1, column 2: expected an operator or the end, found \")\""),
        ("x, x", "line 1, column 2: expected an operator or the end, found \",\""),
        ("(x]", "line 1, column 3: expected an operator or the \")\" for \"(\" at line 1, column 1, found \"]\""),
        (
            "exp[x",
            "line 1, column 6: expected an operator, a comma or the \"]\" for \"[\" at line 1, column 4, found the end",
        ),
        ("x + z", "line 1, column 5: unknown name \"z\"; the variables are x"),
        ("atan2(x)", "line 1, column 1: atan2 takes 2 argument(s), not 1"),
        ("sin(x, x, x)", "line 1, column 1: sin takes 1 argument(s), not 3"),
        ("1e400", "line 1, column 1: the number 1e400 is too large for double precision"),
        ("sin()", "line 1, column 5: expected a number, a name or an opening bracket, found \")\""),
    ] {
        assert_eq!(message(text), expected, "{text:?}");
    }
    let error = Formula::parse("1 + b1(x + 1)").unwrap_err();
    assert!(matches!(&error, FormulaError::UnknownFunction { name, .. } if name == "b1"), "{error}");
    assert!(error.to_string().contains("atan arctan sinh"), "{error}");
    assert_eq!(error.position(), TextPosition { line: 1, column: 5 });
    let error = Formula::in_file("(a\n]", 30, &["a"], &[]).unwrap_err().to_string();
    assert!(error.starts_with("line 31, column 1: ") && error.contains("\"(\" at line 30, column 1"), "{error}");
    assert!(Formula::with_variables::<&str>("x", &[]).unwrap_err().to_string().ends_with("there are no variables"));
}

#[test]
fn nesting_is_bounded_and_length_is_not() {
    let many = 100_000;
    for (open, close) in
        [("(", ")"), ("-", ""), ("+", ""), ("2**", ""), ("sin(", ")"), ("2**(-", ")"), ("max(1, ", ")")]
    {
        let nested = |n: usize| Formula::parse(&format!("{}x{}", open.repeat(n), close.repeat(n)));
        assert!(matches!(nested(many), Err(FormulaError::TooDeep { .. })), "{open}");
        assert!(nested(60).is_ok(), "{open}");
    }
    assert!(Formula::parse(&"(".repeat(many)).is_err());
    let sum = Formula::parse(&vec!["x"; many].join("+")).unwrap();
    assert_eq!(sum.evaluate(&[1.0]), many as f64);
}

#[test]
fn components_of_vectors_are_variables() {
    let names = ["p[0]", "p[1]", "q", "q[0]", "exp[0]"];
    let value =
        |text: &str| Formula::with_variables(text, &names).map(|formula| formula.evaluate(&[2.0, 3.0, 5.0, 7.0, 11.0]));
    assert_eq!(value("p[0] - 2*p [ 1 ]^p[0]"), Ok(2.0 - 2.0 * 9.0));
    assert_eq!(value("q*q[0]"), Ok(35.0));
    // A vector hides a function of its name behind this bracket only.
    assert_eq!(value("exp[0]*exp(0)*cos[0]"), Ok(11.0));
    for (text, column, part) in [
        ("1 + p[2]", 5, "unknown name \"p[2]\""),
        ("p[0.5]", 1, "unknown name \"p[0.5]\""),
        ("p[q]", 3, "the number of a component of \"p\""),
        ("p[0 1]", 5, "\"]\""),
        ("p", 1, "unknown name \"p\""),
        ("r[0]", 1, "unknown function"),
    ] {
        let error = value(text).unwrap_err();
        assert_eq!(error.position(), TextPosition { line: 1, column }, "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
}

proptest! {
    #[test]
    fn random_texts_never_panic(text in "\\PC{0,60}") {
        let _ = Formula::parse(&text);
    }

    /// Words of the grammar in any order. What does parse must evaluate, and parse again as it prints.
    #[test]
    fn random_words_never_panic(words in prop::collection::vec(prop::sample::select(vec![
        "x", "b1", "pi", "1", "2.5", ".", "1e", "1e9", "e", "+", "-", "*", "**", "^", "/", "(", ")", "[", "]", "{", "}", ",",
        "sin(", "exp[", "atan2(", "max(", "pow{", " ", "\n", "\t", "\u{e9}", "\"", "=",
    ]), 0..25)) {
        if let Ok(formula) = Formula::parse(&words.concat()) {
            let values = vec![0.5_f64; formula.variables().len()];
            let first: f64 = formula.evaluate(&values);
            let again = Formula::parse(&formula.to_string()).unwrap();
            prop_assert_eq!(again.evaluate(&values).to_bits(), first.to_bits());
        }
    }
}
