//! What is wrong is said, with its place, and the problem is as it was before.

mod soundness;

use isograd::value::ValueError;
use isograd::{BlockId, Blocks, CompiledResiduals, Problem, ProblemError, SolverOptions, Table, Value};
use soundness::{says, sound};

/// Everything about a problem that a refused call could have changed.
fn state(problem: &Problem) -> (Vec<f64>, Vec<u32>, [usize; 5], Vec<f64>) {
    let compiled = problem.compile().unwrap();
    let mut evaluation = compiled.new_evaluation();
    compiled.linearize(problem.parameters().values(), &mut evaluation).unwrap();
    let counts = [
        problem.residual_blocks(),
        problem.residuals(),
        problem.topologies(),
        compiled.statistics.kernels,
        compiled.statistics.instances,
    ];
    evaluation.residuals.extend(evaluation.stored);
    (problem.parameters().values().to_vec(), problem.parameters().offsets().to_vec(), counts, evaluation.residuals)
}

/// Runs a call that must be refused, and checks that it changed nothing and that the problem still works.
fn refused<T: std::fmt::Debug>(call: impl FnOnce(&mut Problem, &[BlockId]) -> Result<T, ProblemError>) -> ProblemError {
    let (mut problem, blocks) = sound();
    let before = state(&problem);
    let nodes = Value::live_nodes();
    let error = call(&mut problem, &blocks).expect_err("should be refused");
    assert_eq!(state(&problem), before, "after {error}");
    assert_eq!(Value::live_nodes(), nodes, "after {error}");

    // A new shape and an old one fit in as if nothing had been.
    assert_eq!(problem.add_residual(&[blocks[1]], |x| x[0][0].exp() * x[0][1]).unwrap(), 3);
    assert_eq!(problem.add_residual(&[blocks[1]], |x| x[0][0] - x[0][1].square()).unwrap(), 4);
    let compiled = problem.compile().unwrap();
    assert_eq!((problem.topologies(), compiled.statistics.kernels, compiled.groups.len()), (3, 3, 3), "after {error}");
    let mut evaluation = compiled.new_evaluation();
    compiled.evaluate_residuals(problem.parameters().values(), &mut evaluation).unwrap();
    let row = |block: usize| evaluation.residuals[compiled.row_of(block).unwrap()];
    assert_eq!([row(0), row(2), row(3), row(4)], [-3.0, -13.0, 3_f64.exp() * 4.0, -13.0], "after {error}");
    assert!(problem.solve(&SolverOptions::default()).unwrap().termination.is_converged());
    error
}

/// As it is recorded: the text of a residual is refused with this error.
fn refused_function<R: isograd::Residuals>(function: impl FnOnce(Blocks<'_>) -> R) -> ProblemError {
    refused(|problem, blocks| problem.add_residual(&[blocks[0]], function))
}

// ---------------------------------------------------------------------------------------------------------------------
// Parameters.

#[test]
fn parameters_must_be_finite() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let error = refused(|p, _| p.add_parameter_block(&[1.0, bad]));
        assert!(matches!(error, ProblemError::NonFiniteParameter { block: 2, component: 1, .. }), "{error}");
        says(&error, &["component 1 of parameter block 2", &bad.to_string()]);
    }
    // The third of four blocks; none is added.
    let error = refused(|p, _| p.add_parameter_blocks(2, &[1.0, 2.0, 3.0, 4.0, f64::NAN, 6.0, 7.0, 8.0]));
    assert!(matches!(error, ProblemError::NonFiniteParameter { block: 4, component: 0, .. }), "{error}");
    let error = refused(|p, blocks| p.set_parameter_block(blocks[1], &[0.0, f64::NAN]));
    assert!(matches!(error, ProblemError::NonFiniteParameter { block: 1, component: 1, .. }), "{error}");
}

#[test]
fn blocks_must_be_whole() {
    assert_eq!(refused(|p, _| p.add_parameter_block(&[])), ProblemError::EmptyBlock { block: 2 });
    let error = refused(|p, _| p.add_parameter_blocks(3, &[1.0, 2.0, 3.0, 4.0]));
    assert_eq!(error, ProblemError::RaggedBlocks { length: 4, size: 3 });
    says(&error, &["4 numbers", "blocks of 3"]);
    assert!(matches!(refused(|p, _| p.add_parameter_blocks(0, &[1.0])), ProblemError::RaggedBlocks { size: 0, .. }));
    let error = refused(|p, blocks| p.set_parameter_block(blocks[0], &[1.0]));
    assert_eq!(error, ProblemError::ParameterCount { expected: 2, found: 1 });
}

/// Blocks of a problem that has more of them.
fn foreign() -> Vec<BlockId> {
    Problem::new().add_parameter_blocks(1, &[0.0; 8]).unwrap()
}

#[test]
fn unknown_blocks_and_components() {
    let strange = foreign()[7];
    let error = refused(|p, blocks| p.add_residual(&[blocks[0], strange], |x| x[0][0] - x[1][0]));
    assert_eq!(error, ProblemError::UnknownBlock { residual_block: 3, argument: 1, block: 7, blocks: 2 });
    says(&error, &["residual block 3", "argument 1", "parameter block 7", "only 2"]);
    assert!(matches!(refused(|p, _| p.fix(strange)), ProblemError::NoSuchBlock { block: 7, blocks: 2 }));
    assert!(matches!(refused(|p, _| p.unfix(strange)), ProblemError::NoSuchBlock { block: 7, .. }));
    assert!(matches!(refused(|p, _| p.set_parameter_block(strange, &[1.0])), ProblemError::NoSuchBlock { .. }));
    let error = refused(|p, blocks| p.fix_component(blocks[1], 2));
    assert_eq!(error, ProblemError::UnknownComponent { block: 1, component: 2, size: 2 });
    says(&error, &["parameter block 1", "2 components", "component 2"]);
}

// ---------------------------------------------------------------------------------------------------------------------
// Residual blocks.

#[test]
fn a_block_given_twice() {
    let error = refused(|p, blocks| p.add_residual(&[blocks[1], blocks[0], blocks[1]], |x| x[0][0] - x[2][0]));
    assert_eq!(error, ProblemError::RepeatedBlock { residual_block: 3, block: 1 });
    says(&error, &["residual block 3", "parameter block 1", "twice"]);
    // In a long list too.
    let mut problem = Problem::new();
    let mut blocks = problem.add_parameter_blocks(1, &[1.0; 40]).unwrap();
    blocks.push(blocks[17]);
    let error = problem.add_residual(&blocks, |x| x.iter().map(|b| b[0]).sum::<Value>()).unwrap_err();
    assert_eq!(error, ProblemError::RepeatedBlock { residual_block: 0, block: 17 });
}

#[test]
fn a_block_ignored_or_none_given() {
    let error = refused(|p, blocks| p.add_residual(&[blocks[1], blocks[0]], |x| x[0][0].tan()));
    assert_eq!(error, ProblemError::IgnoredBlock { residual_block: 3, argument: 1, block: 0 });
    says(&error, &["residual block 3", "argument 1", "parameter block 0"]);
    let error = refused_function(|_| Value::constant(3.0));
    assert!(matches!(error, ProblemError::IgnoredBlock { argument: 0, .. }), "{error}");
    // Looked at, but as a number.
    let error = refused_function(|x| Value::constant(2.0 * x[0][0].primal()));
    assert!(matches!(error, ProblemError::IgnoredBlock { argument: 0, .. }), "{error}");
    assert_eq!(refused(|p, _| p.add_residual(&[], |_| Value::ONE)), ProblemError::NoBlock { residual_block: 3 });
}

#[test]
fn no_residual() {
    assert_eq!(refused_function(|_| Vec::<Value>::new()), ProblemError::NoResidual { residual_block: 3 });
    let error = refused(|p, blocks| p.add_residual_batch(&[[blocks[0]]], &(), |_, _| Vec::<Value>::new()));
    assert_eq!(error, ProblemError::NoResidual { residual_block: 3 });
}

fn is_value_error(error: &ProblemError, wanted: ValueError) {
    assert_eq!(*error, ProblemError::Value { residual_block: 3, source: wanted });
    says(error, &["residual block 3"]);
}

#[test]
fn values_of_a_finished_trace() {
    let mut stolen = Value::ZERO;
    let (mut other, blocks) = sound();
    other
        .add_residual(&[blocks[0]], |x| {
            stolen = x[0][0] * x[0][1];
            stolen
        })
        .unwrap();
    is_value_error(&refused_function(|_| stolen), ValueError::Cleared);
    is_value_error(&refused_function(|x| x[0][0] + stolen), ValueError::Cleared);
    is_value_error(&refused_function(|x| if stolen > x[0][0] { x[0][0] } else { x[0][1] }), ValueError::Cleared);
    is_value_error(&refused_function(|x| x[0][0] * stolen.primal()), ValueError::Cleared);
    // The error stays although the result does not depend on it: what was computed with NaN may have decided something.
    is_value_error(&refused_function(|x| [x[0][0], (x[0][1] + stolen).detach()]), ValueError::Cleared);
}

#[test]
fn values_of_another_thread() {
    let foreign = std::thread::spawn(|| Value::variable(2.0) * 3.0).join().unwrap();
    is_value_error(&refused_function(|_| foreign), ValueError::OtherThread);
    is_value_error(&refused_function(|x| x[0][0] + foreign), ValueError::OtherThread);
    is_value_error(&refused_function(|x| if x[0][0] < foreign { x[0][0] } else { x[0][1] }), ValueError::OtherThread);
    // A constant is a number wherever it was made.
    let constant = std::thread::spawn(|| Value::constant(2.0)).join().unwrap();
    assert!(sound().0.add_residual(&[sound().1[0]], |x| x[0][0] + constant).is_ok());
}

#[test]
fn values_captured_from_outside() {
    let outside = Value::variable(2.0);
    is_value_error(&refused_function(|_| outside), ValueError::Captured);
    is_value_error(&refused_function(|x| x[0][0] * outside.sin()), ValueError::Captured);
    is_value_error(&refused_function(|x| if x[0][0] < outside { x[0][0] } else { x[0][1] }), ValueError::Captured);
    // Its number may be taken.
    let (mut problem, blocks) = sound();
    problem.add_residual(&[blocks[0]], |x| x[0][0] * outside.primal() + outside.detach()).unwrap();
    let error = refused(|p, blocks| p.add_residual_batch(&[[blocks[0]]], &(), |x, _| x[0][0] * outside));
    is_value_error(&error, ValueError::Captured);
    let error = CompiledResiduals::compile(&[1.0], |x| vec![x[0], outside]).err().unwrap();
    assert!(matches!(error, ProblemError::Value { source: ValueError::Captured, .. }));

    // The blocks of an outer trace are outside for an inner one.
    let error = refused(|p, blocks| {
        let mut inner_error = None;
        let result = p.add_residual(&[blocks[0]], |x| {
            let (mut inner, inner_blocks) = sound();
            inner_error = inner.add_residual(&[inner_blocks[0]], |y| y[0][0] * x[0][0]).err();
            Value::ONE
        });
        assert!(matches!(inner_error, Some(ProblemError::Value { source: ValueError::Captured, .. })));
        result
    });
    assert!(matches!(error, ProblemError::IgnoredBlock { .. }), "{error}");
}

#[test]
fn clearing_the_graph_inside() {
    let cleared = |error: ProblemError| is_value_error(&error, ValueError::Cleared);
    cleared(refused_function(|x| {
        let y = x[0][0] * 2.0;
        Value::clear_graph();
        y
    }));
    // What is made after the clearing stands where the blocks were, and is no block.
    cleared(refused_function(|_| {
        Value::clear_graph();
        Value::variable(1.0) * 2.0
    }));
    cleared(refused_function(|_| {
        Value::clear_graph();
        let [a, b, c] = [1.0, 2.0, 3.0].map(Value::variable);
        a * b + c
    }));
    let compiled = CompiledResiduals::compile(&[1.0, 2.0], |_| {
        Value::clear_graph();
        let [a, b, c] = [1.0, 2.0, 3.0].map(Value::variable);
        vec![a * b, c * c]
    });
    assert!(matches!(compiled.err(), Some(ProblemError::Value { source: ValueError::Cleared, .. })));
}

/// A panic in a residual function passes through, and the problem is as it was.
#[test]
fn a_function_that_panics() {
    let (mut problem, blocks) = sound();
    let before = (state(&problem), Value::live_nodes());
    for round in 0..2 {
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            problem.add_residual(&[blocks[0]], |x| -> Value {
                let _half_done = x[0][0].sin();
                panic!("in round {round}")
            })
        }));
        assert!(panicked.is_err());
        assert_eq!((state(&problem), Value::live_nodes()), before);
    }
    let panicked =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| problem.add_residual(&[blocks[0]], |x| x[0][2])));
    assert!(panicked.is_err(), "component 2 of 2");
    // Outside of a trace a stale value panics again, so the recording ended with it.
    let stale = Value::scope(|| Value::variable(1.0));
    assert!(std::panic::catch_unwind(|| stale.primal()).is_err());
    assert_eq!(problem.add_residual(&[blocks[0]], |x| x[0][0] * x[0][1]).unwrap(), 3);
}

// ---------------------------------------------------------------------------------------------------------------------
// Batches.

fn difference(x: Blocks<'_>, _: &[Value]) -> Value {
    x[0][0].sinh() - x[1][1]
}

#[test]
fn rows_of_a_batch_are_checked_before_anything() {
    let strange = foreign()[5];
    let error = refused(|p, b| p.add_residual_batch(&[[b[0], b[1]], [b[1], strange], [b[1], b[0]]], &(), difference));
    assert_eq!(error, ProblemError::UnknownBlock { residual_block: 4, argument: 1, block: 5, blocks: 2 });
    let error = refused(|p, b| p.add_residual_batch(&[[b[0], b[1]], [b[1], b[1]]], &(), difference));
    assert_eq!(error, ProblemError::RepeatedBlock { residual_block: 4, block: 1 });
    let error = refused(|p, b| p.add_residual_batch(&[[b[0], b[1]]], &(), |x, _| x[0][0].sinh()));
    assert_eq!(error, ProblemError::IgnoredBlock { residual_block: 3, argument: 1, block: 1 });
    let error = refused(|p, _| p.add_residual_batch(&[[], []], &(), |_, _| Value::ONE));
    assert_eq!(error, ProblemError::NoBlock { residual_block: 3 });
}

#[test]
fn tables_must_fit() {
    let rows = |blocks: &[BlockId]| [[blocks[0], blocks[1]], [blocks[1], blocks[0]]];
    let error = refused(|p, b| p.add_residual_batch(&rows(b), &[[1.0], [2.0], [3.0]], difference));
    assert_eq!(error, ProblemError::RowCount { indices: 2, data: 3 });
    says(&error, &["2 rows of parameter blocks", "3 rows of data"]);
    let error = refused(|p, b| p.add_residual_batch(&Table { width: 2, entries: &b[..1] }, &(), difference));
    assert_eq!(error, ProblemError::RaggedTable { length: 1, width: 2 });
    says(&error, &["1 entries", "rows of 2"]);
    let data = Table { width: 3, entries: &[1.0; 7] };
    let error = refused(|p, b| p.add_residual_batch(&rows(b), &data, difference));
    assert_eq!(error, ProblemError::RaggedTable { length: 7, width: 3 });
    let error = refused(|p, b| p.add_residual_batch(&rows(b), &Table { width: 0, entries: &[] }, difference));
    assert_eq!(error, ProblemError::RaggedTable { length: 0, width: 0 });
}

#[test]
fn blocks_of_a_column_have_one_size() {
    let mut problem = Problem::new();
    let pair = problem.add_parameter_blocks(2, &[1.0; 4]).unwrap();
    let single = problem.add_parameter_block(&[1.0]).unwrap();
    let rows = [[pair[0], pair[1]], [pair[1], pair[0]], [pair[0], single]];
    let error = problem.add_residual_batch(&rows, &(), |x, _| x[0][0] - x[1][0]).unwrap_err();
    assert_eq!(error, ProblemError::BlockSize { row: 2, argument: 1, expected: 2, found: 1 });
    says(&error, &["row 2", "argument 1", "1 components", "2 in the first"]);
    assert_eq!((problem.residual_blocks(), problem.topologies()), (0, 0));
}

#[test]
fn data_must_be_finite() {
    let with = |bad: f64| {
        refused(move |p, b| {
            let rows = [[b[0]], [b[1]], [b[0]]];
            p.add_residual_batch(&rows, &[[1.0, 2.0], [3.0, bad], [bad, 4.0]], |x, d| x[0][0] * d[0] - d[1])
        })
    };
    let error = with(f64::INFINITY);
    assert_eq!(error, ProblemError::NonFiniteData { row: 1, column: 1, value: f64::INFINITY });
    says(&error, &["row 1", "column 1", "inf"]);
    assert!(matches!(with(f64::NAN), ProblemError::NonFiniteData { row: 1, column: 1, .. }));
}

#[test]
fn an_empty_batch_is_nothing() {
    let (mut problem, _) = sound();
    let before = state(&problem);
    let none: [[BlockId; 2]; 0] = [];
    assert_eq!(problem.add_residual_batch(&none, &(), difference).unwrap(), 3..3);
    assert_eq!(problem.add_residual_batch(&none[..], &Table { width: 4, entries: &[] }, difference).unwrap(), 3..3);
    assert_eq!(state(&problem), before);
    let error = problem.add_residual_batch(&none, &[[1.0]], difference).unwrap_err();
    assert_eq!(error, ProblemError::RowCount { indices: 0, data: 1 });
}

/// Sixteen rows; the comparison falls otherwise in row 11, which is neither first nor middle nor last.
#[test]
fn a_template_that_branches() {
    let build = |odd: usize| {
        let mut problem = Problem::new();
        let start: Vec<f64> = (0..16).map(|k| if k == odd { -1.0 } else { 1.0 + k as f64 }).collect();
        let blocks = problem.add_parameter_blocks(1, &start).unwrap();
        (problem, blocks.iter().map(|&b| [b]).collect::<Vec<_>>(), start.iter().map(|&s| [s]).collect::<Vec<_>>())
    };
    for odd in [1, 8, 11, 15] {
        let (mut problem, rows, data) = build(odd);
        let by_parameter = |x: Blocks<'_>, _: &[Value]| if x[0][0] > 0.0 { x[0][0].sin() } else { x[0][0].cos() };
        let error = problem.add_residual_batch(&rows, &(), by_parameter).unwrap_err();
        assert_eq!(error, ProblemError::TemplateDiverges { row: odd });
        says(&error, &[&format!("row {odd}"), "row 0", "Value::select"]);
        let by_datum = |x: Blocks<'_>, d: &[Value]| if d[0] > 0.0 { x[0][0] * d[0] } else { x[0][0] + d[0] };
        let error = problem.add_residual_batch(&rows, &data, by_datum).unwrap_err();
        assert_eq!(error, ProblemError::TemplateDiverges { row: odd });
        // A comparison of something computed, of which the residual keeps nothing but the branch.
        let by_result = |x: Blocks<'_>, d: &[Value]| {
            if x[0][0] * 2.0 - d[0] <= d[0].abs() * 2.0 - x[0][0] { x[0][0] } else { -x[0][0].exp() }
        };
        let error = problem.add_residual_batch(&rows, &data, by_result).unwrap_err();
        assert_eq!(error, ProblemError::TemplateDiverges { row: odd });
        assert_eq!((problem.residual_blocks(), problem.residuals(), problem.topologies()), (0, 0, 0));

        let select = |x: Blocks<'_>, _: &[Value]| Value::select(x[0][0].greater(0.0), x[0][0].sin(), x[0][0].cos());
        assert_eq!(problem.add_residual_batch(&rows, &(), select).unwrap(), 0..16);
        for row in &rows {
            problem.add_residual(row, |x| by_parameter(x, &[])).unwrap();
        }
        assert_eq!(problem.topologies(), 3);
    }
    // A comparison that comes out alike everywhere is no branch.
    let (mut problem, rows, _) = build(99);
    problem.add_residual_batch(&rows, &(), |x, _| if x[0][0] > 0.0 { x[0][0] } else { -x[0][0] }).unwrap();
}

#[test]
fn a_template_that_changes_from_call_to_call() {
    let calls = std::cell::Cell::new(0.0);
    let rows = |b: &[BlockId]| [[b[0]], [b[1]], [b[0]]];
    // Another constant in every row would be the first row's in all of them.
    let error = refused(|p, b| {
        p.add_residual_batch(&rows(b), &(), |x, _| {
            calls.set(calls.get() + 1.0);
            x[0][0] - calls.get()
        })
    });
    assert_eq!(error, ProblemError::TemplateDiverges { row: 1 });
    let error = refused(|p, b| p.add_residual_batch(&rows(b), &(), |x, _| x[0][0] - x[0][1].primal()));
    assert_eq!(error, ProblemError::TemplateDiverges { row: 1 });
    calls.set(0.0);
    let error = refused(|p, b| {
        p.add_residual_batch(&rows(b), &(), |x, _| {
            calls.set(calls.get() + 1.0);
            vec![x[0][0]; calls.get() as usize]
        })
    });
    assert_eq!(error, ProblemError::ResidualCount { residual_block: 4, expected: 1, found: 2 });
    says(&error, &["residual block 4", "2 residuals", "1 for the first"]);
}
