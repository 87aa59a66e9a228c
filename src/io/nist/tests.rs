//! Reading regression problems, and every model of the collection.

use super::*;
use crate::Value;
use crate::io::FilePosition;

const MISRA: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/Misra1a.dat"));

#[test]
fn a_file_becomes_a_problem() {
    let problem = parse_nist(MISRA.as_bytes(), "Misra1a.dat").unwrap();
    assert_eq!((problem.name.as_str(), problem.level), ("Misra1a", NistLevel::Lower));
    assert_eq!(problem.columns, ["y", "x"]);
    assert_eq!(problem.model.variables(), ["b1", "b2", "x"]);
    assert_eq!((problem.start(0), problem.start(1)), (vec![500.0, 0.0001], vec![250.0, 0.0005]));
    assert_eq!(problem.certified(), [2.3894212918E+02, 5.5015643181E-04]);
    assert_eq!(problem.parameters[1].standard_deviation, 7.2668688436E-06);
    assert_eq!(problem.residual_sum_of_squares, 1.2455138894E-01);
    assert_eq!(problem.residual_standard_deviation, 1.0187876330E-01);
    assert_eq!(problem.degrees_of_freedom, 12);
    let rows: Vec<&[f64]> = problem.observations().collect();
    assert_eq!((rows.len(), rows[0], rows[13]), (14, &[10.07, 77.6][..], &[81.78, 760.0][..]));
    assert_eq!(read_nist_from(MISRA.as_bytes(), "stream").unwrap(), problem);
}

#[test]
fn certified_answers_hold_for_numbers_and_for_values() {
    let problem = parse_nist(MISRA.as_bytes(), "Misra1a.dat").unwrap();
    let certified = problem.certified();
    let sum = problem.sum_of_squares(&certified);
    assert!((sum / problem.residual_sum_of_squares - 1.0).abs() < 1e-10, "{sum}");
    let deviation = (sum / problem.degrees_of_freedom as f64).sqrt();
    assert!((deviation / problem.residual_standard_deviation - 1.0).abs() < 1e-10);

    // The gradient of the sum vanishes there, but for the eleven digits of the certified values.
    let parameters: Vec<Value> = certified.iter().map(|&b| Value::variable(b)).collect();
    let total: Value = problem
        .observations()
        .map(|row| problem.residual(&parameters, &row.iter().map(|&x| Value::from(x)).collect::<Vec<_>>()).square())
        .sum();
    assert!((total.primal() - sum).abs() < 1e-14);
    total.backward();
    assert!(parameters[0].grad().abs() < 1e-8, "{}", parameters[0].grad());
}

/// The models of all 27 data sets, those that share one left out, as their files spell them.
#[test]
fn every_model_of_the_collection() {
    type Model = fn(&[f64], &[f64]) -> f64;
    let models: [(&str, &str, Model); 22] = [
        ("Misra1a", "y = b1*(1-exp[-b2*x])  +  e", |b, x| b[0] * (1.0 - (-b[1] * x[0]).exp())),
        ("Misra1b", "y = b1 * (1-(1+b2*x/2)**(-2))  +  e", |b, x| b[0] * (1.0 - (1.0 + b[1] * x[0] / 2.0).powi(-2))),
        ("Misra1c", "y = b1 * (1-(1+2*b2*x)**(-.5))  +  e", |b, x| b[0] * (1.0 - (1.0 + 2.0 * b[1] * x[0]).powf(-0.5))),
        ("Misra1d", "y = b1*b2*x*((1+b2*x)**(-1))  +  e", |b, x| b[0] * b[1] * x[0] / (1.0 + b[1] * x[0])),
        ("Chwirut1", "y = exp[-b1*x]/(b2+b3*x)  +  e", |b, x| (-b[0] * x[0]).exp() / (b[1] + b[2] * x[0])),
        ("Lanczos3", "y = b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)  +  e", |b, x| {
            (0..3).map(|k| b[2 * k] * (-b[2 * k + 1] * x[0]).exp()).sum()
        }),
        (
            "Gauss2",
            "y = b1*exp( -b2*x ) + b3*exp( -(x-b4)**2 / b5**2 )\n                    + b6*exp( -(x-b7)**2 / b8**2 ) + e",
            |b, x| {
                let bell = |k: usize| b[k] * (-(x[0] - b[k + 1]).powi(2) / b[k + 2].powi(2)).exp();
                b[0] * (-b[1] * x[0]).exp() + bell(2) + bell(5)
            },
        ),
        ("DanWood", "y  = b1*x**b2  +  e", |b, x| b[0] * x[0].powf(b[1])),
        ("Kirby2", "y = (b1 + b2*x + b3*x**2) /\n    (1 + b4*x + b5*x**2)  +  e", |b, x| {
            (b[0] + b[1] * x[0] + b[2] * x[0] * x[0]) / (1.0 + b[3] * x[0] + b[4] * x[0] * x[0])
        }),
        ("Hahn1", "y = (b1+b2*x+b3*x**2+b4*x**3) /\n    (1+b5*x+b6*x**2+b7*x**3)  +  e", cubics),
        ("Thurber", "y = (b1 + b2*x + b3*x**2 + b4*x**3) / \n  (1 + b5*x + b6*x**2 + b7*x**3)  +  e", cubics),
        ("Nelson", "log[y] = b1 - b2*x1 * exp[-b3*x2]  +  e", |b, x| b[0] - b[1] * x[0] * (-b[2] * x[1]).exp()),
        ("MGH17", "y = b1 + b2*exp[-x*b4] + b3*exp[-x*b5]  +  e", |b, x| {
            b[0] + b[1] * (-x[0] * b[3]).exp() + b[2] * (-x[0] * b[4]).exp()
        }),
        (
            "Roszman1",
            "pi = 3.141592653589793238462643383279E0\n  y =  b1 - b2*x - arctan[b3/(x-b4)]/pi  +  e",
            |b, x| b[0] - b[1] * x[0] - (b[2] / (x[0] - b[3])).atan() / std::f64::consts::PI,
        ),
        (
            "ENSO",
            "y = b1 + b2*cos( 2*pi*x/12 ) + b3*sin( 2*pi*x/12 ) \n  + b5*cos( 2*pi*x/b4 ) + b6*sin( 2*pi*x/b4 )\n  \
             + b8*cos( 2*pi*x/b7 ) + b9*sin( 2*pi*x/b7 )  + e",
            |b, x| {
                let wave = |c: f64, s: f64, period: f64| {
                    let angle = std::f64::consts::TAU * x[0] / period;
                    c * angle.cos() + s * angle.sin()
                };
                b[0] + wave(b[1], b[2], 12.0) + wave(b[4], b[5], b[3]) + wave(b[7], b[8], b[6])
            },
        ),
        ("MGH09", "y = b1*(x**2+x*b2) / (x**2+x*b3+b4)  +  e", |b, x| {
            b[0] * (x[0] * x[0] + x[0] * b[1]) / (x[0] * x[0] + x[0] * b[2] + b[3])
        }),
        ("BoxBOD", "y = b1*(1-exp[-b2*x])  +  e", |b, x| b[0] * (1.0 - (-b[1] * x[0]).exp())),
        ("Rat42", "y = b1 / (1+exp[b2-b3*x])  +  e", |b, x| b[0] / (1.0 + (b[1] - b[2] * x[0]).exp())),
        ("MGH10", "y = b1 * exp[b2/(x+b3)]  +  e", |b, x| b[0] * (b[1] / (x[0] + b[2])).exp()),
        ("Eckerle4", "y = (b1/b2) * exp[-0.5*((x-b3)/b2)**2]  +  e", |b, x| {
            (b[0] / b[1]) * (-0.5 * ((x[0] - b[2]) / b[1]).powi(2)).exp()
        }),
        ("Rat43", "y = b1 / ((1+exp[b2-b3*x])**(1/b4))  +  e", |b, x| {
            b[0] / (1.0 + (b[1] - b[2] * x[0]).exp()).powf(1.0 / b[3])
        }),
        ("Bennett5", "y = b1 * (b2+x)**(-1/b3)  +  e", |b, x| b[0] * (b[1] + x[0]).powf(-1.0 / b[2])),
    ];
    let b = [1.3, 0.7, 0.45, 1.9, 2.6, 0.8, 3.1, 1.15, 0.35];
    for (name, text, expected) in models {
        let count = (1..=9).rev().find(|k| text.contains(&format!("b{k}"))).unwrap();
        let (columns, row): (&str, &[f64]) =
            if text.contains("x2") { ("x1 x2", &[5.0, 0.9, 0.6]) } else { ("x", &[5.0, 0.9]) };
        let lines: String = (1..=count).map(|k| format!("  b{k} = 1 1 {} 1\n", b[k - 1])).collect();
        let row_text = row.iter().map(|x| format!(" {x}")).collect::<String>();
        let file = format!(
            "Dataset Name:  {name}\n {} Predictors\n 1 Observations\n Average Level of Difficulty\nModel: Some Class\n \
             {count} Parameters\n\n   {text}\n\n  Starting Values\n{lines}\nResidual Sum of Squares: 1\n\
             Residual Standard Deviation: 1\nDegrees of Freedom: 1\nNumber of Observations: 1\nData:  y {columns}\n{row_text}\n",
            row.len() - 1,
        );
        let problem = parse_nist(file.as_bytes(), name).unwrap_or_else(|error| panic!("{error}\n{file}"));
        let y = if text.starts_with("log") { row[0].ln() } else { row[0] };
        let (found, expected) = (problem.residual(&problem.certified(), row), y - expected(&b[..count], &row[1..]));
        assert!((found - expected).abs() < 1e-13 * expected.abs().max(1.0), "{name}: {found} for {expected}");
    }
}

fn cubics(b: &[f64], x: &[f64]) -> f64 {
    let x = x[0];
    (b[0] + b[1] * x + b[2] * x.powi(2) + b[3] * x.powi(3)) / (1.0 + b[4] * x + b[5] * x.powi(2) + b[6] * x.powi(3))
}

#[test]
fn errors_name_the_line() {
    let error = |from: &str, to: &str| {
        assert!(MISRA.contains(from), "{from}");
        parse_nist(MISRA.replacen(from, to, 1).as_bytes(), "x").unwrap_err()
    };
    let line_of = |words: &str| MISRA.lines().position(|line| line.contains(words)).unwrap() + 1;
    for (from, to) in [
        ("y = b1*(1-exp[-b2*x])  +  e", "y = b1*(1-exp[-b2*x])"),
        ("  b1 =   500", "  b1 =   x5"),
        ("  b2 =     0.0001      0.0005 ", "  b2 =     0.0001 "),
        ("  b2 =     0.0001 ", "  b2 =     0.0001 1 "),
        ("Number of Observations:                            14", "Number of Observations:  15"),
        ("Data:   y               x", "Data:   y               x z"),
        ("114.9E0", "114,9E0"),
        ("10.07E0      77.6E0", "10.07E0      77.6E0 1"),
    ] {
        let line = line_of(from);
        let found = error(from, to);
        assert!(matches!(found, ReadError::Syntax { at: FilePosition::Line(l), .. } if l == line), "{to}: {found}");
    }
    assert!(matches!(error("2.7070075241E+00", "1e999"), ReadError::NonFinite { at: FilePosition::Line(41), .. }));
    assert!(matches!(error("114.9E0", "nan"), ReadError::NonFinite { at: FilePosition::Line(62), .. }));
    let last = MISRA.lines().last().unwrap();
    assert!(matches!(error(last, ""), ReadError::Truncated { .. }));
    assert!(matches!(error(last, &format!("{last}\n{last}")), ReadError::Syntax { at: FilePosition::Line(75), .. }));
    for section in [
        "Dataset Name:",
        "Model:",
        "Lower Level",
        "2 Parameters",
        "Starting values",
        "b2 = ",
        "Residual Sum of Squares:",
        "Data:   y",
    ] {
        assert!(matches!(error(section, "?"), ReadError::Truncated { .. } | ReadError::Syntax { .. }), "{section}");
    }

    // Line and column of the file, whatever is before the formula.
    let model = line_of("y = b1");
    for (from, to, column) in [("exp[", "expo[", 26), ("-b2*x]", "-b3*x]", 31), ("b1*(1", "b1*(1 1", 26)] {
        let text = error(from, to).to_string();
        assert!(text.starts_with(&format!("x, line {model}, column {column}: ")), "{text}");
    }
    let text = error("               y = b1", "\r\n   c = 2*\r\n     [3 + d]\r\n y = c*b1").to_string();
    assert!(text.starts_with(&format!("x, line {}, column 11: unknown name \"d\"", model + 2)), "{text}");
}
