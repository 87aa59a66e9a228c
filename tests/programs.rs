//! Programs compute what the recorded values compute, and so do their derivatives, first and second.

mod differences;
mod expressions;

use differences::{Slope, slopes};
use expressions::{Recipe, Shape, close, recipe};
use isograd::program::{Linearization, Node, Program};
use isograd::value::op::Op;
use isograd::{Blocks, CompiledResiduals, Problem, Residuals, Value};
use proptest::prelude::*;

const TAME: Shape = Shape { blocks: 3, largest_block: 3, data: 3, steps: 12, outputs: 3, tame: true, smooth: false };
const SMOOTH: Shape = Shape { blocks: 2, largest_block: 2, data: 1, steps: 8, outputs: 2, tame: true, smooth: true };

/// A recipe with a point to evaluate it at, and which of its data are literals.
#[derive(Debug, Clone)]
struct Case {
    recipe: Recipe,
    numbers: Vec<f64>,
    data: Vec<f64>,
    literal: Vec<bool>,
}

impl Case {
    fn random(shape: Shape) -> impl Strategy<Value = Case> {
        let number = prop_oneof![-2.0..-0.1, 0.1..2.0];
        let numbers = prop::collection::vec(number.clone(), shape.blocks * shape.largest_block);
        let data = prop::collection::vec(number, shape.data);
        (recipe(shape), numbers, data, prop::collection::vec(any::<bool>(), 200)).prop_map(
            |(recipe, mut numbers, mut data, literal)| {
                numbers.truncate(recipe.parameters());
                data.truncate(recipe.data);
                Case { recipe, numbers, data, literal }
            },
        )
    }

    fn blocks<'a>(&self, numbers: &'a [f64]) -> Vec<&'a [f64]> {
        let mut rest = numbers;
        let mut take = |&size: &usize| {
            let (block, tail) = rest.split_at(size);
            rest = tail;
            block
        };
        self.recipe.block_sizes.iter().map(&mut take).collect()
    }

    /// The program, with some of the data as literals, and the numbers of all data.
    fn program(&self) -> (Program, Vec<f64>) {
        let (expression, data) = self.recipe.expression(&self.data);
        let literals: Vec<Option<f64>> =
            data.iter().enumerate().map(|(k, &d)| self.literal[k % 200].then_some(d)).collect();
        (Program::new(&expression, &literals), data)
    }
}

/// Residuals and dense Jacobian (a row an output, all parameters block by block) of a linearization.
fn evaluate(linearization: &Linearization, blocks: &[&[f64]], data: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let numbers = linearization.program.evaluate(blocks, data);
    let (residuals, stored) = numbers.split_at(linearization.residuals);
    let first = |block: u32| -> usize { blocks[..block as usize].iter().map(|b| b.len()).sum() };
    let parameters = blocks.iter().map(|b| b.len()).sum();
    let mut jacobian = vec![vec![0.0; parameters]; residuals.len()];
    for entry in &linearization.entries {
        let number = entry.factor * entry.stored.map_or(1.0, |k| stored[k as usize]);
        jacobian[entry.residual as usize][first(entry.block) + entry.component as usize] = number;
    }
    (residuals.to_vec(), jacobian)
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(1.0, |size: f64, n| size.max(n.abs()))
}

/// The slope of `f` in component `k`, if it speaks against the derivative.
///
/// Where the differences themselves are in doubt they judge nobody. A function that turns several times within a difference step
/// can fool them (sin x²¹ does), so a step a thousand times shorter, coarser in its rounding, must speak against it too.
fn disagreement(f: impl Fn(&[f64]) -> f64, at: &[f64], k: usize, derivative: f64, scale: f64) -> Option<Slope> {
    let slope = slopes(&f, at)[k];
    let scale = scale.max(slope.value.abs());
    let close = slope.agrees(derivative, 2e-6) || (slope.value - derivative).abs() <= 2e-6 * scale;
    if close || slope.error >= 1e-6 * scale {
        return None;
    }
    let width = 1e-6 * at[k].abs().max(0.1);
    let moved = |by: f64| {
        let mut point = at.to_vec();
        point[k] += by;
        f(&point)
    };
    let short = (moved(width) - moved(-width)) / (2.0 * width);
    let rounding = 1e-14 * f(at).abs() / width;
    ((short - derivative).abs() > 1e-4 * scale.max(derivative.abs()) + rounding).then_some(slope)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn programs_agree_with_eager_backward(case in Case::random(TAME)) {
        let blocks = case.blocks(&case.numbers);
        let (program, data) = case.program();
        let linearization = program.differentiate();
        prop_assert_eq!(program.evaluate(&blocks, &data).len(), case.recipe.outputs.len());
        let (residuals, jacobian) = evaluate(&linearization, &blocks, &data);
        prop_assert_eq!(&program.evaluate(&blocks, &data), &residuals, "the residuals stay what they are");
        for (k, (value, gradient)) in case.recipe.eager(&blocks, &case.data).into_iter().enumerate() {
            prop_assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()), "not tame: {}", program);
            prop_assert!(close(residuals[k], value, 1e-10, 1.0), "r{}: {} for {}\n{}", k, residuals[k], value, program);
            let scale = largest(&gradient);
            for (found, expected) in jacobian[k].iter().zip(&gradient) {
                prop_assert!(close(*found, *expected, 1e-10, scale), "r{}: {} for {}\n{}", k, found, expected, linearization);
            }
        }
    }

    #[test]
    fn derivatives_agree_with_central_differences(case in Case::random(SMOOTH)) {
        let (program, data) = case.program();
        let linearization = program.differentiate();
        let (_, jacobian) = evaluate(&linearization, &case.blocks(&case.numbers), &data);
        for (k, row) in jacobian.iter().enumerate() {
            let output = |x: &[f64]| program.evaluate(&case.blocks(x), &data)[k];
            for (column, derivative) in row.iter().enumerate() {
                let wrong = disagreement(output, &case.numbers, column, *derivative, 1.0);
                prop_assert!(wrong.is_none(), "{} for {:?}\n{}", derivative, wrong, linearization);
            }
        }
    }

    #[test]
    fn second_derivatives_agree_with_differences_of_the_first_and_are_symmetric(case in Case::random(SMOOTH)) {
        let (program, data) = case.program();
        let first = program.differentiate();
        let second = first.program.differentiate();
        let blocks = case.blocks(&case.numbers);
        let (numbers, derivatives) = evaluate(&second, &blocks, &data);
        prop_assert_eq!(&numbers, &first.program.evaluate(&blocks, &data));

        let count = case.numbers.len();
        let starts: Vec<usize> = (0..blocks.len()).map(|b| blocks[..b].iter().map(|b| b.len()).sum()).collect();
        for residual in 0..first.residuals {
            let mut hessian = vec![vec![0.0; count]; count];
            for entry in first.entries.iter().filter(|e| e.residual as usize == residual) {
                let Some(slot) = entry.stored else { continue };
                let row = starts[entry.block as usize] + entry.component as usize;
                for column in 0..count {
                    hessian[row][column] = entry.factor * derivatives[first.residuals + slot as usize][column];
                }
            }
            let scale = largest(&hessian.concat());
            for (row, second_row) in hessian.iter().enumerate() {
                let gradient = |x: &[f64]| evaluate(&first, &case.blocks(x), &data).1[residual][row];
                for (column, &found) in second_row.iter().enumerate() {
                    prop_assert!(close(found, hessian[column][row], 1e-9, scale), "symmetric\n{}", second);
                    let wrong = disagreement(gradient, &case.numbers, column, found, scale);
                    prop_assert!(wrong.is_none(), "{} for {:?}\n{}", found, wrong, second);
                }
            }
        }
    }

    /// More outputs than parameters are differentiated forward, fewer in reverse.
    #[test]
    fn forward_and_reverse_agree(case in Case::random(TAME)) {
        let blocks = case.blocks(&case.numbers);
        let one = Case { recipe: Recipe { outputs: case.recipe.outputs[..1].to_vec(), ..case.recipe.clone() }, ..case.clone() };
        let mut many = one.clone();
        many.recipe.outputs = vec![one.recipe.outputs[0]; 10];
        let (program, data) = one.program();
        let (repeated, _) = many.program();
        let (_, reverse) = evaluate(&program.differentiate(), &blocks, &data);
        let (_, forward) = evaluate(&repeated.differentiate(), &blocks, &data);
        let scale = largest(&reverse[0]);
        for row in &forward {
            for (f, r) in row.iter().zip(&reverse[0]) {
                prop_assert!(close(*f, *r, 1e-10, scale), "forward {} for reverse {}\n{}", f, r, program);
            }
        }
    }

    #[test]
    fn programs_are_straight_and_hold_nothing_twice_or_in_vain(case in Case::random(TAME)) {
        let linearization = case.program().0.differentiate();
        let program = &linearization.program;
        let mut used = vec![false; program.nodes.len()];
        for (k, node) in program.nodes.iter().enumerate() {
            for &argument in node.arguments() {
                prop_assert!((argument as usize) < k);
                used[argument as usize] = true;
            }
            // In text −0 and 0 differ, as they do for the builder.
            let text = format!("{node:?}");
            let twice = program.nodes[..k].iter().any(|other| format!("{other:?}") == text);
            prop_assert!(!twice, "v{} is there twice\n{}", k, program);
            let is_number = |&a: &u32| matches!(program.nodes[a as usize], Node::Literal(_));
            prop_assert!(node.arguments().is_empty() || !node.arguments().iter().all(is_number), "v{} of literals\n{}", k, program);
        }
        program.outputs.iter().for_each(|&o| used[o as usize] = true);
        prop_assert!(used.iter().all(|&u| u), "a node for nobody\n{}", program);
        for entry in &linearization.entries {
            prop_assert!(entry.factor != 0.0);
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------------
// What becomes of particular residuals.

/// A function of two values.
type OfTwo = fn(Value, Value) -> Value;

/// The programs of a residual over blocks of these sizes, which the canonical form may number otherwise. There are two instances,
/// so that its constants become literals.
fn programs<R: Residuals>(sizes: &[usize], function: impl Fn(Blocks<'_>) -> R) -> (Program, Linearization) {
    let mut problem = Problem::new();
    for start in [0.75, 1.25] {
        let block = |&size: &usize| problem.add_parameter_block(&vec![start; size]).unwrap();
        let blocks: Vec<_> = sizes.iter().map(block).collect();
        problem.add_residual(&blocks, &function).unwrap();
    }
    let compiled = problem.compile().unwrap();
    assert_eq!(compiled.groups.len(), 1);
    let kernel = &compiled.groups[0].kernel;
    (kernel.program.clone(), kernel.linearization.clone())
}

#[test]
fn the_distance_residual_reads_as_in_a_book() {
    let (_, linearization) = programs(&[2, 2], |x| (x.vector::<2>(0) - x.vector::<2>(1)).norm() - 5.0);
    let expected = "\
v2 = x0[1] - x1[1]
v3 = v2 * v2
v6 = x0[0] - x1[0]
v7 = v6 * v6
v8 = v3 + v7
v9 = sqrt(v8)
v11 = v9 - 5.0
v13 = 0.5 / v9
v14 = v6 * v13
v15 = v2 * v13
r0 = v11
dr0/dx0[0] = 2.0 * v14
dr0/dx0[1] = 2.0 * v15
dr0/dx1[0] = -2.0 * v14
dr0/dx1[1] = -2.0 * v15
";
    assert_eq!(linearization.to_string(), expected);
    assert_eq!(linearization.stored(), 2, "four entries, two numbers");

    let point: [&[f64]; 2] = [&[0.0, 0.0], &[3.0, 4.0]];
    let (residuals, jacobian) = evaluate(&linearization, &point, &[5.0]);
    assert_eq!(residuals, [0.0]);
    for (found, expected) in jacobian[0].iter().zip([-0.6, -0.8, 0.6, 0.8]) {
        assert!((found - expected).abs() < 1e-15);
    }
}

#[test]
fn identities_are_simplified() {
    let text = |function: fn(Value) -> Value| {
        let (program, _) = programs(&[1, 1], |x| [function(x[0][0]), x[0][0] + x[1][0]]);
        program.to_string().lines().find(|line| line.starts_with("r0")).map(str::to_owned).unwrap()
    };
    let parameter = "r0 = x0[0]";
    let same: [fn(Value) -> Value; 15] = [
        |a| a + 0.0,
        |a| 0.0 + a,
        |a| a - 0.0,
        |a| a * 1.0,
        |a| 1.0 * a,
        |a| a / 1.0,
        |a| -(-a),
        |a| a.powi(1),
        |a| 0.0 - (0.0 - a),
        |a| a.min(a),
        |a| a.max(a),
        |a| Value::select(a.greater(2.0), a, a),
        |a| Value::select(Value::constant(1.0), a, a.exp()),
        |a| -1.0 * -a,
        |a| 2.0 * (0.5 * a),
    ];
    for (k, function) in same.into_iter().enumerate() {
        assert_eq!(text(function), parameter, "identity {k}");
    }
    assert_eq!(text(|a| a - a), "r0 = 0.0");
    assert_eq!(text(|a| a * 0.0), "r0 = 0.0");
    assert_eq!(text(|a| 0.0 / a), "r0 = 0.0");
    assert_eq!(text(|a| a.powi(0)), "r0 = 1.0");
    assert_eq!(text(|a| (a - a).exp()), "r0 = 1.0");
}

#[test]
fn negations_and_factors_are_gathered() {
    let text = |function: OfTwo| {
        let (program, _) = programs(&[2], |x| function(x[0][0], x[0][1]));
        let lines: Vec<String> = program.to_string().lines().map(str::to_owned).collect();
        lines[0].split_once(" = ").map(|(_, right)| right.to_owned()).filter(|_| lines.len() == 2)
    };
    // What stands on either side of a commutative sign is not laid down.
    let cases: [(OfTwo, &[&str]); 10] = [
        (|a, b| a - (-b), &["x0[0] + x0[1]", "x0[1] + x0[0]"]),
        (|a, b| (-a) * (-b), &["x0[0] * x0[1]", "x0[1] * x0[0]"]),
        (|a, b| a + (-b), &["x0[0] - x0[1]"]),
        (|a, b| (-a) + b, &["x0[1] - x0[0]"]),
        (|a, b| -(a - b), &["x0[1] - x0[0]"]),
        (|a, _| a + a, &["2.0 * x0[0]", "x0[0] * 2.0"]),
        (|a, _| 3.0 * (2.0 * a), &["6.0 * x0[0]", "x0[0] * 6.0"]),
        (|a, _| -(3.0 * a), &["-3.0 * x0[0]", "x0[0] * -3.0"]),
        (|a, _| 3.0 * (2.0 / a), &["6.0 / x0[0]"]),
        (|a, _| 1.0 / a, &["recip(x0[0])"]),
    ];
    for (k, (function, expected)) in cases.into_iter().enumerate() {
        let found = text(function);
        assert!(found.as_deref().is_some_and(|found| expected.contains(&found)), "case {k}: {found:?}");
    }
}

/// Constants may be far apart as long as their products are never needed by themselves.
#[test]
fn factors_are_not_gathered_into_overflow() {
    let (program, linearization) = programs(&[1], |x| [1e200 * (1e200 * x[0][0]), 1e-200 * (1e-200 * x[0][0])]);
    let small: [&[f64]; 1] = [&[1e-300]];
    let large: [&[f64]; 1] = [&[1e300]];
    assert!(close(program.evaluate(&small, &[1e200; 4])[0], 1e100, 1e-14, 0.0), "{program}");
    let data = [1e200, 1e200, 1e-200, 1e-200];
    assert!(close(program.evaluate(&large, &data)[1], 1e-100, 1e-14, 0.0), "{program}");
    assert_eq!(linearization.residuals, 2);
}

#[test]
fn powers_are_multiplications() {
    let operations = |n: i32| programs(&[1], move |x| x[0][0].powi(n)).0.operation_counts();
    let counts = |list: &[(&'static str, usize)]| list.iter().copied().collect();
    assert_eq!(operations(2), counts(&[("mul", 1)]));
    assert_eq!(operations(5), counts(&[("mul", 3)]));
    assert_eq!(operations(64), counts(&[("mul", 6)]));
    assert_eq!(operations(-3), counts(&[("mul", 2), ("recip", 1)]));
    assert_eq!(operations(65), counts(&[("powi", 1)]));

    for n in -70..=70 {
        let (program, _) = programs(&[1], move |x| x[0][0].powi(n));
        for x in [-1.3, 0.7, 1.1, 2.0] {
            assert_eq!(program.evaluate(&[&[x]], &[])[0], Op::Powi(n).evaluate(x, x, x), "{x}^{n}, to the last bit");
        }
    }
}

#[test]
fn zero_entries_are_absent_and_constant_ones_not_stored() {
    let (_, linearization) = programs(&[2, 2], |x| {
        let (a, b) = (x.vector::<2>(0), x.vector::<2>(1));
        [3.0 * a[0] - b[1] / 2.0, a[1] * a[1], a[0].floor() + b[0]]
    });
    let entries: Vec<_> =
        linearization.entries.iter().map(|e| (e.residual, e.block, e.component, e.factor, e.stored)).collect();
    assert_eq!(
        entries,
        [(0, 0, 0, 3.0, None), (0, 1, 1, -0.5, None), (1, 0, 1, 2.0, Some(0)), (2, 1, 0, 1.0, None)],
        "{linearization}"
    );
    assert_eq!(linearization.stored(), 1);
}

#[test]
fn a_laplacian_stores_nothing() {
    let (_, linearization) = programs(&[3; 7], |x| {
        let sum = (2..7).fold(x.vector::<3>(1), |sum, k| sum + x.vector::<3>(k));
        x.vector::<3>(0) - sum / Value::constant(6.0)
    });
    assert_eq!((linearization.stored(), linearization.entries.len()), (0, 21));
    assert!(linearization.entries.iter().all(|e| e.factor == if e.block == 0 { 1.0 } else { -1.0 / 6.0 }));
}

#[test]
fn the_ends_of_an_edge_share_their_numbers() {
    let (_, linearization) = programs(&[3, 3], |x| (x.vector::<3>(0) - x.vector::<3>(1)).norm() - 1.0);
    assert_eq!((linearization.stored(), linearization.entries.len()), (3, 6));
    for k in 0..3 {
        let (one, other) = (linearization.entries[k], linearization.entries[k + 3]);
        assert_eq!((one.stored, one.factor), (other.stored, -other.factor));
    }
}

/// Two factors of one product, a quotient and a difference written both ways: shared where they are one number.
#[test]
fn opposite_differences_share_one_number() {
    let (_, linearization) = programs(&[1, 1], |x| (x[0][0] - x[1][0]).square() * 3.0);
    assert_eq!(linearization.stored(), 1, "{linearization}");
    let factors: Vec<f64> = linearization.entries.iter().map(|e| e.factor).collect();
    assert_eq!(factors[0], -factors[1]);
    assert_eq!(factors[0].abs(), 6.0);
}

#[test]
fn known_derivatives() {
    let gradient = |function: OfTwo, x: f64, y: f64| {
        let residuals = CompiledResiduals::compile(&[1.0, 2.0], |x| vec![function(x[0], x[1])]).unwrap();
        residuals.evaluate_dense(&[x, y]).unwrap().1[0].clone()
    };
    let (x, y) = (0.7, 1.9);
    let cases: [(OfTwo, [f64; 2]); 9] = [
        (|x, y| x * y, [y, x]),
        (|x, _| x.recip(), [-1.0 / (x * x), 0.0]),
        (|x, _| x.square().sin(), [2.0 * x * (x * x).cos(), 0.0]),
        (|x, _| x.sin().exp(), [x.cos() * x.sin().exp(), 0.0]),
        (|x, _| (x * x + x / x).cube(), [6.0 * x * (x * x + 1.0).powi(2), 0.0]),
        (|x, y| y.atan2(x), [-y / (x * x + y * y), x / (x * x + y * y)]),
        (|x, y| -(x + y), [-1.0, -1.0]),
        (|x, y| x.powv(y), [y * x.powf(y - 1.0), x.powf(y) * x.ln()]),
        (|x, y| x.max(y) * y, [0.0, 2.0 * y]),
    ];
    for (k, (function, expected)) in cases.into_iter().enumerate() {
        for (found, expected) in gradient(function, x, y).iter().zip(expected) {
            assert!((found - expected).abs() < 1e-13, "case {k}: {found} for {expected}");
        }
    }
}

/// Twenty-eight squarings: as an expanded formula the derivative would have 2²⁸ terms.
#[test]
fn sharing_survives_differentiation() {
    let (program, linearization) = programs(&[1], |x| (0..28).fold(x[0][0], |y, _| (y * y).sin() + y));
    assert_eq!(program.operations(), 3 * 28);
    assert!(linearization.program.operations() < 10 * 28, "{}", linearization.program.operations());
}
